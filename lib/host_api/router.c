#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "host_api/api.h"
#include "http/client.h"
#include <string.h>

static const struct oc_route *const tables[] = {oc_container_routes, oc_network_routes, oc_request_routes,
                                                oc_rule_routes, oc_status_routes};

/* Is the path the pattern, with one component in the place of "{id}"? That goes to id. */
static bool fits(const char *pattern, const char *path, char id[OC_PATH_ID_SIZE])
{
    static const char mark[] = "{id}";
    const char *at = strstr(pattern, mark);
    if (!at)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(at - pattern), len = 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    len = strcspn(path + before, "/");
    return len > 0 && strcmp(at + strlen(mark), path + before + len) == 0 &&
           oc_copy(id, OC_PATH_ID_SIZE, path + before, len) == 0;
}

static const struct oc_route *find_route(struct oc_request *q)
{
    for (size_t t = 0; t < OC_ARRAY_SIZE(tables); t++)
        for (const struct oc_route *r = tables[t]; r->method; r++)
            if (strcmp(r->method, q->method) == 0 && fits(r->path, q->path, q->id))
                return r;
    return NULL;
}

static bool takes(const struct oc_route *route, const char *name)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(route->query) && route->query[i]; i++)
        if (strcmp(route->query[i], name) == 0)
            return true;
    return false;
}

static int check_query(const struct oc_route *route, const struct oc_request *q, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    for (size_t i = 0; i < q->n_query; i++) {
        if (!takes(route, q->query[i].name))
            return oc_fail(err, OUTCALL_E_INVALID, "%s: unknown argument", oc_shown(shown, q->query[i].name));
        for (size_t j = 0; j < i; j++)
            if (strcmp(q->query[i].name, q->query[j].name) == 0)
                return oc_fail(err, OUTCALL_E_INVALID, "%s: given twice", q->query[i].name);
        if (!oc_utf8_valid(q->query[i].value, strlen(q->query[i].value)))
            return oc_fail(err, OUTCALL_E_INVALID, "%s: not valid UTF-8", q->query[i].name);
    }
    return 0;
}

static int run_route(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    const struct oc_route *route = find_route(q);
    if (!route)
        return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_NOT_FOUND, "no such endpoint: %s %s",
                            q->method, oc_shown(shown, q->path));
    int r = check_query(route, q, err);
    if (r == 0 && !route->takes_body && q->body_len > 0)
        r = oc_fail(err, OUTCALL_E_INVALID, "this endpoint takes no body");
    if (r == 0)
        r = route->run(h, q, ret, err);
    if (r < 0 && err->code == 0)
        (void)oc_fail(err, r, "%s", outcall_code_string(r));
    return r;
}

/* A stream that broke cannot change its status any more; its last line says why. */
static void fail_stream(outcall_host_api *h, struct oc_request *q, const outcall_error *err)
{
    int status = 0;
    if (oc_stream_line(q, oc_error_json(err, &status)) < 0)
        oc_log(h->log, OUTCALL_LOG_DEBUG, OC_TARGET_LOG, "%s: nobody is there to hear why it ended", q->path);
    if (q->call)
        oc_http_stream_cut(q->call);
}

/* Fills q->status and q->out, or has streamed. */
static int answer(outcall_host_api *h, struct oc_request *q)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_JSON json_t *data = NULL;
    OC_JSON json_t *reply = NULL;
    uint64_t begin = oc_now_ms();
    int r = run_route(h, q, &data, &err);
    if (q->streaming) {
        if (r < 0 && r != OUTCALL_E_CLOSED)
            fail_stream(h, q, &err);
        r = 0;
    } else if (r == 0 && q->out->len == 0) {
        q->status = 200;
        reply = json_pack("{s:b, s:O}", "success", 1, "data", data);
    } else if (r < 0) {
        reply = oc_error_json(&err, &q->status);
    }
    if (!q->streaming && q->out->len == 0) {
        OC_FREE char *text = reply ? oc_json_dump(reply, NULL) : NULL;
        r = text ? oc_buf_str(q->out, text) : OUTCALL_E_NO_MEMORY;
    }
    if (r == 0)
        (void)atomic_fetch_add(&h->answers[q->status / 100 % OC_STATUS_KINDS], 1);
    oc_log(h->log, OUTCALL_LOG_DEBUG, OC_TARGET_LOG, "%s %s: %d in %llu ms%s%s", q->method, q->path,
           q->status, (unsigned long long)(oc_now_ms() - begin), err.code ? ": " : "", err.text);
    return r;
}

static int add_query(void *userdata, const char *name, const char *value)
{
    struct oc_request *q = userdata;
    if (q->n_query == OC_QUERY_MAX)
        return OUTCALL_E_LIMIT;
    q->query[q->n_query++] = (struct oc_query){name, value ? value : ""};
    return 0;
}

static void reply_error(oc_http_call *call, int code, int kind, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int status = 500;
    size_t len = 0;
    (void)oc_fail_kind(&err, code, kind, "%s", text);
    OC_JSON json_t *j = oc_error_json(&err, &status);
    char *body = j ? oc_json_dump(j, &len) : NULL;
    oc_http_reply(call, status, body, len, 0);
}

/* One request from the server; runs on its connection's thread. */
void oc_host_api_serve(void *userdata, oc_http_call *call)
{
    outcall_host_api *h = userdata;
    OC_CLEANUP(oc_buf_done) struct oc_buf out = OC_BUF_INIT;
    struct oc_request q = {
        .method = oc_http_call_method(call), .path = oc_http_call_path(call), .call = call, .out = &out};
    if (!oc_http_call_peer(call)) {
        reply_error(call, OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN, "this peer may not use the host API");
        return;
    }
    if (oc_http_call_query_each(call, add_query, &q) != 0) {
        reply_error(call, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, "too many arguments");
        return;
    }
    q.body = oc_http_call_body(call, &q.body_len);
    int r = answer(h, &q);
    if (q.streaming)
        return;
    if (r < 0) {
        oc_http_reply(call, 500, NULL, 0, 0);
        return;
    }
    size_t len = 0;
    char *body = oc_buf_take(&out, &len);
    if (strcmp(q.path, "/metrics") == 0 && q.status == 200)
        oc_http_reply_as(call, 200, "text/plain; version=0.0.4", body, len);
    else
        oc_http_reply(call, q.status, body, len, 0);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false when a %XX is malformed or stands for NUL. */
static bool unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (*s != '%') {
            *out++ = *s;
            continue;
        }
        int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high << 4 | low);
        s += 2;
    }
    *out = '\0';
    return true;
}

/* Splits "path?a=b&c" in place. */
static int split_target(char *target, struct oc_request *q)
{
    char *query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    q->path = target;
    if (!unescape(target))
        return OUTCALL_E_INVALID;
    while (query && *query) {
        char *next = strchr(query, '&');
        if (next)
            *next++ = '\0';
        char *value = strchr(query, '=');
        if (value)
            *value++ = '\0';
        if (!unescape(query) || (value && !unescape(value)))
            return OUTCALL_E_INVALID;
        int r = add_query(q, query, value);
        if (r < 0)
            return r;
        query = next;
    }
    return 0;
}

int outcall_host_api_handle(outcall_host_api *h, const char *method, const char *target, const char *body,
                            size_t len, int *ret_status, char **ret_body, size_t *ret_len, outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf out = OC_BUF_INIT;
    struct oc_request q = {.method = method, .body = body ? body : "", .body_len = len, .out = &out};
    if (!h || !method || !target || !ret_status || !ret_body)
        return oc_fail(err, OUTCALL_E_INVALID, "h, method, target, ret_status and ret_body are required");
    OC_FREE char *copy = strdup(target);
    if (!copy)
        return oc_no_memory(err);
    int r = split_target(copy, &q);
    if (r < 0) {
        q.status = 400;
        r = oc_buf_printf(&out, "{\"success\":false,\"error\":\"%s\",\"code\":\"invalid_request\"}",
                          r == OUTCALL_E_LIMIT ? "too many arguments" : "malformed target");
    } else {
        r = answer(h, &q);
    }
    char *text = r == 0 ? oc_buf_take(&out, ret_len) : NULL;
    if (!text)
        return oc_no_memory(err);
    *ret_status = q.status;
    *ret_body = text;
    return 0;
}
