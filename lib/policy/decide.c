/* What the rules say. */
#include "policy/decide.h"
#include "base/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "policy/index.h"
#include <string.h>

#define CLOCK_EVERY 64 /* rules between two looks at the clock; one rule is bounded by its steps */

static const outcall_verdict blocked = OUTCALL_VERDICT_INIT;

struct run {
    const struct outcall_policy *p;
    outcall_context *c;
    outcall_verdict *verdict;
    enum oc_decide_how how;
    uint64_t deadline_ms;
    unsigned looked;
    size_t decided; /* the rule, or rules_n */
};

bool oc_rule_applies(const struct outcall_policy *p, const struct oc_rule *rule, const outcall_context *c)
{
    const struct oc_rule_more *more = oc_rule_more(p, rule);
    const oc_cel_value *name = &c->values[OC_FIELD_AGENT];
    if (!more || more->agents_n == 0)
        return true;
    for (uint32_t i = 0; i < more->agents_n; i++) {
        const char *one = p->agents[more->agents + i];
        if (strlen(one) == name->n && memcmp(one, name->s, name->n) == 0)
            return true;
    }
    return false;
}

/* Does the failure say something about the rule, rather than about this process? */
static bool is_rule_error(int code)
{
    return code == OUTCALL_E_NOT_FOUND || code == OUTCALL_E_UNDECLARED || code == OUTCALL_E_TYPE ||
           code == OUTCALL_E_INVALID || code == OUTCALL_E_LIMIT;
}

static void rule_failed(struct run *run, size_t i)
{
    const struct oc_rule *rule = &run->p->rules[i];
    run->verdict->errors_n++;
    if (run->how == OC_DECIDE_QUIET)
        return;
    (void)atomic_fetch_add_explicit(&run->p->counts[i].errors, 1, memory_order_relaxed);
    oc_log_error(run->p->log, OUTCALL_LOG_WARN, "policy", &run->c->err, "rule \"%s\" of %s:%d %s",
                 oc_text_at(&run->p->text, rule->id), oc_text_at(&run->p->text, rule->file), (int)rule->line,
                 !rule->allow ? "blocks, for it could not be evaluated"
                              : "does not match, for it could not be evaluated");
}

static void decided_by(struct run *run, size_t i)
{
    const struct outcall_policy *p = run->p;
    const struct oc_rule *rule = &p->rules[i];
    const struct oc_rule_more *more = oc_rule_more(p, rule);
    outcall_verdict *v = run->verdict;
    if (run->how != OC_DECIDE_QUIET)
        (void)atomic_fetch_add_explicit(&p->counts[i].hits, 1, memory_order_relaxed);
    run->decided = i;
    v->action = rule->allow ? OUTCALL_ALLOW : OUTCALL_BLOCK;
    v->rule_id = oc_text_at(&p->text, rule->id);
    v->file = oc_text_at(&p->text, rule->file);
    v->log = rule->log;
    if (!more)
        return;
    v->reason = oc_text_at(&p->text, more->reason);
    v->egress = more->egress;
    v->allow_private_ips = more->allow_private_ips;
    v->ports = more->ports_n ? p->ports + more->ports : NULL;
    v->n_ports = more->ports_n;
}

/* 1: rule i decides, the verdict is filled; 0: it does not; or why there is no verdict. */
static int consider(struct run *run, size_t i)
{
    const struct outcall_policy *p = run->p;
    const struct oc_rule *rule = &p->rules[i];
    if (++run->looked % CLOCK_EVERY == 0 && oc_now_ms() >= run->deadline_ms)
        return OUTCALL_E_TIMEOUT;
    if (rule->more && !oc_rule_applies(p, rule, run->c))
        return 0;
    bool yes = false;
    int r = oc_cel_code_bool(p->pool, rule->code, run->c->eval, &yes, &run->c->err);
    if (r < 0) {
        if (is_rule_error(r))
            rule_failed(run, i);
        outcall_error_clear(&run->c->err);
        if (!is_rule_error(r))
            return r;
        yes = !rule->allow;
        run->verdict->rule_error = yes;
    }
    if (yes)
        decided_by(run, i);
    return yes;
}

static int look_at_all(struct run *run)
{
    int r = 0;
    for (size_t i = 0; i < run->p->rules_n && r == 0; i++)
        r = consider(run, i);
    return r;
}

static int look_at_candidates(struct run *run)
{
    struct oc_candidates k;
    int r = 0;
    if (!run->p->index)
        return 0; /* a set without a load: the slot's empty one */
    if (!oc_candidates_start(&k, run->p->index, run->c->values))
        return look_at_all(run);
    for (uint32_t i = 0; r == 0 && (i = oc_candidates_next(&k)) != OC_CANDIDATES_END;)
        r = consider(run, i);
    return r;
}

int oc_policy_decide(const struct outcall_policy *p, outcall_context *c, enum oc_decide_how how,
                     outcall_verdict *ret, size_t *ret_at, outcall_error *err)
{
    if (ret)
        *ret = blocked;
    if (!p || !c || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "the rules, the context or the verdict is NULL");
    struct run run = {p, c, ret, how, oc_deadline(c->timeout_ms), 0, p->rules_n};
    int r = how == OC_DECIDE_PLAIN ? look_at_all(&run) : look_at_candidates(&run);
    if (ret_at)
        *ret_at = run.decided;
    if (r >= 0)
        return 0;
    *ret = blocked;
    return oc_fail_code(err, r, "evaluation of the rules");
}

int outcall_policy_decide(const outcall_policy *p, outcall_context *c, outcall_verdict *ret,
                          outcall_error *err)
{
    return oc_policy_decide(p, c, OC_DECIDE, ret, NULL, err);
}
