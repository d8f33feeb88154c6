#include "json/json.h"
#include "base/buf.h"
#include "base/str.h"
#include "core/error.h"
#include <errno.h>
#include <string.h>

/* jansson recurses up to 2048 levels by itself; ours is far lower, and counted before anything is allocated.
 */
static int check_depth(const char *data, size_t len, outcall_error *err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > OC_JSON_DEPTH_MAX)
                return oc_fail(err, OUTCALL_E_LIMIT, "JSON is nested deeper than %d levels",
                               OC_JSON_DEPTH_MAX);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

struct source {
    const char *data;
    size_t left;
    bool no_memory;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* jansson 2.14 does not look whether its string buffer could grow: a byte is lost, and the text counts as
 * well-formed. malloc tells in errno, and the input ends there. The scanner of numbers clears errno, but
 * comes by here for the byte behind its digits first: so digits are given one by one, and all else in runs.
 * What cannot be had this way: a buffer that cannot grow for a string's closing quote. */
static size_t next_bytes(void *buf, size_t size, void *userdata)
{
    struct source *s = userdata;
    size_t n = 0;
    s->no_memory |= errno == ENOMEM;
    if (s->no_memory || s->left == 0 || size == 0)
        return 0;
    while (n < s->left && n < size && !is_digit(s->data[n]))
        n++;
    if (n == 0)
        n = 1;
    memcpy(buf, s->data, n);
    s->data += n;
    s->left -= n;
    return n;
}

int oc_json_load(const char *data, size_t len, json_t **ret, outcall_error *err)
{
    json_error_t je;
    struct source s = {.data = data, .left = len};
    if (len > 0 && memchr(data, '\0', len)) /* jansson passes over one that comes after a number */
        return oc_fail(err, OUTCALL_E_SYNTAX, "malformed JSON: NUL bytes are not allowed");
    int r = check_depth(data, len, err);
    if (r < 0)
        return r;
    errno = 0;
    OC_JSON json_t *j = json_load_callback(next_bytes, &s, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (s.no_memory || errno == ENOMEM || (!j && json_error_code(&je) == json_error_out_of_memory))
        return oc_no_memory(err);
    if (!j) {
        bool nul = json_error_code(&je) == json_error_null_character; /* its words are for programmers */
        r = oc_fail(err, OUTCALL_E_SYNTAX, "malformed JSON: %s (line %d, column %d)",
                    nul ? "\\u0000 is not allowed" : je.text, je.line, je.column);
        oc_error_at(err, NULL, je.line, je.column);
        return r;
    }
    *ret = oc_take_ptr(&j);
    return 0;
}

static const char *type_name(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static int wrong_type(outcall_error *err, const char *name, const char *expected, const json_t *got)
{
    return oc_fail(err, OUTCALL_E_INVALID, "%s: expected %s, got %s", name, expected, type_name(got));
}

static int check_string(const struct oc_json_field *f, const json_t *v, outcall_error *err)
{
    size_t len = json_string_length(v);
    if (f->type == OC_JSON_STRING && oc_has_control(json_string_value(v), len))
        return oc_fail(err, OUTCALL_E_INVALID, "%s: control characters are not allowed", f->name);
    if (f->max > 0 && (len < (size_t)f->min || len > (size_t)f->max))
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected %lld to %lld bytes, got %zu", f->name,
                       (long long)f->min, (long long)f->max, len);
    return 0;
}

static int decode_integer(const struct oc_json_field *f, const json_t *v, void *ret, outcall_error *err)
{
    json_int_t i = json_integer_value(v);
    bool bounded = f->min != 0 || f->max != 0;
    if (!json_is_integer(v))
        return wrong_type(err, f->name, "an integer", v);
    if ((bounded && (i < f->min || i > f->max)) || (f->type != OC_JSON_I64 && i < 0) ||
        (f->type == OC_JSON_U32 && i > (json_int_t)UINT32_MAX)) {
        long long low = bounded || f->type != OC_JSON_I64 ? f->min : INT64_MIN;
        long long high = bounded ? f->max : f->type == OC_JSON_U32 ? (long long)UINT32_MAX : INT64_MAX;
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected an integer from %lld to %lld, got %lld", f->name,
                       low, high, (long long)i);
    }
    if (f->type == OC_JSON_U32)
        *(uint32_t *)ret = (uint32_t)i;
    else
        *(int64_t *)ret = i; /* a uint64_t of the same value has the same representation */
    return 0;
}

static int decode_double(const struct oc_json_field *f, const json_t *v, void *ret, outcall_error *err)
{
    double d = json_number_value(v);
    if (!json_is_number(v))
        return wrong_type(err, f->name, "a number", v);
    if ((f->min != 0 || f->max != 0) && (d < (double)f->min || d > (double)f->max))
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected a number from %lld to %lld, got %g", f->name,
                       (long long)f->min, (long long)f->max, d);
    *(double *)ret = d;
    return 0;
}

static int decode_strings(const struct oc_json_field *f, const json_t *v, void *ret, outcall_error *err)
{
    struct oc_json_strings *out = ret;
    if (!json_is_array(v))
        return wrong_type(err, f->name, "an array of strings", v);
    size_t n = json_array_size(v);
    if (f->max > 0 && n > (size_t)f->max)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected at most %lld elements, got %zu", f->name,
                       (long long)f->max, n);
    OC_FREE const char **list = oc_new_array(n, sizeof(*list));
    if (!list)
        return oc_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_array_get(v, i);
        if (!json_is_string(s))
            return oc_fail(err, OUTCALL_E_INVALID, "%s[%zu]: expected a string, got %s", f->name, i,
                           type_name(s));
        list[i] = json_string_value(s);
    }
    out->v = oc_take_ptr(&list);
    out->n = n;
    return 0;
}

static int decode_string_map(const struct oc_json_field *f, const json_t *v, void *ret, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    const char *key = NULL;
    const json_t *s = NULL;
    if (!json_is_object(v))
        return wrong_type(err, f->name, "an object of strings", v);
    if (f->max > 0 && json_object_size(v) > (size_t)f->max)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected at most %lld members, got %zu", f->name,
                       (long long)f->max, json_object_size(v));
    json_object_foreach((json_t *)v, key, s)
    {
        if (!json_is_string(s))
            return oc_fail(err, OUTCALL_E_INVALID, "%s.%s: expected a string, got %s", f->name,
                           oc_shown(shown, key), type_name(s));
    }
    *(const json_t **)ret = v;
    return 0;
}

static int decode_field(const struct oc_json_field *f, const json_t *v, void *ret, outcall_error *err)
{
    switch (f->type) {
    case OC_JSON_STRING:
    case OC_JSON_TEXT:
        if (!json_is_string(v))
            return wrong_type(err, f->name, "a string", v);
        *(const char **)ret = json_string_value(v);
        return check_string(f, v, err);
    case OC_JSON_BOOL:
        if (!json_is_boolean(v))
            return wrong_type(err, f->name, "a boolean", v);
        *(bool *)ret = json_is_true(v);
        return 0;
    case OC_JSON_I64:
    case OC_JSON_U64:
    case OC_JSON_U32:
        return decode_integer(f, v, ret, err);
    case OC_JSON_DOUBLE:
        return decode_double(f, v, ret, err);
    case OC_JSON_STRINGS:
        return decode_strings(f, v, ret, err);
    case OC_JSON_STRING_MAP:
        return decode_string_map(f, v, ret, err);
    case OC_JSON_OBJECT:
    case OC_JSON_ARRAY:
        if (f->type == OC_JSON_OBJECT ? !json_is_object(v) : !json_is_array(v))
            return wrong_type(err, f->name, f->type == OC_JSON_OBJECT ? "an object" : "an array", v);
        *(const json_t **)ret = v;
        return 0;
    }
    return oc_fail(err, OUTCALL_E_INTERNAL, "%s: unknown field type", f->name);
}

static const struct oc_json_field *find_field(const struct oc_json_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static int decode_members(const json_t *object, const struct oc_json_field *fields, size_t n, int mode,
                          void *ret, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    const char *key = NULL;
    json_t *v = NULL;
    json_object_foreach((json_t *)object, key, v)
    {
        const struct oc_json_field *f = find_field(fields, n, key);
        if (!f && mode == OC_JSON_TOLERANT)
            continue;
        if (!f)
            return oc_fail(err, OUTCALL_E_INVALID, "%s: unknown field", oc_shown(shown, key));
        int r = decode_field(f, v, (char *)ret + f->offset, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n; i++)
        if (fields[i].required && !json_object_get(object, fields[i].name))
            return oc_fail(err, OUTCALL_E_INVALID, "%s: required field is missing", fields[i].name);
    return 0;
}

int oc_json_decode(const json_t *object, const struct oc_json_field *fields, size_t n, int mode, void *ret,
                   outcall_error *err)
{
    if (!json_is_object(object))
        return oc_fail(err, OUTCALL_E_INVALID, "expected an object, got %s", type_name(object));
    int r = decode_members(object, fields, n, mode, ret, err);
    if (r < 0)
        oc_json_decode_done(fields, n, ret);
    return r;
}

void oc_json_decode_done(const struct oc_json_field *fields, size_t n, void *decoded)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].type != OC_JSON_STRINGS)
            continue;
        struct oc_json_strings *s = (struct oc_json_strings *)((char *)decoded + fields[i].offset);
        free(s->v);
        s->v = NULL;
        s->n = 0;
    }
}

const json_t *oc_json_get(const json_t *j, const char *path)
{
    while (j && *path) {
        size_t n = strcspn(path, ".");
        char key[64];
        if (oc_copy(key, sizeof(key), path, n) < 0)
            return NULL;
        j = json_object_get(j, key);
        path += n + (path[n] == '.');
    }
    return j;
}

const char *oc_json_string(const json_t *j, const char *path, const char *fallback)
{
    const char *s = json_string_value(oc_json_get(j, path));
    return s ? s : fallback;
}

int64_t oc_json_i64(const json_t *j, const char *path, int64_t fallback)
{
    const json_t *v = oc_json_get(j, path);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool oc_json_bool(const json_t *j, const char *path, bool fallback)
{
    const json_t *v = oc_json_get(j, path);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

struct sink {
    struct oc_buf text;
    bool failed;
};

/* jansson 2.14 does not look whether a member's name could be written: what failed once has failed for good.
 */
static int write_piece(const char *data, size_t len, void *userdata)
{
    struct sink *s = userdata;
    s->failed = s->failed || oc_buf_add(&s->text, data, len) < 0;
    return s->failed ? -1 : 0;
}

/* The short forms where JSON has some, as jansson does. */
static int add_escaped(struct oc_buf *b, unsigned char c)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    static const char digits[] = "0123456789ABCDEF";
    const char *at = strchr(named, c);
    char form[] = {'\\', at ? letters[at - named] : 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    return oc_buf_add(b, form, at ? 2 : sizeof(form));
}

int oc_json_append(struct oc_buf *b, const char *s)
{
    if (!s)
        return oc_buf_str(b, "null");
    int r = oc_buf_char(b, '"');
    while (*s && r == 0) {
        size_t plain = 0;
        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        r = oc_buf_add(b, s, plain);
        s += plain;
        if (r == 0 && *s)
            r = add_escaped(b, (unsigned char)*s++);
    }
    return r < 0 ? r : oc_buf_char(b, '"');
}

char *oc_json_dump(const json_t *j, size_t *ret_len)
{
    struct sink s = {.text = OC_BUF_INIT};
    int r = json_dump_callback(j, write_piece, &s, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = r == 0 && !s.failed ? oc_buf_take(&s.text, ret_len) : NULL;
    oc_buf_done(&s.text);
    return text;
}
