/* The other requests with a body: check-in and rule request. */
#include "base/str.h"
#include "core/error.h"
#include "proto/wire.h"
#include <string.h>

#define WORD_MAX 255 /* bytes of a host name or a version */

static int check_word(const char *s, const char *name, outcall_error *err)
{
    if (s && (strlen(s) > WORD_MAX || !oc_utf8_valid(s, strlen(s)) || oc_has_control(s, strlen(s))))
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected at most %d bytes of UTF-8 in one line", name,
                       WORD_MAX);
    return 0;
}

int outcall_checkin_encode(const char *hostname, pid_t pid, const char *version, char **ret, size_t *ret_len,
                           outcall_error *err)
{
    if (!ret || !ret_len || pid < 0)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL, or a pid below 0");
    int r = check_word(hostname, "hostname", err);
    if (r == 0)
        r = check_word(version, "version", err);
    if (r < 0)
        return r;
    OC_JSON json_t *j = json_object();
    bool bad = !j;
    if (hostname)
        bad |= oc_json_set(j, "hostname", json_string(hostname));
    if (pid)
        bad |= oc_json_set(j, "pid", json_integer(pid));
    if (version)
        bad |= oc_json_set(j, "version", json_string(version));
    return bad ? oc_no_memory(err) : oc_wire_dump(oc_take_ptr(&j), ret, ret_len, err);
}

struct checkin { /* nothing of it is believed, so nothing is kept */
    const char *hostname, *version;
    uint32_t pid;
};

static const struct oc_json_field checkin_fields[] = {
    {"hostname", OC_JSON_STRING, offsetof(struct checkin, hostname), false, 0, WORD_MAX},
    {"pid", OC_JSON_U32, offsetof(struct checkin, pid), false, 0, INT32_MAX},
    {"version", OC_JSON_STRING, offsetof(struct checkin, version), false, 0, WORD_MAX},
};

int outcall_checkin_decode(const char *json, size_t len, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    struct checkin c = {.pid = 0};
    int r = oc_wire_load(json, len, &j, err);
    return r < 0 ? r
                 : oc_wire_decode(j, checkin_fields, OC_ARRAY_SIZE(checkin_fields), OC_JSON_STRICT, "", &c,
                                  err);
}

int outcall_rule_request_encode(const char *yaml, size_t len, char **ret, size_t *ret_len, outcall_error *err)
{
    if (!yaml || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    if (len > OUTCALL_AGENT_BODY_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "rule_file: expected at most %u bytes, got %zu",
                       OUTCALL_AGENT_BODY_MAX, len);
    if (len == 0 || memchr(yaml, '\0', len) || !oc_utf8_valid(yaml, len))
        return oc_fail(err, OUTCALL_E_INVALID, "rule_file: expected UTF-8 without NUL, at least one byte");
    OC_JSON json_t *j = json_object();
    if (oc_json_set(j, "rule_file", json_stringn(yaml, len)))
        return oc_no_memory(err);
    return oc_wire_dump(oc_take_ptr(&j), ret, ret_len, err);
}

int outcall_rule_request_decode(const char *json, size_t len, char **ret, size_t *ret_len, outcall_error *err)
{
    static const struct oc_json_field fields[] = {
        {"rule_file", OC_JSON_TEXT, 0, true, 1, OUTCALL_AGENT_BODY_MAX}};
    OC_JSON json_t *j = NULL;
    const char *text = NULL;
    if (!ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    int r = oc_wire_load(json, len, &j, err);
    if (r == 0)
        r = oc_wire_decode(j, fields, OC_ARRAY_SIZE(fields), OC_JSON_STRICT, "", &text, err);
    if (r == 0 && oc_dup(ret, text) < 0)
        r = oc_no_memory(err);
    if (r == 0)
        *ret_len = strlen(text);
    return r;
}
