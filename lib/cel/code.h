/* cel/code.h - many small expressions of one environment, for who keeps thousands of them: a pool owns their
 * code, and the variables are slots in the order of their declaration. */
#ifndef CEL_CODE_H
#define CEL_CODE_H
#include "cel/value.h"

struct oc_cel_pool;
struct oc_cel_code;

/* The environment is kept by reference and frozen. OUTCALL_E_NO_MEMORY. One thread fills it; then all may
 * read. */
OC_NODISCARD int oc_cel_pool_new(struct oc_cel_pool **ret, outcall_cel_env *env);
void oc_cel_pool_free(struct oc_cel_pool *p);
/* Nothing is to be compiled any more, or not soon: gives the memory back that compiling needed. */
void oc_cel_pool_seal(struct oc_cel_pool *p);

/* Compiles a condition: its kind must be bool, or unknown. src is borrowed and must stay as long as the pool.
 * The code is the pool's. Errors as outcall_cel_compile. */
OC_NODISCARD int oc_cel_pool_compile(struct oc_cel_pool *p, const char *src, size_t len,
                                     const struct oc_cel_code **ret, outcall_error *err);

/* The values of the env's variables, in the order of their declaration; borrowed until set again. What is
 * NULL has no value. Instead of outcall_cel_bind. */
void oc_cel_eval_slots(outcall_cel_eval *ev, const oc_cel_value *const *slots);

/* Runs it: *ret; or a negative OUTCALL_E_* with err (NULL: nothing is written), as outcall_cel_run_bool. */
OC_NODISCARD int oc_cel_code_bool(const struct oc_cel_pool *p, const struct oc_cel_code *code,
                                  outcall_cel_eval *ev, bool *ret, outcall_error *err);

/* What a condition demands of a string variable: where the demand is not met, the code is false, without an
 * error, whatever else is in it. */
enum oc_cel_demand_kind {
    OC_CEL_DEMAND_ONE_OF, /* the variable equals one of n strings */
    OC_CEL_DEMAND_SUFFIX  /* it ends with one of n strings */
};
struct oc_cel_demand {
    enum oc_cel_demand_kind kind;
    int slot;
    uint32_t n;  /* strings; may be 0: nothing meets it */
    uint32_t at; /* of the engine */
};
/* At most max of them, in no particular order. */
size_t oc_cel_code_demands(const struct oc_cel_pool *p, const struct oc_cel_code *code,
                           struct oc_cel_demand *v, size_t max);
/* String i < d->n; borrowed as long as the pool and the source. */
void oc_cel_demand_value(const struct oc_cel_code *code, const struct oc_cel_demand *d, uint32_t i,
                         const char **ret, size_t *ret_len);

/* The operands of the outermost && of an expression, or the whole of it, as offsets into src: what explains a
 * verdict. Returns how many there are and writes at most max of them; a negative OUTCALL_E_* when src does
 * not parse. */
struct oc_cel_part {
    uint32_t from, to;
};
OC_NODISCARD int oc_cel_split(const char *src, size_t len, struct oc_cel_part *v, size_t max);

#endif
