/* Taking a request apart and putting an answer together: what all routes share. */
#include "base/buf.h"
#include "base/str.h"
#include "core/error.h"
#include "host_api/api.h"
#include <string.h>

const char *oc_query_get(const struct oc_request *q, const char *name)
{
    for (size_t i = 0; i < q->n_query; i++)
        if (strcmp(q->query[i].name, name) == 0)
            return q->query[i].value ? q->query[i].value : "";
    return NULL;
}

int oc_query_required(const struct oc_request *q, const char *name, const char **ret, outcall_error *err)
{
    *ret = oc_query_get(q, name);
    if (*ret && (*ret)[0])
        return 0;
    return oc_fail(err, OUTCALL_E_INVALID, "%s: required argument is missing", name);
}

int oc_query_flag(const struct oc_request *q, const char *name, bool *ret, outcall_error *err)
{
    const char *v = oc_query_get(q, name);
    bool on = v && (strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
    if (v && !on && strcmp(v, "0") != 0 && strcmp(v, "false") != 0)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected 1 or 0, got \"%s\"", name, v);
    *ret = on;
    return 0;
}

int oc_request_decode(const struct oc_request *q, const struct oc_json_field *fields, size_t n, void *ret,
                      json_t **ret_json, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    int r = oc_json_load(q->body, q->body_len, &j, err);
    if (r == 0)
        r = oc_json_decode(j, fields, n, OC_JSON_STRICT, ret, err);
    if (r == 0)
        *ret_json = oc_take_ptr(&j);
    return r;
}

int oc_stream_begin(struct oc_request *q)
{
    q->streaming = true;
    q->status = 200;
    return q->call ? oc_http_stream_begin(q->call, 200, "application/x-ndjson") : 0;
}

int oc_stream_line(struct oc_request *q, const json_t *take_value)
{
    size_t len = 0;
    OC_JSON json_t *value = (json_t *)take_value;
    OC_FREE char *text = value ? oc_json_dump(value, &len) : NULL;
    if (!text)
        return OUTCALL_E_NO_MEMORY;
    text[len] = '\n'; /* in the place of the NUL: the length goes with it */
    return q->call ? oc_http_stream_write(q->call, text, len + 1) : oc_buf_add(q->out, text, len + 1);
}

int oc_stream_stop_fd(const struct oc_request *q)
{
    return q->call ? oc_http_call_hangup_fd(q->call) : -1;
}

/* The kind behind a code, for failures that know no finer word. */
static int kind_of(int code)
{
    switch (code) {
    case OUTCALL_E_INVALID:
    case OUTCALL_E_SYNTAX:
    case OUTCALL_E_TYPE:
    case OUTCALL_E_UNDECLARED:
    case OUTCALL_E_LIMIT:
        return OUTCALL_KIND_INVALID_REQUEST;
    case OUTCALL_E_NOT_FOUND:
        return OUTCALL_KIND_NOT_FOUND;
    case OUTCALL_E_EXISTS:
    case OUTCALL_E_BUSY:
        return OUTCALL_KIND_CONFLICT;
    case OUTCALL_E_DENIED:
        return OUTCALL_KIND_FORBIDDEN;
    case OUTCALL_E_UNREACHABLE:
        return OUTCALL_KIND_DOCKER_UNREACHABLE;
    case OUTCALL_E_TIMEOUT:
        return OUTCALL_KIND_DOCKER_TIMEOUT;
    case OUTCALL_E_REMOTE:
    case OUTCALL_E_PROTOCOL:
    case OUTCALL_E_UNSUPPORTED:
        return OUTCALL_KIND_DOCKER_ERROR;
    default:
        return OUTCALL_KIND_INTERNAL;
    }
}

json_t *oc_error_json(const outcall_error *err, int *ret_status)
{
    char placed[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    int kind = err->kind ? err->kind : kind_of(err->code);
    const char *text = err->text[0] ? err->text : outcall_code_string(err->code);
    if (kind == OUTCALL_KIND_RULES_INVALID) { /* whoever has to mend a rule wants its file and line */
        (void)outcall_error_format(err, placed, sizeof(placed));
        oc_utf8_repair(placed); /* a file may have any name */
        text = placed;
    }
    *ret_status = outcall_kind_status(kind);
    return json_pack("{s:b, s:s, s:s}", "success", 0, "error", text, "code", outcall_kind_name(kind));
}
