#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "child.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX                                                                              \
    ((size_t)1024 * 1024) /* bytes of the kernel's list: more children than there are numbers \
                           */
#define STAT_MAX ((size_t)4096)

static int add(pid_t **pids, size_t *n, uint64_t pid)
{
    if ((*n & (*n - 1)) == 0) { /* full at every power of two */
        pid_t *more = reallocarray(*pids, *n ? *n * 2 : 1, sizeof(**pids));
        if (!more)
            return OUTCALL_E_NO_MEMORY;
        *pids = more;
    }
    (*pids)[(*n)++] = (pid_t)pid;
    return 0;
}

/* "12 345 6 ": proc(5), /proc/pid/task/tid/children. Only the main thread has children. */
int child_list(pid_t **ret, size_t *ret_n)
{
    OC_FREE char *text = NULL;
    OC_FREE pid_t *pids = NULL;
    char path[64];
    size_t len = 0, n = 0;
    (void)oc_format(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    int r = oc_read_file(AT_FDCWD, path, LIST_MAX, &text, &len);
    for (char *p = text, *end = NULL; r == 0 && *p; p = end + 1) {
        uint64_t pid = 0;
        end = strchrnul(p, ' ');
        r = oc_parse_u64(p, (size_t)(end - p), 1, INT_MAX, &pid);
        if (r == 0)
            r = add(&pids, &n, pid);
        if (*end == '\0')
            break;
    }
    if (r < 0)
        return r;
    *ret = oc_take_ptr(&pids);
    *ret_n = n;
    return 0;
}

/* The fourth field of /proc/pid/stat; the second, a name in parentheses, may hold anything. 0: unknown. */
static uint64_t parent_of(int proc, const char *pid)
{
    OC_FREE char *text = NULL;
    char path[64];
    size_t len = 0;
    uint64_t parent = 0;
    if (oc_format(path, sizeof(path), "%s/stat", pid) < 0 ||
        oc_read_file(proc, path, STAT_MAX, &text, &len) < 0)
        return 0;
    const char *p = strrchr(text, ')');
    if (!p || strlen(p) < sizeof(") S ") || oc_parse_u64(p + 4, strcspn(p + 4, " "), 1, INT_MAX, &parent) < 0)
        return 0;
    return parent;
}

static void close_dir(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

int child_list_all(pid_t **ret, size_t *ret_n)
{
    OC_CLEANUP(close_dir) DIR *dir = opendir("/proc");
    OC_FREE pid_t *pids = NULL;
    size_t n = 0;
    uint64_t pid = 0;
    if (!dir)
        return OUTCALL_E_SYSTEM;
    for (const struct dirent *e; (e = readdir(dir));)
        if (oc_parse_u64(e->d_name, strlen(e->d_name), 1, INT_MAX, &pid) == 0 &&
            parent_of(dirfd(dir), e->d_name) == (uint64_t)getpid() && add(&pids, &n, pid) < 0)
            return OUTCALL_E_NO_MEMORY;
    *ret = oc_take_ptr(&pids);
    *ret_n = n;
    return 0;
}
