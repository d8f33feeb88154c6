/* The walk over the words. Operands come back by pointer, so that variables and constants are never copied.
 */
#include "cel/program.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void oc_cel_fatal(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, int code)
{
    if (ev->fatal == 0)
        ev->fatal = code;
    const char *why = code == OUTCALL_E_NO_MEMORY ? "out of memory"
                      : ev->budget.spent          ? "the evaluation takes too many steps"
                                                  : "the evaluation takes too much memory";
    *out = (oc_cel_value){.kind = OC_CEL_ERROR, .aux = pos, .s = why, .n = (size_t)-code};
}

OC_PRINTF(5, 0)
static void error_text(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, int code, const char *fmt,
                       va_list ap)
{
    char text[256];
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    char *copy = oc_cel_arena_text(&ev->scratch, text, OC_MIN((size_t)OC_MAX(len, 0), sizeof(text) - 1));
    if (!copy) {
        oc_cel_fatal(ev, pos, out, ev->scratch.failed);
        return;
    }
    *out = (oc_cel_value){.kind = OC_CEL_ERROR, .aux = pos, .s = copy, .n = (size_t)-code};
}

void oc_cel_error(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_text(ev, pos, out, code, fmt, ap);
    va_end(ap);
}

void oc_cel_call_error(struct oc_cel_call *c, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_text(c->ev, c->pos, c->out, code, fmt, ap);
    va_end(ap);
}

void *oc_cel_scratch(struct oc_cel_call *c, size_t size)
{
    void *p = oc_cel_arena_alloc(&c->ev->scratch, size);
    if (!p)
        oc_cel_fatal(c->ev, c->pos, c->out, c->ev->scratch.failed);
    return p;
}

void oc_cel_not_bool(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, const oc_cel_value *found)
{
    if (found->kind == OC_CEL_ERROR)
        *out = *found;
    else
        oc_cel_error(ev, pos, out, OUTCALL_E_TYPE, "expected bool, found %s", oc_cel_kind_name(found->kind));
}

static const oc_cel_value *no_value(outcall_cel_eval *ev, uint32_t pos, struct oc_cel_text name,
                                    oc_cel_value *tmp)
{
    oc_cel_error(ev, pos, tmp, OUTCALL_E_UNDECLARED, "\"%.*s\" has no value", (int)OC_MIN(name.n, (size_t)64),
                 name.s);
    return tmp;
}

const oc_cel_value *oc_cel_slot_value(outcall_cel_eval *ev, uint32_t slot, uint32_t pos, oc_cel_value *tmp)
{
    const oc_cel_value *v = ev->slots[slot];
    if (v)
        return v;
    const struct oc_cel_name *name = &ev->unit->names->v[slot];
    return no_value(ev, pos, (struct oc_cel_text){name->s, name->len}, tmp);
}

static const oc_cel_value *select_field(outcall_cel_eval *ev, uint32_t pos, const oc_cel_value *from,
                                        struct oc_cel_text name, oc_cel_value *tmp)
{
    if (from->kind == OC_CEL_ERROR)
        return from;
    if (from->kind != OUTCALL_CEL_MAP) {
        oc_cel_error(ev, pos, tmp, OUTCALL_E_TYPE, "%s has no field \"%.*s\"", oc_cel_kind_name(from->kind),
                     (int)OC_MIN(name.n, (size_t)64), name.s);
        return tmp;
    }
    const oc_cel_value *v = oc_cel_map_field(from, name.s, name.n);
    if (v)
        return v;
    oc_cel_error(ev, pos, tmp, OUTCALL_E_NOT_FOUND, "no such key \"%.*s\"", (int)OC_MIN(name.n, (size_t)64),
                 name.s);
    return tmp;
}

/* The first reading that has a value; the selections that it leaves over are the last ones. */
static const oc_cel_value *eval_ref(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    const struct oc_cel_ref *refs = oc_cel_word_pointer(w + 2);
    for (uint32_t i = 0; i < w[4]; i++) {
        const oc_cel_value *v = refs[i].slot < 0 ? &refs[i].value : ev->slots[refs[i].slot];
        if (!v)
            continue;
        for (uint32_t k = w[8] - refs[i].selects; k < w[8]; k++) {
            const uint32_t *select = w + 9 + (size_t)3 * k;
            v = select_field(ev, select[0], v, oc_cel_word_text(ev->code, select + 1), tmp);
        }
        return v;
    }
    return no_value(ev, w[7], oc_cel_word_text(ev->code, w + 5), tmp);
}

static const oc_cel_value *eval_cond(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    const uint32_t *kid = w + 2;
    int yes = oc_cel_eval_truth(ev, kid, tmp);
    if (yes < 0)
        return tmp;
    kid = oc_cel_word_next(kid);
    return oc_cel_eval_word(ev, yes ? kid : oc_cel_word_next(kid), tmp);
}

static const oc_cel_value *eval_has(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    const struct oc_cel_ref *refs = oc_cel_word_pointer(w + 4);
    struct oc_cel_text name = oc_cel_word_text(ev->code, w + 2);
    for (uint32_t i = 0; i < w[6]; i++)
        if (ev->slots[refs[i].slot]) {
            *tmp = oc_cel_bool(true);
            return tmp;
        }
    const oc_cel_value *from = oc_cel_eval_word(ev, w + 7, tmp);
    if (from->kind == OC_CEL_ERROR)
        return from;
    if (from->kind != OUTCALL_CEL_MAP)
        oc_cel_error(ev, w[1], tmp, OUTCALL_E_TYPE, "%s has no fields", oc_cel_kind_name(from->kind));
    else
        *tmp = oc_cel_bool(oc_cel_map_field(from, name.s, name.n) != NULL);
    return tmp;
}

/* Two operands; false when one is an error, and that is in *tmp. */
static bool operands(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value **a, const oc_cel_value **b,
                     oc_cel_value room[2], oc_cel_value *tmp)
{
    *a = oc_cel_eval_word(ev, w + 2, &room[0]);
    if ((*a)->kind == OC_CEL_ERROR) {
        *tmp = **a;
        return false;
    }
    *b = oc_cel_eval_word(ev, oc_cel_word_next(w + 2), &room[1]);
    if ((*b)->kind == OC_CEL_ERROR) {
        *tmp = **b;
        return false;
    }
    return true;
}

static const oc_cel_value *index_list(outcall_cel_eval *ev, uint32_t pos, const oc_cel_value *list,
                                      const oc_cel_value *at, oc_cel_value *tmp)
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
        oc_cel_error(ev, pos, tmp, OUTCALL_E_TYPE, "a list has no index of type %s",
                     oc_cel_kind_name(at->kind));
        return tmp;
    }
    if (i < list->n)
        return &list->v[i];
    oc_cel_error(ev, pos, tmp, OUTCALL_E_NOT_FOUND, "index out of range: the list has %zu elements", list->n);
    return tmp;
}

static const oc_cel_value *eval_index(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    oc_cel_value room[2];
    const oc_cel_value *from = NULL, *key = NULL;
    if (!operands(ev, w, &from, &key, room, tmp))
        return tmp;
    if (from->kind == OUTCALL_CEL_LIST)
        return index_list(ev, w[1], from, key, tmp);
    bool usable = key->kind == OUTCALL_CEL_STRING || key->kind == OUTCALL_CEL_BOOL ||
                  key->kind == OUTCALL_CEL_INT || key->kind == OUTCALL_CEL_UINT ||
                  key->kind == OUTCALL_CEL_DOUBLE;
    if (from->kind != OUTCALL_CEL_MAP || !usable) {
        oc_cel_error(ev, w[1], tmp, OUTCALL_E_TYPE, "no such operation: %s[%s]", oc_cel_kind_name(from->kind),
                     oc_cel_kind_name(key->kind));
        return tmp;
    }
    const oc_cel_value *v = oc_cel_map_find(&ev->budget, from, key);
    if (v)
        return v;
    if (key->kind == OUTCALL_CEL_STRING)
        oc_cel_error(ev, w[1], tmp, OUTCALL_E_NOT_FOUND, "no such key \"%.*s\"",
                     (int)OC_MIN(key->n, (size_t)64), key->s);
    else
        oc_cel_error(ev, w[1], tmp, OUTCALL_E_NOT_FOUND, "no such key");
    return tmp;
}

/* The elements one after the other, in scratch memory; NULL: *tmp is an error. */
static oc_cel_value *eval_elements(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    oc_cel_value *v = oc_cel_arena_array(&ev->scratch, w[2], sizeof(*v));
    if (!v) {
        oc_cel_fatal(ev, w[1], tmp, ev->scratch.failed);
        return NULL;
    }
    const uint32_t *kid = w + 3;
    for (uint32_t i = 0; i < w[2]; i++, kid = oc_cel_word_next(kid)) {
        const oc_cel_value *one = oc_cel_eval_word(ev, kid, &v[i]);
        if (one->kind == OC_CEL_ERROR) {
            *tmp = *one;
            return NULL;
        }
        if (one != &v[i])
            v[i] = *one;
    }
    return v;
}

static void eval_map(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    oc_cel_value map = oc_cel_map(eval_elements(ev, w, tmp), 0);
    const uint32_t *kid = w + 3;
    if (!map.v)
        return;
    for (; map.n < w[2] / 2; map.n++, kid = oc_cel_word_next(oc_cel_word_next(kid))) {
        const oc_cel_value *key = &map.v[2 * map.n];
        if (key->kind != OUTCALL_CEL_STRING && key->kind != OUTCALL_CEL_INT &&
            key->kind != OUTCALL_CEL_UINT && key->kind != OUTCALL_CEL_BOOL) {
            oc_cel_error(ev, kid[1], tmp, OUTCALL_E_TYPE, "%s cannot be the key of a map",
                         oc_cel_kind_name(key->kind));
            return;
        }
        if (oc_cel_map_find(&ev->budget, &map, key)) {
            oc_cel_error(ev, kid[1], tmp, OUTCALL_E_INVALID, "the key is already in the map");
            return;
        }
    }
    *tmp = map;
}

static void eval_list(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    const oc_cel_value *v = eval_elements(ev, w, tmp);
    if (v)
        *tmp = oc_cel_list(v, w[2]);
}

static void no_operation(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *a,
                         const oc_cel_value *b, oc_cel_value *out)
{
    static const char *const signs[] = {
        [OC_CEL_LT] = "<", [OC_CEL_LE] = "<=", [OC_CEL_GT] = ">", [OC_CEL_GE] = ">=", [OC_CEL_IN] = "in"};
    oc_cel_error(ev, w[1], out, OUTCALL_E_TYPE, "no such operation: %s %s %s", oc_cel_kind_name(a->kind),
                 signs[w[0] & 0xff], oc_cel_kind_name(b->kind));
}

static void eval_in(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *a, const oc_cel_value *b,
                    oc_cel_value *out)
{
    bool found = false;
    if (b->kind == OUTCALL_CEL_MAP) {
        found = oc_cel_map_find(&ev->budget, b, a) != NULL;
    } else if (b->kind == OUTCALL_CEL_LIST) {
        for (size_t i = 0; i < b->n && !found; i++)
            found = oc_cel_equal(&ev->budget, a, &b->v[i]);
    } else {
        no_operation(ev, w, a, b, out);
        return;
    }
    *out = oc_cel_bool(found);
}

static void eval_order(outcall_cel_eval *ev, const uint32_t *w, const oc_cel_value *a, const oc_cel_value *b,
                       oc_cel_value *out)
{
    enum oc_cel_order o = oc_cel_compare(a, b);
    if (o == OC_CEL_NO_ORDER) {
        no_operation(ev, w, a, b, out);
        return;
    }
    bool less = o == OC_CEL_LESS, more = o == OC_CEL_MORE, same = o == OC_CEL_SAME;
    *out = oc_cel_bool((w[0] & 0xff) == OC_CEL_LT   ? less
                       : (w[0] & 0xff) == OC_CEL_LE ? less || same
                       : (w[0] & 0xff) == OC_CEL_GT ? more
                                                    : more || same);
}

static void eval_unary(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    oc_cel_value room;
    const oc_cel_value *a = oc_cel_eval_word(ev, w + 2, &room);
    struct oc_cel_call call = {ev, w[1], NULL, NULL, 0, tmp};
    if (a->kind == OC_CEL_ERROR)
        *tmp = *a;
    else if ((w[0] & 0xff) == OC_CEL_NEG)
        oc_cel_arithmetic(&call, OC_CEL_NEG, a, NULL);
    else if (a->kind == OUTCALL_CEL_BOOL)
        *tmp = oc_cel_bool(!a->b);
    else
        oc_cel_error(ev, w[1], tmp, OUTCALL_E_TYPE, "no such operation: !%s", oc_cel_kind_name(a->kind));
}

static void eval_binary(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    oc_cel_value room[2];
    const oc_cel_value *a = NULL, *b = NULL;
    uint8_t op = w[0] & 0xff;
    if (!operands(ev, w, &a, &b, room, tmp))
        return;
    struct oc_cel_call call = {ev, w[1], NULL, NULL, 0, tmp};
    switch (op) {
    case OC_CEL_EQ:
    case OC_CEL_NE:
        *tmp = oc_cel_bool(oc_cel_equal(&ev->budget, a, b) == (op == OC_CEL_EQ));
        break;
    case OC_CEL_IN:
        eval_in(ev, w, a, b, tmp);
        break;
    case OC_CEL_LT:
    case OC_CEL_LE:
    case OC_CEL_GT:
    case OC_CEL_GE:
        eval_order(ev, w, a, b, tmp);
        break;
    default:
        oc_cel_arithmetic(&call, op, a, b);
        break;
    }
}

/* What gives a bool or an error and is made here. */
static void eval_own(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    switch (w[0] & 0xff) {
    case OC_CEL_BOUND:
        *tmp = oc_cel_bool(ev->slots[w[2]] != NULL);
        break;
    case OC_CEL_LIST:
        eval_list(ev, w, tmp);
        break;
    case OC_CEL_MAP:
        eval_map(ev, w, tmp);
        break;
    case OC_CEL_CALL:
        oc_cel_eval_call(ev, w, tmp);
        break;
    case OC_CEL_ALL:
    case OC_CEL_EXISTS:
    case OC_CEL_EXISTS_ONE:
    case OC_CEL_COLLECT:
        oc_cel_eval_macro(ev, w, tmp);
        break;
    case OC_CEL_NOT:
    case OC_CEL_NEG:
        eval_unary(ev, w, tmp);
        break;
    default:
        eval_binary(ev, w, tmp);
        break;
    }
}

const oc_cel_value *oc_cel_eval_word(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp)
{
    uint32_t op = w[0] & 0xff;
    if (op == OC_CEL_AND || op == OC_CEL_OR || op > OC_CEL_COLLECT) {
        int yes = oc_cel_eval_truth(ev, w, tmp);
        if (yes >= 0)
            *tmp = oc_cel_bool(yes != 0);
        return tmp;
    }
    if (ev->fatal || !oc_cel_spend(&ev->budget, 1)) {
        oc_cel_fatal(ev, w[1], tmp, OUTCALL_E_LIMIT);
        return tmp;
    }
    switch (op) {
    case OC_CEL_CONST:
        return oc_cel_word_pointer(w + 2);
    case OC_CEL_SLOT:
        return oc_cel_slot_value(ev, w[2], w[1], tmp);
    case OC_CEL_LOCAL:
        return ev->locals[w[2]];
    case OC_CEL_REF:
        return eval_ref(ev, w, tmp);
    case OC_CEL_SELECT:
        return select_field(ev, w[1], oc_cel_eval_word(ev, w + 4, tmp), oc_cel_word_text(ev->code, w + 2),
                            tmp);
    case OC_CEL_HAS:
        return eval_has(ev, w, tmp);
    case OC_CEL_INDEX:
        return eval_index(ev, w, tmp);
    case OC_CEL_COND:
        return eval_cond(ev, w, tmp);
    default:
        eval_own(ev, w, tmp);
        return tmp;
    }
}
