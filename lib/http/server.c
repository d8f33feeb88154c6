#include "base/clock.h"
#include "base/fd.h"
#include "core/error.h"
#include "core/log.h"
#include "http/call.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 64U
#define IDLE_DEFAULT_S      30U
#define HANDOFF_MAX_MS      5000U /* for libmicrohttpd's thread to take a connection over */
#define ACCEPT_PAUSE_MS     100   /* after accept() failed for want of descriptors or memory */

/* What the accept callback says about a connection; NULL: out of memory, which refuses it too. */
static struct oc_http_conn *conn_new(oc_http_server *s, int fd)
{
    struct oc_http_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    conn->server = s;
    conn->fd = fd;
    conn->refused = s->o.accept && s->o.accept(s->o.userdata, fd, &conn->peer) < 0;
    return conn;
}

static void conn_free(struct oc_http_conn *conn)
{
    if (conn && conn->peer && conn->server->o.peer_free)
        conn->server->o.peer_free(conn->peer);
    free(conn);
}

static void conn_started(oc_http_server *s, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? info->connect_fd : -1;
    struct oc_http_conn *conn = NULL;
    if (!s->o.threaded && fd >= 0)
        conn = conn_new(s, fd);
    (void)pthread_mutex_lock(&s->lock);
    if (!conn && s->handoff && s->handoff->fd == fd)
        conn = oc_take_ptr(&s->handoff);
    s->started++;
    s->connections++;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    *context = conn;
    if (!conn || conn->refused) /* oc_http_call_step serves neither, should a request be there already */
        (void)shutdown(fd, SHUT_RDWR);
}

static void conn_changed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
    oc_http_server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_started(s, mhd, context);
        return;
    }
    conn_free(*context);
    *context = NULL;
    (void)pthread_mutex_lock(&s->lock);
    s->connections--;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Paths and queries are unescaped by oc_http_target_parse, which refuses what cannot be a C string. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);
}

static void wait_until(oc_http_server *s, uint64_t deadline_ms)
{
    struct timespec at = {.tv_sec = (time_t)(deadline_ms / 1000),
                          .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    if (deadline_ms == OC_NEVER)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    else
        (void)pthread_cond_timedwait(&s->changed, &s->lock, &at);
}

/* Waits for a free slot: who is one too many stays in the kernel's backlog. False: the server stops. */
static bool wait_for_slot(oc_http_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    while (!s->stopping && s->connections >= s->o.max_connections)
        wait_until(s, OC_NEVER);
    bool go_on = !s->stopping;
    (void)pthread_mutex_unlock(&s->lock);
    return go_on;
}

/* Gives fd to libmicrohttpd and waits until it counts, so that the slots are counted exactly. */
static void hand_over(oc_http_server *s, int fd, struct oc_http_conn *conn)
{
    struct sockaddr addr = {.sa_family = AF_UNIX};
    (void)pthread_mutex_lock(&s->lock);
    uint64_t before = s->started;
    s->handoff = conn;
    (void)pthread_mutex_unlock(&s->lock);
    bool added = MHD_add_connection(s->mhd, fd, &addr, sizeof(addr)) == MHD_YES; /* closes fd when not */
    uint64_t deadline = oc_deadline(HANDOFF_MAX_MS);
    (void)pthread_mutex_lock(&s->lock);
    while (added && s->started == before && oc_deadline_left(deadline) > 0)
        wait_until(s, deadline);
    conn = oc_take_ptr(&s->handoff);
    (void)pthread_mutex_unlock(&s->lock);
    conn_free(conn);
}

static void *accept_loop(void *cls)
{
    oc_http_server *s = cls;
    struct pollfd p[2] = {{.fd = s->o.listen_fd, .events = POLLIN}, {.fd = s->stop_fd, .events = POLLIN}};
    while (wait_for_slot(s)) {
        if (poll(p, 2, -1) < 0 || p[1].revents)
            continue;
        int fd = accept4(s->o.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                (void)poll(p + 1, 1, ACCEPT_PAUSE_MS);
            continue;
        }
        struct oc_http_conn *conn = conn_new(s, fd);
        if (conn && !conn->refused) {
            hand_over(s, fd, conn);
            continue;
        }
        oc_close(fd);
        conn_free(conn);
    }
    return NULL;
}

static int start_mhd(oc_http_server *s)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem kind[] = {{MHD_OPTION_LISTEN_SOCKET, s->o.listen_fd, NULL},
                                    {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)s->o.max_connections, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    if (s->o.threaded) {
        /* The acceptor decides who gets in, and how many: libmicrohttpd would hang up on one too many. */
        flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_NO_LISTEN_SOCKET |
                MHD_USE_ITC;
        kind[0] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT,
                                          (intptr_t)s->o.max_connections * 2 + 16, NULL};
        kind[1] = kind[2];
    }
    s->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, oc_http_call_step, s, MHD_OPTION_ARRAY, kind, MHD_OPTION_NOTIFY_COMPLETED,
        oc_http_call_end, s, MHD_OPTION_NOTIFY_CONNECTION, conn_changed, s, MHD_OPTION_URI_LOG_CALLBACK,
        oc_http_call_new, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_CONNECTION_TIMEOUT,
        s->o.idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)OC_HTTP_MEMORY_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return s->mhd ? 0 : OUTCALL_E_SYSTEM;
}

static int init_sync(oc_http_server *s)
{
    pthread_condattr_t attr;
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        return OUTCALL_E_NO_MEMORY;
    if (pthread_condattr_init(&attr) == 0) {
        int r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (r == 0)
            r = pthread_cond_init(&s->changed, &attr);
        (void)pthread_condattr_destroy(&attr);
        if (r == 0)
            return 0;
    }
    (void)pthread_mutex_destroy(&s->lock);
    return OUTCALL_E_NO_MEMORY;
}

static int start(oc_http_server *s, outcall_error *err)
{
    if (s->o.threaded) {
        s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s->broken_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->stop_fd < 0 || s->broken_fd < 0)
            return oc_fail_errno(err, "HTTP server");
    }
    if (start_mhd(s) < 0)
        return oc_fail(err, OUTCALL_E_SYSTEM, "HTTP server: libmicrohttpd does not start");
    if (s->o.threaded) {
        errno = pthread_create(&s->acceptor, NULL, accept_loop, s);
        if (errno != 0)
            return oc_fail_errno(err, "HTTP server: thread");
        s->accepting = true;
    }
    return 0;
}

int oc_http_server_new(oc_http_server **ret, const struct oc_http_server_options *opts, outcall_error *err)
{
    oc_http_server *s = calloc(1, sizeof(*s));
    if (!s)
        return oc_no_memory(err);
    s->o = *opts;
    s->o.listen_fd = -1; /* the caller's until all is well */
    s->o.max_connections = opts->max_connections ? opts->max_connections : CONNECTIONS_DEFAULT;
    s->o.idle_timeout_s = opts->idle_timeout_s ? opts->idle_timeout_s : IDLE_DEFAULT_S;
    s->stop_fd = s->broken_fd = -1;
    if (init_sync(s) < 0) {
        free(s);
        return oc_no_memory(err);
    }
    s->o.listen_fd = opts->listen_fd;
    s->o.log = outcall_log_ref(opts->log);
    int r = start(s, err);
    if (r < 0) {
        s->o.listen_fd = -1;
        (void)oc_http_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

static void end_acceptor(oc_http_server *s)
{
    uint64_t one = 1;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->stop_fd >= 0 && write(s->stop_fd, &one, sizeof(one)) < 0)
        oc_log(s->o.log, OUTCALL_LOG_ERROR, "http", "stopping: eventfd: write failed");
    if (s->accepting)
        (void)pthread_join(s->acceptor, NULL);
    s->accepting = false;
    if (s->o.threaded)
        oc_close(oc_take_fd(&s->o.listen_fd));
}

void oc_http_server_stop(oc_http_server *s, uint64_t drain_ms)
{
    uint64_t deadline = oc_deadline(drain_ms);
    if (!s->mhd)
        return;
    end_acceptor(s);
    (void)pthread_mutex_lock(&s->lock);
    while (s->in_flight > 0 && oc_deadline_left(deadline) != 0)
        wait_until(s, deadline);
    if (s->in_flight > 0)
        oc_log(s->o.log, OUTCALL_LOG_WARN, "http", "%u requests were cut off by the stop", s->in_flight);
    (void)pthread_mutex_unlock(&s->lock);
    MHD_stop_daemon(s->mhd);
    s->mhd = NULL;
}

oc_http_server *oc_http_server_free(oc_http_server *s)
{
    if (!s)
        return NULL;
    oc_http_server_stop(s, 0);
    oc_close(s->stop_fd);
    oc_close(s->broken_fd);
    (void)outcall_log_unref(s->o.log);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

int oc_http_server_fd(const oc_http_server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

int64_t oc_http_server_timeout_ms(oc_http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (MHD_get_timeout(s->mhd, &ms) != MHD_YES)
        return -1;
    return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

void oc_http_server_run(oc_http_server *s)
{
    bool was_full = s->connections >= s->o.max_connections;
    (void)MHD_run(s->mhd);
    if (was_full) /* listens again only in the run after the one that freed a slot */
        (void)MHD_run(s->mhd);
}

unsigned oc_http_server_connections(oc_http_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    unsigned n = s->connections;
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
