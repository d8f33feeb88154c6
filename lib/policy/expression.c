/* One expression, on its own. */
#include "core/error.h"
#include "policy/context.h"

int outcall_context_test(outcall_context *c, const char *expr, size_t len, int *ret, outcall_error *err)
{
    outcall_cel_env *env = NULL;
    outcall_cel *program = NULL;
    if (!c || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "the context or the result is NULL");
    int r = oc_fields_env(&env, err);
    if (r == 0)
        r = outcall_cel_compile(&program, env, expr, len, NULL, err);
    if (r == 0)
        r = outcall_cel_run_bool(program, c->eval, ret, err);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_env_unref(env);
    return r;
}
