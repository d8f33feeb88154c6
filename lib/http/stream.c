/* Streams bypass libmicrohttpd: a handler of a threaded server owns its connection's thread, so it writes the
 * answer to the socket itself and the connection ends with it. Handing the data to a content reader instead
 * would need a second thread and a queue for every stream. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/call.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static bool add_to(int epoll_fd, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

int oc_http_call_hangup_fd(const oc_http_call *call)
{
    oc_http_call *c = (oc_http_call *)call;
    if (!c->server->o.threaded)
        return -1;
    if (c->hangup_fd < 0) {
        /* No event is asked for: EPOLLHUP comes unasked, and a peer that only ended its sending is still
         * there. */
        int fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd >= 0 && (!add_to(fd, c->conn->fd, 0) || !add_to(fd, c->server->stop_fd, EPOLLIN))) {
            oc_close(fd);
            fd = -1;
        }
        c->hangup_fd = fd;
    }
    return c->hangup_fd >= 0 ? c->hangup_fd : c->server->broken_fd;
}

/* Until the socket takes bytes; OUTCALL_E_CLOSED when the peer is gone or the server stops. */
static int wait_writable(const oc_http_call *c)
{
    struct pollfd p[2] = {{.fd = c->conn->fd, .events = POLLOUT},
                          {.fd = c->server->stop_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(p, 2, -1);
        if (n < 0 && errno != EINTR)
            return OUTCALL_E_SYSTEM;
        if (n > 0)
            return p[1].revents || (p[0].revents & (POLLHUP | POLLERR)) ? OUTCALL_E_CLOSED : 0;
    }
}

static int send_bytes(const oc_http_call *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->conn->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        int r = errno == EAGAIN                         ? wait_writable(c)
                : errno == EPIPE || errno == ECONNRESET ? OUTCALL_E_CLOSED
                                                        : OUTCALL_E_SYSTEM;
        if (r < 0)
            return r;
    }
    return 0;
}

static int send_or_fail(oc_http_call *c, const void *data, size_t len)
{
    int r = c->stream_failed ? OUTCALL_E_CLOSED : send_bytes(c, data, len);
    c->stream_failed |= r < 0;
    return r;
}

int oc_http_stream_begin(oc_http_call *c, int status, const char *content_type)
{
    char head[512];
    if (!c->server->o.threaded || c->answered || c->streaming || status < 200 || status > 599 ||
        oc_has_control(content_type, strlen(content_type)) ||
        oc_format(head, sizeof(head), "HTTP/1.1 %d OK\r\nContent-Type: %s\r\n%sConnection: close\r\n\r\n",
                  status, content_type, c->http10 ? "" : "Transfer-Encoding: chunked\r\n") < 0)
        return OUTCALL_E_INVALID;
    c->streaming = true;
    return send_or_fail(c, head, strlen(head));
}

int oc_http_stream_write(oc_http_call *c, const void *data, size_t len)
{
    char size[24];
    struct pollfd stopped = {.fd = c->server->stop_fd, .events = POLLIN};
    if (!c->streaming)
        return OUTCALL_E_INVALID;
    if (poll(&stopped, 1, 0) != 0) /* a fast reader would keep a stopping server busy for ever */
        c->stream_failed = true;
    if (len == 0)
        return c->stream_failed ? OUTCALL_E_CLOSED : 0; /* an empty chunk would end the body */
    if (c->http10)
        return send_or_fail(c, data, len);
    (void)oc_format(size, sizeof(size), "%zx\r\n", len);
    int r = send_or_fail(c, size, strlen(size));
    if (r == 0)
        r = send_or_fail(c, data, len);
    return r < 0 ? r : send_or_fail(c, "\r\n", 2);
}

void oc_http_stream_cut(oc_http_call *c)
{
    c->stream_cut = true;
}

/* A body without its last chunk tells the peer that something is missing. */
void oc_http_stream_end(oc_http_call *c)
{
    if (!c->stream_cut && !c->http10)
        (void)send_or_fail(c, "0\r\n\r\n", 5);
}
