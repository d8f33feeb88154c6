/* An expression, and after a NUL the text that its variable s has; the same once more, with declarations. */
#include "outcall/cel.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *expr, size_t len, const outcall_cel_limits *lim)
{
    outcall_cel_env *env = NULL;
    outcall_cel *program = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    if (outcall_cel_env_new(&env) == 0 && outcall_cel_env_declare(env, "s", "string", NULL) == 0 &&
        outcall_cel_env_declare(env, "a.b", "list(map(string, int))", NULL) == 0 &&
        outcall_cel_compile(&program, env, expr, len, lim, &err) < 0 && err.code == 0)
        __builtin_trap();
    (void)outcall_cel_unref(program);
    (void)outcall_cel_env_unref(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcall_cel_limits lim = OUTCALL_CEL_LIMITS_INIT;
    outcall_cel *program = NULL;
    outcall_cel_eval *ev = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    const outcall_cel_value *v = NULL;
    char text[256];
    lim.max_steps = 20000;
    lim.max_memory_bytes = (size_t)1 << 20;
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size;
    if (outcall_cel_compile(&program, NULL, (const char *)data, len, &lim, &err) == 0 &&
        outcall_cel_eval_new(&ev, &lim) == 0) {
        int r = nul ? outcall_cel_bind_string(ev, "s", (const char *)nul + 1, size - len - 1) : 0;
        if (r == 0 && outcall_cel_run(program, ev, &v, &err) == 0 &&
            outcall_cel_value_text(v, text, sizeof(text)) < 0)
            v = NULL;
    }
    (void)outcall_cel_caret((const char *)data, len, &err, text, sizeof(text));
    check((const char *)data, len, &lim);
    (void)outcall_cel_unref(program);
    (void)outcall_cel_eval_free(ev);
    return 0;
}
