/* identity/proc.h - what /proc says of a process; its cgroup file one line at a time, as a text, so that
 * tests and fuzzers need no process. */
#ifndef IDENTITY_PROC_H
#define IDENTITY_PROC_H
#include "base/base.h"

#define OC_CGROUP_FILE_MAX ((size_t)64 * 1024) /* bytes of /proc/<pid>/cgroup */

struct oc_cgroup_line { /* "ID:CONTROLLERS:PATH"; borrowed from the text, not NUL-terminated */
    const char *controllers;
    size_t controllers_len; /* 0 = cgroup v2 */
    const char *path;
    size_t path_len;
};

/* The line at *at, which moves behind it. False at the end; a line of another shape is passed over. */
bool oc_cgroup_next(const char *text, size_t len, size_t *at, struct oc_cgroup_line *ret);
/* The line of these controllers. */
bool oc_cgroup_find(const char *text, size_t len, const char *controllers, size_t controllers_len,
                    struct oc_cgroup_line *ret);
/* Is path a itself or below it? Absolute, without "..", a not the root. */
bool oc_cgroup_below(const char *a, size_t a_len, const char *path, size_t path_len);
/* The cgroup of `text` that keeps its process apart from the one of `own`; see outcall_cgroup_of. */
OC_NODISCARD int oc_cgroup_choose(const char *text, size_t len, const char *own, size_t own_len, char *ret,
                                  size_t size);
/* /proc/<pid>/cgroup; pid 0 = this process. *ret: new. OUTCALL_E_NOT_FOUND, _SYSTEM, _LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_cgroup_read(pid_t pid, char **ret, size_t *ret_len);

/* Is /proc/<pid>/<what>, "ns/pid" for example, the same object as this process's? 1, 0, or OUTCALL_E_SYSTEM
 * (errno). */
OC_NODISCARD int oc_proc_same(pid_t pid, const char *what);

#endif
