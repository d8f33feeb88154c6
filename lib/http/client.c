#include "http/client.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "http/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

struct oc_http {
    struct oc_http_reader in;
    bool used, dead; /* an exchange was made; the last one failed or was the connection's last */
};

static int unreachable(outcall_error *err, const char *path, int why)
{
    char words[128];
    bool fresh = err && err->code == 0;
    int r = oc_fail(err, OUTCALL_E_UNREACHABLE, "cannot connect to %s: %s", path,
                    strerror_r(why, words, sizeof(words)));
    if (fresh)
        err->sys_errno = why;
    errno = why;
    return r;
}

/* A unix socket that connects while the backlog is full fails at once when it is non-blocking, and waits no
 * longer than SO_SNDTIMEO when it blocks. */
static int connect_by(int fd, const struct sockaddr_un *addr, uint64_t deadline_ms, outcall_error *err)
{
    for (;;) {
        int left = oc_deadline_left(deadline_ms);
        struct timeval tv = {.tv_sec = left / 1000, .tv_usec = (suseconds_t)(left % 1000) * 1000};
        if (left == 0)
            return oc_fail(err, OUTCALL_E_TIMEOUT, "%s accepts no connection in time", addr->sun_path);
        if (left > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
            return oc_fail_errno(err, "socket");
        if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return unreachable(err, addr->sun_path, errno);
    }
}

int oc_http_connect(oc_http **ret, const char *socket_path, uint64_t deadline_ms, outcall_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(socket_path);
    if (len == 0 || oc_copy(addr.sun_path, sizeof(addr.sun_path), socket_path, len) < 0)
        return oc_fail(err, OUTCALL_E_INVALID, "socket path: expected 1 to %zu bytes, got %zu",
                       sizeof(addr.sun_path) - 1, len);
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return oc_fail_errno(err, "socket");
    int r = connect_by(fd, &addr, deadline_ms, err);
    if (r == 0)
        r = oc_http_from_fd(ret, fd, err);
    if (r == 0)
        (void)oc_take_fd(&fd);
    return r;
}

int oc_http_from_fd(oc_http **ret, int take_fd, outcall_error *err)
{
    int flags = fcntl(take_fd, F_GETFL);
    if (flags < 0 || fcntl(take_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return oc_fail_errno(err, "socket");
    oc_http *h = calloc(1, sizeof(*h));
    if (!h)
        return oc_no_memory(err);
    h->in.fd = take_fd;
    *ret = h;
    return 0;
}

oc_http *oc_http_free(oc_http *h)
{
    if (h)
        oc_close(h->in.fd);
    free(h);
    return NULL;
}

int oc_http_fd(const oc_http *h)
{
    return h->in.fd;
}

static bool is_sendable(const char *s, bool spaces)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f || (*s == ' ' && !spaces))
            return false;
    return true;
}

static int build_head(struct oc_buf *b, const struct oc_http_request *req, outcall_error *err)
{
    bool upload = req->body || strcmp(req->method, "GET") != 0;
    if (strcmp(req->method, "HEAD") == 0 || req->method[0] == '\0' || !is_sendable(req->method, false))
        return oc_fail(err, OUTCALL_E_INVALID, "method: expected GET, POST and the like");
    if (req->target[0] != '/' || !is_sendable(req->target, false))
        return oc_fail(err, OUTCALL_E_INVALID, "target: expected an escaped absolute path");
    if (req->authorization && !is_sendable(req->authorization, true))
        return oc_fail(err, OUTCALL_E_INVALID, "authorization: control characters are not allowed");
    const char *const words[] = {req->method,
                                 " ",
                                 req->target,
                                 " HTTP/1.1\r\nHost: localhost\r\n",
                                 req->authorization ? "Authorization: " : "",
                                 req->authorization ? req->authorization : "",
                                 req->authorization ? "\r\n" : "",
                                 req->body ? "Content-Type: application/json\r\n" : ""};
    int r = oc_buf_reserve(b, 256); /* most of them fit */
    for (size_t i = 0; r == 0 && i < OC_ARRAY_SIZE(words); i++)
        r = oc_buf_str(b, words[i]);
    if (r == 0 && upload)
        r = oc_buf_printf(b, "Content-Length: %zu\r\n", req->body ? req->body_len : 0);
    if (r == 0)
        r = oc_buf_str(b, "\r\n");
    return r < 0 ? oc_fail_code(err, r, "building the request") : 0;
}

/* Head and body at once: the peer is woken up once. */
static ssize_t send_some(int fd, struct iovec parts[2])
{
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (size_t i = 0, left = n > 0 ? (size_t)n : 0; i < 2; i++) {
        size_t sent = OC_MIN(left, parts[i].iov_len);
        parts[i].iov_base = (char *)parts[i].iov_base + sent;
        parts[i].iov_len -= sent;
        left -= sent;
    }
    return n;
}

/* 0 also when the peer answered or hung up before it took everything: *ret_cut, and the answer, if there is
 * one, says why. */
static int send_all(oc_http *h, struct iovec parts[2], uint64_t deadline_ms, bool *ret_cut,
                    outcall_error *err)
{
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        if (send_some(h->in.fd, parts) >= 0)
            continue;
        if (errno == EPIPE || errno == ECONNRESET) {
            *ret_cut = true;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return oc_fail_errno(err, "sending the request");
        int events = oc_poll1(h->in.fd, POLLIN | POLLOUT, deadline_ms);
        if (events < 0)
            return oc_fail_errno(err, "sending the request");
        if (events == 0)
            return oc_fail(err, OUTCALL_E_TIMEOUT, "the request was not taken in time");
        if (!(events & POLLOUT) && (events & POLLIN)) {
            *ret_cut = true;
            return 0;
        }
    }
    return 0;
}

/* Bytes that came when nothing was asked belong to no answer. */
static int check_quiet(oc_http *h, outcall_error *err)
{
    char c = 0;
    if (h->dead)
        return oc_fail(err, OUTCALL_E_CLOSED, "the connection was closed after the last answer");
    if (!h->used)
        return 0;
    ssize_t n = recv(h->in.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        return oc_fail(err, OUTCALL_E_PROTOCOL, "malformed answer: bytes that belong to no request");
    if (n == 0 || errno != EAGAIN)
        return oc_fail(err, OUTCALL_E_CLOSED, "the peer closed the connection");
    return 0;
}

int oc_http_exchange(oc_http *h, const struct oc_http_request *req, struct oc_http_response *ret,
                     outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf head = {.max = OC_HTTP_HEAD_MAX};
    struct oc_http_response got = {0};
    bool cut = false;
    uint64_t deadline =
        req->head_deadline_ms ? OC_MIN(req->head_deadline_ms, req->deadline_ms) : req->deadline_ms;
    int r = check_quiet(h, err);
    h->dead = true;
    h->used = true;
    if (r == 0)
        r = build_head(&head, req, err);
    struct iovec parts[2] = {{head.data, head.len}, {(char *)req->body, req->body ? req->body_len : 0}};
    if (r == 0)
        r = send_all(h, parts, deadline, &cut, err);
    if (r == 0)
        r = oc_http_read_response(&h->in, req, &got, err);
    if (r != 0)
        return r;
    got.keep_alive = got.keep_alive && !cut;
    h->dead = !got.keep_alive;
    *ret = got;
    return 0;
}
