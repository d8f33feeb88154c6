#include "outcall/agent_server.h"
#include "agent_server/listener.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define SWEEP_MS   1000U /* how late a silent connection may be ended, which keeps a wake-up cheap */
#define DIR_MODE   0755

struct outcall_agent_server {
    char agents_dir[PATH_MAX];
    int dir_fd, epoll_fd, wake_fd;
    unsigned max_connections;
    outcall_log *log;
    pthread_mutex_t lock; /* everything below; held while events are handled, so a close waits for them */
    struct oc_agent_listener **listeners; /* few thousand at most, looked up when one opens or closes */
    size_t n, cap;
    size_t n_active;
    bool pending; /* a server has data that epoll will not report again */
    uint64_t sweep_at;
};

static int open_epoll(outcall_agent_server *s)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->epoll_fd < 0 || s->wake_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &e) < 0
               ? OUTCALL_E_SYSTEM
               : 0;
}

static int open_dir(outcall_agent_server *s, outcall_error *err)
{
    const char *why = NULL;
    int r = oc_open_safe_dir(s->agents_dir, true, DIR_MODE, &s->dir_fd, &why);
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, r, "agents directory \"%s\" %s", s->agents_dir, why);
    if (r < 0 || fchmod(s->dir_fd, DIR_MODE) < 0)
        return oc_fail_errno(err, "agents directory \"%s\"", s->agents_dir);
    return 0;
}

int outcall_agent_server_new(outcall_agent_server **ret, const outcall_agent_server_options *opts,
                             outcall_error *err)
{
    if (!ret || !opts || opts->version != 1 || !opts->agents_dir || !oc_path_is_clean(opts->agents_dir))
        return oc_fail(err, OUTCALL_E_INVALID, "agents directory: expected an absolute path without \"..\"");
    outcall_agent_server *s = calloc(1, sizeof(*s));
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return oc_no_memory(err);
    }
    (void)oc_copy(s->agents_dir, sizeof(s->agents_dir), opts->agents_dir, strlen(opts->agents_dir));
    s->dir_fd = s->epoll_fd = s->wake_fd = -1;
    s->max_connections = opts->max_connections;
    s->log = outcall_log_ref(opts->log);
    int r = open_dir(s, err);
    if (r == 0 && open_epoll(s) < 0)
        r = oc_fail_errno(err, "agent server");
    if (r < 0) {
        (void)outcall_agent_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* Its place, or n when it is not open. */
static size_t find(const outcall_agent_server *s, const char *name)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->listeners[i]->name, name) != 0)
        i++;
    return i;
}

/* Takes a listener out and ends it. */
static void drop(outcall_agent_server *s, size_t i)
{
    struct oc_agent_listener *l = s->listeners[i];
    s->listeners[i] = s->listeners[--s->n];
    s->n_active -= l->active;
    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, oc_http_server_fd(l->http), NULL);
    (void)oc_agent_listener_free(l);
}

outcall_agent_server *outcall_agent_server_free(outcall_agent_server *s)
{
    if (!s)
        return NULL;
    while (s->n > 0)
        drop(s, s->n - 1);
    free(s->listeners);
    oc_close(s->wake_fd);
    oc_close(s->epoll_fd);
    oc_close(s->dir_fd);
    (void)outcall_log_unref(s->log);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

static void wake(const outcall_agent_server *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof(one));
    (void)n; /* only EAGAIN is possible: then it is readable already */
}

static int make_room(outcall_agent_server *s, outcall_error *err)
{
    if (s->n >= OUTCALL_AGENT_SERVER_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "more than %d agent sockets", OUTCALL_AGENT_SERVER_MAX);
    if (s->n < s->cap)
        return 0;
    size_t cap = s->cap ? s->cap * 2 : 16;
    struct oc_agent_listener **list = reallocarray(s->listeners, cap, sizeof(struct oc_agent_listener *));
    if (!list)
        return oc_no_memory(err);
    s->listeners = list;
    s->cap = cap;
    return 0;
}

/* Under the lock. The old listener, if there is one, goes only when the new one stands. */
static int open_locked(outcall_agent_server *s, const char *name, outcall_error *err)
{
    struct oc_agent_listener *l = NULL;
    size_t old = find(s, name);
    int r = old == s->n ? make_room(s, err) : 0;
    if (r < 0)
        return r;
    r = oc_agent_listener_new(&l, s->dir_fd, name, s->max_connections, s->log, err);
    if (r < 0)
        return r;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, oc_http_server_fd(l->http), &e) < 0) {
        r = oc_fail_errno(err, "agent socket of \"%s\"", name);
        (void)oc_agent_listener_free(l);
        return r;
    }
    if (old < s->n)
        drop(s, old);
    s->listeners[s->n++] = l;
    return 0;
}

int outcall_agent_server_open(outcall_agent_server *s, const char *name, char *ret_path, size_t size,
                              outcall_error *err)
{
    char path[PATH_MAX + OC_AGENT_NAME_MAX + 16];
    if (!s || !name || !oc_agent_name_ok(name))
        return oc_fail(err, OUTCALL_E_INVALID, "name: expected 1 to %d of a-z, 0-9, \"_\", \".\", \"-\"",
                       OC_AGENT_NAME_MAX);
    (void)oc_format(path, sizeof(path), "%s/%s/agent.sock", s->agents_dir, name);
    if (ret_path && strlen(path) >= size)
        return oc_fail(err, OUTCALL_E_LIMIT, "agent socket: its path is longer than %zu bytes", size);
    (void)pthread_mutex_lock(&s->lock);
    int r = open_locked(s, name, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (r < 0)
        return r;
    wake(s);
    if (ret_path)
        (void)oc_copy(ret_path, size, path, strlen(path));
    return 0;
}

void outcall_agent_server_close(outcall_agent_server *s, const char *name)
{
    if (!s || !name || !oc_agent_name_ok(name))
        return;
    (void)pthread_mutex_lock(&s->lock);
    size_t i = find(s, name);
    if (i < s->n)
        drop(s, i);
    oc_agent_listener_remove_files(s->dir_fd, name, s->log);
    (void)pthread_mutex_unlock(&s->lock);
    wake(s);
}

size_t outcall_agent_server_count(const outcall_agent_server *s)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock;
    (void)pthread_mutex_lock(lock);
    size_t n = s->n;
    (void)pthread_mutex_unlock(lock);
    return n;
}

int outcall_agent_server_fd(const outcall_agent_server *s)
{
    return s->epoll_fd;
}

int64_t outcall_agent_server_timeout_ms(outcall_agent_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    int64_t left = s->pending ? 0 : s->n_active > 0 ? oc_deadline_left(s->sweep_at) : -1;
    (void)pthread_mutex_unlock(&s->lock);
    return left;
}

static void run(outcall_agent_server *s, struct oc_agent_listener *l)
{
    oc_http_server_run(l->http);
    bool active = oc_http_server_connections(l->http) > 0;
    if (active && s->n_active == 0)
        s->sweep_at = oc_deadline(SWEEP_MS);
    s->n_active += active;
    s->n_active -= l->active;
    l->active = active;
    s->pending |= active && oc_http_server_timeout_ms(l->http) == 0;
}

/* Servers that epoll is silent about: idle connections to end, data that was read but not handled yet. */
static void sweep(outcall_agent_server *s)
{
    s->pending = false;
    s->sweep_at = oc_deadline(SWEEP_MS);
    for (size_t i = 0; i < s->n; i++)
        if (s->listeners[i]->active && oc_http_server_timeout_ms(s->listeners[i]->http) == 0)
            run(s, s->listeners[i]);
}

static int process_locked(outcall_agent_server *s, outcall_error *err)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t count = 0;
    int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
    if (n < 0 && errno != EINTR)
        return oc_fail_errno(err, "agent server");
    bool due = s->pending || (s->n_active > 0 && oc_deadline_left(s->sweep_at) == 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            run(s, events[i].data.ptr);
        else if (read(s->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
            return oc_fail_errno(err, "agent server");
    }
    if (due)
        sweep(s);
    return 0;
}

int outcall_agent_server_process(outcall_agent_server *s, outcall_error *err)
{
    if (!s)
        return oc_fail(err, OUTCALL_E_INVALID, "agent server: none given");
    (void)pthread_mutex_lock(&s->lock);
    int r = process_locked(s, err);
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}
