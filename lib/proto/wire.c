#include "proto/wire.h"
#include "base/buf.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

static bool is_id(const char *s, const char *prefix, size_t len)
{
    size_t at = strlen(prefix);
    if (strnlen(s, len + 1) != len || !oc_starts_with(s, prefix))
        return false;
    for (; at < len; at++)
        if (!((s[at] >= '0' && s[at] <= '9') || (s[at] >= 'a' && s[at] <= 'f')))
            return false;
    return true;
}

bool oc_rule_request_id_ok(const char *id)
{
    return is_id(id, "rr-", OC_RULE_REQUEST_ID_LEN);
}

bool oc_token_ok(const char *token)
{
    return is_id(token, "tok-", OC_TOKEN_LEN);
}

static int check_length(size_t len, outcall_error *err)
{
    if (len > OUTCALL_AGENT_BODY_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "body: expected at most %u bytes, got %zu",
                       OUTCALL_AGENT_BODY_MAX, len);
    return 0;
}

int oc_wire_load(const char *json, size_t len, json_t **ret, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    if (!json)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    int r = check_length(len, err);
    if (r < 0)
        return r;
    r = oc_json_load(json, len, ret, &why);
    if (r == 0 || r == OUTCALL_E_NO_MEMORY)
        return r == 0 ? 0 : oc_no_memory(err);
    return oc_fail(err, r == OUTCALL_E_LIMIT ? r : OUTCALL_E_PROTOCOL, "%s", why.text);
}

int oc_wire_decode(const json_t *object, const struct oc_json_field *fields, size_t n, int mode,
                   const char *where, void *ret, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_json_decode(object, fields, n, mode, ret, &why);
    if (r == 0 || r == OUTCALL_E_NO_MEMORY)
        return r == 0 ? 0 : oc_no_memory(err);
    return oc_fail(err, OUTCALL_E_PROTOCOL, "%s%s", where, why.text);
}

struct envelope {
    bool success;
    const char *error, *code;
};

static const struct oc_json_field envelope_fields[] = {
    {"success", OC_JSON_BOOL, offsetof(struct envelope, success), true, 0, 0},
    {"error", OC_JSON_TEXT, offsetof(struct envelope, error), false, 0, 0},
    {"code", OC_JSON_TEXT, offsetof(struct envelope, code), false, 0, 0},
};

int oc_wire_open(const char *json, size_t len, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    struct envelope e = {.code = ""};
    char line[OUTCALL_ERROR_TEXT];
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_wire_load(json, len, &j, &why);
    if (r < 0) /* an answer that is too long or too deep is none of ours either */
        return oc_fail(err, r == OUTCALL_E_LIMIT ? OUTCALL_E_PROTOCOL : r, "%s", why.text);
    r = oc_wire_decode(j, envelope_fields, OC_ARRAY_SIZE(envelope_fields), OC_JSON_TOLERANT, "", &e, err);
    if (r < 0)
        return r;
    if (!e.success && (!e.error || e.error[0] == '\0'))
        return oc_fail(err, OUTCALL_E_PROTOCOL, "error: a refusal says no reason");
    if (!e.success) {
        oc_wire_line(line, sizeof(line), e.error);
        return oc_fail_kind(err, OUTCALL_E_DENIED, oc_kind_by_name(e.code), "%s", line);
    }
    *ret = oc_take_ptr(&j);
    return 0;
}

int oc_wire_data(const json_t *envelope, const json_t **ret, outcall_error *err)
{
    static const struct oc_json_field fields[] = {{"data", OC_JSON_OBJECT, 0, true, 0, 0}};
    return oc_wire_decode(envelope, fields, OC_ARRAY_SIZE(fields), OC_JSON_TOLERANT, "", ret, err);
}

int oc_wire_dump(json_t *take_j, char **ret, size_t *ret_len, outcall_error *err)
{
    OC_JSON json_t *j = take_j;
    size_t len = 0;
    OC_FREE char *text = j ? oc_json_dump(j, &len) : NULL;
    if (!text)
        return oc_no_memory(err);
    int r = check_length(len, err);
    if (r < 0)
        return r;
    *ret = oc_take_ptr(&text);
    *ret_len = len;
    return 0;
}

int oc_wire_take(struct oc_buf *b, int r, char **ret, size_t *ret_len, outcall_error *err)
{
    if (r < 0) /* the buffer's own ceiling is far above */
        return oc_fail_code(err, r, "body");
    r = check_length(b->len, err);
    if (r == 0)
        *ret = oc_buf_take(b, ret_len);
    return r;
}

int oc_wire_seal(json_t *take_data, char **ret, size_t *ret_len, outcall_error *err)
{
    json_t *j = json_object();
    bool bad = oc_json_set(j, "success", json_true());
    bad |= oc_json_set(j, "data", take_data); /* takes it also when it fails */
    if (bad) {
        json_decref(j);
        j = NULL;
    }
    return oc_wire_dump(j, ret, ret_len, err);
}

void oc_wire_line(char *buf, size_t size, const char *s)
{
    size_t len = strlen(s);
    bool cut = len >= size;
    if (cut)
        len = oc_utf8_cut(s, len, size - 4);
    (void)oc_format(buf, size, "%.*s%s", (int)len, s, cut ? "..." : "");
    unsigned char *p = (unsigned char *)buf;
    for (; *p; p++) {
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
        bool line_break = p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
        if (*p < 0x20 || *p == 0x7f || c1 || line_break)
            memset(p, ' ', line_break ? 3 : c1 ? 2 : 1);
    }
}
