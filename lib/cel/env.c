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

/* A type at *s: its kind and its last parameter's; *s behind it. */
static bool parse_type(const char **s, unsigned depth, uint32_t *kind, uint32_t *elem)
{
    size_t n = strcspn(*s, "(), .-");
    uint32_t inner = OUTCALL_CEL_DYN;
    static const char *const dotted[] = {"google.protobuf.Timestamp", "google.protobuf.Duration", "net.IP",
                                         "net.CIDR"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(dotted); i++)
        if (strncmp(*s, dotted[i], strlen(dotted[i])) == 0)
            n = strlen(dotted[i]);
    int found = oc_cel_kind_by_name(*s, n);
    if (found < 0 && !(n == 3 && memcmp(*s, "dyn", 3) == 0))
        return false;
    *kind = found < 0 ? OUTCALL_CEL_DYN : (uint32_t)found;
    *elem = OUTCALL_CEL_DYN;
    *s += n;
    if (**s != '(' || (*kind != OUTCALL_CEL_LIST && *kind != OUTCALL_CEL_MAP))
        return true;
    for (int params = *kind == OUTCALL_CEL_LIST ? 1 : 2; params > 0; params--) {
        (*s)++;
        *s += strspn(*s, " ");
        if (depth == 0 || !parse_type(s, depth - 1, elem, &inner) || **s != (params == 1 ? ')' : ','))
            return false;
    }
    (*s)++;
    return true;
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
    uint32_t kind = 0, elem = 0;
    int r = usable(e, name, err);
    if (r < 0)
        return r;
    if (!name_ok(name))
        return oc_fail(err, OUTCALL_E_INVALID, "\"%.64s\" is no name of a variable", name);
    const char *at = type;
    if (!type || !parse_type(&at, 8, &kind, &elem) || *at)
        return oc_fail(err, OUTCALL_E_INVALID, "\"%.64s\" is no type", type ? type : "");
    if (oc_cel_names_find(e->names, name, strlen(name)) >= 0)
        return oc_fail(err, OUTCALL_E_EXISTS, "\"%.64s\" is already declared", name);
    if (e->names->n >= OC_CEL_VARIABLES_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "more than %d variables", OC_CEL_VARIABLES_MAX);
    r = oc_cel_names_add(e->names, name, strlen(name), kind, elem);
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

/* "(string, int) -> bool" or "string.(int) -> bool" as letters: "si:b". */
static bool parse_signature(const char *s, char sig[OC_CEL_ARGS_MAX + 3], uint8_t *style)
{
    size_t n = 0;
    uint32_t kind = 0, elem = 0;
    *style = OC_CEL_GLOBAL;
    if (*s != '(') {
        if (!parse_type(&s, 8, &kind, &elem) || *s++ != '.')
            return false;
        *style = OC_CEL_MEMBER;
        sig[n++] = oc_cel_kind_letter(kind);
    }
    if (*s++ != '(')
        return false;
    while (*s != ')') {
        if (n >= OC_CEL_ARGS_MAX || !parse_type(&s, 8, &kind, &elem))
            return false;
        sig[n++] = oc_cel_kind_letter(kind);
        if (*s == ',')
            s += 1 + strspn(s + 1, " ");
        else if (*s != ')')
            return false;
    }
    if (strncmp(s, ") -> ", 5) != 0)
        return false;
    s += 5;
    if (!parse_type(&s, 8, &kind, &elem) || *s)
        return false;
    sig[n++] = ':';
    sig[n++] = oc_cel_kind_letter(kind);
    sig[n] = 0;
    return true;
}

int outcall_cel_env_function(outcall_cel_env *e, const char *name, const char *signature, outcall_cel_fn fn,
                             void *userdata, outcall_error *err)
{
    char sig[OC_CEL_ARGS_MAX + 3];
    struct oc_cel_custom f = {.fn = fn, .userdata = userdata};
    int r = usable(e, name, err);
    if (r < 0)
        return r;
    if (!name_ok(name) || !fn || !signature || !parse_signature(signature, sig, &f.style))
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
    f.sig = f.name ? strdup(sig) : NULL;
    if (!f.sig) {
        free(f.name);
        return oc_no_memory(err);
    }
    e->custom[e->n_custom++] = f;
    return 0;
}
