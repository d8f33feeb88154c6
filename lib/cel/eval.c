/* The walk over the tree. Operands come back by pointer, so that variables and constants are never copied. */
#include "cel/program.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void oc_cel_fatal(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out, int code)
{
    if (ev->fatal == 0)
        ev->fatal = code;
    const char *why = code == OUTCALL_E_NO_MEMORY ? "out of memory"
                      : ev->budget.spent          ? "the evaluation takes too many steps"
                                                  : "the evaluation takes too much memory";
    *out = (oc_cel_value){.kind = OC_CEL_ERROR, .aux = node->pos, .s = why, .n = (size_t)-code};
}

static void error_text(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out, int code,
                       const char *fmt, va_list ap)
{
    char text[256];
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    char *copy = oc_cel_arena_text(&ev->scratch, text, OC_MIN((size_t)OC_MAX(len, 0), sizeof(text) - 1));
    if (!copy) {
        oc_cel_fatal(ev, node, out, ev->scratch.failed);
        return;
    }
    *out = (oc_cel_value){.kind = OC_CEL_ERROR, .aux = node->pos, .s = copy, .n = (size_t)-code};
}

void oc_cel_error(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out, int code,
                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_text(ev, node, out, code, fmt, ap);
    va_end(ap);
}

void oc_cel_call_error(struct oc_cel_call *c, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_text(c->ev, c->node, c->out, code, fmt, ap);
    va_end(ap);
}

void *oc_cel_scratch(struct oc_cel_call *c, size_t size)
{
    void *p = oc_cel_arena_alloc(&c->ev->scratch, size);
    if (!p)
        oc_cel_fatal(c->ev, c->node, c->out, c->ev->scratch.failed);
    return p;
}

static const oc_cel_value *select_field(outcall_cel_eval *ev, const struct oc_cel_node *node,
                                        const oc_cel_value *from, struct oc_cel_text name, oc_cel_value *tmp)
{
    if (from->kind == OC_CEL_ERROR)
        return from;
    if (from->kind != OUTCALL_CEL_MAP) {
        oc_cel_error(ev, node, tmp, OUTCALL_E_TYPE, "%s has no field \"%.*s\"", oc_cel_kind_name(from->kind),
                     (int)OC_MIN(name.n, (size_t)64), name.s);
        return tmp;
    }
    const oc_cel_value *v = oc_cel_map_field(from, name.s, name.n);
    if (v)
        return v;
    oc_cel_error(ev, node, tmp, OUTCALL_E_NOT_FOUND, "no such key \"%.*s\"", (int)OC_MIN(name.n, (size_t)64),
                 name.s);
    return tmp;
}

/* The selections that a reading leaves over are those nearest to the root of this node. */
static const oc_cel_value *select_rest(outcall_cel_eval *ev, const struct oc_cel_node *node, uint32_t selects,
                                       const oc_cel_value *v, oc_cel_value *tmp)
{
    if (selects == 0)
        return v;
    v = select_rest(ev, node->kids[0], selects - 1, v, tmp);
    return select_field(ev, node, v, node->name, tmp);
}

static const oc_cel_value *eval_ref(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    for (size_t i = 0; i < node->u.refs.n; i++) {
        const struct oc_cel_ref *ref = &node->u.refs.v[i];
        const oc_cel_value *v = ref->slot < 0 ? &ref->value : ev->slots[ref->slot];
        if (v)
            return select_rest(ev, node, ref->selects, v, tmp);
    }
    const struct oc_cel_node *root = node;
    while (root->n > 0)
        root = root->kids[0];
    oc_cel_error(ev, root, tmp, OUTCALL_E_UNDECLARED, "\"%.*s\" has no value",
                 (int)OC_MIN(root->name.n, (size_t)64), root->name.s);
    return tmp;
}

static const oc_cel_value *eval_slot(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    const oc_cel_value *v = ev->slots[node->u.slot];
    if (v)
        return v;
    const struct oc_cel_name *name = &ev->program->names->v[node->u.slot];
    oc_cel_error(ev, node, tmp, OUTCALL_E_UNDECLARED, "\"%.*s\" has no value",
                 (int)OC_MIN(name->len, (size_t)64), name->s);
    return tmp;
}

/* decisive: false for &&, true for ||. It wins from either side, even over errors; what else is wrong comes
 * second. */
static const oc_cel_value *eval_logic(outcall_cel_eval *ev, const struct oc_cel_node *node, bool decisive,
                                      oc_cel_value *tmp)
{
    oc_cel_value wrong = oc_cel_null(), one;
    bool is_wrong = false;
    for (uint32_t i = 0; i < node->n; i++) {
        const oc_cel_value *v = oc_cel_eval_node(ev, node->kids[i], &one);
        if (v->kind == OUTCALL_CEL_BOOL) {
            if (v->b == decisive) {
                *tmp = *v;
                return tmp;
            }
            continue;
        }
        if (ev->fatal) {
            *tmp = *v;
            return tmp;
        }
        if (is_wrong)
            continue;
        is_wrong = true;
        if (v->kind == OC_CEL_ERROR)
            wrong = *v;
        else
            oc_cel_error(ev, node->kids[i], &wrong, OUTCALL_E_TYPE, "expected bool, found %s",
                         oc_cel_kind_name(v->kind));
    }
    *tmp = is_wrong ? wrong : oc_cel_bool(!decisive);
    return tmp;
}

static const oc_cel_value *eval_cond(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    const oc_cel_value *v = oc_cel_eval_node(ev, node->kids[0], tmp);
    if (v->kind == OUTCALL_CEL_BOOL)
        return oc_cel_eval_node(ev, node->kids[v->b ? 1 : 2], tmp);
    if (v->kind != OC_CEL_ERROR) {
        oc_cel_error(ev, node->kids[0], tmp, OUTCALL_E_TYPE, "expected bool, found %s",
                     oc_cel_kind_name(v->kind));
        return tmp;
    }
    return v;
}

static const oc_cel_value *eval_has(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    for (size_t i = 0; i < node->u.refs.n; i++)
        if (ev->slots[node->u.refs.v[i].slot]) {
            *tmp = oc_cel_bool(true);
            return tmp;
        }
    const oc_cel_value *from = oc_cel_eval_node(ev, node->kids[0], tmp);
    if (from->kind == OC_CEL_ERROR)
        return from;
    if (from->kind != OUTCALL_CEL_MAP)
        oc_cel_error(ev, node, tmp, OUTCALL_E_TYPE, "%s has no fields", oc_cel_kind_name(from->kind));
    else
        *tmp = oc_cel_bool(oc_cel_map_field(from, node->name.s, node->name.n) != NULL);
    return tmp;
}

static const oc_cel_value *index_list(outcall_cel_eval *ev, const struct oc_cel_node *node,
                                      const oc_cel_value *list, const oc_cel_value *at, oc_cel_value *tmp)
{
    uint64_t i = UINT64_MAX;
    if (at->kind == OUTCALL_CEL_INT && at->i >= 0) {
        i = (uint64_t)at->i;
    } else if (at->kind == OUTCALL_CEL_UINT) {
        i = at->u;
    } else if (at->kind == OUTCALL_CEL_DOUBLE) {
        if (at->d >= 0 && at->d < 0x1p53 && (double)(uint64_t)at->d == at->d)
            i = (uint64_t)at->d;
    } else if (at->kind != OUTCALL_CEL_INT) {
        oc_cel_error(ev, node, tmp, OUTCALL_E_TYPE, "a list has no index of type %s",
                     oc_cel_kind_name(at->kind));
        return tmp;
    }
    if (i < list->n)
        return &list->v[i];
    oc_cel_error(ev, node, tmp, OUTCALL_E_NOT_FOUND, "index out of range: the list has %zu elements",
                 list->n);
    return tmp;
}

static const oc_cel_value *eval_index(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    oc_cel_value key_tmp;
    const oc_cel_value *from = oc_cel_eval_node(ev, node->kids[0], tmp);
    if (from->kind == OC_CEL_ERROR)
        return from;
    const oc_cel_value *key = oc_cel_eval_node(ev, node->kids[1], &key_tmp);
    if (key->kind == OC_CEL_ERROR) {
        *tmp = *key;
        return tmp;
    }
    if (from->kind == OUTCALL_CEL_LIST)
        return index_list(ev, node, from, key, tmp);
    bool usable = key->kind == OUTCALL_CEL_STRING || key->kind == OUTCALL_CEL_BOOL ||
                  key->kind == OUTCALL_CEL_INT || key->kind == OUTCALL_CEL_UINT ||
                  key->kind == OUTCALL_CEL_DOUBLE;
    if (from->kind != OUTCALL_CEL_MAP || !usable) {
        oc_cel_error(ev, node, tmp, OUTCALL_E_TYPE, "no such operation: %s[%s]", oc_cel_kind_name(from->kind),
                     oc_cel_kind_name(key->kind));
        return tmp;
    }
    const oc_cel_value *v = oc_cel_map_find(&ev->budget, from, key);
    if (v)
        return v;
    if (key->kind == OUTCALL_CEL_STRING)
        oc_cel_error(ev, node, tmp, OUTCALL_E_NOT_FOUND, "no such key \"%.*s\"",
                     (int)OC_MIN(key->n, (size_t)64), key->s);
    else
        oc_cel_error(ev, node, tmp, OUTCALL_E_NOT_FOUND, "no such key");
    return tmp;
}

static const oc_cel_value *eval_list(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    oc_cel_value *v = oc_cel_arena_array(&ev->scratch, node->n, sizeof(*v));
    if (!v) {
        oc_cel_fatal(ev, node, tmp, ev->scratch.failed);
        return tmp;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        const oc_cel_value *one = oc_cel_eval_node(ev, node->kids[i], &v[i]);
        if (one->kind == OC_CEL_ERROR) {
            *tmp = *one;
            return tmp;
        }
        if (one != &v[i])
            v[i] = *one;
    }
    *tmp = node->op == OC_CEL_MAP ? oc_cel_map(v, node->n / 2) : oc_cel_list(v, node->n);
    return tmp;
}

static const oc_cel_value *eval_map(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    const oc_cel_value *map = eval_list(ev, node, tmp);
    if (map->kind == OC_CEL_ERROR)
        return map;
    oc_cel_value so_far = *map;
    for (so_far.n = 0; so_far.n < map->n; so_far.n++) {
        const oc_cel_value *key = &map->v[2 * so_far.n];
        if (key->kind != OUTCALL_CEL_STRING && key->kind != OUTCALL_CEL_INT &&
            key->kind != OUTCALL_CEL_UINT && key->kind != OUTCALL_CEL_BOOL) {
            oc_cel_error(ev, node->kids[2 * so_far.n], tmp, OUTCALL_E_TYPE, "%s cannot be the key of a map",
                         oc_cel_kind_name(key->kind));
            return tmp;
        }
        if (oc_cel_map_find(&ev->budget, &so_far, key)) {
            oc_cel_error(ev, node->kids[2 * so_far.n], tmp, OUTCALL_E_INVALID,
                         "the key is already in the map");
            return tmp;
        }
    }
    return tmp;
}

static void no_operation(outcall_cel_eval *ev, const struct oc_cel_node *node, const oc_cel_value *a,
                         const oc_cel_value *b, oc_cel_value *out)
{
    static const char *const signs[] = {
        [OC_CEL_LT] = "<", [OC_CEL_LE] = "<=", [OC_CEL_GT] = ">", [OC_CEL_GE] = ">=", [OC_CEL_IN] = "in"};
    oc_cel_error(ev, node, out, OUTCALL_E_TYPE, "no such operation: %s %s %s", oc_cel_kind_name(a->kind),
                 signs[node->op], oc_cel_kind_name(b->kind));
}

static void eval_in(outcall_cel_eval *ev, const struct oc_cel_node *node, const oc_cel_value *a,
                    const oc_cel_value *b, oc_cel_value *out)
{
    bool found = false;
    if (b->kind == OUTCALL_CEL_MAP) {
        found = oc_cel_map_find(&ev->budget, b, a) != NULL;
    } else if (b->kind == OUTCALL_CEL_LIST) {
        for (size_t i = 0; i < b->n && !found; i++)
            found = oc_cel_equal(&ev->budget, a, &b->v[i]);
    } else {
        no_operation(ev, node, a, b, out);
        return;
    }
    *out = oc_cel_bool(found);
}

static void eval_order(outcall_cel_eval *ev, const struct oc_cel_node *node, const oc_cel_value *a,
                       const oc_cel_value *b, oc_cel_value *out)
{
    enum oc_cel_order o = oc_cel_compare(a, b);
    if (o == OC_CEL_NO_ORDER) {
        no_operation(ev, node, a, b, out);
        return;
    }
    bool less = o == OC_CEL_LESS, more = o == OC_CEL_MORE, same = o == OC_CEL_SAME;
    *out = oc_cel_bool(node->op == OC_CEL_LT   ? less
                       : node->op == OC_CEL_LE ? less || same
                       : node->op == OC_CEL_GT ? more
                                               : more || same);
}

static const oc_cel_value *eval_binary(outcall_cel_eval *ev, const struct oc_cel_node *node,
                                       oc_cel_value *tmp)
{
    oc_cel_value ta, tb;
    const oc_cel_value *a = oc_cel_eval_node(ev, node->kids[0], &ta), *b = a; /* of one operand: unused */
    if (a->kind != OC_CEL_ERROR && node->n > 1)
        b = oc_cel_eval_node(ev, node->kids[1], &tb);
    if (a->kind == OC_CEL_ERROR || b->kind == OC_CEL_ERROR) {
        *tmp = a->kind == OC_CEL_ERROR ? *a : *b;
        return tmp;
    }
    struct oc_cel_call call = {ev, node, NULL, 0, tmp};
    switch (node->op) {
    case OC_CEL_EQ:
    case OC_CEL_NE:
        *tmp = oc_cel_bool(oc_cel_equal(&ev->budget, a, b) == (node->op == OC_CEL_EQ));
        break;
    case OC_CEL_IN:
        eval_in(ev, node, a, b, tmp);
        break;
    case OC_CEL_LT:
    case OC_CEL_LE:
    case OC_CEL_GT:
    case OC_CEL_GE:
        eval_order(ev, node, a, b, tmp);
        break;
    case OC_CEL_NOT:
        if (a->kind == OUTCALL_CEL_BOOL)
            *tmp = oc_cel_bool(!a->b);
        else
            oc_cel_error(ev, node, tmp, OUTCALL_E_TYPE, "no such operation: !%s", oc_cel_kind_name(a->kind));
        break;
    default:
        oc_cel_arithmetic(&call, node->op, a, b);
        break;
    }
    return tmp;
}

const oc_cel_value *oc_cel_eval_node(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp)
{
    if (ev->fatal || !oc_cel_spend(&ev->budget, 1)) {
        oc_cel_fatal(ev, node, tmp, OUTCALL_E_LIMIT);
        return tmp;
    }
    switch (node->op) {
    case OC_CEL_CONST:
        return &node->u.value;
    case OC_CEL_SLOT:
        return eval_slot(ev, node, tmp);
    case OC_CEL_LOCAL:
        return ev->locals[node->u.slot];
    case OC_CEL_REF:
        return eval_ref(ev, node, tmp);
    case OC_CEL_SELECT:
        return select_field(ev, node, oc_cel_eval_node(ev, node->kids[0], tmp), node->name, tmp);
    case OC_CEL_HAS:
        return eval_has(ev, node, tmp);
    case OC_CEL_BOUND:
        *tmp = oc_cel_bool(ev->slots[node->u.slot] != NULL);
        return tmp;
    case OC_CEL_INDEX:
        return eval_index(ev, node, tmp);
    case OC_CEL_AND:
        return eval_logic(ev, node, false, tmp);
    case OC_CEL_OR:
        return eval_logic(ev, node, true, tmp);
    case OC_CEL_COND:
        return eval_cond(ev, node, tmp);
    case OC_CEL_LIST:
        return eval_list(ev, node, tmp);
    case OC_CEL_MAP:
        return eval_map(ev, node, tmp);
    case OC_CEL_CALL:
        oc_cel_eval_call(ev, node, tmp);
        return tmp;
    case OC_CEL_ALL:
    case OC_CEL_EXISTS:
    case OC_CEL_EXISTS_ONE:
    case OC_CEL_COLLECT:
        oc_cel_eval_macro(ev, node, tmp);
        return tmp;
    default:
        return eval_binary(ev, node, tmp);
    }
}
