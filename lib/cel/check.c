/* Types, before anything runs. The check may only refuse: what it cannot know is dyn, and the evaluation's
 * business. Operators are overloads of functions, and are checked as such. */
#include "cel/overload.h"
#include "core/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DYN \
    {       \
        "*" \
    }

struct checker {
    struct oc_cel_build *b;
    struct oc_cel_type locals[OC_CEL_DEPTH_CAP];
    char texts[4][OC_CEL_TYPE_TEXT]; /* of the types in a message: not in the frames of what recurses */
    unsigned n_texts;
};

static const char *text_of(struct checker *c, const struct oc_cel_type *t)
{
    return oc_cel_type_text(t, c->texts[c->n_texts++ % OC_ARRAY_SIZE(c->texts)]);
}

/* Where a part begins: an operator stands behind its first operand. */
static const struct oc_cel_node *start_of(const struct oc_cel_node *node)
{
    while (node->n > 0 && node->kids[0]->pos < node->pos)
        node = node->kids[0];
    return node;
}

OC_PRINTF(3, 4)
static int fail(struct checker *c, const struct oc_cel_node *node, const char *fmt, ...)
{
    char text[OUTCALL_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return oc_cel_build_fail(c->b, node, OUTCALL_E_TYPE, "", text);
}

static bool is_type(const struct oc_cel_type *t, char letter)
{
    return t->s[0] == letter || t->s[0] == '*';
}

static const char *name_of(const struct oc_cel_node *node)
{
    static const char *const names[] = {
        [OC_CEL_INDEX] = "[]",   [OC_CEL_AND] = "&&",        [OC_CEL_OR] = "||",
        [OC_CEL_NOT] = "!",      [OC_CEL_NEG] = "-",         [OC_CEL_COND] = "?",
        [OC_CEL_ADD] = "+",      [OC_CEL_SUB] = "-",         [OC_CEL_MUL] = "*",
        [OC_CEL_DIV] = "/",      [OC_CEL_MOD] = "%",         [OC_CEL_EQ] = "==",
        [OC_CEL_NE] = "!=",      [OC_CEL_LT] = "<",          [OC_CEL_LE] = "<=",
        [OC_CEL_GT] = ">",       [OC_CEL_GE] = ">=",         [OC_CEL_IN] = "in",
        [OC_CEL_ALL] = "all",    [OC_CEL_EXISTS] = "exists", [OC_CEL_EXISTS_ONE] = "exists_one",
        [OC_CEL_COLLECT] = "map"};
    return node->op == OC_CEL_COLLECT && !node->kids[2] ? "filter" : names[node->op];
}

static int check(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret);

static int check_bool(struct checker *c, const struct oc_cel_node *owner, const struct oc_cel_node *node)
{
    struct oc_cel_type t = DYN;
    int r = check(c, node, &t);
    if (r < 0 || is_type(&t, 'b'))
        return r;
    return fail(c, start_of(node), "\"%s\": expected bool, found %s", name_of(owner), text_of(c, &t));
}

static struct oc_cel_type type_of_value(const oc_cel_value *v)
{
    struct oc_cel_type t = oc_cel_type_of_kind(v->kind);
    if (v->kind != OUTCALL_CEL_LIST || v->n == 0)
        return t;
    struct oc_cel_type elem = type_of_value(&v->v[0]);
    for (size_t i = 1; i < v->n; i++) {
        t = type_of_value(&v->v[i]);
        elem = oc_cel_type_join(&elem, &t);
    }
    return oc_cel_type_list(&elem);
}

/* A field of what from is. */
static int check_field(struct checker *c, const struct oc_cel_node *node, const struct oc_cel_type *from,
                       struct oc_cel_type *ret)
{
    bool map = from->s[0] == 'm', fields = map && (from->s[1] == 's' || from->s[1] == '*');
    if (!fields && from->s[0] != '*')
        return fail(c, node, "%s has no field \"%.*s\": expected a map%s", text_of(c, from),
                    (int)OC_MIN(node->name.n, (size_t)64), node->name.s, map ? " with string keys" : "");
    *ret = oc_cel_type_inner(from);
    return 0;
}

/* The variable, and the selections that are left of its name. */
static int check_ref(struct checker *c, const struct oc_cel_node *node, const struct oc_cel_ref *ref,
                     uint32_t selects, struct oc_cel_type *ret)
{
    struct oc_cel_type from = DYN;
    if (selects == 0) {
        *ret = ref->slot < 0 ? type_of_value(&ref->value) : c->b->names->v[ref->slot].type;
        return 0;
    }
    int r = check_ref(c, node->kids[0], ref, selects - 1, &from);
    return r < 0 ? r : check_field(c, node, &from, ret);
}

static int check_select(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type from = DYN;
    int r = check(c, node->kids[0], &from);
    if (r == 0)
        r = check_field(c, node, &from, ret);
    if (node->op == OC_CEL_HAS)
        *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
    return r;
}

static int check_index(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type from = DYN, key = DYN;
    int r = check(c, node->kids[0], &from);
    if (r == 0)
        r = check(c, node->kids[1], &key);
    if (r < 0)
        return r;
    if (!is_type(&from, 'l') && !is_type(&from, 'm'))
        return fail(c, start_of(node->kids[0]), "\"[]\": expected list or map, found %s", text_of(c, &from));
    struct oc_cel_type wanted = {"i"};
    if (from.s[0] == 'm')
        wanted.s[0] = from.s[1];
    *ret = oc_cel_type_inner(&from);
    bool usable = from.s[0] == 'l' || strchr("biuds*", key.s[0]);
    if (usable && (from.s[0] == '*' || oc_cel_type_comparable(&wanted, &key)))
        return 0;
    return fail(c, start_of(node->kids[1]), "\"[]\" of %s: expected %s, found %s", text_of(c, &from),
                wanted.s[0] == '*' || from.s[0] == '*' ? "bool, int, uint, double or string"
                                                       : text_of(c, &wanted),
                text_of(c, &key));
}

static int check_in(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type one = DYN, of = DYN;
    int r = check(c, node->kids[0], &one);
    if (r == 0)
        r = check(c, node->kids[1], &of);
    if (r < 0)
        return r;
    *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
    if (!is_type(&of, 'l') && !is_type(&of, 'm'))
        return fail(c, start_of(node->kids[1]), "\"in\": expected list or map on the right, found %s",
                    text_of(c, &of));
    struct oc_cel_type wanted = oc_cel_type_inner(&of);
    if (of.s[0] == 'm')
        wanted = (struct oc_cel_type){{of.s[1]}};
    if (oc_cel_type_comparable(&wanted, &one))
        return 0;
    return fail(c, start_of(node->kids[0]), "\"in\": expected %s on the left of %s, found %s",
                text_of(c, &wanted), text_of(c, &of), text_of(c, &one));
}

static int check_equal(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type a = DYN, b = DYN;
    int r = check(c, node->kids[0], &a);
    if (r == 0)
        r = check(c, node->kids[1], &b);
    *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
    if (r < 0 || oc_cel_type_comparable(&a, &b))
        return r;
    return fail(c, node, "\"%s\": %s and %s are never equal", name_of(node), text_of(c, &a), text_of(c, &b));
}

static int check_logic(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    int r = 0;
    for (uint32_t i = 0; i < node->n && r == 0; i++)
        r = check_bool(c, node, node->kids[i]);
    *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
    return r;
}

static int check_cond(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type yes = DYN, no = DYN;
    int r = check_bool(c, node, node->kids[0]);
    if (r == 0)
        r = check(c, node->kids[1], &yes);
    if (r == 0)
        r = check(c, node->kids[2], &no);
    if (r == 0)
        *ret = oc_cel_type_join(&yes, &no);
    return r;
}

/* Every step-th part from the first on: what they all are, dyn when there is none. */
static int check_elements(struct checker *c, const struct oc_cel_node *node, uint32_t first, uint32_t step,
                          struct oc_cel_type *ret)
{
    *ret = oc_cel_type_of_kind(OUTCALL_CEL_DYN);
    for (uint32_t i = first; i < node->n; i += step) {
        struct oc_cel_type one = DYN;
        int r = check(c, node->kids[i], &one);
        if (r < 0)
            return r;
        bool key = step == 2 && first == 0;
        if (key && !strchr("bius*", one.s[0]))
            return fail(c, start_of(node->kids[i]),
                        "the key of a map: expected bool, int, uint or string, found %s", text_of(c, &one));
        *ret = i == first ? one : oc_cel_type_join(ret, &one);
    }
    return 0;
}

static int check_literal(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type key = DYN, elem = DYN;
    bool map = node->op == OC_CEL_MAP;
    int r = map ? check_elements(c, node, 0, 2, &key) : 0;
    if (r == 0)
        r = check_elements(c, node, map ? 1 : 0, map ? 2 : 1, &elem);
    if (r == 0)
        *ret = map ? oc_cel_type_map(key.s[0], &elem) : oc_cel_type_list(&elem);
    return r;
}

static int check_macro(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type range = DYN, elem = DYN;
    int r = check(c, node->kids[0], &range);
    if (r < 0)
        return r;
    if (!is_type(&range, 'l') && !is_type(&range, 'm'))
        return fail(c, start_of(node->kids[0]), "\"%s\": expected list or map before the \".\", found %s",
                    name_of(node), text_of(c, &range));
    elem = oc_cel_type_inner(&range);
    if (range.s[0] == 'm')
        elem = (struct oc_cel_type){{range.s[1]}};
    c->locals[node->u.slot] = elem;
    if (node->kids[1])
        r = check_bool(c, node, node->kids[1]);
    *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
    if (r < 0 || node->op != OC_CEL_COLLECT)
        return r;
    if (node->kids[2])
        r = check(c, node->kids[2], &elem);
    if (r == 0)
        *ret = oc_cel_type_list(&elem);
    return r;
}

static const char *place_of(const struct oc_cel_node *node, size_t i, char buf[32])
{
    if (node->op != OC_CEL_CALL)
        return node->n == 1 ? "" : i == 0 ? " on the left" : " on the right";
    if (node->member && i == 0)
        return " before the \".\"";
    (void)snprintf(buf, 32, " as argument %zu", i + (node->member ? 0 : 1));
    return buf;
}

static int refuse_call(struct checker *c, const struct oc_cel_node *node, const struct oc_cel_overloads *o,
                       size_t fitting)
{
    char wanted[OC_CEL_WANTED_TEXT], place[32];
    const char *what = node->op == OC_CEL_CALL ? o->name : name_of(node);
    if (fitting == 0) {
        bool one = oc_cel_overloads_counts(o, node->member ? 1 : 0, wanted);
        return fail(c, node, "\"%s\": expected %s argument%s, found %u", what, wanted, one ? "" : "s",
                    node->n - (node->member ? 1 : 0));
    }
    oc_cel_overloads_wanted(o, fitting - 1, wanted);
    return fail(c, start_of(node->kids[fitting - 1]), "\"%s\": expected %s%s, found %s", what, wanted,
                place_of(node, fitting - 1, place), text_of(c, &o->args[fitting - 1]));
}

static int check_call(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    struct oc_cel_type args[OC_CEL_ARGS_MAX];
    struct oc_cel_overloads o = {.args = args, .n = node->n};
    if (node->op == OC_CEL_CALL)
        oc_cel_overloads_of_call(&o, c->b->env, node);
    else
        oc_cel_overloads_of_operator(&o, name_of(node));
    for (uint32_t i = 0; i < node->n && i < OC_CEL_ARGS_MAX; i++) {
        int r = check(c, node->kids[i], &args[i]);
        if (r < 0)
            return r;
    }
    size_t fitting = 0;
    if (!oc_cel_overloads_match(&o, &fitting, ret))
        return refuse_call(c, node, &o, fitting);
    if (node->op == OC_CEL_ADD && args[0].s[0] == 'l' && args[1].s[0] == 'l')
        *ret = oc_cel_type_join(&args[0], &args[1]);
    return 0;
}

static int check(struct checker *c, const struct oc_cel_node *node, struct oc_cel_type *ret)
{
    switch (node->op) {
    case OC_CEL_CONST:
        *ret = type_of_value(&node->u.value);
        return 0;
    case OC_CEL_SLOT:
        *ret = c->b->names->v[node->u.slot].type;
        return 0;
    case OC_CEL_LOCAL:
        *ret = c->locals[node->u.slot];
        return 0;
    case OC_CEL_REF:
        return check_ref(c, node, node->u.refs.v, node->u.refs.v->selects, ret);
    case OC_CEL_BOUND:
        *ret = oc_cel_type_of_kind(OUTCALL_CEL_BOOL);
        return 0;
    case OC_CEL_SELECT:
    case OC_CEL_HAS:
        return check_select(c, node, ret);
    case OC_CEL_INDEX:
        return check_index(c, node, ret);
    case OC_CEL_IN:
        return check_in(c, node, ret);
    case OC_CEL_EQ:
    case OC_CEL_NE:
        return check_equal(c, node, ret);
    case OC_CEL_AND:
    case OC_CEL_OR:
    case OC_CEL_NOT:
        return check_logic(c, node, ret);
    case OC_CEL_COND:
        return check_cond(c, node, ret);
    case OC_CEL_LIST:
    case OC_CEL_MAP:
        return check_literal(c, node, ret);
    case OC_CEL_ALL:
    case OC_CEL_EXISTS:
    case OC_CEL_EXISTS_ONE:
    case OC_CEL_COLLECT:
        return check_macro(c, node, ret);
    default:
        return check_call(c, node, ret);
    }
}

int oc_cel_check(struct oc_cel_build *b)
{
    struct checker c = {.b = b};
    struct oc_cel_type t = DYN;
    if (!b->checked)
        return 0;
    int r = check(&c, b->root, &t);
    if (r == 0)
        b->kind = oc_cel_letter_kind(t.s[0]);
    return r;
}
