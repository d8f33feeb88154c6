/* The agent's client against a server that plays a script: what it asks, and that nothing but one clear,
 * well-formed yes in time is a yes. */
#include "support/agent_fixture.h"

/* ---- what is said ---- */

static void request_begins(size_t i, const char *text)
{
    ck_assert_uint_lt(i, peer.asked_n);
    ck_assert_msg(oc_starts_with(peer.asked[i], text), "%s", peer.asked[i]);
}

START_TEST(conversation)
{
    static const char *const args[] = {"status", "-s"};
    static const outcall_pair pair = {"mode", "r"};
    static const outcall_check full = {OUTCALL_SHELL_EXEC, "git", args, 2, "/work", &pair, 1};
    static const struct peer_step steps[] = {{YES, 0, PEER_STAYS, PEER_ASKED},
                                             {NO, 0, PEER_STAYS, PEER_ASKED},
                                             {STATE, 0, PEER_STAYS, PEER_ASKED},
                                             {STATE, 0, PEER_STAYS, PEER_ASKED},
                                             {SESSION(OTHER), 0, PEER_STAYS, PEER_ASKED},
                                             {YES, 0, PEER_STAYS, PEER_ASKED}};
    outcall_reply reply;
    outcall_session session;
    outcall_rule_request_state state;
    begin(steps, OC_ARRAY_SIZE(steps), 0);
    allowed();
    ck_assert_int_eq(outcall_agent_client_check(client, &full, &reply, NULL), 0);
    ck_assert_int_eq(reply.allowed, 0);
    ck_assert_int_eq(outcall_agent_client_request_rules(client, "a: b\n", 5, &state, NULL), 0);
    ck_assert_str_eq(state.id, "rr-0123456789ab");
    ck_assert_int_eq(outcall_agent_client_request_status(client, "rr-0123456789ab", &state, NULL), 0);
    ck_assert_str_eq(state.status, "pending");
    ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), 0);
    ck_assert_str_eq(session.token, OTHER);
    allowed();
    client = outcall_agent_client_free(client);
    peer_join(&peer);

    char pid[64];
    (void)snprintf(pid, sizeof(pid), "\"pid\":%d,\"version\":\"", (int)getpid());
    request_begins(0, "POST /v1/checkin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: ");
    ck_assert_ptr_nonnull(strstr(peer.asked[0], pid));
    ck_assert_ptr_null(strstr(peer.asked[0], "Authorization"));
    ck_assert_str_eq(peer.asked[1],
                     "POST /v1/permissions/check HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN
                     "\r\nContent-Type: application/json\r\nContent-Length: 56\r\n\r\n"
                     "{\"action_type\":\"tool_exec\",\"target\":\"git\",\"metadata\":{}}");
    ck_assert_ptr_nonnull(strstr(peer.asked[2],
                                 "\"metadata\":{\"args\":[\"status\",\"-s\"],\"cwd\":\"/work\","
                                 "\"mode\":\"r\"}}"));
    request_begins(3, "POST /v1/requests/rules HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN);
    ck_assert_ptr_nonnull(strstr(peer.asked[3], "\r\n\r\n{\"rule_file\":\"a: b\\n\"}"));
    ck_assert_str_eq(peer.asked[4], "GET /v1/requests/rules/rr-0123456789ab HTTP/1.1\r\nHost: localhost\r\n"
                                    "Authorization: Bearer " TOKEN "\r\n\r\n");
    ck_assert_ptr_null(strstr(peer.asked[5], "Authorization"));
    ck_assert_ptr_nonnull(strstr(peer.asked[6], "Authorization: Bearer " OTHER "\r\n"));
    peer_done(&peer);
}
END_TEST

/* ---- S005-EC-005: answers that are none, and what becomes of the connection ---- */

static const struct {
    const char *answer, *text;
    bool usable; /* the next question on the same connection is answered */
} malformed[] = {
    {ANSWER("0", ""), "malformed JSON", true},
    {ANSWER("7", "not now"), "malformed JSON", true},
    {ANSWER("2", "{}"), "success: required field is missing", true},
    {ANSWER("16", "{\"success\":true}"), "data: required field is missing", true},
    {ANSWER("26", "{\"success\":true,\"data\":{}}"), "allowed: required field is missing", true},
    {ANSWER("68", "{\"success\":true,\"data\":{\"allowed\":1,\"matched_rule\":null,\"reason\":0}}"),
     "allowed: expected a boolean, got an integer", true},
    {ANSWER("73", "{\"success\":true,\"data\":{\"allowed\":\"yes\",\"matched_rule\":null,\"reason\":\"\"}}"),
     "allowed: expected a boolean, got a string", true},
    {ANSWER("72", YES_BODY), "bytes behind its end", false},
    {ANSWER("75", YES_BODY "{}"), "malformed JSON: end of file expected", true},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n49\r\n" YES_BODY "\r\n1\r\n}\r\n0\r\n\r\n", "malformed JSON",
     true},
    {YES YES, "bytes behind its end", false},
    {YES_BODY, "no HTTP/1.1 status line", false},
    {"<html>0.9</html>\r\n", "no HTTP/1.1 status line", false},
    {"HTTP/0.9 200 OK\r\nContent-Length: 73\r\n\r\n" YES_BODY, "no HTTP/1.1 status line", false},
    {"HTTP/2 200 OK\r\nContent-Length: 73\r\n\r\n" YES_BODY, "no HTTP/1.1 status line", false},
    {"HTTP/1.1 301 Moved\r\nLocation: /v2\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 301", false},
    {"HTTP/1.1 302 Found\r\nLocation: http://a/\r\nContent-Length: 0\r\n\r\n", "HTTP status 302", false},
    {"HTTP/1.1 307 Moved\r\nLocation: /v1/permissions/check\r\nContent-Length: 73\r\n\r\n" YES_BODY,
     "HTTP status 307", false},
    {"HTTP/1.1 304 Same\r\n\r\n", "HTTP status 304", false},
    {"HTTP/1.1 201 Created\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 201", false},
    {"HTTP/1.1 202 Accepted\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 202", false},
    {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP status 204", false},
    {"HTTP/1.1 206 Partial\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 206", false},
    {"HTTP/1.1 299 Fine\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 299", false},
    {"HTTP/1.1 402 Pay\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 402", false},
    {"HTTP/1.1 500 Oops\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 500", false},
    {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP status 500", false},
    {"HTTP/1.1 501 Oops\r\nContent-Length: 73\r\n\r\n" YES_BODY, "HTTP status 501", false},
    {"HTTP/1.1 502 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP status 502", false},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n" YES, "change of protocol", false},
    {HEAD "\r\n" YES_BODY, "neither length nor chunks", false},
    {HEAD "Content-Length: 73\r\nContent-Length: 73\r\n\r\n" YES_BODY, "Content-Length is repeated", false},
    {HEAD "Content-Length: 10485760\r\n\r\n{", "longer than 65536 bytes", false},
    {HEAD "Content-Length: 65537\r\n\r\n{", "longer than 65536 bytes", false},
    {"HTTP/1.1 403 No\r\nContent-Length: 65537\r\n\r\n{", "longer than 65536 bytes", false},
};

START_TEST(malformed_answer)
{
    const struct peer_step steps[] = {{malformed[_i].answer, 0, PEER_STAYS, PEER_ASKED},
                                      {YES, 0, PEER_STAYS, PEER_ASKED}};
    begin(steps, 2, 0);
    asks(OUTCALL_E_PROTOCOL, malformed[_i].text);
    if (malformed[_i].usable)
        allowed();
    else
        for (int i = 0; i < 3; i++)
            asks(OUTCALL_E_CLOSED, "");
    end();
}
END_TEST

/* The same at the check-in: no session, and so no question either. */
START_TEST(malformed_checkin)
{
    const struct peer_step steps[] = {{malformed[_i].answer, 0, PEER_STAYS, PEER_ASKED},
                                      {YES, 0, PEER_STAYS, PEER_ASKED}};
    outcall_session session = {.heartbeat_s = 7};
    outcall_error err = OUTCALL_ERROR_INIT;
    int fd = -1;
    peer_pair(&peer, steps, 2, &fd);
    ck_assert_int_eq(outcall_agent_client_from_fd(&client, fd, 0, NULL), 0);
    ck_assert_int_eq(outcall_agent_client_checkin(client, &session, &err), OUTCALL_E_PROTOCOL);
    ck_assert_uint_eq(session.heartbeat_s, 7);
    asks(OUTCALL_E_INVALID, "not checked in");
    client = outcall_agent_client_free(client);
    peer_join(&peer);
    ck_assert_uint_eq(peer.asked_n, 1);
    peer_done(&peer);
}
END_TEST

/* A session that comes with another status than 200 is none. */
START_TEST(checkin_status)
{
    static const int statuses[][2] = {{201, OUTCALL_E_PROTOCOL}, {302, OUTCALL_E_PROTOCOL},
                                      {501, OUTCALL_E_PROTOCOL}, {403, OUTCALL_E_DENIED},
                                      {500, OUTCALL_E_PROTOCOL}, {429, OUTCALL_E_BUSY}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(statuses); i++) {
        OC_FREE char *answer =
            oc_asprintf("HTTP/1.1 %d Odd%s", statuses[i][0], strstr(SESSION(TOKEN), "\r\n"));
        const struct peer_step step = {answer, 0, PEER_STAYS, PEER_ASKED};
        outcall_session session;
        begin(&step, 1, 0);
        ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), statuses[i][1]);
        end();
    }
}
END_TEST

static char *filled(const char *head, const char *body, size_t size, size_t *ret_len)
{
    char *s = oc_asprintf("%s%s%*s", head, body, (int)(size - strlen(body)), "");
    ck_assert_ptr_nonnull(s);
    *ret_len = strlen(s);
    return s;
}

/* A body of exactly the limit is read; ten MiB in chunks are not. */
START_TEST(long_answers)
{
    size_t len = 0, huge_len = 0;
    OC_FREE char *most = filled(HEAD "Content-Length: 65536\r\n\r\n", YES_BODY, OUTCALL_AGENT_BODY_MAX, &len);
    OC_FREE char *huge =
        filled(HEAD "Transfer-Encoding: chunked\r\n\r\na00000\r\n", YES_BODY, (size_t)10 << 20, &huge_len);
    const struct peer_step steps[] = {{most, len, PEER_STAYS, PEER_ASKED},
                                      {huge, huge_len, PEER_STAYS, PEER_ASKED}};
    begin(steps, 2, 0);
    allowed();
    asks(OUTCALL_E_PROTOCOL, "longer than 65536 bytes");
    asks(OUTCALL_E_CLOSED, "");
    end();
}
END_TEST

/* A second answer that comes a little later is no answer to the next question. */
START_TEST(second_answer_later)
{
    static const struct peer_step steps[] = {{YES, 0, PEER_STAYS, PEER_ASKED},
                                             {YES, 0, PEER_STAYS, PEER_UNASKED}};
    begin(steps, 2, 0);
    allowed();
    peer_go(&peer);
    ck_assert_int_eq(oc_poll1(outcall_agent_client_fd(client), POLLIN, oc_deadline(10000)), POLLIN);
    asks(OUTCALL_E_PROTOCOL, "bytes that belong to no request");
    asks(OUTCALL_E_CLOSED, "");
    end();
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *answer;
    int code, kind, status;
    unsigned retry_after_s;
    const char *text;
} refusals[] = {
    {REFUSED("400 Bad", "", "56", "why", "invalid_request"), OUTCALL_E_DENIED, OUTCALL_KIND_INVALID_REQUEST,
     400, 0, "why"},
    {REFUSED("401 No", "", "45", "why", "what"), OUTCALL_E_DENIED, 0, 401, 0, "why"},
    {REFUSED("403 No", "", "50", "why", "forbidden"), OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN, 403, 0,
     "why"},
    {REFUSED("404 No", "", "58", "why", "request_not_found"), OUTCALL_E_DENIED,
     OUTCALL_KIND_REQUEST_NOT_FOUND, 404, 0, "why"},
    {REFUSED("413 Big", "", "50", "why", "too_large"), OUTCALL_E_DENIED, OUTCALL_KIND_TOO_LARGE, 413, 0,
     "why"},
    {REFUSED("422 No", "", "54", "why", "rules_invalid"), OUTCALL_E_DENIED, OUTCALL_KIND_RULES_INVALID, 422,
     0, "why"},
    {REFUSED("500 No", "", "49", "why", "internal"), OUTCALL_E_DENIED, OUTCALL_KIND_INTERNAL, 500, 0, "why"},
    {REFUSED("503 No", "", "50", "why", "not_ready"), OUTCALL_E_DENIED, OUTCALL_KIND_NOT_READY, 503, 0,
     "why"},
    {REFUSED("429 Slow", "Retry-After: 7\r\n", "45", "why", "what"), OUTCALL_E_BUSY, 0, 429, 7, "why"},
    {REFUSED("429 Slow", "", "45", "why", "what"), OUTCALL_E_BUSY, 0, 429, 0, "why"},
    {"HTTP/1.1 413 Big\r\nContent-Length: 13\r\n\r\n<html></html>", OUTCALL_E_DENIED, 0, 413, 0,
     "outcalld answered with HTTP status 413"},
    {"HTTP/1.1 403 No\r\nContent-Length: 73\r\n\r\n" YES_BODY, OUTCALL_E_DENIED, 0, 403, 0,
     "outcalld answered with HTTP status 403"},
    {"HTTP/1.1 429 Slow\r\nRetry-After: 4294967296\r\nContent-Length: 0\r\n\r\n", OUTCALL_E_BUSY, 0, 429, 0,
     "outcalld answered with HTTP status 429"},
    {REFUSED("200 OK", "", "50", "why", "not_ready"), OUTCALL_E_DENIED, OUTCALL_KIND_NOT_READY, 0, 0, "why"},
};

static void is_refusal(size_t i, int r, const outcall_error *err)
{
    ck_assert_msg(r == refusals[i].code, "%zu: %d (%s)", i, r, err->text);
    ck_assert_int_eq(err->kind, refusals[i].kind);
    ck_assert_int_eq(err->status, refusals[i].status);
    ck_assert_str_eq(err->text, refusals[i].text);
    ck_assert_uint_eq(outcall_agent_client_retry_after_s(client), refusals[i].retry_after_s);
}

/* A refused question leaves the connection as it was. */
START_TEST(refused)
{
    const struct peer_step step = {refusals[_i].answer, 0, PEER_STAYS, PEER_ASKED};
    const struct peer_step steps[] = {step, step, step, {YES, 0, PEER_STAYS, PEER_ASKED}};
    outcall_reply reply;
    outcall_rule_request_state state;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin(steps, OC_ARRAY_SIZE(steps), 0);
    is_refusal((size_t)_i, ask(&reply, &err), &err);
    outcall_error_clear(&err);
    is_refusal((size_t)_i, outcall_agent_client_request_rules(client, "a", 1, &state, &err), &err);
    outcall_error_clear(&err);
    is_refusal((size_t)_i, outcall_agent_client_request_status(client, "rr-0123456789ab", &state, &err),
               &err);
    allowed();
    end();
}
END_TEST

START_TEST(refused_checkin)
{
    const struct peer_step step = {refusals[_i].answer, 0, PEER_HANGS_UP, PEER_ASKED};
    outcall_session session;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin(&step, 1, 0); /* checks in, and then again */
    is_refusal((size_t)_i, outcall_agent_client_checkin(client, &session, &err), &err);
    asks(OUTCALL_E_INVALID, "not checked in"); /* the first token is gone */
    end();
}
END_TEST

/* A peer that says it will close is taken at its word. */
START_TEST(last_answer)
{
    begin_one(HEAD "Connection: close\r\nContent-Length: 73\r\n\r\n" YES_BODY, 0, PEER_STAYS);
    allowed();
    asks(OUTCALL_E_CLOSED, "closed after the last answer");
    end();
}
END_TEST

/* ---- the daemon goes away ---- */

START_TEST(cut_answers)
{
    for (size_t cut = 0; cut < strlen(YES); cut++) {
        begin_one(cut ? YES : NULL, cut, PEER_HANGS_UP);
        asks(OUTCALL_E_CLOSED, "");
        asks(OUTCALL_E_CLOSED, "");
        end();
    }
}
END_TEST

START_TEST(cut_checkins)
{
    for (size_t cut = 0; cut < strlen(session_step.answer); cut++) {
        const struct peer_step step = {cut ? session_step.answer : NULL, cut, PEER_HANGS_UP, PEER_ASKED};
        outcall_session session;
        int fd = -1;
        peer_pair(&peer, &step, 1, &fd);
        ck_assert_int_eq(outcall_agent_client_from_fd(&client, fd, 0, NULL), 0);
        ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), OUTCALL_E_CLOSED);
        ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), OUTCALL_E_CLOSED);
        end();
    }
}
END_TEST

/* The whole answer counts, also when nobody is there any more to say more. */
START_TEST(answer_then_hangup)
{
    begin_one(YES, 0, PEER_HANGS_UP);
    allowed();
    asks(OUTCALL_E_CLOSED, "");
    end();
}
END_TEST

START_TEST(gone_before_it_is_asked)
{
    outcall_session session;
    int sv[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    ck_assert_int_eq(outcall_agent_client_from_fd(&client, sv[0], 0, NULL), 0);
    ck_assert_int_eq(outcall_agent_client_fd(client), sv[0]);
    oc_close(sv[1]);
    ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), OUTCALL_E_CLOSED);
    client = outcall_agent_client_free(client);
}
END_TEST

/* One deadline for the whole call: a byte now and then does not push it. */
#define TIMEOUT_MS 400 /* enough for the check-in on a machine that is busy */
START_TEST(no_answer_in_time)
{
    static const struct peer_step steps[] = {{NULL, 0, PEER_STAYS, PEER_ASKED},
                                             {YES, 10, PEER_STAYS, PEER_ASKED},
                                             {YES, sizeof(YES) - 2, PEER_STAYS, PEER_ASKED},
                                             {YES, 0, PEER_STAYS, PEER_TRICKLES}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(steps); i++) {
        begin(&steps[i], 1, TIMEOUT_MS);
        uint64_t before = oc_now_ms();
        asks(OUTCALL_E_TIMEOUT, "in time");
        ck_assert_uint_lt(oc_now_ms() - before, 5000);
        asks(OUTCALL_E_CLOSED, "");
        end();
    }
}
END_TEST

/* A slow answer that comes in time is an answer. */
START_TEST(trickle_in_time)
{
    const struct peer_step step = {YES, 0, PEER_STAYS, PEER_TRICKLES};
    begin(&step, 1, 0);
    allowed();
    end();
}
END_TEST

/* The first failure stays in the caller's error. */
START_TEST(first_failure_wins)
{
    outcall_reply reply;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin_one(refusals[0].answer, 0, PEER_HANGS_UP);
    ck_assert_int_eq(ask(&reply, &err), OUTCALL_E_DENIED);
    ck_assert_int_eq(ask(&reply, &err), OUTCALL_E_CLOSED);
    ck_assert_int_eq(err.code, OUTCALL_E_DENIED);
    ck_assert_int_eq(err.status, 400);
    end();
}
END_TEST

int main(void)
{
    const TTest *const all[] = {conversation,        checkin_status,     long_answers,
                                second_answer_later, last_answer,        cut_answers,
                                cut_checkins,        answer_then_hangup, gone_before_it_is_asked,
                                no_answer_in_time,   trickle_in_time,    first_failure_wins};
    const struct unit_loop loops[] = {{malformed_answer, OC_ARRAY_SIZE(malformed)},
                                      {malformed_checkin, OC_ARRAY_SIZE(malformed)},
                                      {refused, OC_ARRAY_SIZE(refusals)},
                                      {refused_checkin, OC_ARRAY_SIZE(refusals)}};
    return unit_run("agent_client", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
