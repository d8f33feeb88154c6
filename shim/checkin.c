#include "checkin.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "http/client.h"
#include "outcall/version.h"
#include "json/json.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 * 1024) /* bytes; spec section 2: agent API bodies */
#define HOST_SIZE  256

static int unreachable(outcall_error *err, int code)
{
    return oc_fail(err, code, "outcalld unreachable — exiting (fail closed)");
}

static char *request_body(size_t *ret_len)
{
    char host[HOST_SIZE] = "";
    if (gethostname(host, sizeof(host) - 1) < 0 || !oc_utf8_valid(host, strlen(host)))
        host[0] = '\0';
    OC_JSON json_t *j = json_object();
    bool bad = oc_json_set(j, "hostname", json_string(host));
    bad |= oc_json_set(j, "pid", json_integer(getpid()));
    bad |= oc_json_set(j, "version", json_string(OUTCALL_VERSION_STRING));
    return bad ? NULL : oc_json_dump(j, ret_len);
}

/* What the daemon said, or that what it said cannot be understood: neither starts anything. */
static int read_answer(const struct oc_http_response *res, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    int r = oc_json_load(res->body, res->len, &j, NULL);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    const char *reason = oc_json_string(j, "error", NULL);
    if (r == 0 && reason && !oc_json_bool(j, "success", true))
        return oc_fail(err, OUTCALL_E_DENIED, "registration rejected: %s", reason);
    if (res->status < 200 || res->status > 299)
        return oc_fail(err, OUTCALL_E_DENIED, "registration rejected: HTTP status %d", res->status);
    if (r < 0 || !oc_json_bool(j, "success", false))
        return oc_fail(err, OUTCALL_E_PROTOCOL, "registration rejected: malformed answer");
    return 0;
}

int shim_checkin(const char *socket_path, uint64_t timeout_ms, outcall_error *err)
{
    OC_CLEANUP(oc_http_freep) oc_http *h = NULL;
    OC_CLEANUP(oc_http_response_done) struct oc_http_response res = {0};
    OC_FREE char *body = NULL;
    uint64_t deadline = oc_deadline(timeout_ms);
    int r = oc_http_connect(&h, socket_path, deadline, NULL);
    if (r == OUTCALL_E_UNREACHABLE && (errno == ENOENT || errno == ENOTDIR))
        return oc_fail(err, r, "agent socket not found at %s", socket_path);
    if (r < 0)
        return unreachable(err, r);
    struct oc_http_request req = {
        .method = "POST", .target = "/v1/checkin", .deadline_ms = deadline, .body_max = ANSWER_MAX};
    body = request_body(&req.body_len);
    if (!body)
        return oc_no_memory(err);
    req.body = body;
    r = oc_http_exchange(h, &req, &res, NULL);
    return r < 0 ? unreachable(err, r) : read_answer(&res, err);
}
