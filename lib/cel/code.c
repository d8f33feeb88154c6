#include "cel/code.h"
#include "cel/program.h"
#include "core/error.h"
#include <stdlib.h>

struct oc_cel_pool {
    struct oc_cel_unit unit;
    struct oc_cel_arena tree; /* of the compilation under way */
};

int oc_cel_pool_new(struct oc_cel_pool **ret, outcall_cel_env *env)
{
    if (!env || env->unchecked)
        return OUTCALL_E_INVALID;
    struct oc_cel_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return OUTCALL_E_NO_MEMORY;
    int r = oc_cel_unit_init(&p->unit, env);
    if (r < 0) {
        oc_cel_pool_free(p);
        return r;
    }
    p->tree.max = OC_CEL_MEMORY_CAP;
    *ret = p;
    return 0;
}

void oc_cel_pool_free(struct oc_cel_pool *p)
{
    if (!p)
        return;
    oc_cel_unit_done(&p->unit);
    oc_cel_arena_done(&p->tree);
    free(p);
}

void oc_cel_pool_seal(struct oc_cel_pool *p)
{
    oc_cel_arena_done(&p->tree);
}

int oc_cel_pool_compile(struct oc_cel_pool *p, const char *src, size_t len, const struct oc_cel_code **ret,
                        outcall_error *err)
{
    uint32_t kind = OUTCALL_CEL_DYN;
    const struct oc_cel_code *code = NULL;
    oc_cel_arena_reset(&p->tree);
    int r = oc_cel_unit_compile(&p->unit, &p->tree, src, len, NULL, &code, &kind, err);
    if (r == 0 && kind != OUTCALL_CEL_BOOL && kind != OUTCALL_CEL_DYN) {
        (void)oc_fail(err, OUTCALL_E_TYPE, "a condition must be bool, this is %s", oc_cel_kind_name(kind));
        oc_error_at(err, "", 1, 1);
        return OUTCALL_E_TYPE;
    }
    if (r == 0)
        *ret = code;
    return r;
}

void oc_cel_eval_slots(outcall_cel_eval *ev, const oc_cel_value *const *slots)
{
    ev->fixed = slots != NULL;
    ev->slots = slots;
    ev->stale = !slots;
}

int oc_cel_code_bool(const struct oc_cel_pool *p, const struct oc_cel_code *code, outcall_cel_eval *ev,
                     bool *ret, outcall_error *err)
{
    return oc_cel_run_truth(ev, &p->unit, code, ret, err);
}

/* x.endsWith("a") || x.endsWith("b"), of one variable. */
static bool all_suffixes(const uint32_t *w)
{
    const uint32_t *kid = w + 3;
    uint32_t variable = kid[2];
    for (uint32_t i = 0; i < w[2]; i++, kid = oc_cel_word_next(kid))
        if ((kid[0] & 0xff) != OC_CEL_ENDS || kid[2] != variable)
            return false;
    return true;
}

/* A term of the outermost &&. Only variables that are declared to be strings: then no comparison is an error.
 */
static bool demand_of(const struct oc_cel_pool *p, const uint32_t *w, uint32_t at, struct oc_cel_demand *ret)
{
    uint32_t op = w[0] & 0xff, variable = op == OC_CEL_OR ? w[5] : w[2];
    if (op != OC_CEL_EQ_STRING && op != OC_CEL_IN_STRINGS && op != OC_CEL_ENDS && op != OC_CEL_OR)
        return false;
    if (op == OC_CEL_OR && !all_suffixes(w))
        return false;
    if ((variable & OC_CEL_REG_LOCAL) || p->unit.names->v[variable].kind != OUTCALL_CEL_STRING)
        return false;
    bool suffix = op == OC_CEL_ENDS || op == OC_CEL_OR;
    *ret = (struct oc_cel_demand){.kind = suffix ? OC_CEL_DEMAND_SUFFIX : OC_CEL_DEMAND_ONE_OF,
                                  .slot = (int)variable,
                                  .n = op == OC_CEL_IN_STRINGS ? w[3]
                                       : op == OC_CEL_OR       ? w[2]
                                                               : 1,
                                  .at = at};
    return true;
}

size_t oc_cel_code_demands(const struct oc_cel_pool *p, const struct oc_cel_code *code,
                           struct oc_cel_demand *v, size_t max)
{
    size_t n = 0;
    const uint32_t *w = code->w;
    if ((w[0] & 0xff) != OC_CEL_AND)
        return max > 0 && demand_of(p, w, 0, v) ? 1 : 0;
    const uint32_t *kid = w + 3;
    for (uint32_t i = 0; i < w[2] && n < max; i++, kid = oc_cel_word_next(kid))
        if (demand_of(p, kid, (uint32_t)(kid - w), &v[n]))
            n++;
    return n;
}

void oc_cel_demand_value(const struct oc_cel_code *code, const struct oc_cel_demand *d, uint32_t i,
                         const char **ret, size_t *ret_len)
{
    const uint32_t *w = code->w + d->at;
    uint32_t op = w[0] & 0xff;
    if (op == OC_CEL_OR) {
        for (w += 3; i > 0; i--)
            w = oc_cel_word_next(w);
        i = 0;
    }
    struct oc_cel_text t = oc_cel_word_text(code, op == OC_CEL_IN_STRINGS ? w + 4 + (size_t)2 * i : w + 3);
    *ret = t.s;
    *ret_len = t.n;
}
