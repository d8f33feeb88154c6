#include "outcall/host_client.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "http/client.h"
#include "json/json.h"
#include <errno.h>
#include <string.h>

#define SOCKET_DEFAULT     "/run/outcall/host.sock"
#define SOCKET_PATH_MAX    107U /* sun_path with its NUL is 108 */
#define TIMEOUT_DEFAULT_MS 30000U
#define ANSWER_DEFAULT     ((size_t)16 << 20)

struct outcall_host_client {
    char socket_path[SOCKET_PATH_MAX + 1];
    uint64_t timeout_ms;
    size_t max_answer;
};

int outcall_host_client_new(outcall_host_client **ret, const outcall_host_client_options *opts,
                            outcall_error *err)
{
    static const outcall_host_client_options defaults = OUTCALL_HOST_CLIENT_OPTIONS_INIT;
    const outcall_host_client_options *o = opts ? opts : &defaults;
    if (!ret || o->version != 1)
        return oc_fail(err, OUTCALL_E_INVALID, "host client: no place for the result, or unknown version");
    const char *path = o->socket_path ? o->socket_path : SOCKET_DEFAULT;
    outcall_host_client *c = calloc(1, sizeof(*c));
    if (!c)
        return oc_no_memory(err);
    if (path[0] == '\0' || oc_copy(c->socket_path, sizeof(c->socket_path), path, strlen(path)) < 0) {
        free(c);
        return oc_fail(err, OUTCALL_E_INVALID, "socket path: expected 1 to %u bytes, got %zu",
                       SOCKET_PATH_MAX, strlen(path));
    }
    c->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
    c->max_answer = o->max_answer ? o->max_answer : ANSWER_DEFAULT;
    *ret = c;
    return 0;
}

outcall_host_client *outcall_host_client_free(outcall_host_client *c)
{
    free(c);
    return NULL;
}

static int fail_remote(const struct oc_http_response *res, const json_t *j, outcall_error *err)
{
    const char *text = oc_json_string(j, "error", NULL);
    const char *code = oc_json_string(j, "code", "");
    bool fresh = err && err->code == 0;
    int r = text ? oc_fail_kind(err, OUTCALL_E_REMOTE, oc_kind_by_name(code), "%s", text)
                 : oc_fail_kind(err, OUTCALL_E_REMOTE, oc_kind_by_name(code),
                                "outcalld answered with HTTP status %d", res->status);
    if (fresh)
        err->status = res->status;
    return r;
}

/* An error that has no JSON body (libmicrohttpd's own) is an error all the same. */
static int read_envelope(const struct oc_http_response *res, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    bool ok = res->status >= 200 && res->status < 300;
    int r = oc_json_load(res->body, res->len, &j, NULL);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (!ok)
        return fail_remote(res, j, err);
    if (r < 0 || !json_is_boolean(oc_json_get(j, "success")))
        return oc_fail(err, OUTCALL_E_PROTOCOL, "outcalld gave an answer that is not its own JSON");
    if (!oc_json_bool(j, "success", false))
        return fail_remote(res, j, err);
    *ret = oc_take_ptr(&j);
    return 0;
}

static int exchange(const outcall_host_client *c, const struct oc_http_request *req, uint64_t connect_by,
                    struct oc_http_response *ret, outcall_error *err)
{
    OC_CLEANUP(oc_http_freep) oc_http *h = NULL;
    int r = oc_http_connect(&h, c->socket_path, connect_by, NULL);
    if (r == OUTCALL_E_UNREACHABLE) {
        int why = errno;
        bool fresh = err && err->code == 0;
        (void)oc_fail(err, r, "cannot connect to outcalld at %s — is it running?", c->socket_path);
        if (fresh)
            err->sys_errno = why;
        return r;
    }
    if (r < 0)
        return oc_fail_code(err, r, "connecting to outcalld at %s", c->socket_path);
    r = oc_http_exchange(h, req, ret, err);
    if (r < 0)
        oc_error_at(err, c->socket_path, 0, 0);
    return r;
}

static int dump_data(const json_t *envelope, char **ret_body, size_t *ret_len, outcall_error *err)
{
    size_t len = 4;
    const json_t *data = oc_json_get(envelope, "data");
    char *text = data ? oc_json_dump(data, &len) : strdup("null");
    if (!text)
        return oc_no_memory(err);
    if (ret_len)
        *ret_len = len;
    if (ret_body)
        *ret_body = text;
    else
        free(text);
    return 0;
}

int outcall_host_client_call(outcall_host_client *c, const char *method, const char *path,
                             const char *json_or_null, char **ret_body, size_t *ret_len, outcall_error *err)
{
    if (!c || !method || !path)
        return oc_fail(err, OUTCALL_E_INVALID, "host client: a required argument is NULL");
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_JSON json_t *envelope = NULL;
    uint64_t deadline = oc_deadline(c->timeout_ms);
    struct oc_http_request req = {.method = method,
                                  .target = path,
                                  .body = json_or_null,
                                  .body_len = json_or_null ? strlen(json_or_null) : 0,
                                  .deadline_ms = deadline,
                                  .body_max = c->max_answer};
    int r = exchange(c, &req, deadline, &res, err);
    if (r == 0)
        r = read_envelope(&res, &envelope, err);
    return r == 0 ? dump_data(envelope, ret_body, ret_len, err) : r;
}

int outcall_host_client_stream(outcall_host_client *c, const char *method, const char *path,
                               const char *json_or_null,
                               int (*on_data)(void *userdata, const char *data, size_t len), void *userdata,
                               outcall_error *err)
{
    if (!c || !method || !path || !on_data)
        return oc_fail(err, OUTCALL_E_INVALID, "host client: a required argument is NULL");
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    uint64_t deadline = oc_deadline(c->timeout_ms);
    struct oc_http_request req = {.method = method,
                                  .target = path,
                                  .body = json_or_null,
                                  .body_len = json_or_null ? strlen(json_or_null) : 0,
                                  .deadline_ms = OC_NEVER,
                                  .head_deadline_ms = deadline,
                                  .body_max = c->max_answer,
                                  .on_data = on_data,
                                  .userdata = userdata};
    int r = exchange(c, &req, deadline, &res, err);
    if (r != 0 || res.status < 300)
        return r;
    OC_JSON json_t *envelope = NULL;
    return read_envelope(&res, &envelope, err);
}
