/* policy/decide.h - one decision, as the explanation needs it too. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H
#include "policy/context.h"
#include "policy/policy.h"

enum oc_decide_how {
    OC_DECIDE,       /* with the index, counted and logged */
    OC_DECIDE_PLAIN, /* looking at every rule: what the index has to agree with */
    OC_DECIDE_QUIET  /* nothing is counted, nothing logged */
};
/* As outcall_policy_decide. *ret_at: the rule that decided, rules_n when none did; may be NULL. */
OC_NODISCARD int oc_policy_decide(const struct outcall_policy *p, outcall_context *c, enum oc_decide_how how,
                                  outcall_verdict *ret, size_t *ret_at, outcall_error *err);
/* Does the rule apply to the context's agent? */
bool oc_rule_applies(const struct outcall_policy *p, const struct oc_rule *rule, const outcall_context *c);

#endif
