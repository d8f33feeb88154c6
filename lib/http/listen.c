#include "base/fd.h"
#include "base/rand.h"
#include "base/str.h"
#include "core/error.h"
#include "http/server.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The descriptor's own name in /proc keeps the address short however long the directory's path is. */
static int bind_in(int fd, int dir_fd, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (oc_format(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir_fd, name) < 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
}

/* Nobody can connect before listen(), so the order of owner and mode leaves no gap. */
static int publish(int fd, int dir_fd, const char *temp, const char *name, mode_t mode, gid_t group,
                   int backlog)
{
    if (group != (gid_t)-1 && fchownat(dir_fd, temp, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (fchmodat(dir_fd, temp, mode, 0) < 0 || listen(fd, backlog) < 0)
        return -1;
    return renameat(dir_fd, temp, dir_fd, name);
}

int oc_http_listen_at(int dir_fd, const char *name, mode_t mode, gid_t group, int backlog, int *ret_fd,
                      outcall_error *err)
{
    char hex[17];
    char temp[32];
    if (oc_random_hex(hex, sizeof(hex)) < 0)
        return oc_fail_errno(err, "socket %s", name);
    (void)oc_format(temp, sizeof(temp), ".sock.%s", hex);
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || fchmod(fd, 0) < 0 || bind_in(fd, dir_fd, temp) < 0)
        return oc_fail_errno(err, "socket %s", name);
    if (publish(fd, dir_fd, temp, name, mode, group, backlog) < 0) {
        int r = oc_fail_errno(err, "socket %s", name);
        (void)unlinkat(dir_fd, temp, 0);
        return r;
    }
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

int oc_http_listen_unix(const char *path, mode_t mode, gid_t group, int backlog, int *ret_fd,
                        outcall_error *err)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (oc_copy(parent, sizeof(parent), slash ? (len ? path : "/") : ".", slash && len ? len : 1) < 0)
        return oc_fail(err, OUTCALL_E_LIMIT, "socket path: longer than %d bytes", PATH_MAX - 1);
    OC_CLOSE int dir_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return oc_fail_errno(err, "socket %s", path);
    int r = oc_http_listen_at(dir_fd, slash ? slash + 1 : path, mode, group, backlog, ret_fd, err);
    if (r < 0)
        oc_error_at(err, path, 0, 0);
    return r;
}
