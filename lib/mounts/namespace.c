#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/mounts.h"
#include <errno.h>

static int stat_namespace(const char *path, struct stat *ret, outcall_error *err)
{
    if (stat(path, ret) == 0)
        return 0;
    if (errno == ENOENT || errno == ESRCH)
        return oc_fail(err, OUTCALL_E_CLOSED, "%s: the process is gone", path);
    return oc_fail_errno(err, "cannot look at %s", path);
}

int outcall_mounts_same_namespace(pid_t pid, outcall_error *err)
{
    char path[64];
    struct stat theirs, own;
    if (pid <= 0)
        return oc_fail(err, OUTCALL_E_CLOSED, "the process lives in another pid namespace");
    (void)oc_format(path, sizeof(path), "/proc/%ld/ns/mnt", (long)pid);
    int r = stat_namespace(path, &theirs, err);
    if (r == 0)
        r = stat_namespace("/proc/thread-self/ns/mnt", &own, err);
    return r < 0 ? r : theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino;
}
