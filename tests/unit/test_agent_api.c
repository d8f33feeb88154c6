/* The agent API: who may ask, what is answered, and that nothing but a clear yes is one. */
#include "support/agent_server_fixture.h"
#include <sys/socket.h>
#include <sys/un.h>

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
    if (!begin(rules, NULL))
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
    if (!begin(rules, NULL))
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
    /* A running container that is looked at again keeps all it has. */
    open_agent("outcall-agent-a", second);
    identify("outcall-agent-a");
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 200);
    /* A container that stopped and started again has no sessions. */
    outcall_agent_server_stopped(f.server, "outcall-agent-a");
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), OUTCALL_E_CLOSED);
    (void)oc_http_free(h);
    identify("outcall-agent-a");
    h = connect_to(path);
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), 401);
    /* Nor has another one that takes its place, and its connections are none of that one's. */
    check_in(h, token);
    static const char *const labels[] = {"team=blue"};
    f.who.labels = labels;
    f.who.n_labels = 1;
    identify("outcall-agent-a");
    ck_assert_int_eq(ask(h, "POST", "/v1/heartbeat", token, NULL, NULL, 0), OUTCALL_E_CLOSED);
    (void)oc_http_free(h);
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
    if (!begin(rules, NULL))
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
    if (!begin(rules, NULL))
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
    if (!begin(rules, NULL))
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

#define RULE_FILE                                                                                         \
    "{\"rule_file\":\"version: \\\"1\\\"\\nrules:\\n  - {id: %s, condition: 'run.tool == \\\"make\\\"', " \
    "action: "                                                                                            \
    "allow}\\n\"}"

START_TEST(rule_requests)
{
    char path[108], second[108], token[64], other[64], body[1024], target[64], file[512];
    outcall_rule_request_state state;
    if (!begin(rules, with_store))
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
    ck_assert_int_eq(outcall_requests_reject(f.store, state.id, "no \"make\" here", NULL), 0);
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
    end();
}
END_TEST

/* A socket that closes while requests wait for the disk: nobody is left hanging, nothing is lost or used
 * later. */
START_TEST(closing_under_requests)
{
    char path[108], token[64], file[512];
    if (!begin(rules, with_store))
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
    end();
}
END_TEST

UNIT_MAIN("agent_api", questions_and_answers, nothing_without_a_session, early_questions_wait,
          only_the_container_itself, a_checkin_can_be_refused, rule_requests, closing_under_requests)
