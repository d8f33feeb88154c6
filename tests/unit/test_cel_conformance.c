/* lib/cel against the language's own cases, which are not part of this tree: read from
 * $OUTCALL_CEL_CONFORMANCE, or from ../shared/cel beside the project; where neither exists the cases are
 * skipped, and the program says so. */
#include "base/fd.h"
#include "cel/net.h"
#include "cel/text.h"
#include "cel/time.h"
#include "unit.h"
#include "json/json.h"
#include <fcntl.h>
#include <inttypes.h>

static size_t decode64(const char *s, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0, bits = 0;
    uint32_t v = 0;
    for (; *s && *s != '='; s++) {
        v = v << 6 | (uint32_t)(strchr(digits, *s) - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits);
        }
    }
    return n;
}

static __int128 whole(const json_t *j)
{
    if (json_is_integer(j))
        return json_integer_value(j);
    const char *s = json_string_value(j);
    bool minus = *s == '-';
    __int128 v = 0;
    for (s += minus; *s; s++)
        v = v * 10 + (*s - '0');
    return minus ? -v : v;
}

/* A case's value, {"int": 1} and so on, made in ev. */
static const outcall_cel_value *value(outcall_cel_eval *ev, const json_t *j)
{
    const char *kind = json_object_iter_key(json_object_iter((json_t *)j));
    const json_t *v = json_object_get(j, kind);
    const outcall_cel_value *ret = NULL;
    oc_cel_value direct = oc_cel_null();
    int r = 0;
    if (strcmp(kind, "int") == 0) {
        r = outcall_cel_new_int(ev, (int64_t)whole(v), &ret);
    } else if (strcmp(kind, "uint") == 0) {
        r = outcall_cel_new_uint(ev, (uint64_t)whole(v), &ret);
    } else if (strcmp(kind, "double") == 0) {
        double d = json_number_value(v);
        if (json_is_string(v))
            ck_assert_int_eq(oc_cel_parse_double(json_string_value(v), json_string_length(v), &d), 0);
        r = outcall_cel_new_double(ev, d, &ret);
    } else if (strcmp(kind, "string") == 0) {
        r = outcall_cel_new_string(ev, json_string_value(v), json_string_length(v), &ret);
    } else if (strcmp(kind, "bytes") == 0) {
        char buf[4096];
        r = outcall_cel_new_bytes(ev, buf, decode64(json_string_value(v), buf), &ret);
    } else if (strcmp(kind, "bool") == 0) {
        r = outcall_cel_new_bool(ev, json_is_true(v), &ret);
    } else if (strcmp(kind, "null") == 0) {
        r = outcall_cel_new_null(ev, &ret);
    } else if (strcmp(kind, "list") == 0 || strcmp(kind, "map") == 0) {
        const outcall_cel_value *all[256];
        size_t n = 0, i = 0;
        json_t *one = NULL;
        bool map = kind[0] == 'm';
        json_array_foreach(v, i, one)
        {
            all[n++] = value(ev, map ? json_array_get(one, 0) : one);
            if (map)
                all[n++] = value(ev, json_array_get(one, 1));
        }
        r = map ? outcall_cel_new_map(ev, all, n / 2, &ret) : outcall_cel_new_list(ev, all, n, &ret);
    } else {
        const char *s = json_string_value(v);
        if (strcmp(kind, "type") == 0)
            direct = oc_cel_type_value(s);
        else if (strcmp(kind, "timestamp") == 0)
            ck_assert(oc_cel_parse_timestamp(s, strlen(s), &direct));
        else
            ck_assert(oc_cel_parse_duration(s, strlen(s), &direct.i));
        if (strcmp(kind, "duration") == 0)
            direct.kind = OUTCALL_CEL_DURATION;
        const outcall_cel_value *holder = NULL;
        r = outcall_cel_new_null(ev, &holder);
        *(oc_cel_value *)holder = direct;
        ret = holder;
    }
    ck_assert_int_eq(r, 0);
    return ret;
}

/* As oc_cel_equal, but of the same type, and NaN is NaN. */
static bool same(const oc_cel_value *a, const oc_cel_value *b)
{
    struct oc_cel_budget budget = {UINT64_MAX, false};
    if (a->kind == OUTCALL_CEL_DOUBLE && b->kind == OUTCALL_CEL_DOUBLE && a->d != a->d)
        return b->d != b->d;
    return a->kind == b->kind && oc_cel_equal(&budget, a, b);
}

/* With the case's declarations; without a check when there shall be none. */
static outcall_cel_env *environment(const json_t *test, bool checked)
{
    outcall_cel_env *env = NULL;
    const char *name = NULL;
    json_t *one = NULL;
    ck_assert_int_eq(outcall_cel_env_new(&env), 0);
    if (!checked)
        ck_assert_int_eq(outcall_cel_env_unchecked(env, NULL), 0);
    ck_assert_int_eq(
        outcall_cel_env_container(env, json_string_value(json_object_get(test, "container")), NULL), 0);
    json_object_foreach(json_object_get(test, "decls"), name, one)
    {
        const char *type = json_string_value(one);
        if (strcmp(type, "duration") == 0)
            type = "google.protobuf.Duration";
        ck_assert_int_eq(outcall_cel_env_declare(env, name, type, NULL), 0);
    }
    return env;
}

static int fit_for_none(void *userdata, outcall_cel_eval *ev, const outcall_cel_value *const *args, size_t n,
                        const outcall_cel_value **ret)
{
    (void)userdata;
    (void)ev;
    *ret = n > 0 ? args[0] : NULL;
    return 0;
}

/* The type that the check finds: it says so when it refuses to put it where another one is wanted. */
static bool type_is(const json_t *test, const char *type)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel_env *env = environment(test, true);
    outcall_cel *program = NULL;
    char expr[512], wanted[256];
    ck_assert_int_eq(
        outcall_cel_env_function(env, "net_only", "(net.CIDR) -> bool", fit_for_none, NULL, NULL), 0);
    (void)snprintf(expr, sizeof(expr), "net_only(%s)", json_string_value(json_object_get(test, "expr")));
    (void)snprintf(wanted, sizeof(wanted), "\"net_only\": expected net.CIDR as argument 1, found %s", type);
    int r = outcall_cel_compile(&program, env, expr, strlen(expr), NULL, &err);
    (void)outcall_cel_env_unref(env);
    return r == OUTCALL_E_TYPE && strcmp(err.text, wanted) == 0;
}

static bool passes(const json_t *test, bool checked)
{
    const char *expr = json_string_value(json_object_get(test, "expr")), *name = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel_env *env = environment(test, checked);
    outcall_cel *program = NULL;
    outcall_cel_eval *ev = NULL;
    const outcall_cel_value *got = NULL;
    json_t *one = NULL;
    ck_assert_int_eq(outcall_cel_eval_new(&ev, NULL), 0);
    json_object_foreach(json_object_get(test, "bindings"), name, one)
        ck_assert_int_eq(outcall_cel_bind(ev, name, value(ev, one)), 0);
    int r = outcall_cel_compile(&program, env, expr, json_string_length(json_object_get(test, "expr")), NULL,
                                &err);
    if (r == 0)
        r = outcall_cel_run(program, ev, &got, &err);
    const json_t *expected = json_object_get(json_object_get(test, "expected"), "value");
    const char *type = checked ? json_string_value(json_object_get(test, "deduced_type")) : NULL;
    bool good = expected ? r == 0 && same(got, value(ev, expected)) && (!type || type_is(test, type)) : r < 0;
    if (!good) {
        char text[256] = "";
        if (r == 0)
            ck_assert_int_ge(outcall_cel_value_text(got, text, sizeof(text)), 0);
        printf("not ok %s%s/%s/%s: %s: got %s%s\n", checked ? "checked " : "",
               json_string_value(json_object_get(test, "file")),
               json_string_value(json_object_get(test, "section")),
               json_string_value(json_object_get(test, "name")), expr, text, err.text);
    }
    (void)outcall_cel_unref(program);
    (void)outcall_cel_eval_free(ev);
    (void)outcall_cel_env_unref(env);
    return good;
}

/* All of them without the check, and those that do not ask to be spared with it: there, a case that must fail
 * may fail earlier. */
static void run_file(const char *name, size_t expected, size_t expected_checked)
{
    char path[4096];
    const char *given = getenv("OUTCALL_CEL_CONFORMANCE");
    const char *slash = given ? strrchr(given, '/') : NULL;
    if (given)
        (void)snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - given) : 1, slash ? given : ".",
                       name);
    else
        (void)snprintf(path, sizeof(path), "%s/../../../shared/cel/%s", TEST_DATA, name);
    char *data = NULL;
    size_t len = 0, n = 0, good = 0, n_checked = 0, good_checked = 0;
    if (oc_read_file(AT_FDCWD, path, (size_t)4 << 20, &data, &len) < 0) {
        printf("skipped: %s is not there (OUTCALL_CEL_CONFORMANCE names it)\n", name);
        return;
    }
    for (char *line = data, *end = NULL; (end = strchr(line, '\n')); line = end + 1) {
        json_t *test = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(test);
        n++;
        good += passes(test, false);
        if (json_is_false(json_object_get(test, "disable_check"))) {
            n_checked++;
            good_checked += passes(test, true);
        }
        json_decref(test);
    }
    free(data);
    printf("%s: %zu of %zu, checked %zu of %zu\n", name, good, n, good_checked, n_checked);
    (void)fflush(stdout); /* a failed assertion ends the process without it */
    ck_assert_uint_eq(good, n);
    ck_assert_uint_eq(n, expected);
    ck_assert_uint_eq(good_checked, n_checked);
    ck_assert_uint_eq(n_checked, expected_checked);
}

START_TEST(language)
{
    run_file("conformance.jsonl", 1106, 1040);
}
END_TEST

START_TEST(network_extension)
{
    run_file("network_ext.jsonl", 69, 69);
}
END_TEST

UNIT_MAIN("cel-conformance", language, network_extension)
