#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "host_api/api.h"
#include "outcall/identity.h"
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT   256U
#define GROUPS_MAX            256 /* supplementary groups of a peer that are looked at */
#define POLICY_TIMEOUT_MS     5000U
#define POLICY_TIMEOUT_MAX_MS 60000U

int outcall_host_api_new(outcall_host_api **ret, const outcall_host_api_options *opts, outcall_error *err)
{
    if (!ret || !opts || !opts->docker || !opts->containers || !opts->networks)
        return oc_fail(err, OUTCALL_E_INVALID, "docker, containers and networks are required options");
    if (opts->version < 1 || opts->version > OUTCALL_HOST_API_OPTIONS_VERSION)
        return oc_fail(err, OUTCALL_E_INVALID, "options version %u: expected 1 to %d", opts->version,
                       OUTCALL_HOST_API_OPTIONS_VERSION);
    if (opts->policy && !opts->reload)
        return oc_fail(err, OUTCALL_E_INVALID, "reload is a required option with policy");
    if (opts->policy_timeout_ms > POLICY_TIMEOUT_MAX_MS)
        return oc_fail(err, OUTCALL_E_INVALID, "policy_timeout_ms: expected at most %u",
                       POLICY_TIMEOUT_MAX_MS);
    outcall_host_api *h = calloc(1, sizeof(*h));
    if (!h || oc_event_log_new(&h->events) < 0) {
        free(h);
        return oc_no_memory(err);
    }
    h->docker = opts->docker;
    h->containers = opts->containers;
    h->networks = opts->networks;
    h->group = opts->group;
    h->max_connections = opts->max_connections ? opts->max_connections : CONNECTIONS_DEFAULT;
    h->agent_sockets_n = opts->agent_sockets_n;
    h->userdata = opts->userdata;
    h->log = outcall_log_ref(opts->log);
    h->policy = opts->policy;
    h->reload = opts->reload;
    h->policy_timeout_ms = opts->policy_timeout_ms ? (unsigned)opts->policy_timeout_ms : POLICY_TIMEOUT_MS;
    h->requests = opts->requests;
    h->started_ms = oc_now_ms();
    *ret = h;
    return 0;
}

outcall_host_api *outcall_host_api_free(outcall_host_api *h)
{
    if (!h)
        return NULL;
    (void)oc_http_server_free(h->server);
    (void)oc_event_log_free(h->events);
    (void)outcall_log_unref(h->log);
    free(h);
    return NULL;
}

static bool in_group(int fd, gid_t primary, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof(groups);
    if (primary == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false; /* more than we look at, or no such option: not a member as far as we can tell */
    for (size_t i = 0; i < len / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* A peer that may not is served all the same, with 403: its caller then sees why. The marker is what the
 * router asks. */
static int accept_peer(void *userdata, int fd, void **ret_peer)
{
    static const char allowed = 1;
    outcall_host_api *h = userdata;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_peer peer;
    *ret_peer = NULL;
    if (outcall_peer_from_fd(fd, &peer, &err) < 0) {
        oc_log_error(h->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &err, "a peer could not be identified");
        return 0;
    }
    bool known =
        peer.uid == 0 || peer.uid == geteuid() || (h->group != (gid_t)-1 && in_group(fd, peer.gid, h->group));
    bool contained = known && outcall_peer_is_contained(&peer, &err) != 0;
    if (!known || contained)
        oc_log(h->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "refused pid %d, uid %u: %s", (int)peer.pid,
               (unsigned)peer.uid,
               contained ? "it lives in a container"
                         : "neither root, nor the daemon's user, nor in the group");
    else
        *ret_peer = (void *)&allowed; /* only ever compared with NULL */
    outcall_peer_done(&peer);
    return 0;
}

/* What the HTTP layer refuses by itself wears the same clothes. */
static char *error_body(void *userdata, int status, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int kind = status == 413   ? OUTCALL_KIND_TOO_LARGE
               : status >= 500 ? OUTCALL_KIND_INTERNAL
                               : OUTCALL_KIND_INVALID_REQUEST;
    int ignored = 0;
    (void)userdata;
    (void)oc_fail_kind(&err, OUTCALL_E_INVALID, kind, "%s", text);
    OC_JSON json_t *j = oc_error_json(&err, &ignored);
    return j ? oc_json_dump(j, NULL) : NULL;
}

int outcall_host_api_start(outcall_host_api *h, int take_listen_fd, outcall_error *err)
{
    if (h->server)
        return oc_fail(err, OUTCALL_E_INVALID, "the host API was started already");
    struct oc_http_server_options o = {.listen_fd = take_listen_fd,
                                       .threaded = true,
                                       .max_connections = h->max_connections,
                                       .max_body = OUTCALL_HOST_BODY_MAX,
                                       .accept = accept_peer,
                                       .handle = oc_host_api_serve,
                                       .error_body = error_body,
                                       .userdata = h,
                                       .log = h->log};
    return oc_http_server_new(&h->server, &o, err);
}

void outcall_host_api_stop(outcall_host_api *h, uint64_t drain_ms)
{
    if (!h->server)
        return;
    oc_http_server_stop(h->server, drain_ms);
    h->server = oc_http_server_free(h->server);
}
