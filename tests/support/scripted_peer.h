/* A server that plays a script: one step for each request, over a socketpair or a listening unix socket. It
 * keeps what it was asked. Nothing in it waits longer than its client does. */
#ifndef SUPPORT_SCRIPTED_PEER_H
#define SUPPORT_SCRIPTED_PEER_H
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "support/failmalloc.h"
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEER_STEPS_MAX 16
#define PEER_BOUND_MS  60000U

enum peer_after {
    PEER_STAYS,   /* the connection takes the next step's request */
    PEER_HANGS_UP /* the next step begins with another connection, where there is a socket to accept from */
};

enum peer_how {
    PEER_ASKED,    /* says it all when a request has come */
    PEER_TRICKLES, /* the same, a byte now and then, until the client has enough */
    PEER_UNASKED   /* waits for peer_go() instead */
};

struct peer_step {
    const char *answer; /* NULL: none */
    size_t len;         /* 0: all of answer up to its NUL */
    enum peer_after after;
    enum peer_how how;
};

struct peer {
    int listen_fd, fd; /* -1: none */
    struct peer_step steps[PEER_STEPS_MAX];
    size_t n;
    char *asked[PEER_STEPS_MAX]; /* each request, head and body */
    size_t asked_n;
    sem_t go;
    pthread_t thread;
    char path[108];
};

/* How long the body is that a head announces; 0 when it says nothing. */
static inline size_t peer_length(const char *head)
{
    const char *s = strcasestr(head, "Content-Length: ");
    uint64_t n = 0;
    s = s ? s + strlen("Content-Length: ") : "";
    return oc_parse_u64(s, strspn(s, "0123456789"), 0, 1U << 20, &n) == 0 ? (size_t)n : 0;
}

/* One whole request; false when the client hung up. */
static inline bool peer_read(struct peer *p)
{
    struct oc_buf b = OC_BUF_INIT;
    char data[4096];
    for (;;) {
        const char *end = b.data ? strstr(b.data, "\r\n\r\n") : NULL;
        if (end && b.len >= (size_t)(end - b.data) + 4 + peer_length(b.data))
            break;
        ssize_t n = read(p->fd, data, sizeof(data));
        if (n <= 0 || oc_buf_add(&b, data, (size_t)n) < 0) {
            oc_buf_done(&b);
            return false;
        }
    }
    p->asked[p->asked_n++] = oc_buf_take(&b, NULL);
    return true;
}

static inline void peer_send(int fd, const char *data, size_t len, bool trickles)
{
    while (len > 0) {
        ssize_t n = send(fd, data, trickles ? 1 : len, MSG_NOSIGNAL);
        if (n < 0) /* the client has enough */
            return;
        data += n;
        len -= (size_t)n;
        if (trickles && oc_poll1(fd, POLLRDHUP, oc_deadline(10)) != 0)
            return;
    }
}

static inline void peer_wait_hangup(int fd)
{
    int events = oc_poll1(fd, POLLRDHUP, oc_deadline(PEER_BOUND_MS));
    (void)events; /* gone, or given up */
}

static inline void *peer_run(void *userdata)
{
    struct peer *p = userdata;
    failmalloc_exempt();
    for (size_t i = 0; i < p->n; i++) {
        const struct peer_step *s = &p->steps[i];
        if (p->fd < 0)
            p->fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (s->how == PEER_UNASKED)
            (void)sem_wait(&p->go);
        else if (!peer_read(p))
            break;
        if (s->answer)
            peer_send(p->fd, s->answer, s->len ? s->len : strlen(s->answer), s->how == PEER_TRICKLES);
        if (s->after == PEER_HANGS_UP) {
            oc_close(p->fd);
            p->fd = -1;
        }
    }
    if (p->fd >= 0)
        peer_wait_hangup(p->fd);
    oc_close(p->fd);
    p->fd = -1;
    return NULL;
}

static inline void peer_start(struct peer *p, const struct peer_step *steps, size_t n)
{
    ck_assert_uint_le(n, PEER_STEPS_MAX);
    memcpy(p->steps, steps, n * sizeof(*steps));
    p->n = n;
    ck_assert_int_eq(sem_init(&p->go, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

/* Over a socketpair. *ret_fd: the client's end. */
static inline void peer_pair(struct peer *p, const struct peer_step *steps, size_t n, int *ret_fd)
{
    int sv[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    *p = (struct peer){.listen_fd = -1, .fd = sv[1]};
    *ret_fd = sv[0];
    peer_start(p, steps, n);
}

static inline int peer_listen(const char *path, int backlog)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path)), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

/* Over a socket at p->path, which was set by the caller. */
static inline void peer_socket(struct peer *p, const struct peer_step *steps, size_t n)
{
    p->fd = -1;
    p->asked_n = 0;
    p->listen_fd = peer_listen(p->path, 16);
    peer_start(p, steps, n);
}

/* The unasked step may begin. */
static inline void peer_go(struct peer *p)
{
    ck_assert_int_eq(sem_post(&p->go), 0);
}

/* After the client hung up. */
static inline void peer_join(struct peer *p)
{
    ck_assert_int_eq(pthread_join(p->thread, NULL), 0);
    (void)sem_destroy(&p->go);
    oc_close(p->listen_fd);
    p->listen_fd = -1;
}

static inline void peer_done(struct peer *p)
{
    for (size_t i = 0; i < p->asked_n; i++)
        free(p->asked[i]);
    p->asked_n = 0;
}

#endif
