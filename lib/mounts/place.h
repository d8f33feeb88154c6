/* mounts/place.h - what an open descriptor really is: the object, and where it lies, both in this namespace
 * and in its own file system. The second is what bind aliases cannot change. */
#ifndef MOUNTS_PLACE_H
#define MOUNTS_PLACE_H
#include "mounts/mountinfo.h"
#include <sys/stat.h>

struct oc_id {
    dev_t dev;
    ino_t ino;
};

struct oc_place {
    struct oc_id id;
    mode_t mode;
    nlink_t nlink;
    uint64_t mnt_id;
    char *path;         /* canonical; NULL = nothing here */
    dev_t fs;           /* the file system; these three only after oc_place_settle */
    char *fs_path;      /* path within it, its root is "/" */
    const char *fstype; /* borrowed from the mountinfo */
};

static inline bool oc_id_equal(struct oc_id a, struct oc_id b)
{
    return a.dev == b.dev && a.ino == b.ino;
}

/* statx() of a descriptor with the mount's id. OUTCALL_E_SYSTEM, OUTCALL_E_UNSUPPORTED (before Linux 5.8). */
OC_NODISCARD int oc_statx(int dir_fd, const char *name, struct statx *ret);
struct oc_id oc_statx_id(const struct statx *st);

/* Looks an open descriptor up; its path is opened again and must give the same object on the same mount.
 * *ret: new, oc_place_done. OUTCALL_E_BUSY: it does not (moved, deleted, covered by a mount, from another
 * namespace); _SYSTEM, _UNSUPPORTED, _NO_MEMORY. */
OC_NODISCARD int oc_place_look(int fd, struct oc_place *ret);
/* Fills fs, fs_path, fstype. The mountinfo must have been read after the place was looked at.
 * OUTCALL_E_BUSY: its mount is not there; _NO_MEMORY. */
OC_NODISCARD int oc_place_settle(struct oc_place *p, const struct oc_mountinfo *mounts);
void oc_place_done(struct oc_place *p);

/* Is b the same as a or below it, within one file system? Both settled. */
bool oc_place_contains(const struct oc_place *a, const struct oc_place *b);

/* The path a mount shows of its file system: root, and what of path lies below the mount point. new,
 * free(); NULL: out of memory. */
OC_NODISCARD char *oc_fs_path(const struct oc_mount_entry *m, const char *path);

#endif
