/* Facts in, one by one and as JSON. */
#include "base/base.h"
#include "base/str.h"
#include "outcall/policy.h"
#include "support/failmalloc.h"
#include "unit/unit.h"

static outcall_context *fresh(void)
{
    outcall_context *c = NULL;
    ck_assert_int_eq(outcall_context_new(&c), 0);
    return c;
}

static void holds(outcall_context *c, const char *expr)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int yes = 0;
    int r = outcall_context_test(c, expr, strlen(expr), &yes, &err);
    ck_assert_msg(r == 0 && yes == 1, "%s: %s", expr, r < 0 ? err.text : "false");
}

#define ABSENT                                                                                             \
    "network.hostname == '' && network.ip == '' && network.port == 0 && network.protocol == '' && "        \
    "http.method == '' && http.path == '' && http.host == '' && http.headers == {} && http.body_size == 0" \
    " && dns.query == '' && dns.record_type == '' && docker.image == '' && docker.command == [] && "       \
    "docker.volumes == [] && docker.env_keys == [] && docker.capabilities == [] && run.tool == '' && "     \
    "run.args == [] && run.flags == [] && run.cwd == '' && run.context == {} && agent.name == '' && "      \
    "agent.container_id == '' && agent.image == '' && agent.labels == {}"

START_TEST(absent_parts)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    holds(c, ABSENT);
    ck_assert_int_eq(outcall_context_string(c, "run.tool", "git", 3), 0);
    ck_assert_int_eq(outcall_context_pair(c, "run.context", "a", "b"), 0);
    holds(c, "run.tool == 'git' && run.context.a == 'b'");
    outcall_context_reset(c);
    holds(c, ABSENT);
    outcall_context_reset(NULL);
    ck_assert_ptr_null(outcall_context_free(NULL));
}
END_TEST

START_TEST(one_by_one)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    static const char *const args[] = {"push", "--force", "-f"};
    char text[] = "github.com";
    ck_assert_int_eq(outcall_context_string(c, "network.hostname", text, strlen(text)), 0);
    text[0] = 'x'; /* it was copied */
    ck_assert_int_eq(outcall_context_int(c, "network.port", -443), 0);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", args, 3), 0);
    for (int i = 0; i < 20; i++) {
        char key[8];
        ck_assert_int_eq(oc_format(key, sizeof(key), "k%d", i), 0);
        ck_assert_int_eq(outcall_context_pair(c, "http.headers", key, "v"), 0);
    }
    ck_assert_int_eq(outcall_context_pair(c, "http.headers", "k7", "other"), 0);
    holds(c, "network.hostname == 'github.com' && network.port == -443 && '-f' in run.args");
    holds(c, "size(http.headers) == 20 && http.headers.k7 == 'other' && http.headers.k19 == 'v'");
    ck_assert_int_eq(outcall_context_string(c, "network.hostname", NULL, 0), 0);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", NULL, 0), 0);
    holds(c, "network.hostname == '' && run.args == []");
}
END_TEST

START_TEST(refusals)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    static const char *const bad[] = {"a", NULL};
    static const char *const no_utf8[] = {"\xff"};
    ck_assert_int_eq(outcall_context_new(NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_string(c, "network.host", "a", 1), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_context_string(c, "network", "a", 1), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_context_string(c, "network.port", "a", 1), OUTCALL_E_TYPE);
    ck_assert_int_eq(outcall_context_string(c, NULL, "a", 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_string(NULL, "run.tool", "a", 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_string(c, "run.tool", NULL, 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_string(c, "run.tool", "\xff", 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_int(c, "run.tool", 1), OUTCALL_E_TYPE);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", bad, 2), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", no_utf8, 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", NULL, 1), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_strings(c, "run.tool", bad, 1), OUTCALL_E_TYPE);
    ck_assert_int_eq(outcall_context_pair(c, "run.args", "a", "b"), OUTCALL_E_TYPE);
    ck_assert_int_eq(outcall_context_pair(c, "agent.labels", "a", NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_pair(c, "agent.labels", "\xff", "b"), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_timeout_ms(c, 0), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_timeout_ms(c, 60001), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_timeout_ms(c, 60000), 0);
    holds(c, ABSENT);
}
END_TEST

/* 4 MiB of what is held; what was replaced does not count. */
START_TEST(size_limit)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    OC_FREE char *big = malloc((size_t)4 << 20);
    ck_assert_ptr_nonnull(big);
    memset(big, 'a', (size_t)4 << 20);
    ck_assert_int_eq(outcall_context_string(c, "http.path", big, (size_t)4 << 20), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_context_pair(c, "agent.labels", "k", "v"), 0);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(outcall_context_string(c, "http.path", big, (size_t)2 << 20), 0);
    ck_assert_int_eq(outcall_context_string(c, "run.cwd", big, (size_t)3 << 20), OUTCALL_E_LIMIT);
    holds(c, "size(http.path) == 2097152 && run.cwd == '' && agent.labels == {'k': 'v'}");
    const char *const many[] = {big, big, big, big, big};
    big[1 << 20] = '\0';
    ck_assert_int_eq(outcall_context_strings(c, "run.args", many, 5), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_context_pair(c, "agent.labels", "l", "w"), 0);
    holds(c, "agent.labels == {'k': 'v', 'l': 'w'}");
}
END_TEST

START_TEST(json)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    outcall_error err = OUTCALL_ERROR_INIT;
    static const char all[] =
        "{\"network\": {\"hostname\": \"a\", \"port\": 1}, \"http\": {\"headers\": {\"x\": \"y\"}}, \"run\": "
        "{\"args\": [\"b\", \"c\"], \"context\": {\"n\": null, \"t\": true, \"i\": 1, \"d\": 1.5, \"l\": [1, "
        "[2]], \"m\": {\"k\": \"v\"}}}}";
    ck_assert_msg(outcall_context_json(c, all, strlen(all), &err) == 0, "%s", err.text);
    holds(c,
          "network.hostname == 'a' && network.port == 1 && http.headers == {'x': 'y'} && run.args == ['b', "
          "'c']");
    holds(c, "run.context == {'n': null, 't': true, 'i': 1, 'd': 1.5, 'l': [1, [2]], 'm': {'k': 'v'}}");
    ck_assert_int_eq(outcall_context_json(c, "{\"run\": {\"args\": []}}", 21, &err), 0);
    holds(c, "run.args == [] && network.hostname == 'a'"); /* what is not named stays */
    ck_assert_int_eq(outcall_context_pair(c, "run.context", "i", "2"), 0);
    holds(c, "run.context.i == '2' && run.context.m.k == 'v'");
}
END_TEST

START_TEST(json_refusals)
{
    static const struct {
        const char *json;
        int code;
        const char *text;
    } cases[] = {
        {"", OUTCALL_E_SYNTAX, NULL},
        {"{", OUTCALL_E_SYNTAX, NULL},
        {"[]", OUTCALL_E_TYPE, "the context: expected an object"},
        {"{\"network\": 1}", OUTCALL_E_TYPE, "field \"network\": expected an object"},
        {"{\"netwrok\": {}}", OUTCALL_E_UNDECLARED, "unknown field \"netwrok\"; did you mean \"network\"?"},
        {"{\"run\": {\"tol\": \"\"}}", OUTCALL_E_UNDECLARED,
         "unknown field \"run.tol\"; did you mean \"tool\"?"},
        {"{\"run\": {\"tool\": 1}}", OUTCALL_E_TYPE, "field \"run.tool\": expected text"},
        {"{\"run\": {\"tool\": null}}", OUTCALL_E_TYPE, "field \"run.tool\": expected text"},
        {"{\"run\": {\"args\": [1]}}", OUTCALL_E_TYPE, "field \"run.args\": expected a list of text"},
        {"{\"run\": {\"args\": {}}}", OUTCALL_E_TYPE, "field \"run.args\": expected a list of text"},
        {"{\"run\": {\"context\": []}}", OUTCALL_E_TYPE, "field \"run.context\": expected a map"},
        {"{\"network\": {\"port\": 1.0}}", OUTCALL_E_TYPE, "field \"network.port\": expected an integer"},
        {"{\"network\": {\"port\": true}}", OUTCALL_E_TYPE, "field \"network.port\": expected an integer"},
        {"{\"agent\": {\"labels\": {\"a\": 1}}}", OUTCALL_E_TYPE,
         "field \"agent.labels\": expected a map of text to text"},
    };
    OC_CLEANUP(outcall_context_freep) outcall_context *c = fresh();
    ck_assert_int_eq(outcall_context_string(c, "run.tool", "git", 3), 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_int_eq(outcall_context_json(c, cases[i].json, strlen(cases[i].json), &err), cases[i].code);
        if (cases[i].text)
            ck_assert_str_eq(err.text, cases[i].text);
    }
    static const char late[] = "{\"run\": {\"tool\": \"x\"}, \"network\": {\"port\": \"no\"}}";
    ck_assert_int_eq(outcall_context_json(c, late, strlen(late), NULL), OUTCALL_E_TYPE);
    holds(c, "run.tool == 'git'"); /* as before */
    ck_assert_int_eq(outcall_context_json(NULL, "{}", 2, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_context_json(c, NULL, 2, NULL), OUTCALL_E_INVALID);
}
END_TEST

static int fill(void *userdata)
{
    static const char *const args[] = {"a", "b"};
    (void)userdata;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    int r = outcall_context_new(&c), yes = 0;
    if (r == 0)
        r = outcall_context_strings(c, "run.args", args, 2);
    for (int i = 0; r == 0 && i < 40; i++) {
        char key[8];
        (void)oc_format(key, sizeof(key), "k%d", i);
        r = outcall_context_pair(c, "http.headers", key, "v");
    }
    if (r == 0)
        r = outcall_context_test(c, "size(http.headers) == 40", 24, &yes, NULL);
    return r < 0 || yes ? r : OUTCALL_E_INTERNAL;
}

START_TEST(no_memory)
{
    (void)failmalloc_loop(fill, NULL);
}
END_TEST

UNIT_MAIN("policy_context", absent_parts, one_by_one, refusals, size_limit, json, json_refusals, no_memory)
