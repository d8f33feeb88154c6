/* Mappings by table: what a rule file may say, and where it says something else. */
#include "base/nearest.h"
#include "base/num.h"
#include "core/error.h"
#include "policy/load.h"
#include "policy/place.h"
#include <inttypes.h>
#include <string.h>

static const char *key_of(const oc_yaml *value)
{
    return value->key ? value->key->text : "";
}

static int unknown(const oc_yaml *key, const struct oc_key *keys, size_t n, outcall_error *err)
{
    char meant[OC_MEANT_SIZE], shown[OC_SHOWN_SIZE];
    struct oc_nearest near = {key->text, NULL, 0};
    for (size_t i = 0; i < n; i++)
        oc_nearest_try(&near, keys[i].name);
    return oc_yaml_fail(err, OUTCALL_E_SYNTAX, key, "unknown key \"%s\"%s", oc_shown(shown, key->text),
                        oc_nearest_text(&near, meant));
}

int oc_keys_read(const oc_yaml *mapping, const struct oc_key *keys, size_t n, void *userdata,
                 outcall_error *err)
{
    for (const oc_yaml *v = mapping->first; v; v = v->next) {
        size_t i = 0;
        while (i < n && strcmp(keys[i].name, v->key->text) != 0)
            i++;
        if (i == n)
            return unknown(v->key, keys, n, err);
    }
    for (size_t i = 0; i < n; i++) {
        const oc_yaml *value = oc_yaml_get(mapping, keys[i].name);
        if (!value && keys[i].required)
            return oc_yaml_fail(err, OUTCALL_E_SYNTAX, mapping, "key \"%s\" is missing", keys[i].name);
        int r = value ? keys[i].read(userdata, value, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int oc_keys_type(const oc_yaml *value, enum oc_yaml_type type, outcall_error *err)
{
    static const char *const names[] = {
        [OC_YAML_SCALAR] = "text", [OC_YAML_SEQUENCE] = "a sequence", [OC_YAML_MAPPING] = "a mapping"};
    if (value->type == type && !oc_yaml_is_null(value))
        return 0;
    const char *key = key_of(value);
    return oc_yaml_fail(err, OUTCALL_E_SYNTAX, value, "%s%s%sexpected %s, got %s", *key ? "key \"" : "", key,
                        *key ? "\": " : "", names[type], oc_yaml_type_name(value));
}

int oc_keys_text(const oc_yaml *value, size_t max, const char **ret, size_t *ret_len, outcall_error *err)
{
    int r = oc_keys_type(value, OC_YAML_SCALAR, err);
    if (r < 0)
        return r;
    size_t len = oc_place_trimmed(value);
    if (len == 0)
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, value, "key \"%s\": expected text, got nothing",
                            key_of(value));
    if (len > max)
        return oc_yaml_fail(err, OUTCALL_E_LIMIT, value, "key \"%s\": longer than %zu bytes", key_of(value),
                            max);
    *ret = value->text;
    *ret_len = len;
    return 0;
}

int oc_keys_word(const oc_yaml *value, const char *const *words, size_t n, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    int r = oc_keys_type(value, OC_YAML_SCALAR, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], value->text) == 0)
            return (int)i;
    return oc_yaml_fail(err, OUTCALL_E_SYNTAX, value, "key \"%s\": expected %s or %s, got \"%s\"",
                        key_of(value), words[0], words[n - 1], oc_shown(shown, value->text));
}

int oc_keys_bool(const oc_yaml *value, bool *ret, outcall_error *err)
{
    if (oc_yaml_bool(value, ret) < 0)
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, value, "key \"%s\": expected true or false",
                            key_of(value));
    return 0;
}

int oc_keys_int(const oc_yaml *value, int64_t min, int64_t max, int64_t *ret, outcall_error *err)
{
    uint64_t u = 0;
    bool number = value->type == OC_YAML_SCALAR && value->plain;
    bool minus = number && value->text[0] == '-';
    if (number && oc_parse_u64(value->text + minus, value->len - minus, 0, INT64_MAX, &u) == 0) {
        int64_t i = minus ? -(int64_t)u : (int64_t)u;
        if (i >= min && i <= max) {
            *ret = i;
            return 0;
        }
    }
    return oc_yaml_fail(err, OUTCALL_E_SYNTAX, value,
                        "%s%s%sexpected an integer from %" PRId64 " to %" PRId64, value->key ? "key \"" : "",
                        key_of(value), value->key ? "\": " : "", min, max);
}

bool oc_keys_id(const char *s, size_t len)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return len >= 1 && len <= OC_RULE_ID_MAX && strspn(s, allowed) == len && !strchr("_.-", s[0]);
}
