/* The agent API: who may ask, what is answered, and that nothing but a clear yes is one. The test's own
 * process is the container: it moves into a cgroup, and a socket is opened for that. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/client.h"
#include "outcall/agent_server.h"
#include "support/cgroup.h"
#include "unit.h"
#include "json/json.h"
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define BOUND_MS 10000U

static const char rules[] =
    "version: \"1\"\n"
    "rules:\n"
    "  - {id: ls, condition: 'run.tool == \"ls\" && run.args == [\"-l\", \"x\"] && run.flags == [\"-l\"] && "
    "run.cwd == "
    "\"/w\"', action: allow}\n"
    "  - {id: no-rm, condition: 'run.tool == \"rm\"', action: block, reason: \"ask a person first\"}\n"
    "  - {id: api, condition: 'network.hostname == \"api.example.com\" && network.port == 443 && "
    "network.protocol == "
    "\"https\" && http.method == \"GET\" && http.path == \"/v1\"', action: allow}\n"
    "  - {id: lan, condition: 'network.ip != \"\" && cidr(\"10.0.0.0/8\").containsIP(ip(network.ip))', "
    "action: allow}\n"
    "  - {id: file, condition: 'run.tool == \"file\" && run.context.action_type == \"file_access\" && "
    "run.args[0].startsWith(\"/w/\") && run.context.mode == \"read\"', action: allow}\n"
    "  - {id: broken, condition: 'run.tool == \"broken\" && run.args[7] == \"x\"', action: block}\n"
    "  - {id: me, condition: 'run.tool == \"whoami\" && agent.name == \"a\" && agent.image == \"img\" && "
    "agent.container_id == \"c1\"', action: allow}\n"
    "  - {id: out, condition: 'run.context.action_type == \"checkin\" && agent.name == \"refused\"', action: "
    "block, "
    "reason: \"not today\"}\n";

static struct fixture {
    char dir[64], agents[96], cgroup_dir[128];
    outcall_identity who;
    outcall_policy_slot *slot;
    outcall_agent_server *server;
    pthread_t driver;
    atomic_bool stop;
    atomic_uint decisions, allowed;
} f;

static void count(void *userdata, const outcall_decision *d)
{
    ck_assert_ptr_eq(userdata, &f);
    ck_assert_ptr_nonnull(d->container);
    (void)atomic_fetch_add(&f.decisions, 1);
    (void)atomic_fetch_add(&f.allowed, (unsigned)d->allowed);
}

static void *drive(void *userdata)
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

/* Who this process is from now on: found out through a child that goes there first. */
static bool enter_cgroup(void)
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

static bool begin(void (*change)(outcall_agent_server_options *o))
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    outcall_policy *policy = NULL;
    memset(&f, 0, sizeof(f));
    if (!enter_cgroup())
        return false;
    (void)oc_copy(f.who.name, sizeof(f.who.name), "outcall-agent-a", 15);
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "a", 1);
    (void)oc_copy(f.who.image, sizeof(f.who.image), "img", 3);
    (void)oc_copy(f.who.container_id, sizeof(f.who.container_id), "c1", 2);
    (void)oc_format(f.dir, sizeof(f.dir), "/tmp/outcall-api-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f.dir));
    (void)oc_format(f.agents, sizeof(f.agents), "%s/agents", f.dir);
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
    ck_assert_int_eq(pthread_create(&f.driver, NULL, drive, NULL), 0);
    return true;
}

static void stop_server(void)
{
    if (!f.server)
        return;
    atomic_store(&f.stop, true);
    ck_assert_int_eq(pthread_join(f.driver, NULL), 0);
    f.server = outcall_agent_server_free(f.server);
}

static void end(void)
{
    char above[128];
    stop_server();
    f.slot = outcall_policy_slot_free(f.slot);
    ck_assert_int_eq(rmdir(f.agents), 0);
    ck_assert_int_eq(rmdir(f.dir), 0);
    (void)oc_copy(above, sizeof(above), f.cgroup_dir, (size_t)(strrchr(f.cgroup_dir, '/') - f.cgroup_dir));
    cgroup_move(above, getpid());
    ck_assert_int_eq(rmdir(f.cgroup_dir), 0);
}

static void open_agent(const char *name, char path[108])
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(outcall_agent_server_open(f.server, name, path, 108, &err) == 0, "%s", err.text);
}

static void identify(const char *name)
{
    ck_assert_int_eq(outcall_agent_server_identify(f.server, name, &f.who, NULL), 0);
}

static oc_http *connect_to(const char *path)
{
    oc_http *h = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(oc_http_connect(&h, path, oc_deadline(BOUND_MS), &err) == 0, "%s", err.text);
    return h;
}

/* The status, or a negative code; the body, when there is room for it. */
static int ask(oc_http *h, const char *method, const char *target, const char *token, const char *body,
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

static void check_in(oc_http *h, char token[64])
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

struct row {
    const char *body;
    int status;
    const char *expected; /* all of the answer */
};
#define ALLOWED(rule) \
    "{\"success\":true,\"data\":{\"allowed\":true,\"matched_rule\":\"" rule "\",\"reason\":null}}"
#define NO_RULE "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":null,\"reason\":null}}"
#define BLOCKED(rule, reason) \
    "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":\"" rule "\",\"reason\":" reason "}}"

static const struct row rows[] = {
    {"{\"action_type\":\"tool_exec\",\"target\":\"ls\",\"metadata\":{\"args\":[\"-l\",\"x\"],\"cwd\":\"/"
     "w\"}}",
     200, ALLOWED("ls")},
    {"{\"action_type\":\"shell_exec\",\"target\":\"ls\",\"metadata\":{\"args\":[\"-l\",\"x\"],\"cwd\":\"/"
     "w\"}}",
     200, ALLOWED("ls")},
    {"{\"action_type\":\"tool_exec\",\"target\":\"ls\",\"metadata\":{\"args\":[\"-l\",\"y\"],\"cwd\":\"/"
     "w\"}}",
     200, NO_RULE},
    {"{\"action_type\":\"tool_exec\",\"target\":\"ls\"}", 200, NO_RULE},
    {"{\"action_type\":\"tool_exec\",\"target\":\"rm\",\"metadata\":{}}", 200,
     BLOCKED("no-rm", "\"ask a person first\"")},
    {"{\"action_type\":\"tool_exec\",\"target\":\"broken\"}", 200, BLOCKED("broken", "null")},
    {"{\"action_type\":\"tool_exec\",\"target\":\"whoami\"}", 200, ALLOWED("me")},
    {"{\"action_type\":\"network_call\",\"target\":\"https://API.example.com/v1?q\",\"metadata\":{\"method\":"
     "\"GET\"}}",
     200, ALLOWED("api")},
    {"{\"action_type\":\"network_call\",\"target\":\"https://api.example.com/v1\"}", 200, NO_RULE},
    {"{\"action_type\":\"network_call\",\"target\":\"https://api.example.com/v1/../v2\"}", 422,
     "{\"success\":false,\"error\":\"target: expected no \\\".\\\" or \\\"..\\\" in the "
     "path\",\"code\":\"target_invalid\"}"},
    {"{\"action_type\":\"network_call\",\"target\":\"10.1.2.3:22\"}", 200, ALLOWED("lan")},
    {"{\"action_type\":\"network_call\",\"target\":\"11.1.2.3:22\"}", 200, NO_RULE},
    {"{\"action_type\":\"file_access\",\"target\":\"/w/x\",\"metadata\":{\"mode\":\"read\"}}", 200,
     ALLOWED("file")},
    {"{\"action_type\":\"file_access\",\"target\":\"/w/x\",\"metadata\":{\"mode\":\"write\"}}", 200, NO_RULE},
    {"{\"action_type\":\"file_access\",\"target\":\"/w/../etc/passwd\",\"metadata\":{\"mode\":\"read\"}}",
     422, NULL},
    {"{\"action_type\":\"checkin\",\"target\":\"x\"}", 400, NULL},
    {"{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"action_type\":\"file_access\"}}", 200,
     NO_RULE},
    {"{\"action_type\":\"tool_exec\"}", 400, NULL},
    {"{\"action_type\":\"tool_exec\",\"target\":1}", 400, NULL},
    {"{\"action_type\":\"tool_exec\",\"target\":\"ls\",\"more\":1}", 400, NULL},
    {"", 400, NULL},
    {"[]", 400, NULL},
};

START_TEST(questions_and_answers)
{
    char path[108], token[64], body[4096];
    if (!begin(NULL))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    check_in(h, token);
    for (size_t i = 0; i < OC_ARRAY_SIZE(rows); i++) {
        int status = ask(h, "POST", "/v1/permissions/check", token, rows[i].body, body, sizeof(body));
        ck_assert_msg(status == rows[i].status, "%s: %d %s", rows[i].body, status, body);
        if (rows[i].expected)
            ck_assert_msg(strcmp(body, rows[i].expected) == 0, "%s: %s", rows[i].body, body);
    }
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, body, sizeof(body)), 200);
    ck_assert_str_eq(body, "{\"success\":true,\"data\":{\"ok\":true}}");
    ck_assert_uint_eq(atomic_load(&f.allowed), 6 + 1); /* and the check-in */
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

START_TEST(nothing_without_a_session)
{
    static const char *const routes[][2] = {{"POST", "/v1/heartbeat"},
                                            {"POST", "/v1/permissions/check"},
                                            {"POST", "/v1/requests/rules"},
                                            {"GET", "/v1/requests/rules/rr-000000000000"},
                                            {"GET", "/"},
                                            {"GET", "/api/v1/status"},
                                            {"GET", "/v1/checkin"}};
    char path[108], token[64], other[64], body[4096];
    if (!begin(NULL))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    for (size_t i = 0; i < OC_ARRAY_SIZE(routes); i++)
        ck_assert_int_eq(ask(h, routes[i][0], routes[i][1], NULL, "{}", body, sizeof(body)), 401);
    ck_assert_str_eq(body, "{\"success\":false,\"error\":\"expected the token of a check-in on this "
                           "socket\",\"code\":\"unauthorized\"}");
    check_in(h, token);
    check_in(h, other); /* again: a fresh one, and the first stays good */
    ck_assert_str_ne(token, other);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 200);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", other, NULL, NULL, 0), 200);
    ck_assert_int_eq(ask(h, "GET", "/v1/heartbeat", token, NULL, NULL, 0), 404);
    ck_assert_int_eq(ask(h, "POST", "/v1/requests/rules", token, "{}", NULL, 0), 404); /* there is no store */
    ck_assert_int_eq(ask(h, "GET", "/api/v1/status", token, NULL, NULL, 0), 404);
    /* A token is good on its own container's socket only. */
    char second[108];
    open_agent("outcall-agent-b", second);
    identify("outcall-agent-b");
    oc_http *b = connect_to(second);
    ck_assert_int_eq(ask(b, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 401);
    (void)oc_http_free(b);
    /* A container that stopped and started again has no sessions. */
    outcall_agent_server_stopped(f.server, "outcall-agent-a");
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), OUTCALL_E_CLOSED);
    (void)oc_http_free(h);
    identify("outcall-agent-a");
    h = connect_to(path);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 401);
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    outcall_agent_server_close(f.server, "outcall-agent-b");
    end();
}
END_TEST

/* Who asks before it is known who that is waits, and is answered then. */
START_TEST(early_questions_wait)
{
    char path[108], token[64];
    if (!begin(NULL))
        return;
    open_agent("outcall-agent-a", path);
    oc_http *h = connect_to(path);
    struct oc_http_request req = {.method = "POST",
                                  .target = "/v1/checkin",
                                  .body = "{}",
                                  .body_len = 2,
                                  .deadline_ms = oc_deadline(50)};
    struct oc_http_response res = {0};
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), OUTCALL_E_TIMEOUT);
    (void)oc_http_free(h);
    h = connect_to(path);
    identify("outcall-agent-a");
    check_in(h, token);
    (void)oc_http_free(h);
    ck_assert_int_eq(outcall_agent_server_identify(f.server, "nobody", &f.who, NULL), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_agent_server_identify(f.server, NULL, &f.who, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_server_identify(f.server, "outcall-agent-a", NULL, NULL),
                     OUTCALL_E_INVALID);
    outcall_agent_server_stopped(f.server, "nobody");
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

/* T21, T22: a process outside of the container, and one that inherited its connection. */
START_TEST(only_the_container_itself)
{
    char path[108], token[64], body[512], outside[128];
    if (!begin(NULL))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    check_in(h, token);
    (void)oc_copy(outside, sizeof(outside), f.cgroup_dir,
                  (size_t)(strrchr(f.cgroup_dir, '/') - f.cgroup_dir));
    cgroup_move(outside, getpid()); /* decided once: the connection that was made inside stays good */
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 200);
    oc_http *host = connect_to(path);
    ck_assert_int_eq(ask(host, "POST", "/v1/checkin", NULL, "{}", body, sizeof(body)), 403);
    ck_assert_str_eq(
        body,
        "{\"success\":false,\"error\":\"this socket belongs to another container\",\"code\":\"forbidden\"}");
    ck_assert_int_eq(ask(host, "POST", "/v1/heartbeat", token, NULL, NULL, 0), OUTCALL_E_CLOSED);
    (void)oc_http_free(host);
    (void)oc_http_free(h);
    cgroup_move(f.cgroup_dir, getpid());

    int sv[2]; /* a child connects, hands the connection over and ends */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)oc_copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path));
    if (child == 0) {
        bool ok = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
        _exit(ok && write(sv[1], "x", 1) == 1 && read(sv[1], body, 1) == 1 ? 0
                                                                           : 1); /* fd is shared with us */
    }
    char c = 0;
    ck_assert_int_eq(read(sv[0], &c, 1), 1);
    ck_assert_int_eq(oc_http_from_fd(&h, fd, NULL), 0);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0),
                     200); /* it lives: it is its own */
    ck_assert_int_eq(write(sv[0], "x", 1), 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 403);
    (void)oc_http_free(h);
    oc_close(sv[0]);
    oc_close(sv[1]);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

/* S005-EC-007: a rule that names the check-in. */
START_TEST(a_checkin_can_be_refused)
{
    char path[108], body[512];
    if (!begin(NULL))
        return;
    open_agent("outcall-agent-a", path);
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "refused", 7);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    ck_assert_int_eq(ask(h, "POST", "/v1/checkin", NULL, "{}", body, sizeof(body)), 403);
    ck_assert_str_eq(body, "{\"success\":false,\"error\":\"not today\",\"code\":\"policy_denied\"}");
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

static void few(outcall_agent_server_options *o)
{
    o->check_rate_n = 5;
    o->check_rate_window_s = 3600;
}

START_TEST(too_many_questions)
{
    static const char question[] = "{\"action_type\":\"tool_exec\",\"target\":\"whoami\"}";
    char path[108], token[64], body[512];
    if (!begin(few))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    check_in(h, token);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(ask(h, "POST", "/v1/permissions/check", token, question, NULL, 0), 200);
    ck_assert_int_eq(ask(h, "POST", "/v1/permissions/check", token, question, body, sizeof(body)), 429);
    ck_assert_str_eq(body, "{\"success\":false,\"error\":\"too many requests\",\"code\":\"rate_limited\"}");
    ck_assert_int_eq(ask(h, "POST", "/v1/checkin", NULL, "{}", NULL, 0), 429);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 200); /* whoever runs goes on */
    ck_assert_uint_eq(atomic_load(&f.decisions), 5);
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

static void soon(outcall_agent_server_options *o)
{
    o->eval_timeout_ms = 1;
}

/* Two hundred rules that take long: what time runs out on is blocked. */
START_TEST(questions_out_of_time)
{
    char path[108], token[64], body[512];
    struct oc_buf b = OC_BUF_INIT;
    outcall_policy *slow = NULL;
    if (!begin(soon))
        return;
    ck_assert_int_eq(oc_buf_str(&b, "version: \"1\"\nrules:\n"), 0);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(
            oc_buf_printf(&b,
                          "  - {id: r%d, action: allow, condition: 'run.args.all(a, run.args.all(b, "
                          "run.args.all(c, a + b + c != \"x\")))'}\n",
                          i),
            0);
    ck_assert_int_eq(outcall_policy_load_text(&slow, NULL, b.data, b.len, NULL, NULL), 0);
    oc_buf_done(&b);
    ck_assert_uint_eq(outcall_policy_slot_swap(f.slot, slow), 2);
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    check_in(h, token);
    ck_assert_int_eq(
        oc_buf_str(&b, "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{\"args\":[\"a\""), 0);
    for (int i = 0; i < 60; i++)
        ck_assert_int_eq(oc_buf_str(&b, ",\"a\""), 0);
    ck_assert_int_eq(oc_buf_str(&b, "]}}"), 0);
    ck_assert_int_eq(ask(h, "POST", "/v1/permissions/check", token, b.data, body, sizeof(body)), 200);
    oc_buf_done(&b);
    ck_assert_str_eq(
        body, "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":null,\"reason\":\"the rules "
              "take too long\"}}");
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

static void unlimited(outcall_agent_server_options *o)
{
    o->check_rate_n = 1000000;
    o->check_rate_window_s = 1;
}

#define FLOOD 32 /* connections that ask at once */

/* One question without waiting for the answer. */
static void send_question(const oc_http *h, const char *token)
{
    static const char question[] = "{\"action_type\":\"tool_exec\",\"target\":\"whoami\"}";
    char text[512];
    (void)oc_format(text, sizeof(text),
                    "POST /v1/permissions/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                    "%s\r\nContent-Length: %zu\r\n\r\n%s",
                    token, sizeof(question) - 1, question);
    ssize_t n = send(oc_http_fd(h), text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    ck_assert(n == (ssize_t)strlen(text) || n < 0); /* no more than the socket takes */
}

/* Bytes of answers that are there. */
static size_t receive(const oc_http *h)
{
    char sink[65536];
    size_t got = 0;
    for (ssize_t n = 1; n > 0; got += n > 0 ? (size_t)n : 0)
        n = recv(oc_http_fd(h), sink, sizeof(sink), MSG_DONTWAIT);
    return got;
}

/* Do those who flood come to ask in vain, five times in a row, while the other is answered? */
static bool have_to_wait(oc_http *const flood[FLOOD], const char *token, const oc_http *other,
                         const char *other_token)
{
    int in_vain = 0;
    for (uint64_t until = oc_deadline(BOUND_MS); in_vain < 5 && oc_deadline_left(until) > 0;) {
        size_t got = 0;
        for (int i = 0; i < FLOOD; i++)
            send_question(flood[i], token);
        send_question(other, other_token);
        ck_assert_int_eq(outcall_agent_server_process(f.server, NULL), 0);
        for (int i = 0; i < FLOOD; i++)
            got += receive(flood[i]);
        bool answered = receive(other) > 0;
        in_vain = got > 0 || !answered ? 0 : in_vain + 1;
    }
    return in_vain == 5;
}

/* T25: who asks on many connections at once is left alone for a while as soon as somebody else asks too. The
 * test drives the server itself, so that nothing else can slow anybody down. */
START_TEST(a_flood_has_its_share)
{
    char path[108], second[108], token[64], other[64];
    oc_http *flood[FLOOD];
    if (!begin(unlimited))
        return;
    open_agent("outcall-agent-a", path);
    open_agent("outcall-agent-b", second);
    identify("outcall-agent-a");
    identify("outcall-agent-b");
    for (int i = 0; i < FLOOD; i++)
        flood[i] = connect_to(path);
    oc_http *b = connect_to(second);
    check_in(flood[0], token);
    check_in(b, other);
    atomic_store(&f.stop, true);
    ck_assert_int_eq(pthread_join(f.driver, NULL), 0);
    ck_assert(have_to_wait(flood, token, b, other));
    atomic_store(&f.stop, false);
    ck_assert_int_eq(pthread_create(&f.driver, NULL, drive, NULL), 0);
    for (int i = 0; i < FLOOD; i++)
        (void)oc_http_free(flood[i]);
    (void)oc_http_free(b);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    outcall_agent_server_close(f.server, "outcall-agent-b");
    end();
}
END_TEST

static void two(outcall_agent_server_options *o)
{
    o->max_connections = 2;
}

/* Who keeps connections open for what it runs leaves room for its heartbeats. */
START_TEST(sessions_leave_room)
{
    char path[108], token[64];
    oc_http *held[6];
    if (!begin(two))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    for (size_t i = 0; i < OC_ARRAY_SIZE(held); i++) {
        held[i] = connect_to(path);
        check_in(held[i], token);
        check_in(held[i], token); /* the same connection counts once */
    }
    oc_http *h = connect_to(path);
    ck_assert_int_eq(ask(h, "POST", "/v1/checkin", NULL, "{}", NULL, 0), 429);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 200);
    held[0] = oc_http_free(held[0]);
    int status = 429;
    for (uint64_t until = oc_deadline(BOUND_MS); status == 429 && oc_deadline_left(until) > 0;)
        status = ask(h, "POST", "/v1/checkin", NULL, "{}", NULL, 0);
    ck_assert_int_eq(status, 200);
    (void)oc_http_free(h);
    for (size_t i = 1; i < OC_ARRAY_SIZE(held); i++)
        (void)oc_http_free(held[i]);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

static int reload_nothing(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    (void)userdata;
    (void)err;
    *ret_rules_n = 0;
    return 0;
}

static outcall_requests *store;

static void with_store(outcall_agent_server_options *o)
{
    outcall_requests_options r = OUTCALL_REQUESTS_OPTIONS_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *dir = oc_asprintf("%s/store", f.dir);
    OC_FREE char *rules_dir = oc_asprintf("%s/rules", f.dir);
    ck_assert_int_eq(mkdir(rules_dir, 0700), 0);
    r.dir = dir;
    r.rules_dir = rules_dir;
    r.reload = reload_nothing;
    ck_assert_msg(outcall_requests_new(&store, &r, &err) == 0, "%s", err.text);
    o->requests = store;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_store(void)
{
    store = outcall_requests_free(store);
    ck_assert_int_eq(nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    ck_assert_int_eq(mkdir(f.dir, 0700), 0); /* what end() expects */
    ck_assert_int_eq(mkdir(f.agents, 0755), 0);
}

#define RULE_FILE                                                                                         \
    "{\"rule_file\":\"version: \\\"1\\\"\\nrules:\\n  - {id: %s, condition: 'run.tool == \\\"make\\\"', " \
    "action: "                                                                                            \
    "allow}\\n\"}"

START_TEST(rule_requests)
{
    char path[108], second[108], token[64], other[64], body[1024], target[64], file[512];
    outcall_rule_request_state state;
    if (!begin(with_store))
        return;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    oc_http *h = connect_to(path);
    check_in(h, token);
    (void)oc_format(file, sizeof(file), RULE_FILE, "make");
    ck_assert_int_eq(ask(h, "POST", "/v1/requests/rules", token, file, body, sizeof(body)), 200);
    ck_assert_int_eq(outcall_rule_request_state_decode(body, strlen(body), &state, NULL), 0);
    ck_assert_str_eq(state.status, "pending");
    (void)oc_format(target, sizeof(target), "/v1/requests/rules/%s", state.id);
    ck_assert_int_eq(ask(h, "GET", target, token, NULL, body, sizeof(body)), 200);
    ck_assert_int_eq(outcall_requests_reject(store, state.id, "no \"make\" here", NULL), 0);
    ck_assert_int_eq(ask(h, "GET", target, token, NULL, body, sizeof(body)), 200);
    ck_assert_int_eq(outcall_rule_request_state_decode(body, strlen(body), &state, NULL), 0);
    ck_assert_str_eq(state.status, "rejected");
    ck_assert_str_eq(state.reason, "no \"make\" here");
    ck_assert_int_eq(ask(h, "GET", "/v1/requests/rules/rr-ffffffffffff", token, NULL, NULL, 0), 404);
    ck_assert_int_eq(ask(h, "GET", "/v1/requests/rules/../../x", token, NULL, NULL, 0), 404);
    ck_assert_int_eq(ask(h, "GET", "/v1/requests/rules/", token, NULL, NULL, 0), 404);
    (void)oc_format(file, sizeof(file), RULE_FILE, "-");
    ck_assert_int_eq(ask(h, "POST", "/v1/requests/rules", token, file, body, sizeof(body)), 422);
    ck_assert_ptr_nonnull(strstr(body, "\"code\":\"rules_invalid\""));
    ck_assert_int_eq(ask(h, "POST", "/v1/requests/rules", token, "{}", body, sizeof(body)), 400);

    open_agent("outcall-agent-b", second); /* somebody else's request is none */
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "b", 1);
    identify("outcall-agent-b");
    oc_http *b = connect_to(second);
    check_in(b, other);
    ck_assert_int_eq(ask(b, "GET", target, other, NULL, NULL, 0), 404);
    (void)oc_http_free(b);
    outcall_agent_server_close(f.server, "outcall-agent-b");

    for (int i = 0; i < 20; i++) /* ten a minute; three are used up */
        ck_assert_int_eq(ask(h, "POST", "/v1/requests/rules", token, "{}", NULL, 0), i < 7 ? 400 : 429);
    (void)oc_http_free(h);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    stop_server();
    remove_store();
    end();
}
END_TEST

/* A socket that closes while requests wait for the disk: nobody is left hanging, nothing is lost or used
 * later. */
START_TEST(closing_under_requests)
{
    char path[108], token[64], file[512];
    if (!begin(with_store))
        return;
    for (int round = 0; round < 20; round++) {
        oc_http *h[3];
        open_agent("outcall-agent-a", path);
        identify("outcall-agent-a");
        for (int i = 0; i < 3; i++) {
            h[i] = connect_to(path);
            check_in(h[i], token);
            (void)oc_format(file, sizeof(file),
                            "POST /v1/requests/rules HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                            "%s\r\nContent-Length: 17\r\n\r\n{\"rule_file\":\"x\"}",
                            token);
            ck_assert_int_eq(oc_write_all(oc_http_fd(h[i]), file, strlen(file)), 0);
        }
        outcall_agent_server_close(f.server, "outcall-agent-a");
        for (int i = 0; i < 3; i++)
            (void)oc_http_free(h[i]);
    }
    stop_server();
    remove_store();
    end();
}
END_TEST

UNIT_MAIN("agent_api", questions_and_answers, nothing_without_a_session, early_questions_wait,
          only_the_container_itself, a_checkin_can_be_refused, too_many_questions, sessions_leave_room,
          questions_out_of_time, a_flood_has_its_share, rule_requests, closing_under_requests)
