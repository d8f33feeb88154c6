/* A mount namespace for one test: Check runs each test in a process of its own, so mounts made in it vanish
 * with it, and with them all files below /mnt, which is a fresh tmpfs here. */
#ifndef SUPPORT_MOUNTNS_H
#define SUPPORT_MOUNTNS_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static inline void mountns_tmpfs(const char *path)
{
    ck_assert_msg(mount("tmpfs", path, "tmpfs", 0, "mode=755") == 0, "tmpfs on %s: %s", path,
                  strerror(errno));
}

/* false: not possible here, said so; a failure where every test must work. */
static inline bool mountns_enter(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
        const char *must = getenv("OUTCALL_TESTS_MUST_WORK");
        ck_assert_msg(!must || strcmp(must, "1") != 0, "needs root and mount namespaces");
        fprintf(stderr, "SKIPPED: needs root and mount namespaces\n");
        return false;
    }
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    mountns_tmpfs("/mnt");
    return true;
}

static inline void make_dir(const char *path)
{
    ck_assert_msg(mkdir(path, 0755) == 0, "mkdir %s: %s", path, strerror(errno));
}

static inline void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ck_assert_msg(fd >= 0, "open %s: %s", path, strerror(errno));
    ck_assert_int_eq(close(fd), 0);
}

/* Stays bound until the test's process ends. */
static inline void make_socket(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "bind %s: %s", path, strerror(errno));
    ck_assert_int_eq(listen(fd, 1), 0);
}

static inline void make_bind(const char *from, const char *to)
{
    ck_assert_msg(mount(from, to, NULL, MS_BIND, NULL) == 0, "bind %s on %s: %s", from, to, strerror(errno));
}

static inline void make_read_only(const char *path)
{
    ck_assert_int_eq(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
}

static inline void make_link(const char *target, const char *path)
{
    ck_assert_int_eq(symlink(target, path), 0);
}

static inline int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
#endif
