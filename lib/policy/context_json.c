/* Facts in, many at once: from JSON, and from the tests in rule files. */
#include "base/nearest.h"
#include "base/str.h"
#include "core/error.h"
#include "policy/context.h"
#include "json/json.h"
#include <string.h>

const char *oc_field_type_words(enum oc_field_type type)
{
    static const char *const words[] = {[OC_FIELD_STRING] = "text",
                                        [OC_FIELD_INT] = "an integer",
                                        [OC_FIELD_STRINGS] = "a list of text",
                                        [OC_FIELD_STRING_MAP] = "a map of text to text",
                                        [OC_FIELD_ANY_MAP] = "a map"};
    return words[type];
}

int oc_context_member(const char *part, const char *name, outcall_error *err)
{
    char meant[OC_MEANT_SIZE], shown[OC_SHOWN_SIZE];
    struct oc_nearest near = {name, NULL, 0};
    for (int i = 0; i < OC_FIELDS_N; i++) {
        if (part && strcmp(oc_fields[i].part, part) != 0)
            continue;
        const char *known = part ? oc_fields[i].member : oc_fields[i].part;
        if (strcmp(known, name) == 0)
            return part ? i : 0;
        oc_nearest_try(&near, known);
    }
    return oc_fail(err, OUTCALL_E_UNDECLARED, "unknown field \"%s%s%s\"%s", part ? part : "", part ? "." : "",
                   oc_shown(shown, name), oc_nearest_text(&near, meant));
}

/* What any JSON value is in the language. */
static int any_of_json(struct oc_cel_arena *a, const json_t *j, oc_cel_value *ret)
{
    if (json_is_string(j)) {
        size_t len = json_string_length(j);
        const char *s = oc_cel_arena_text(a, json_string_value(j), len);
        *ret = oc_cel_string(s, len);
        return s ? 0 : a->failed;
    }
    if (!json_is_array(j) && !json_is_object(j)) {
        *ret = json_is_integer(j) ? oc_cel_int(json_integer_value(j))
               : json_is_real(j)  ? oc_cel_double(json_real_value(j))
               : json_is_null(j)  ? oc_cel_null()
                                  : oc_cel_bool(json_is_true(j));
        return 0;
    }
    size_t n = json_is_array(j) ? json_array_size(j) : json_object_size(j), i = 0;
    oc_cel_value *v = oc_cel_arena_array(a, json_is_array(j) ? n : 2 * n, sizeof(*v));
    if (!v)
        return a->failed;
    int r = 0;
    const char *key = NULL;
    json_t *member = NULL;
    for (; r == 0 && json_is_array(j) && i < n; i++)
        r = any_of_json(a, json_array_get(j, i), &v[i]); /* OC_JSON_DEPTH_MAX levels at most */
    if (json_is_object(j)) {
        json_object_foreach((json_t *)j, key, member)
        {
            const char *copy = r == 0 ? oc_cel_arena_text(a, key, strlen(key)) : NULL;
            if (!copy)
                return r < 0 ? r : a->failed;
            v[i++] = oc_cel_string(copy, strlen(key));
            r = any_of_json(a, member, &v[i++]);
        }
    }
    *ret = json_is_array(j) ? oc_cel_list(v, n) : oc_cel_map(v, n);
    return r;
}

static bool all_strings(const json_t *j)
{
    const char *key = NULL;
    json_t *member = NULL;
    for (size_t i = 0; json_is_array(j) && i < json_array_size(j); i++)
        if (!json_is_string(json_array_get(j, i)))
            return false;
    if (json_is_object(j)) {
        json_object_foreach((json_t *)j, key, member)
        {
            if (!json_is_string(member))
                return false;
        }
    }
    return true;
}

static bool fits(enum oc_field_type type, const json_t *j)
{
    switch (type) {
    case OC_FIELD_STRING:
        return json_is_string(j);
    case OC_FIELD_INT:
        return json_is_integer(j);
    case OC_FIELD_STRINGS:
        return json_is_array(j) && all_strings(j);
    case OC_FIELD_STRING_MAP:
        return json_is_object(j) && all_strings(j);
    case OC_FIELD_ANY_MAP:
        return json_is_object(j);
    }
    return false;
}

static int read_part(struct outcall_context *c, const char *part, const json_t *members,
                     struct oc_context_update *u, outcall_error *err)
{
    const char *name = NULL;
    json_t *member = NULL;
    int r = oc_context_member(NULL, part, err);
    if (r < 0)
        return r;
    if (!json_is_object(members))
        return oc_fail(err, OUTCALL_E_TYPE, "field \"%s\": expected an object", part);
    json_object_foreach((json_t *)members, name, member)
    {
        int slot = oc_context_member(part, name, err);
        if (slot < 0)
            return slot;
        if (!fits(oc_fields[slot].type, member))
            return oc_fail(err, OUTCALL_E_TYPE, "field \"%s\": expected %s", oc_fields[slot].name,
                           oc_field_type_words(oc_fields[slot].type));
        r = any_of_json(&c->arena, member, &u->v[slot]);
        if (r < 0)
            return r;
        u->set[slot] = true;
    }
    return 0;
}

static int read_json(struct outcall_context *c, const json_t *j, struct oc_context_update *u,
                     outcall_error *err)
{
    const char *part = NULL;
    json_t *members = NULL;
    if (!json_is_object(j))
        return oc_fail(err, OUTCALL_E_TYPE, "the context: expected an object");
    json_object_foreach((json_t *)j, part, members)
    {
        int r = read_part(c, part, members, u, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int outcall_context_json(outcall_context *c, const char *json, size_t len, outcall_error *err)
{
    struct oc_context_update u = {.set = {false}};
    if (!c || (!json && len > 0))
        return oc_fail(err, OUTCALL_E_INVALID, "the context or its JSON is NULL");
    OC_JSON json_t *j = NULL;
    int r = oc_json_load(json ? json : "", len, &j, err);
    if (r < 0)
        return r;
    r = oc_context_settle(c); /* what a call that failed left behind */
    if (r == 0)
        r = read_json(c, j, &u, err);
    if (r == 0)
        r = oc_context_commit(c, &u);
    return r < 0 ? oc_fail_code(err, r, "the context") : 0;
}

/* An unquoted word that JSON takes for a number: 1 and *ret, or 0. */
static int number(const oc_yaml *node, oc_cel_value *ret)
{
    OC_JSON json_t *j = NULL;
    if (node->type != OC_YAML_SCALAR || !node->plain || node->len == 0 ||
        !strchr("-0123456789", node->text[0]))
        return 0;
    int r = oc_json_load(node->text, node->len, &j, NULL);
    if (r < 0)
        return r == OUTCALL_E_NO_MEMORY ? r : 0;
    if (!json_is_number(j))
        return 0;
    *ret = json_is_integer(j) ? oc_cel_int(json_integer_value(j)) : oc_cel_double(json_real_value(j));
    return 1;
}

static int any_of_yaml(struct oc_cel_arena *a, const oc_yaml *node, oc_cel_value *ret);

static int text_of_yaml(struct oc_cel_arena *a, const oc_yaml *node, oc_cel_value *ret)
{
    const char *s = oc_cel_arena_text(a, node->text, node->len);
    *ret = oc_cel_string(s, node->len);
    return s ? 0 : a->failed;
}

static int children_of_yaml(struct oc_cel_arena *a, const oc_yaml *node, bool text, oc_cel_value *ret)
{
    bool map = node->type == OC_YAML_MAPPING;
    oc_cel_value *v = oc_cel_arena_array(a, map ? 2 * node->n : node->n, sizeof(*v));
    if (!v)
        return a->failed;
    int r = 0;
    size_t i = 0;
    for (const oc_yaml *child = node->first; child && r == 0; child = child->next) {
        if (map)
            r = text_of_yaml(a, child->key, &v[i++]);
        if (r == 0)
            r = text ? text_of_yaml(a, child, &v[i]) : any_of_yaml(a, child, &v[i]);
        i++;
    }
    *ret = map ? oc_cel_map(v, node->n) : oc_cel_list(v, node->n);
    return r;
}

static int any_of_yaml(struct oc_cel_arena *a, const oc_yaml *node, oc_cel_value *ret)
{
    bool yes = false;
    if (node->type != OC_YAML_SCALAR)
        return children_of_yaml(a, node, false, ret); /* OC_YAML_DEPTH_MAX levels at most */
    if (oc_yaml_is_null(node))
        *ret = oc_cel_null();
    else if (oc_yaml_bool(node, &yes) == 0)
        *ret = oc_cel_bool(yes);
    else {
        int r = number(node, ret);
        return r == 0 ? text_of_yaml(a, node, ret) : OC_MIN(r, 0);
    }
    return 0;
}

static bool all_text(const oc_yaml *node)
{
    for (const oc_yaml *child = node->first; child; child = child->next)
        if (child->type != OC_YAML_SCALAR || oc_yaml_is_null(child))
            return false;
    return true;
}

static int field_of_yaml(struct outcall_context *c, int slot, const oc_yaml *node, oc_cel_value *ret,
                         outcall_error *err)
{
    enum oc_field_type type = oc_fields[slot].type;
    bool ok = false;
    int r = 0;
    if (type == OC_FIELD_STRING) {
        ok = node->type == OC_YAML_SCALAR && !oc_yaml_is_null(node);
        r = ok ? text_of_yaml(&c->arena, node, ret) : 0;
    } else if (type == OC_FIELD_INT) {
        r = number(node, ret);
        ok = r < 0 || (r == 1 && ret->kind == OUTCALL_CEL_INT);
        r = OC_MIN(r, 0);
    } else {
        ok = node->type == (type == OC_FIELD_STRINGS ? OC_YAML_SEQUENCE : OC_YAML_MAPPING) &&
             (type == OC_FIELD_ANY_MAP || all_text(node));
        r = ok ? children_of_yaml(&c->arena, node, type != OC_FIELD_ANY_MAP, ret) : 0;
    }
    if (!ok)
        return oc_yaml_fail(err, OUTCALL_E_TYPE, node, "field \"%s\": expected %s", oc_fields[slot].name,
                            oc_field_type_words(type));
    return r;
}

static int fail_at(outcall_error *err, int code, const oc_yaml *node)
{
    oc_error_at(err, NULL, node->line, node->column);
    return code;
}

static int read_yaml(struct outcall_context *c, const oc_yaml *node, struct oc_context_update *u,
                     outcall_error *err)
{
    if (node->type != OC_YAML_MAPPING)
        return oc_yaml_fail(err, OUTCALL_E_TYPE, node, "the context: expected a mapping, got %s",
                            oc_yaml_type_name(node));
    for (const oc_yaml *part = node->first; part; part = part->next) {
        int r = oc_context_member(NULL, part->key->text, err);
        if (r < 0)
            return fail_at(err, r, part->key);
        if (part->type != OC_YAML_MAPPING)
            return oc_yaml_fail(err, OUTCALL_E_TYPE, part, "field \"%s\": expected a mapping, got %s",
                                part->key->text, oc_yaml_type_name(part));
        for (const oc_yaml *member = part->first; member; member = member->next) {
            int slot = oc_context_member(part->key->text, member->key->text, err);
            if (slot < 0)
                return fail_at(err, slot, member->key);
            r = field_of_yaml(c, slot, member, &u->v[slot], err);
            if (r < 0)
                return r;
            u->set[slot] = true;
        }
    }
    return 0;
}

int oc_context_yaml(struct outcall_context *c, const oc_yaml *node, outcall_error *err)
{
    struct oc_context_update u = {.set = {false}};
    int r = oc_context_settle(c);
    if (r == 0)
        r = read_yaml(c, node, &u, err);
    if (r == 0)
        r = oc_context_commit(c, &u);
    if (r == OUTCALL_E_NO_MEMORY || r == OUTCALL_E_LIMIT)
        (void)oc_yaml_fail(err, r, node, "the context: %s", outcall_code_string(r));
    return r;
}
