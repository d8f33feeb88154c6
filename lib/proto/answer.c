/* The answers: what the daemon says, inside the envelope. The reading side zeroes its result first, so that
 * whatever happens afterwards means blocked. */
#include "base/buf.h"
#include "base/str.h"
#include "core/error.h"
#include "proto/wire.h"
#include <string.h>

#define HEARTBEAT_MAX_S 3600
#define REPLY_SIZE      128 /* of a reply beside its texts */

/* What an agent may speak about in a question: the rules' variables that questions fill. */
static const char *const context_keys[] = {"agent", "http", "network", "run"};

/* Is a fixed array a NUL-terminated text of UTF-8? */
static bool is_text(const char *s, size_t size)
{
    size_t len = strnlen(s, size);
    return len < size && oc_utf8_valid(s, len);
}

static bool is_line(const char *s, size_t size)
{
    return is_text(s, size) && !oc_has_control(s, strlen(s));
}

static json_t *text_or_null(const char *s)
{
    return s[0] ? json_string(s) : json_null();
}

static json_t *line_or_null(const char *s, size_t size)
{
    char line[sizeof(((outcall_reply *)NULL)->reason)];
    oc_wire_line(line, OC_MIN(size, sizeof(line)), s);
    return text_or_null(line);
}

/* A member that must be there: a string, or null, which gives "". */
static int read_text_or_null(const json_t *data, const char *name, const char **ret, outcall_error *err)
{
    const json_t *v = json_object_get(data, name);
    if (!v)
        return oc_fail(err, OUTCALL_E_PROTOCOL, "%s: required field is missing", name);
    if (!json_is_string(v) && !json_is_null(v))
        return oc_fail(err, OUTCALL_E_PROTOCOL, "%s: expected a string or null", name);
    *ret = json_is_null(v) ? "" : json_string_value(v);
    return 0;
}

/* Every verdict passes here, so it is text at once. */
static int write_reply(const outcall_reply *r, struct oc_buf *b)
{
    static const char yes[] = "{\"success\":true,\"data\":{\"allowed\":true,\"matched_rule\":",
                      no[] = "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":";
    char reason[sizeof(r->reason)];
    oc_wire_line(reason, sizeof(reason), r->reason);
    int x = oc_buf_reserve(b, REPLY_SIZE + strlen(r->rule_id) + strlen(reason));
    if (x == 0)
        x = oc_buf_str(b, r->allowed == 1 ? yes : no);
    if (x == 0)
        x = oc_json_append(b, r->rule_id[0] ? r->rule_id : NULL);
    if (x == 0)
        x = oc_buf_str(b, ",\"reason\":");
    if (x == 0)
        x = oc_json_append(b, reason[0] ? reason : NULL);
    return x == 0 ? oc_buf_str(b, "}}") : x;
}

int outcall_reply_encode(const outcall_reply *r, char **ret, size_t *ret_len, outcall_error *err)
{
    if (!r || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    if (!is_line(r->rule_id, sizeof(r->rule_id)) || !is_text(r->reason, sizeof(r->reason)))
        return oc_fail(err, OUTCALL_E_INVALID, "reply: expected NUL-terminated UTF-8");
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    return oc_wire_take(&b, write_reply(r, &b), ret, ret_len, err);
}

static int read_reply(const json_t *data, outcall_reply *ret, outcall_error *err)
{
    static const struct oc_json_field fields[] = {{"allowed", OC_JSON_BOOL, 0, true, 0, 0}};
    bool allowed = false;
    const char *rule = "", *reason = "";
    int r = oc_wire_decode(data, fields, OC_ARRAY_SIZE(fields), OC_JSON_TOLERANT, "", &allowed, err);
    if (r == 0)
        r = read_text_or_null(data, "matched_rule", &rule, err);
    if (r == 0)
        r = read_text_or_null(data, "reason", &reason, err);
    if (r == 0 && (strlen(rule) >= sizeof(ret->rule_id) || oc_has_control(rule, strlen(rule))))
        r = oc_fail(err, OUTCALL_E_PROTOCOL, "matched_rule: expected at most %zu bytes in one line",
                    sizeof(ret->rule_id) - 1);
    if (r < 0)
        return r;
    (void)oc_copy(ret->rule_id, sizeof(ret->rule_id), rule, strlen(rule));
    oc_wire_line(ret->reason, sizeof(ret->reason), reason);
    ret->allowed = allowed ? 1 : 0;
    return 0;
}

int outcall_reply_decode(const char *json, size_t len, outcall_reply *ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    const json_t *data = NULL;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    memset(ret, 0, sizeof(*ret));
    int r = oc_wire_open(json, len, &j, err);
    if (r == 0)
        r = oc_wire_data(j, &data, err);
    return r == 0 ? read_reply(data, ret, err) : r;
}

static json_t *write_context_keys(void)
{
    json_t *list = json_array();
    bool bad = !list;
    for (size_t i = 0; i < OC_ARRAY_SIZE(context_keys); i++)
        bad |= oc_json_add(list, json_string(context_keys[i]));
    if (bad) {
        json_decref(list);
        return NULL;
    }
    return list;
}

int outcall_session_encode(const outcall_session *s, char **ret, size_t *ret_len, outcall_error *err)
{
    if (!s || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    if (!is_line(s->container_id, sizeof(s->container_id)) || s->container_id[0] == '\0' ||
        !is_line(s->name, sizeof(s->name)) || s->name[0] == '\0' || !oc_token_ok(s->token) ||
        s->heartbeat_s < 1 || s->heartbeat_s > HEARTBEAT_MAX_S)
        return oc_fail(err, OUTCALL_E_INVALID, "session: a member is empty or out of its range");
    json_t *j = json_object();
    bool bad = oc_json_set(j, "container_id", json_string(s->container_id));
    bad |= oc_json_set(j, "name", json_string(s->name));
    bad |= oc_json_set(j, "session_token", json_string(s->token));
    bad |= oc_json_set(j, "context_keys", write_context_keys());
    bad |= oc_json_set(j, "heartbeat_secs", json_integer(s->heartbeat_s));
    if (bad) {
        json_decref(j);
        return oc_no_memory(err);
    }
    return oc_wire_seal(j, ret, ret_len, err);
}

struct session {
    const char *container_id, *name, *token;
    struct oc_json_strings context_keys;
    uint32_t heartbeat_s;
};

static const struct oc_json_field session_fields[] = {
    {"container_id", OC_JSON_STRING, offsetof(struct session, container_id), true, 1,
     sizeof(((outcall_session *)NULL)->container_id) - 1},
    {"name", OC_JSON_STRING, offsetof(struct session, name), true, 1,
     sizeof(((outcall_session *)NULL)->name) - 1},
    {"session_token", OC_JSON_STRING, offsetof(struct session, token), true, OC_TOKEN_LEN, OC_TOKEN_LEN},
    {"context_keys", OC_JSON_STRINGS, offsetof(struct session, context_keys), true, 0, 0},
    {"heartbeat_secs", OC_JSON_U32, offsetof(struct session, heartbeat_s), true, 1, HEARTBEAT_MAX_S},
};

static int read_session(const json_t *data, outcall_session *ret, outcall_error *err)
{
    struct session s = {.name = NULL};
    int r =
        oc_wire_decode(data, session_fields, OC_ARRAY_SIZE(session_fields), OC_JSON_TOLERANT, "", &s, err);
    if (r < 0)
        return r;
    oc_json_decode_done(session_fields, OC_ARRAY_SIZE(session_fields), &s);
    if (!oc_token_ok(s.token)) /* it goes into a header of every request */
        return oc_fail(err, OUTCALL_E_PROTOCOL, "session_token: expected \"tok-\" and 32 hexadecimal digits");
    (void)oc_copy(ret->container_id, sizeof(ret->container_id), s.container_id, strlen(s.container_id));
    (void)oc_copy(ret->name, sizeof(ret->name), s.name, strlen(s.name));
    (void)oc_copy(ret->token, sizeof(ret->token), s.token, strlen(s.token));
    ret->heartbeat_s = s.heartbeat_s;
    return 0;
}

int outcall_session_decode(const char *json, size_t len, outcall_session *ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    const json_t *data = NULL;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    memset(ret, 0, sizeof(*ret));
    int r = oc_wire_open(json, len, &j, err);
    if (r == 0)
        r = oc_wire_data(j, &data, err);
    return r == 0 ? read_session(data, ret, err) : r;
}

static bool is_status(const char *s)
{
    return strcmp(s, "pending") == 0 || strcmp(s, "approved") == 0 || strcmp(s, "rejected") == 0;
}

int outcall_rule_request_state_encode(const outcall_rule_request_state *s, char **ret, size_t *ret_len,
                                      outcall_error *err)
{
    if (!s || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    if (!oc_rule_request_id_ok(s->id) || !is_text(s->status, sizeof(s->status)) || !is_status(s->status) ||
        !is_text(s->reason, sizeof(s->reason)))
        return oc_fail(err, OUTCALL_E_INVALID, "rule request: a member is out of its range");
    json_t *j = json_object();
    bool bad = oc_json_set(j, "id", json_string(s->id));
    bad |= oc_json_set(j, "status", json_string(s->status));
    bad |= oc_json_set(j, "reason", line_or_null(s->reason, sizeof(s->reason)));
    if (bad) {
        json_decref(j);
        return oc_no_memory(err);
    }
    return oc_wire_seal(j, ret, ret_len, err);
}

struct state {
    const char *id, *status;
};

static const struct oc_json_field state_fields[] = {
    {"id", OC_JSON_STRING, offsetof(struct state, id), true, 0, 0},
    {"status", OC_JSON_STRING, offsetof(struct state, status), true, 0, 0},
};

static int read_state(const json_t *data, outcall_rule_request_state *ret, outcall_error *err)
{
    struct state s = {.id = NULL};
    const char *reason = "";
    int r = oc_wire_decode(data, state_fields, OC_ARRAY_SIZE(state_fields), OC_JSON_TOLERANT, "", &s, err);
    if (r == 0)
        r = read_text_or_null(data, "reason", &reason, err);
    if (r == 0 && !oc_rule_request_id_ok(s.id))
        r = oc_fail(err, OUTCALL_E_PROTOCOL, "id: expected \"rr-\" and 12 hexadecimal digits");
    if (r == 0 && !is_status(s.status))
        r = oc_fail(err, OUTCALL_E_PROTOCOL, "status: expected pending, approved or rejected");
    if (r < 0)
        return r;
    (void)oc_copy(ret->id, sizeof(ret->id), s.id, strlen(s.id));
    (void)oc_copy(ret->status, sizeof(ret->status), s.status, strlen(s.status));
    oc_wire_line(ret->reason, sizeof(ret->reason), reason);
    return 0;
}

int outcall_rule_request_state_decode(const char *json, size_t len, outcall_rule_request_state *ret,
                                      outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    const json_t *data = NULL;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    memset(ret, 0, sizeof(*ret));
    int r = oc_wire_open(json, len, &j, err);
    if (r == 0)
        r = oc_wire_data(j, &data, err);
    return r == 0 ? read_state(data, ret, err) : r;
}
