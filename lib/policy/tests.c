/* The tests in rule files: a set that does not do what they say is no set. */
#include "base/clock.h"
#include "core/error.h"
#include "policy/decide.h"
#include "policy/load.h"
#include "policy/place.h"
#include <stdio.h>
#include <string.h>

#define TEST_NAME_MAX   256    /* bytes */
#define TEST_TIMEOUT_MS 10000u /* of one test, as of any decision */

struct test {
    const char *name;
    size_t name_len;
    const oc_yaml *context, *rule;
    int expect;
};

static int read_name(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct test *t = userdata;
    return oc_keys_text(v, TEST_NAME_MAX, &t->name, &t->name_len, err);
}

static int read_context(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct test *t = userdata;
    t->context = v;
    return oc_keys_type(v, OC_YAML_MAPPING, err);
}

static int read_expect(void *userdata, const oc_yaml *v, outcall_error *err)
{
    static const char *const words[] = {[OUTCALL_BLOCK] = "block", [OUTCALL_ALLOW] = "allow"};
    struct test *t = userdata;
    int r = oc_keys_word(v, words, OC_ARRAY_SIZE(words), err);
    t->expect = r;
    return OC_MIN(r, 0);
}

static int read_rule(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct test *t = userdata;
    t->rule = v;
    return oc_keys_type(v, OC_YAML_SCALAR, err);
}

/* A well-formed test, and its context into the loader's. */
static int read_test(struct oc_loader *l, const oc_yaml *node, struct test *ret, outcall_error *err)
{
    static const struct oc_key keys[] = {{"name", true, read_name},
                                         {"context", false, read_context},
                                         {"expect", true, read_expect},
                                         {"rule", false, read_rule}};
    const oc_yaml *name = oc_yaml_get(node, "name");
    *ret = (struct test){.name = NULL};
    if (name && name->type == OC_YAML_SCALAR && oc_place_trimmed(name) <= TEST_NAME_MAX) {
        ret->name = name->text; /* first of all: what else is wrong is said in its name */
        ret->name_len = oc_place_trimmed(name);
    }
    outcall_context_reset(l->context);
    int r = oc_keys_type(node, OC_YAML_MAPPING, err);
    if (r == 0)
        r = oc_keys_read(node, keys, OC_ARRAY_SIZE(keys), ret, err);
    return r < 0 || !ret->context ? r : oc_context_yaml(l->context, ret->context, err);
}

static int refuse(struct oc_loader *l, const char *file, const oc_yaml *node, const struct test *t, int code,
                  const outcall_error *said)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    if (t->name)
        (void)oc_fail(&e, code, "test \"%.*s\": %s", (int)t->name_len, t->name, said->text);
    else
        (void)oc_fail(&e, code, "%s", said->text);
    oc_error_at(&e, NULL, said->line ? said->line : node->line, said->line ? said->column : node->column);
    return oc_load_refuse(l, &e, file);
}

int oc_tests_read(struct oc_loader *l, uint32_t file, oc_yaml *tests)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    const char *name = oc_text_at(&l->p->text, file);
    struct oc_test_file *one = oc_policy_more((void **)&l->tests, &l->tests_n, &l->tests_cap, sizeof(*one));
    if (!one) {
        (void)oc_yaml_free(tests);
        (void)oc_no_memory(&e);
        return oc_load_refuse(l, &e, name);
    }
    *one = (struct oc_test_file){file, tests};
    if (oc_keys_type(tests, OC_YAML_SEQUENCE, &e) < 0)
        return oc_load_refuse(l, &e, name);
    for (const oc_yaml *node = tests->first; node; node = node->next) {
        outcall_error said = OUTCALL_ERROR_INIT;
        struct test t;
        int r = read_test(l, node, &t, &said);
        if (r < 0)
            r = refuse(l, name, node, &t, r, &said);
        if (r < 0)
            return r;
    }
    return 0;
}

static const char *action_word(int action)
{
    return action == OUTCALL_ALLOW ? "allow" : "block";
}

static int came_out_otherwise(const struct test *t, const outcall_verdict *v, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    const char *rule = t->rule ? oc_shown(shown, t->rule->text) : NULL;
    return oc_fail(err, OUTCALL_E_DENIED, "expected %s%s%s%s, got %s%s%s%s%s", action_word(t->expect),
                   rule ? " by rule \"" : "", rule ? rule : "", rule ? "\"" : "", action_word(v->action),
                   v->rule_id ? " by rule \"" : ", no rule matched", v->rule_id ? v->rule_id : "",
                   v->rule_id ? "\"" : "", v->rule_error ? ", which could not be evaluated" : "");
}

static int run_test(struct oc_loader *l, const oc_yaml *node, struct test *t, outcall_error *err)
{
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    int r = read_test(l, node, t, err);
    if (r < 0)
        return r;
    if (t->rule && oc_policy_find(l->p, t->rule->text, t->rule->len) < 0) {
        char shown[OC_SHOWN_SIZE];
        return oc_yaml_fail(err, OUTCALL_E_UNDECLARED, t->rule, "there is no rule \"%s\"",
                            oc_shown(shown, t->rule->text));
    }
    r = oc_policy_decide(l->p, l->context, OC_DECIDE_QUIET, &v, NULL, err);
    if (r < 0)
        return r;
    bool same = v.action == t->expect && (!t->rule || oc_streq(v.rule_id, t->rule->text));
    return same ? 0 : came_out_otherwise(t, &v, err);
}

/* All tests share one time: a thousand slow ones must not hold up a load for hours. */
static int set_clock(struct oc_loader *l, uint64_t deadline_ms, outcall_error *err)
{
    int left = oc_deadline_left(deadline_ms);
    if (left == 0)
        return oc_fail(err, OUTCALL_E_TIMEOUT, "the tests take too long");
    return outcall_context_timeout_ms(l->context, OC_MIN((unsigned)left, TEST_TIMEOUT_MS));
}

int oc_tests_run(struct oc_loader *l)
{
    unsigned ms = l->opts->tests_timeout_ms;
    uint64_t deadline_ms = oc_deadline(ms ? ms : OC_TESTS_TIMEOUT_MS);
    for (size_t i = 0; i < l->tests_n; i++)
        for (const oc_yaml *node = l->tests[i].tests->first; node; node = node->next) {
            outcall_error said = OUTCALL_ERROR_INIT;
            struct test t = {.name = NULL};
            int r = set_clock(l, deadline_ms, &said);
            if (r == 0)
                r = run_test(l, node, &t, &said);
            if (r < 0)
                r = refuse(l, oc_text_at(&l->p->text, l->tests[i].file), node, &t, r, &said);
            if (r < 0)
                return r;
        }
    return 0;
}
