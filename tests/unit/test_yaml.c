#include "base/base.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include "yaml/yaml.h"

static oc_yaml *load(const char *text)
{
    oc_yaml *root = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_yaml_load(text, strlen(text), &root, &err);
    ck_assert_msg(r == 0, "%d: %s", r, err.text);
    return root;
}

START_TEST(tree_with_places)
{
    OC_CLEANUP(oc_yaml_freep)
    oc_yaml *root = load("# comment\nname: \"x\"\nlist:\n  - one\n  - {a: 1, b: ''}\nlast: true\n");
    ck_assert_int_eq(root->type, OC_YAML_MAPPING);
    ck_assert_uint_eq(root->n, 3);
    ck_assert_int_eq(root->line, 2);
    const oc_yaml *name = oc_yaml_get(root, "name");
    ck_assert_str_eq(name->text, "x");
    ck_assert(!name->plain);
    ck_assert_int_eq(name->line, 2);
    ck_assert_int_eq(name->column, 7);
    const oc_yaml *list = oc_yaml_get(root, "list");
    ck_assert_int_eq(list->type, OC_YAML_SEQUENCE);
    ck_assert_uint_eq(list->n, 2);
    ck_assert_str_eq(list->first->text, "one");
    const oc_yaml *b = oc_yaml_get(list->first->next, "b");
    ck_assert_uint_eq(b->len, 0);
    ck_assert(!oc_yaml_is_null(b));
    ck_assert_int_eq(b->key->line, 5);
    ck_assert_int_eq(b->key->column, 12);
    ck_assert_ptr_null(oc_yaml_get(root, "nothing"));
    ck_assert_ptr_null(oc_yaml_get(list, "a"));
    bool yes = false;
    ck_assert_int_eq(oc_yaml_bool(oc_yaml_get(root, "last"), &yes), 0);
    ck_assert(yes);
    ck_assert_int_eq(oc_yaml_bool(name, &yes), OUTCALL_E_TYPE);
}
END_TEST

START_TEST(documents_without_content)
{
    static const char *const texts[] = {"",    "\n\n", "# only a comment\n", "---\n", "---\n...\n",
                                        "~\n", "null"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(texts); i++)
        ck_assert_ptr_null(load(texts[i]));
}
END_TEST

START_TEST(scalars)
{
    OC_CLEANUP(oc_yaml_freep)
    oc_yaml *root = load("a: ~\nb:\nc: 'null'\nd: |\n  x\n  y\ne: yes\nf: \"\\u00e9\"\n");
    ck_assert(oc_yaml_is_null(oc_yaml_get(root, "a")));
    ck_assert(oc_yaml_is_null(oc_yaml_get(root, "b")));
    ck_assert(!oc_yaml_is_null(oc_yaml_get(root, "c")));
    ck_assert_str_eq(oc_yaml_get(root, "d")->text, "x\ny\n");
    bool v = false;
    ck_assert_int_eq(oc_yaml_bool(oc_yaml_get(root, "e"), &v), OUTCALL_E_TYPE);
    ck_assert_str_eq(oc_yaml_get(root, "f")->text, "\xc3\xa9");
    ck_assert_str_eq(oc_yaml_type_name(root), "a mapping");
    ck_assert_str_eq(oc_yaml_type_name(oc_yaml_get(root, "a")), "nothing");
    ck_assert_str_eq(oc_yaml_type_name(oc_yaml_get(root, "d")), "text");
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *yaml;
        int code, line, column;
        const char *text;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", OUTCALL_E_SYNTAX, 3, 1, "key \"a\" is repeated"},
        {"z: 1\nz: 1\na: 1\na: 1\n", OUTCALL_E_SYNTAX, 2, 1, "key \"z\" is repeated"},
        {"a: 1\n\"a\": 2\n", OUTCALL_E_SYNTAX, 2, 1, "key \"a\" is repeated"},
        {"x: {k: 1, k: 2}", OUTCALL_E_SYNTAX, 1, 11, "key \"k\" is repeated"},
        {"a: &x 1\n", OUTCALL_E_SYNTAX, 1, 4, "anchors are not allowed"},
        {"&x a: 1\n", OUTCALL_E_SYNTAX, 1, 1, "anchors are not allowed"},
        {"a: &x [1]\n", OUTCALL_E_SYNTAX, 1, 4, "anchors are not allowed"},
        {"a: &x {b: 1}\n", OUTCALL_E_SYNTAX, 1, 4, "anchors are not allowed"},
        {"a: *x\n", OUTCALL_E_SYNTAX, 1, 4, "aliases are not allowed"},
        {"*x : 1\n", OUTCALL_E_SYNTAX, 1, 1, "aliases are not allowed"},
        {"a: [*x]\n", OUTCALL_E_SYNTAX, 1, 5, "aliases are not allowed"},
        {"a: !!str 1\n", OUTCALL_E_SYNTAX, 1, 4, "tags are not allowed"},
        {"a: ! 1\n", OUTCALL_E_SYNTAX, 1, 4, "tags are not allowed"},
        {"!x {a: 1}\n", OUTCALL_E_SYNTAX, 1, 1, "tags are not allowed"},
        {"a: !!seq [1]\n", OUTCALL_E_SYNTAX, 1, 4, "tags are not allowed"},
        {"%YAML 1.1\n---\na: 1\n", OUTCALL_E_SYNTAX, 1, 1, "directives are not allowed"},
        {"%TAG ! tag:x:\n---\na: 1\n", OUTCALL_E_SYNTAX, 1, 1, "directives are not allowed"},
        {"a: 1\n---\nb: 2\n", OUTCALL_E_SYNTAX, 2, 1, "more than one document"},
        {"a: 1\n...\n--- x\n", OUTCALL_E_SYNTAX, 3, 1, "more than one document"},
        {"? [a]\n: 1\n", OUTCALL_E_SYNTAX, 1, 3, "expected a key, got a sequence or mapping"},
        {"a: \"x\\0y\"\n", OUTCALL_E_SYNTAX, 1, 4, "text with a NUL character is not allowed"},
        {"a: 1\nb: \xff\n", OUTCALL_E_SYNTAX, 2, 4, "invalid UTF-8"},
        {"a: \xc3\xa9\xc3\n", OUTCALL_E_SYNTAX, 1, 5, "invalid UTF-8"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80", OUTCALL_E_SYNTAX, 1, 4, "invalid UTF-8"},
        {"\xff\xfe"
         "a",
         OUTCALL_E_SYNTAX, 1, 1, "invalid UTF-8"},
        {"a: [1, 2\n", OUTCALL_E_SYNTAX, 2, 1, "malformed YAML: did not find expected ',' or ']'"},
        {"a: 'x\n", OUTCALL_E_SYNTAX, 2, 1, "malformed YAML: found unexpected end of stream"},
        {"a:\n\t- 1\n", OUTCALL_E_SYNTAX, 2, 1,
         "malformed YAML: found character that cannot start any token"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", OUTCALL_E_LIMIT, 1, 17, "nested deeper than 16 levels"},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        oc_yaml *root = NULL;
        outcall_error err = OUTCALL_ERROR_INIT;
        int r = oc_yaml_load(cases[i].yaml, strlen(cases[i].yaml), &root, &err);
        ck_assert_msg(r == cases[i].code && err.code == r && err.line == cases[i].line &&
                          err.column == cases[i].column && strcmp(err.text, cases[i].text) == 0,
                      "%s: %d at %d:%d: %s", cases[i].yaml, r, err.line, err.column, err.text);
        ck_assert_ptr_null(root);
        ck_assert_int_eq(oc_yaml_load(cases[i].yaml, strlen(cases[i].yaml), &root, NULL), cases[i].code);
    }
}
END_TEST

START_TEST(a_nul_byte_is_no_end)
{
    static const char text[] = "a: 1\n\0b: [";
    oc_yaml *root = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(oc_yaml_load(text, sizeof(text) - 1, &root, &err), OUTCALL_E_SYNTAX);
    ck_assert_str_eq(err.text, "control characters are not allowed");
    ck_assert_int_eq(err.line, 2);
    ck_assert_int_eq(err.column, 1);
}
END_TEST

START_TEST(limits)
{
    oc_yaml *root = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    char *big = malloc(OC_YAML_SIZE_MAX + 1);
    ck_assert_ptr_nonnull(big);
    memset(big, ' ', OC_YAML_SIZE_MAX + 1);
    ck_assert_int_eq(oc_yaml_load(big, OC_YAML_SIZE_MAX + 1, &root, &err), OUTCALL_E_LIMIT);
    ck_assert_int_eq(err.line, 1);
    ck_assert_int_eq(oc_yaml_load(big, OC_YAML_SIZE_MAX, &root, NULL), 0);
    ck_assert_ptr_null(root);
    size_t n = ((size_t)OC_YAML_NODES_MAX + 8) * 2;
    for (size_t i = 0; i < n; i += 2) {
        big[i] = i == 0 ? '[' : '1';
        big[i + 1] = ',';
    }
    big[1] = '1';
    outcall_error_clear(&err);
    ck_assert_int_eq(oc_yaml_load(big, n, &root, &err), OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "more than 1048576 values");
    free(big);
    OC_CLEANUP(oc_yaml_freep) oc_yaml *deep = load("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]");
    ck_assert_int_eq(deep->type, OC_YAML_SEQUENCE);
}
END_TEST

static int load_once(void *userdata)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    const char *text = userdata;
    return oc_yaml_load(text, strlen(text), &root, NULL);
}

START_TEST(every_allocation_may_fail)
{
    char text[] = "a: 1\nb: [x, {c: d}]\n";
    ck_assert_int_gt(failmalloc_loop(load_once, text), 10);
}
END_TEST

UNIT_MAIN("yaml", tree_with_places, documents_without_content, scalars, refusals, a_nul_byte_is_no_end,
          limits, every_allocation_may_fail)
