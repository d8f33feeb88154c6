/* Where a bool is wanted: && and ||, and a variable against a constant, without values in between. */
#include "cel/program.h"

/* What the same would cost in parts: the operator, both operands, and the comparison where there is just one.
 */
#define PARTS 3

static int out_of_steps(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *tmp)
{
    if (!ev->fatal)
        (void)oc_cel_spend(&ev->budget, ev->budget.steps + 1);
    oc_cel_fatal(ev, pos, tmp, OUTCALL_E_LIMIT);
    return -1;
}

static inline bool same_text(const oc_cel_value *v, struct oc_cel_text t)
{
    return v->n == t.n && memcmp(v->s ? v->s : "", t.s, t.n) == 0;
}

static bool equals_string(const oc_cel_value *v, struct oc_cel_text t)
{
    return v->kind == OUTCALL_CEL_STRING && same_text(v, t);
}

static bool equals_int(const oc_cel_value *v, const uint32_t *w)
{
    oc_cel_value number = oc_cel_int(0);
    struct oc_cel_budget free_of_charge = {UINT64_MAX, false};
    memcpy(&number.i, w, sizeof(number.i));
    return v->kind == OUTCALL_CEL_INT ? v->i == number.i : oc_cel_equal(&free_of_charge, v, &number);
}

static int one_of(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *v, oc_cel_value *tmp)
{
    for (uint32_t i = 0; i < w[3]; i++) {
        if (ev->budget.steps == 0)
            return out_of_steps(ev, w[1], tmp);
        ev->budget.steps--;
        if (equals_string(v, oc_cel_word_text(ev->code, w + 4 + (size_t)2 * i)))
            return 1;
    }
    return 0;
}

static int string_in(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *v, oc_cel_value *tmp)
{
    struct oc_cel_text t = oc_cel_word_text(ev->code, w + 3);
    if (v->kind != OUTCALL_CEL_LIST && v->kind != OUTCALL_CEL_MAP) {
        oc_cel_error(ev, w[5], tmp, OUTCALL_E_TYPE, "no such operation: string in %s",
                     oc_cel_kind_name(v->kind));
        return -1;
    }
    uint64_t cost = v->kind == OUTCALL_CEL_MAP ? v->n / 16 : v->n;
    if (ev->budget.steps < cost)
        return out_of_steps(ev, w[1], tmp);
    ev->budget.steps -= cost;
    if (v->kind == OUTCALL_CEL_MAP)
        return oc_cel_map_field(v, t.s, t.n) != NULL;
    for (size_t i = 0; i < v->n; i++)
        if (equals_string(&v->v[i], t))
            return 1;
    return 0;
}

static int starts_or_ends(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *v, oc_cel_value *tmp)
{
    struct oc_cel_text t = oc_cel_word_text(ev->code, w + 3);
    bool ends = (w[0] & 0xff) == OC_CEL_ENDS;
    if (v->kind != OUTCALL_CEL_STRING) {
        oc_cel_error(ev, w[5], tmp, OUTCALL_E_TYPE, "%s() does not take (%s, string)",
                     ends ? "endsWith" : "startsWith", oc_cel_kind_name(v->kind));
        return -1;
    }
    return t.n == 0 || (t.n <= v->n && memcmp(v->s + (ends ? v->n - t.n : 0), t.s, t.n) == 0);
}

static int eval_pair(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    uint32_t op = w[0] & 0xff, cost = PARTS + (op <= OC_CEL_NE_INT ? 1 : 0);
    if (ev->budget.steps < cost || ev->fatal)
        return out_of_steps(ev, w[1], tmp);
    ev->budget.steps -= cost;
    const oc_cel_value *v = w[2] & OC_CEL_REG_LOCAL ? ev->locals[w[2] & ~OC_CEL_REG_LOCAL] : ev->slots[w[2]];
    if (!v) {
        (void)oc_cel_slot_value(ev, w[2], w[1], tmp);
        return -1;
    }
    switch (op) {
    case OC_CEL_EQ_STRING:
        return equals_string(v, oc_cel_word_text(ev->code, w + 3));
    case OC_CEL_NE_STRING:
        return !equals_string(v, oc_cel_word_text(ev->code, w + 3));
    case OC_CEL_IN_STRINGS:
        return one_of(ev, w, v, tmp);
    case OC_CEL_STRING_IN:
        return string_in(ev, w, v, tmp);
    case OC_CEL_EQ_INT:
        return equals_int(v, w + 3);
    case OC_CEL_NE_INT:
        return !equals_int(v, w + 3);
    default:
        return starts_or_ends(ev, w, v, tmp);
    }
}

/* decisive: 0 for &&, 1 for ||. It wins from either side, even over errors; what else is wrong comes second.
 */
static int eval_logic(outcall_cel_eval *ev, const uint32_t *w, int decisive, oc_cel_value *tmp)
{
    oc_cel_value room, *to = tmp;
    if (ev->budget.steps == 0 || ev->fatal)
        return out_of_steps(ev, w[1], tmp);
    ev->budget.steps--;
    const uint32_t *kid = w + 3;
    for (uint32_t i = 0; i < w[2]; i++, kid = oc_cel_word_next(kid)) {
        int yes = (kid[0] & 0xff) > OC_CEL_COLLECT ? eval_pair(ev, kid, to) : oc_cel_eval_truth(ev, kid, to);
        if (yes == decisive)
            return yes;
        if (yes < 0) {
            if (ev->fatal) {
                *tmp = *to;
                return -1;
            }
            to = &room;
        }
    }
    return to == tmp ? !decisive : -1;
}

int oc_cel_eval_truth(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    uint32_t op = w[0] & 0xff;
    if (op > OC_CEL_COLLECT)
        return eval_pair(ev, w, tmp);
    if (op == OC_CEL_AND || op == OC_CEL_OR)
        return eval_logic(ev, w, op == OC_CEL_OR, tmp);
    const oc_cel_value *v = oc_cel_eval_word(ev, w, tmp);
    if (v->kind == OUTCALL_CEL_BOOL)
        return v->b;
    oc_cel_not_bool(ev, w[1], tmp, v);
    return -1;
}
