#include "base/str.h"
#include "core/error.h"
#include "docker/handle.h"
#include <string.h>

#define TARGET_MAX                                                                                         \
    8192                /* bytes of a path with its query: container filters and references fit many times \
                         */
#define MESSAGE_MAX 500 /* of a body that is no JSON, shown as the engine's message */

static bool is_ok(int status)
{
    return status >= 200 && status <= 299;
}

int oc_docker_read(const struct oc_answer *a, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    if (a->body.len > 0) {
        int r = oc_json_load(a->body.data, a->body.len, &j, &why);
        if (r == OUTCALL_E_NO_MEMORY)
            return oc_no_memory(err);
        if (r < 0 && a->status < 400)
            return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                                "the Docker Engine's answer is malformed: %s", why.text);
        if (r < 0) {
            size_t n = oc_utf8_cut(a->body.data, strcspn(a->body.data, "\r\n"), MESSAGE_MAX);
            const char *text = oc_utf8_valid(a->body.data, n) ? a->body.data : "";
            j = json_pack("{s:s%}", "message", text, *text ? n : 0);
            if (!j)
                return oc_no_memory(err);
        }
    }
    *ret = oc_take_ptr(&j);
    return 0;
}

int oc_docker_fail(outcall_error *err, int status, const json_t *reply)
{
    int kind = status == 409 ? OUTCALL_KIND_CONFLICT : OUTCALL_KIND_DOCKER_ERROR;
    const char *message = oc_json_string(reply, "message", "");
    bool first = err && err->code == 0;
    int r = message[0] ? oc_fail_kind(err, OUTCALL_E_REMOTE, kind, "%s", message)
                       : oc_fail_kind(err, OUTCALL_E_REMOTE, kind,
                                      "the Docker Engine answered with status %d", status);
    if (first)
        err->status = status;
    return r;
}

/* A 400 about the version means that nothing was done, whatever the method: it may be sent again. */
static bool wants_other_version(const outcall_docker *d, const struct oc_answer *a)
{
    OC_JSON json_t *j = NULL;
    if (d->pinned || a->status != 400 || oc_docker_read(a, &j, NULL) < 0)
        return false;
    return oc_api_version_is_complaint(oc_json_string(j, "message", ""));
}

/* The exchange below the version prefix; x->target is the path without it. */
static int versioned(outcall_docker *d, const struct oc_exchange *x, struct oc_answer *ret,
                     outcall_error *err)
{
    for (int attempt = 0;; attempt++) {
        char version[OC_API_VERSION_SIZE], target[TARGET_MAX + 32];
        struct oc_exchange with = *x;
        int r = oc_docker_negotiate(d, attempt > 0, OC_MIN(x->head_deadline_ms, x->deadline_ms), x->stop_fd,
                                    version, err);
        if (r < 0)
            return r;
        if (oc_format(target, sizeof(target), "/v%s%s", version, x->target) < 0)
            return oc_fail(err, OUTCALL_E_INVALID, "path: expected at most %d bytes", TARGET_MAX);
        with.target = target;
        oc_answer_done(ret);
        *ret = (struct oc_answer){0};
        r = oc_docker_exchange(d, &with, ret, err);
        if (r != 0 || attempt > 0 || !wants_other_version(d, ret))
            return r;
        oc_docker_forget_version(d, version);
    }
}

static int exchange_text(outcall_docker *d, const char *method, const char *path, const char *body,
                         size_t len, uint64_t timeout_ms, struct oc_answer *ret, outcall_error *err)
{
    uint64_t deadline_ms = oc_deadline(timeout_ms ? timeout_ms : d->timeout_ms);
    struct oc_exchange x = {.method = method,
                            .target = path,
                            .body = body,
                            .body_len = len,
                            .body_max = d->max_body,
                            .head_deadline_ms = deadline_ms,
                            .deadline_ms = deadline_ms,
                            .idle_ms = OC_NEVER,
                            .stop_fd = -1};
    return versioned(d, &x, ret, err);
}

int oc_docker_call(outcall_docker *d, const char *method, const char *path, const json_t *body,
                   uint64_t timeout_ms, int *ret_status, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(oc_answer_done) struct oc_answer answer = {0};
    OC_FREE char *text = NULL;
    OC_JSON json_t *reply = NULL;
    size_t len = 0;
    if (body && !(text = oc_json_dump(body, &len)))
        return oc_no_memory(err);
    int r = exchange_text(d, method, path, text, len, timeout_ms, &answer, err);
    if (r == 0 && ret)
        r = oc_docker_read(&answer, &reply, err);
    if (r < 0)
        return r;
    if (ret)
        *ret = oc_take_ptr(&reply);
    if (ret_status)
        *ret_status = answer.status;
    return 0;
}

int oc_docker_ok(outcall_docker *d, const char *method, const char *path, const json_t *body,
                 uint64_t timeout_ms, int *ret_status, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_call(d, method, path, body, timeout_ms, &status, &reply, err);
    if (r == 0 && !is_ok(status) && status != 304)
        r = oc_docker_fail(err, status, reply);
    if (r < 0)
        return r;
    if (ret)
        *ret = oc_take_ptr(&reply);
    if (ret_status)
        *ret_status = status;
    return 0;
}

/* A stream that ends before its end means that the engine died; but what was said in the head still counts.
 */
static int stream_result(outcall_docker *d, int r, const struct oc_answer *a, outcall_error *own)
{
    if (a->cut && is_ok(a->status)) {
        outcall_error_clear(own);
        return oc_fail_kind(own, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE,
                            "the Docker Engine at %s went away in the middle of an answer", d->socket);
    }
    if (r != 0 || is_ok(a->status))
        return r;
    OC_JSON json_t *reply = NULL;
    r = oc_docker_read(a, &reply, own);
    return r < 0 ? r : oc_docker_fail(own, a->status, reply);
}

int oc_docker_follow(outcall_docker *d, const struct oc_docker_stream *s, outcall_error *err)
{
    OC_CLEANUP(oc_answer_done) struct oc_answer answer = {0};
    outcall_error own = OUTCALL_ERROR_INIT;
    struct oc_exchange x = {.method = s->method,
                            .target = s->path,
                            .body_max = d->max_body,
                            .head_deadline_ms = oc_deadline(s->headers_ms ? s->headers_ms : d->timeout_ms),
                            .deadline_ms = OC_NEVER,
                            .idle_ms = s->idle_ms,
                            .stop_fd = s->stop_fd,
                            .on_data = s->on_data,
                            .on_open = s->on_open,
                            .userdata = s->userdata};
    int r = stream_result(d, versioned(d, &x, &answer, &own), &answer, &own);
    if (err && err->code == 0)
        *err = own;
    return r;
}

static bool method_is_known(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(known); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

/* Nothing that could end the request line or be read as a second one. */
static bool path_is_safe(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *p = path; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f || *p == '#')
            return false;
    return true;
}

int outcall_docker_request(outcall_docker *d, const char *method, const char *path, const char *json_or_null,
                           int *ret_status, char **ret_body, size_t *ret_len, outcall_error *err)
{
    OC_CLEANUP(oc_answer_done) struct oc_answer answer = {0};
    size_t len = 0;
    if (!d || !method || !method_is_known(method))
        return oc_fail(err, OUTCALL_E_INVALID, "method: expected GET, HEAD, POST, PUT or DELETE");
    if (!path || !path_is_safe(path))
        return oc_fail(err, OUTCALL_E_INVALID,
                       "path: expected \"/\" and printable ASCII without spaces and \"#\"");
    int r = exchange_text(d, method, path, json_or_null, json_or_null ? strlen(json_or_null) : 0, 0, &answer,
                          err);
    if (r < 0)
        return r;
    char *body = oc_buf_take(&answer.body, &len);
    if (!body)
        return oc_no_memory(err);
    if (ret_body)
        *ret_body = oc_take_ptr(&body);
    free(body);
    if (ret_len)
        *ret_len = len;
    if (ret_status)
        *ret_status = answer.status;
    return 0;
}
