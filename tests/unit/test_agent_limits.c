/* The agent API's limits: what one container may ask for, hold and cost. */
#include "base/buf.h"
#include "support/agent_server_fixture.h"
#include <sys/socket.h>

static const char rules[] = "version: \"1\"\n"
                            "rules:\n"
                            "  - {id: me, condition: 'run.tool == \"whoami\"', action: allow}\n";

static void few(outcall_agent_server_options *o)
{
    o->check_rate_n = 5;
    o->check_rate_window_s = 3600;
}

START_TEST(too_many_questions)
{
    static const char question[] = "{\"action_type\":\"tool_exec\",\"target\":\"whoami\"}";
    char path[108], token[64], body[512];
    if (!begin(rules, few))
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
    if (!begin(rules, soon))
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
    if (!begin(rules, unlimited))
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
    stop_driver();
    ck_assert(have_to_wait(flood, token, b, other));
    start_driver();
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
    if (!begin(rules, two))
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

UNIT_MAIN("agent_limits", too_many_questions, sessions_leave_room, questions_out_of_time,
          a_flood_has_its_share)
