#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "identity/proc.h"
#include "outcall/identity.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
    #define SO_PEERPIDFD 77 /* include/uapi/asm-generic/socket.h since Linux 6.5 */
#endif

/* Linux before 6.5 knows no SO_PEERPIDFD. -1 with errno. */
static int open_pidfd(int unix_fd, pid_t pid)
{
    int pidfd = -1;
    socklen_t len = sizeof(pidfd);
    if (getsockopt(unix_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
        return pidfd;
    if (errno != ENOPROTOOPT)
        return -1;
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

/* A pidfd becomes readable when its process has ended. */
static bool is_alive(const outcall_peer *p)
{
    struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};
    int n = p->pidfd < 0 ? -1 : poll(&fd, 1, 0);
    return n == 0;
}

static int gone(const outcall_peer *p, outcall_error *err)
{
    return oc_fail(err, OUTCALL_E_DENIED, "the peer (process %lld) has ended", (long long)p->pid);
}

int outcall_peer_from_fd(int unix_fd, outcall_peer *ret, outcall_error *err)
{
    struct ucred c = {0};
    socklen_t len = sizeof(c);
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "peer: no place for the result");
    if (getsockopt(unix_fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
        return oc_fail_errno(err, "peer");
    if (c.pid <= 0) /* also what a socket says that is no unix socket, or not connected */
        return oc_fail(err, OUTCALL_E_DENIED, "the peer lives outside this process's pid namespace");
    outcall_peer p = {.pidfd = open_pidfd(unix_fd, c.pid), .pid = c.pid, .uid = c.uid, .gid = c.gid};
    if (p.pidfd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENODATA))
        return gone(&p, err);
    if (p.pidfd < 0 && errno == ENOSYS)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "peer: this kernel has no pidfds");
    if (p.pidfd < 0)
        return oc_fail_errno(err, "peer");
    if (!is_alive(&p)) {
        oc_close(p.pidfd);
        return gone(&p, err);
    }
    *ret = p;
    return 0;
}

void outcall_peer_done(outcall_peer *p)
{
    if (!p)
        return;
    oc_close(p->pidfd);
    *p = (outcall_peer)OUTCALL_PEER_INIT;
}

static int check_cgroup(const outcall_peer *p, const char *cgroup, const char *path, outcall_error *err)
{
    OC_FREE char *text = NULL;
    size_t len = 0;
    struct oc_cgroup_line l;
    int r = oc_cgroup_read(p->pid, &text, &len);
    if (r == OUTCALL_E_NOT_FOUND)
        return gone(p, err);
    if (r < 0)
        return oc_fail_code(err, r, "cgroup of process %lld", (long long)p->pid);
    if (!oc_cgroup_find(text, len, cgroup, (size_t)(path - cgroup) - 1, &l) ||
        !oc_cgroup_below(path, strlen(path), l.path, l.path_len))
        return oc_fail(err, OUTCALL_E_DENIED, "the peer (process %lld) is in another cgroup",
                       (long long)p->pid);
    return 0;
}

int outcall_peer_in_cgroup(const outcall_peer *p, const char *cgroup, outcall_error *err)
{
    const char *colon = cgroup ? strchr(cgroup, ':') : NULL;
    if (!p || p->pid <= 0 || !colon || strlen(cgroup) >= OUTCALL_CGROUP_MAX ||
        !oc_cgroup_below(colon + 1, strlen(colon + 1), colon + 1, strlen(colon + 1)))
        return oc_fail(err, OUTCALL_E_INVALID, "cgroup: expected \"CONTROLLERS:/PATH\", not the root");
    int r = check_cgroup(p, cgroup, colon + 1, err);
    if (r == 0 && !is_alive(p)) /* else /proc may have spoken of another process with its number */
        return gone(p, err);
    return r;
}

int oc_proc_same(pid_t pid, const char *what)
{
    char theirs[64];
    char ours[64];
    struct stat a;
    struct stat b;
    (void)oc_format(theirs, sizeof(theirs), "/proc/%lld/%s", (long long)pid, what);
    (void)oc_format(ours, sizeof(ours), "/proc/self/%s", what);
    if (stat(theirs, &a) < 0 || stat(ours, &b) < 0)
        return OUTCALL_E_SYSTEM;
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int outcall_peer_is_contained(const outcall_peer *p, outcall_error *err)
{
    if (!p)
        return oc_fail(err, OUTCALL_E_INVALID, "peer: none given");
    if (p->pid <= 0)
        return oc_fail(err, OUTCALL_E_DENIED, "the peer lives outside this process's pid namespace");
    int pids = oc_proc_same(p->pid, "ns/pid");
    int mounts = pids == 1 ? oc_proc_same(p->pid, "ns/mnt") : 1;
    int root = mounts == 0 ? oc_proc_same(p->pid, "root") : 1;
    int saved = errno;
    if (!is_alive(p)) {
        (void)gone(p, err);
    } else if (pids < 0 || mounts < 0 || root < 0) {
        errno = saved;
        (void)oc_fail_errno(err, "namespaces of the peer (process %lld)", (long long)p->pid);
    } else {
        return pids == 1 && root == 1 ? 0 : 1;
    }
    return 1;
}
