/* Environments: declared variables and functions. */
#include "cel/program.h"
#include "core/error.h"
#include <string.h>

int outcall_cel_env_new(outcall_cel_env **ret)
{
    if (!ret)
        return OUTCALL_E_INVALID;
    outcall_cel_env *e = calloc(1, sizeof(*e));
    if (!e)
        return OUTCALL_E_NO_MEMORY;
    atomic_init(&e->refs, 1);
    e->names = oc_cel_names_new();
    if (!e->names) {
        free(e);
        return OUTCALL_E_NO_MEMORY;
    }
    *ret = e;
    return 0;
}

outcall_cel_env *outcall_cel_env_ref(outcall_cel_env *e)
{
    if (e)
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

outcall_cel_env *outcall_cel_env_unref(outcall_cel_env *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    for (size_t i = 0; i < e->n_custom; i++) {
        free(e->custom[i].name);
        free(e->custom[i].sig);
        free(e->custom[i].types);
    }
    free(e->custom);
    free(e->container);
    oc_cel_names_unref(e->names);
    free(e);
    return NULL;
}

/* Identifiers with dots between them. */
static bool name_ok(const char *s)
{
    size_t len = strlen(s);
    bool start = true;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (start ? !letter : !letter && c != '.' && !(c >= '0' && c <= '9'))
            return false;
        start = c == '.';
    }
    return len > 0 && len <= OC_CEL_NAME_MAX && !start;
}

static int usable(const outcall_cel_env *e, const char *name, outcall_error *err)
{
    if (!e || !name)
        return oc_fail(err, OUTCALL_E_INVALID, "the environment or the name is NULL");
    if (atomic_load(&e->frozen))
        return oc_fail(err, OUTCALL_E_BUSY, "the environment is already in use by a program");
    return 0;
}

int outcall_cel_env_declare(outcall_cel_env *e, const char *name, const char *type, outcall_error *err)
{
    struct oc_cel_type t;
    int r = usable(e, name, err);
    if (r < 0)
        return r;
    if (!name_ok(name))
        return oc_fail(err, OUTCALL_E_INVALID, "\"%.64s\" is no name of a variable", name);
    const char *at = type;
    if (!type || !oc_cel_type_parse(&at, &t) || *at)
        return oc_fail(err, OUTCALL_E_INVALID, "\"%.64s\" is no type", type ? type : "");
    if (oc_cel_names_find(e->names, name, strlen(name)) >= 0)
        return oc_fail(err, OUTCALL_E_EXISTS, "\"%.64s\" is already declared", name);
    if (e->names->n >= OC_CEL_VARIABLES_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "more than %d variables", OC_CEL_VARIABLES_MAX);
    r = oc_cel_names_add(e->names, name, strlen(name), &t);
    return r < 0 ? oc_fail_code(err, r, "\"%.64s\"", name) : 0;
}

int outcall_cel_env_container(outcall_cel_env *e, const char *name, outcall_error *err)
{
    int r = usable(e, name, err);
    if (r < 0)
        return r;
    if (*name && !name_ok(name))
        return oc_fail(err, OUTCALL_E_INVALID, "\"%.64s\" is no name of a container", name);
    char *copy = strdup(name);
    if (!copy)
        return oc_no_memory(err);
    free(e->container);
    e->container = copy;
    return 0;
}

int outcall_cel_env_unchecked(outcall_cel_env *e, outcall_error *err)
{
    int r = usable(e, "", err);
    if (r == 0)
        e->unchecked = true;
    return r;
}

struct signature { /* "(string, int) -> bool" or "string.(int) -> bool" as letters: "si:b" */
    char kinds[OC_CEL_ARGS_MAX + 3], types[(OC_CEL_ARGS_MAX + 1) * OC_CEL_TYPE_SIZE + 2];
    size_t n, len;
    uint8_t style;
};

/* A type at *s, its letters behind those that are there. */
static bool parse_part(const char **s, struct signature *sig)
{
    struct oc_cel_type t;
    if (!oc_cel_type_parse(s, &t))
        return false;
    sig->kinds[sig->n++] = t.s[0];
    memcpy(sig->types + sig->len, t.s, strlen(t.s));
    sig->len += strlen(t.s);
    return true;
}

static bool parse_signature(const char *s, struct signature *sig)
{
    sig->style = OC_CEL_GLOBAL;
    if (*s != '(') {
        if (!parse_part(&s, sig) || *s++ != '.')
            return false;
        sig->style = OC_CEL_MEMBER;
    }
    if (*s++ != '(')
        return false;
    while (*s != ')') {
        if (sig->n >= OC_CEL_ARGS_MAX || !parse_part(&s, sig))
            return false;
        if (*s == ',')
            s += 1 + strspn(s + 1, " ");
        else if (*s != ')')
            return false;
    }
    if (strncmp(s, ") -> ", 5) != 0)
        return false;
    s += 5;
    sig->kinds[sig->n++] = ':';
    sig->types[sig->len++] = ':';
    return parse_part(&s, sig) && *s == 0;
}

int outcall_cel_env_function(outcall_cel_env *e, const char *name, const char *signature, outcall_cel_fn fn,
                             void *userdata, outcall_error *err)
{
    struct signature sig = {.n = 0};
    struct oc_cel_custom f = {.fn = fn, .userdata = userdata};
    int r = usable(e, name, err);
    if (r < 0)
        return r;
    if (!name_ok(name) || !fn || !signature || !parse_signature(signature, &sig))
        return oc_fail(
            err, OUTCALL_E_INVALID,
            "\"%.64s\" is no function's name, or \"%.64s\" no signature such as \"(string) -> bool\"", name,
            signature ? signature : "");
    if (e->n_custom >= OC_CEL_OVERLOADS_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "more than %d functions", OC_CEL_OVERLOADS_MAX);
    struct oc_cel_custom *v = realloc(e->custom, (e->n_custom + 1) * sizeof(*v));
    if (v)
        e->custom = v;
    f.name = v ? strdup(name) : NULL;
    f.sig = f.name ? strdup(sig.kinds) : NULL;
    f.types = f.sig ? strdup(sig.types) : NULL;
    f.style = sig.style;
    if (!f.types) {
        free(f.sig);
        free(f.name);
        return oc_no_memory(err);
    }
    e->custom[e->n_custom++] = f;
    return 0;
}
