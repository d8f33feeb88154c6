/* mounts/stage.h - a stage as its own files see it: a directory of mount points named 0, 1, ... */
#ifndef MOUNTS_STAGE_H
#define MOUNTS_STAGE_H
#include "base/base.h"
#include "outcall/mounts.h"

struct outcall_stage {
    int parent_fd; /* stage_dir */
    int dir_fd;    /* stage_dir/name */
    char *name;
    char *path;    /* stage_dir/name */
    unsigned next; /* number of the next mount point */
    char *paths[OUTCALL_MOUNTS_MAX];
};

/* A directory only root (or this user) can enter or change. OUTCALL_E_DENIED, _SYSTEM. */
OC_NODISCARD int oc_stage_open_parent(const char *stage_dir, bool create, int *ret_fd, outcall_error *err);
bool oc_stage_name_is_valid(const char *name);
/* The number a mount point is named by. */
bool oc_stage_number(const char *name, unsigned *ret);
/* Unmounts whatever is mounted at the mount point, and deletes it. Already gone is fine. OUTCALL_E_SYSTEM. */
OC_NODISCARD int oc_stage_remove_point(int dir_fd, const char *name);

#endif
