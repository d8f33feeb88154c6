/* mounts/runtime.h - the closed list of what an engine mounts into a container without being asked. */
#ifndef MOUNTS_RUNTIME_H
#define MOUNTS_RUNTIME_H
#include "mounts/mountinfo.h"

enum oc_runtime_answer {
    OC_RUNTIME_NO,
    OC_RUNTIME_YES,
    OC_RUNTIME_FILE /* only if it is a regular file: look at it */
};

/* inside: the container's table, host: ours, to tell a file system of the container's own from one of the
 * host. */
enum oc_runtime_answer oc_runtime_mounts(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                                         const struct oc_mountinfo *host);
/* Is any mount of the host of this file system? */
bool oc_runtime_is_of_host(const struct oc_mountinfo *host, dev_t dev);

#endif
