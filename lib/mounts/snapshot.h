/* mounts/snapshot.h - what the protected names stand for at this moment. */
#ifndef MOUNTS_SNAPSHOT_H
#define MOUNTS_SNAPSHOT_H
#include "base/str.h"
#include "mounts/place.h"

enum oc_mark_role {
    OC_MARK_OBJECT, /* protected, and everything below it */
    OC_MARK_PASSED, /* a directory on the way to one: who has it can reach or replace what is protected */
    OC_MARK_INSIDE  /* a file system mounted below a protected directory: only its place is known */
};

struct oc_mark {
    const char *name; /* the protected path; borrowed from the list of names */
    enum oc_mark_role role;
    bool ours; /* one of the added paths */
    struct oc_place place;
};

struct oc_snapshot {
    struct oc_mark *v;
    size_t n, cap;
    struct oc_mountinfo mounts;
};
#define OC_SNAPSHOT_INIT              \
    {                                 \
        NULL, 0, 0, OC_MOUNTINFO_INIT \
    }

/* Looks up names[0..n), of which the first ours_n were added to the built-in ones. Also right for names
 * that do not exist: the way to where they would be made is marked. *ret: new, oc_snapshot_done; borrows
 * the names. On failure *ret_name is the name at fault or NULL. OUTCALL_E_BUSY: things moved meanwhile, try
 * again; _SYSTEM, _UNSUPPORTED, _PROTOCOL, _LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_snapshot_take(const struct oc_strings *names, size_t ours_n, struct oc_snapshot *ret,
                                  const char **ret_name);
void oc_snapshot_done(struct oc_snapshot *s);

#endif
