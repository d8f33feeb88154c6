/* The layout of rule files: data/policy/format/NAME.yaml must become NAME.expected; and whatever the layout a
 * file comes in, nothing is lost and formatting again changes nothing. */
#include "base/base.h"
#include "base/buf.h"
#include "base/fd.h"
#include "outcall/policy.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include "yaml/yaml.h"
#include <fcntl.h>
#include <glob.h>

#define DATA TEST_DATA "/policy/format/"
/* Random ones. */
#ifdef __SANITIZE_ADDRESS__
    #define FILES 2000
#else
    #define FILES 20000
#endif

static char *format(const char *text, size_t len, size_t *ret_len)
{
    char *out = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_policy_format("f.yaml", text, len, &out, ret_len, &err);
    ck_assert_msg(r == 0, "%d: %d:%d: %s\n%.*s", r, err.line, err.column, err.text, (int)len, text);
    ck_assert_uint_eq(strlen(out), *ret_len);
    return out;
}

static void check_twice(const char *once, size_t len)
{
    size_t n = 0;
    OC_FREE char *twice = format(once, len, &n);
    ck_assert_str_eq(twice, once);
}

START_TEST(files_come_out_as_expected)
{
    glob_t g;
    ck_assert_int_eq(glob(DATA "*.yaml", 0, NULL, &g), 0);
    ck_assert_uint_ge(g.gl_pathc, 10);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        OC_FREE char *in = NULL, *expected = NULL;
        char path[4096];
        size_t in_len = 0, expected_len = 0, len = 0;
        snprintf(path, sizeof(path), "%.*s.expected", (int)(strlen(g.gl_pathv[i]) - 5), g.gl_pathv[i]);
        ck_assert_int_eq(oc_read_file(AT_FDCWD, g.gl_pathv[i], 1 << 20, &in, &in_len), 0);
        ck_assert_int_eq(oc_read_file(AT_FDCWD, path, 1 << 20, &expected, &expected_len), 0);
        OC_FREE char *out = format(in, in_len, &len);
        ck_assert_msg(strcmp(out, expected) == 0, "%s:\n%s", g.gl_pathv[i], out);
        check_twice(out, len);
    }
    globfree(&g);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *yaml;
        int line, column;
        const char *text;
    } cases[] = {
        {"- a\n", 1, 1, "expected a mapping, got a sequence"},
        {"rules:\n  - id: a\n    colour: red\n", 3, 5, "unknown key \"colour\""},
        {"vresion: \"1\"\n", 1, 1, "unknown key \"vresion\"; did you mean \"version\"?"},
        {"rules:\n  a: b\n", 2, 3, "key \"rules\": expected a sequence, got a mapping"},
        {"rules: [x]\n", 1, 9, "expected a mapping, got text"},
        {"rules: [{egress: {port: 1}}]\n", 1, 19, "unknown key \"port\"; did you mean \"ports\"?"},
        {"tests: [{nam: x}]\n", 1, 10, "unknown key \"nam\"; did you mean \"name\"?"},
        {"tests: x\n", 1, 8, "key \"tests\": expected a sequence, got text"},
        {"definitions: [a]\n", 1, 14, "key \"definitions\": expected a mapping, got a sequence"},
        {"version: &a x\n", 1, 10, "anchors are not allowed"},
        {"version: [\n", 2, 1, "malformed YAML: did not find expected node content"},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        char *out = NULL;
        size_t len = 0;
        outcall_error err = OUTCALL_ERROR_INIT;
        const char *yaml = cases[i].yaml;
        ck_assert_int_eq(outcall_policy_format("f.yaml", yaml, strlen(yaml), &out, &len, &err),
                         OUTCALL_E_SYNTAX);
        ck_assert_msg(err.line == cases[i].line && err.column == cases[i].column &&
                          strcmp(err.text, cases[i].text) == 0 && strcmp(err.source, "f.yaml") == 0,
                      "%s: %s:%d:%d: %s", yaml, err.source, err.line, err.column, err.text);
        ck_assert_ptr_null(out);
        ck_assert_int_eq(outcall_policy_format(NULL, yaml, strlen(yaml), &out, &len, NULL), OUTCALL_E_SYNTAX);
    }
}
END_TEST

START_TEST(keys_that_are_too_long)
{
    char text[2048], *out = NULL;
    size_t len = 0;
    outcall_error err = OUTCALL_ERROR_INIT;
    snprintf(text, sizeof(text), "definitions:\n  ? %01001d\n  : x\n", 0);
    ck_assert_int_eq(outcall_policy_format(NULL, text, strlen(text), &out, &len, &err), OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.source, "rules.yaml");
    ck_assert_ptr_null(out);
    snprintf(text, sizeof(text), "definitions:\n  ? %01000d\n  : x\n", 0);
    OC_FREE char *fits = format(text, strlen(text), &len);
    check_twice(fits, len);
}
END_TEST

START_TEST(arguments)
{
    char *out = NULL;
    size_t len = 9;
    ck_assert_int_eq(outcall_policy_format("f", NULL, 1, &out, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_format("f", "", 0, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_format("f", "", 0, &out, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_format("f", NULL, 0, &out, &len, NULL), 0);
    ck_assert_str_eq(out, "");
    ck_assert_uint_eq(len, 0);
    free(out);
}
END_TEST

/* ---- random files ---- */

struct maker {
    struct oc_buf b;
    uint64_t state;
    unsigned comments;
};

static unsigned below(struct maker *m, unsigned n)
{
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(m->state >> 33) % n;
}

static void say(struct maker *m, const char *s)
{
    ck_assert_int_eq(oc_buf_str(&m->b, s), 0);
}

static void indent(struct maker *m, int n)
{
    while (n-- > 0)
        say(m, " ");
}

static void comment(struct maker *m)
{
    ck_assert_int_eq(oc_buf_printf(&m->b, "#c%u!", m->comments++), 0);
    if (below(m, 4) == 0)
        say(m, "   ");
}

/* The end of a line, with comments and empty lines. */
static void end_line(struct maker *m, int column)
{
    if (below(m, 6) == 0) {
        say(m, "  ");
        comment(m);
    }
    say(m, below(m, 20) == 0 ? "\r\n" : "\n");
    while (below(m, 5) == 0) {
        if (below(m, 2) == 0) {
            indent(m, OC_MAX(column + (int)below(m, 7) - 3, 0));
            comment(m);
        }
        say(m, "\n");
    }
}

static void scalar(struct maker *m, int column)
{
    static const char *const one_line[] = {
        "x",     "\"x\"",  "'a \"b\"'",   "\"true\"",    "true",      "443",         "\"443\"",
        "~",     "''",     "a == 'b'",    "$d && x",     "\"a: b\"",  "\"a #b\"",    "\"a\\nb\"",
        "-f",    "\"-f\"", "\"\\u2028\"", "\"a\\tb\\\"", "h\xc3\xa9", "'it''s'",     "\" x \"",
        "'{a}'", "\"[\"",  "\"\\x85\"",   "'x,y'",       "a:b",       "'a:b'",       "10.0.0.1",
        "\"?\"", "'a\\b'", "\"\\n\\n\"",  "\"a\\n\"",    "\"\\na\"",  "\"a\\n\\n\"", "\" a\\nb\"",
    };
    static const char *const headers[] = {"|", "|-", "|+", ">", ">-", ">+"};
    unsigned kind = below(m, 10);
    if (kind < 8) {
        say(m, one_line[below(m, OC_ARRAY_SIZE(one_line))]);
        end_line(m, column);
        return;
    }
    int deep = column + 1 + (int)below(m, 4);
    if (kind == 8) {
        say(m, headers[below(m, OC_ARRAY_SIZE(headers))]);
        say(m, below(m, 3) == 0 ? "  " : "");
        if (m->b.data[m->b.len - 1] == ' ')
            comment(m);
        say(m, "\n");
        indent(m, deep);
    }
    say(m, "first &&\n");
    for (unsigned n = below(m, 4); n > 0; n--) {
        indent(m, deep + (kind == 8 && below(m, 3) == 0 ? 2 : 0));
        say(m, below(m, 2) ? "more  \n" : "more #!\n" + (kind == 8 ? 0 : 4));
        if (kind == 9 && m->b.data[m->b.len - 2] == '!') /* in a plain text that would begin a comment */
            m->b.len -= 4;
        if (below(m, 4) == 0)
            say(m, "\n");
    }
    if (m->b.data[m->b.len - 1] != '\n')
        say(m, "\n");
    if (kind == 9) {
        indent(m, deep);
        say(m, "last\n");
    }
}

static void flow(struct maker *m, int depth)
{
    bool mapping = below(m, 2) == 0;
    say(m, mapping ? "{" : "[");
    unsigned n = below(m, 4);
    for (unsigned i = 0; i < n; i++) {
        if (below(m, 12) == 0) {
            say(m, " ");
            comment(m);
            say(m, "\n        ");
        }
        if (mapping)
            ck_assert_int_eq(oc_buf_printf(&m->b, "%sk%u: ", below(m, 3) ? "" : "  ", i), 0);
        if (depth < 3 && below(m, 4) == 0)
            flow(m, depth + 1);
        else
            say(m, below(m, 2) ? "word" : below(m, 2) ? "\"x y\"" : "443");
        if (below(m, 12) == 0) {
            say(m, " ");
            comment(m);
            say(m, "\n        ");
        }
        say(m, i + 1 < n ? ", " : "");
    }
    say(m, mapping ? "}" : "]");
}

static void value(struct maker *m, int column, int depth);

/* Entries at that column, the first of them where the line is when it has begun. */
static void entries(struct maker *m, int column, int depth, bool mapping, bool begun)
{
    unsigned n = 1 + below(m, 4);
    for (unsigned i = 0; i < n; i++) {
        if (i > 0 || !begun)
            indent(m, column);
        if (mapping) {
            ck_assert_int_eq(oc_buf_printf(&m->b, below(m, 4) ? "k%u:" : "\"k%u\" :", i), 0);
            value(m, column, depth);
        } else if (below(m, 3) == 0 && depth < 5) {
            int gap = 1 + (int)below(m, 3);
            say(m, "-");
            indent(m, gap);
            entries(m, column + 1 + gap, depth + 1, below(m, 3) != 0, true);
        } else {
            say(m, "-");
            value(m, column, depth);
        }
    }
}

static void value(struct maker *m, int column, int depth)
{
    unsigned kind = below(m, depth < 5 ? 8 : 6);
    if (kind == 0) {
        end_line(m, column + 2); /* nothing */
    } else if (kind < 5) {
        say(m, " ");
        scalar(m, column);
    } else if (kind == 5) {
        say(m, "  ");
        flow(m, 0);
        end_line(m, column);
    } else {
        end_line(m, column + 2);
        entries(m, column + 1 + (int)below(m, 4), depth + 1, below(m, 2) == 0, false);
    }
}

static void rule(struct maker *m, int column)
{
    static const char *const keys[] = {"reason", "id", "action", "condition", "agents", "egress", "log"};
    unsigned at = below(m, OC_ARRAY_SIZE(keys)), n = 1 + below(m, 5);
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            indent(m, column);
        say(m, keys[(at + i) % OC_ARRAY_SIZE(keys)]);
        say(m, ":");
        if (strcmp(keys[(at + i) % OC_ARRAY_SIZE(keys)], "egress") == 0) {
            say(m, " {ports: [1, 2], mode: proxy}");
            end_line(m, column);
        } else {
            value(m, column, 3);
        }
    }
}

static void random_file(struct maker *m)
{
    static const char *const sections[] = {"rules", "version", "tests", "definitions"};
    unsigned at = below(m, 4), n = 1 + below(m, 4);
    end_line(m, 0);
    for (unsigned i = 0; i < n; i++) {
        const char *section = sections[(at + i) % 4];
        int column = (int)below(m, 5);
        say(m, section);
        say(m, ":");
        if (strcmp(section, "version") == 0) {
            say(m, " \"1\"");
            end_line(m, 0);
            continue;
        }
        end_line(m, column);
        if (strcmp(section, "definitions") == 0)
            entries(m, column + 1, 3, true, false);
        for (unsigned k = below(m, 4); k > 0 && strcmp(section, "rules") == 0; k--) {
            indent(m, column);
            say(m, "- ");
            rule(m, column + 2);
        }
        if (strcmp(section, "tests") == 0) {
            indent(m, column);
            say(m, "- context:");
            value(m, column + 2, 1);
        }
    }
}

static bool same(const oc_yaml *a, const oc_yaml *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type || a->n != b->n || (a->type == OC_YAML_SCALAR && strcmp(a->text, b->text) != 0))
        return false;
    if (oc_yaml_is_null(a) != oc_yaml_is_null(b))
        return false;
    const oc_yaml *y = b->first;
    for (const oc_yaml *x = a->first; x; x = x->next, y = y ? y->next : NULL)
        if (!same(x, x->key ? oc_yaml_get(b, x->key->text) : y))
            return false;
    return true;
}

static void check_comments(const struct maker *m, const char *out)
{
    for (unsigned i = 0; i < m->comments; i++) {
        char mark[32];
        snprintf(mark, sizeof(mark), "#c%u!\n", i);
        const char *at = strstr(out, mark);
        ck_assert_msg(at && !strstr(at + 1, mark), "%s in\n%s\nfrom\n%s", mark, out, m->b.data);
    }
}

START_TEST(random_layouts)
{
    unsigned formatted = 0;
    for (unsigned i = 0; i < FILES; i++) {
        struct maker m = {.state = UINT64_C(7919) * i};
        oc_yaml *before = NULL, *after = NULL;
        size_t len = 0;
        random_file(&m);
        if (oc_yaml_load(m.b.data, m.b.len, &before, NULL) == 0) {
            OC_FREE char *out = format(m.b.data, m.b.len, &len);
            ck_assert_int_eq(oc_yaml_load(out, len, &after, NULL), 0);
            ck_assert_msg(same(before, after), "%s\nfrom\n%s", out, m.b.data);
            check_comments(&m, out);
            check_twice(out, len);
            formatted++;
        }
        (void)oc_yaml_free(before);
        (void)oc_yaml_free(after);
        oc_buf_done(&m.b);
    }
    ck_assert_uint_gt(formatted, FILES / 2); /* some are no YAML; most have to be */
}
END_TEST

static int format_once(void *userdata)
{
    const char *text = userdata;
    char *out = NULL;
    size_t len = 0;
    int r = outcall_policy_format("f", text, strlen(text), &out, &len, NULL);
    free(out);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    char text[] =
        "# c\nversion: '1'\nrules:\n  - condition: >\n      x\n    id: a  # c\n    agents: [b, 'c']\n";
    ck_assert_int_gt(failmalloc_loop(format_once, text), 30);
}
END_TEST

UNIT_MAIN("policy_format", files_come_out_as_expected, refusals, keys_that_are_too_long, arguments,
          random_layouts, every_allocation_may_fail)
