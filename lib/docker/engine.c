#include "docker/engine.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/handle.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKET_DEFAULT     "/var/run/docker.sock"
#define TIMEOUT_DEFAULT_MS 30000U
#define PING_DEFAULT_MS    3000U
#define TIMEOUT_MAX_MS     86400000U
#define BODY_DEFAULT       ((size_t)16 << 20)
#define BODY_MAX           ((size_t)64 << 20)
#define VERSION_BODY_MAX   ((size_t)64 << 10) /* of GET /version and /_ping: 20.10 sends 850 bytes */

static int invalid(outcall_error *err, const char *field, const char *got, const char *expected)
{
    return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, "%s \"%s\": %s", field, got,
                        expected);
}

static int parse_host(const char *host, char ret[OC_DOCKER_SOCKET_SIZE], outcall_error *err)
{
    const char *path = oc_starts_with(host, "unix://") ? host + strlen("unix://") : host;
    if (path[0] != '/')
        return invalid(err, "docker_host", host, "only unix sockets are supported, as unix:///path or /path");
    if (oc_has_control(path, strlen(path)) || !oc_utf8_valid(path, strlen(path)))
        return invalid(err, "docker_host", host, "expected a path in UTF-8 without control characters");
    if (oc_copy(ret, OC_DOCKER_SOCKET_SIZE, path, strlen(path)) < 0)
        return invalid(err, "docker_host", host, "expected a path of at most 107 bytes");
    return 0;
}

static int check_bound(const char *field, uint64_t given, uint64_t fallback, uint64_t max, uint64_t *ret,
                       outcall_error *err)
{
    if (given > max)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, "%s: expected at most %llu",
                            field, (unsigned long long)max);
    *ret = given ? given : fallback;
    return 0;
}

static int parse_pinned(outcall_docker *d, const char *version, outcall_error *err)
{
    uint32_t v = 0, oldest = 0, newest = 0;
    if (!version)
        return 0;
    if (oc_api_version_parse(OC_API_VERSION_OLDEST, &oldest) < 0 ||
        oc_api_version_parse(OC_API_VERSION_NEWEST, &newest) < 0)
        return OUTCALL_E_INTERNAL;
    if (oc_api_version_parse(version, &v) < 0 || v < oldest || v > newest ||
        oc_copy(d->version, sizeof(d->version), version, strlen(version)) < 0)
        return invalid(err, "api_version", version,
                       "expected " OC_API_VERSION_OLDEST " to " OC_API_VERSION_NEWEST);
    d->pinned = true;
    return 0;
}

static int apply_options(outcall_docker *d, const outcall_docker_options *o, outcall_error *err)
{
    uint64_t max_body = 0;
    if (o->version < 1 || o->version > OUTCALL_DOCKER_OPTIONS_VERSION)
        return oc_fail(err, OUTCALL_E_INVALID, "docker options: expected version 1 to %d, got %u",
                       OUTCALL_DOCKER_OPTIONS_VERSION, o->version);
    int r = parse_host(o->docker_host ? o->docker_host : SOCKET_DEFAULT, d->socket, err);
    if (r == 0)
        r = parse_pinned(d, o->api_version, err);
    if (r == 0)
        r = check_bound("timeout_ms", o->timeout_ms, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, &d->timeout_ms, err);
    if (r == 0)
        r = check_bound("ping_timeout_ms", o->ping_timeout_ms, PING_DEFAULT_MS, TIMEOUT_MAX_MS,
                        &d->ping_timeout_ms, err);
    if (r == 0)
        r = check_bound("max_body", o->max_body, BODY_DEFAULT, BODY_MAX, &max_body, err);
    d->max_body = (size_t)max_body;
    return r;
}

int outcall_docker_new(outcall_docker **ret, const outcall_docker_options *opts, outcall_error *err)
{
    static const outcall_docker_options defaults = OUTCALL_DOCKER_OPTIONS_INIT;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "ret is NULL");
    outcall_docker *d = calloc(1, sizeof(*d));
    if (!d)
        return oc_no_memory(err);
    if (pthread_mutex_init(&d->lock, NULL) != 0) {
        free(d);
        return oc_no_memory(err);
    }
    int r = apply_options(d, opts ? opts : &defaults, err);
    if (r == 0)
        r = oc_transport_new(&d->transport, d->socket, err);
    if (r < 0) {
        (void)outcall_docker_free(d);
        return r;
    }
    d->log = opts ? outcall_log_ref(opts->log) : NULL;
    *ret = d;
    return 0;
}

outcall_docker *outcall_docker_free(outcall_docker *d)
{
    if (!d)
        return NULL;
    (void)oc_transport_free(d->transport);
    (void)outcall_log_unref(d->log);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
    return NULL;
}

int outcall_docker_quit(outcall_docker *d, uint64_t after_ms, outcall_error *err)
{
    int r = after_ms > TIMEOUT_MAX_MS ? OUTCALL_E_INVALID : oc_transport_quit(d->transport, after_ms);
    return r < 0 ? oc_fail_code(err, r, "cannot set the end of all calls") : 0;
}

void oc_docker_forget_version(outcall_docker *d, const char *version)
{
    (void)pthread_mutex_lock(&d->lock);
    if (!d->pinned && strcmp(d->version, version) == 0)
        d->version[0] = '\0';
    (void)pthread_mutex_unlock(&d->lock);
}

/* An engine that went away may come back as another one, so what was known of it is forgotten. Our own
 * trouble, and the caller's wish to stop, say nothing about the engine. */
static void note(outcall_docker *d, int r, const struct oc_answer *a, const char *why)
{
    bool reached = a->status > 0 && !a->cut;
    if (a->status == 0 && r != OUTCALL_E_UNREACHABLE && r != OUTCALL_E_TIMEOUT)
        return;
    (void)pthread_mutex_lock(&d->lock);
    bool changed = d->reachable != reached;
    d->reachable = reached;
    if (!reached && !d->pinned)
        d->version[0] = '\0';
    (void)pthread_mutex_unlock(&d->lock);
    if (changed && reached)
        oc_log(d->log, OUTCALL_LOG_INFO, "docker", "the Docker Engine at %s answers", d->socket);
    else if (changed)
        oc_log(d->log, OUTCALL_LOG_WARN, "docker", "%s", why);
}

int oc_docker_exchange(outcall_docker *d, const struct oc_exchange *x, struct oc_answer *ret,
                       outcall_error *err)
{
    outcall_error own = OUTCALL_ERROR_INIT;
    uint64_t began = oc_now_ns();
    int r = oc_transport_run(d->transport, x, ret, &own);
    oc_log(d->log, OUTCALL_LOG_DEBUG, "docker", "%s %s: %s, status %d, %llu us", x->method, x->target,
           outcall_code_name(r > 0 ? 0 : r), ret->status, (unsigned long long)((oc_now_ns() - began) / 1000));
    note(d, r, ret, own.text);
    if (err && err->code == 0)
        *err = own;
    return r;
}

static int not_an_engine(outcall_docker *d, outcall_error *err, const char *what)
{
    return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                        "what answers at %s is not a Docker Engine: %s", d->socket, what);
}

/* Podman's service names itself among the components, Docker's Engine as "Engine". */
static bool names_podman(const json_t *version)
{
    const json_t *components = json_object_get(version, "Components");
    for (size_t i = 0; i < json_array_size(components); i++)
        if (oc_streq(oc_json_string(json_array_get(components, i), "Name", ""), "Podman Engine"))
            return true;
    return false;
}

static int choose(outcall_docker *d, const json_t *j, char ret[OC_API_VERSION_SIZE], outcall_error *err)
{
    const char *max = oc_json_string(j, "ApiVersion", "");
    const char *min = oc_json_string(j, "MinAPIVersion", "");
    const char *server = oc_json_string(j, "Version", "");
    int r = oc_api_version_choose(max, min, ret);
    (void)pthread_mutex_lock(&d->lock);
    d->is_foreign = r == OUTCALL_E_UNSUPPORTED;
    d->is_podman = names_podman(j);
    if (r == 0)
        (void)oc_copy(d->version, sizeof(d->version), ret, strlen(ret));
    (void)oc_copy(d->server_version, sizeof(d->server_version), server,
                  oc_utf8_cut(server, strlen(server), sizeof(d->server_version) - 1));
    (void)pthread_mutex_unlock(&d->lock);
    if (r == OUTCALL_E_UNSUPPORTED)
        return oc_fail_kind(
            err, r, OUTCALL_KIND_DOCKER_ERROR,
            "the Docker Engine at %s speaks API versions %s to %s, this library " OC_API_VERSION_OLDEST
            " to " OC_API_VERSION_NEWEST ": none in common",
            d->socket, min[0] ? min : "(unknown)", max);
    if (r < 0)
        return not_an_engine(d, err, "GET /version names no API version");
    oc_log(d->log, OUTCALL_LOG_INFO, "docker", "Docker Engine %s at %s, API version %s", server, d->socket,
           ret);
    return 0;
}

static int ask(outcall_docker *d, const char *target, uint64_t deadline_ms, int stop_fd,
               struct oc_answer *ret, outcall_error *err)
{
    struct oc_exchange x = {.method = "GET",
                            .target = target,
                            .body_max = VERSION_BODY_MAX,
                            .head_deadline_ms = deadline_ms,
                            .deadline_ms = deadline_ms,
                            .idle_ms = OC_NEVER,
                            .stop_fd = stop_fd};
    int r = oc_docker_exchange(d, &x, ret, err);
    if (r == 0 && ret->status != 200) {
        OC_JSON json_t *j = NULL;
        r = oc_docker_read(ret, &j, err);
        return r < 0 ? r : oc_docker_fail(err, ret->status, j);
    }
    return r;
}

int oc_docker_negotiate(outcall_docker *d, bool fresh, uint64_t deadline_ms, int stop_fd,
                        char ret[OC_API_VERSION_SIZE], outcall_error *err)
{
    (void)pthread_mutex_lock(&d->lock);
    bool known = d->version[0] != '\0' && (!fresh || d->pinned);
    if (known)
        (void)oc_copy(ret, OC_API_VERSION_SIZE, d->version, strlen(d->version));
    (void)pthread_mutex_unlock(&d->lock);
    if (known)
        return 0;
    OC_CLEANUP(oc_answer_done) struct oc_answer answer = {0};
    OC_JSON json_t *j = NULL;
    int r = ask(d, "/version", deadline_ms, stop_fd, &answer, err);
    if (r < 0)
        return r;
    r = oc_json_load(answer.body.data, answer.body.len, &j, NULL);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (r < 0)
        return not_an_engine(d, err, "GET /version is no JSON");
    return choose(d, j, ret, err);
}

int outcall_docker_ping(outcall_docker *d, outcall_error *err)
{
    char version[OC_API_VERSION_SIZE];
    OC_CLEANUP(oc_answer_done) struct oc_answer answer = {0};
    if (!d)
        return oc_fail(err, OUTCALL_E_INVALID, "docker is NULL");
    uint64_t deadline_ms = oc_deadline(d->ping_timeout_ms);
    int r = ask(d, "/_ping", deadline_ms, -1, &answer, err);
    return r < 0 ? r : oc_docker_negotiate(d, true, deadline_ms, -1, version, err);
}

void oc_docker_state(outcall_docker *d, struct oc_docker_state *ret)
{
    memset(ret, 0, sizeof(*ret));
    (void)pthread_mutex_lock(&d->lock);
    ret->reachable = d->reachable;
    ret->is_podman = d->is_podman;
    ret->is_foreign = d->is_foreign;
    memcpy(ret->socket, d->socket, sizeof(d->socket));
    memcpy(ret->server_version, d->server_version, sizeof(d->server_version));
    memcpy(ret->api_version, d->version, sizeof(d->version));
    (void)pthread_mutex_unlock(&d->lock);
}

const char *oc_docker_socket_path(const outcall_docker *d)
{
    return d->socket;
}

int oc_docker_peer(outcall_docker *d, pid_t *ret, outcall_error *err)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    OC_CLOSE int fd = -1;
    int r = oc_transport_connect(d->transport, oc_deadline(d->timeout_ms), &fd, err);
    if (r < 0)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return oc_fail_errno(err, "the process behind %s", d->socket);
    *ret = peer.pid;
    return 0;
}
