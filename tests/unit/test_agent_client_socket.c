/* The agent's client beside its answers: sockets that are not there, heartbeats, arguments, threads, memory.
 */
#include "support/agent_fixture.h"
#include <errno.h>
#include <sys/stat.h>

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
    ck_assert_int_eq(connect_with(peer.path, 1000, NULL), 0);
    outcall_agent_client *first = oc_take_ptr(&client);
    connect_fails(peer.path, OUTCALL_E_TIMEOUT, 0, "accepts no connection in time");
    (void)outcall_agent_client_free(first);
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
    const TTest *const all[] = {nobody_there,
                                backlog_full,
                                heartbeats,
                                heartbeat_after_the_socket_changed,
                                heartbeat_to_a_hung_daemon,
                                not_checked_in,
                                unsendable,
                                arguments,
                                side_by_side};
    const struct unit_loop loops[] = {{out_of_memory, 2}};
    return unit_run("agent_client_socket", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
