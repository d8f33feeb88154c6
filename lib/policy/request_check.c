#include "base/num.h"
#include "core/error.h"
#include "policy/request.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME        "request.yaml" /* what an agent's file is called in its errors */
#define TESTS_TIMEOUT_MS 1000           /* what an agent's file may cost before anybody asked for it */
#define EXPANDED_MAX     ((size_t)1 << 20)

/* The node of the agent's own file that stands where `at` stands in the active text. Both trees have the same
 * shape, but for what was put in, or put elsewhere, in a mapping. NULL: there is none. */
static const oc_yaml *twin(const oc_yaml *active, const oc_yaml *own, const oc_yaml *at)
{
    if (active == at)
        return own;
    const oc_yaml *found = NULL, *o = own->first;
    for (const oc_yaml *v = active->first; v && !found; v = v->next, o = o ? o->next : NULL) {
        bool beside = o && (!v->key || (o->key && oc_streq(v->key->text, o->key->text)));
        const oc_yaml *partner = beside ? o : v->key ? oc_yaml_get(own, v->key->text) : NULL;
        found = partner ? twin(v, partner, at) : NULL;
    }
    return found;
}

static const oc_yaml *node_at(const oc_yaml *n, int line, int column)
{
    if (n->line == line && n->column == column)
        return n;
    const oc_yaml *found = NULL;
    for (const oc_yaml *v = n->first; v && !found; v = v->next)
        found = node_at(v, line, column);
    return found;
}

/* An error in the active text, told with the place in the file that the agent knows; without one when it has
 * none there. */
static int blame(outcall_error *err, int code, const outcall_error *why, const oc_yaml *active,
                 const oc_yaml *own)
{
    if (code == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    const oc_yaml *at = active && why->line > 0 ? node_at(active, why->line, why->column) : NULL;
    const oc_yaml *there = at && own ? twin(active, own, at) : NULL;
    (void)oc_fail_kind(err, code, why->kind, "%s", why->text);
    oc_error_at(err, FILE_NAME, there ? there->line : 0, there ? there->column : 0);
    return code;
}

/* The text of a scalar is what the set has, but for blank at its end, which no rule keeps. */
static bool is_text(const oc_yaml *rule, const char *key, const char *text)
{
    const oc_yaml *v = oc_yaml_get(rule, key);
    size_t n = text ? strlen(text) : 0;
    return text && v && v->type == OC_YAML_SCALAR && strncmp(v->text, text, n) == 0 &&
           strspn(v->text + n, " \t\r\n") == v->len - n;
}

static bool is_priority(const oc_yaml *rule, int priority)
{
    const oc_yaml *v = oc_yaml_get(rule, "priority");
    uint32_t n = OC_REQUEST_PRIORITY_MIN;
    return (!v || oc_parse_u32(v->text, v->len, 0, INT32_MAX, &n) == 0) && (int)n == priority;
}

OC_PRINTF(5, 6)
static int refuse(outcall_error *err, int code, const oc_yaml *rule, const char *key, const char *fmt, ...)
{
    char text[OUTCALL_ERROR_TEXT];
    const oc_yaml *at = oc_yaml_get(rule, key), *id = oc_yaml_get(rule, "id");
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)oc_yaml_fail(err, code, at ? at : rule, "rule \"%s\": %s", id ? id->text : "", text);
    oc_error_at(err, FILE_NAME, 0, 0);
    return code;
}

/* One rule of the agent's file against what the loader made of the active text. */
static int check_rule(const oc_yaml *rule, const outcall_policy *set, outcall_policy *in_force,
                      const char *agent, outcall_error *err)
{
    outcall_rule_info info, taken;
    const oc_yaml *id = oc_yaml_get(rule, "id");
    const char *words = NULL;
    if (!id || outcall_policy_rule_find(set, id->text, &info) < 0)
        return refuse(err, OUTCALL_E_INTERNAL, rule, "id", "it is not in the active text");
    words = info.action == OUTCALL_ALLOW ? "allow" : "block";
    if (info.priority < OC_REQUEST_PRIORITY_MIN)
        return refuse(
            err, OUTCALL_E_DENIED, rule, "priority",
            "priority: %d would come before the operator's own rules: %d is the first that a request "
            "may have",
            info.priority, OC_REQUEST_PRIORITY_MIN);
    if (!is_text(rule, "condition", info.condition) || !is_text(rule, "action", words) ||
        !is_priority(rule, info.priority) || info.n_agents != 1 || !oc_streq(info.agents[0], agent))
        return refuse(err, OUTCALL_E_INTERNAL, rule, "id", "the active text says something else");
    if (in_force && outcall_policy_rule_find(in_force, id->text, &taken) == 0)
        return refuse(err, OUTCALL_E_EXISTS, rule, "id", "a rule of this id is in force already");
    return 0;
}

static int check_rules(const oc_yaml *own, const outcall_policy *set, outcall_policy *in_force,
                       const char *agent, outcall_error *err)
{
    const oc_yaml *rules = oc_yaml_get(own, "rules");
    int r = rules->n == outcall_policy_rules_n(set)
                ? 0
                : oc_fail(err, OUTCALL_E_INTERNAL, "the active text has other rules than the file");
    for (const oc_yaml *v = rules->first; r == 0 && v; v = v->next)
        r = check_rule(v, set, in_force, agent, err);
    return r;
}

static int load(outcall_policy **ret, const char *yaml, size_t len, unsigned timeout_ms, outcall_error *err)
{
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.name = FILE_NAME;
    o.text = yaml;
    o.text_len = len;
    o.tests_timeout_ms = timeout_ms;
    o.expanded_max_bytes = OC_MAX(EXPANDED_MAX, 2 * len);
    return outcall_policy_load(ret, &o, err);
}

/* Whatever is wrong with the file itself is told with its own places. How its tests come out does not count
 * yet: they are about an agent, and in the file as it is nobody says about which. */
static int check_as_it_is(const char *yaml, size_t len, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *set = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = load(&set, yaml, len, 1, &why);
    if (r == 0 || r == OUTCALL_E_DENIED || r == OUTCALL_E_TIMEOUT)
        return 0;
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    (void)oc_fail_kind(err, r, why.kind, "%s", why.text);
    oc_error_at(err, FILE_NAME, why.line, why.column);
    return r;
}

/* The active text held to what a load holds it to, and to what the agent's own file says. */
static int check_active(const char *agent, const char *active, const oc_yaml *own, outcall_policy *in_force,
                        outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *set = NULL;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *tree = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_yaml_load(active, strlen(active), &tree, err);
    if (r < 0)
        return r;
    r = load(&set, active, strlen(active), TESTS_TIMEOUT_MS, &why);
    return r < 0 ? blame(err, r, &why, tree, own) : check_rules(own, set, in_force, agent, err);
}

int oc_request_check(const char *agent, const char *yaml, size_t len, outcall_policy *in_force,
                     char **ret_active, outcall_error *err)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *own = NULL;
    OC_FREE char *active = NULL;
    int r = check_as_it_is(yaml, len, err);
    if (r == 0)
        r = oc_request_active(agent, yaml, len, &active, err);
    if (r == 0)
        r = oc_yaml_load(yaml, len, &own, err);
    if (r == 0)
        r = check_active(agent, active, own, in_force, err);
    if (r == 0)
        *ret_active = oc_take_ptr(&active);
    return r;
}
