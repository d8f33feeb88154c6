/* The resolved tree to the words that run (see struct oc_cel_code). Terms of && and || may change places,
 * since the language calls both commutative: those that cost next to nothing come first, and the others are
 * seldom looked at. */
#include "cel/program.h"
#include "core/error.h"

#define START 64 /* words to begin with */

struct emitter {
    struct oc_cel_build *b;
    uint32_t *w; /* in the build's arena */
    size_t n, cap;
    int failed; /* why there is no room; words are dropped from then on */
};

static bool room(struct emitter *e, size_t n)
{
    if (e->failed || n <= e->cap - e->n)
        return !e->failed;
    size_t cap = OC_MAX(e->cap * 2, e->n + n);
    uint32_t *w = oc_cel_arena_array(e->b->arena, cap, sizeof(*w));
    if (!w) {
        e->failed = e->b->arena->failed;
        return false;
    }
    memcpy(w, e->w, e->n * sizeof(*w));
    e->w = w;
    e->cap = cap;
    return true;
}

static void put(struct emitter *e, size_t word)
{
    if (room(e, 1))
        e->w[e->n++] = (uint32_t)word;
}

static void put_bytes(struct emitter *e, const void *p, size_t words)
{
    if (!room(e, words))
        return;
    memcpy(e->w + e->n, p, words * sizeof(uint32_t));
    e->n += words;
}

static void put_pointer(struct emitter *e, const void *p)
{
    put_bytes(e, &p, sizeof(p) / sizeof(uint32_t));
}

static bool in_source(const struct emitter *e, const char *s, size_t n)
{
    return s >= e->b->src && s + n <= e->b->src + e->b->len;
}

static void put_text(struct emitter *e, const char *s, size_t n)
{
    put(e, (size_t)(s - e->b->src));
    put(e, n);
}

/* Where the instruction begins; end() says how long it became. */
static size_t begin(struct emitter *e, uint8_t op, uint32_t pos)
{
    size_t at = e->n;
    put(e, op);
    put(e, pos);
    return at;
}

static void end(struct emitter *e, size_t at)
{
    if (e->n - at >= (size_t)1 << 24)
        e->failed = OUTCALL_E_LIMIT;
    if (!e->failed)
        e->w[at] |= (uint32_t)(e->n - at) << 8;
}

/* A constant outlives the tree. */
static bool keep_value(struct emitter *e, const oc_cel_value *v, oc_cel_value *ret)
{
    struct oc_cel_arena *a = &e->b->unit->arena;
    *ret = *v;
    if ((v->kind == OUTCALL_CEL_STRING || v->kind == OUTCALL_CEL_BYTES) && !in_source(e, v->s, v->n)) {
        ret->s = oc_cel_arena_text(a, v->s, v->n);
        return ret->s != NULL;
    }
    if (v->kind != OUTCALL_CEL_LIST)
        return true;
    oc_cel_value *items = oc_cel_arena_array(a, v->n, sizeof(*items));
    for (size_t i = 0; items && i < v->n; i++)
        if (!keep_value(e, &v->v[i], &items[i]))
            return false;
    ret->v = items;
    return items != NULL;
}

static void emit_const(struct emitter *e, const struct oc_cel_node *node)
{
    size_t at = begin(e, OC_CEL_CONST, node->pos);
    oc_cel_value *v = oc_cel_arena_alloc(&e->b->unit->arena, sizeof(*v));
    if (!v || !keep_value(e, &node->u.value, v)) {
        e->failed = e->b->unit->arena.failed;
        return;
    }
    put_pointer(e, v);
    end(e, at);
}

static const struct oc_cel_ref *keep_refs(struct emitter *e, const struct oc_cel_node *node)
{
    size_t size = node->u.refs.n * sizeof(struct oc_cel_ref);
    struct oc_cel_ref *copy = oc_cel_arena_alloc(&e->b->unit->arena, size);
    if (!copy)
        e->failed = e->b->unit->arena.failed;
    else if (size > 0)
        memcpy(copy, node->u.refs.v, size);
    return copy;
}

/* w[2] readings, w[4] how many, w[5] the name of the root, w[7] its place, w[8] the number of selections, and
 * for each, from the root on, place and name. */
static void emit_ref(struct emitter *e, const struct oc_cel_node *node)
{
    size_t at = begin(e, OC_CEL_REF, node->pos), selects = 0;
    const struct oc_cel_node *root = node;
    for (; root->n > 0; root = root->kids[0])
        selects++;
    put_pointer(e, keep_refs(e, node));
    put(e, node->u.refs.n);
    put_text(e, root->name.s, root->name.n);
    put(e, root->pos);
    put(e, selects);
    if (room(e, 3 * selects)) {
        uint32_t *w = e->w + e->n + 3 * selects;
        for (const struct oc_cel_node *part = node; part->n > 0; part = part->kids[0]) {
            *--w = (uint32_t)part->name.n;
            *--w = (uint32_t)(part->name.s - e->b->src);
            *--w = part->pos;
        }
        e->n += 3 * selects;
    }
    end(e, at);
}

static bool is_variable(const struct oc_cel_node *node)
{
    return node->op == OC_CEL_SLOT || node->op == OC_CEL_LOCAL;
}

static bool is_string(const struct emitter *e, const struct oc_cel_node *node)
{
    return node->op == OC_CEL_CONST && node->u.value.kind == OUTCALL_CEL_STRING &&
           in_source(e, node->u.value.s, node->u.value.n);
}

static bool is_strings(const struct emitter *e, const struct oc_cel_node *node)
{
    if (node->op != OC_CEL_CONST || node->u.value.kind != OUTCALL_CEL_LIST)
        return false;
    for (size_t i = 0; i < node->u.value.n; i++)
        if (node->u.value.v[i].kind != OUTCALL_CEL_STRING ||
            !in_source(e, node->u.value.v[i].s, node->u.value.v[i].n))
            return false;
    return true;
}

/* A variable against a constant: what, and which is which. op 0: it is something else. */
struct pair {
    uint8_t op;
    const struct oc_cel_node *variable, *constant;
};

static struct pair find_pair(const struct emitter *e, const struct oc_cel_node *node)
{
    struct pair p = {0, NULL, NULL};
    if (node->n != 2)
        return p;
    p.variable = is_variable(node->kids[0]) ? node->kids[0] : node->kids[1];
    p.constant = p.variable == node->kids[0] ? node->kids[1] : node->kids[0];
    if (!is_variable(p.variable))
        return p;
    bool first = p.variable == node->kids[0], string = is_string(e, p.constant);
    bool number = p.constant->op == OC_CEL_CONST && p.constant->u.value.kind == OUTCALL_CEL_INT;
    if (node->op == OC_CEL_EQ || node->op == OC_CEL_NE) {
        if (string)
            p.op = node->op == OC_CEL_EQ ? OC_CEL_EQ_STRING : OC_CEL_NE_STRING;
        else if (number)
            p.op = node->op == OC_CEL_EQ ? OC_CEL_EQ_INT : OC_CEL_NE_INT;
    } else if (node->op == OC_CEL_IN) {
        p.op = first && is_strings(e, p.constant) ? OC_CEL_IN_STRINGS
               : !first && string                 ? OC_CEL_STRING_IN
                                                  : 0;
    } else if (node->op == OC_CEL_CALL && node->member && first && string && node->u.fn && !node->custom) {
        p.op = strcmp(node->u.fn->name, "startsWith") == 0 ? OC_CEL_STARTS
               : strcmp(node->u.fn->name, "endsWith") == 0 ? OC_CEL_ENDS
                                                           : 0;
    }
    return p;
}

static size_t begin_pair(struct emitter *e, uint8_t op, const struct oc_cel_node *variable)
{
    size_t at = begin(e, op, variable->pos);
    put(e, (uint32_t)variable->u.slot | (variable->op == OC_CEL_LOCAL ? OC_CEL_REG_LOCAL : 0));
    return at;
}

static void emit_pair(struct emitter *e, const struct oc_cel_node *node, const struct pair *p)
{
    const oc_cel_value *v = &p->constant->u.value;
    size_t at = begin_pair(e, p->op, p->variable);
    if (p->op == OC_CEL_IN_STRINGS) {
        put(e, v->n);
        for (size_t i = 0; i < v->n; i++)
            put_text(e, v->v[i].s, v->v[i].n);
    } else if (p->op == OC_CEL_EQ_INT || p->op == OC_CEL_NE_INT) {
        put_bytes(e, &v->i, sizeof(v->i) / sizeof(uint32_t));
    } else {
        put_text(e, v->s, v->n);
    }
    if (p->op > OC_CEL_IN_STRINGS)
        put(e, node->pos);
    end(e, at);
}

static void emit(struct emitter *e, const struct oc_cel_node *node);

/* Pairs, and && and || of pairs: what they cost is bounded by the text of the expression, so that they come
 * to an end whatever the values are. (All but a string in a variable, which may be long.) */
static bool is_cheap(const struct emitter *e, const struct oc_cel_node *node)
{
    struct pair p = find_pair(e, node);
    if (p.op != 0)
        return p.op != OC_CEL_STRING_IN;
    if (node->op != OC_CEL_AND && node->op != OC_CEL_OR)
        return false;
    for (uint32_t i = 0; i < node->n; i++)
        if (!is_cheap(e, node->kids[i]))
            return false;
    return true;
}

/* a && (b && c) is a && b && c. cheap: only what is cheap, or only the rest: a term that is false must win
 * before another one runs out of steps, which nothing absorbs. Returns how many there were. */
static size_t emit_terms(struct emitter *e, const struct oc_cel_node *node, uint8_t op, bool cheap)
{
    size_t n = 0;
    if (node->op != op) {
        if (is_cheap(e, node) != cheap)
            return 0;
        emit(e, node);
        return 1;
    }
    for (uint32_t i = 0; i < node->n; i++)
        n += emit_terms(e, node->kids[i], op, cheap);
    return n;
}

/* x == "a" || x == "b": the variable, when all terms are equalities of one, and how many strings. */
static const struct oc_cel_node *one_of(const struct emitter *e, const struct oc_cel_node *node, size_t *n)
{
    const struct oc_cel_node *variable = NULL;
    for (uint32_t i = 0; i < node->n; i++) {
        const struct oc_cel_node *one = NULL;
        if (node->kids[i]->op == OC_CEL_OR) {
            one = one_of(e, node->kids[i], n);
        } else {
            struct pair p = find_pair(e, node->kids[i]);
            one = p.op == OC_CEL_EQ_STRING || p.op == OC_CEL_IN_STRINGS ? p.variable : NULL;
            *n += !one ? 0 : p.op == OC_CEL_EQ_STRING ? 1 : p.constant->u.value.n;
        }
        if (!one || (variable && (one->op != variable->op || one->u.slot != variable->u.slot)))
            return NULL;
        variable = one;
    }
    return variable;
}

static void put_one_of(struct emitter *e, const struct oc_cel_node *node)
{
    for (uint32_t i = 0; i < node->n; i++) {
        if (node->kids[i]->op == OC_CEL_OR) {
            put_one_of(e, node->kids[i]);
            continue;
        }
        const struct pair p = find_pair(e, node->kids[i]);
        const oc_cel_value *v = &p.constant->u.value;
        if (p.op == OC_CEL_EQ_STRING)
            put_text(e, v->s, v->n);
        for (size_t k = 0; p.op == OC_CEL_IN_STRINGS && k < v->n; k++)
            put_text(e, v->v[k].s, v->v[k].n);
    }
}

/* w[2] the number of terms. */
static void emit_logic(struct emitter *e, const struct oc_cel_node *node)
{
    size_t n = 0;
    const struct oc_cel_node *variable = node->op == OC_CEL_OR ? one_of(e, node, &n) : NULL;
    size_t at = variable ? begin_pair(e, OC_CEL_IN_STRINGS, variable) : begin(e, node->op, node->pos);
    if (variable) {
        put(e, n);
        put_one_of(e, node);
    } else {
        size_t count = e->n;
        put(e, 0);
        n = emit_terms(e, node, node->op, true);
        n += emit_terms(e, node, node->op, false);
        if (!e->failed)
            e->w[count] = (uint32_t)n;
    }
    end(e, at);
}

/* w[2] the number of arguments, w[3] the function, w[5] the first of the environment's, w[6] what is
 * prepared, w[8] the name. */
static void emit_call(struct emitter *e, const struct oc_cel_node *node)
{
    size_t at = begin(e, OC_CEL_CALL, node->pos);
    put(e, node->n | (node->member ? OC_CEL_REG_LOCAL : 0));
    put_pointer(e, node->u.fn);
    put(e, node->custom);
    put_pointer(e, node->extra);
    put_text(e, node->name.s, node->name.n);
    for (uint32_t i = 0; i < node->n; i++)
        emit(e, node->kids[i]);
    end(e, at);
}

/* w[2] the local, w[3] a bit for each operand beside the range that is there. */
static void emit_macro(struct emitter *e, const struct oc_cel_node *node)
{
    size_t at = begin(e, node->op, node->pos);
    put(e, (uint32_t)node->u.slot);
    put(e, (node->n > 1 && node->kids[1] ? 1U : 0U) | (node->n > 2 && node->kids[2] ? 2U : 0U));
    for (uint32_t i = 0; i < node->n; i++)
        if (node->kids[i])
            emit(e, node->kids[i]);
    end(e, at);
}

/* HAS: w[2] the name, w[4] readings of the whole, w[6] how many. SELECT: w[2] the name. */
static void emit_select(struct emitter *e, const struct oc_cel_node *node)
{
    size_t at = begin(e, node->op, node->pos);
    put_text(e, node->name.s, node->name.n);
    if (node->op == OC_CEL_HAS) {
        put_pointer(e, keep_refs(e, node));
        put(e, node->u.refs.n);
    }
    emit(e, node->kids[0]);
    end(e, at);
}

static void emit(struct emitter *e, const struct oc_cel_node *node)
{
    struct pair p = find_pair(e, node);
    if (e->failed)
        return;
    if (p.op != 0) {
        emit_pair(e, node, &p);
        return;
    }
    size_t at = 0;
    switch (node->op) {
    case OC_CEL_CONST:
        emit_const(e, node);
        return;
    case OC_CEL_REF:
        emit_ref(e, node);
        return;
    case OC_CEL_AND:
    case OC_CEL_OR:
        emit_logic(e, node);
        return;
    case OC_CEL_CALL:
        emit_call(e, node);
        return;
    case OC_CEL_SELECT:
    case OC_CEL_HAS:
        emit_select(e, node);
        return;
    case OC_CEL_ALL:
    case OC_CEL_EXISTS:
    case OC_CEL_EXISTS_ONE:
    case OC_CEL_COLLECT:
        emit_macro(e, node);
        return;
    case OC_CEL_SLOT:
    case OC_CEL_LOCAL:
    case OC_CEL_BOUND: /* w[2] the slot or local; what is below is part of the name */
        at = begin(e, node->op, node->pos);
        put(e, (uint32_t)node->u.slot);
        end(e, at);
        return;
    case OC_CEL_LIST:
    case OC_CEL_MAP: /* w[2] the number of elements, of a map keys and values */
        at = begin(e, node->op, node->pos);
        put(e, node->n);
        break;
    default: /* one, two or three operands */
        at = begin(e, node->op, node->pos);
        break;
    }
    for (uint32_t i = 0; i < node->n; i++)
        emit(e, node->kids[i]);
    end(e, at);
}

int oc_cel_emit(struct oc_cel_build *b, const struct oc_cel_code **ret)
{
    struct emitter e = {b, oc_cel_arena_array(b->arena, START, sizeof(uint32_t)), 0, START, 0};
    if (!e.w)
        return oc_cel_build_fail(b, b->root, b->arena->failed, "", "no room for the program");
    emit(&e, b->root);
    struct oc_cel_code *code =
        e.failed ? NULL : oc_cel_arena_alloc(&b->unit->arena, sizeof(*code) + e.n * sizeof(uint32_t));
    if (!code)
        return oc_cel_build_fail(b, b->root, e.failed ? e.failed : b->unit->arena.failed, "",
                                 "no room for the program");
    code->src = b->src;
    code->len = (uint32_t)b->len;
    memcpy(code->w, e.w, e.n * sizeof(uint32_t));
    *ret = code;
    return 0;
}
