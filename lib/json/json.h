/* json/json.h - strict reading of JSON from outside, by table; and writing. The only header that shows
 * jansson. */
#ifndef JSON_JSON_H
#define JSON_JSON_H
#include "base/base.h"
#include <jansson.h>

#define OC_JSON_DEPTH_MAX 32 /* nesting of arrays and objects; spec section 6 needs three */

static inline void oc_json_decrefp(json_t **j)
{
    json_decref(*j);
}
#define OC_JSON OC_CLEANUP(oc_json_decrefp)

/* One JSON value and nothing after it; repeated keys, invalid UTF-8, NUL in strings and more than
 * OC_JSON_DEPTH_MAX levels are refused. *ret: new. OUTCALL_E_SYNTAX with line, column and what was expected;
 * _LIMIT; _NO_MEMORY. */
OC_NODISCARD int oc_json_load(const char *data, size_t len, json_t **ret, outcall_error *err);

enum oc_json_type {
    OC_JSON_STRING, /* const char *, borrowed from the json_t; min..max bytes when max > 0; control characters
                       refused */
    OC_JSON_TEXT,   /* the same with line breaks and all */
    OC_JSON_BOOL,   /* bool */
    OC_JSON_I64,    /* int64_t in min..max */
    OC_JSON_U64,    /* uint64_t in min..max */
    OC_JSON_U32,    /* uint32_t in min..max */
    OC_JSON_DOUBLE, /* double; integers are accepted; in min..max */
    OC_JSON_STRINGS,    /* struct oc_json_strings; at most max elements; any text, line breaks too */
    OC_JSON_STRING_MAP, /* const json_t *, an object whose values are all strings; at most max members */
    OC_JSON_OBJECT,     /* const json_t *, any object */
    OC_JSON_ARRAY       /* const json_t *, any array */
};

struct oc_json_strings { /* v: new (the array), its strings borrowed from the json_t */
    const char **v;
    size_t n;
};

struct oc_json_field {
    const char *name;
    enum oc_json_type type;
    size_t offset;
    bool required;
    int64_t min, max; /* as the type says; both 0 = no bound of its own */
};

enum { OC_JSON_STRICT = 0, OC_JSON_TOLERANT = 1 }; /* unknown members: refused by name, or passed over */

/* Fills the struct at ret from an object. Members that are absent leave it as it was, so put defaults there
 * first. On failure nothing stays allocated. OUTCALL_E_INVALID naming the member and what was expected;
 * _NO_MEMORY. */
OC_NODISCARD int oc_json_decode(const json_t *object, const struct oc_json_field *fields, size_t n, int mode,
                                void *ret, outcall_error *err);
/* Frees what oc_json_decode allocated (OC_JSON_STRINGS). */
void oc_json_decode_done(const struct oc_json_field *fields, size_t n, void *decoded);

/* Tolerant look-ups for answers of the engine: a dotted path ("State.Pid"); the fallback when absent or of
 * another type. Strings are borrowed from the json_t. */
const json_t *oc_json_get(const json_t *j, const char *path);
const char *oc_json_string(const json_t *j, const char *path, const char *fallback);
int64_t oc_json_i64(const json_t *j, const char *path, int64_t fallback);
bool oc_json_bool(const json_t *j, const char *path, bool fallback);

/* Compact text: new, free(); NULL when out of memory. */
OC_NODISCARD char *oc_json_dump(const json_t *j, size_t *ret_len);

/* Appends s as a JSON string, NULL as null, byte for byte as oc_json_dump would: where a tree of values would
 * cost more than the text is worth. s: UTF-8. OUTCALL_E_NO_MEMORY, _LIMIT. */
struct oc_buf;
OC_NODISCARD int oc_json_append(struct oc_buf *b, const char *s);

/* Builders that fold failure: json_object_set_new and json_array_append_new accept a NULL value and then
 * fail, so a chain of `bad |= ...` needs one check at its end. */
#define oc_json_set(object, key, value) (json_object_set_new((object), (key), (value)) < 0)
#define oc_json_add(array, value)       (json_array_append_new((array), (value)) < 0)

#endif
