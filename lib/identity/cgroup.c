#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "identity/proc.h"
#include "outcall/identity.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

bool oc_cgroup_next(const char *text, size_t len, size_t *at, struct oc_cgroup_line *ret)
{
    while (*at < len) {
        const char *line = text + *at;
        const char *lf = memchr(line, '\n', len - *at);
        size_t n = lf ? (size_t)(lf - line) : len - *at;
        *at += n + (lf ? 1 : 0);
        const char *first = memchr(line, ':', n);
        if (!first)
            continue;
        const char *second = memchr(first + 1, ':', n - (size_t)(first + 1 - line));
        if (!second)
            continue;
        ret->controllers = first + 1;
        ret->controllers_len = (size_t)(second - first - 1);
        ret->path = second + 1;
        ret->path_len = n - (size_t)(second + 1 - line);
        return true;
    }
    return false;
}

bool oc_cgroup_find(const char *text, size_t len, const char *controllers, size_t controllers_len,
                    struct oc_cgroup_line *ret)
{
    struct oc_cgroup_line l;
    for (size_t at = 0; oc_cgroup_next(text, len, &at, &l);) {
        if (l.controllers_len != controllers_len || memcmp(l.controllers, controllers, controllers_len) != 0)
            continue;
        *ret = l;
        return true;
    }
    return false;
}

/* Below another cgroup namespace's root the kernel writes "/../x": a path that means nothing here. */
static bool is_usable(const char *path, size_t len)
{
    if (len < 2 || path[0] != '/' || path[len - 1] == '/' || memchr(path, '\0', len))
        return false;
    for (size_t i = 0; i + 2 < len; i++)
        if (memcmp(path + i, "/..", 3) == 0 && (i + 3 == len || path[i + 3] == '/'))
            return false;
    return true;
}

bool oc_cgroup_below(const char *a, size_t a_len, const char *path, size_t path_len)
{
    return is_usable(a, a_len) && is_usable(path, path_len) && path_len >= a_len &&
           memcmp(a, path, a_len) == 0 && (path_len == a_len || path[a_len] == '/');
}

static bool sets_apart(const struct oc_cgroup_line *l, const char *own, size_t own_len)
{
    struct oc_cgroup_line mine;
    return is_usable(l->path, l->path_len) &&
           oc_cgroup_find(own, own_len, l->controllers, l->controllers_len, &mine) &&
           !oc_cgroup_below(l->path, l->path_len, mine.path, mine.path_len);
}

int oc_cgroup_choose(const char *text, size_t len, const char *own, size_t own_len, char *ret, size_t size)
{
    struct oc_cgroup_line l;
    bool found = oc_cgroup_find(text, len, "", 0, &l) && sets_apart(&l, own, own_len);
    for (size_t at = 0; !found && oc_cgroup_next(text, len, &at, &l);)
        found = sets_apart(&l, own, own_len);
    if (!found)
        return OUTCALL_E_DENIED;
    return oc_format(ret, size, "%.*s:%.*s", (int)l.controllers_len, l.controllers, (int)l.path_len, l.path);
}

int oc_cgroup_read(pid_t pid, char **ret, size_t *ret_len)
{
    char path[64];
    if (pid == 0)
        (void)oc_format(path, sizeof(path), "/proc/self/cgroup");
    else
        (void)oc_format(path, sizeof(path), "/proc/%lld/cgroup", (long long)pid);
    int r = oc_read_file(AT_FDCWD, path, OC_CGROUP_FILE_MAX, ret, ret_len);
    return r == OUTCALL_E_SYSTEM && (errno == ENOENT || errno == ESRCH) ? OUTCALL_E_NOT_FOUND : r;
}

int outcall_cgroup_of(pid_t pid, char *ret_path, size_t size, outcall_error *err)
{
    OC_FREE char *text = NULL;
    OC_FREE char *own = NULL;
    char chosen[OUTCALL_CGROUP_MAX];
    size_t len = 0;
    size_t own_len = 0;
    if (pid <= 0 || !ret_path)
        return oc_fail(err, OUTCALL_E_INVALID, "cgroup: expected a process id above 0");
    int r = oc_cgroup_read(pid, &text, &len);
    if (r == 0)
        r = oc_cgroup_read(0, &own, &own_len);
    if (r < 0)
        return oc_fail_code(err, r, "cgroup of process %lld", (long long)pid);
    r = oc_cgroup_choose(text, len, own, own_len, chosen, sizeof(chosen));
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, r, "process %lld shares all its cgroups with this process", (long long)pid);
    if (r < 0 || strlen(chosen) >= size)
        return oc_fail(err, OUTCALL_E_LIMIT, "cgroup of process %lld: its name is too long", (long long)pid);
    (void)oc_copy(ret_path, size, chosen, strlen(chosen));
    return 0;
}
