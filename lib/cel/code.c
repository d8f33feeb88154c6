/* Stand-in: whole programs behind the pool's interface. */
#include "cel/code.h"
#include "cel/program.h"
#include "core/error.h"
#include <stdlib.h>

struct oc_cel_code {
    struct oc_cel_code *next;
    outcall_cel *program;
};
struct oc_cel_pool {
    outcall_cel_env *env;
    struct oc_cel_code *codes;
};

int oc_cel_pool_new(struct oc_cel_pool **ret, outcall_cel_env *env)
{
    struct oc_cel_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return OUTCALL_E_NO_MEMORY;
    p->env = outcall_cel_env_ref(env);
    *ret = p;
    return 0;
}
void oc_cel_pool_free(struct oc_cel_pool *p)
{
    if (!p)
        return;
    while (p->codes) {
        struct oc_cel_code *c = p->codes;
        p->codes = c->next;
        (void)outcall_cel_unref(c->program);
        free(c);
    }
    (void)outcall_cel_env_unref(p->env);
    free(p);
}
size_t oc_cel_pool_bytes(const struct oc_cel_pool *p)
{
    (void)p;
    return 0;
}
int oc_cel_pool_compile(struct oc_cel_pool *p, const char *src, size_t len, const struct oc_cel_code **ret,
                        outcall_error *err)
{
    struct oc_cel_code *c = calloc(1, sizeof(*c));
    if (!c)
        return oc_no_memory(err);
    int r = outcall_cel_compile(&c->program, p->env, src, len, NULL, err);
    if (r < 0) {
        free(c);
        return r;
    }
    c->next = p->codes;
    p->codes = c;
    *ret = c;
    return 0;
}
void oc_cel_eval_slots(outcall_cel_eval *ev, const oc_cel_value *const *slots)
{
    ev->fixed = slots;
}
int oc_cel_code_bool(const struct oc_cel_pool *p, const struct oc_cel_code *code, outcall_cel_eval *ev,
                     bool *ret, outcall_error *err)
{
    (void)p;
    int yes = 0;
    int r = outcall_cel_run_bool(code->program, ev, &yes, err);
    if (r == 0)
        *ret = yes != 0;
    return r;
}
size_t oc_cel_code_demands(const struct oc_cel_code *code, struct oc_cel_demand *v, size_t max)
{
    (void)code;
    (void)v;
    (void)max;
    return 0;
}
void oc_cel_demand_value(const struct oc_cel_code *code, const struct oc_cel_demand *d, uint32_t i,
                         const char **ret, size_t *ret_len)
{
    (void)code;
    (void)d;
    (void)i;
    *ret = "";
    *ret_len = 0;
}
int oc_cel_split(const char *src, size_t len, struct oc_cel_part *v, size_t max)
{
    (void)src;
    if (max > 0)
        v[0] = (struct oc_cel_part){0, (uint32_t)len};
    return 1;
}
