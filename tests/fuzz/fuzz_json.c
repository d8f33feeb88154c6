/* JSON from outside: what is accepted can be written and read again and is the same; the decoder's answers
 * keep their bounds. */
#include "base/str.h"
#include "json/json.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
    const char *s;
    bool b;
    int64_t i;
    uint64_t u;
    uint32_t w;
    double d;
    struct oc_json_strings list;
    const json_t *map, *object, *array;
};

static const struct oc_json_field fields[] = {
    {"s", OC_JSON_STRING, offsetof(struct decoded, s), false, 1, 5},
    {"b", OC_JSON_BOOL, offsetof(struct decoded, b), false, 0, 0},
    {"i", OC_JSON_I64, offsetof(struct decoded, i), false, -5, 5},
    {"u", OC_JSON_U64, offsetof(struct decoded, u), false, 0, 0},
    {"w", OC_JSON_U32, offsetof(struct decoded, w), false, 0, 0},
    {"d", OC_JSON_DOUBLE, offsetof(struct decoded, d), false, 0, 2},
    {"list", OC_JSON_STRINGS, offsetof(struct decoded, list), false, 0, 3},
    {"map", OC_JSON_STRING_MAP, offsetof(struct decoded, map), false, 0, 2},
    {"object", OC_JSON_OBJECT, offsetof(struct decoded, object), false, 0, 0},
    {"array", OC_JSON_ARRAY, offsetof(struct decoded, array), false, 0, 0},
};

static void decode(const json_t *j, int mode)
{
    struct decoded d = {.s = NULL};
    outcall_error err = OUTCALL_ERROR_INIT;
    if (oc_json_decode(j, fields, OC_ARRAY_SIZE(fields), mode, &d, &err) < 0) {
        if (err.text[0] == '\0' || !oc_utf8_valid(err.text, strlen(err.text)) || d.list.v)
            abort();
        return;
    }
    if ((d.s && (strlen(d.s) < 1 || strlen(d.s) > 5)) || d.i < -5 || d.i > 5 || d.u > INT64_MAX || d.d < 0 ||
        d.d > 2 || d.list.n > 3 || json_object_size(d.map) > 2)
        abort();
    oc_json_decode_done(fields, OC_ARRAY_SIZE(fields), &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OC_JSON json_t *j = NULL;
    OC_JSON json_t *again = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t len = 0;
    if (oc_json_load((const char *)data, size, &j, &err) < 0) {
        if (j || err.text[0] == '\0' || !oc_utf8_valid(err.text, strlen(err.text)))
            abort();
        return 0;
    }
    OC_FREE char *text = oc_json_dump(j, &len);
    if (!text || strlen(text) != len || oc_json_load(text, len, &again, NULL) < 0 || !json_equal(j, again))
        abort();
    decode(j, OC_JSON_STRICT);
    decode(j, OC_JSON_TOLERANT);
    (void)oc_json_string(j, "object.s", "");
    return 0;
}
