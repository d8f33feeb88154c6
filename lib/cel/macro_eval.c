/* Macros over lists and maps, and calls. */
#include "cel/program.h"
#include <string.h>

struct fold {
    oc_cel_value wrong; /* the first error or non-bool */
    bool is_wrong;
    size_t hits;
};

/* all and exists: as && and || over the elements. */
static bool logic_step(outcall_cel_eval *ev, const struct oc_cel_node *body, bool decisive, struct fold *f)
{
    oc_cel_value tmp;
    const oc_cel_value *v = oc_cel_eval_node(ev, body, &tmp);
    if (v->kind == OUTCALL_CEL_BOOL) {
        f->hits += v->b == decisive;
        return v->b == decisive;
    }
    if (!f->is_wrong) {
        f->is_wrong = true;
        f->wrong = *v;
        if (v->kind != OC_CEL_ERROR)
            oc_cel_error(ev, body, &f->wrong, OUTCALL_E_TYPE, "expected bool, found %s",
                         oc_cel_kind_name(v->kind));
    }
    return ev->fatal != 0;
}

/* A condition that must be a bool: 1, 0, or -1 with *out the error. */
static int condition(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out)
{
    oc_cel_value tmp;
    const oc_cel_value *v = oc_cel_eval_node(ev, node, &tmp);
    if (v->kind == OUTCALL_CEL_BOOL)
        return v->b ? 1 : 0;
    if (v->kind == OC_CEL_ERROR)
        *out = *v;
    else
        oc_cel_error(ev, node, out, OUTCALL_E_TYPE, "expected bool, found %s", oc_cel_kind_name(v->kind));
    return -1;
}

static void collect(outcall_cel_eval *ev, const struct oc_cel_node *node, const oc_cel_value *range,
                    oc_cel_value *out)
{
    size_t stride = range->kind == OUTCALL_CEL_MAP ? 2 : 1, n = 0;
    oc_cel_value *v = oc_cel_arena_array(&ev->scratch, range->n, sizeof(*v));
    if (!v) {
        oc_cel_fatal(ev, node, out, ev->scratch.failed);
        return;
    }
    for (size_t i = 0; i < range->n; i++) {
        ev->locals[node->u.slot] = &range->v[i * stride];
        int wanted = node->kids[1] ? condition(ev, node->kids[1], out) : 1;
        if (wanted < 0)
            return;
        if (wanted == 0)
            continue;
        oc_cel_value tmp;
        const oc_cel_value *one =
            node->kids[2] ? oc_cel_eval_node(ev, node->kids[2], &tmp) : ev->locals[node->u.slot];
        if (one->kind == OC_CEL_ERROR) {
            *out = *one;
            return;
        }
        v[n++] = *one;
    }
    *out = oc_cel_list(v, n);
}

void oc_cel_eval_macro(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out)
{
    oc_cel_value tmp;
    const oc_cel_value *range = oc_cel_eval_node(ev, node->kids[0], &tmp);
    if (range->kind == OC_CEL_ERROR) {
        *out = *range;
        return;
    }
    if (range->kind != OUTCALL_CEL_LIST && range->kind != OUTCALL_CEL_MAP) {
        oc_cel_error(ev, node, out, OUTCALL_E_TYPE, "expected list or map, found %s",
                     oc_cel_kind_name(range->kind));
        return;
    }
    if (node->op == OC_CEL_COLLECT) {
        collect(ev, node, range, out);
        return;
    }
    struct fold f = {.is_wrong = false};
    bool decisive = node->op != OC_CEL_ALL;
    size_t stride = range->kind == OUTCALL_CEL_MAP ? 2 : 1;
    for (size_t i = 0; i < range->n; i++) {
        ev->locals[node->u.slot] = &range->v[i * stride];
        bool over = logic_step(ev, node->kids[1], decisive, &f);
        if (over && (node->op != OC_CEL_EXISTS_ONE || ev->fatal))
            break;
    }
    if (node->op == OC_CEL_EXISTS_ONE)
        *out = f.is_wrong ? f.wrong : oc_cel_bool(f.hits == 1);
    else if (f.hits > 0 && !ev->fatal)
        *out = oc_cel_bool(decisive);
    else
        *out = f.is_wrong ? f.wrong : oc_cel_bool(!decisive);
}

static bool fits(const char *sig, const oc_cel_value *const *args, size_t n)
{
    size_t i = 0;
    for (; i < n && sig[i] != ':'; i++)
        if (sig[i] != '*' && sig[i] != oc_cel_kind_letter(args[i]->kind))
            return false;
    return i == n && sig[i] == ':';
}

static bool call_custom(outcall_cel_eval *ev, const struct oc_cel_node *node, const oc_cel_value *const *args,
                        oc_cel_value *out)
{
    const outcall_cel_env *env = ev->program->env;
    uint8_t style = node->member ? OC_CEL_MEMBER : OC_CEL_GLOBAL;
    for (size_t i = node->custom - 1U; i < env->n_custom; i++) {
        const struct oc_cel_custom *f = &env->custom[i];
        if (f->style != style || strcmp(f->name, env->custom[node->custom - 1U].name) != 0 ||
            !fits(f->sig, args, node->n))
            continue;
        const oc_cel_value *ret = NULL;
        int r = f->fn(f->userdata, ev, args, node->n, &ret);
        if (r == OUTCALL_E_NO_MEMORY || r == OUTCALL_E_LIMIT)
            oc_cel_fatal(ev, node, out, r);
        else if (r < 0)
            oc_cel_error(ev, node, out, r, "%s: %s", f->name, outcall_code_string(r));
        else if (!ret)
            oc_cel_error(ev, node, out, OUTCALL_E_INTERNAL, "%s gave no value", f->name);
        else
            *out = *ret;
        return true;
    }
    return false;
}

void oc_cel_eval_call(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out)
{
    oc_cel_value tmp[OC_CEL_ARGS_MAX];
    const oc_cel_value *args[OC_CEL_ARGS_MAX];
    int name_len = (int)OC_MIN(node->name.n, (size_t)64);
    if ((!node->u.fn && !node->custom) || node->n > OC_CEL_ARGS_MAX) {
        oc_cel_error(ev, node, out, OUTCALL_E_UNDECLARED, "unknown function \"%.*s\"", name_len,
                     node->name.s);
        return;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        args[i] = oc_cel_eval_node(ev, node->kids[i], &tmp[i]);
        if (args[i]->kind == OC_CEL_ERROR) {
            *out = *args[i];
            return;
        }
    }
    struct oc_cel_call call = {ev, node, args, node->n, out};
    uint8_t style = node->member ? OC_CEL_MEMBER : OC_CEL_GLOBAL;
    for (const struct oc_cel_func *f = node->u.fn; f && f->name && strcmp(f->name, node->u.fn->name) == 0;
         f++)
        if ((f->style & style) && fits(f->sig, args, node->n)) {
            f->impl(&call);
            return;
        }
    if (node->custom && call_custom(ev, node, args, out))
        return;
    oc_cel_error(ev, node, out, OUTCALL_E_TYPE, "%.*s() does not take (%s%s%s)", name_len, node->name.s,
                 node->n > 0 ? oc_cel_kind_name(args[0]->kind) : "", node->n > 1 ? ", " : "",
                 node->n > 1 ? oc_cel_kind_name(args[1]->kind) : "");
}
