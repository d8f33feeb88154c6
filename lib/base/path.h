/* base/path.h - absolute paths as text, and directories that must be safe. */
#ifndef BASE_PATH_H
#define BASE_PATH_H
#include "base/base.h"
#include <sys/stat.h>

/* Absolute, shorter than PATH_MAX, no empty, "." or ".." component, no trailing slash but for "/" itself. */
bool oc_path_is_clean(const char *path);
/* Is a the same as b, or above it? Both clean. */
bool oc_path_contains(const char *a, const char *b);

/* Why others than root and this process's user can change what this is of: static words; NULL: nobody can. */
const char *oc_unsafe_owner(const struct stat *st);

/* Opens a directory that nobody but root and this process's user can change: not a symlink, owned by one of
 * them, not writable for group or others. With create, a missing last component is made (mode). *ret_fd: new.
 * OUTCALL_E_SYSTEM (errno), OUTCALL_E_DENIED (*ret_why: static words, e.g. "is a symlink"). */
OC_NODISCARD int oc_open_safe_dir(const char *path, bool create, mode_t mode, int *ret_fd,
                                  const char **ret_why);

/* Makes every missing parent of path (0755). OUTCALL_E_SYSTEM. */
OC_NODISCARD int oc_make_parents(const char *path);

#endif
