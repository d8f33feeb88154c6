/* mounts/target.h - which paths of a container may be mounted over. */
#ifndef MOUNTS_TARGET_H
#define MOUNTS_TARGET_H
#include "base/base.h"

/* NULL when a caller may mount at this clean path, else the path of ours that it would hide or enter
 * (static). */
const char *oc_target_conflict(const char *target);

#endif
