#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/name.h"
#include "base/path.h"
#include "core/error.h"
#include "core/log.h"
#include "http/server.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DRAIN_MS 10000U /* requests in flight when the daemon is told to stop */
#define BACKLOG  128

/* What happened to a container goes to whoever follows the event stream. The engine itself comes without a
 * name. */
static void on_event(void *userdata, const char *action, const char *name, const char *id, const char *detail)
{
    outcall_daemon *d = userdata;
    if (strcmp(action, "engine-connected") == 0)
        oc_daemon_engine_ready(d);
    if (d->api)
        outcall_host_api_event(d->api, name[0] ? "container" : "engine", action, name[0] ? name : NULL,
                               id[0] ? id : NULL, detail[0] ? detail : NULL);
}

static int make_denylist(outcall_daemon *d, outcall_error *err)
{
    const struct oc_config *c = &d->config;
    const char *ours[] = {c->host_socket, c->runtime_dir, c->state_dir,
                          c->rules_dir,   c->config_path, c->docker_socket};
    size_t n = OC_ARRAY_SIZE(ours), total = n + c->deny_paths.n;
    OC_FREE const char **paths = oc_new_array(total, sizeof(*paths));
    if (!paths)
        return oc_no_memory(err);
    memcpy(paths, ours, sizeof(ours));
    for (size_t i = 0; i < c->deny_paths.n; i++)
        paths[n + i] = c->deny_paths.v[i];
    outcall_denylist_options o = OUTCALL_DENYLIST_OPTIONS_INIT;
    o.paths = paths;
    o.n_paths = total;
    o.log = d->log;
    return outcall_denylist_new(&d->denylist, &o, err);
}

static int make_containers(outcall_daemon *d, outcall_error *err)
{
    const struct oc_config *c = &d->config;
    outcall_agent_hooks hooks = oc_daemon_agent_hooks(d);
    outcall_containers_options o = OUTCALL_CONTAINERS_OPTIONS_INIT;
    o.docker = d->docker;
    o.networks = d->networks;
    o.denylist = d->denylist;
    o.stage_dir = d->stage_dir;
    o.state_dir = c->state_dir;
    o.instance = c->runtime_dir;
    o.shim_path = c->shim_path;
    o.hooks = &hooks;
    o.on_event = on_event;
    o.event_userdata = d;
    o.proxy_address = c->proxy_address;
    o.dns_address = c->dns_address;
    o.policy = d->policy;
    o.policy_timeout_ms = c->agent_timeout_ms;
    o.on_decision = oc_daemon_record;
    o.decision_userdata = d;
    o.log = d->log;
    return outcall_containers_new(&d->containers, &o, err);
}

static size_t sockets_n(void *userdata)
{
    const outcall_daemon *d = userdata;
    return outcall_agent_server_count(d->agents);
}

static int reload_for_request(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    int r = oc_daemon_reload(userdata, "request", &p, NULL, err);
    if (r == 0)
        *ret_rules_n = outcall_policy_rules_n(p);
    return r;
}

static int reload_for_api(void *userdata, outcall_policy **ret, uint64_t *ret_generation, outcall_error *err)
{
    return oc_daemon_reload(userdata, "api", ret, ret_generation, err);
}

static int open_requests(outcall_daemon *d, outcall_error *err)
{
    OC_FREE char *dir = oc_asprintf("%s/requests", d->config.state_dir);
    outcall_requests_options o = OUTCALL_REQUESTS_OPTIONS_INIT;
    o.dir = dir;
    o.rules_dir = d->config.rules_dir;
    o.reload = reload_for_request;
    o.userdata = d;
    o.log = d->log;
    o.in_force = d->policy;
    return dir ? outcall_requests_new(&d->requests, &o, err) : oc_no_memory(err);
}

/* The requests come first: they take the rules away that a crash kept from being approved. Watched before
 * they are read: a change in between is not missed. */
static int make_rules(outcall_daemon *d, outcall_error *err)
{
    int r = outcall_policy_slot_new(&d->policy, NULL);
    if (r < 0)
        return oc_no_memory(err);
    r = open_requests(d, err);
    if (r == 0 && d->config.watch_rules)
        r = oc_rule_watch_new(&d->rule_watch, d->config.rules_dir, d->log, err);
    return r < 0 ? r : oc_daemon_open_rules(d, err);
}

static int make_api(outcall_daemon *d, outcall_error *err)
{
    outcall_host_api_options api = OUTCALL_HOST_API_OPTIONS_INIT;
    api.docker = d->docker;
    api.containers = d->containers;
    api.networks = d->networks;
    api.group = d->config.socket_group;
    api.agent_sockets_n = sockets_n;
    api.userdata = d;
    api.log = d->log;
    api.policy = d->policy;
    api.reload = reload_for_api;
    api.policy_timeout_ms = d->config.agent_timeout_ms;
    api.requests = d->requests;
    return outcall_host_api_new(&d->api, &api, err);
}

static int make_agents(outcall_daemon *d, outcall_error *err)
{
    const struct oc_config *c = &d->config;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    o.agents_dir = d->agents_dir;
    o.log = d->log;
    o.policy = d->policy;
    o.requests = d->requests;
    o.eval_timeout_ms = (unsigned)c->agent_timeout_ms;
    o.check_rate_n = c->agent_perm_rate_n;
    o.check_rate_window_s = c->agent_perm_rate_window_s;
    o.request_rate_n = c->agent_rule_rate_n;
    o.request_rate_window_s = c->agent_rule_rate_window_s;
    o.on_decision = oc_daemon_record;
    o.userdata = d;
    return outcall_agent_server_new(&d->agents, &o, err);
}

static int make_parts(outcall_daemon *d, outcall_error *err)
{
    outcall_docker_options docker = OUTCALL_DOCKER_OPTIONS_INIT;
    docker.docker_host = d->config.docker_host;
    docker.timeout_ms = d->config.docker_timeout_ms;
    docker.log = d->log;
    int r = make_rules(d, err);
    if (r == 0)
        r = outcall_docker_new(&d->docker, &docker, err);
    if (r == 0)
        r = make_denylist(d, err);
    if (r == 0)
        r = outcall_networks_new(&d->networks, d->docker, d->config.subnet_block, err);
    if (r == 0)
        r = make_agents(d, err);
    if (r == 0)
        r = make_containers(d, err);
    return r < 0 ? r : make_api(d, err);
}

int outcall_daemon_new(outcall_daemon **ret, const outcall_daemon_options *opts, outcall_error *err)
{
    if (!ret || !opts)
        return oc_fail(err, OUTCALL_E_INVALID, "ret and opts are required");
    outcall_daemon *d = calloc(1, sizeof(*d));
    if (!d)
        return oc_no_memory(err);
    (void)pthread_mutex_init(&d->loading, NULL);
    d->lock_fd = d->listen_fd = d->stop_fd = -1;
    d->log = outcall_log_ref(opts->log);
    d->on_ready = opts->on_ready;
    d->userdata = opts->userdata;
    int r = oc_config_from(opts, &d->config, err);
    if (r == 0)
        r = oc_daemon_open_dirs(d, err);
    if (r == 0)
        r = make_parts(d, err);
    if (r == 0 && (d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        r = oc_fail_errno(err, "eventfd");
    if (r < 0) {
        (void)outcall_daemon_free(d);
        return r;
    }
    d->listen_fd = opts->host_listen_fd;
    *ret = d;
    return 0;
}

outcall_daemon *outcall_daemon_free(outcall_daemon *d)
{
    if (!d)
        return NULL;
    oc_daemon_end_threads(d);
    (void)outcall_host_api_free(d->api);
    (void)outcall_containers_free(d->containers);
    (void)outcall_agent_server_free(d->agents);
    (void)outcall_networks_free(d->networks);
    (void)outcall_denylist_unref(d->denylist);
    (void)outcall_docker_free(d->docker);
    (void)outcall_requests_free(d->requests);
    (void)oc_rule_watch_free(d->rule_watch);
    (void)outcall_policy_slot_free(d->policy);
    (void)pthread_mutex_destroy(&d->loading);
    oc_close(d->stop_fd);
    oc_close(d->listen_fd);
    oc_close(d->lock_fd);
    free(d->agents_dir);
    free(d->stage_dir);
    oc_config_done(&d->config);
    (void)outcall_log_unref(d->log);
    free(d);
    return NULL;
}

void oc_daemon_engine_ready(outcall_daemon *d)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_CLEANUP(outcall_network_info_freep) outcall_network_info *info = NULL;
    int created = 0;
    if (d->config.no_default_network)
        return;
    if (outcall_networks_create(d->networks, OC_DEFAULT_NETWORK, NULL, NULL, &created, &info, &err) < 0)
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err, "the default network could not be made");
    else if (created)
        oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "network \"%s\" created (%s)",
               outcall_network_info_name(info), outcall_network_info_subnet(info));
}

/* Looks for the engine, with a bound. An absent one is no failure: the watch finds it when it comes. */
static void find_engine(outcall_daemon *d)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t n = 0;
    if (outcall_docker_ping(d->docker, &err) < 0) {
        oc_log_error(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &err, "no engine yet");
        return;
    }
    oc_daemon_engine_ready(d);
    if (outcall_containers_adopt(d->containers, &n, &err) < 0)
        oc_log_error(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &err, "containers could not be adopted");
    else
        oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "%zu containers found again", n);
}

static int listen_host(outcall_daemon *d, int *ret_fd, outcall_error *err)
{
    bool grouped = d->config.socket_group != (gid_t)-1;
    if (d->listen_fd >= 0) {
        *ret_fd = oc_take_fd(&d->listen_fd);
        return 0;
    }
    return oc_http_listen_unix(d->config.host_socket, grouped ? 0660 : 0600, d->config.socket_group, BACKLOG,
                               ret_fd, err);
}

static int wait_for_stop(int stop_fd, outcall_error *err)
{
    return oc_poll1(stop_fd, POLLIN, OC_NEVER) < 0 ? oc_fail_errno(err, "poll") : 0;
}

/* From the first thread to the host socket; what is up when it fails is taken down by outcall_daemon_run. */
static int serve(outcall_daemon *d, int stop_fd, outcall_error *err)
{
    OC_CLOSE int fd = -1;
    find_engine(d);
    int r = oc_daemon_start_threads(d, err);
    bool own_socket = d->listen_fd < 0;
    if (r == 0)
        r = listen_host(d, &fd, err);
    if (r == 0)
        r = outcall_host_api_start(d->api, fd, err);
    if (r < 0)
        return r;
    fd = -1; /* the server has it */
    oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "ready at %s",
           own_socket ? d->config.host_socket : "the socket handed in");
    if (d->on_ready)
        d->on_ready(d->userdata);
    r = wait_for_stop(stop_fd, err);
    if (own_socket && unlink(d->config.host_socket) < 0 && errno != ENOENT)
        oc_log(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "cannot remove \"%s\": %s", d->config.host_socket,
               strerror(errno));
    oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "stopping; containers go on");
    return r;
}

int outcall_daemon_run(outcall_daemon *d, int stop_fd, outcall_error *err)
{
    if (!d || d->ran)
        return oc_fail(err, OUTCALL_E_INVALID, "a daemon runs once");
    d->ran = true;
    int r = serve(d, stop_fd, err);
    outcall_error e = OUTCALL_ERROR_INIT;
    if (outcall_docker_quit(d->docker, DRAIN_MS, &e) < 0) /* a hung engine must not keep anybody waiting */
        oc_log_error(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &e,
                     "calls to the engine end by their own bounds");
    outcall_host_api_stop(d->api, DRAIN_MS);
    if (outcall_docker_quit(d->docker, 0, NULL) ==
        0) /* for the watch, which may be in the middle of looking */
        oc_log(d->log, OUTCALL_LOG_DEBUG, OC_TARGET_LOG, "no more calls to the engine");
    oc_daemon_end_threads(d);
    return r;
}
