#include "outcall/agent_client.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "http/client.h"
#include "outcall/version.h"
#include "proto/wire.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_PATH_MAX    107U /* sun_path with its NUL is 108 */
#define TIMEOUT_DEFAULT_MS 30000U
#define HOST_SIZE          256
#define AUTHORIZATION_SIZE (sizeof("Bearer ") + OC_TOKEN_LEN)

struct outcall_agent_client {
    char socket_path[SOCKET_PATH_MAX + 1]; /* "": made from a descriptor */
    uint64_t timeout_ms;
    oc_http *http;
    bool done;                              /* what answers there is not the daemon, or out of step */
    char authorization[AUTHORIZATION_SIZE]; /* "": not checked in */
    unsigned retry_after_s;
};

static int missing(outcall_error *err)
{
    return oc_fail(err, OUTCALL_E_INVALID, "agent client: a required argument is NULL");
}

static int connect_to(oc_http **ret, const char *path, uint64_t deadline_ms, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_http_connect(ret, path, deadline_ms, &why);
    if (r == OUTCALL_E_UNREACHABLE && (why.sys_errno == ENOENT || why.sys_errno == ENOTDIR))
        return oc_fail(err, OUTCALL_E_NOT_FOUND, "agent socket not found at %s", path);
    if (r < 0 && err && err->code == 0)
        *err = why;
    return r;
}

static int new_client(outcall_agent_client **ret, uint64_t timeout_ms, outcall_error *err)
{
    outcall_agent_client *c = calloc(1, sizeof(*c));
    if (!c)
        return oc_no_memory(err);
    c->timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_DEFAULT_MS;
    *ret = c;
    return 0;
}

int outcall_agent_client_new(outcall_agent_client **ret, const outcall_agent_client_options *opts,
                             outcall_error *err)
{
    static const outcall_agent_client_options defaults = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    const outcall_agent_client_options *o = opts ? opts : &defaults;
    OC_CLEANUP(outcall_agent_client_freep) outcall_agent_client *c = NULL;
    if (!ret || o->version != 1)
        return oc_fail(err, OUTCALL_E_INVALID, "agent client: no place for the result, or unknown version");
    const char *path = o->socket_path ? o->socket_path : OUTCALL_AGENT_SOCKET;
    int r = new_client(&c, o->timeout_ms, err);
    if (r < 0)
        return r;
    if (path[0] == '\0' || oc_copy(c->socket_path, sizeof(c->socket_path), path, strlen(path)) < 0)
        return oc_fail(err, OUTCALL_E_INVALID, "socket path: expected 1 to %u bytes, got %zu",
                       SOCKET_PATH_MAX, strlen(path));
    r = connect_to(&c->http, c->socket_path, oc_deadline(c->timeout_ms), err);
    if (r == 0)
        *ret = oc_take_ptr(&c);
    return r;
}

int outcall_agent_client_from_fd(outcall_agent_client **ret, int take_fd, uint64_t timeout_ms,
                                 outcall_error *err)
{
    OC_CLEANUP(outcall_agent_client_freep) outcall_agent_client *c = NULL;
    if (!ret)
        return missing(err);
    int r = new_client(&c, timeout_ms, err);
    if (r == 0)
        r = oc_http_from_fd(&c->http, take_fd, err);
    if (r == 0)
        *ret = oc_take_ptr(&c);
    return r;
}

outcall_agent_client *outcall_agent_client_free(outcall_agent_client *c)
{
    if (c)
        (void)oc_http_free(c->http);
    free(c);
    return NULL;
}

int outcall_agent_client_fd(const outcall_agent_client *c)
{
    return c ? oc_http_fd(c->http) : -1;
}

unsigned outcall_agent_client_retry_after_s(const outcall_agent_client *c)
{
    return c ? c->retry_after_s : 0;
}

/* An answer that is too long is no answer: what the transport calls a limit is a broken protocol here. */
static int exchange(oc_http *http, const struct oc_http_request *req, struct oc_http_response *ret,
                    outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_http_exchange(http, req, ret, &why);
    if (r == OUTCALL_E_LIMIT)
        return oc_fail(err, OUTCALL_E_PROTOCOL, "malformed answer: %s", why.text);
    if (r < 0 && err && err->code == 0)
        *err = why;
    return r;
}

/* The statuses with which the daemon refuses: spec section 8, and 500 where it cannot judge. 0: not one of
 * them. */
static int code_of(int status)
{
    switch (status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 413:
    case 422:
    case 500:
    case 503:
        return OUTCALL_E_DENIED;
    case 429:
        return OUTCALL_E_BUSY;
    default:
        return 0;
    }
}

static int no_answer(int status, outcall_error *err)
{
    return oc_fail(err, OUTCALL_E_PROTOCOL, "malformed answer: HTTP status %d", status);
}

/* The words are the daemon's where it sent its own JSON; libmicrohttpd's own refusals have none. A 500
 * without them is nobody's refusal. */
static int refused(int code, const struct oc_http_response *res, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_wire_open(res->body, res->len, &j, &why);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (r == OUTCALL_E_DENIED)
        return oc_fail_kind(err, code, why.kind, "%s", why.text);
    if (res->status == 500)
        return no_answer(res->status, err);
    return oc_fail(err, code, "outcalld answered with HTTP status %d", res->status);
}

/* 0: status 200, the body is to be read. */
static int read_status(outcall_agent_client *c, const struct oc_http_response *res, outcall_error *err)
{
    int code = code_of(res->status);
    if (res->status == 200)
        return 0;
    if (code == 0)
        return no_answer(res->status, err);
    if (res->status == 429)
        c->retry_after_s = res->retry_after_s;
    return refused(code, res, err);
}

/* One whole call's exchange over http. *ret must be done by the caller. */
static int ask(outcall_agent_client *c, oc_http *http, struct oc_http_request *req,
               struct oc_http_response *ret, outcall_error *err)
{
    bool fresh = err && err->code == 0;
    req->body_max = OUTCALL_AGENT_BODY_MAX;
    req->authorization = c->authorization[0] ? c->authorization : NULL;
    int r = exchange(http, req, ret, err);
    if (r < 0)
        return r;
    r = read_status(c, ret, err);
    if (r < 0 && fresh)
        err->status = ret->status;
    return r;
}

/* The same over the client's own connection, which is done with when what answers is not our daemon. */
static int ask_here(outcall_agent_client *c, struct oc_http_request *req, struct oc_http_response *ret,
                    outcall_error *err)
{
    if (c->done)
        return oc_fail(err, OUTCALL_E_CLOSED, "the connection is done with after a broken answer");
    int r = ask(c, c->http, req, ret, err);
    c->done = r == OUTCALL_E_PROTOCOL;
    return r;
}

static int checked_in(const outcall_agent_client *c, outcall_error *err)
{
    return c->authorization[0] ? 0 : oc_fail(err, OUTCALL_E_INVALID, "agent client: not checked in");
}

static int checkin_body(char **ret, size_t *ret_len, outcall_error *err)
{
    char host[HOST_SIZE] = "";
    bool known = gethostname(host, sizeof(host) - 1) == 0 && oc_utf8_valid(host, strlen(host)) &&
                 !oc_has_control(host, strlen(host));
    return outcall_checkin_encode(known ? host : NULL, getpid(), OUTCALL_VERSION_STRING, ret, ret_len, err);
}

int outcall_agent_client_checkin(outcall_agent_client *c, outcall_session *ret, outcall_error *err)
{
    if (!c || !ret)
        return missing(err);
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_FREE char *body = NULL;
    outcall_session session;
    struct oc_http_request req = {
        .method = "POST", .target = "/v1/checkin", .deadline_ms = oc_deadline(c->timeout_ms)};
    c->authorization[0] = '\0'; /* the old token ends here, whatever comes of it */
    int r = checkin_body(&body, &req.body_len, err);
    req.body = body;
    if (r == 0)
        r = ask_here(c, &req, &res, err);
    if (r == 0)
        r = outcall_session_decode(res.body, res.len, &session, err);
    if (r < 0)
        return r;
    (void)oc_format(c->authorization, sizeof(c->authorization), "Bearer %s", session.token);
    *ret = session;
    return 0;
}

int outcall_agent_client_check(outcall_agent_client *c, const outcall_check *check, outcall_reply *ret,
                               outcall_error *err)
{
    if (ret)
        memset(ret, 0, sizeof(*ret));
    if (!c || !check || !ret)
        return missing(err);
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_FREE char *body = NULL;
    struct oc_http_request req = {
        .method = "POST", .target = "/v1/permissions/check", .deadline_ms = oc_deadline(c->timeout_ms)};
    int r = checked_in(c, err);
    if (r == 0)
        r = outcall_check_encode(check, &body, &req.body_len, err);
    req.body = body;
    if (r == 0)
        r = ask_here(c, &req, &res, err);
    return r == 0 ? outcall_reply_decode(res.body, res.len, ret, err) : r;
}

int outcall_agent_client_heartbeat(outcall_agent_client *c, outcall_error *err)
{
    if (!c)
        return missing(err);
    OC_CLEANUP(oc_http_freep) oc_http *http = NULL;
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_JSON json_t *envelope = NULL;
    struct oc_http_request req = {
        .method = "POST", .target = "/v1/heartbeat", .deadline_ms = oc_deadline(c->timeout_ms)};
    if (c->socket_path[0] == '\0')
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "heartbeat: this client was made from a descriptor");
    int r = checked_in(c, err);
    if (r == 0)
        r = connect_to(&http, c->socket_path, req.deadline_ms, err);
    if (r == 0)
        r = ask(c, http, &req, &res, err);
    return r == 0 ? oc_wire_open(res.body, res.len, &envelope, err) : r;
}

int outcall_agent_client_request_rules(outcall_agent_client *c, const char *yaml, size_t len,
                                       outcall_rule_request_state *ret, outcall_error *err)
{
    if (!c || !yaml || !ret)
        return missing(err);
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_FREE char *body = NULL;
    struct oc_http_request req = {
        .method = "POST", .target = "/v1/requests/rules", .deadline_ms = oc_deadline(c->timeout_ms)};
    int r = checked_in(c, err);
    if (r == 0)
        r = outcall_rule_request_encode(yaml, len, &body, &req.body_len, err);
    req.body = body;
    if (r == 0)
        r = ask_here(c, &req, &res, err);
    return r == 0 ? outcall_rule_request_state_decode(res.body, res.len, ret, err) : r;
}

int outcall_agent_client_request_status(outcall_agent_client *c, const char *id,
                                        outcall_rule_request_state *ret, outcall_error *err)
{
    char target[sizeof("/v1/requests/rules/") + OC_RULE_REQUEST_ID_LEN];
    if (!c || !id || !ret)
        return missing(err);
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    struct oc_http_request req = {
        .method = "GET", .target = target, .deadline_ms = oc_deadline(c->timeout_ms)};
    if (!oc_rule_request_id_ok(id))
        return oc_fail(err, OUTCALL_E_INVALID, "id: expected \"rr-\" and 12 hexadecimal digits");
    (void)oc_format(target, sizeof(target), "/v1/requests/rules/%s", id);
    int r = checked_in(c, err);
    if (r == 0)
        r = ask_here(c, &req, &res, err);
    return r == 0 ? outcall_rule_request_state_decode(res.body, res.len, ret, err) : r;
}
