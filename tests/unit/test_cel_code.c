/* lib/cel, compiled code: instructions for a variable against a constant do what the general ones do; pools,
 * demands, and parts of an expression. */
#include "cel/code.h"
#include "cel/program.h"
#include "support/failmalloc.h"
#include "unit.h"

/* The outcome of a program as text. */
static void outcome(outcall_cel_env *env, outcall_cel_eval *ev, const char *expr, char *buf, size_t size)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel *program = NULL;
    const outcall_cel_value *v = NULL;
    int r = outcall_cel_compile(&program, env, expr, strlen(expr), NULL, &err);
    ck_assert_msg(r == 0, "%s: %s", expr, err.text);
    r = outcall_cel_run(program, ev, &v, &err);
    if (r == 0)
        ck_assert_int_ge(outcall_cel_value_text(v, buf, size), 0);
    else
        (void)snprintf(buf, size, "%d %s", err.code, err.text);
    int yes = -1, again = outcall_cel_run_bool(program, ev, &yes, NULL);
    bool is_true = strcmp(buf, "true") == 0, is_bool = is_true || strcmp(buf, "false") == 0;
    ck_assert_int_eq(again == 0, is_bool);
    if (is_bool)
        ck_assert_int_eq(yes, is_true);
    (void)outcall_cel_unref(program);
}

/* x with a constant on either side of every operator; @ is where the constant goes. */
static const char *const with_text[] = {
    "x == @",
    "@ == x",
    "x != @",
    "@ != x",
    "x in [@]",
    "x in [@, 'zz']",
    "x in ['zz', @]",
    "@ in x",
    "x in []",
    "x.startsWith(@)",
    "x.endsWith(@)",
    "@.startsWith(x)",
    "x.contains(@)",
    "x == @ || x == 'q'",
    "x == 'q' || x in [@, 'r']",
    "[x].all(v, v == @)",
    "[x].exists(v, v != @)",
    "[[x]].all(v, @ in v)",
    "[x].map(v, v in [@])",
    "[x].exists(v, v.endsWith(@) || v.startsWith(@))",
    "!(x == @)",
    "x == @ ? 1 : 2",
    "x == @ || 1 / 0 == 1",
    "(x == @ && true) && 7 == 7",
    "x == @ && 1 / 0 == 1",
};
static const char *const values[] = {"\"a\"", "\"\"",       "\"abc\"", "\"ba\"",  "1",   "1.0",
                                     "1.5",   "true",       "null",    "[\"a\"]", "[1]", "[]",
                                     "{}",    "{\"a\": 1}", "-1",      "\"q\""};

static void fill(const char *pattern, const char *constant, char *buf, size_t size)
{
    size_t n = 0;
    for (; *pattern && n + strlen(constant) + 1 < size; pattern++) {
        (void)snprintf(buf + n, size - n, "%.*s", *pattern == '@' ? 64 : 1,
                       *pattern == '@' ? constant : pattern);
        n += strlen(buf + n);
    }
}

static void same(outcall_cel_eval *ev, const char *pattern, const char *one, const char *other)
{
    char first[256], second[256], expr[512];
    fill(pattern, one, expr, sizeof(expr));
    outcome(NULL, ev, expr, first, sizeof(first));
    fill(pattern, other, expr, sizeof(expr));
    outcome(NULL, ev, expr, second, sizeof(second));
    ck_assert_msg(strcmp(first, second) == 0, "%s with %s gives %s, with %s %s", pattern, one, first, other,
                  second);
}

START_TEST(pairs_do_what_the_parts_do)
{
    outcall_cel_eval *ev = NULL;
    ck_assert_int_eq(outcall_cel_eval_new(&ev, NULL), 0);
    for (size_t v = 0; v <= OC_ARRAY_SIZE(values); v++) {
        outcall_cel_eval_reset(ev); /* the last round: x has no value */
        if (v < OC_ARRAY_SIZE(values))
            ck_assert_int_eq(outcall_cel_bind_json(ev, "x", values[v], strlen(values[v]), NULL), 0);
        for (size_t i = 0; i < OC_ARRAY_SIZE(with_text); i++) {
            same(ev, with_text[i], "'a'", "'\\x61'"); /* an escape keeps it out of the one instruction */
            same(ev, with_text[i], "''", "string(b'')");
            if (!strstr(with_text[i], "With(") && !strstr(with_text[i], "contains"))
                same(ev, with_text[i], "1", "dyn(1)");
        }
    }
    (void)outcall_cel_eval_free(ev);
}
END_TEST

/* Steps of x == 'a' && ...: the same whether it is one instruction or four, so that limits mean the same. */
START_TEST(a_pair_costs_what_its_parts_cost)
{
    static const char *const pairs[][2] = {{"x == 'a'", "x == '\\x61'"},
                                           {"x in ['b', 'a']", "x in ['b', '\\x61']"},
                                           {"'a' in y", "'\\x61' in y"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(pairs); i++) {
        uint64_t least[2] = {0, 0};
        for (int k = 0; k < 2; k++) {
            for (outcall_cel_limits lim = OUTCALL_CEL_LIMITS_INIT; least[k] == 0; lim.max_steps++) {
                outcall_cel_eval *ev = NULL;
                outcall_cel *program = NULL;
                int yes = 0;
                ck_assert_uint_lt(lim.max_steps, 100);
                lim.max_steps += lim.max_steps == 0;
                ck_assert_int_eq(outcall_cel_eval_new(&ev, &lim), 0);
                ck_assert_int_eq(outcall_cel_bind_string(ev, "x", "a", 1), 0);
                ck_assert_int_eq(outcall_cel_bind_strings(ev, "y", (const char *const[]){"b", "a"}, 2), 0);
                ck_assert_int_eq(
                    outcall_cel_compile(&program, NULL, pairs[i][k], strlen(pairs[i][k]), NULL, NULL), 0);
                int r = outcall_cel_run_bool(program, ev, &yes, NULL);
                ck_assert(r == 0 || r == OUTCALL_E_LIMIT);
                if (r == 0)
                    least[k] = lim.max_steps;
                (void)outcall_cel_unref(program);
                (void)outcall_cel_eval_free(ev);
            }
        }
        ck_assert_msg(least[0] == least[1], "%s: %d and %d", pairs[i][0], (int)least[0], (int)least[1]);
    }
}
END_TEST

static outcall_cel_env *declared(void)
{
    outcall_cel_env *env = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    ck_assert_int_eq(outcall_cel_env_declare(env, "net.host", "string", NULL), 0);
    ck_assert_int_eq(outcall_cel_env_declare(env, "tool", "string", NULL), 0);
    ck_assert_int_eq(outcall_cel_env_declare(env, "port", "int", NULL), 0);
    ck_assert_int_eq(outcall_cel_env_declare(env, "any", "dyn", NULL), 0);
    return env;
}

/* "slot=a|b" or "slot~.c", one after the other. */
static void demands(const struct oc_cel_pool *pool, const struct oc_cel_code *code, char *buf, size_t size)
{
    struct oc_cel_demand v[8];
    size_t n = oc_cel_code_demands(pool, code, v, OC_ARRAY_SIZE(v)), at = 0;
    buf[0] = 0;
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(buf + at, size - at, "%s%d%s", i ? " " : "", v[i].slot,
                               v[i].kind == OC_CEL_DEMAND_SUFFIX ? "~" : "=");
        for (uint32_t k = 0; k < v[i].n; k++) {
            const char *s = NULL;
            size_t len = 0;
            oc_cel_demand_value(code, &v[i], k, &s, &len);
            at += (size_t)snprintf(buf + at, size - at, "%s%.*s", k ? "|" : "", (int)len, s);
        }
    }
}

START_TEST(a_condition_tells_what_it_demands)
{
    static const char *const cases[][2] = {
        {"net.host == 'a'", "0=a"},
        {"'a' == net.host", "0=a"},
        {"net.host in ['a', \"b\"]", "0=a|b"},
        {"net.host in []", "0="},
        {"net.host == 'a' || net.host == 'b'", "0=a|b"},
        {"net.host == 'a' || (net.host in ['b'] || net.host == 'c')", "0=a|b|c"},
        {"net.host == 'a' || tool == 'b'", ""},
        {"net.host.endsWith('.c')", "0~.c"},
        {"net.host.endsWith('.c') || net.host.endsWith('.d')", "0~.c|.d"},
        {"net.host.endsWith('.c') || net.host == 'd'", ""},
        {"port == 443 && (tool == 'x' && net.host.endsWith('y'))", "1=x 0~y"},
        {"port > 3 && tool == 'x'", "1=x"},
        {"net.host != 'a'", ""},
        {"net.host.startsWith('a')", ""},
        {"!(net.host == 'a')", ""},
        {"any == 'a' && any.endsWith('b')", ""}, /* not declared to be a string */
        {"[tool].all(tool, tool == 'x')", ""},
        {"net.host == 'a' ? true : false", ""},
        {"net.host == '\\x61'", ""},
        {"true", ""},
    };
    outcall_cel_env *env = declared();
    struct oc_cel_pool *pool = NULL;
    ck_assert_int_eq(oc_cel_pool_new(&pool, env), 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        const struct oc_cel_code *code = NULL;
        char got[256];
        outcall_error err = OUTCALL_ERROR_INIT;
        int r = oc_cel_pool_compile(pool, cases[i][0], strlen(cases[i][0]), &code, &err);
        ck_assert_msg(r == 0, "%s: %s", cases[i][0], err.text);
        demands(pool, code, got, sizeof(got));
        ck_assert_msg(strcmp(got, cases[i][1]) == 0, "%s: %s", cases[i][0], got);
    }
    oc_cel_pool_free(pool);
    (void)outcall_cel_env_unref(env);
}
END_TEST

START_TEST(a_pool_runs_with_values_in_slots)
{
    outcall_cel_env *env = declared();
    struct oc_cel_pool *pool = NULL;
    const struct oc_cel_code *code = NULL, *wrong = NULL;
    outcall_cel_eval *ev = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    bool yes = false;
    static const char text[] = "net.host == 'a' && port == 443", broken[] = "port / 0 == 1";
    ck_assert_int_eq(oc_cel_pool_new(&pool, env), 0);
    ck_assert_int_eq(oc_cel_pool_compile(pool, text, strlen(text), &code, NULL), 0);
    ck_assert_int_eq(oc_cel_pool_compile(pool, broken, strlen(broken), &wrong, NULL), 0);
    ck_assert_int_eq(oc_cel_pool_compile(pool, "net.host ==", 11, &code, &err), OUTCALL_E_SYNTAX);
    oc_cel_pool_seal(pool);
    ck_assert_int_eq(outcall_cel_eval_new(&ev, NULL), 0);
    oc_cel_value host = oc_cel_string("a", 1), port = oc_cel_int(443);
    const oc_cel_value *slots[] = {&host, NULL, &port, NULL};
    oc_cel_eval_slots(ev, slots);
    ck_assert_int_eq(oc_cel_code_bool(pool, code, ev, &yes, NULL), 0);
    ck_assert(yes);
    port = oc_cel_int(80);
    ck_assert_int_eq(oc_cel_code_bool(pool, code, ev, &yes, NULL), 0);
    ck_assert(!yes);
    yes = true;
    outcall_error_clear(&err);
    ck_assert_int_eq(oc_cel_code_bool(pool, wrong, ev, &yes, &err), OUTCALL_E_INVALID);
    ck_assert(yes); /* written on success only */
    ck_assert_int_eq(err.column, 6);
    slots[0] = NULL;
    ck_assert_int_eq(oc_cel_code_bool(pool, code, ev, &yes, NULL), 0); /* false from the other side */
    ck_assert(!yes);
    oc_cel_eval_slots(ev, NULL); /* bindings again */
    outcall_cel *program = NULL;
    int said = 0;
    ck_assert_int_eq(outcall_cel_bind_int(ev, "port", 1), 0);
    ck_assert_int_eq(outcall_cel_compile(&program, env, "port == 1", 9, NULL, NULL), 0);
    ck_assert_int_eq(outcall_cel_run_bool(program, ev, &said, NULL), 0);
    ck_assert_int_eq(said, 1);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_eval_free(ev);
    oc_cel_pool_free(pool);
    (void)outcall_cel_env_unref(env);
}
END_TEST

START_TEST(an_expression_has_parts)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {" a && b ", "a;b"},
        {"(a && b) && c", "a;b;c"},
        {"((a)) && (b && (c || d && e))", "a;b;c || d && e"},
        {"a && b || c", "a && b || c"},
        {"a && b ? c : d", "a && b ? c : d"},
        {"f(a && b) && [c && d][0] && '&&' == e", "f(a && b);[c && d][0];'&&' == e"},
        {"(a) && (b) // && c", "a;b"},
        {"(a)(b)", NULL},
        {"a &&", NULL},
        {"(a) == (b) && c", "(a) == (b);c"},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        struct oc_cel_part v[8];
        char got[256] = "";
        int n = oc_cel_split(cases[i][0], strlen(cases[i][0]), v, OC_ARRAY_SIZE(v));
        if (!cases[i][1]) {
            ck_assert_int_eq(n, OUTCALL_E_SYNTAX);
            continue;
        }
        for (int k = 0; k < n; k++)
            (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", k ? ";" : "",
                           (int)(v[k].to - v[k].from), cases[i][0] + v[k].from);
        ck_assert_msg(strcmp(got, cases[i][1]) == 0, "%s: %s", cases[i][0], got);
    }
}
END_TEST

static int pool_round(void *userdata)
{
    static const char text[] = "net.host in ['a', 'b'] && [1, port, dyn('\\x61')].exists(x, x == port)";
    outcall_cel_env *env = userdata;
    struct oc_cel_pool *pool = NULL;
    const struct oc_cel_code *code = NULL;
    int r = oc_cel_pool_new(&pool, env);
    if (r == 0)
        r = oc_cel_pool_compile(pool, text, strlen(text), &code, NULL);
    oc_cel_pool_free(pool);
    return r;
}

START_TEST(a_pool_survives_failing_allocations)
{
    outcall_cel_env *env = declared();
    ck_assert_int_gt(failmalloc_loop(pool_round, env), 3);
    (void)outcall_cel_env_unref(env);
}
END_TEST

UNIT_MAIN("cel-code", pairs_do_what_the_parts_do, a_pair_costs_what_its_parts_cost,
          a_condition_tells_what_it_demands, a_pool_runs_with_values_in_slots, an_expression_has_parts,
          a_pool_survives_failing_allocations)
