/* containers/names.h - the names this installation has ever managed, bounded, across restarts: what makes
 * "remove" of a container that is gone already a success, and of one that never was an error (S008-EC-008,
 * EC-004). Thread-safe. */
#ifndef CONTAINERS_NAMES_H
#define CONTAINERS_NAMES_H
#include "base/base.h"

#define OC_NAMES_MAX 10000 /* the oldest are forgotten first */

struct oc_names;

/* state_dir NULL: nothing is written. A damaged file is read as far as it makes sense. */
OC_NODISCARD int oc_names_new(struct oc_names **ret, const char *state_dir, outcall_error *err);
struct oc_names *oc_names_free(struct oc_names *n);
/* 0, OUTCALL_E_NO_MEMORY, OUTCALL_E_SYSTEM (it is remembered in memory all the same). */
OC_NODISCARD int oc_names_add(struct oc_names *n, const char *name);
bool oc_names_has(struct oc_names *n, const char *name);

#endif
