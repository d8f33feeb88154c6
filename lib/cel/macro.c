#include "cel/macro.h"
#include <string.h>

int oc_cel_expand_has(struct oc_cel_parser *p, size_t pos, const struct oc_cel_node_list *args,
                      struct oc_cel_node **ret)
{
    if (args->n != 1)
        return oc_cel_fail_at(&p->lex, pos, OUTCALL_E_SYNTAX,
                              "has() takes one argument, a field selection such as has(a.b)");
    struct oc_cel_node *field = args->v[0];
    if (field->op != OC_CEL_SELECT)
        return oc_cel_fail_at(&p->lex, field->pos, OUTCALL_E_SYNTAX,
                              "the argument of has() must be a field selection such as a.b");
    field->op = OC_CEL_HAS;
    *ret = field;
    return 0;
}

static const struct macro {
    const char *name;
    size_t args; /* with the range */
    uint8_t op;
} macros[] = {
    {"all", 3, OC_CEL_ALL},     {"exists", 3, OC_CEL_EXISTS}, {"exists_one", 3, OC_CEL_EXISTS_ONE},
    {"map", 3, OC_CEL_COLLECT}, {"map", 4, OC_CEL_COLLECT},   {"filter", 3, OC_CEL_COLLECT},
};

static const struct macro *find(struct oc_cel_text name, size_t args)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(macros); i++)
        if (macros[i].args == args && strlen(macros[i].name) == name.n &&
            memcmp(macros[i].name, name.s, name.n) == 0)
            return &macros[i];
    return NULL;
}

int oc_cel_expand_macro(struct oc_cel_parser *p, size_t pos, struct oc_cel_text name,
                        const struct oc_cel_node_list *args, struct oc_cel_node **ret, bool *ret_expanded)
{
    const struct macro *m = find(name, args->n);
    if (!m)
        return 0;
    const struct oc_cel_node *variable = args->v[1];
    if (variable->op != OC_CEL_IDENT || variable->rooted)
        return oc_cel_fail_at(&p->lex, variable->pos, OUTCALL_E_SYNTAX,
                              "the first argument of %s() must be a plain name", m->name);
    struct oc_cel_node *kids[3] = {args->v[0], args->v[2], NULL};
    size_t n = 2;
    if (m->op == OC_CEL_COLLECT) {
        n = 3;
        if (name.s[0] == 'm') {
            kids[1] = args->n == 4 ? args->v[2] : NULL;
            kids[2] = args->v[args->n - 1];
        }
    }
    int r = oc_cel_node_new(p, m->op, pos, kids, n, ret);
    if (r < 0)
        return r;
    (*ret)->name = variable->name;
    *ret_expanded = true;
    return 0;
}
