/* Why a verdict came out as it did: the terms of its rule, and of those that came near. */
#include "base/buf.h"
#include "base/clock.h"
#include "core/error.h"
#include "policy/decide.h"
#include "json/json.h"
#include <stdio.h>
#include <string.h>

#define NEAREST     5
#define PARTS_MAX   64 /* of a condition; what is beyond counts as one part with the last */
#define CLOCK_EVERY 64

struct explainer {
    const struct outcall_policy *p;
    outcall_context *c;
    outcall_error *err;
};

/* The terms of one rule's condition. */
struct parts {
    const char *text;
    struct oc_cel_part v[PARTS_MAX];
    size_t n;
    bool has_agents; /* which are one more part, the first */
};

struct nearest {
    size_t rule, wrong, right;
};

/* OUTCALL_E_NO_MEMORY; what cannot be split is one part. */
static int split(const struct explainer *x, const struct oc_rule *rule, struct parts *ret)
{
    const struct oc_rule_more *more = oc_rule_more(x->p, rule);
    ret->text = oc_text_at(&x->p->text, more && more->expanded ? more->expanded : rule->condition);
    ret->has_agents = more && more->agents_n > 0;
    size_t len = strlen(ret->text);
    int n = oc_cel_split(ret->text, len, ret->v, PARTS_MAX);
    if (n == OUTCALL_E_NO_MEMORY)
        return n;
    ret->n = n < 1 ? 1 : OC_MIN((size_t)n, (size_t)PARTS_MAX);
    if (n < 1)
        ret->v[0] = (struct oc_cel_part){0, (uint32_t)len};
    if (n > PARTS_MAX)
        ret->v[PARTS_MAX - 1].to = (uint32_t)len;
    return 0;
}

/* 1, 0, or -1 and *said; or, after which nothing goes on, OUTCALL_E_NO_MEMORY. */
static int truth(const struct explainer *x, const struct parts *parts, size_t i, outcall_error *said)
{
    outcall_cel *program = NULL;
    int yes = 0;
    outcall_error_clear(said);
    int r = outcall_cel_compile(&program, x->p->env, parts->text + parts->v[i].from,
                                parts->v[i].to - parts->v[i].from, NULL, said);
    if (r == 0)
        r = outcall_cel_run_bool(program, x->c->eval, &yes, said);
    (void)outcall_cel_unref(program);
    if (r == OUTCALL_E_NO_MEMORY)
        return r;
    return r < 0 ? -1 : yes;
}

static int count(const struct explainer *x, size_t rule, struct nearest *ret)
{
    outcall_error said = OUTCALL_ERROR_INIT;
    struct parts parts;
    if (split(x, &x->p->rules[rule], &parts) < 0)
        return oc_no_memory(x->err);
    *ret = (struct nearest){rule, 0, 0};
    if (parts.has_agents) {
        bool applies = oc_rule_applies(x->p, &x->p->rules[rule], x->c);
        ret->right += applies;
        ret->wrong += !applies;
    }
    for (size_t i = 0; i < parts.n; i++) {
        int yes = truth(x, &parts, i, &said);
        if (yes == OUTCALL_E_NO_MEMORY)
            return oc_no_memory(x->err);
        ret->right += yes == 1;
        ret->wrong += yes != 1;
    }
    return 0;
}

static bool nearer(const struct nearest *a, const struct nearest *b)
{
    return a->wrong != b->wrong ? a->wrong < b->wrong : a->right > b->right;
}

/* The nearest of the rules before `end`; those that come first win. *ret_n of them. */
static int find_nearest(const struct explainer *x, size_t end, struct nearest best[NEAREST], size_t *ret_n)
{
    uint64_t deadline = oc_deadline(x->c->timeout_ms);
    *ret_n = 0;
    for (size_t i = 0; i < end; i++) {
        struct nearest one;
        if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && oc_now_ms() >= deadline)
            return oc_fail(x->err, OUTCALL_E_TIMEOUT, "the explanation takes too long");
        int r = count(x, i, &one);
        if (r < 0)
            return r;
        size_t at = *ret_n;
        while (at > 0 && nearer(&one, &best[at - 1]))
            at--;
        if (at == NEAREST)
            continue;
        *ret_n = OC_MIN(*ret_n + 1, (size_t)NEAREST);
        memmove(&best[at + 1], &best[at], (*ret_n - at - 1) * sizeof(*best));
        best[at] = one;
    }
    return 0;
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *part_text(const struct parts *parts, size_t i)
{
    return json_stringn(parts->text + parts->v[i].from, parts->v[i].to - parts->v[i].from);
}

/* agent.name in ["a", "b"]; NULL when out of memory. */
static char *agents_text(const struct outcall_policy *p, const struct oc_rule *rule)
{
    const struct oc_rule_more *more = oc_rule_more(p, rule);
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    int r = oc_buf_str(&b, "agent.name in [");
    for (uint32_t i = 0; more && i < more->agents_n && r == 0; i++)
        r = oc_buf_printf(&b, "%s\"%s\"", i ? ", " : "", p->agents[more->agents + i]);
    if (r == 0)
        r = oc_buf_char(&b, ']');
    return r == 0 ? oc_buf_take(&b, NULL) : NULL;
}

static bool add_part(json_t *list, json_t *text, int value, const outcall_error *said)
{
    json_t *one = json_object();
    bool bad = oc_json_set(one, "text", text); /* which takes text in any case */
    bad = bad || oc_json_set(one, "value", value < 0 ? json_null() : json_boolean(value));
    if (value < 0)
        bad = bad || oc_json_set(one, "error", json_string(said->text));
    return oc_json_add(list, one) || bad;
}

/* The rule that decided, term by term. */
static json_t *explain_matched(const struct explainer *x, size_t rule)
{
    outcall_error said = OUTCALL_ERROR_INIT;
    const struct oc_rule *r = &x->p->rules[rule];
    struct parts parts;
    if (split(x, r, &parts) < 0)
        return NULL;
    json_t *list = json_array(), *matched = json_object();
    bool bad = !list || !matched;
    OC_FREE char *agents = parts.has_agents ? agents_text(x->p, r) : NULL;
    if (parts.has_agents)
        bad = bad || !agents || add_part(list, json_string(agents), 1, &said);
    for (size_t i = 0; i < parts.n && !bad; i++) {
        int yes = truth(x, &parts, i, &said);
        bad = yes == OUTCALL_E_NO_MEMORY || add_part(list, part_text(&parts, i), yes, &said);
    }
    bad = bad || oc_json_set(matched, "condition", json_string(oc_text_at(&x->p->text, r->condition)));
    if (bad || oc_json_set(matched, "parts", json_incref(list))) {
        json_decref(matched);
        matched = NULL;
    }
    json_decref(list);
    return matched;
}

/* The first term that is not true, into the object. */
static bool add_false(const struct explainer *x, const struct oc_rule *rule, json_t *object)
{
    outcall_error said = OUTCALL_ERROR_INIT;
    struct parts parts;
    if (split(x, rule, &parts) < 0)
        return true;
    if (parts.has_agents && !oc_rule_applies(x->p, rule, x->c)) {
        OC_FREE char *agents = agents_text(x->p, rule);
        return !agents || oc_json_set(object, "false", json_string(agents)) ||
               oc_json_set(object, "error", json_null());
    }
    for (size_t i = 0; i < parts.n; i++) {
        int yes = truth(x, &parts, i, &said);
        if (yes == OUTCALL_E_NO_MEMORY)
            return true;
        if (yes != 1)
            return oc_json_set(object, "false", part_text(&parts, i)) ||
                   oc_json_set(object, "error", yes < 0 ? json_string(said.text) : json_null());
    }
    return oc_json_set(object, "false", json_null()) || oc_json_set(object, "error", json_null());
}

static json_t *explain_near(const struct explainer *x, const struct nearest *n)
{
    const struct oc_rule *rule = &x->p->rules[n->rule];
    json_t *one = json_object();
    bool bad = !one;
    bad = bad || oc_json_set(one, "rule", json_string(oc_text_at(&x->p->text, rule->id)));
    bad = bad || oc_json_set(one, "file", json_string(oc_text_at(&x->p->text, rule->file)));
    bad = bad || oc_json_set(one, "line", json_integer(rule->line));
    bad = bad || oc_json_set(one, "action", json_string(rule->allow ? "allow" : "block"));
    bad = bad || oc_json_set(one, "true_parts", json_integer((json_int_t)n->right));
    bad = bad || oc_json_set(one, "parts_n", json_integer((json_int_t)(n->right + n->wrong)));
    bad = bad || add_false(x, rule, one);
    if (!bad)
        return one;
    json_decref(one);
    return NULL;
}

static json_t *explain(const struct explainer *x, const outcall_verdict *v, size_t decided,
                       const struct nearest *best, size_t n)
{
    json_t *j = json_object(), *list = json_array();
    bool bad = !j || !list;
    for (size_t i = 0; i < n && !bad; i++)
        bad = oc_json_add(list, explain_near(x, &best[i]));
    bad = bad || oc_json_set(j, "decision", json_string(v->action == OUTCALL_ALLOW ? "allow" : "block"));
    bad = bad || oc_json_set(j, "matched_rule", text_or_null(v->rule_id));
    bad = bad || oc_json_set(j, "file", text_or_null(v->file));
    bad = bad || oc_json_set(j, "reason", text_or_null(v->reason));
    bad = bad || oc_json_set(j, "rule_error", json_boolean(v->rule_error));
    bad = bad || oc_json_set(j, "matched", v->rule_id ? explain_matched(x, decided) : json_null());
    bad = bad || oc_json_set(j, "nearest", json_incref(list));
    json_decref(list);
    if (!bad)
        return j;
    json_decref(j);
    return NULL;
}

int outcall_policy_explain(const outcall_policy *p, outcall_context *c, char **ret_json, outcall_error *err)
{
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    struct nearest best[NEAREST];
    size_t decided = 0, n = 0;
    if (!ret_json)
        return oc_fail(err, OUTCALL_E_INVALID, "there is no room for the explanation");
    int r = oc_policy_decide(p, c, OC_DECIDE_QUIET, &v, &decided, err);
    if (r < 0)
        return r;
    struct explainer x = {p, c, err};
    r = find_nearest(&x, decided, best, &n);
    if (r < 0)
        return r;
    OC_JSON json_t *j = explain(&x, &v, decided, best, n);
    char *text = j ? oc_json_dump(j, NULL) : NULL;
    if (!text)
        return oc_no_memory(err);
    *ret_json = text;
    return 0;
}
