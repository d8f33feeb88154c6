/* tests/support/cgroup.h - cgroups of a test's own, in whatever hierarchy the machine has. Needs root. */
#ifndef SUPPORT_CGROUP_H
#define SUPPORT_CGROUP_H
#include "base/fd.h"
#include "base/str.h"
#include "unit/unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static inline bool cgroup_privileged(void)
{
    if (geteuid() == 0)
        return true;
    (void)fprintf(stderr, "skipped: needs root for namespaces and cgroups\n");
    ck_assert_ptr_null(getenv("OUTCALL_TESTS_MUST_WORK"));
    return false;
}

/* False where none can be made. */
static inline bool cgroup_make(const char *name, char *ret_dir, size_t size)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids",
                                         "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(mounts); i++) {
        char procs[256];
        (void)oc_format(procs, sizeof(procs), "%s/cgroup.procs", mounts[i]);
        (void)oc_format(ret_dir, size, "%s/%s", mounts[i], name);
        if (access(procs, W_OK) == 0 && mkdir(ret_dir, 0755) == 0)
            return true;
    }
    (void)fprintf(stderr, "skipped: no cgroup can be made here\n");
    ck_assert_ptr_null(getenv("OUTCALL_TESTS_MUST_WORK"));
    return false;
}

static inline void cgroup_move(const char *dir, pid_t pid)
{
    char path[256], number[32];
    (void)oc_format(path, sizeof(path), "%s/cgroup.procs", dir);
    (void)oc_format(number, sizeof(number), "%lld", (long long)pid);
    OC_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(oc_write_all(fd, number, strlen(number)), 0);
}

/* A thread that was joined may still be on its way out of it. */
static inline void cgroup_remove(const char *dir)
{
    int r = rmdir(dir);
    for (int i = 0; i < 5000 && r < 0 && errno == EBUSY; i++) {
        (void)poll(NULL, 0, 1);
        r = rmdir(dir);
    }
    ck_assert_msg(r == 0, "%s: %s", dir, strerror(errno));
}

#endif
