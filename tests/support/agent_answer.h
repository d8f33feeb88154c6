/* tests/support/agent_answer.h - what an agent was answered, byte by byte: an answer is well, or something
 * leaves the daemon that is on no list. Shared by the unit test that makes the server say all it can say, and
 * by the fuzz target. */
#ifndef SUPPORT_AGENT_ANSWER_H
#define SUPPORT_AGENT_ANSWER_H
#include "base/num.h"
#include "outcall/protocol.h"
#include "policy/request.h"
#include "support/agent_refusal.h"
#include "json/json.h"
#include <strings.h>

#define AGENT_OWN_MAX 64

/* Who asks, and what may be told. */
struct agent_known {
    const char *agent, *container_id, *name;
    const char *const *rules;   /* ids that may be told; up to NULL */
    const char *const *reasons; /* of these rules and of rejections, in one line; up to NULL */
    uint32_t heartbeat_s;
    struct oc_buf said;          /* every body it sent, as it is and unescaped */
    struct oc_strings files;     /* the rule files among them */
    char own[AGENT_OWN_MAX][16]; /* ids that its submits were answered with, the last of them */
    size_t own_n;
    bool seen[OC_ARRAY_SIZE(agent_refusals)];
    int status;        /* of the last answer */
    const char *wrong; /* the first thing that is on no list */
    char shown[512];   /* and the text that it is about */
};

static inline bool agent_wrong(struct agent_known *k, const char *what, const char *text, size_t len)
{
    if (!k->wrong) {
        k->wrong = what;
        (void)snprintf(k->shown, sizeof(k->shown), "%.*s", (int)OC_MIN(len, sizeof(k->shown) - 1), text);
    }
    return false;
}

/* ---- what it said ---- */

static inline void agent_add(struct oc_buf *b, const char *s, size_t len)
{
    if (oc_buf_add(b, s, len) < 0)
        abort();
}

/* One character of an escape of four digits, or of two of them; UTF-8. Returns how many bytes it took. */
static inline size_t agent_unescape_u(struct oc_buf *b, const char *s, size_t left)
{
    uint64_t c = 0, low = 0;
    char utf8[8];
    if (left < 6 || oc_parse_hex(s + 2, 4, 0xffff, &c) < 0)
        return 1;
    bool pair = c >= 0xd800 && c < 0xdc00 && left >= 12 && oc_starts_with(s + 6, "\\u") &&
                oc_parse_hex(s + 8, 4, 0xffff, &low) == 0;
    if (pair)
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
    size_t n = 0;
    if (c < 0x80) {
        utf8[n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c); /* as errors show it */
    } else if (c < 0x800) {
        utf8[n++] = (char)(0xc0 | (c >> 6));
    } else if (c < 0x10000) {
        utf8[n++] = (char)(0xe0 | (c >> 12));
        utf8[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
    } else {
        utf8[n++] = (char)(0xf0 | (c >> 18));
        utf8[n++] = (char)(0x80 | ((c >> 12) & 0x3f));
        utf8[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
    }
    if (c >= 0x80)
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    agent_add(b, utf8, n);
    return pair ? 12 : 6;
}

static inline void agent_add_unescaped(struct oc_buf *b, const char *s, size_t len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/     ";
    for (size_t i = 0; i < len;) {
        const char *escape = s[i] == '\\' && i + 1 < len && s[i + 1] ? strchr(from, s[i + 1]) : NULL;
        if (escape) {
            agent_add(b, &to[escape - from], 1);
            i += 2;
        } else if (s[i] == '\\' && i + 1 < len && s[i + 1] == 'u') {
            i += agent_unescape_u(b, s + i, len - i);
        } else {
            agent_add(b, s + i++, 1);
        }
    }
}

/* To be told of each body before its answer is looked at. */
static inline void agent_says(struct agent_known *k, const char *body, size_t len)
{
    char *file = NULL;
    size_t file_len = 0, at = k->said.len;
    agent_add(&k->said, body, len);
    for (char *p = k->said.data ? k->said.data + at : NULL; p && p < k->said.data + k->said.len; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' '; /* as errors show it, and what is no UTF-8 too */
    if (k->said.data)
        oc_utf8_repair(k->said.data + at);
    OC_FREE char *shown = strndup(k->said.data ? k->said.data + at : "", len);
    agent_add(&k->said, "\n", 1);
    agent_add_unescaped(&k->said, shown, len);
    agent_add(&k->said, "\n", 1);
    if (outcall_rule_request_decode(body, len, &file, &file_len, NULL) == 0 &&
        oc_strings_add(&k->files, file, file_len) < 0)
        abort();
    free(file);
}

static inline void agent_forget(struct agent_known *k)
{
    oc_buf_done(&k->said);
    oc_strings_done(&k->files);
    k->wrong = NULL;
}

/* Is this what is said about one of its files where there are no rules at all? Then it tells nothing of any.
 * A file whose tests do not end in time at this attempt may have ended in another error before. */
static inline bool agent_file_error(const struct agent_known *k, const char *text)
{
    for (size_t i = 0; i < k->files.n; i++) {
        char line[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE];
        OC_FREE char *active = NULL;
        outcall_error err = OUTCALL_ERROR_INIT;
        int r = oc_request_check(k->agent, k->files.v[i], strlen(k->files.v[i]), NULL, &active, &err);
        (void)outcall_error_format(&err, line, sizeof(line));
        if (r < 0 &&
            (strcmp(line, text) == 0 || (r == OUTCALL_E_TIMEOUT && oc_starts_with(text, "request.yaml:"))))
            return true;
    }
    return false;
}

/* ---- bodies ---- */

static inline bool agent_listed(const char *const *list, const char *s)
{
    for (; *list; list++)
        if (strcmp(*list, s) == 0)
            return true;
    return false;
}

/* Exactly these members: names up to NULL. */
static inline bool agent_members(const json_t *object, const char *const *names)
{
    size_t n = 0;
    for (; names[n]; n++)
        if (!json_object_get(object, names[n]))
            return false;
    return json_is_object(object) && json_object_size(object) == n;
}

static inline bool agent_hex(const char *s, const char *prefix, size_t digits)
{
    return oc_starts_with(s, prefix) && strlen(s) == strlen(prefix) + digits &&
           strspn(s + strlen(prefix), "0123456789abcdef") == digits;
}

static inline bool agent_session_ok(const struct agent_known *k, const json_t *d)
{
    static const char *const names[] = {"container_id", "name",           "session_token",
                                        "context_keys", "heartbeat_secs", NULL};
    static const char *const keys[] = {"agent", "http", "network", "run"};
    const json_t *list = json_object_get(d, "context_keys");
    bool ok = agent_members(d, names) &&
              strcmp(oc_json_string(d, "container_id", ""), k->container_id) == 0 &&
              strcmp(oc_json_string(d, "name", ""), k->name) == 0 &&
              agent_hex(oc_json_string(d, "session_token", ""), "tok-", 32) &&
              oc_json_i64(d, "heartbeat_secs", 0) == (int64_t)k->heartbeat_s &&
              json_array_size(list) == OC_ARRAY_SIZE(keys);
    for (size_t i = 0; ok && i < OC_ARRAY_SIZE(keys); i++)
        ok = oc_streq(json_string_value(json_array_get(list, i)), keys[i]);
    return ok;
}

static inline bool agent_verdict_ok(const struct agent_known *k, const json_t *d)
{
    static const char *const names[] = {"allowed", "matched_rule", "reason", NULL};
    static const char *const ours[] = {"the rules take too long", "the rules cannot be asked", NULL};
    const json_t *allowed = json_object_get(d, "allowed"), *rule = json_object_get(d, "matched_rule"),
                 *reason = json_object_get(d, "reason");
    const char *why = json_string_value(reason), *id = json_string_value(rule);
    if (!agent_members(d, names) || !json_is_boolean(allowed) || (!id && !json_is_null(rule)) ||
        (!why && !json_is_null(reason)))
        return false;
    if (json_is_true(allowed) && (!id || why))
        return false;
    return (!id || agent_listed(k->rules, id)) &&
           (!why || (id && agent_listed(k->reasons, why)) || (!id && agent_listed(ours, why)));
}

/* An id that it has never been given cannot come back for an id that it said. */
static inline bool agent_state_ok(struct agent_known *k, const json_t *d)
{
    static const char *const names[] = {"id", "status", "reason", NULL};
    static const char *const words[] = {"pending", "approved", "rejected", NULL};
    const char *id = oc_json_string(d, "id", ""), *status = oc_json_string(d, "status", "");
    const json_t *reason = json_object_get(d, "reason");
    if (!agent_members(d, names) || !agent_hex(id, "rr-", 12) || !agent_listed(words, status) ||
        (!json_is_null(reason) && (!json_is_string(reason) || strcmp(status, "rejected") != 0 ||
                                   !agent_listed(k->reasons, json_string_value(reason)))))
        return false;
    for (size_t i = 0; i < OC_MIN(k->own_n, AGENT_OWN_MAX); i++)
        if (strcmp(k->own[i], id) == 0)
            return true;
    (void)oc_copy(k->own[k->own_n++ % AGENT_OWN_MAX], sizeof(k->own[0]), id, strlen(id));
    return k->files.n > 0 && strcmp(status, "pending") == 0; /* just submitted */
}

static inline bool agent_success_ok(struct agent_known *k, const json_t *body)
{
    static const char *const names[] = {"success", "data", NULL}, *const ok[] = {"ok", NULL};
    const json_t *d = json_object_get(body, "data");
    if (!agent_members(body, names) || !json_is_true(json_object_get(body, "success")))
        return false;
    return (agent_members(d, ok) && json_is_true(json_object_get(d, "ok"))) || agent_session_ok(k, d) ||
           agent_verdict_ok(k, d) || agent_state_ok(k, d);
}

static inline bool agent_failure_ok(struct agent_known *k, int status, const json_t *body)
{
    static const char *const names[] = {"success", "error", "code", NULL};
    const char *error = oc_json_string(body, "error", ""), *code = oc_json_string(body, "code", "");
    if (!agent_members(body, names) || !json_is_false(json_object_get(body, "success")))
        return false;
    if (status == 403 && strcmp(code, "policy_denied") == 0 && agent_listed(k->reasons, error))
        return true;
    int row = agent_refusal_find(status, code, error, &k->said);
    if (row >= 0)
        k->seen[row] = true;
    return row >= 0 || (status == 422 && strcmp(code, "rules_invalid") == 0 && agent_file_error(k, error));
}

/* Nothing between the tokens, where bytes could hide. */
static inline bool agent_is_compact(const char *s, size_t len)
{
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"')
            inside = !inside;
        else if (inside && s[i] == '\\')
            i++;
        else if (!inside && isspace((unsigned char)s[i]))
            return false;
    }
    return true;
}

static inline bool agent_json_ok(struct agent_known *k, int status, const char *body, size_t len)
{
    OC_JSON json_t *j = NULL;
    if (len > OUTCALL_AGENT_BODY_MAX || !agent_is_compact(body, len) || oc_json_load(body, len, &j, NULL) < 0)
        return agent_wrong(k, "a body that is no JSON", body, len);
    if (status == 200 ? !agent_success_ok(k, j) : !agent_failure_ok(k, status, j))
        return agent_wrong(k, "a body that is on no list", body, len);
    return true;
}
#endif
