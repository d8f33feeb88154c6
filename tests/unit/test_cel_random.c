/* lib/cel: what the check lets pass meets no wrong type when it runs. Expressions of all operators, functions
 * and macros, put together without any sense, over variables that hold what was declared. None mixes types in
 * a list or a condition: those are dyn, and not the check's business. */
#include "outcall/cel.h"
#include "unit.h"

#define ROUNDS  40000
#define SIZE    8192
#define PICK(v) ((v)[below(t, sizeof(v) / sizeof((v)[0]))])

struct text {
    uint64_t random;
    char s[SIZE];
    size_t n;
    unsigned locals;
};

static unsigned below(struct text *t, size_t n)
{
    t->random ^= t->random << 13; /* xorshift: the same expressions each time */
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (unsigned)((t->random >> 11) % n);
}

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    ck_assert_uint_lt(t->n + n, sizeof(t->s));
    memcpy(t->s + t->n, s, n + 1);
    t->n += n;
}

static void put_local(struct text *t, unsigned i)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "v%u", i);
    put(t, name);
}

static void expression(struct text *t, unsigned depth);

/* open, an expression, middle; and another one before close, where there is one */
static void around(struct text *t, unsigned depth, const char *open, const char *middle, const char *close)
{
    put(t, open);
    expression(t, depth);
    put(t, middle);
    if (close)
        expression(t, depth);
    put(t, close ? close : "");
}

static const char *const atoms[] = {"i",
                                    "s",
                                    "b",
                                    "u",
                                    "f",
                                    "li",
                                    "ls",
                                    "m",
                                    "mi",
                                    "ll",
                                    "t",
                                    "r",
                                    "by",
                                    "1",
                                    "2u",
                                    "1.5",
                                    "'a'",
                                    "b'x'",
                                    "true",
                                    "null",
                                    "int",
                                    "[1]",
                                    "['a']",
                                    "{'a': 1}",
                                    "ip('1.2.3.4')",
                                    "cidr('1.0.0.0/8')"};
static const char *const operators[] = {
    " + ", " - ", " * ", " / ", " % ", " == ", " != ", " < ", " <= ", " > ", " >= ", " in ", " && ", " || "};
static const char *const functions[] = {"size(",   "type(",  "bool(",      "int(",      "uint(", "double(",
                                        "string(", "bytes(", "timestamp(", "duration(", "ip(",   "isIP(",
                                        "cidr(",   "!(",     "-(",         "["};
static const char *const members[] = {").size()",   ").getHours()", ").getDate()",      ").family()",
                                      ").masked()", ").ip()",       ").prefixLength()", ").a"};
static const char *const members_of_one[] = {").startsWith(", ").contains(",   ").matches(",     ").glob(",
                                             ").getHours(",   ").containsIP(", ").containsCIDR("};

static void macro(struct text *t, unsigned depth)
{
    static const char *const names[] = {").all(", ").exists(", ").exists_one(", ").map(", ").filter("};
    around(t, depth, "(", PICK(names), NULL);
    put_local(t, t->locals++);
    around(t, depth, ", ", ")", NULL);
    t->locals--;
}

static void expression(struct text *t, unsigned depth)
{
    if (depth == 0 || below(t, 5) == 0) {
        if (t->locals > 0 && below(t, 2) == 0)
            put_local(t, below(t, t->locals));
        else
            put(t, PICK(atoms));
        return;
    }
    const char *function = NULL;
    switch (below(t, 6)) {
    case 2:
        function = PICK(functions);
        around(t, depth - 1, function, function[0] == '[' ? "]" : ")", NULL);
        break;
    case 3:
        around(t, depth - 1, "(", PICK(members), NULL);
        break;
    case 4:
        if (below(t, 3) == 0)
            around(t, depth - 1, "(", ")[", "]");
        else
            around(t, depth - 1, "(", PICK(members_of_one), ")");
        break;
    case 5:
        macro(t, depth - 1);
        break;
    default:
        around(t, depth - 1, "(", PICK(operators), ")");
        break;
    }
}

static outcall_cel_env *environment(void)
{
    static const char *const variables[][2] = {{"i", "int"},
                                               {"s", "string"},
                                               {"b", "bool"},
                                               {"u", "uint"},
                                               {"f", "double"},
                                               {"li", "list(int)"},
                                               {"ls", "list(string)"},
                                               {"m", "map(string, int)"},
                                               {"mi", "map(int, string)"},
                                               {"ll", "list(list(int))"},
                                               {"t", "google.protobuf.Timestamp"},
                                               {"r", "google.protobuf.Duration"},
                                               {"by", "bytes"}};
    outcall_cel_env *env = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        ck_assert_int_eq(outcall_cel_env_declare(env, variables[i][0], variables[i][1], NULL), 0);
    return env;
}

static void bind(outcall_cel_eval *ev)
{
    static const char *const as_json[][2] = {{"i", "1"},          {"s", "\"a\""},   {"b", "true"},
                                             {"f", "1.5"},        {"li", "[0, 1]"}, {"ls", "[\"a\"]"},
                                             {"m", "{\"a\": 1}"}, {"ll", "[[1]]"}};
    const outcall_cel_value *v = NULL, *pair[2] = {NULL, NULL};
    for (size_t i = 0; i < sizeof(as_json) / sizeof(as_json[0]); i++)
        ck_assert_int_eq(outcall_cel_bind_json(ev, as_json[i][0], as_json[i][1], strlen(as_json[i][1]), NULL),
                         0);
    ck_assert_int_eq(outcall_cel_new_uint(ev, 1, &v), 0);
    ck_assert_int_eq(outcall_cel_bind(ev, "u", v), 0);
    ck_assert_int_eq(outcall_cel_new_int(ev, 1, &pair[0]), 0);
    ck_assert_int_eq(outcall_cel_new_string(ev, "a", 1, &pair[1]), 0);
    ck_assert_int_eq(outcall_cel_new_map(ev, pair, 1, &v), 0);
    ck_assert_int_eq(outcall_cel_bind(ev, "mi", v), 0);
    ck_assert_int_eq(outcall_cel_new_timestamp(ev, 0, 0, &v), 0);
    ck_assert_int_eq(outcall_cel_bind(ev, "t", v), 0);
    ck_assert_int_eq(outcall_cel_new_duration(ev, 1000, &v), 0);
    ck_assert_int_eq(outcall_cel_bind(ev, "r", v), 0);
    ck_assert_int_eq(outcall_cel_new_bytes(ev, "x", 1, &v), 0);
    ck_assert_int_eq(outcall_cel_bind(ev, "by", v), 0);
}

START_TEST(what_passes_has_no_wrong_type)
{
    static struct text t = {.random = UINT64_C(88172645463325252)};
    outcall_cel_env *env = environment();
    outcall_cel_eval *ev = NULL;
    unsigned passed = 0, refused = 0;
    ck_assert_int_eq(outcall_cel_eval_new(&ev, NULL), 0);
    bind(ev);
    for (unsigned i = 0; i < ROUNDS; i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        outcall_cel *program = NULL;
        const outcall_cel_value *v = NULL;
        t.n = t.locals = 0;
        expression(&t, 1 + below(&t, 4));
        int r = outcall_cel_compile(&program, env, t.s, t.n, NULL, &err);
        ck_assert_msg(r == 0 || r == OUTCALL_E_TYPE, "%s: %s", t.s, err.text);
        passed += r == 0;
        refused += r < 0;
        if (r == 0)
            r = outcall_cel_run(program, ev, &v, &err);
        if (program && !strstr(t.s, " + ")) /* which may put lists of different elements together */
            ck_assert_msg(r != OUTCALL_E_TYPE, "%s: %d:%d: %s", t.s, err.line, err.column, err.text);
        (void)outcall_cel_unref(program);
    }
    ck_assert_uint_gt(passed, ROUNDS / 10);
    ck_assert_uint_gt(refused, ROUNDS / 10);
    (void)outcall_cel_eval_free(ev);
    (void)outcall_cel_env_unref(env);
}
END_TEST

UNIT_MAIN("cel-random", what_passes_has_no_wrong_type)
