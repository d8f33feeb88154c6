/* Peers in namespaces and cgroups of their own; needs root for those, and says so where it is skipped. */
#include "base/fd.h"
#include "base/str.h"
#include "identity/proc.h"
#include "outcall/identity.h"
#include "support/cgroup.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that connects from where `unshare_flags` (and a new root) put it and stays until it is told to end.
 */
struct child {
    pid_t pid;    /* of the process that was forked */
    int listener; /* autobound abstract address */
    int fd;       /* the accepted connection */
    int control;  /* closing it ends the child */
};

static void child_main(int flags, bool new_root, const struct sockaddr_un *addr, socklen_t len, int control)
{
    char c = 0;
    if (flags && unshare(flags) < 0)
        _exit(10);
    pid_t grandchild = flags & CLONE_NEWPID ? fork() : 0; /* only children enter a new pid namespace */
    if (grandchild > 0) {
        (void)waitpid(grandchild, NULL, 0);
        _exit(0);
    }
    if (new_root && (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                     mount("none", "/mnt", "tmpfs", 0, NULL) < 0 || chroot("/mnt") < 0))
        _exit(11);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)addr, len) < 0)
        _exit(12);
    _exit(read(control, &c, 1) < 0);
}

static struct child start(int flags, bool new_root)
{
    struct child c = {.fd = -1};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(addr);
    int control[2];
    c.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(c.listener, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(c.listener, (struct sockaddr *)&addr, &len), 0);
    ck_assert_int_eq(listen(c.listener, 1), 0);
    ck_assert_int_eq(pipe2(control, O_CLOEXEC), 0);
    c.pid = fork();
    ck_assert_int_ge(c.pid, 0);
    if (c.pid == 0) {
        oc_close(control[1]);
        child_main(flags, new_root, &addr, len, control[0]);
    }
    oc_close(control[0]);
    c.control = control[1];
    struct pollfd p = {.fd = c.listener, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    c.fd = accept4(c.listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(c.fd, 0);
    return c;
}

static void stop(struct child *c)
{
    oc_close(oc_take_fd(&c->control));
    ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
    oc_close(c->listener);
    oc_close(c->fd);
}

START_TEST(own_process)
{
    int sv[2];
    outcall_peer p = OUTCALL_PEER_INIT;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    ck_assert_int_eq(outcall_peer_from_fd(sv[0], &p, NULL), 0);
    ck_assert_int_eq(p.pid, getpid());
    ck_assert_uint_eq(p.uid, geteuid());
    ck_assert_uint_eq(p.gid, getegid());
    ck_assert_int_ge(p.pidfd, 0);
    ck_assert_int_ne(fcntl(p.pidfd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(outcall_peer_is_contained(&p, NULL), 0);
    outcall_peer_done(&p);
    ck_assert_int_eq(p.pidfd, -1);
    outcall_peer_done(&p);
    outcall_peer_done(NULL);
    oc_close(sv[0]);
    oc_close(sv[1]);
}
END_TEST

START_TEST(not_a_peer)
{
    outcall_peer p = OUTCALL_PEER_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_CLOSE int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    OC_CLOSE int lonely = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(outcall_peer_from_fd(-1, &p, NULL), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(outcall_peer_from_fd(file, &p, &err), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(err.sys_errno, ENOTSOCK);
    ck_assert_int_eq(outcall_peer_from_fd(lonely, &p, NULL), OUTCALL_E_DENIED); /* pid 0 */
    ck_assert_int_eq(outcall_peer_from_fd(lonely, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(p.pidfd, -1);
    ck_assert_int_eq(outcall_peer_is_contained(&p, NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(outcall_peer_is_contained(NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

static int contained(int flags, bool new_root)
{
    outcall_peer p = OUTCALL_PEER_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    struct child c = start(flags, new_root);
    ck_assert_int_eq(outcall_peer_from_fd(c.fd, &p, NULL), 0);
    int r = outcall_peer_is_contained(&p, &err);
    ck_assert_msg(err.code == 0, "%s", err.text); /* it could be told */
    outcall_peer_done(&p);
    stop(&c);
    return r;
}

START_TEST(containment)
{
    ck_assert_int_eq(contained(0, false), 0);
    if (!cgroup_privileged())
        return;
    ck_assert_int_eq(contained(CLONE_NEWPID, false), 1);
    ck_assert_int_eq(contained(CLONE_NEWNS, true), 1);
    ck_assert_int_eq(contained(CLONE_NEWPID | CLONE_NEWNS, true), 1);
    ck_assert_int_eq(contained(CLONE_NEWNS, false),
                     0); /* what a systemd service with PrivateTmp= looks like */
}
END_TEST

/* T21, T23: nothing is believed about a process that has ended. */
START_TEST(gone)
{
    outcall_peer p = OUTCALL_PEER_INIT;
    outcall_peer late = OUTCALL_PEER_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    struct child c = start(0, false);
    ck_assert_int_eq(outcall_peer_from_fd(c.fd, &p, NULL), 0);
    oc_close(oc_take_fd(&c.control));
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT),
                     0); /* a zombie: /proc still has it */
    ck_assert_int_eq(outcall_peer_is_contained(&p, &err), 1);
    ck_assert_int_eq(err.code, OUTCALL_E_DENIED);
    ck_assert_int_eq(outcall_peer_from_fd(c.fd, &late, NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, ":/some/where", NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(waitpid(c.pid, NULL, 0), c.pid);
    ck_assert_int_eq(outcall_peer_is_contained(&p, NULL), 1);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, ":/some/where", NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(outcall_peer_from_fd(c.fd, &late, NULL), OUTCALL_E_DENIED);
    outcall_peer_done(&p);
    oc_close(c.listener);
    oc_close(c.fd);
}
END_TEST

START_TEST(cgroups)
{
    char dir[128], below[160], beside[128], name[64], path[OUTCALL_CGROUP_MAX], sibling[OUTCALL_CGROUP_MAX];
    outcall_peer p = OUTCALL_PEER_INIT;
    if (!cgroup_privileged())
        return;
    (void)oc_format(name, sizeof(name), "outcall-test-%lld", (long long)getpid());
    if (!cgroup_make(name, dir, sizeof(dir)))
        return;
    struct child c = start(0, false);
    ck_assert_int_eq(outcall_cgroup_of(c.pid, path, sizeof(path), NULL), OUTCALL_E_DENIED); /* shares ours */
    cgroup_move(dir, c.pid);
    ck_assert_int_eq(outcall_cgroup_of(c.pid, path, sizeof(path), NULL), 0);
    ck_assert_ptr_nonnull(strstr(path, name));
    ck_assert_int_eq(outcall_cgroup_of(c.pid, path, 5, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_peer_from_fd(c.fd, &p, NULL), 0);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, path, NULL), 0);

    (void)oc_format(sibling, sizeof(sibling), "%.*s", (int)strlen(path) - 1,
                    path); /* a prefix, not a parent */
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, sibling, NULL), OUTCALL_E_DENIED);
    (void)oc_format(sibling, sizeof(sibling), "%s/below", path);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, sibling, NULL), OUTCALL_E_DENIED);
    (void)oc_format(below, sizeof(below), "%s/below", dir);
    ck_assert_int_eq(mkdir(below, 0755), 0);
    cgroup_move(below, c.pid);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, path, NULL), 0); /* below counts */

    /* T22: the same name in another place is another cgroup. */
    (void)oc_format(beside, sizeof(beside), "%s-x", dir);
    ck_assert_int_eq(mkdir(beside, 0755), 0);
    cgroup_move(beside, c.pid);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, path, NULL), OUTCALL_E_DENIED);
    /* A process that has ended is nowhere, though /proc still shows where it was. */
    cgroup_move(dir, c.pid);
    oc_close(oc_take_fd(&c.control));
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, path, NULL), OUTCALL_E_DENIED);
    outcall_peer_done(&p);
    stop(&c);
    cgroup_remove(below);
    cgroup_remove(beside);
    cgroup_remove(dir);
    ck_assert_int_eq(outcall_cgroup_of(c.pid, path, sizeof(path), NULL), OUTCALL_E_NOT_FOUND);
}
END_TEST

START_TEST(cgroup_arguments)
{
    static const char *const bad[] = {
        "", "/x", ":x", ":/", "pids:", ":/a/../b", ":/..", "pids:/a/", "::/x", NULL};
    outcall_peer p = {.pidfd = -1, .pid = getpid()};
    char path[OUTCALL_CGROUP_MAX];
    for (size_t i = 0; bad[i]; i++)
        ck_assert_msg(outcall_peer_in_cgroup(&p, bad[i], NULL) == OUTCALL_E_INVALID, "%s", bad[i]);
    ck_assert_int_eq(outcall_peer_in_cgroup(&p, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_peer_in_cgroup(NULL, ":/x", NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_cgroup_of(0, path, sizeof(path), NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_cgroup_of(getpid(), NULL, 0, NULL), OUTCALL_E_INVALID);
}
END_TEST

/* T23: a peer that has no number in our pid namespace, as a daemon in a container of its own would see it. */
START_TEST(pid_zero)
{
    int sv[2];
    int status = 0;
    if (!cgroup_privileged())
        return;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv),
                     0); /* the peer is this process */
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(10);
        pid_t inner = fork();
        if (inner == 0) {
            outcall_peer p = OUTCALL_PEER_INIT;
            _exit(outcall_peer_from_fd(sv[0], &p, NULL) == OUTCALL_E_DENIED ? 0 : 11);
        }
        (void)waitpid(inner, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 12);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    oc_close(sv[0]);
    oc_close(sv[1]);
}
END_TEST

static void choose(const char *text, const char *own, int code, const char *expected)
{
    char ret[64] = "";
    ck_assert_int_eq(oc_cgroup_choose(text, strlen(text), own, strlen(own), ret, sizeof(ret)), code);
    if (expected)
        ck_assert_str_eq(ret, expected);
}

START_TEST(choosing)
{
    choose("0::/docker/a\n", "0::/init.scope\n", 0, ":/docker/a");
    choose("0::/docker/a", "0::/", 0, ":/docker/a");
    choose("2:pids:/docker/a\n0::/\n", "2:pids:/\n0::/\n", 0, "pids:/docker/a"); /* hybrid, v1 in use */
    choose("3:cpu,cpuacct:/d/a\n0::/d/a\n", "3:cpu,cpuacct:/\n0::/\n", 0, ":/d/a");
    choose("4:memory:/box\n2:pids:/docker/a\n", "4:memory:/box\n2:pids:/\n", 0, "pids:/docker/a");
    choose("4:memory:/box\n", "4:memory:/box/daemon\n", OUTCALL_E_DENIED,
           NULL); /* we are below it ourselves */
    choose("0::/\n", "0::/\n", OUTCALL_E_DENIED, NULL);
    choose("0::/../x\n", "0::/\n", OUTCALL_E_DENIED, NULL);
    choose("2:pids:/docker/a\n", "0::/\n", OUTCALL_E_DENIED, NULL);
    choose("", "", OUTCALL_E_DENIED, NULL);
    choose("nonsense\n0:/x\n", "0::/\n", OUTCALL_E_DENIED, NULL);
    choose("0::/docker/0123456789012345678901234567890123456789012345678901234567890123\n", "0::/\n",
           OUTCALL_E_LIMIT, NULL);
}
END_TEST

static int try_cgroup(void *userdata)
{
    char path[OUTCALL_CGROUP_MAX];
    int r = outcall_cgroup_of(*(pid_t *)userdata, path, sizeof(path), NULL);
    return r == OUTCALL_E_DENIED ? 0 : r; /* the child shares our cgroups: all was read */
}

START_TEST(out_of_memory)
{
    struct child c = start(0, false);
    ck_assert_int_gt(failmalloc_loop(try_cgroup, &c.pid), 2);
    stop(&c);
}
END_TEST

UNIT_MAIN("identity", own_process, not_a_peer, containment, gone, pid_zero, cgroups, cgroup_arguments,
          choosing, out_of_memory)
