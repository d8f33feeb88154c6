/* The question: what an agent asks leave for. One set of bounds for the side that asks and the one that is
 * asked. */
#include "base/buf.h"
#include "base/str.h"
#include "core/error.h"
#include "proto/wire.h"
#include <string.h>

#define CHECK_SIZE 192 /* of a question beside its target, as a rule */

static const char *const action_types[] = {
    [OUTCALL_TOOL_EXEC] = "tool_exec",
    [OUTCALL_SHELL_EXEC] = "shell_exec",
    [OUTCALL_NETWORK_CALL] = "network_call",
    [OUTCALL_FILE_ACCESS] = "file_access",
};

const char *outcall_action_type_name(int action_type)
{
    bool known = action_type >= 0 && action_type < (int)OC_ARRAY_SIZE(action_types);
    return known ? action_types[action_type] : "unknown";
}

int outcall_action_type_by_name(const char *name)
{
    if (!name)
        return OUTCALL_E_INVALID;
    for (size_t i = 0; i < OC_ARRAY_SIZE(action_types); i++)
        if (strcmp(action_types[i], name) == 0)
            return (int)i;
    return OUTCALL_E_NOT_FOUND;
}

struct codes { /* whose fault it is */
    int wrong, too_much;
};

static const struct codes ours = {OUTCALL_E_INVALID, OUTCALL_E_INVALID};
static const struct codes theirs = {OUTCALL_E_PROTOCOL, OUTCALL_E_LIMIT};

static int check_size(size_t got, size_t max, const char *name, const struct codes *codes, outcall_error *err)
{
    if (got > max)
        return oc_fail(err, codes->too_much, "%s: expected at most %zu, got %zu", name, max, got);
    return 0;
}

static int check_text(const char *s, const char *name, const struct codes *codes, outcall_error *err)
{
    if (!s)
        return oc_fail(err, codes->wrong, "%s: a required argument is NULL", name);
    int r = check_size(strlen(s), OUTCALL_AGENT_TARGET_MAX, name, codes, err);
    if (r == 0 && !oc_utf8_valid(s, strlen(s)))
        r = oc_fail(err, codes->wrong, "%s: expected UTF-8", name);
    return r;
}

static int check_line(const char *s, const char *name, const struct codes *codes, outcall_error *err)
{
    int r = check_text(s, name, codes, err);
    if (r == 0 && s[0] == '\0')
        r = oc_fail(err, codes->wrong, "%s: expected at least one byte", name);
    if (r == 0 && oc_has_control(s, strlen(s)))
        r = oc_fail(err, codes->wrong, "%s: control characters are not allowed", name);
    return r;
}

static int check_key(const char *key, const struct codes *codes, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = key ? strlen(key) : 0;
    if (len == 0 || strspn(key, letters) != len || strcmp(key, "args") == 0 || strcmp(key, "cwd") == 0)
        return oc_fail(err, codes->wrong, "metadata: expected a name of letters, digits, \"_.-\", got \"%s\"",
                       key ? oc_shown(shown, key) : "");
    return check_size(len, OUTCALL_AGENT_KEY_MAX, "metadata: bytes of a name", codes, err);
}

static int check_pairs(const outcall_check *c, const struct codes *codes, outcall_error *err)
{
    int r = check_size(c->metadata_n, OUTCALL_AGENT_METADATA_MAX, "metadata: members", codes, err);
    if (r == 0 && c->metadata_n > 0 && !c->metadata)
        r = oc_fail(err, codes->wrong, "metadata: a required argument is NULL");
    for (size_t i = 0; r == 0 && i < c->metadata_n; i++) {
        r = check_key(c->metadata[i].key, codes, err);
        if (r == 0)
            r = check_text(c->metadata[i].value, c->metadata[i].key, codes, err);
    }
    return r;
}

static int check_args(const outcall_check *c, const struct codes *codes, outcall_error *err)
{
    int r = check_size(c->args_n, OUTCALL_AGENT_ARGS_MAX, "metadata.args: elements", codes, err);
    if (r == 0 && c->args_n > 0 && !c->args)
        r = oc_fail(err, codes->wrong, "metadata.args: a required argument is NULL");
    for (size_t i = 0; r == 0 && i < c->args_n; i++) /* their bytes are bounded by the body's */
        if (!c->args[i] || !oc_utf8_valid(c->args[i], strlen(c->args[i])))
            r = oc_fail(err, codes->wrong, "metadata.args[%zu]: expected UTF-8", i);
    return r;
}

static int check_bounds(const outcall_check *c, const struct codes *codes, outcall_error *err)
{
    if (c->action_type < 0 || c->action_type >= (int)OC_ARRAY_SIZE(action_types))
        return oc_fail(err, codes->wrong,
                       "action_type: expected tool_exec, shell_exec, network_call or file_access");
    int r = check_line(c->target, "target", codes, err);
    if (r == 0 && c->cwd)
        r = check_line(c->cwd, "metadata.cwd", codes, err);
    if (r == 0 && c->cwd && c->cwd[0] != '/')
        r = oc_fail(err, codes->wrong, "metadata.cwd: expected an absolute path");
    if (r == 0)
        r = check_args(c, codes, err);
    return r == 0 ? check_pairs(c, codes, err) : r;
}

static int check_twice(const outcall_check *c, outcall_error *err)
{
    for (size_t i = 0; i < c->metadata_n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->metadata[i].key, c->metadata[k].key) == 0)
                return oc_fail(err, OUTCALL_E_INVALID, "metadata: \"%s\" is there twice", c->metadata[i].key);
    return 0;
}

static int write_name(struct oc_buf *b, const char *name)
{
    int r = b->data[b->len - 1] == '{' ? 0 : oc_buf_char(b, ',');
    if (r == 0)
        r = oc_json_append(b, name);
    return r == 0 ? oc_buf_char(b, ':') : r;
}

static int write_member(struct oc_buf *b, const char *name, const char *value)
{
    int r = write_name(b, name);
    return r == 0 ? oc_json_append(b, value) : r;
}

static int write_args(struct oc_buf *b, const outcall_check *c)
{
    int r = write_name(b, "args");
    for (size_t i = 0; r == 0 && i < c->args_n; i++) {
        r = oc_buf_char(b, i == 0 ? '[' : ',');
        if (r == 0)
            r = oc_json_append(b, c->args[i]);
    }
    return r == 0 ? oc_buf_char(b, ']') : r;
}

/* Text at once: an agent waits for every question. */
static int write_check(struct oc_buf *b, const outcall_check *c)
{
    int r = oc_buf_reserve(b, CHECK_SIZE + strlen(c->target));
    if (r == 0)
        r = oc_buf_char(b, '{');
    if (r == 0)
        r = write_member(b, "action_type", action_types[c->action_type]);
    if (r == 0)
        r = write_member(b, "target", c->target);
    if (r == 0)
        r = write_name(b, "metadata");
    if (r == 0)
        r = oc_buf_char(b, '{');
    if (r == 0 && c->args_n > 0)
        r = write_args(b, c);
    if (r == 0 && c->cwd)
        r = write_member(b, "cwd", c->cwd);
    for (size_t i = 0; r == 0 && i < c->metadata_n; i++)
        r = write_member(b, c->metadata[i].key, c->metadata[i].value);
    return r == 0 ? oc_buf_str(b, "}}") : r;
}

int outcall_check_encode(const outcall_check *c, char **ret, size_t *ret_len, outcall_error *err)
{
    if (!c || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    int r = check_bounds(c, &ours, err);
    if (r == 0)
        r = check_twice(c, err);
    return r == 0 ? oc_wire_take(&b, write_check(&b, c), ret, ret_len, err) : r;
}

struct outcall_decoded_check {
    json_t *json; /* what every text below lies in */
    outcall_check check;
    struct oc_json_strings args;
    outcall_pair *pairs;
};

outcall_decoded_check *outcall_decoded_check_free(outcall_decoded_check *d)
{
    if (d) {
        json_decref(d->json);
        free(d->args.v);
        free(d->pairs);
    }
    free(d);
    return NULL;
}

const outcall_check *outcall_decoded_check_get(const outcall_decoded_check *d)
{
    return d ? &d->check : NULL;
}

struct question {
    const char *action_type, *target;
    const json_t *metadata;
};

static const struct oc_json_field question_fields[] = {
    {"action_type", OC_JSON_STRING, offsetof(struct question, action_type), true, 0, 0},
    {"target", OC_JSON_STRING, offsetof(struct question, target), true, 0, 0},
    {"metadata", OC_JSON_OBJECT, offsetof(struct question, metadata), false, 0, 0},
};

static const struct oc_json_field metadata_fields[] = {
    {"args", OC_JSON_STRINGS, offsetof(outcall_decoded_check, args), false, 0, 0},
    {"cwd", OC_JSON_STRING, offsetof(outcall_decoded_check, check.cwd), false, 0, 0},
};

/* Every member that has no meaning of its own; all of them are strings. */
static int read_pairs(outcall_decoded_check *d, const json_t *metadata, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    const char *key = NULL;
    json_t *value = NULL;
    size_t n = 0;
    d->pairs = oc_new_array(json_object_size(metadata), sizeof(*d->pairs));
    if (!d->pairs)
        return oc_no_memory(err);
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (strcmp(key, "args") == 0 || strcmp(key, "cwd") == 0)
            continue;
        if (!json_is_string(value))
            return oc_fail(err, OUTCALL_E_PROTOCOL, "metadata.%s: expected a string", oc_shown(shown, key));
        d->pairs[n++] = (outcall_pair){key, json_string_value(value)};
    }
    d->check.metadata = d->pairs;
    d->check.metadata_n = n;
    return 0;
}

static int read_metadata(outcall_decoded_check *d, const json_t *metadata, outcall_error *err)
{
    int r = oc_wire_decode(metadata, metadata_fields, OC_ARRAY_SIZE(metadata_fields), OC_JSON_TOLERANT,
                           "metadata.", d, err);
    if (r < 0)
        return r;
    d->check.args = d->args.v;
    d->check.args_n = d->args.n;
    return read_pairs(d, metadata, err);
}

int outcall_check_decode(const char *json, size_t len, outcall_decoded_check **ret, outcall_error *err)
{
    struct question q = {.target = NULL};
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "a required argument is NULL");
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = calloc(1, sizeof(*d));
    if (!d)
        return oc_no_memory(err);
    int r = oc_wire_load(json, len, &d->json, err);
    if (r == 0)
        r = oc_wire_decode(d->json, question_fields, OC_ARRAY_SIZE(question_fields), OC_JSON_STRICT, "", &q,
                           err);
    if (r == 0 && q.metadata)
        r = read_metadata(d, q.metadata, err);
    if (r < 0)
        return r;
    d->check.target = q.target;
    d->check.action_type = outcall_action_type_by_name(q.action_type);
    r = check_bounds(&d->check, &theirs, err);
    if (r == 0)
        *ret = oc_take_ptr(&d);
    return r;
}
