/* mounts/mountinfo.h - the kernel's table of mounts, /proc/<pid>/mountinfo (proc(5)). */
#ifndef MOUNTS_MOUNTINFO_H
#define MOUNTS_MOUNTINFO_H
#include "base/base.h"

#define OC_MOUNTINFO_BYTES_MAX ((size_t)32 << 20)
#define OC_MOUNTINFO_N_MAX     ((size_t)131072) /* above fs.mount-max, which is 100000 */

struct oc_mount_entry {
    uint64_t id;
    dev_t dev; /* of the file system: the same for all its mounts, also where stat() differs (btrfs) */
    const char
        *root; /* the directory or file of that file system which is mounted; "net:[...]" and such for nsfs */
    const char *point; /* where, seen from the process's root */
    const char *fstype;
    bool read_only; /* the mount or its file system */
};

struct oc_mountinfo {
    char *text; /* owns the strings above */
    struct oc_mount_entry *v;
    size_t n;
};
#define OC_MOUNTINFO_INIT \
    {                     \
        NULL, NULL, 0     \
    }

void oc_mountinfo_done(struct oc_mountinfo *m);

/* Octal escapes are undone, optional fields passed over. *ret: new, oc_mountinfo_done. OUTCALL_E_PROTOCOL
 * (not what proc(5) says), _LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_mountinfo_parse(const char *text, size_t len, struct oc_mountinfo *ret);
/* proc_fd: a /proc/<pid>. Also OUTCALL_E_SYSTEM. */
OC_NODISCARD int oc_mountinfo_read(int proc_fd, struct oc_mountinfo *ret);
/* NULL: no mount of that id. */
const struct oc_mount_entry *oc_mountinfo_find(const struct oc_mountinfo *m, uint64_t id);

#endif
