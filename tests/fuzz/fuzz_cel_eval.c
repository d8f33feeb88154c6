/* An expression, and after a NUL the JSON object of its variables: it gives a value or says what is wrong and
 * where; the same again; and the same when it was checked against the variables' types. */
#include "check.h"
#include "outcall/cel.h"
#include "json/json.h"

#define VARIABLES_MAX 16
#define SHOWN         4096
#define VALUES_MAX    100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int code, kind, text_len, line, column;
    char text[SHOWN];
};

static void check_text(const outcall_cel_value *v, int kind)
{
    const char *s = NULL;
    size_t len = 0;
    if (outcall_cel_get_text(v, &s, &len) < 0 || (kind != OUTCALL_CEL_BYTES && !oc_utf8_valid(s, len)))
        abort();
}

/* Every value is of a kind, and text is UTF-8; looks at VALUES_MAX of them. */
static void check_value(const outcall_cel_value *v, size_t *seen)
{
    int kind = outcall_cel_value_kind(v);
    if (kind < OUTCALL_CEL_NULL || kind >= OUTCALL_CEL_DYN)
        abort();
    if (kind == OUTCALL_CEL_STRING || kind == OUTCALL_CEL_BYTES || kind == OUTCALL_CEL_TYPE)
        check_text(v, kind);
    size_t n = outcall_cel_count(v);
    if (outcall_cel_at(v, n) || outcall_cel_key_at(v, n))
        abort();
    for (size_t i = 0; i < n && (*seen)++ < VALUES_MAX; i++) {
        if ((outcall_cel_key_at(v, i) != NULL) != (kind == OUTCALL_CEL_MAP))
            abort();
        check_value(outcall_cel_at(v, i), seen);
    }
}

static void run(const outcall_cel *program, outcall_cel_eval *ev, const char *src, size_t len,
                struct outcome *o)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    const outcall_cel_value *v = NULL;
    size_t seen = 0;
    *o = (struct outcome){.code = outcall_cel_run(program, ev, &v, &err), .kind = -1};
    if (o->code == 0) {
        check_value(v, &seen);
        o->kind = outcall_cel_value_kind(v);
        o->text_len = outcall_cel_value_text(v, o->text, sizeof(o->text));
        return;
    }
    if (o->code != OUTCALL_E_NOT_FOUND && o->code != OUTCALL_E_UNDECLARED && o->code != OUTCALL_E_TYPE &&
        o->code != OUTCALL_E_INVALID && o->code != OUTCALL_E_LIMIT)
        abort();
    check_error(o->code, &err, src, len);
    o->line = err.line;
    o->column = err.column;
    (void)oc_copy(o->text, sizeof(o->text), err.text, strlen(err.text));
}

/* The same value or error; running out of time or steps is not a matter of the expression alone. */
static void check_same(const struct outcome *a, const struct outcome *b)
{
    if (a->code == OUTCALL_E_LIMIT || b->code == OUTCALL_E_LIMIT || strstr(a->text, "takes too long") ||
        strstr(b->text, "takes too long"))
        return;
    if (a->code != b->code || a->kind != b->kind || a->text_len != b->text_len || a->line != b->line ||
        a->column != b->column || strcmp(a->text, b->text) != 0)
        abort();
}

static const char *type_of(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "map(string, dyn)";
    case JSON_ARRAY:
        return "list(dyn)";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "int";
    case JSON_REAL:
        return "double";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    default:
        return "dyn";
    }
}

/* Declares and binds what has the name of a variable. */
static void variables(outcall_cel_env *env, outcall_cel_eval *ev, const char *json, size_t len)
{
    OC_JSON json_t *j = NULL;
    const char *name = NULL;
    json_t *value = NULL;
    size_t n = 0;
    if (oc_json_load(json, len, &j, NULL) < 0)
        return;
    json_object_foreach(j, name, value)
    {
        size_t text_len = 0;
        OC_FREE char *text = oc_json_dump(value, &text_len);
        if (n++ == VARIABLES_MAX)
            return;
        if (outcall_cel_env_declare(env, name, type_of(value), NULL) == 0 &&
            (!text || outcall_cel_bind_json(ev, name, text, text_len, NULL) < 0))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcall_cel_limits lim = {1, 4096, 64, 20000, (size_t)1 << 20};
    outcall_cel_env *env = NULL;
    outcall_cel *plain = NULL, *checked = NULL;
    outcall_cel_eval *ev = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    static struct outcome first, again, typed;
    const char *src = size > 0 ? (const char *)data : "";
    const char *nul = size > 0 ? memchr(src, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - src) : size;
    if (outcall_cel_env_new(&env) < 0 || outcall_cel_eval_new(&ev, &lim) < 0)
        abort();
    if (nul)
        variables(env, ev, nul + 1, size - len - 1);
    int r = outcall_cel_compile(&plain, NULL, src, len, &lim, &err);
    if (r < 0) {
        check_error(r, &err, src, len);
    } else {
        run(plain, ev, src, len, &first);
        run(plain, ev, src, len, &again);
        check_same(&first, &again);
        if (outcall_cel_compile(&checked, env, src, len, &lim, NULL) == 0) {
            run(checked, ev, src, len, &typed);
            check_same(&first, &typed);
        }
    }
    (void)outcall_cel_unref(checked);
    (void)outcall_cel_unref(plain);
    (void)outcall_cel_eval_free(ev);
    (void)outcall_cel_env_unref(env);
    return 0;
}
