#include "outcall/agent_server.h"
#include "agent_server/listener.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64

/* Fairness: who has used up its share (share.h) is not looked at while others ask too. */
#define OTHERS_NS UINT64_C(1000000000) /* "too": within the last second */
#define SWEEP_MS  1000U /* how late a silent connection may be ended, which keeps a wake-up cheap */
#define DIR_MODE  0755

#define PARKED_MS   5
#define CONNECTIONS 64U
#define HOLDING     3U /* for each of these, connections that only wait for the daemon's end */
#define HEARTBEAT_S 5U
#define EVAL_MS     5000U

struct outcall_agent_server {
    char agents_dir[PATH_MAX];
    int dir_fd, epoll_fd, wake_fd;
    struct oc_agent_shared shared;
    pthread_mutex_t lock; /* everything below; held while events are handled, so a close waits for them */
    struct oc_agent_listener **listeners; /* few thousand at most, looked up when one opens or closes */
    size_t n, cap;
    size_t n_active;
    bool pending; /* a server has data that epoll will not report again */
    uint64_t sweep_at;
    struct oc_agent_listener *last,
        *other;                 /* who was served last, and the last one before that was another */
    uint64_t last_ns, other_ns; /* when */
    size_t n_parked;
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

static bool in_range(uint64_t v, uint64_t max)
{
    return v <= max; /* 0 is the default */
}

static struct oc_rate rate_of(uint32_t n, uint32_t window_s, uint32_t default_n, uint32_t default_s)
{
    return (struct oc_rate){.limit = n ? n : default_n,
                            .window_ms = (window_s ? window_s : default_s) * 1000};
}

static int take_options(outcall_agent_server *s, const outcall_agent_server_options *o, outcall_error *err)
{
    struct oc_agent_shared *shared = &s->shared;
    if (!in_range(o->max_connections, 4096) || !in_range(o->eval_timeout_ms, 60000) ||
        !in_range(o->heartbeat_s, 60) || !in_range(o->check_rate_n, 1000000) ||
        !in_range(o->check_rate_window_s, 3600) || !in_range(o->request_rate_n, 1000000) ||
        !in_range(o->request_rate_window_s, 3600))
        return oc_fail(err, OUTCALL_E_INVALID, "agent server: an option is out of its range");
    unsigned n = o->max_connections ? o->max_connections : CONNECTIONS;
    shared->max_holding = HOLDING * n;
    shared->max_connections = shared->max_holding + n;
    shared->log = outcall_log_ref(o->log);
    shared->policy = o->policy;
    shared->heartbeat_s = o->heartbeat_s ? o->heartbeat_s : HEARTBEAT_S;
    shared->check_rate = rate_of(o->check_rate_n, o->check_rate_window_s, 1000, 10);
    shared->request_rate = rate_of(o->request_rate_n, o->request_rate_window_s, 10, 60);
    shared->on_decision = o->on_decision;
    shared->userdata = o->userdata;
    if (!o->policy)
        return 0;
    if (outcall_context_new(&shared->context) < 0)
        return oc_no_memory(err);
    return outcall_context_timeout_ms(shared->context, o->eval_timeout_ms ? o->eval_timeout_ms : EVAL_MS);
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
    int r = take_options(s, opts, err);
    if (r == 0)
        r = open_dir(s, err);
    if (r == 0 && open_epoll(s) < 0)
        r = oc_fail_errno(err, "agent server");
    if (r == 0 && opts->requests)
        r = oc_worker_new(&s->shared.worker, opts->requests, s->wake_fd, err);
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

/* In the epoll, or not: who is not identified or has used up its share is not looked at. */
static int watch(outcall_agent_server *s, struct oc_agent_listener *l, bool wanted)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (l->watched == wanted)
        return 0;
    if (epoll_ctl(s->epoll_fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, oc_http_server_fd(l->http), &e) < 0)
        return OUTCALL_E_SYSTEM;
    l->watched = wanted;
    return 0;
}

/* Takes a listener out and ends it. */
static void drop(outcall_agent_server *s, size_t i)
{
    struct oc_agent_listener *l = s->listeners[i];
    s->listeners[i] = s->listeners[--s->n];
    s->n_active -= l->active;
    s->n_parked -= l->parked;
    if (s->last == l)
        s->last = NULL;
    if (s->other == l)
        s->other = NULL;
    (void)watch(s, l, false);
    (void)oc_agent_listener_free(l);
}

outcall_agent_server *outcall_agent_server_free(outcall_agent_server *s)
{
    if (!s)
        return NULL;
    while (s->n > 0)
        drop(s, s->n - 1);
    s->shared.worker = oc_worker_free(s->shared.worker);
    free(s->listeners);
    (void)outcall_context_free(s->shared.context);
    oc_close(s->wake_fd);
    oc_close(s->epoll_fd);
    oc_close(s->dir_fd);
    (void)outcall_log_unref(s->shared.log);
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
    r = oc_agent_listener_new(&l, &s->shared, s->dir_fd, name, err);
    if (r < 0)
        return r;
    if (!s->shared.policy && watch(s, l, true) < 0) {
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
    size_t i = find(s, name);
    bool stands = i < s->n && oc_agent_listener_in_place(s->listeners[i], s->dir_fd);
    int r = stands ? 0 : open_locked(s, name, err);
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
    oc_agent_listener_remove_files(s->dir_fd, name, s->shared.log);
    (void)pthread_mutex_unlock(&s->lock);
    wake(s);
}

/* Under the lock. Connections and sessions were somebody's: another one starts with none. */
static int identify_locked(outcall_agent_server *s, const char *name, const outcall_identity *who,
                           outcall_error *err)
{
    size_t i = find(s, name);
    if (i == s->n)
        return oc_fail_code(err, OUTCALL_E_NOT_FOUND, "agent socket of \"%s\"", name);
    bool known = oc_agent_listener_knows(s->listeners[i], who);
    int r = !known && s->listeners[i]->identified ? open_locked(s, name, err) : 0;
    if (r < 0) {
        drop(s, i); /* nobody is answered, instead of somebody else */
        return r;
    }
    struct oc_agent_listener *l = s->listeners[find(s, name)];
    if (!known && oc_agent_listener_identify(l, who) < 0)
        return oc_no_memory(err);
    if (!l->parked && watch(s, l, true) < 0)
        return oc_fail_errno(err, "agent socket of \"%s\"", name);
    return 0;
}

int outcall_agent_server_identify(outcall_agent_server *s, const char *name, const outcall_identity *who,
                                  outcall_error *err)
{
    if (!s || !name || !who)
        return oc_fail(err, OUTCALL_E_INVALID, "agent server: no name or no identity");
    (void)pthread_mutex_lock(&s->lock);
    int r = identify_locked(s, name, who, err);
    (void)pthread_mutex_unlock(&s->lock);
    wake(s);
    return r;
}

void outcall_agent_server_stopped(outcall_agent_server *s, const char *name)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    if (!s || !name || !oc_agent_name_ok(name))
        return;
    (void)pthread_mutex_lock(&s->lock);
    if (find(s, name) < s->n && open_locked(s, name, &err) < 0) { /* a fresh one, or none at all */
        drop(s, find(s, name));
        oc_log_error(s->shared.log, OUTCALL_LOG_WARN, "agents", &err, "\"%s\": its socket is closed", name);
    }
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
    if (s->n_parked > 0) /* not by the microsecond: being late hurts only who took long */
        left = left < 0 ? PARKED_MS : OC_MIN(left, PARKED_MS);
    (void)pthread_mutex_unlock(&s->lock);
    return left;
}

/* Has somebody else asked lately? */
static bool others(const outcall_agent_server *s, const struct oc_agent_listener *l, uint64_t now)
{
    bool before = s->other && s->other != l && now - s->other_ns < OTHERS_NS;
    return before || (s->last && s->last != l && now - s->last_ns < OTHERS_NS);
}

static void remember(outcall_agent_server *s, struct oc_agent_listener *l, uint64_t now)
{
    if (s->last != l) {
        s->other = s->last;
        s->other_ns = s->last_ns;
        s->last = l;
    }
    s->last_ns = now;
}

/* A run is over that others had to wait for: who took long is parked. */
static void charge(outcall_agent_server *s, struct oc_agent_listener *l, uint64_t took)
{
    uint64_t now = oc_now_ns();
    oc_share_charge(&l->share, took, now);
    if (!oc_share_spent(&l->share, now) || watch(s, l, false) < 0)
        return;
    l->parked = true;
    s->n_parked++;
}

static void run(outcall_agent_server *s, struct oc_agent_listener *l)
{
    uint64_t now = oc_now_ns();
    bool shared = !l->parked && others(s, l, now);
    uint64_t start = shared ? oc_thread_ns() : 0; /* a system call, which who is alone need not wait for */
    oc_http_server_run(l->http);
    bool active = oc_http_server_connections(l->http) > 0;
    if (active && s->n_active == 0)
        s->sweep_at = oc_deadline(SWEEP_MS);
    s->n_active += active;
    s->n_active -= l->active;
    l->active = active;
    s->pending |= active && oc_http_server_timeout_ms(l->http) == 0;
    if (!l->parked)
        remember(s, l, now);
    if (shared)
        charge(s, l, oc_thread_ns() - start);
}

/* Servers that epoll is silent about: idle connections to end, data that was read but not handled yet. */
static void sweep(outcall_agent_server *s)
{
    s->pending = false;
    s->sweep_at = oc_deadline(SWEEP_MS);
    for (size_t i = 0; i < s->n; i++)
        if (s->listeners[i]->active && !s->listeners[i]->parked &&
            oc_http_server_timeout_ms(s->listeners[i]->http) == 0)
            run(s, s->listeners[i]);
}

static void unpark(outcall_agent_server *s)
{
    uint64_t now = oc_now_ns();
    for (size_t i = 0; s->n_parked > 0 && i < s->n; i++) {
        struct oc_agent_listener *l = s->listeners[i];
        if (!l->parked || !oc_share_back(&l->share, now) || watch(s, l, true) < 0)
            continue;
        l->parked = false;
        s->n_parked--;
        s->pending |= l->active;
    }
}

/* What the worker has finished. */
static void finish_jobs(outcall_agent_server *s)
{
    struct oc_job *job = NULL;
    while (s->shared.worker && (job = oc_worker_take(s->shared.worker))) {
        if (job->call) {
            struct oc_agent_listener *l = job->owner;
            oc_agent_job_done(l, job);
            run(s, l);
        }
        oc_job_free(job);
    }
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
    finish_jobs(s);
    unpark(s);
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
