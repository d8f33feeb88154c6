/* Macros over lists and maps, and calls. */
#include "cel/program.h"
#include <string.h>

struct fold {
    oc_cel_value wrong; /* the first error or non-bool */
    bool is_wrong;
    size_t hits;
};

/* all and exists: as && and || over the elements. */
static bool logic_step(outcall_cel_eval *ev, const uint32_t *body, int decisive, struct fold *f)
{
    oc_cel_value tmp;
    int yes = oc_cel_eval_truth(ev, body, &tmp);
    if (yes >= 0) {
        f->hits += yes == decisive;
        return yes == decisive;
    }
    if (!f->is_wrong) {
        f->is_wrong = true;
        f->wrong = tmp;
    }
    return ev->fatal != 0;
}

/* kid: the filter, if there is one, and the result, if it is not the element itself. */
static void collect(outcall_cel_eval *ev, const uint32_t *w, const uint32_t *kid, const oc_cel_value *range,
                    oc_cel_value *out)
{
    const uint32_t *filter = w[3] & 1 ? kid : NULL;
    const uint32_t *result = w[3] & 2 ? (filter ? oc_cel_word_next(kid) : kid) : NULL;
    size_t stride = range->kind == OUTCALL_CEL_MAP ? 2 : 1, n = 0;
    oc_cel_value *v = oc_cel_arena_array(&ev->scratch, range->n, sizeof(*v));
    if (!v) {
        oc_cel_fatal(ev, w[1], out, ev->scratch.failed);
        return;
    }
    for (size_t i = 0; i < range->n; i++) {
        ev->locals[w[2]] = &range->v[i * stride];
        int wanted = filter ? oc_cel_eval_truth(ev, filter, out) : 1;
        if (wanted < 0)
            return;
        if (wanted == 0)
            continue;
        oc_cel_value tmp;
        const oc_cel_value *one = result ? oc_cel_eval_word(ev, result, &tmp) : ev->locals[w[2]];
        if (one->kind == OC_CEL_ERROR) {
            *out = *one;
            return;
        }
        v[n++] = *one;
    }
    *out = oc_cel_list(v, n);
}

void oc_cel_eval_macro(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *out)
{
    oc_cel_value tmp;
    const uint32_t *kid = w + 4;
    uint32_t op = w[0] & 0xff;
    const oc_cel_value *range = oc_cel_eval_word(ev, kid, &tmp);
    if (range->kind == OC_CEL_ERROR) {
        *out = *range;
        return;
    }
    if (range->kind != OUTCALL_CEL_LIST && range->kind != OUTCALL_CEL_MAP) {
        oc_cel_error(ev, w[1], out, OUTCALL_E_TYPE, "expected list or map, found %s",
                     oc_cel_kind_name(range->kind));
        return;
    }
    kid = oc_cel_word_next(kid);
    if (op == OC_CEL_COLLECT) {
        collect(ev, w, kid, range, out);
        return;
    }
    struct fold f = {.is_wrong = false};
    int decisive = op != OC_CEL_ALL;
    size_t stride = range->kind == OUTCALL_CEL_MAP ? 2 : 1;
    for (size_t i = 0; i < range->n; i++) {
        ev->locals[w[2]] = &range->v[i * stride];
        bool over = logic_step(ev, kid, decisive, &f);
        if (over && (op != OC_CEL_EXISTS_ONE || ev->fatal))
            break;
    }
    if (op == OC_CEL_EXISTS_ONE)
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

static bool call_custom(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *const *args, size_t n,
                        oc_cel_value *out)
{
    const outcall_cel_env *env = ev->unit->env;
    uint8_t style = w[2] & OC_CEL_REG_LOCAL ? OC_CEL_MEMBER : OC_CEL_GLOBAL;
    for (size_t i = w[5] - 1U; i < env->n_custom; i++) {
        const struct oc_cel_custom *f = &env->custom[i];
        if (f->style != style || strcmp(f->name, env->custom[w[5] - 1U].name) != 0 || !fits(f->sig, args, n))
            continue;
        const oc_cel_value *ret = NULL;
        int r = f->fn(f->userdata, ev, args, n, &ret);
        if (r == OUTCALL_E_NO_MEMORY || r == OUTCALL_E_LIMIT)
            oc_cel_fatal(ev, w[1], out, r);
        else if (r < 0)
            oc_cel_error(ev, w[1], out, r, "%s: %s", f->name, outcall_code_string(r));
        else if (!ret)
            oc_cel_error(ev, w[1], out, OUTCALL_E_INTERNAL, "%s gave no value", f->name);
        else
            *out = *ret;
        return true;
    }
    return false;
}

void oc_cel_eval_call(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *out)
{
    oc_cel_value tmp[OC_CEL_ARGS_MAX];
    const oc_cel_value *args[OC_CEL_ARGS_MAX];
    const struct oc_cel_func *fn = oc_cel_word_pointer(w + 3);
    struct oc_cel_text name = oc_cel_word_text(ev->code, w + 8);
    int name_len = (int)OC_MIN(name.n, (size_t)64);
    uint32_t n = w[2] & ~OC_CEL_REG_LOCAL;
    if ((!fn && !w[5]) || n > OC_CEL_ARGS_MAX) {
        oc_cel_error(ev, w[1], out, OUTCALL_E_UNDECLARED, "unknown function \"%.*s\"", name_len, name.s);
        return;
    }
    const uint32_t *kid = w + 10;
    for (uint32_t i = 0; i < n; i++, kid = oc_cel_word_next(kid)) {
        args[i] = oc_cel_eval_word(ev, kid, &tmp[i]);
        if (args[i]->kind == OC_CEL_ERROR) {
            *out = *args[i];
            return;
        }
    }
    struct oc_cel_call call = {ev, w[1], oc_cel_word_pointer(w + 6), args, n, out};
    uint8_t style = w[2] & OC_CEL_REG_LOCAL ? OC_CEL_MEMBER : OC_CEL_GLOBAL;
    for (const struct oc_cel_func *f = fn; f && f->name && strcmp(f->name, fn->name) == 0; f++)
        if ((f->style & style) && fits(f->sig, args, n)) {
            f->impl(&call);
            return;
        }
    if (w[5] && call_custom(ev, w, args, n, out))
        return;
    oc_cel_error(ev, w[1], out, OUTCALL_E_TYPE, "%.*s() does not take (%s%s%s)", name_len, name.s,
                 n > 0 ? oc_cel_kind_name(args[0]->kind) : "", n > 1 ? ", " : "",
                 n > 1 ? oc_cel_kind_name(args[1]->kind) : "");
}
