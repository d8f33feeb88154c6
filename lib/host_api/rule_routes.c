/* The rules in force: what they are, what they say, and loading them anew. */
#include "base/str.h"
#include "core/error.h"
#include "host_api/api.h"

#define EXPRESSION_MAX ((int64_t)1 << 20) /* bytes; the language has its own, lower bound */
#define PLACED_SIZE    (OUTCALL_ERROR_TEXT + 32)

int oc_rules_in_force(outcall_host_api *h, outcall_policy **ret, uint64_t *ret_generation, outcall_error *err)
{
    if (!h->policy)
        return oc_fail_kind(err, OUTCALL_E_UNSUPPORTED, OUTCALL_KIND_NOT_READY, "there are no rules here");
    *ret = outcall_policy_slot_get(h->policy, ret_generation);
    return 0;
}

uint64_t oc_rules_errors(const outcall_policy *p)
{
    outcall_rule_info rule;
    uint64_t n = 0;
    for (size_t i = 0; outcall_policy_rule_at(p, i, &rule) == 0; i++)
        n += rule.errors;
    return n;
}

static const char *action_name(int action)
{
    return action == OUTCALL_ALLOW ? "allow" : "block";
}

static json_t *names_json(const char *const *v, size_t n)
{
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (size_t i = 0; i < n && !bad; i++)
        bad = oc_json_add(a, json_string(v[i]));
    return bad ? NULL : oc_take_ptr(&a);
}

static json_t *egress_json(const outcall_rule_info *r)
{
    OC_JSON json_t *ports = json_array();
    bool bad = !ports;
    for (size_t i = 0; i < r->n_ports && !bad; i++)
        bad = oc_json_add(ports, json_integer(r->ports[i]));
    if (bad)
        return NULL;
    return json_pack("{s:s, s:O, s:b}", "mode", r->egress == OUTCALL_EGRESS_DIRECT_IP ? "direct_ip" : "proxy",
                     "ports", ports, "allow_private_ips", r->allow_private_ips);
}

static json_t *rule_json(const outcall_rule_info *r)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:i, s:s, s:s?, s:s?, s:o, s:b, s:o, s:I, s:I}", "id", r->id,
                     "file", r->file, "line", r->line, "action", action_name(r->action), "priority",
                     r->priority, "condition", r->condition, "description", r->description, "reason",
                     r->reason, "agents", names_json(r->agents, r->n_agents), "log", r->log, "egress",
                     r->action == OUTCALL_ALLOW ? egress_json(r) : json_null(), "hits", (json_int_t)r->hits,
                     "errors", (json_int_t)r->errors);
}

static int list(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    OC_JSON json_t *a = json_array();
    outcall_rule_info rule;
    (void)q;
    int r = oc_rules_in_force(h, &p, NULL, err);
    bool bad = !a;
    for (size_t i = 0; r == 0 && !bad && outcall_policy_rule_at(p, i, &rule) == 0; i++)
        bad = oc_json_add(a, rule_json(&rule));
    if (r == 0 && bad)
        r = oc_no_memory(err);
    if (r == 0)
        *ret = oc_take_ptr(&a);
    return r;
}

static int show(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    char shown[OC_SHOWN_SIZE];
    outcall_rule_info rule;
    int r = oc_rules_in_force(h, &p, NULL, err);
    if (r == 0 && outcall_policy_rule_find(p, q->id, &rule) < 0)
        r = oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_RULE_NOT_FOUND, "rule \"%s\" does not exist",
                         oc_shown(shown, q->id));
    if (r == 0)
        *ret = rule_json(&rule);
    return r;
}

static json_t *warnings_json(const outcall_policy *p)
{
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (size_t i = 0; i < outcall_policy_warnings_n(p) && !bad; i++)
        bad = oc_json_add(a, json_string(outcall_policy_warning_at(p, i)));
    return bad ? NULL : oc_take_ptr(&a);
}

static int reload(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *old = NULL;
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    uint64_t generation = 0;
    (void)q;
    int r = oc_rules_in_force(h, &old, NULL, err);
    if (r == 0)
        r = h->reload(h->userdata, &p, &generation, err);
    if (r == 0)
        *ret = json_pack("{s:I, s:I, s:I, s:o}", "files_loaded", (json_int_t)outcall_policy_files_n(p),
                         "rules_loaded", (json_int_t)outcall_policy_rules_n(p), "generation",
                         (json_int_t)generation, "warnings", warnings_json(p));
    return r;
}

/* A context from a request's object; NULL is one in which everything is absent. */
static int new_context(const outcall_host_api *h, const json_t *object, outcall_context **ret,
                       outcall_error *err)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    size_t len = 0;
    OC_FREE char *text = object ? oc_json_dump(object, &len) : NULL;
    if (object && !text)
        return oc_no_memory(err);
    int r = outcall_context_new(&c);
    if (r == 0)
        r = outcall_context_timeout_ms(c, h->policy_timeout_ms);
    if (r == 0 && text)
        r = outcall_context_json(c, text, len, err);
    if (r < 0)
        return oc_fail(err, r, "%s", outcall_code_string(r));
    *ret = oc_take_ptr(&c);
    return 0;
}

struct evaluate_request {
    const json_t *context;
    bool explain;
};

static const struct oc_json_field evaluate_fields[] = {
    {"context", OC_JSON_OBJECT, offsetof(struct evaluate_request, context), true, 0, 0},
    {"explain", OC_JSON_BOOL, offsetof(struct evaluate_request, explain), false, 0, 0},
};

static int explain(const outcall_policy *p, outcall_context *c, json_t *answer, outcall_error *err)
{
    OC_FREE char *text = NULL;
    json_t *explanation = NULL;
    int r = outcall_policy_explain(p, c, &text, err);
    if (r == 0)
        r = oc_json_load(text, __builtin_strlen(text), &explanation, err);
    if (r == 0 && oc_json_set(answer, "explanation", explanation))
        r = oc_no_memory(err);
    return r;
}

/* What an agent would be told, if it asked this now: a verdict that does not come in time is a block. */
static int evaluate(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    OC_JSON json_t *json = NULL;
    OC_JSON json_t *answer = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    struct evaluate_request e = {NULL, false};
    uint64_t generation = 0;
    int r = oc_rules_in_force(h, &p, &generation, err);
    if (r == 0)
        r = oc_request_decode(q, evaluate_fields, OC_ARRAY_SIZE(evaluate_fields), &e, &json, err);
    if (r == 0)
        r = new_context(h, e.context, &c, err);
    if (r < 0)
        return r;
    int decided = outcall_policy_decide(p, c, &v, NULL);
    if (decided == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    answer = json_pack("{s:s, s:s?, s:s?, s:s?, s:b, s:s?, s:I}", "decision", action_name(v.action),
                       "matched_rule", v.rule_id, "file", v.file, "reason", v.reason, "rule_error",
                       v.rule_error, "error", decided < 0 ? outcall_code_string(decided) : NULL, "generation",
                       (json_int_t)generation);
    if (answer && e.explain && decided == 0)
        r = explain(p, c, answer, err);
    if (r == 0)
        *ret = oc_take_ptr(&answer);
    return r;
}

struct test_request {
    const char *expression;
    const json_t *context;
};

static const struct oc_json_field test_fields[] = {
    {"expression", OC_JSON_TEXT, offsetof(struct test_request, expression), true, 1, EXPRESSION_MAX},
    {"context", OC_JSON_OBJECT, offsetof(struct test_request, context), false, 0, 0},
};

/* An expression that is wrong is an answer here, not an error: that was the question. */
static int test(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    OC_JSON json_t *json = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    char text[PLACED_SIZE + OUTCALL_ERROR_SOURCE] = "";
    struct test_request t = {NULL, NULL};
    int result = 0;
    int r = oc_request_decode(q, test_fields, OC_ARRAY_SIZE(test_fields), &t, &json, err);
    if (r == 0)
        r = new_context(h, t.context, &c, err);
    if (r < 0)
        return r;
    r = outcall_context_test(c, t.expression, __builtin_strlen(t.expression), &result, &e);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    oc_error_at(&e, "expression", 0, 0);
    if (r < 0)
        (void)outcall_error_format(&e, text, sizeof(text));
    *ret = json_pack("{s:o, s:s?}", "result", r < 0 ? json_null() : json_boolean(result), "error",
                     r < 0 ? text : NULL);
    return 0;
}

const struct oc_route oc_rule_routes[] = {
    {"GET", "/api/v1/rules", list, {NULL}, false},
    {"GET", "/api/v1/rule/{id}", show, {NULL}, false},
    {"POST", "/api/v1/rules/reload", reload, {NULL}, false},
    {"POST", "/api/v1/rule/evaluate", evaluate, {NULL}, true},
    {"POST", "/api/v1/rule/test", test, {NULL}, true},
    {NULL, NULL, NULL, {NULL}, false},
};
