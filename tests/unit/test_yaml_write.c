/* lib/yaml: trees as text again. */
#include "support/failmalloc.h"
#include "unit/unit.h"
#include "yaml/write.h"

static oc_yaml *load(const char *text)
{
    oc_yaml *root = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_yaml_load(text, strlen(text), &root, &err);
    ck_assert_msg(r == 0 && root, "%d: %s: %s", r, err.text, text);
    return root;
}

static const struct {
    const char *from, *to;
} texts[] = {
    {"a: 1\n", "a: 1\n"},
    {"a: '1'\n", "a: \"1\"\n"},
    {"# gone\na: true # too\n", "a: true\n"},
    {"a:\nb: ~\nc: null\nd: ''\n", "a: ~\nb: ~\nc: ~\nd: \"\"\n"},
    {"a: [-5, +1, .5, 1e5, 0x1F, 1_000, -.inf]\n",
     "a:\n  - -5\n  - +1\n  - .5\n  - 1e5\n  - 0x1F\n  - 1_000\n  - -.inf\n"},
    {"a: b == \"c\" && d\n", "a: 'b == \"c\" && d'\n"},
    {"a: \"it's \\\\ \\\"\"\n", "a: 'it''s \\ \"'\n"},
    {"a: {b: [], c: {}, d: [x, [y, z], {e: f, g: h}]}\n",
     "a:\n  b: []\n  c: {}\n  d:\n    - x\n    - - y\n      - z\n    - e: f\n      g: h\n"},
    {"a: |\n  one\n    two\n  \n  three\n", "a: \"one\\n\\\n  \\  two\\n\\\n  \\n\\\n  three\\n\"\n"},
    {"- |-\n  x\n  y\n", "- \"x\\n\\\n  y\"\n"},
    {"a: \"\\t\\x00e\\x1b[31m\\u0085\\u2028\\ufeff\\u202e\"\n", NULL}, /* NUL is refused by the loader */
    {"a: \"\\te\\x1b[31m\\u0085\\u2028\\ufeff\\u202e\"\n",
     "a: \"\\te\\x1b[31m\\x85\\u2028\\ufeff\\u202e\"\n"},
    {"a: g\xd1\x96thub \xf0\x9f\x98\x80\n", "a: \"g\\u0456thub \\U0001f600\"\n"},
    {"\"k y\": 1\n'': 2\n? a\\b\n: 3\n~: 4\n", "\"k y\": 1\n\"\": 2\n\"a\\\\b\": 3\n~: 4\n"},
    {"- - a: 1\n    b: 2\n", "- - a: 1\n    b: 2\n"},
    {"x\n", "x\n"},
    {"[]\n", "[]\n"},
    {"{}\n", "{}\n"},
    {"'a b'\n", "\"a b\"\n"},
    {"a: -\xc2\xa0x\n", "a: \"-\\xa0x\"\n"},
    {"a: '<<'\n<<: 1\n", "a: \"<<\"\n\"<<\": 1\n"},
    {"a: '--- # x'\nb: '- '\n", "a: \"--- # x\"\nb: \"- \"\n"},
    {"a: \"  \\n  x\\n\\n y \\n\"\n", "a: \"  \\n\\\n  \\  x\\n\\\n  \\n\\\n  \\ y \\n\"\n"},
};

START_TEST(one_spelling_each)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_CLEANUP(oc_buf_done) struct oc_buf twice = OC_BUF_INIT;
    if (!texts[_i].to) {
        oc_yaml *none = NULL;
        ck_assert_int_eq(oc_yaml_load(texts[_i].from, strlen(texts[_i].from), &none, NULL), OUTCALL_E_SYNTAX);
        return;
    }
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = load(texts[_i].from);
    ck_assert_int_eq(oc_yaml_write(&b, root), 0);
    ck_assert_str_eq(b.data, texts[_i].to);
    OC_CLEANUP(oc_yaml_freep) oc_yaml *again = load(b.data);
    ck_assert(oc_yaml_same(root, again));
    ck_assert_int_eq(oc_yaml_write(&twice, again), 0);
    ck_assert_str_eq(twice.data, b.data);
}
END_TEST

START_TEST(what_is_not_the_same)
{
    static const char *const pairs[][2] = {
        {"a: 1", "a: '1'"}, {"a: 1", "a: 2"},         {"a: 1", "b: 1"},        {"a: 1", "a: 1\nb: 2"},
        {"[a, b]", "[a]"},  {"[a, b]", "[b, a]"},     {"a: [b]", "a: {b: c}"}, {"a: ~", "a: ''"},
        {"a: ~", "a: '~'"}, {"a: true", "a: 'true'"}, {"1: a", "'1': a"},      {"a: {b: c}", "a: {b: d}"},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(pairs); i++) {
        OC_CLEANUP(oc_yaml_freep) oc_yaml *a = load(pairs[i][0]);
        OC_CLEANUP(oc_yaml_freep) oc_yaml *b = load(pairs[i][1]);
        ck_assert_msg(!oc_yaml_same(a, b) && !oc_yaml_same(b, a), "%s, %s", pairs[i][0], pairs[i][1]);
        ck_assert(oc_yaml_same(a, a));
    }
    OC_CLEANUP(oc_yaml_freep) oc_yaml *a = load("{a: x y, b: , c: \"d e\"}");
    OC_CLEANUP(oc_yaml_freep) oc_yaml *b = load("a: 'x y'\nb: null\nc: d e\n");
    ck_assert(oc_yaml_same(a, b));
}
END_TEST

START_TEST(a_key_too_long_to_be_read_is_not_written)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    char text[1100];
    for (size_t n = 998; n <= 1001; n++) {
        (void)snprintf(text, sizeof(text), "? %0*d\n: 1\n", (int)n, 1);
        OC_CLEANUP(oc_yaml_freep) oc_yaml *root = load(text);
        oc_buf_clear(&b);
        ck_assert_int_eq(oc_yaml_write(&b, root), n > 1000 ? OUTCALL_E_LIMIT : 0);
        if (n <= 1000)
            (void)oc_yaml_free(load(b.data));
    }
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = load("a: bcd");
    struct oc_buf small = {.max = 5};
    ck_assert_int_eq(oc_yaml_write(&small, root), OUTCALL_E_LIMIT);
    oc_buf_done(&small);
}
END_TEST

START_TEST(trees_are_changed)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = load("a: 1\nb: 2\nc: 3\n");
    oc_yaml *list = oc_yaml_new(OC_YAML_SEQUENCE, root);
    ck_assert_int_eq(oc_yaml_add(list, oc_yaml_new_text("true", false, root)), 0);
    ck_assert_int_eq(oc_yaml_add(list, oc_yaml_new_text("true", true, root)), 0);
    ck_assert_int_eq(oc_yaml_put(root, "a", list), 0);
    ck_assert_int_eq(oc_yaml_put(root, "d", oc_yaml_new_text("x", true, root)), 0);
    ck_assert_int_eq(oc_yaml_put(root, "e", NULL), OUTCALL_E_NO_MEMORY);
    ck_assert_int_eq(oc_yaml_add(list, NULL), OUTCALL_E_NO_MEMORY);
    ck_assert_uint_eq(root->n, 4);
    ck_assert_int_eq(oc_yaml_write(&b, root), 0);
    ck_assert_str_eq(b.data, "b: 2\nc: 3\na:\n  - \"true\"\n  - true\nd: x\n");
}
END_TEST

static int change_and_write(void *userdata)
{
    (void)userdata;
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    int r = oc_yaml_load("a: [b, \"c\\nd\"]", 14, &root, NULL);
    if (r == 0)
        r = oc_yaml_put(root, "a",
                        oc_yaml_new_text("some text that is longer than a small buffer", false, root));
    if (r == 0)
        r = oc_yaml_put(root, "n", oc_yaml_new(OC_YAML_MAPPING, root));
    return r < 0 ? r : oc_yaml_write(&b, root);
}

START_TEST(out_of_memory)
{
    ck_assert_int_gt(failmalloc_loop(change_and_write, NULL), 5);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {what_is_not_the_same, a_key_too_long_to_be_read_is_not_written,
                                trees_are_changed, out_of_memory};
    const struct unit_loop loops[] = {{one_spelling_each, OC_ARRAY_SIZE(texts)}};
    return unit_run("yaml_write", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
