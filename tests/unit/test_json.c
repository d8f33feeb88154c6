/* lib/json: what is read and what is refused, the decoder by table, look-ups, writing, and failing
 * allocations. */
#include "base/buf.h"
#include "base/str.h"
#include "support/failmalloc.h"
#include "unit.h"
#include "json/json.h"

static const struct text {
    const char *s, *error; /* error NULL: accepted */
} texts[] = {
    {"{}", NULL},
    {" \t\r\n[ ] ", NULL},
    {"null", NULL},
    {"\"\xf0\x9f\x98\x80\"", NULL},
    {"\"\\ud83d\\ude00\"", NULL},
    {"-9223372036854775808", NULL},
    {"9223372036854775807", NULL},
    {"1E400", "malformed JSON: real number overflow near '1E400' (line 1, column 5)"},
    {"9223372036854775808", "malformed JSON: too big integer near '9223372036854775808' (line 1, column 19)"},
    {"-9223372036854775809",
     "malformed JSON: too big negative integer near '-9223372036854775809' (line 1, column 20)"},
    {"{\"a\":1,\"a\":1}", "malformed JSON: duplicate object key near '\"a\"' (line 1, column 10)"},
    {"\"\\u0000\"", "malformed JSON: \\u0000 is not allowed (line 1, column 8)"},
    {"{\"\\u0000\":1}",
     "malformed JSON: NUL byte in object key not supported near '\"\\u0000\"' (line 1, column 9)"},
    {"[1,]", "malformed JSON: unexpected token near ']' (line 1, column 4)"},
    {"{\"a\":1,}", "malformed JSON: string or '}' expected near '}' (line 1, column 8)"},
    {"[1 2]", "malformed JSON: ']' expected near '2' (line 1, column 4)"},
    {"'a'", "malformed JSON: invalid token near ''' (line 1, column 1)"},
    {"{a:1}", "malformed JSON: string or '}' expected near 'a' (line 1, column 2)"},
    {"[1]\n\n x", "malformed JSON: end of file expected near 'x' (line 3, column 2)"},
    {"01", "malformed JSON: invalid token near '0' (line 1, column 1)"},
    {".5", "malformed JSON: invalid token near '.' (line 1, column 1)"},
    {"NaN", "malformed JSON: invalid token near 'NaN' (line 1, column 3)"},
    {"// x\n1", "malformed JSON: invalid token near '/' (line 1, column 1)"},
    {"\xef\xbb\xbf{}", "malformed JSON: invalid token near '\xef\xbb\xbf' (line 1, column 1)"},
    {"\"\xff\"", "malformed JSON: unable to decode byte 0xff near '\"' (line 1, column 1)"},
    {"\"\xed\xa0\x80\"", "malformed JSON: unable to decode byte 0xed near '\"' (line 1, column 1)"},
    {"\"\\ud800\"", "malformed JSON: invalid Unicode '\\uD800' near '\"\\ud800\"' (line 1, column 8)"},
    {"\"\\x\"", "malformed JSON: invalid escape near '\"\\x' (line 1, column 3)"},
    {"\"a\nb\"", "malformed JSON: unexpected newline near '\"a' (line 1, column 2)"},
    {"\"a", "malformed JSON: premature end of input near '\"a' (line 1, column 2)"},
    {"", "malformed JSON: unexpected token near end of file (line 1, column 0)"},
};

START_TEST(reads_strictly)
{
    const struct text *t = &texts[_i];
    outcall_error err = OUTCALL_ERROR_INIT;
    json_t *j = NULL;
    int r = oc_json_load(t->s, strlen(t->s), &j, &err);
    ck_assert_msg((r == 0) == (t->error == NULL), "%s: %s", t->s, err.text);
    ck_assert_str_eq(err.text, t->error ? t->error : "");
    ck_assert_int_eq(r, t->error ? OUTCALL_E_SYNTAX : 0);
    ck_assert_int_eq(j != NULL, r == 0);
    ck_assert_int_eq(err.line > 0, r < 0);
    json_decref(j);
}
END_TEST

/* nesting of n levels, opened by open and filled by inner */
static int load_nested(size_t n, const char *open, const char *inner, const char *close, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    char text[1024] = "";
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", open);
    at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", inner);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", close);
    return oc_json_load(text, at, &j, err);
}

START_TEST(depth_is_met_exactly)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(load_nested(OC_JSON_DEPTH_MAX, "[", "", "]", &err), 0);
    ck_assert_int_eq(load_nested(OC_JSON_DEPTH_MAX, "{\"[{\\\"[\":", "\"[[[[\"", "}", &err), 0);
    ck_assert_int_eq(load_nested(OC_JSON_DEPTH_MAX + 1, "[", "", "]", &err), OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "JSON is nested deeper than 32 levels");
    ck_assert_int_eq(load_nested(OC_JSON_DEPTH_MAX + 1, "{\"a\":", "1", "}", NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(load_nested(0, "", "]]]][", "", NULL), OUTCALL_E_SYNTAX);
}
END_TEST

START_TEST(length_counts_not_nul)
{
    json_t *j = NULL;
    ck_assert_int_eq(oc_json_load("12345", 2, &j, NULL), 0);
    ck_assert_int_eq(json_integer_value(j), 12);
    json_decref(j);
    j = NULL;
    ck_assert_int_eq(oc_json_load("1\0", 2, &j, NULL), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(oc_json_load("{\"a\":1\0}", 8, &j, NULL), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(oc_json_load("\"a\0b\"", 5, &j, NULL), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(oc_json_load(NULL, 0, &j, NULL), OUTCALL_E_SYNTAX);
    ck_assert_ptr_null(j);
}
END_TEST

struct all {
    const char *s;
    bool b;
    int64_t i;
    uint64_t u;
    uint32_t w;
    double d;
    struct oc_json_strings list;
    const json_t *map, *object, *array;
    int64_t any;
};

#define F(name, type, min, max)                                  \
    {                                                            \
        #name, type, offsetof(struct all, name), false, min, max \
    }
static const struct oc_json_field fields[] = {
    F(s, OC_JSON_STRING, 2, 4),     F(b, OC_JSON_BOOL, 0, 0),         F(i, OC_JSON_I64, -2, 2),
    F(u, OC_JSON_U64, 1, 9),        F(w, OC_JSON_U32, 0, 0),          F(d, OC_JSON_DOUBLE, -1, 1),
    F(list, OC_JSON_STRINGS, 0, 2), F(map, OC_JSON_STRING_MAP, 0, 2), F(object, OC_JSON_OBJECT, 0, 0),
    F(array, OC_JSON_ARRAY, 0, 0),  F(any, OC_JSON_I64, 0, 0),
};
#undef F

static const struct text values[] = {
    {"{\"s\":\"ab\"}", NULL},
    {"{\"s\":\"abcd\"}", NULL},
    {"{\"s\":\"a\"}", "s: expected 2 to 4 bytes, got 1"},
    {"{\"s\":\"abcde\"}", "s: expected 2 to 4 bytes, got 5"},
    {"{\"s\":\"a\\tb\"}", "s: control characters are not allowed"},
    {"{\"s\":null}", "s: expected a string, got null"},
    {"{\"s\":[\"ab\"]}", "s: expected a string, got an array"},
    {"{\"b\":1}", "b: expected a boolean, got an integer"},
    {"{\"b\":\"true\"}", "b: expected a boolean, got a string"},
    {"{\"i\":-2}", NULL},
    {"{\"i\":2}", NULL},
    {"{\"i\":-3}", "i: expected an integer from -2 to 2, got -3"},
    {"{\"i\":3}", "i: expected an integer from -2 to 2, got 3"},
    {"{\"i\":1.0}", "i: expected an integer, got a number"},
    {"{\"u\":0}", "u: expected an integer from 1 to 9, got 0"},
    {"{\"u\":-1}", "u: expected an integer from 1 to 9, got -1"},
    {"{\"w\":4294967295}", NULL},
    {"{\"w\":4294967296}", "w: expected an integer from 0 to 4294967295, got 4294967296"},
    {"{\"w\":-1}", "w: expected an integer from 0 to 4294967295, got -1"},
    {"{\"d\":1}", NULL},
    {"{\"d\":-1.0}", NULL},
    {"{\"d\":1.0000001}", "d: expected a number from -1 to 1, got 1"},
    {"{\"d\":\"1\"}", "d: expected a number, got a string"},
    {"{\"list\":[]}", NULL},
    {"{\"list\":[\"a\\n\",\"\"]}", NULL},
    {"{\"list\":[\"a\",\"b\",\"c\"]}", "list: expected at most 2 elements, got 3"},
    {"{\"list\":[\"a\",1]}", "list[1]: expected a string, got an integer"},
    {"{\"list\":{}}", "list: expected an array of strings, got an object"},
    {"{\"map\":{\"a\":\"b\",\"c\":\"\"}}", NULL},
    {"{\"map\":{\"a\":\"b\",\"c\":\"\",\"d\":\"\"}}", "map: expected at most 2 members, got 3"},
    {"{\"map\":{\"a\":[]}}", "map.a: expected a string, got an array"},
    {"{\"map\":[]}", "map: expected an object of strings, got an array"},
    {"{\"object\":{}}", NULL},
    {"{\"object\":[]}", "object: expected an object, got an array"},
    {"{\"array\":[]}", NULL},
    {"{\"array\":{}}", "array: expected an array, got an object"},
    {"{\"any\":-9223372036854775808}", NULL},
    {"{\"any\":9223372036854775807}", NULL},
    {"{\"S\":\"ab\"}", "S: unknown field"},
    {"{\"\":1}", ": unknown field"},
    {"[]", "expected an object, got an array"},
    {"null", "expected an object, got null"},
};

START_TEST(decodes_by_table)
{
    const struct text *t = &values[_i];
    outcall_error err = OUTCALL_ERROR_INIT;
    struct all a = {.s = "default", .i = 7};
    OC_JSON json_t *j = NULL;
    ck_assert_int_eq(oc_json_load(t->s, strlen(t->s), &j, NULL), 0);
    int r = oc_json_decode(j, fields, OC_ARRAY_SIZE(fields), OC_JSON_STRICT, &a, &err);
    ck_assert_str_eq(err.text, t->error ? t->error : "");
    ck_assert_int_eq(r, t->error ? OUTCALL_E_INVALID : 0);
    if (r < 0)
        ck_assert_ptr_null(a.list.v);
    oc_json_decode_done(fields, OC_ARRAY_SIZE(fields), &a);
    ck_assert_ptr_null(a.list.v);
}
END_TEST

START_TEST(what_is_absent_keeps_its_default)
{
    struct all a = {.s = "default", .i = 7, .b = true};
    struct oc_json_field required = fields[0];
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_JSON json_t *j = json_pack("{s:i, s:{s:s}, s:[s]}", "unknown", 1, "map", "k", "v", "list", "x");
    required.required = true;
    ck_assert_int_eq(oc_json_decode(j, fields, OC_ARRAY_SIZE(fields), OC_JSON_TOLERANT, &a, NULL), 0);
    ck_assert_str_eq(a.s, "default");
    ck_assert(a.i == 7 && a.b && a.list.n == 1);
    ck_assert_str_eq(a.list.v[0], "x");
    oc_json_decode_done(fields, OC_ARRAY_SIZE(fields), &a);
    ck_assert_int_eq(oc_json_decode(j, &required, 1, OC_JSON_TOLERANT, &a, &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, "s: required field is missing");
}
END_TEST

START_TEST(look_ups_tolerate)
{
    OC_JSON json_t *j =
        json_pack("{s:{s:i, s:s, s:b}, s:[i]}", "State", "Pid", 5, "Status", "x", "Running", 1, "list", 1);
    ck_assert_int_eq(oc_json_i64(j, "State.Pid", -1), 5);
    ck_assert_int_eq(oc_json_i64(j, "State.Status", -1), -1);
    ck_assert_int_eq(oc_json_i64(j, "State.Pid.x", -1), -1);
    ck_assert_int_eq(oc_json_i64(NULL, "State", -1), -1);
    ck_assert_str_eq(oc_json_string(j, "State.Status", "y"), "x");
    ck_assert_str_eq(oc_json_string(j, "list.0", "y"), "y");
    ck_assert_str_eq(oc_json_string(j, "..", "y"), "y");
    ck_assert(oc_json_bool(j, "State.Running", false) && oc_json_bool(j, "State.Pid", true));
    ck_assert_ptr_eq(oc_json_get(j, ""), j);
    ck_assert_ptr_null(
        oc_json_get(j, "a-name-that-is-longer-than-any-member-the-engine-has-ever-had-in-its-answers"));
}
END_TEST

#define SAMPLE                                                                 \
    "{\"string\":\"\\u00e9 and more than sixteen bytes of "                    \
    "it\",\"numbers\":[1,-2,3.5,1e10],\"nested\":{\"a\":{\"b\":[null,true]}}," \
    "\"list\":[\"one\",\"two\"]}"

static int round_trip(void *userdata)
{
    OC_JSON json_t *j = NULL;
    OC_JSON json_t *again = NULL;
    size_t len = 0;
    (void)userdata;
    int r = oc_json_load(SAMPLE, strlen(SAMPLE), &j, NULL);
    if (r < 0)
        return r;
    OC_FREE char *text = oc_json_dump(j, &len);
    if (!text)
        return OUTCALL_E_NO_MEMORY;
    r = oc_json_load(text, len, &again, NULL);
    return r < 0 ? r : json_equal(j, again) ? 0 : OUTCALL_E_INTERNAL;
}

static int decode_round(void *userdata)
{
    struct all a = {.s = NULL};
    OC_JSON json_t *j = json_pack("{s:[s,s]}", "list", "one", "two");
    (void)userdata;
    if (!j)
        return OUTCALL_E_NO_MEMORY;
    int r = oc_json_decode(j, fields, OC_ARRAY_SIZE(fields), OC_JSON_STRICT, &a, NULL);
    if (r == 0)
        oc_json_decode_done(fields, OC_ARRAY_SIZE(fields), &a);
    return r;
}

START_TEST(no_letter_is_lost_when_memory_is_short)
{
    ck_assert_int_gt(failmalloc_loop(round_trip, NULL), 50);
    ck_assert_int_gt(failmalloc_loop(decode_round, NULL), 5);
}
END_TEST

START_TEST(builders_fold_failures)
{
    OC_JSON json_t *j = json_object();
    OC_JSON json_t *a = json_array();
    ck_assert(!oc_json_set(j, "a", json_integer(1)));
    ck_assert(oc_json_set(j, "b", NULL));
    ck_assert(oc_json_set(NULL, "b", json_integer(1)));
    ck_assert(oc_json_set(j, "c", json_string("\xff")));
    ck_assert(oc_json_add(a, NULL));
    OC_FREE char *text = oc_json_dump(j, NULL);
    ck_assert_str_eq(text, "{\"a\":1}");
    ck_assert_ptr_null(oc_json_dump(NULL, NULL));
}
END_TEST

START_TEST(text_is_appended)
{
    static const char *const all[] = {
        "", "plain", "\"", "\\", "a\"b\\c/", "\n\t\x01\x1f\x7f", "\xc3\xa9 \xf0\x9f\x98\x80"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(all); i++) {
        OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
        OC_JSON json_t *j = NULL;
        ck_assert_int_eq(oc_buf_char(&b, '['), 0);
        ck_assert_int_eq(oc_json_append(&b, all[i]) | oc_buf_char(&b, ',') | oc_json_append(&b, NULL), 0);
        ck_assert_int_eq(oc_buf_char(&b, ']'), 0);
        ck_assert_int_eq(oc_json_load(b.data, b.len, &j, NULL), 0);
        ck_assert_str_eq(json_string_value(json_array_get(j, 0)), all[i]);
        ck_assert(json_is_null(json_array_get(j, 1)));
    }
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {depth_is_met_exactly,
                                  length_counts_not_nul,
                                  what_is_absent_keeps_its_default,
                                  look_ups_tolerate,
                                  no_letter_is_lost_when_memory_is_short,
                                  builders_fold_failures,
                                  text_is_appended};
    const struct unit_loop loops[] = {{reads_strictly, OC_ARRAY_SIZE(texts)},
                                      {decodes_by_table, OC_ARRAY_SIZE(values)}};
    return unit_run("json", plain, OC_ARRAY_SIZE(plain), loops, OC_ARRAY_SIZE(loops));
}
