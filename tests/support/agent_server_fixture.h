/* tests/support/agent_server_fixture.h - the agents' sockets, driven by a thread of the test's own as the
 * daemon does it. begin(): the test's own process is the container: it moves into a cgroup, and a socket is
 * opened for that. */
#ifndef SUPPORT_AGENT_SERVER_FIXTURE_H
#define SUPPORT_AGENT_SERVER_FIXTURE_H
#include "base/clock.h"
#include "http/client.h"
#include "outcall/agent_server.h"
#include "outcall/protocol.h"
#include "support/cgroup.h"
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define BOUND_MS 10000U

static struct fixture {
    char dir[64], agents[96], cgroup_dir[128];
    outcall_identity who;
    outcall_policy_slot *slot;
    outcall_requests *store;
    outcall_agent_server *server;
    pthread_t driver;
    atomic_bool stop;
    atomic_uint decisions, allowed;
    unsigned pending_max; /* of with_store; 0: its default */
    size_t file_max;
} f; /* one to a program */

static inline void count(void *userdata, const outcall_decision *d)
{
    if (userdata != &f || !d->container)
        abort(); /* Check's own asserts allocate, and may be failed */
    (void)atomic_fetch_add(&f.decisions, 1);
    (void)atomic_fetch_add(&f.allowed, (unsigned)d->allowed);
}

static inline void *drive(void *userdata)
{
    (void)userdata;
    while (!atomic_load(&f.stop)) {
        int64_t t = outcall_agent_server_timeout_ms(f.server);
        uint64_t wait = t < 0 || t > 20 ? 20 : (uint64_t)t; /* 20: to notice `stop` */
        ck_assert_int_ge(oc_poll1(outcall_agent_server_fd(f.server), POLLIN, oc_deadline(wait)), 0);
        ck_assert_int_eq(outcall_agent_server_process(f.server, NULL), 0);
    }
    return NULL;
}

static inline void start_driver(void)
{
    atomic_store(&f.stop, false);
    ck_assert_int_eq(pthread_create(&f.driver, NULL, drive, NULL), 0);
}

static inline void stop_driver(void)
{
    atomic_store(&f.stop, true);
    ck_assert_int_eq(pthread_join(f.driver, NULL), 0);
}

static inline void make_dir(void)
{
    memset(&f, 0, sizeof(f));
    (void)oc_format(f.dir, sizeof(f.dir), "/tmp/outcall-agents-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f.dir));
    (void)oc_format(f.agents, sizeof(f.agents), "%s/agents", f.dir);
}

/* Who this process is from now on: found out through a child that goes there first. */
static inline bool enter_cgroup(void)
{
    char name[64];
    int hold[2];
    (void)oc_format(name, sizeof(name), "outcall-api-%lld", (long long)getpid());
    if (!cgroup_privileged() || !cgroup_make(name, f.cgroup_dir, sizeof(f.cgroup_dir)))
        return false;
    ck_assert_int_eq(pipe2(hold, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char c = 0;
        oc_close(hold[1]);
        _exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
    }
    cgroup_move(f.cgroup_dir, child);
    ck_assert_int_eq(outcall_cgroup_of(child, f.who.cgroup, sizeof(f.who.cgroup), NULL), 0);
    oc_close(hold[0]);
    oc_close(hold[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    cgroup_move(f.cgroup_dir, getpid());
    return true;
}

static inline bool begin(const char *rules, void (*change)(outcall_agent_server_options *o))
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    outcall_policy *policy = NULL;
    make_dir();
    if (!enter_cgroup()) {
        ck_assert_int_eq(rmdir(f.dir), 0);
        return false;
    }
    (void)oc_copy(f.who.name, sizeof(f.who.name), "outcall-agent-a", 15);
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "a", 1);
    (void)oc_copy(f.who.image, sizeof(f.who.image), "img", 3);
    (void)oc_copy(f.who.container_id, sizeof(f.who.container_id), "c1", 2);
    int r = outcall_policy_load_text(&policy, "r.yaml", rules, strlen(rules), NULL, &err);
    ck_assert_msg(r == 0, "%d:%d: %s", err.line, err.column, err.text);
    ck_assert_int_eq(outcall_policy_slot_new(&f.slot, policy), 0);
    o.agents_dir = f.agents;
    o.policy = f.slot;
    o.on_decision = count;
    o.userdata = &f;
    if (change)
        change(&o);
    ck_assert_msg(outcall_agent_server_new(&f.server, &o, &err) == 0, "%s", err.text);
    start_driver();
    return true;
}

static inline int reload_nothing(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    (void)userdata;
    (void)err;
    *ret_rules_n = 0;
    return 0;
}

static inline void with_store(outcall_agent_server_options *o)
{
    outcall_requests_options r = OUTCALL_REQUESTS_OPTIONS_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *dir = oc_asprintf("%s/store", f.dir);
    OC_FREE char *rules_dir = oc_asprintf("%s/rules", f.dir);
    ck_assert_int_eq(mkdir(rules_dir, 0700), 0);
    r.dir = dir;
    r.rules_dir = rules_dir;
    r.reload = reload_nothing;
    r.in_force = f.slot;
    r.pending_max = f.pending_max;
    r.file_max_bytes = f.file_max;
    ck_assert_msg(outcall_requests_new(&f.store, &r, &err) == 0, "%s", err.text);
    o->requests = f.store;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void remove_store(void)
{
    f.store = outcall_requests_free(f.store);
    ck_assert_int_eq(nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    ck_assert_int_eq(mkdir(f.dir, 0700), 0); /* what end() expects */
    ck_assert_int_eq(mkdir(f.agents, 0755), 0);
}

static inline void stop_server(void)
{
    if (!f.server)
        return;
    stop_driver();
    f.server = outcall_agent_server_free(f.server);
}

static inline void end(void)
{
    char above[128];
    stop_server();
    if (f.store)
        remove_store();
    f.slot = outcall_policy_slot_free(f.slot);
    ck_assert_int_eq(rmdir(f.agents), 0); /* every socket and directory is gone */
    ck_assert_int_eq(rmdir(f.dir), 0);
    if (f.cgroup_dir[0] == '\0')
        return;
    (void)oc_copy(above, sizeof(above), f.cgroup_dir, (size_t)(strrchr(f.cgroup_dir, '/') - f.cgroup_dir));
    cgroup_move(above, getpid());
    cgroup_remove(f.cgroup_dir);
}

static inline void open_agent(const char *name, char path[108])
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(outcall_agent_server_open(f.server, name, path, 108, &err) == 0, "%s", err.text);
}

static inline void identify(const char *name)
{
    ck_assert_int_eq(outcall_agent_server_identify(f.server, name, &f.who, NULL), 0);
}

static inline oc_http *connect_to(const char *path)
{
    oc_http *h = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(oc_http_connect(&h, path, oc_deadline(BOUND_MS), &err) == 0, "%s", err.text);
    return h;
}

/* The status, or a negative code; the body, when there is room for it. */
static inline int ask(oc_http *h, const char *method, const char *target, const char *token, const char *body,
                      char *ret_body, size_t size)
{
    char header[128];
    (void)oc_format(header, sizeof(header), "Bearer %s", token ? token : "");
    struct oc_http_request req = {.method = method,
                                  .target = target,
                                  .authorization = token ? header : NULL,
                                  .body = body,
                                  .body_len = body ? strlen(body) : 0,
                                  .deadline_ms = oc_deadline(BOUND_MS),
                                  .body_max = 65536};
    struct oc_http_response res = {0};
    int r = oc_http_exchange(h, &req, &res, NULL);
    if (r < 0)
        return r;
    if (ret_body)
        (void)oc_copy(ret_body, size, res.body, strlen(res.body));
    oc_http_response_done(&res);
    return res.status;
}

static inline void check_in(oc_http *h, char token[64])
{
    char body[1024] = "";
    outcall_session session;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(ask(h, "POST", "/v1/checkin", NULL, "{\"hostname\":\"x\",\"pid\":1,\"version\":\"9\"}",
                         body, sizeof(body)),
                     200);
    ck_assert_msg(outcall_session_decode(body, strlen(body), &session, &err) == 0, "%s: %s", body, err.text);
    ck_assert_str_eq(session.container_id, "c1");
    ck_assert_str_eq(session.name, "outcall-agent-a");
    ck_assert_uint_eq(session.heartbeat_s, 5);
    (void)oc_copy(token, 64, session.token, strlen(session.token));
}
#endif
