/* lib/cel: what the check of types refuses, where, and with which words; and what it must let pass. */
#include "cases.h"
#include "outcall/cel.h"
#include "support/failmalloc.h"

static int unused(void *userdata, outcall_cel_eval *ev, const outcall_cel_value *const *args, size_t n,
                  const outcall_cel_value **ret)
{
    (void)userdata;
    (void)ev;
    (void)args;
    (void)n;
    (void)ret;
    return OUTCALL_E_INTERNAL;
}

/* "name: type; name: (type) -> type; ..." */
static int declare(outcall_cel_env *env, const char *declarations)
{
    int r = 0;
    for (const char *at = declarations; *at && r == 0;) {
        char name[128], type[256];
        const char *colon = strstr(at, ": ");
        if (!colon) /* no assertion: it would allocate */
            return OUTCALL_E_INTERNAL;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(colon - at), at);
        size_t len = strcspn(colon + 2, ";");
        (void)snprintf(type, sizeof(type), "%.*s", (int)len, colon + 2);
        r = strstr(type, "->") ? outcall_cel_env_function(env, name, type, unused, NULL, NULL)
                               : outcall_cel_env_declare(env, name, type, NULL);
        at = colon + 2 + len;
        at += strspn(at, "; ");
    }
    return r;
}

/* "ok", or the place and the text of the error; the code goes with the text. */
static const char *outcome(const char *declarations, const char *expr, size_t len, char *buf, size_t size)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel_env *env = NULL;
    outcall_cel *program = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    ck_assert_int_eq(declare(env, declarations), 0);
    int r = outcall_cel_compile(&program, env, expr, len, NULL, &err);
    if (r == 0)
        (void)snprintf(buf, size, "ok");
    else
        (void)snprintf(buf, size, "%d:%d: %s", err.line, err.column, err.text);
    ck_assert_int_eq(err.code, r);
    if (r < 0)
        ck_assert_int_eq(r, strncmp(err.text, "unknown ", 8) == 0 ? OUTCALL_E_UNDECLARED : OUTCALL_E_TYPE);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_env_unref(env);
    return buf;
}

START_TEST(refuses_with_a_place)
{
    cases_run("checked.txt", 300, outcome);
}
END_TEST

/* Without declarations, or with the check switched off, all of it is the evaluation's business. */
START_TEST(checks_only_when_asked)
{
    static const char *const all[] = {"'a' == 1", "1 + 'a'", "x.all(y, 3)", "'a'.matches('(')", "nope(z)"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        outcall_cel_env *env = NULL;
        outcall_cel *program = NULL;
        ck_assert_int_eq(outcall_cel_compile(&program, NULL, all[i], strlen(all[i]), NULL, NULL), 0);
        program = outcall_cel_unref(program);
        ck_assert_int_eq(outcall_cel_env_new(&env), 0);
        ck_assert_int_eq(declare(env, "x: list(int); z: int"), 0);
        ck_assert_int_eq(outcall_cel_env_unchecked(env, NULL), 0);
        ck_assert_int_eq(outcall_cel_compile(&program, env, all[i], strlen(all[i]), NULL, NULL), 0);
        program = outcall_cel_unref(program);
        env = outcall_cel_env_unref(env);
        ck_assert_int_eq(outcall_cel_env_new(&env), 0);
        ck_assert_int_eq(declare(env, "x: list(int); z: int"), 0);
        ck_assert_int_lt(outcall_cel_compile(&program, env, all[i], strlen(all[i]), NULL, NULL), 0);
        ck_assert_ptr_null(program);
        (void)outcall_cel_env_unref(env);
    }
}
END_TEST

/* What the check took a name for is what it means when it runs, bound or not. */
START_TEST(one_meaning)
{
    outcall_cel_env *env = NULL;
    outcall_cel *program = NULL;
    outcall_cel_eval *ev = NULL;
    const outcall_cel_value *v = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    ck_assert_int_eq(declare(env, "a: map(string, dyn); a.b: map(string, int)"), 0);
    ck_assert_int_eq(outcall_cel_compile(&program, env, "a.b.c", 5, NULL, NULL), 0);
    ck_assert_int_eq(outcall_cel_eval_new(&ev, NULL), 0);
    ck_assert_int_eq(outcall_cel_bind_json(ev, "a", "{\"b\":{\"c\":\"x\"}}", 15, NULL), 0);
    ck_assert_int_eq(outcall_cel_run(program, ev, &v, NULL), OUTCALL_E_UNDECLARED);
    ck_assert_int_eq(outcall_cel_bind_json(ev, "a.b", "{\"c\":1}", 7, NULL), 0);
    ck_assert_int_eq(outcall_cel_run(program, ev, &v, NULL), 0);
    ck_assert_int_eq(outcall_cel_value_kind(v), OUTCALL_CEL_INT);
    (void)outcall_cel_eval_free(ev);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_env_unref(env);
}
END_TEST

START_TEST(types_that_are_none)
{
    static const char *const bad[] = {"",
                                      "strin",
                                      "string ",
                                      "list(",
                                      "list()",
                                      "list(int",
                                      "list(int))",
                                      "list(int, int)",
                                      "map(int)",
                                      "map(string, )",
                                      "map(double, int)",
                                      "map(list(int), int)",
                                      "map(null_type, int)",
                                      "map(bytes, int)",
                                      "int(int)",
                                      "google.protobuf.Any",
                                      "net.IPx",
                                      "list(list(list(list(list(list(list(list(list(int)))))))))"};
    static const char *const good[] = {"list(list(list(list(list(list(list(list(int))))))))",
                                       "map(bool, map(int, map(uint, map(string, map(dyn, net.CIDR)))))",
                                       "map(dyn, dyn)",
                                       "list",
                                       "map",
                                       "map(string,string)"};
    outcall_cel_env *env = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char signature[128];
        (void)snprintf(signature, sizeof(signature), "(%s) -> bool", bad[i]);
        ck_assert_msg(outcall_cel_env_declare(env, "x", bad[i], NULL) == OUTCALL_E_INVALID, "%s", bad[i]);
        if (bad[i][0])
            ck_assert_msg(outcall_cel_env_function(env, "f", signature, unused, NULL, NULL) ==
                              OUTCALL_E_INVALID,
                          "%s", signature);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "x%zu", i);
        ck_assert_msg(outcall_cel_env_declare(env, name, good[i], NULL) == 0, "%s", good[i]);
    }
    (void)outcall_cel_env_unref(env);
}
END_TEST

/* As deep as an expression may be, in every way that the check follows. */
START_TEST(as_deep_as_it_gets)
{
    static const struct {
        const char *open, *middle, *close;
    } t[] = {{"[", "1", "]"},           {"!", "b", ""},       {"", "1", "+1"},          {"", "d", ".x"},
             {"{1:", "1", "}"},         {"b?1:", "1", ""},    {"dyn(", "1", ")"},       {"", "d", "[0]"},
             {"", "[1]", ".map(x, x)"}, {"", "'a'", " in m"}, {"[1].map(x,", "x", ")"}, {"", "b", " == b"}};
    outcall_cel_limits lim = OUTCALL_CEL_LIMITS_INIT;
    lim.max_depth = 512;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char text[8192], *at = text;
        size_t n = 500;
        outcall_cel_env *env = NULL;
        outcall_cel *program = NULL;
        for (size_t k = 0; k < n; k++)
            at = stpcpy(at, t[i].open);
        at = stpcpy(at, t[i].middle);
        for (size_t k = 0; k < n; k++)
            at = stpcpy(at, t[i].close);
        ck_assert_int_eq(outcall_cel_env_new(&env), 0);
        ck_assert_int_eq(declare(env, "b: bool; d: dyn; m: map(dyn, dyn)"), 0);
        int r = outcall_cel_compile(&program, env, text, (size_t)(at - text), &lim, NULL);
        ck_assert_msg(r == 0, "%s%s%s: %d", t[i].open, t[i].middle, t[i].close, r);
        (void)outcall_cel_unref(program);
        (void)outcall_cel_env_unref(env);
    }
}
END_TEST

struct
try {
    const char *expr;
    int expected;
};

static int compile_once(void *userdata)
{
    const struct try *t = userdata;
    outcall_cel_env *env = NULL;
    outcall_cel *program = NULL;
    int r = outcall_cel_env_new(&env);
    if (r == 0)
        r = declare(env, "a.b: string; grid: list(list(int)); m: map(string, dyn); "
                         "f: (list(string), map(int, string)) -> list(int); f: (int) -> int");
    if (r == 0)
        r = outcall_cel_compile(&program, env, t->expr, strlen(t->expr), NULL, NULL);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_env_unref(env);
    return r == t->expected ? 0 : r;
}

START_TEST(out_of_memory)
{
    static const struct try tries[] = {
        {"grid.map(r, r.filter(x, x > 0)).all(r, size(r) > 0) && has(m.x.y) && a.b.matches('^a+$')", 0},
        {"f([a.b], {1: 'x'})[0] + f(3) == grid[0][1] || a.b in m", 0},
        {"timestamp(0).getHours('Europe/Berlin') + timestamp(1).getHours('Europe/Berlin') == f(1)", 0},
        {"timestamp(0).getHours('Europe/Nowhere') == 1", OUTCALL_E_TYPE},
        {"f([a.b], {1: 2}) == [1]", OUTCALL_E_TYPE},
        {"grid.all(r, r == 'x')", OUTCALL_E_TYPE},
        {"a.b.matches('(')", OUTCALL_E_TYPE},
        {"a.c == 'x'", OUTCALL_E_UNDECLARED},
        {"a.b.startWith('x')", OUTCALL_E_UNDECLARED},
    };
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
        ck_assert_int_gt(failmalloc_loop(compile_once, (void *)&tries[i]), 10);
}
END_TEST

UNIT_MAIN("cel-check", refuses_with_a_place, checks_only_when_asked, one_meaning, types_that_are_none,
          as_deep_as_it_gets, out_of_memory)
