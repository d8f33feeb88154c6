/* What agents ask for: rule files that wait for the operator's answer. */
#include "base/str.h"
#include "core/error.h"
#include "host_api/api.h"
#include <string.h>

#define REASON_MAX 1024

static int check_store(const outcall_host_api *h, outcall_error *err)
{
    if (h->requests)
        return 0;
    return oc_fail_kind(err, OUTCALL_E_UNSUPPORTED, OUTCALL_KIND_NOT_READY, "no rule requests are kept here");
}

static json_t *rules_json(const outcall_request *request)
{
    OC_JSON json_t *a = json_array();
    const char *id = NULL;
    bool bad = !a;
    for (size_t i = 0; !bad && (id = outcall_request_rule(request, i)); i++)
        bad = oc_json_add(a, json_string(id));
    return bad ? NULL : oc_take_ptr(&a);
}

static json_t *request_json(const outcall_request *r)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s?, s:o}", "id", outcall_request_id(r), "agent", outcall_request_agent(r),
        "status", outcall_request_status_name(outcall_request_status(r)), "created_at",
        outcall_request_created_at(r), "reason", outcall_request_reason(r), "rules", rules_json(r));
}

/* -1 is all of them; what is not asked for is what waits. */
static int wanted_status(const struct oc_request *q, int *ret, outcall_error *err)
{
    const char *text = oc_query_get(q, "status");
    char shown[OC_SHOWN_SIZE];
    *ret = OUTCALL_REQUEST_PENDING;
    if (!text)
        return 0;
    if (strcmp(text, "all") == 0) {
        *ret = -1;
        return 0;
    }
    for (int s = OUTCALL_REQUEST_PENDING; s <= OUTCALL_REQUEST_REJECTED; s++) {
        if (strcmp(text, outcall_request_status_name(s)) == 0) {
            *ret = s;
            return 0;
        }
    }
    return oc_fail(err, OUTCALL_E_INVALID, "status: expected pending, approved, rejected or all, got \"%s\"",
                   oc_shown(shown, text));
}

static int list(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    outcall_request **v = NULL;
    int status = 0;
    int r = check_store(h, err);
    if (r == 0)
        r = wanted_status(q, &status, err);
    if (r == 0)
        r = outcall_requests_list(h->requests, status, &v, err);
    if (r < 0)
        return r;
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (int i = 0; i < r && !bad; i++)
        bad = oc_json_add(a, request_json(v[i]));
    outcall_request_free_many(v, (size_t)r);
    if (bad)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&a);
    return 0;
}

static int get(outcall_host_api *h, const char *id, outcall_request **ret, outcall_error *err)
{
    int r = check_store(h, err);
    return r < 0 ? r : outcall_requests_get(h->requests, id, NULL, ret, err);
}

static json_t *allows_json(const outcall_request *request)
{
    OC_JSON json_t *a = json_array();
    const char *line = NULL;
    bool bad = !a;
    for (size_t i = 0; !bad && (line = outcall_request_allows(request, i)); i++)
        bad = oc_json_add(a, json_string(line));
    return bad ? NULL : oc_take_ptr(&a);
}

static int show(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    int r = get(h, q->id, &request, err);
    if (r < 0)
        return r;
    OC_JSON json_t *j = request_json(request);
    if (!j || oc_json_set(j, "text", json_string(outcall_request_text(request))) ||
        oc_json_set(j, "active_text", json_string(outcall_request_active_text(request))) ||
        oc_json_set(j, "allows", allows_json(request)))
        return oc_no_memory(err);
    *ret = oc_take_ptr(&j);
    return 0;
}

/* Once: the same answer again changes nothing. request: as it was before. */
static void answered(outcall_host_api *h, const outcall_request *request, const char *action)
{
    if (outcall_request_status(request) == OUTCALL_REQUEST_PENDING)
        outcall_host_api_event(h, "rules", action, outcall_request_agent(request),
                               outcall_request_id(request), NULL);
}

static int approve(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    size_t n = 0;
    int r = get(h, q->id, &request, err);
    if (r == 0)
        r = outcall_requests_approve(h->requests, q->id, &n, err);
    if (r < 0)
        return r;
    answered(h, request, "request-approved");
    *ret = json_pack("{s:s, s:I}", "id", q->id, "rules_loaded", (json_int_t)n);
    return 0;
}

struct reject_request {
    const char *reason;
};

static const struct oc_json_field reject_fields[] = {
    {"reason", OC_JSON_STRING, offsetof(struct reject_request, reason), false, 0, REASON_MAX},
};

static int reject(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    OC_JSON json_t *json = NULL;
    struct reject_request body = {NULL};
    int r = get(h, q->id, &request, err);
    if (r == 0 && q->body_len > 0) /* a reason is a courtesy */
        r = oc_request_decode(q, reject_fields, OC_ARRAY_SIZE(reject_fields), &body, &json, err);
    if (r == 0)
        r = outcall_requests_reject(h->requests, q->id, body.reason, err);
    if (r < 0)
        return r;
    answered(h, request, "request-rejected");
    *ret = json_pack("{s:s}", "id", q->id);
    return 0;
}

const struct oc_route oc_request_routes[] = {
    {"GET", "/api/v1/requests/rules", list, {"status"}, false},
    {"GET", "/api/v1/requests/rules/{id}", show, {NULL}, false},
    {"POST", "/api/v1/requests/rules/{id}/approve", approve, {NULL}, false},
    {"POST", "/api/v1/requests/rules/{id}/reject", reject, {NULL}, true},
    {NULL, NULL, NULL, {NULL}, false},
};
