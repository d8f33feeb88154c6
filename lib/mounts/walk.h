/* mounts/walk.h - looks at everything below a directory, within bounds, without following a symlink and
 * without entering another mount. */
#ifndef MOUNTS_WALK_H
#define MOUNTS_WALK_H
#include "mounts/place.h"

/* rel: path below the start, borrowed for the call. Non-zero ends the walk and is what it returns. */
typedef int (*oc_walk_fn)(void *userdata, const char *rel, const struct statx *st);

struct oc_walk {
    size_t max_n;       /* entries */
    unsigned max_depth; /* levels, at most OUTCALL_DENYLIST_WALK_DEPTH_MAX */
    oc_walk_fn fn;
    void *userdata;
};

enum oc_walk_limit { OC_WALK_ENTRIES, OC_WALK_DEPTH };

/* fd: a directory, O_PATH will do. An entry that vanishes meanwhile is passed over, one that turns into
 * something else is OUTCALL_E_BUSY. OUTCALL_E_LIMIT (*ret_limit says which), _SYSTEM, _UNSUPPORTED. */
OC_NODISCARD int oc_walk(int fd, const struct oc_walk *w, enum oc_walk_limit *ret_limit);

#endif
