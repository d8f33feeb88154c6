/* A container manager over a scripted engine, with agent sockets, a shim and counters of its own: what each
 * test of lib/containers and lib/host_api begins with. */
#ifndef SUPPORT_MANAGER_FIXTURE_H
#define SUPPORT_MANAGER_FIXTURE_H
#include "base/buf.h"
#include "base/fd.h"
#include "base/name.h"
#include "outcall/container.h"
#include "support/engine_fixture.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define DEFAULT_NETWORK_JSON                                                                           \
    "{\"Name\":\"outcall-default\",\"Id\":\"n1\",\"Driver\":\"bridge\",\"Internal\":true,\"Labels\":{" \
    "\"managed-by\":"                                                                                  \
    "\"outcalld\"},"                                                                                   \
    "\"IPAM\":{\"Config\":[{\"Subnet\":\"10.200.0.0/24\",\"Gateway\":\"10.200.0.1\"}]},"               \
    "\"Options\":{\"com.docker.network.bridge.name\":\"outcall0\"},\"Containers\":{}}"

struct manager {
    struct fixture f;
    char socket[128], shim[64], events[4096]; /* events: "action name;" in order */
    int listen_fd;
    atomic_int opened, closed, stopped, identified, swept, fail_open;
    pthread_mutex_t lock;
    pthread_cond_t happened;
    outcall_networks *networks;
    outcall_denylist *denylist;
    outcall_containers *containers;
    outcall_policy_slot *policy; /* an empty set at first: lets every create pass */
    char decisions[1024];        /* "allowed|blocked rule generation;" in order */
};

/* Puts these rules in force. */
static inline void manager_rules(struct manager *t, const char *yaml)
{
    outcall_policy *p = NULL;
    fixture_ok(&t->f, outcall_policy_load_text(&p, "t.yaml", yaml, strlen(yaml), NULL, &t->f.err));
    ck_assert_uint_gt(outcall_policy_slot_swap(t->policy, p), 1);
}

static inline void manager_decision(void *userdata, const outcall_decision *d)
{
    struct manager *t = userdata;
    (void)pthread_mutex_lock(&t->lock);
    size_t n = strlen(t->decisions);
    (void)oc_format(t->decisions + n, sizeof(t->decisions) - n, "%s %s %d;",
                    d->allowed ? "allowed" : "blocked",
                    d->v->rule_id ? d->v->rule_id
                    : d->failure  ? "failure"
                                  : "-",
                    (int)d->generation);
    (void)pthread_mutex_unlock(&t->lock);
}

static inline int manager_hook_open(void *userdata, const char *name, char *ret_path, size_t size,
                                    outcall_error *err)
{
    struct manager *t = userdata;
    (void)name;
    (void)err;
    atomic_fetch_add(&t->opened, 1);
    return atomic_load(&t->fail_open) ? OUTCALL_E_SYSTEM : oc_format(ret_path, size, "%s", t->socket);
}

static inline void manager_hook_close(void *userdata, const char *name)
{
    struct manager *t = userdata;
    (void)name;
    atomic_fetch_add(&t->closed, 1);
}

static inline void manager_hook_stopped(void *userdata, const char *name)
{
    struct manager *t = userdata;
    (void)name;
    atomic_fetch_add(&t->stopped, 1);
}

static inline void manager_hook_identify(void *userdata, const char *name, const outcall_identity *who)
{
    struct manager *t = userdata;
    (void)name;
    (void)who;
    atomic_fetch_add(&t->identified, 1);
}

static inline void manager_hook_sweep(void *userdata, int (*keep)(void *keep_userdata, const char *name),
                                      void *keep_userdata)
{
    struct manager *t = userdata;
    (void)keep;
    (void)keep_userdata;
    atomic_fetch_add(&t->swept, 1);
}

static inline void manager_event(void *userdata, const char *action, const char *name, const char *id,
                                 const char *detail)
{
    struct manager *t = userdata;
    (void)id;
    (void)detail;
    (void)pthread_mutex_lock(&t->lock);
    size_t n = strlen(t->events);
    (void)oc_format(t->events + n, sizeof(t->events) - n, "%s %s;", action, name);
    (void)pthread_cond_broadcast(&t->happened);
    (void)pthread_mutex_unlock(&t->lock);
}

static inline bool manager_saw(struct manager *t, const char *event)
{
    (void)pthread_mutex_lock(&t->lock);
    bool saw = strstr(t->events, event) != NULL;
    (void)pthread_mutex_unlock(&t->lock);
    return saw;
}

/* Waits until that event came, at most 20 s. */
static inline bool manager_wait(struct manager *t, const char *event)
{
    struct timespec end;
    int r = 0;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    (void)pthread_mutex_lock(&t->lock);
    while (!strstr(t->events, event) && r == 0)
        r = pthread_cond_timedwait(&t->happened, &t->lock, &end);
    (void)pthread_mutex_unlock(&t->lock);
    return r == 0;
}

static inline void manager_files(struct manager *t)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)oc_format(t->shim, sizeof(t->shim), "%s/shim", t->f.dir);
    (void)oc_format(t->socket, sizeof(t->socket), "%s/agent.sock", t->f.dir);
    OC_CLOSE int shim = open(t->shim, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert_int_ge(shim, 0);
    ck_assert_int_eq(fchmod(shim, 0755), 0);
    t->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(oc_copy(sa.sun_path, sizeof(sa.sun_path), t->socket, strlen(t->socket)), 0);
    ck_assert_int_eq(bind(t->listen_fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    ck_assert_int_eq(listen(t->listen_fd, 128), 0);
}

/* What the engine says of a container. labels: more members of Config.Labels, each with a comma before it. */
static inline char *manager_inspect(struct manager *t, const char *name, const char *id, const char *status,
                                    const char *labels)
{
    char *s = oc_asprintf(
        "{\"Id\":\"%s\",\"Name\":\"/"
        "%s\",\"State\":{\"Status\":\"%s\",\"Running\":%s,\"Pid\":0,\"ExitCode\":3},"
        "\"Config\":{\"Labels\":{\"managed-by\":\"outcalld\",\"outcall.instance\":\"/run/unit\","
        "\"outcall.network\":\"outcall-default\",\"outcall.image\":\"busybox:1\","
        "\"outcall.mounts\":\"{\\\"/run/outcall\\\":\\\"bind:1:1:ro\\\","
        "\\\"/usr/local/bin/outcall\\\":\\\"bind:1:2:ro\\\",\\\"/"
        "tmp\\\":\\\"tmpfs\\\"}\"%s},\"Env\":[\"SECRET=1\"]},"
        "\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"%s\",\"Target\":\"/run/"
        "outcall\",\"ReadOnly\":true},"
        "{\"Type\":\"bind\",\"Source\":\"%s\",\"Target\":\"/usr/local/bin/outcall\",\"ReadOnly\":true}]},"
        "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"%s\",\"Destination\":\"/run/outcall\",\"RW\":false},"
        "{\"Type\":\"bind\",\"Source\":\"%s\",\"Destination\":\"/usr/local/bin/outcall\",\"RW\":false}],"
        "\"NetworkSettings\":{\"Networks\":{\"outcall-default\":{\"IPAddress\":\"10.200.0.2\"}}}}",
        id, name, status, strcmp(status, "running") == 0 ? "true" : "false", labels, t->f.dir, t->shim,
        t->f.dir, t->shim);
    ck_assert_ptr_nonnull(s);
    return s;
}

/* The script of an engine that has the default network and busybox:1 and makes containers with id A; `first`
 * are rules that come before all that, each with a comma after it. */
static inline void manager_script(struct manager *t, const char *first)
{
    OC_FREE char *inspect = manager_inspect(t, "outcall-agent-a", ID_A, "running", "");
    OC_FREE char *s = oc_asprintf(
        "{" ENGINE_20_10 ",\"rules\":[%s"
        "{\"method\":\"GET\",\"path\":\"/networks/(outcall-default|n1)\",\"body\":" DEFAULT_NETWORK_JSON "},"
        "{\"method\":\"GET\",\"path\":\"/networks\",\"body\":[" DEFAULT_NETWORK_JSON "]},"
        "{\"method\":\"GET\",\"path\":\"/images/busybox.*/"
        "json\",\"body\":{\"Id\":\"sha256:1\",\"Config\":{}}},"
        "{\"method\":\"POST\",\"path\":\"/containers/create\",\"status\":201,\"body\":{\"Id\":\"" ID_A "\"}},"
        "{\"method\":\"POST\",\"path\":\"/containers/" ID_A "/(start|stop|kill)\",\"status\":204},"
        "{\"method\":\"GET\",\"path\":\"/containers/" ID_A "/json\",\"body\":%s},"
        "{\"method\":\"DELETE\",\"path\":\"/containers/" ID_A "\",\"status\":204},"
        "{\"method\":\"GET\",\"path\":\"/containers/json\",\"body\":[]}]}",
        first, inspect);
    ck_assert_ptr_nonnull(s);
    ck_assert(fake_engine_script(t->f.engine, s));
}

/* stage_dir, state_dir: NULL = none. The engine's script is manager_script(t, ""). */
static inline void manager_begin_with(struct manager *t, const char *stage_dir, const char *state_dir)
{
    outcall_containers_options o = OUTCALL_CONTAINERS_OPTIONS_INIT;
    outcall_denylist_options deny = OUTCALL_DENYLIST_OPTIONS_INIT;
    memset(t, 0, sizeof(*t));
    fixture_begin(&t->f, "{" ENGINE_20_10 ",\"rules\":[]}", 2000);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->happened, NULL);
    manager_files(t);
    manager_script(t, "");
    outcall_agent_hooks hooks = {.open = manager_hook_open,
                                 .identify = manager_hook_identify,
                                 .stopped = manager_hook_stopped,
                                 .close = manager_hook_close,
                                 .sweep = manager_hook_sweep,
                                 .userdata = t};
    const char *protect[] = {t->f.socket};
    deny.paths = protect;
    deny.n_paths = 1;
    fixture_ok(&t->f, outcall_denylist_new(&t->denylist, &deny, &t->f.err));
    fixture_ok(&t->f, outcall_networks_new(&t->networks, t->f.docker, NULL, &t->f.err));
    o.docker = t->f.docker;
    o.networks = t->networks;
    o.denylist = t->denylist;
    o.stage_dir = stage_dir;
    o.state_dir = state_dir;
    o.instance = "/run/unit";
    o.shim_path = t->shim;
    o.hooks = &hooks;
    o.on_event = manager_event;
    o.event_userdata = t;
    ck_assert_int_eq(outcall_policy_slot_new(&t->policy, NULL), 0);
    o.policy = t->policy;
    o.on_decision = manager_decision;
    o.decision_userdata = t;
    fixture_ok(&t->f, outcall_containers_new(&t->containers, &o, &t->f.err));
}

/* The manager as the daemon has it: it knows that there is no container yet. */

static inline void manager_begin(struct manager *t)
{
    manager_begin_with(t, NULL, NULL);
    fixture_ok(&t->f, outcall_containers_adopt(t->containers, NULL, &t->f.err));
}

static inline void manager_end(struct manager *t)
{
    (void)outcall_containers_free(t->containers);
    (void)outcall_policy_slot_free(t->policy);
    (void)outcall_networks_free(t->networks);
    (void)outcall_denylist_unref(t->denylist);
    oc_close(t->listen_fd);
    ck_assert_int_eq(unlink(t->socket), 0);
    ck_assert_int_eq(unlink(t->shim), 0);
    (void)pthread_cond_destroy(&t->happened);
    (void)pthread_mutex_destroy(&t->lock);
    fixture_end(&t->f);
}

/* How many requests but those that ask for the version and for all containers. */
static inline size_t manager_calls(struct manager *t)
{
    return fake_engine_count(t->f.engine, NULL, NULL) - fake_engine_count(t->f.engine, NULL, "/version") -
           fake_engine_count(t->f.engine, NULL, "/_ping") -
           fake_engine_count(t->f.engine, NULL, "/containers/json");
}

#endif
