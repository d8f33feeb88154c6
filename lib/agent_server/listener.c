#include "agent_server/listener.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool oc_agent_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > OC_AGENT_NAME_MAX || !is_lower_or_digit(name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_lower_or_digit(name[i]) && !strchr("_.-", name[i]))
            return false;
    return true;
}

char *oc_agent_http_error(void *userdata, int status, const char *text)
{
    (void)userdata;
    return oc_agent_error_body(status == 413  ? OUTCALL_KIND_TOO_LARGE
                               : status < 500 ? OUTCALL_KIND_INVALID_REQUEST
                                              : OUTCALL_KIND_INTERNAL,
                               text);
}

/* Is the process at the other end one of the container's? Decided here, and never again. */
static int accept_peer(void *userdata, int fd, void **ret_peer)
{
    struct oc_agent_listener *l = userdata;
    outcall_error err = OUTCALL_ERROR_INIT;
    struct oc_agent_peer *p = calloc(1, sizeof(*p));
    if (!p)
        return OUTCALL_E_NO_MEMORY;
    p->l = l;
    p->peer = (outcall_peer)OUTCALL_PEER_INIT;
    if (l->identified && (outcall_peer_from_fd(fd, &p->peer, &err) < 0 ||
                          outcall_peer_in_cgroup(&p->peer, l->who.cgroup, &err) < 0)) {
        bool own = p->peer.pid == getpid(); /* whoever made the container tries its socket first */
        p->denied = true;
        oc_log(l->shared->log, own ? OUTCALL_LOG_DEBUG : OUTCALL_LOG_WARN, "agents",
               "\"%s\": a connection from outside of the container (pid %d, uid %u) is refused: %s", l->name,
               (int)p->peer.pid, (unsigned)p->peer.uid, err.text);
    }
    *ret_peer = p;
    return 0;
}

void oc_agent_peer_free(void *peer)
{
    struct oc_agent_peer *p = peer;
    p->l->holding -= p->holds;
    outcall_peer_done(&p->peer);
    free(p);
}

/* The container's own directory, through which it is mounted: it must be one that only we can have filled. */
static int open_own_dir(int dir_fd, const char *name, int *ret_fd, outcall_error *err)
{
    struct stat st;
    if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
        return oc_fail_errno(err, "agent directory \"%s\"", name);
    OC_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return oc_fail(err, OUTCALL_E_DENIED, "agent directory \"%s\" is not a directory", name);
    if (fd < 0 || fstat(fd, &st) < 0)
        return oc_fail_errno(err, "agent directory \"%s\"", name);
    if (oc_unsafe_owner(&st))
        return oc_fail(err, OUTCALL_E_DENIED, "agent directory \"%s\" can be changed by other users", name);
    if (fchmod(fd, 0755) < 0)
        return oc_fail_errno(err, "agent directory \"%s\"", name);
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

static int listen_in(struct oc_agent_listener *l, int own_fd, outcall_error *err)
{
    OC_CLOSE int fd = -1;
    int r = oc_http_listen_at(own_fd, "agent.sock", 0666, (gid_t)-1, OC_AGENT_BACKLOG, &fd, err);
    if (r < 0)
        return r;
    struct stat st;
    if (fstatat(own_fd, "agent.sock", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return oc_fail_errno(err, "agent socket of \"%s\"", l->name);
    l->socket_dev = st.st_dev;
    l->socket_ino = st.st_ino;
    struct oc_http_server_options o = {.listen_fd = fd,
                                       .max_connections = l->shared->max_connections,
                                       .max_body = OUTCALL_AGENT_BODY_MAX,
                                       .accept = accept_peer,
                                       .peer_free = oc_agent_peer_free,
                                       .handle = oc_agent_handle,
                                       .error_body = oc_agent_http_error,
                                       .userdata = l,
                                       .log = l->shared->log};
    r = oc_http_server_new(&l->http, &o, err);
    if (r == 0)
        (void)oc_take_fd(&fd);
    return r;
}

int oc_agent_listener_new(struct oc_agent_listener **ret, struct oc_agent_shared *shared, int dir_fd,
                          const char *name, outcall_error *err)
{
    OC_CLOSE int own_fd = -1;
    struct oc_agent_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return oc_no_memory(err);
    (void)oc_copy(l->name, sizeof(l->name), name, strlen(name));
    l->shared = shared;
    l->check_rate = shared->check_rate;
    l->request_rate = shared->request_rate;
    int r = open_own_dir(dir_fd, name, &own_fd, err);
    if (r == 0)
        r = listen_in(l, own_fd, err);
    if (r < 0) {
        (void)oc_agent_listener_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

int oc_agent_listener_identify(struct oc_agent_listener *l, const outcall_identity *who)
{
    struct oc_strings labels = {0};
    for (size_t i = 0; i < who->n_labels; i++) {
        if (oc_strings_add(&labels, who->labels[i], strlen(who->labels[i])) < 0) {
            oc_strings_done(&labels);
            return OUTCALL_E_NO_MEMORY;
        }
    }
    l->labels = labels;
    l->who = *who;
    l->who.labels = (const char *const *)labels.v;
    l->identified = true;
    return 0;
}

bool oc_agent_listener_in_place(const struct oc_agent_listener *l, int dir_fd)
{
    struct stat st;
    char path[OC_AGENT_NAME_MAX + 16];
    return oc_format(path, sizeof(path), "%s/agent.sock", l->name) == 0 &&
           fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == l->socket_dev &&
           st.st_ino == l->socket_ino;
}

bool oc_agent_listener_knows(const struct oc_agent_listener *l, const outcall_identity *who)
{
    const outcall_identity *k = &l->who;
    bool same = l->identified && strcmp(k->container_id, who->container_id) == 0 &&
                strcmp(k->name, who->name) == 0 && strcmp(k->agent, who->agent) == 0 &&
                strcmp(k->image, who->image) == 0 && strcmp(k->cgroup, who->cgroup) == 0 &&
                k->n_labels == who->n_labels;
    for (size_t i = 0; same && i < who->n_labels; i++)
        same = strcmp(k->labels[i], who->labels[i]) == 0;
    return same;
}

static void give_up(void *call)
{
    char *body = oc_agent_error_body(OUTCALL_KIND_NOT_READY, "the socket is closed");
    oc_http_call_resume(call, 503, body, body ? strlen(body) : 0, 0);
}

struct oc_agent_listener *oc_agent_listener_free(struct oc_agent_listener *l)
{
    if (!l)
        return NULL;
    if (l->shared
            ->worker) /* nobody waits any more: libmicrohttpd cannot end a connection that stands still */
        oc_worker_forget(l->shared->worker, l, give_up);
    (void)oc_http_server_free(l->http);
    oc_sessions_done(&l->sessions);
    oc_strings_done(&l->labels);
    free(l);
    return NULL;
}

static void remove_sockets(int own_fd)
{
    DIR *d = fdopendir(own_fd);
    if (!d) {
        oc_close(own_fd);
        return;
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (strcmp(e->d_name, "agent.sock") == 0 || oc_starts_with(e->d_name, ".sock."))
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
}

void oc_agent_listener_remove_files(int dir_fd, const char *name, const outcall_log *log)
{
    int own_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (own_fd < 0 && errno == ENOENT)
        return;
    if (own_fd >= 0)
        remove_sockets(own_fd);
    if (own_fd < 0 || unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
        oc_log(log, OUTCALL_LOG_WARN, "agents", "the socket directory of \"%s\" could not be removed", name);
}
