/* containers/helpers.h - the two things of ours that a container sees: the agent socket's directory and the
 * shim. */
#ifndef CONTAINERS_HELPERS_H
#define CONTAINERS_HELPERS_H
#include "containers/manager.h"
#include <limits.h>

struct oc_helpers {
    char agent_dir[PATH_MAX]; /* the directory that holds the socket */
    int shim_fd;              /* new, O_PATH: exactly what was checked; -1 before */
};

/* Opens the container's agent socket (again) through the hooks, unless its path is fixed: path, and the
 * directory that the container gets to see. Whatever the hook returns. */
OC_NODISCARD int oc_agent_socket_open(outcall_containers *m, const char *name, char path[PATH_MAX],
                                      char dir[PATH_MAX], outcall_error *err);

/* Opens the container's agent socket (hooks) and checks both. OUTCALL_E_NOT_FOUND (kinds
 * AGENT_SOCKET_NOT_FOUND, SHIM_NOT_FOUND), OUTCALL_E_INVALID (same kinds: of the wrong type), _DENIED (a
 * fixed socket in a directory that must not be shown), whatever the hook returns. */
OC_NODISCARD int oc_helpers_open(outcall_containers *m, const char *name, struct oc_helpers *ret,
                                 outcall_error *err);
void oc_helpers_done(struct oc_helpers *h);

#endif
