/* The agent API. Every answer is made here, from fields of our own: nothing of a rule but its id and its
 * reason leaves. */
#include "agent_server/listener.h"
#include "agent_server/question.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "json/json.h"
#include <poll.h>
#include <string.h>

char *oc_agent_error_body(int kind, const char *text)
{
    OC_JSON json_t *j =
        json_pack("{s:b, s:s, s:s}", "success", 0, "error", text, "code", outcall_kind_name(kind));
    return j ? oc_json_dump(j, NULL) : NULL;
}

static void fail(oc_http_call *call, int kind, const char *text)
{
    char *body = oc_agent_error_body(kind, text);
    oc_http_reply(call, outcall_kind_status(kind), body, body ? strlen(body) : 0, 0);
}

static void too_many(oc_http_call *call, uint64_t wait_ms)
{
    char *body = oc_agent_error_body(OUTCALL_KIND_RATE_LIMITED, "too many requests");
    oc_http_reply(call, 429, body, body ? strlen(body) : 0, (uint32_t)((wait_ms + 999) / 1000));
}

/* A body of the agent's that cannot be read: what is wrong with it, or with us. */
static void bad_body(oc_http_call *call, int r, const outcall_error *err)
{
    if (r == OUTCALL_E_NO_MEMORY)
        fail(call, OUTCALL_KIND_INTERNAL, "out of memory");
    else
        fail(call, OUTCALL_KIND_INVALID_REQUEST, err->text);
}

/* A body that protocol.h made; r is what it returned. */
static void reply(oc_http_call *call, int r, char *take_body, size_t len)
{
    if (r < 0)
        fail(call, OUTCALL_KIND_INTERNAL, "the answer cannot be written");
    else
        oc_http_reply(call, 200, take_body, len, 0);
}

/* Asks the rules and tells who keeps the record. admit: only an explicit block is a no. */
static void judge(struct oc_agent_listener *l, const char *action, const char *target, bool admit,
                  outcall_reply *ret)
{
    struct oc_agent_shared *s = l->shared;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_decision d = {l->who.name, l->who.agent, action, target, &v, 0, 0, 0, 0, {0}};
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy *policy = outcall_policy_slot_get(s->policy, &d.generation);
    uint64_t start = oc_now_ns();
    d.failure = outcall_policy_decide(policy, s->context, &v, &err);
    d.duration_us = (oc_now_ns() - start) / 1000;
    if (d.failure < 0)
        oc_log_error(s->log, OUTCALL_LOG_ERROR, "agents", &err, "\"%s\": no verdict", l->name);
    else
        d.allowed = v.action == OUTCALL_ALLOW || (admit && !v.rule_id);
    if (s->on_decision)
        s->on_decision(s->userdata, &d);
    ret->allowed = d.allowed;
    const char *reason = d.failure == OUTCALL_E_TIMEOUT ? "the rules take too long"
                         : d.failure < 0                ? "the rules cannot be asked"
                                                        : v.reason;
    if (v.rule_id)
        (void)oc_copy(ret->rule_id, sizeof(ret->rule_id), v.rule_id, strlen(v.rule_id));
    if (!d.allowed && reason)
        (void)oc_copy(ret->reason, sizeof(ret->reason), reason, strlen(reason));
    (void)outcall_policy_unref(policy);
}

static bool take_rate(struct oc_rate *rate, oc_http_call *call)
{
    uint64_t wait = 0;
    bool go_on = oc_rate_take(rate, oc_now_ms(), &wait);
    if (!go_on)
        too_many(call, wait);
    return go_on;
}

static void checkin(struct oc_agent_listener *l, oc_http_call *call)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_reply answer = {.allowed = 0};
    outcall_session session = {.heartbeat_s = l->shared->heartbeat_s};
    struct oc_agent_peer *peer = oc_http_call_peer(call);
    size_t len = 0;
    const char *body = oc_http_call_body(call, &len);
    if (!peer->holds && l->holding >= l->shared->max_holding) {
        too_many(call, 1000);
        return;
    }
    int r = outcall_checkin_decode(len > 0 ? body : "{}", len > 0 ? len : 2, &err);
    if (r < 0) {
        bad_body(call, r, &err);
        return;
    }
    if (oc_question_checkin(l->shared->context, &l->who, &err) < 0) {
        fail(call, OUTCALL_KIND_INTERNAL, "the check-in cannot be judged");
        return;
    }
    judge(l, "checkin", NULL, true, &answer);
    if (!answer.allowed) {
        fail(call, OUTCALL_KIND_POLICY_DENIED,
             answer.reason[0] ? answer.reason : "blocked by the operator's rules");
        return;
    }
    if (oc_session_new(&l->sessions, oc_now_ms(), session.token) < 0) {
        fail(call, OUTCALL_KIND_INTERNAL, "no session can be made");
        return;
    }
    char *made = NULL;
    (void)oc_copy(session.container_id, sizeof(session.container_id), l->who.container_id,
                  strlen(l->who.container_id));
    (void)oc_copy(session.name, sizeof(session.name), l->who.name, strlen(l->who.name));
    r = outcall_session_encode(&session, &made, &len, &err);
    if (r == 0) {
        l->holding += !peer->holds;
        peer->holds = true;
        oc_http_call_keep(call);
    }
    reply(call, r, made, len);
}

static void heartbeat(struct oc_agent_listener *l, oc_http_call *call)
{
    static const char ok[] = "{\"success\":true,\"data\":{\"ok\":true}}";
    (void)l;
    reply(call, 0, strdup(ok), sizeof(ok) - 1);
}

static void check(struct oc_agent_listener *l, oc_http_call *call)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_decoded_check *decoded = NULL;
    outcall_reply answer = {.allowed = 0};
    size_t len = 0;
    const char *body = oc_http_call_body(call, &len);
    int r = outcall_check_decode(body, len, &decoded, &err);
    if (r < 0) {
        bad_body(call, r, &err);
        return;
    }
    const outcall_check *asked = outcall_decoded_check_get(decoded);
    (void)oc_fault("agent.asked");
    r = oc_question_context(l->shared->context, &l->who, asked, &err);
    if (r < 0 && err.kind == OUTCALL_KIND_TARGET_INVALID) {
        fail(call, err.kind, err.text);
    } else if (r < 0) {
        fail(call, OUTCALL_KIND_INTERNAL, "the question cannot be judged");
    } else {
        char *made = NULL;
        judge(l, outcall_action_type_name(asked->action_type), asked->target, false, &answer);
        (void)oc_fault("agent.judged");
        r = outcall_reply_encode(&answer, &made, &len, &err);
        reply(call, r, made, len);
    }
    (void)outcall_decoded_check_free(decoded);
}

/* Hands it to the worker; the call stands still until the job is done. */
static void start_job(struct oc_agent_listener *l, oc_http_call *call, struct oc_job *job)
{
    job->owner = l;
    job->call = call;
    (void)oc_copy(job->agent, sizeof(job->agent), l->who.agent, strlen(l->who.agent));
    if (l->jobs >= OC_AGENT_JOBS_MAX || oc_worker_add(l->shared->worker, job) < 0) {
        oc_job_free(job);
        too_many(call, 1000);
        return;
    }
    l->jobs++;
    oc_http_call_suspend(call);
}

static void submit(struct oc_agent_listener *l, oc_http_call *call)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t len = 0;
    const char *body = oc_http_call_body(call, &len);
    struct oc_job *job = calloc(1, sizeof(*job));
    int r = job ? outcall_rule_request_decode(body, len, &job->text, &job->len, &err) : OUTCALL_E_NO_MEMORY;
    if (r < 0) {
        oc_job_free(job);
        bad_body(call, r, &err);
        return;
    }
    start_job(l, call, job);
}

static void status(struct oc_agent_listener *l, oc_http_call *call, const char *id)
{
    struct oc_job *job = calloc(1, sizeof(*job));
    if (!job || id[0] == '\0' || oc_copy(job->id, sizeof(job->id), id, strlen(id)) < 0) {
        oc_job_free(job);
        fail(call, OUTCALL_KIND_REQUEST_NOT_FOUND, "no such request");
        return;
    }
    start_job(l, call, job);
}

/* What the store says, in words that are an agent's business: its own file and its own requests. An error
 * about a file has its kind; any other is about the store, and tells of others, of paths or of limits. */
static char *job_error(const struct oc_job *job, int *ret_kind)
{
    char line[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE];
    bool about_file = job->err.kind == OUTCALL_KIND_RULES_INVALID || job->err.kind == OUTCALL_KIND_TOO_LARGE;
    const char *text = "the request cannot be kept";
    *ret_kind = OUTCALL_KIND_INTERNAL;
    if (job->id[0] != '\0') {
        if (job->result == OUTCALL_E_NOT_FOUND)
            *ret_kind = OUTCALL_KIND_REQUEST_NOT_FOUND;
        text = job->result == OUTCALL_E_NOT_FOUND ? "no such request" : "the request cannot be read";
    } else if (job->result == OUTCALL_E_LIMIT && !about_file) {
        *ret_kind = OUTCALL_KIND_RULES_INVALID;
        text = "too many requests are pending";
    } else if (about_file && job->result == OUTCALL_E_TIMEOUT) {
        *ret_kind = OUTCALL_KIND_RULES_INVALID;
        text = "the tests take too long";
    } else if (about_file && job->result != OUTCALL_E_INTERNAL && job->result != OUTCALL_E_SYSTEM) {
        *ret_kind = OUTCALL_KIND_RULES_INVALID;
        (void)outcall_error_format(&job->err, line, sizeof(line));
        text = line;
    }
    return oc_agent_error_body(*ret_kind, text);
}

void oc_agent_job_done(struct oc_agent_listener *l, struct oc_job *job)
{
    outcall_rule_request_state state = {.id = ""};
    const char *reason = job->request ? outcall_request_reason(job->request) : NULL;
    char *body = NULL;
    size_t len = 0;
    int code = 200;
    if (job->result < 0 || !job->request) {
        int kind = 0;
        body = job_error(job, &kind);
        code = outcall_kind_status(kind);
        len = body ? strlen(body) : 0;
    } else {
        const char *id = outcall_request_id(job->request);
        const char *word = outcall_request_status_name(outcall_request_status(job->request));
        (void)oc_copy(state.id, sizeof(state.id), id, strlen(id));
        (void)oc_copy(state.status, sizeof(state.status), word, strlen(word));
        if (reason)
            (void)oc_copy(state.reason, sizeof(state.reason), reason, strlen(reason));
        if (outcall_rule_request_state_encode(&state, &body, &len, NULL) < 0)
            body = NULL;
    }
    l->jobs--;
    oc_http_call_resume(job->call, code, body, len, 0);
}

/* Its token, one of this socket's sessions. */
static bool has_session(struct oc_agent_listener *l, oc_http_call *call)
{
    static const char scheme[] = "Bearer ";
    const char *header = oc_http_call_header(call, "Authorization");
    return header && oc_starts_with(header, scheme) &&
           oc_session_check(&l->sessions, header + sizeof(scheme) - 1, oc_now_ms());
}

/* A connection that outlived the process that made it is somebody else's now. */
static bool peer_ok(oc_http_call *call)
{
    const struct oc_agent_peer *p = oc_http_call_peer(call);
    return p && !p->denied && p->peer.pidfd >= 0 && oc_poll1(p->peer.pidfd, POLLIN, 0) == 0;
}

static void with_session(struct oc_agent_listener *l, oc_http_call *call, const char *method,
                         const char *path)
{
    static const char requests[] = "/v1/requests/rules";
    bool post = strcmp(method, "POST") == 0, get = strcmp(method, "GET") == 0;
    if (!has_session(l, call)) {
        fail(call, OUTCALL_KIND_UNAUTHORIZED, "expected the token of a check-in on this socket");
    } else if (post && strcmp(path, "/v1/heartbeat") == 0) {
        heartbeat(l, call);
    } else if (post && strcmp(path, "/v1/permissions/check") == 0) {
        if (take_rate(&l->check_rate, call))
            check(l, call);
    } else if (post && l->shared->worker && strcmp(path, requests) == 0) {
        if (take_rate(&l->request_rate, call))
            submit(l, call);
    } else if (get && l->shared->worker && oc_starts_with(path, requests) &&
               path[sizeof(requests) - 1] == '/') {
        if (take_rate(&l->check_rate, call))
            status(l, call, path + sizeof(requests));
    } else {
        fail(call, OUTCALL_KIND_NOT_FOUND, "no such route");
    }
}

void oc_agent_handle(void *userdata, oc_http_call *call)
{
    struct oc_agent_listener *l = userdata;
    const char *method = oc_http_call_method(call), *path = oc_http_call_path(call);
    if (!l->shared->policy || !l->identified) {
        fail(call, OUTCALL_KIND_NOT_READY, "the agent API is not ready");
    } else if (!peer_ok(call)) {
        oc_http_call_last(call);
        fail(call, OUTCALL_KIND_FORBIDDEN, "this socket belongs to another container");
    } else if (strcmp(method, "POST") == 0 && strcmp(path, "/v1/checkin") == 0) {
        if (take_rate(&l->check_rate, call))
            checkin(l, call);
    } else {
        with_session(l, call, method, path);
    }
}
