#include "notify.h"
#include "opt.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

int notify(const char *socket_path, const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!socket_path || !socket_path[0])
        return 0;
    size_t len = strlen(socket_path);
    if (len >= sizeof(address.sun_path) || (socket_path[0] != '/' && socket_path[0] != '@')) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, socket_path, len);
    if (socket_path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

static int option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int notify_listen_fd(const char *pid, const char *fds, const char **ret_why)
{
    uint64_t n = 0, whose = 0;
    if (!pid || !fds || opt_parse_u64(pid, 1, INT32_MAX, &whose) < 0 || (pid_t)whose != getpid())
        return -1; /* meant for another process */
    *ret_why = "LISTEN_FDS is not a number";
    if (opt_parse_u64(fds, 0, INT32_MAX, &n) < 0)
        return -2;
    if (n == 0)
        return -1;
    *ret_why = "more than one socket was handed in";
    if (n > 1)
        return -2;
    *ret_why = "what was handed in is no listening unix stream socket";
    if (option(FIRST_FD, SO_DOMAIN) != AF_UNIX || option(FIRST_FD, SO_TYPE) != SOCK_STREAM ||
        option(FIRST_FD, SO_ACCEPTCONN) != 1 || fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0)
        return -2;
    return FIRST_FD;
}
