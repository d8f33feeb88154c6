/* The agent's client against a server that plays a script: what it asks, and that nothing but one clear,
 * well-formed yes in time is a yes. */
#include "outcall/agent_client.h"
#include "support/scripted_peer.h"
#include "unit.h"
#include <errno.h>
#include <sys/stat.h>

#define TOKEN "tok-0123456789abcdef0123456789abcdef"
#define OTHER "tok-ffffffffffffffffffffffffffffffff"

#define HEAD              "HTTP/1.1 200 OK\r\n"
#define ANSWER(len, body) HEAD "Content-Length: " len "\r\n\r\n" body
#define SESSION(token)                                                                                      \
    ANSWER("158", "{\"success\":true,\"data\":{\"container_id\":\"c0ffee\",\"name\":\"agent-a\",\"session_" \
                  "token\":\"" token "\",\"context_keys\":[],\"heartbeat_secs\":5}}")
#define YES_BODY "{\"success\":true,\"data\":{\"allowed\":true,\"matched_rule\":\"r\",\"reason\":null}}"
#define YES      ANSWER("73", YES_BODY)
#define NO \
    ANSWER("74", "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":\"r\",\"reason\":null}}")
#define OK_ANSWER ANSWER("16", "{\"success\":true}")
#define STATE \
    ANSWER(   \
        "81", \
        "{\"success\":true,\"data\":{\"id\":\"rr-0123456789ab\",\"status\":\"pending\",\"reason\":null}}")

static const outcall_check question = {OUTCALL_TOOL_EXEC, "git", NULL, 0, NULL, NULL, 0};
static const struct peer_step session_step = {SESSION(TOKEN), 0, PEER_STAYS, PEER_ASKED};

/* A client that is checked in with a peer which then plays the steps. */
static struct peer peer;
static outcall_agent_client *client;

static void begin(const struct peer_step *steps, size_t n, uint64_t timeout_ms)
{
    struct peer_step all[PEER_STEPS_MAX] = {session_step};
    outcall_session session;
    outcall_error err = OUTCALL_ERROR_INIT;
    int fd = -1;
    memcpy(all + 1, steps, n * sizeof(*steps));
    peer_pair(&peer, all, n + 1, &fd);
    ck_assert_int_eq(outcall_agent_client_from_fd(&client, fd, timeout_ms, NULL), 0);
    ck_assert_msg(outcall_agent_client_checkin(client, &session, &err) == 0, "%s", err.text);
    ck_assert_str_eq(session.container_id, "c0ffee");
    ck_assert_str_eq(session.name, "agent-a");
    ck_assert_str_eq(session.token, TOKEN);
    ck_assert_uint_eq(session.heartbeat_s, 5);
}

static void begin_one(const char *answer, size_t len, enum peer_after after)
{
    const struct peer_step step = {answer, len, after, PEER_ASKED};
    begin(&step, 1, 0);
}

static void end(void)
{
    client = outcall_agent_client_free(client);
    peer_join(&peer);
    peer_done(&peer);
}

/* Asks over a reply that says yes; unless the call succeeds, not a byte of that may be left. */
static int ask(outcall_reply *ret, outcall_error *err)
{
    static const outcall_reply zero;
    memset(ret, 1, sizeof(*ret));
    int r = outcall_agent_client_check(client, &question, ret, err);
    ck_assert(r == 0 || memcmp(ret, &zero, sizeof(zero)) == 0);
    return r;
}

static void asks(int code, const char *text)
{
    outcall_reply reply;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = ask(&reply, &err);
    ck_assert_msg(r == code, "%d: %s", r, err.text);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, text), "\"%s\" lacks \"%s\"", err.text, text);
}

static void allowed(void)
{
    outcall_reply reply;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(ask(&reply, &err) == 0, "%s", err.text);
    ck_assert_int_eq(reply.allowed, 1);
    ck_assert_str_eq(reply.rule_id, "r");
    ck_assert_str_eq(reply.reason, "");
}

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

static char *filled(const char *head, const char *body, size_t size, size_t *ret_len)
{
    size_t n = strlen(head);
    char *s = malloc(n + size);
    ck_assert_ptr_nonnull(s);
    memset(s, ' ', n + size);
    memcpy(s, head, n);
    memcpy(s + n, body, strlen(body));
    *ret_len = n + size;
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

#define REFUSED(status, more, len, text, code)                                                    \
    "HTTP/1.1 " status "\r\n" more "Content-Length: " len "\r\n\r\n{\"success\":false,\"error\":" \
    "\"" text "\",\"code\":\"" code "\"}"

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
    const struct peer_step step = {refusals[_i].answer, 0, PEER_STAYS, PEER_ASKED};
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
START_TEST(no_answer_in_time)
{
    static const struct peer_step steps[] = {{NULL, 0, PEER_STAYS, PEER_ASKED},
                                             {YES, 10, PEER_STAYS, PEER_ASKED},
                                             {YES, sizeof(YES) - 2, PEER_STAYS, PEER_ASKED},
                                             {YES, 0, PEER_STAYS, PEER_TRICKLES}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(steps); i++) {
        begin(&steps[i], 1, steps[i].how == PEER_TRICKLES ? 60 : 30);
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

/* ---- sockets ---- */

static char dir[32];

static void make_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/agent-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(peer.path, sizeof(peer.path), "%s/s", dir);
}

static void remove_dir(void)
{
    (void)unlink(peer.path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static int connect_with(const char *path, uint64_t timeout_ms, outcall_error *err)
{
    outcall_agent_client_options o = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    o.socket_path = path;
    o.timeout_ms = timeout_ms;
    return outcall_agent_client_new(&client, &o, err);
}

static void connect_fails(const char *path, int code, int sys_errno, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = connect_with(path, 50, &err);
    ck_assert_msg(r == code, "%s: %d (%s)", path, r, err.text);
    ck_assert_int_eq(err.sys_errno, sys_errno);
    ck_assert_msg(strstr(err.text, text), "\"%s\" lacks \"%s\"", err.text, text);
    ck_assert_ptr_null(client);
}

START_TEST(nobody_there)
{
    char below[128];
    make_dir();
    connect_fails(peer.path, OUTCALL_E_NOT_FOUND, 0, "agent socket not found at /tmp/agent-client-");
    int fd = peer_listen(peer.path, 1);
    (void)snprintf(below, sizeof(below), "%s/below", peer.path);
    connect_fails(below, OUTCALL_E_NOT_FOUND, 0, "agent socket not found at ");
    oc_close(fd); /* the file stays: a stale socket */
    connect_fails(peer.path, OUTCALL_E_UNREACHABLE, ECONNREFUSED, "Connection refused");
    connect_fails(dir, OUTCALL_E_UNREACHABLE, ECONNREFUSED, "Connection refused");
    ck_assert_int_eq(unlink(peer.path), 0);
    ck_assert_int_eq(symlink("s", peer.path), 0);
    connect_fails(peer.path, OUTCALL_E_UNREACHABLE, ELOOP, "cannot connect to ");
    remove_dir();
}
END_TEST

/* A backlog that nobody empties holds a connect up, but no longer than the client's time. */
START_TEST(backlog_full)
{
    make_dir();
    int fd = peer_listen(peer.path, 0);
    outcall_agent_client *first = NULL;
    ck_assert_int_eq(connect_with(peer.path, 1000, NULL), 0);
    first = oc_take_ptr(&client);
    connect_fails(peer.path, OUTCALL_E_TIMEOUT, 0, "accepts no connection in time");
    first = outcall_agent_client_free(first);
    oc_close(fd);
    remove_dir();
}
END_TEST

/* Checks in at peer.path; the peer's thread has then closed that connection, or keeps it, as after says. */
static void begin_at_path(const struct peer_step *steps, size_t n, enum peer_after after, uint64_t timeout_ms)
{
    struct peer_step all[PEER_STEPS_MAX] = {session_step};
    outcall_session session;
    all[0].after = after;
    memcpy(all + 1, steps, n * sizeof(*steps));
    peer_socket(&peer, all, n + 1);
    ck_assert_int_eq(connect_with(peer.path, timeout_ms, NULL), 0);
    ck_assert_int_eq(outcall_agent_client_checkin(client, &session, NULL), 0);
}

START_TEST(heartbeats)
{
    static const struct {
        const char *answer;
        int code;
        const char *text;
    } cases[] = {
        {OK_ANSWER, 0, ""},
        {ANSWER("36", "{\"success\":true,\"data\":{\"ok\":true}}\n"), 0, ""},
        {REFUSED("401 No", "", "45", "why", "what"), OUTCALL_E_DENIED, "why"},
        {REFUSED("429 Slow", "Retry-After: 3\r\n", "45", "why", "what"), OUTCALL_E_BUSY, "why"},
        {ANSWER("2", "ok"), OUTCALL_E_PROTOCOL, "malformed JSON"},
        {ANSWER("18", "{\"success\":\"true\"}"), OUTCALL_E_PROTOCOL, "success: expected a boolean"},
        {"HTTP/1.1 204 No Content\r\n\r\n", OUTCALL_E_PROTOCOL, "HTTP status 204"},
        {OK_ANSWER "x", OUTCALL_E_PROTOCOL, "bytes behind its end"},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        const struct peer_step step = {cases[i].answer, 0, PEER_STAYS, PEER_ASKED};
        outcall_error err = OUTCALL_ERROR_INIT;
        make_dir();
        begin_at_path(&step, 1, PEER_HANGS_UP, 0);
        int r = outcall_agent_client_heartbeat(client, &err);
        ck_assert_msg(r == cases[i].code, "%zu: %d (%s)", i, r, err.text);
        ck_assert_msg(strstr(err.text, cases[i].text), "\"%s\" lacks \"%s\"", err.text, cases[i].text);
        client = outcall_agent_client_free(client);
        peer_join(&peer);
        ck_assert_str_eq(peer.asked[1],
                         "POST /v1/heartbeat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN
                         "\r\nContent-Length: 0\r\n\r\n");
        peer_done(&peer);
        remove_dir();
    }
}
END_TEST

/* S005-EC-002, EC-010: the heartbeat sees what lies at the path now; the first connection knows nothing of
 * it.
 */
START_TEST(heartbeat_after_the_socket_changed)
{
    static const struct peer_step yes = {YES, 0, PEER_STAYS, PEER_ASKED};
    static const struct peer_step stranger = {REFUSED("401 No", "", "45", "why", "what"), 0, PEER_HANGS_UP,
                                              false};
    struct peer other = {.fd = -1};
    outcall_error err = OUTCALL_ERROR_INIT;
    make_dir();
    begin_at_path(&yes, 1, PEER_STAYS, 200);
    ck_assert_int_eq(unlink(peer.path), 0);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, &err), OUTCALL_E_NOT_FOUND);
    (void)oc_copy(other.path, sizeof(other.path), peer.path, strlen(peer.path));
    peer_socket(&other, &stranger, 1);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, NULL), OUTCALL_E_DENIED);
    peer_join(&other); /* and now it is stale */
    peer_done(&other);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, NULL), OUTCALL_E_UNREACHABLE);
    allowed();
    end();
    remove_dir();
}
END_TEST

/* A daemon that hangs accepts (its kernel does) and says nothing. */
START_TEST(heartbeat_to_a_hung_daemon)
{
    make_dir();
    begin_at_path(&session_step, 0, PEER_STAYS, 50);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, NULL), OUTCALL_E_TIMEOUT);
    end();
    remove_dir();
}
END_TEST

/* ---- arguments ---- */

START_TEST(not_checked_in)
{
    outcall_rule_request_state state;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_CLOSE int other = -1;
    int sv[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    other = sv[1];
    ck_assert_int_eq(outcall_agent_client_from_fd(&client, sv[0], 0, NULL), 0);
    asks(OUTCALL_E_INVALID, "not checked in");
    ck_assert_int_eq(outcall_agent_client_request_rules(client, "a", 1, &state, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_status(client, "rr-0123456789ab", &state, NULL),
                     OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, &err), OUTCALL_E_UNSUPPORTED);
    client = outcall_agent_client_free(client);
    char byte = 0;
    ck_assert_int_eq(read(other, &byte, 1), 0); /* and nothing was sent */
    outcall_error_clear(&err);
    make_dir();
    int fd = peer_listen(peer.path, 1);
    ck_assert_int_eq(connect_with(peer.path, 0, NULL), 0);
    ck_assert_int_eq(outcall_agent_client_heartbeat(client, &err), OUTCALL_E_INVALID);
    client = outcall_agent_client_free(client);
    oc_close(fd);
    remove_dir();
}
END_TEST

/* What cannot be said is refused here, and the connection knows nothing of it. */
START_TEST(unsendable)
{
    static const outcall_check bad = {OUTCALL_TOOL_EXEC, "", NULL, 0, NULL, NULL, 0};
    static const char *const ids[] = {
        "", "rr-", "rr-0123456789a", "rr-0123456789abc", "rr-0123456789aB", "../../v1/aaaaaaa"};
    outcall_reply reply = {1, "r", "r"};
    outcall_rule_request_state state;
    OC_FREE char *huge = calloc(1, OUTCALL_AGENT_BODY_MAX);
    memset(huge, 'a', OUTCALL_AGENT_BODY_MAX);
    begin_one(YES, 0, PEER_STAYS);
    ck_assert_int_eq(outcall_agent_client_check(client, &bad, &reply, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(reply.allowed, 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(ids); i++)
        ck_assert_int_eq(outcall_agent_client_request_status(client, ids[i], &state, NULL),
                         OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_rules(client, huge, OUTCALL_AGENT_BODY_MAX, &state, NULL),
                     OUTCALL_E_LIMIT);
    allowed();
    end();
}
END_TEST

START_TEST(arguments)
{
    outcall_agent_client_options o = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    outcall_session session;
    outcall_reply reply = {1, "r", "r"};
    outcall_rule_request_state state;
    char path[120];
    ck_assert_ptr_null(outcall_agent_client_free(NULL));
    ck_assert_int_eq(outcall_agent_client_fd(NULL), -1);
    ck_assert_uint_eq(outcall_agent_client_retry_after_s(NULL), 0);
    ck_assert_int_eq(outcall_agent_client_new(NULL, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_from_fd(NULL, 0, 0, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_from_fd(&client, -1, 0, NULL), OUTCALL_E_SYSTEM);
    o.version = 2;
    ck_assert_int_eq(outcall_agent_client_new(&client, &o, NULL), OUTCALL_E_INVALID);
    memset(path, '/', sizeof(path));
    path[108] = '\0';
    connect_fails(path, OUTCALL_E_INVALID, 0, "socket path: expected 1 to 107 bytes, got 108");
    connect_fails("", OUTCALL_E_INVALID, 0, "socket path: expected 1 to 107 bytes, got 0");
    path[107] = '\0';
    connect_fails(path, OUTCALL_E_UNREACHABLE, ECONNREFUSED, "refused"); /* "/", which is no socket */
    ck_assert_int_eq(outcall_agent_client_checkin(NULL, &session, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_check(NULL, &question, &reply, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(reply.allowed, 0);
    ck_assert_int_eq(outcall_agent_client_heartbeat(NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_rules(NULL, "a", 1, &state, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_status(NULL, "a", &state, NULL), OUTCALL_E_INVALID);
    begin_one(YES, 0, PEER_STAYS);
    ck_assert_int_eq(outcall_agent_client_checkin(client, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_check(client, NULL, &reply, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_check(client, &question, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_rules(client, NULL, 1, &state, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_rules(client, "a", 1, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_status(client, NULL, &state, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_client_request_status(client, "a", NULL, NULL), OUTCALL_E_INVALID);
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

/* ---- threads ---- */

#define THREADS   8
#define QUESTIONS 100

/* Each connection is answered with the target it asked about, so that a mix-up shows. */
static void *echo_run(void *userdata)
{
    struct peer p = {.listen_fd = -1, .fd = *(int *)userdata};
    char answer[512], body[256];
    for (int i = 0; i <= QUESTIONS && peer_read(&p); i++) {
        char *asked = p.asked[--p.asked_n];
        char *target = strstr(asked, "\"target\":\"");
        target = target ? target + strlen("\"target\":\"") : NULL;
        (void)snprintf(
            body, sizeof(body),
            "{\"success\":true,\"data\":{\"allowed\":true,\"matched_rule\":null,\"reason\":\"%.*s\"}}",
            target ? (int)strcspn(target, "\"") : 0, target ? target : "");
        (void)snprintf(answer, sizeof(answer), HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
        peer_send(p.fd, target ? answer : SESSION(TOKEN), strlen(target ? answer : SESSION(TOKEN)), false);
        free(asked);
    }
    oc_close(p.fd);
    return NULL;
}

struct asker {
    int fd, number;
    const char *failure;
};

static void *asker_run(void *userdata)
{
    struct asker *a = userdata;
    outcall_agent_client *c = NULL;
    outcall_session session;
    char target[32];
    outcall_check check = {OUTCALL_TOOL_EXEC, target, NULL, 0, NULL, NULL, 0};
    if (outcall_agent_client_from_fd(&c, a->fd, 0, NULL) < 0 ||
        outcall_agent_client_checkin(c, &session, NULL) < 0)
        a->failure = "check-in";
    for (int i = 0; !a->failure && i < QUESTIONS; i++) {
        outcall_reply reply;
        (void)snprintf(target, sizeof(target), "tool-%d-%d", a->number, i);
        if (outcall_agent_client_check(c, &check, &reply, NULL) < 0 || !reply.allowed)
            a->failure = "question";
        else if (strcmp(reply.reason, target) != 0)
            a->failure = "somebody else's answer";
    }
    c = outcall_agent_client_free(c);
    return NULL;
}

START_TEST(side_by_side)
{
    struct asker askers[THREADS] = {{0}};
    int servers[THREADS];
    pthread_t threads[THREADS][2];
    for (int i = 0; i < THREADS; i++) {
        int sv[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
        askers[i] = (struct asker){.fd = sv[0], .number = i};
        servers[i] = sv[1];
        ck_assert_int_eq(pthread_create(&threads[i][0], NULL, echo_run, &servers[i]), 0);
        ck_assert_int_eq(pthread_create(&threads[i][1], NULL, asker_run, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i][1], NULL), 0);
        ck_assert_int_eq(pthread_join(threads[i][0], NULL), 0);
        ck_assert_msg(!askers[i].failure, "thread %d: %s", i, askers[i].failure);
    }
}
END_TEST

/* ---- memory ---- */

struct patient {
    int listen_fd;
    bool one_each; /* one answer a connection */
};

/* Serves one client after the other, each of which may break off anywhere. */
static void *patient_run(void *userdata)
{
    const struct patient *me = userdata;
    failmalloc_exempt();
    for (;;) {
        struct peer p = {.listen_fd = -1, .fd = accept4(me->listen_fd, NULL, NULL, SOCK_CLOEXEC)};
        if (p.fd < 0)
            return NULL;
        while (peer_read(&p)) {
            char *asked = p.asked[--p.asked_n];
            const char *answer = strstr(asked, "/v1/checkin")             ? SESSION(TOKEN)
                                 : strstr(asked, "/v1/permissions/check") ? YES
                                                                          : STATE;
            peer_send(p.fd, answer, strlen(answer), false);
            free(asked);
            if (me->one_each)
                break;
        }
        oc_close(p.fd);
    }
}

static int try_conversation(void *userdata)
{
    OC_CLEANUP(outcall_agent_client_freep) outcall_agent_client *c = NULL;
    outcall_session session;
    outcall_reply reply = {1, "r", "r"};
    outcall_rule_request_state state;
    (void)userdata;
    int r = connect_with(peer.path, 0, NULL);
    c = oc_take_ptr(&client);
    if (r == 0)
        r = outcall_agent_client_checkin(c, &session, NULL);
    if (r == 0) {
        r = outcall_agent_client_check(c, &question, &reply, NULL);
        if (reply.allowed != (r == 0))
            return -1000;
    }
    if (r == 0)
        r = outcall_agent_client_request_rules(c, "a", 1, &state, NULL);
    return r == 0 ? outcall_agent_client_request_status(c, "rr-0123456789ab", &state, NULL) : r;
}

static int try_heartbeat(void *userdata)
{
    OC_CLEANUP(outcall_agent_client_freep) outcall_agent_client *c = NULL;
    outcall_session session;
    (void)userdata;
    int r = connect_with(peer.path, 0, NULL);
    c = oc_take_ptr(&client);
    if (r == 0)
        r = outcall_agent_client_checkin(c, &session, NULL);
    return r == 0 ? outcall_agent_client_heartbeat(c, NULL) : r;
}

START_TEST(out_of_memory)
{
    struct patient patient = {.one_each = _i == 1};
    pthread_t thread;
    make_dir();
    patient.listen_fd = peer_listen(peer.path, 16);
    ck_assert_int_eq(pthread_create(&thread, NULL, patient_run, &patient), 0);
    ck_assert_int_gt(failmalloc_loop(_i == 0 ? try_conversation : try_heartbeat, NULL), 20);
    ck_assert_int_eq(shutdown(patient.listen_fd, SHUT_RDWR), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    oc_close(patient.listen_fd);
    remove_dir();
}
END_TEST

int main(void)
{
    const TTest *const all[] = {conversation,
                                long_answers,
                                second_answer_later,
                                last_answer,
                                cut_answers,
                                cut_checkins,
                                answer_then_hangup,
                                gone_before_it_is_asked,
                                no_answer_in_time,
                                trickle_in_time,
                                nobody_there,
                                backlog_full,
                                heartbeats,
                                heartbeat_after_the_socket_changed,
                                heartbeat_to_a_hung_daemon,
                                not_checked_in,
                                unsendable,
                                arguments,
                                first_failure_wins,
                                side_by_side};
    const struct unit_loop loops[] = {{malformed_answer, OC_ARRAY_SIZE(malformed)},
                                      {malformed_checkin, OC_ARRAY_SIZE(malformed)},
                                      {refused, OC_ARRAY_SIZE(refusals)},
                                      {refused_checkin, OC_ARRAY_SIZE(refusals)},
                                      {out_of_memory, 2}};
    return unit_run("agent_client", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
