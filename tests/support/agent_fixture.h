/* An agent client that is checked in with a scripted peer, what such a peer says, and a place for sockets:
 * what each test of lib/agent_client begins with. */
#ifndef SUPPORT_AGENT_FIXTURE_H
#define SUPPORT_AGENT_FIXTURE_H
#include "outcall/agent_client.h"
#include "support/scripted_peer.h"
#include "unit/unit.h"

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

static inline void begin(const struct peer_step *steps, size_t n, uint64_t timeout_ms)
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

static inline void begin_one(const char *answer, size_t len, enum peer_after after)
{
    const struct peer_step step = {answer, len, after, PEER_ASKED};
    begin(&step, 1, 0);
}

static inline void end(void)
{
    client = outcall_agent_client_free(client);
    peer_join(&peer);
    peer_done(&peer);
}

static inline bool is_zero(const void *p, size_t size)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Asks over a reply that says yes; unless the call succeeds, not a byte of that may be left. */
static inline int ask(outcall_reply *ret, outcall_error *err)
{
    memset(ret, 1, sizeof(*ret));
    int r = outcall_agent_client_check(client, &question, ret, err);
    ck_assert(r == 0 || is_zero(ret, sizeof(*ret)));
    return r;
}

static inline void asks(int code, const char *text)
{
    outcall_reply reply;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = ask(&reply, &err);
    ck_assert_msg(r == code, "%d: %s", r, err.text);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, text), "\"%s\" lacks \"%s\"", err.text, text);
}

static inline void allowed(void)
{
    outcall_reply reply;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(ask(&reply, &err) == 0, "%s", err.text);
    ck_assert_int_eq(reply.allowed, 1);
    ck_assert_str_eq(reply.rule_id, "r");
    ck_assert_str_eq(reply.reason, "");
}

#define REFUSED(status, more, len, text, code)                                                    \
    "HTTP/1.1 " status "\r\n" more "Content-Length: " len "\r\n\r\n{\"success\":false,\"error\":" \
    "\"" text "\",\"code\":\"" code "\"}"

static char dir[32];

static inline void make_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/agent-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(peer.path, sizeof(peer.path), "%s/s", dir);
}

static inline void remove_dir(void)
{
    (void)unlink(peer.path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static inline int connect_with(const char *path, uint64_t timeout_ms, outcall_error *err)
{
    outcall_agent_client_options o = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    o.socket_path = path;
    o.timeout_ms = timeout_ms;
    return outcall_agent_client_new(&client, &o, err);
}

#endif
