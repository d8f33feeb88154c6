#include "base/buf.h"
#include "core/error.h"
#include "policy/request.h"
#include "json/json.h"
#include <string.h>

/* The line before the texts. Strings are borrowed from the json_t. */
struct head {
    uint32_t version;
    const char *id, *agent, *created_at, *status, *reason;
    uint64_t number, text_bytes, active_bytes;
};

static const struct oc_json_field fields[] = {
    {"version", OC_JSON_U32, offsetof(struct head, version), true, 1, 1},
    {"id", OC_JSON_STRING, offsetof(struct head, id), true, 1, OC_REQUEST_ID_SIZE - 1},
    {"agent", OC_JSON_STRING, offsetof(struct head, agent), true, 1, OC_REQUEST_AGENT_MAX},
    {"created_at", OC_JSON_STRING, offsetof(struct head, created_at), true, 20, 20},
    {"number", OC_JSON_U64, offsetof(struct head, number), true, 1, INT64_MAX - 1},
    {"status", OC_JSON_STRING, offsetof(struct head, status), true, 1, 16},
    {"reason", OC_JSON_STRING, offsetof(struct head, reason), false, 0, OC_REQUEST_REASON_MAX},
    {"text_bytes", OC_JSON_U64, offsetof(struct head, text_bytes), true, 0, OC_REQUEST_TEXT_MAX},
    {"active_bytes", OC_JSON_U64, offsetof(struct head, active_bytes), true, 0, OC_REQUEST_TEXT_MAX},
};

int oc_request_entry_encode(const outcall_request *r, char **ret, size_t *ret_len)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = {.max = OC_REQUEST_FILE_MAX};
    OC_JSON json_t *head =
        json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:I, s:I}", "version", 1, "id", r->id, "agent", r->agent,
                  "created_at", r->created_at, "number", (json_int_t)r->number, "status",
                  outcall_request_status_name(r->status), "text_bytes", (json_int_t)strlen(r->text),
                  "active_bytes", (json_int_t)strlen(r->active));
    if (!head || (r->reason && oc_json_set(head, "reason", json_string(r->reason))))
        return OUTCALL_E_NO_MEMORY;
    OC_FREE char *line = oc_json_dump(head, NULL);
    int e = line ? oc_buf_str(&b, line) : OUTCALL_E_NO_MEMORY;
    if (e == 0)
        e = oc_buf_char(&b, '\n');
    if (e == 0)
        e = oc_buf_str(&b, r->text);
    if (e == 0)
        e = oc_buf_str(&b, r->active);
    if (e < 0)
        return e;
    *ret = oc_buf_take(&b, ret_len);
    return *ret ? 0 : OUTCALL_E_NO_MEMORY;
}

/* "2026-11-21T22:10:00Z" */
static bool is_time(const char *s)
{
    static const char shape[] = "0000-00-00T00:00:00Z";
    for (size_t i = 0; shape[i]; i++) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (shape[i] == '0' ? !digit : s[i] != shape[i])
            return false;
    }
    return s[sizeof(shape) - 1] == '\0';
}

static int broken(outcall_error *err, const char *what)
{
    return oc_fail(err, OUTCALL_E_SYNTAX, "%s", what);
}

static int fill(const struct head *h, outcall_request *r, outcall_error *err)
{
    if (!oc_request_id_valid(h->id, strlen(h->id)))
        return broken(err, "id: no id of a request");
    if (!oc_request_agent_valid(h->agent))
        return broken(err, "agent: no name of an agent");
    if (!is_time(h->created_at))
        return broken(err, "created_at: no time");
    if (oc_request_status_parse(h->status, &r->status) < 0)
        return broken(err, "status: unknown word");
    if (h->reason && (r->status != OUTCALL_REQUEST_REJECTED || !oc_request_reason_valid(h->reason)))
        return broken(err, "reason: not one");
    (void)oc_copy(r->id, sizeof(r->id), h->id, strlen(h->id));
    (void)oc_copy(r->agent, sizeof(r->agent), h->agent, strlen(h->agent));
    (void)oc_copy(r->created_at, sizeof(r->created_at), h->created_at, strlen(h->created_at));
    r->number = h->number;
    return oc_dup(&r->reason, h->reason) < 0 ? oc_no_memory(err) : 0;
}

static int take_texts(const struct head *h, const char *data, size_t len, outcall_request *r,
                      outcall_error *err)
{
    size_t n = (size_t)h->text_bytes; /* both are small: the table says so */
    if (n + (size_t)h->active_bytes != len)
        return broken(err, "the texts are longer or shorter than their file says");
    if (memchr(data, '\0', len) || !oc_utf8_valid(data, n) || !oc_utf8_valid(data + n, len - n))
        return broken(err, "the texts are not UTF-8");
    r->text = strndup(data, n);
    r->active = strndup(data + n, len - n);
    return r->text && r->active ? 0 : oc_no_memory(err);
}

int oc_request_entry_decode(const char *data, size_t len, outcall_request **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *r = calloc(1, sizeof(*r));
    OC_JSON json_t *json = NULL;
    struct head h = {.version = 0};
    outcall_error why = OUTCALL_ERROR_INIT;
    const char *end = len > 0 ? memchr(data, '\n', len) : NULL;
    if (!r)
        return oc_no_memory(err);
    if (!end)
        return broken(err, "no line of JSON");
    size_t line = (size_t)(end - data), rest = len - line - 1;
    int e = oc_json_load(data, line, &json, &why);
    if (e == 0)
        e = oc_json_decode(json, fields, OC_ARRAY_SIZE(fields), OC_JSON_STRICT, &h, &why);
    if (e == 0)
        e = fill(&h, r, &why);
    if (e == 0)
        e = take_texts(&h, end + 1, rest, r, &why);
    if (e == 0)
        e = oc_request_summarize(r, &why);
    if (e == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (e < 0)
        return broken(err, why.text);
    *ret = oc_take_ptr(&r);
    return 0;
}
