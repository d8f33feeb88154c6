/* mounts/protected.h - the built-in names of what no container may see. */
#ifndef MOUNTS_PROTECTED_H
#define MOUNTS_PROTECTED_H
#include "base/base.h"

extern const char *const oc_protected_paths[];
extern const size_t oc_protected_paths_n;

/* File systems that are windows into the kernel, wherever they are mounted. */
bool oc_protected_fstype(const char *fstype);

#endif
