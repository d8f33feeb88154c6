/* No leak of policy: the server is made to say all that it can say, and every byte of it must be on a list
 * (tests/support/agent_answer.h). At the end every refusal on the list has been heard, or the test says why
 * it cannot be. */
#include "support/agent_input.h"
#include "support/agent_server_fixture.h"
#include "support/agent_stream.h"
#include "support/failmalloc.h"
#include <sys/socket.h>

/* Several files: definitions, descriptions, conditions, tests; rules for others. None of it may leave but the
 * ids and the reasons of what applies to the agent. */
static const char file_one[] =
    "version: \"1\"\n"
    "definitions:\n"
    "  secret_def: run.tool == \"defmark\"\n"
    "rules:\n"
    "  - {id: yes, condition: 'run.tool == \"yes\" && run.cwd != \"conditionmark\"', action: allow, "
    "description: descriptionmark}\n"
    "  - {id: no, condition: 'run.tool == \"no\" || $secret_def', action: block, reason: because}\n"
    "  - {id: broken, condition: 'run.tool == \"broken\" && run.args[7] == \"x\"', action: block}\n"
    "  - {id: out, condition: 'run.context.action_type == \"checkin\" && agent.name == \"refused\"', action: "
    "block, reason: not today}\n"
    "  - {id: mute, condition: 'run.context.action_type == \"checkin\" && agent.name == \"mute\"', action: "
    "block}\n";
static const char file_two[] = "version: \"1\"\n"
                               "rules:\n"
                               "  - {id: theirs, agents: [other], condition: 'run.tool == \"theirmark\"', "
                               "action: block, reason: theirreason}\n"
                               "tests:\n"
                               "  - {name: testmark, context: {run: {tool: yes}}, expect: allow}\n";
static const char *const told_rules[] = {"yes", "no", "broken", NULL};
static const char *const told_reasons[] = {"because", "not today", "no \"make\" here", NULL};

#define CHECK "/v1/permissions/check"

static struct agent_known k;
static char token[64], path[108];

static void write_file(const char *name, const char *text)
{
    OC_FREE char *at = oc_asprintf("%s/rules/%s", f.dir, name);
    FILE *out = fopen(at, "we");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
}

static void use_rules(void)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *dir = oc_asprintf("%s/rules", f.dir);
    write_file("filemark-one.yaml", file_one);
    write_file("filemark-two.yaml", file_two);
    int r = outcall_policy_load_dir(&p, dir, NULL, &err);
    ck_assert_msg(r == 0, "%s:%d: %s", err.source, err.line, err.text);
    (void)outcall_policy_slot_swap(f.slot, p);
}

static bool start(void (*change)(outcall_agent_server_options *o))
{
    static const char none[] = "version: \"1\"\nrules: []\n";
    if (!begin(none, change))
        return false;
    memset(&k, 0, sizeof(k));
    k.agent = "a";
    k.container_id = "c1";
    k.name = "outcall-agent-a";
    k.rules = told_rules;
    k.reasons = told_reasons;
    k.heartbeat_s = 5;
    open_agent("outcall-agent-a", path);
    identify("outcall-agent-a");
    return true;
}

static void finish(void)
{
    outcall_agent_server_close(f.server, "outcall-agent-a");
    agent_forget(&k);
    end();
}

/* What has come is held against the lists. Returns the last status. */
static int look(const char *sent, size_t len, const struct oc_buf *answer)
{
    const char *s = answer->data ? answer->data : "";
    ck_assert_msg(agent_stream_ok(&k, sent, len, s, answer->len, false), "%s: %s\nafter: %.300s\nin: %s",
                  k.wrong, k.shown, sent, s);
    return k.status;
}

static bool receive(const oc_http *h, int flags, struct oc_buf *answer)
{
    char piece[4096];
    ssize_t n = recv(oc_http_fd(h), piece, sizeof(piece), flags);
    if (n > 0)
        agent_add(answer, piece, (size_t)n);
    return n > 0;
}

/* One request; its answer's status, and the answer when there is room for it. */
static int say_to(const char *to, const char *method, const char *target, const char *bearer,
                  const char *body, char *ret, size_t size)
{
    struct oc_buf req = OC_BUF_INIT, answer = OC_BUF_INIT;
    agent_says(&k, body, strlen(body));
    ck_assert_int_eq(oc_buf_printf(&req, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s", method,
                                   target, bearer ? "Authorization: Bearer " : "", bearer ? bearer : "",
                                   bearer ? "\r\n" : ""),
                     0);
    ck_assert_int_eq(oc_buf_printf(&req, "Content-Length: %zu\r\n\r\n%s", strlen(body), body), 0);
    oc_http *h = connect_to(to);
    (void)send(oc_http_fd(h), req.data, req.len, MSG_NOSIGNAL); /* it need not be read to its end */
    do
        ck_assert_int_gt(oc_poll1(oc_http_fd(h), POLLIN, oc_deadline(BOUND_MS)), 0);
    while (receive(h, 0, &answer));
    (void)oc_http_free(h);
    int status = look(req.data, req.len, &answer);
    if (ret)
        (void)snprintf(ret, size, "%s", answer.data ? answer.data : "");
    oc_buf_done(&req);
    oc_buf_done(&answer);
    return status;
}

static int say(const char *method, const char *target, const char *body)
{
    return say_to(path, method, target, token, body, NULL, 0);
}

static void get_token(const char *to, char ret[64])
{
    char answer[2048];
    ck_assert_int_eq(say_to(to, "POST", "/v1/checkin", NULL, "{\"hostname\":\"h\"}", answer, sizeof(answer)),
                     200);
    const char *at = strstr(answer, "tok-");
    ck_assert_ptr_nonnull(at);
    (void)oc_copy(ret, 64, at, 36);
}

static void many(outcall_agent_server_options *o)
{
    o->check_rate_n = 1000000;
    o->request_rate_n = 1000000;
    f.pending_max = 3;
    f.file_max = 20000;
    with_store(o);
}

static void hear(const char *text)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_refusals); i++)
        if (strcmp(agent_refusals[i].text, text) == 0 && k.seen[i])
            return;
    ck_abort_msg("never heard: %s", text);
}

/* Every row of these statuses whose text begins like this was heard. */
static void heard_all(const char *const *but)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_refusals); i++)
        if (!k.seen[i] && !agent_listed(but, agent_refusals[i].text))
            ck_abort_msg("never heard: %s", agent_refusals[i].text);
}

/* Each route, each method, with a session and without. */
static void every_route(void)
{
    static const char *const bodies[] = {"", "{}", "[]", "x"};
    for (size_t t = 0; t < OC_ARRAY_SIZE(agent_targets); t++)
        for (size_t m = 0; m < OC_ARRAY_SIZE(agent_methods); m++)
            for (size_t b = 0; b < OC_ARRAY_SIZE(bodies); b++) {
                (void)say(agent_methods[m], agent_targets[t], bodies[b]);
                (void)say_to(path, agent_methods[m], agent_targets[t], NULL, bodies[b], NULL, 0);
            }
}

static void every_body(const char *target)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_bodies); i++)
        (void)say("POST", target, agent_bodies[i]);
}

/* A body that is long in one place: this before it, n times that, numbered when it is more than one byte, and
 * this behind it. */
static int say_long(const char *target, const char *before, const char *each, size_t n, const char *behind)
{
    struct oc_buf b = OC_BUF_INIT;
    ck_assert_int_eq(oc_buf_str(&b, before), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(each[1] ? oc_buf_printf(&b, ",\"%zu\"%s", i, each + 1) : oc_buf_str(&b, each), 0);
    ck_assert_int_eq(oc_buf_str(&b, behind), 0);
    int status = say("POST", target, b.data);
    oc_buf_done(&b);
    return status;
}
#define QUESTION "{\"action_type\":\"tool_exec\",\"target\":\"x\",\"metadata\":{"

static void long_bodies(void)
{
    static const struct {
        const char *target, *before, *each;
        size_t n;
        const char *behind;
        int status;
    } rows[] = {
        {"/v1/checkin", "{\"hostname\":\"", "x", 256, "\"}", 400},
        {"/v1/checkin", "{\"version\":\"", "x", 256, "\"}", 400},
        {"/v1/checkin", "{\"", "u", 500, "\":1}", 400},
        {"/v1/checkin", "", "x", 65537, "", 413},
        {CHECK, "{\"action_type\":\"tool_exec\",\"target\":\"", "x", 4097, "\"}", 400},
        {CHECK, QUESTION "\"k\":\"\"", "::\"\"", 64, "}}", 400},
        {CHECK, QUESTION "\"", "k", 65, "\":\"\"}}", 400},
        {CHECK, QUESTION "\"key\":\"", "v", 4097, "\"}}", 400},
        {CHECK, QUESTION "\"cwd\":\"/", "v", 4097, "\"}}", 400},
        {CHECK, QUESTION "\"args\":[\"\"", ", ", 1024, "]}}", 400},
        {"/v1/requests/rules", "{\"rule_file\":\"", "#", 20001, "\"}", 422},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(say_long(rows[i].target, rows[i].before, rows[i].each, rows[i].n, rows[i].behind),
                         rows[i].status);
}

/* Writes, and drives the server until it has nothing more to do: not everything ends its connection. With an
 * allocation that fails when nth is not 0; returns whether it came to that. */
static bool hostile(const char *bytes, size_t len, long nth)
{
    struct oc_buf answer = OC_BUF_INIT;
    oc_http *h = connect_to(path);
    int fd = outcall_agent_server_fd(f.server);
    (void)send(oc_http_fd(h), bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    failmalloc_arm(nth);
    while (oc_poll1(fd, POLLIN, oc_deadline(0)) > 0 || outcall_agent_server_timeout_ms(f.server) == 0)
        if (outcall_agent_server_process(f.server, NULL) < 0)
            abort(); /* Check's own asserts allocate, and would be failed */
    bool fired = failmalloc_fired();
    failmalloc_arm(0);
    while (receive(h, MSG_DONTWAIT, &answer))
        ;
    (void)oc_http_free(h);
    (void)look(bytes, len, &answer);
    oc_buf_done(&answer);
    return fired;
}

/* Each allocation that an answer takes fails once. */
static void out_of_memory(void)
{
    static const char *const requests[][2] = {
        {"/v1/checkin", "{\"hostname\":\"h\"}"},
        {"/v1/heartbeat", ""},
        {CHECK, "{\"action_type\":\"tool_exec\",\"target\":\"yes\",\"metadata\":{\"args\":[\"-a\"]}}"},
        {CHECK, "{\"action_type\":\"tool_exec\",\"target\":\"no\"}"},
        {CHECK, "{\"action_type\":\"network_call\",\"target\":\"https://a/\"}"},
        {"/v1/requests/rules", "{\"rule_file\":1}"},
        {"/%00", ""}};
    char bytes[1024];
    stop_driver();
    for (size_t i = 0; i < OC_ARRAY_SIZE(requests); i++) {
        agent_says(&k, requests[i][1], strlen(requests[i][1]));
        (void)snprintf(bytes, sizeof(bytes),
                       "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: "
                       "%zu\r\n\r\n%s",
                       requests[i][0], token, strlen(requests[i][1]), requests[i][1]);
        for (long nth = 1; hostile(bytes, strlen(bytes), nth); nth++)
            ;
    }
    start_driver();
}

/* No HTTP, or hardly. */
static void hostile_http(void)
{
    static const char nul[] = "POST /v1/checkin HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{\0";
    struct oc_buf big = OC_BUF_INIT;
    agent_says(&k, "{}", 2);
    stop_driver();
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_no_http); i++)
        (void)hostile(agent_no_http[i], strlen(agent_no_http[i]), 0);
    (void)hostile(nul, sizeof(nul) - 1, 0);
    (void)hostile("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0);
    ck_assert_int_eq(oc_buf_str(&big, "GET / HTTP/1.1\r\nHost: "), 0);
    for (int i = 0; i < 70000; i++)
        ck_assert_int_eq(oc_buf_char(&big, 'x'), 0);
    (void)hostile(big.data, big.len, 0);
    oc_buf_done(&big);
    start_driver();
}

/* The request's id out of an answer. */
static void submit(const char *to, const char *bearer, const char *id, char ret_target[64])
{
    char body[512], answer[2048];
    (void)snprintf(body, sizeof(body), ONE_RULE("%s", "run.tool == \\\"make\\\""), id);
    ck_assert_int_eq(say_to(to, "POST", "/v1/requests/rules", bearer, body, answer, sizeof(answer)), 200);
    const char *at = strstr(answer, "\"rr-");
    ck_assert_ptr_nonnull(at);
    (void)snprintf(ret_target, 64, "/v1/requests/rules/%.15s", at + 1);
}

static void rule_files(void)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_bad_files); i++) {
        int status = say("POST", "/v1/requests/rules", agent_bad_files[i]);
        ck_assert_msg(status == 422, "%s: %d", agent_bad_files[i], status);
    }
}

/* A second is all that a file's tests may take: a hundred rules, each until its steps run out, fifty times.
 */
static void slow_file(void)
{
    struct oc_buf b = OC_BUF_INIT;
    ck_assert_int_eq(oc_buf_str(&b, "{\"rule_file\":\"version: \\\"1\\\"\\ndefinitions:\\n  many: '[1"), 0);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(oc_buf_str(&b, ",1"), 0);
    ck_assert_int_eq(oc_buf_str(&b, "]'\\n  slow: '$many.all(a, $many.all(b, $many.all(c, a + b + c != "
                                    "size(run.tool) + 9)))'\\nrules:\\n"),
                     0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(oc_buf_printf(&b, "  - {id: slow%d, action: allow, condition: $slow}\\n", i), 0);
    ck_assert_int_eq(oc_buf_str(&b, "tests:\\n"), 0);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(oc_buf_printf(&b, "  - {name: t%d, context: {run: {tool: x}}, expect: block}\\n", i),
                         0);
    ck_assert_int_eq(oc_buf_str(&b, "\"}"), 0);
    ck_assert_int_eq(say("POST", "/v1/requests/rules", b.data), 422);
    oc_buf_done(&b);
    hear("the tests take too long");
}

static void requests(void)
{
    char second[108], other[64], theirs[64], first[64], target[64];
    rule_files();
    slow_file();
    submit(path, token, "one", first);
    ck_assert_int_eq(say("GET", first, ""), 200);
    ck_assert_int_eq(outcall_requests_reject(f.store, strrchr(first, '/') + 1, told_reasons[2], NULL), 0);
    ck_assert_int_eq(say("GET", first, ""), 200);
    submit(path, token, "two", target);
    ck_assert_int_eq(outcall_requests_approve(f.store, strrchr(target, '/') + 1, NULL, NULL), 0);
    ck_assert_int_eq(say("GET", target, ""), 200);

    struct agent_known mine = k; /* somebody else's lists, and back */
    memset(&k.said, 0, sizeof(k.said));
    memset(&k.files, 0, sizeof(k.files));
    k.own_n = 0;
    k.agent = "b";
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "b", 1);
    open_agent("outcall-agent-b", second);
    identify("outcall-agent-b");
    get_token(second, other);
    submit(second, other, "three", theirs);
    ck_assert_int_eq(say_to(second, "GET", first, other, "", NULL, 0), 404);
    outcall_agent_server_close(f.server, "outcall-agent-b");
    agent_forget(&k);
    memcpy(mine.seen, k.seen, sizeof(k.seen));
    k = mine;
    ck_assert_int_eq(say("GET", theirs, ""), 404);
    for (int i = 0; i < 3; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "more%d", i);
        submit(path, token, id, target);
    }
    ck_assert_int_eq(say("POST", "/v1/requests/rules", ONE_RULE("four", "true")), 422);
    hear("too many requests are pending");
}

START_TEST(everything)
{
    /* What takes a broken disk, or a daemon that stops; what cannot fail as things are; what the other tests
     * hear. */
    static const char *const never[] = {"the rules cannot be asked",
                                        "the check-in cannot be judged",
                                        "the request was not answered",
                                        "the request cannot be kept",
                                        "the request cannot be read",
                                        "the socket is closed",
                                        "the rules take too long",
                                        "the agent API is not ready",
                                        "too many requests",
                                        NULL};
    if (!start(many))
        return;
    use_rules();
    get_token(path, token);
    every_route();
    every_body("/v1/checkin");
    every_body("/v1/permissions/check");
    every_body("/v1/requests/rules");
    long_bodies();
    hostile_http();
    out_of_memory();
    requests();
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "refused", 7);
    identify("outcall-agent-a");
    ck_assert_int_eq(say("POST", "/v1/checkin", "{}"), 403);
    (void)oc_copy(f.who.agent, sizeof(f.who.agent), "mute", 4);
    identify("outcall-agent-a");
    ck_assert_int_eq(say("POST", "/v1/checkin", "{}"), 403);
    char outside[128];
    (void)oc_copy(outside, sizeof(outside), f.cgroup_dir,
                  (size_t)(strrchr(f.cgroup_dir, '/') - f.cgroup_dir));
    cgroup_move(outside, getpid());
    ck_assert_int_eq(say("POST", "/v1/checkin", "{}"), 403);
    heard_all(never);
    finish();
}
END_TEST

static void few(outcall_agent_server_options *o)
{
    o->check_rate_n = 2;
    o->check_rate_window_s = 3600;
}

START_TEST(too_many)
{
    if (!start(few))
        return;
    get_token(path, token);
    ck_assert_int_eq(say("POST", "/v1/permissions/check", "{}"), 400);
    ck_assert_int_eq(say("POST", "/v1/permissions/check", "{}"), 429);
    hear("too many requests");
    finish();
}
END_TEST

static void not_ready(outcall_agent_server_options *o)
{
    o->policy = NULL;
}

START_TEST(too_early)
{
    if (!start(not_ready))
        return;
    ck_assert_int_eq(say("POST", "/v1/checkin", "{}"), 503);
    hear("the agent API is not ready");
    finish();
}
END_TEST

static void soon(outcall_agent_server_options *o)
{
    o->eval_timeout_ms = 1;
}

/* Rules that take long are not named. */
START_TEST(too_long)
{
    struct oc_buf b = OC_BUF_INIT;
    outcall_policy *slow = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    if (!start(soon))
        return;
    get_token(path, token);
    ck_assert_int_eq(oc_buf_str(&b, "version: \"1\"\ndefinitions:\n  many: '[1"), 0);
    for (int i = 0; i < 80; i++)
        ck_assert_int_eq(oc_buf_str(&b, ",1"), 0);
    ck_assert_int_eq(oc_buf_str(&b, "]'\nrules:\n"), 0);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(
            oc_buf_printf(&b,
                          "  - {id: slow%d, action: allow, condition: '$many.all(a, $many.all(b, "
                          "$many.all(c, a + b + c != size(run.tool) + 9)))'}\n",
                          i),
            0);
    int r = outcall_policy_load_text(&slow, NULL, b.data, b.len, NULL, &err);
    ck_assert_msg(r == 0, "%d:%d: %s", err.line, err.column, err.text);
    oc_buf_done(&b);
    (void)outcall_policy_slot_swap(f.slot, slow);
    ck_assert_int_eq(say("POST", "/v1/permissions/check", "{\"action_type\":\"tool_exec\",\"target\":\"x\"}"),
                     200);
    ck_assert_int_eq(say("POST", "/v1/checkin", "{}"), 403);
    hear("the rules take too long");
    finish();
}
END_TEST

UNIT_MAIN("agent_leak", everything, too_many, too_early, too_long)
