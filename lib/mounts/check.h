/* mounts/check.h - holds one opened source against a snapshot of what is protected. */
#ifndef MOUNTS_CHECK_H
#define MOUNTS_CHECK_H
#include "mounts/snapshot.h"
#include <limits.h>

struct oc_check {
    const struct oc_strings *names;
    size_t ours_n;
    size_t max_walk_n;
    unsigned max_walk_depth;
};

enum oc_finding {
    OC_ALLOWED,
    OC_LISTED,   /* is protected, or lies below something that is */
    OC_EXPOSES,  /* something protected could be reached through it: path */
    OC_TOO_MANY, /* the walk's limits; path: where, "" = the source itself */
    OC_TOO_DEEP,
    OC_UNRESOLVED /* code and error say why */
};

struct oc_verdict {
    enum oc_finding finding;
    int code,
        error; /* for OC_UNRESOLVED: the code of the call that failed, errno if it is OUTCALL_E_SYSTEM */
    char path[PATH_MAX];
};

/* Looks at the object behind pin_fd, whatever it was called. Never fails: what cannot be found out is a
 * finding. */
void oc_check_source(const struct oc_check *c, int pin_fd, struct oc_verdict *ret);

#endif
