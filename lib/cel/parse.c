/* Recursive descent with precedence climbing. What recurses is counted, and every node knows its depth, so
 * that neither the parser nor whoever walks the tree can run out of stack. */
#include "cel/parse.h"
#include "cel/macro.h"
#include "core/error.h"
#include <string.h>

static bool text_is(struct oc_cel_text t, const char *s)
{
    return strlen(s) == t.n && memcmp(t.s, s, t.n) == 0;
}

static bool in_list(struct oc_cel_text t, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(t, list[i]))
            return true;
    return false;
}

static const char *const keywords[] = {"false", "in", "null", "true"};
static const char *const reserved[] = {"as",        "break",  "const",  "continue", "else", "for",
                                       "function",  "if",     "import", "let",      "loop", "package",
                                       "namespace", "return", "var",    "void",     "while"};

static struct oc_cel_text token_text(const struct oc_cel_parser *p)
{
    return (struct oc_cel_text){p->lex.s + p->lex.pos, p->lex.end - p->lex.pos};
}

static bool at_keyword(const struct oc_cel_parser *p, const char *word)
{
    return p->lex.tok == OC_CEL_T_IDENT && text_is(token_text(p), word);
}

int oc_cel_expected(struct oc_cel_parser *p, const char *what)
{
    char found[OC_CEL_FOUND_SIZE];
    return oc_cel_fail_at(&p->lex, p->lex.pos, OUTCALL_E_SYNTAX, "expected %s, found %s", what,
                          oc_cel_found(&p->lex, found));
}

static int expect(struct oc_cel_parser *p, char c, const char *what)
{
    if (p->lex.tok != OC_CEL_T(c))
        return oc_cel_expected(p, what);
    return oc_cel_next(&p->lex);
}

int oc_cel_node_new(struct oc_cel_parser *p, uint8_t op, size_t pos, struct oc_cel_node *const *kids,
                    size_t n, struct oc_cel_node **ret)
{
    unsigned depth = 0;
    for (size_t i = 0; i < n; i++)
        if (kids[i])
            depth = OC_MAX(depth, kids[i]->depth);
    if (depth + 1 > p->max_depth)
        return oc_cel_fail_at(&p->lex, pos, OUTCALL_E_LIMIT,
                              "the expression is nested more than %u levels deep", p->max_depth);
    if (p->nodes >= p->max_nodes)
        return oc_cel_fail_at(&p->lex, pos, OUTCALL_E_LIMIT, "the expression has more than %u parts",
                              p->max_nodes);
    p->nodes++;
    struct oc_cel_node *node = oc_cel_arena_zero(p->lex.arena, sizeof(*node));
    struct oc_cel_node **copy =
        node && n > 0 ? oc_cel_arena_array(p->lex.arena, n, sizeof(struct oc_cel_node *)) : NULL;
    if (!node || (n > 0 && !copy))
        return oc_cel_fail_at(&p->lex, pos, p->lex.arena->failed, "no room for the expression");
    if (copy)
        memcpy(copy, kids, n * sizeof(struct oc_cel_node *));
    node->op = op;
    node->depth = (uint16_t)(depth + 1);
    node->pos = (uint32_t)pos;
    node->kids = copy;
    node->n = (uint32_t)n;
    *ret = node;
    return 0;
}

static int list_push(struct oc_cel_parser *p, struct oc_cel_node_list *l, struct oc_cel_node *node)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        struct oc_cel_node **v = oc_cel_arena_array(p->lex.arena, cap, sizeof(struct oc_cel_node *));
        if (!v)
            return oc_cel_fail_at(&p->lex, p->lex.pos, p->lex.arena->failed, "no room for the expression");
        if (l->n > 0)
            memcpy(v, l->v, l->n * sizeof(struct oc_cel_node *));
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = node;
    return 0;
}

static int parse_expr(struct oc_cel_parser *p, struct oc_cel_node **ret);
static int parse_unary(struct oc_cel_parser *p, struct oc_cel_node **ret);

/* Expressions up to the closing bracket; with a comma after the last where trailing says so. */
static int parse_list(struct oc_cel_parser *p, char close, bool trailing, struct oc_cel_node_list *ret)
{
    const char *after = close == ')' ? "\",\" or \")\"" : "\",\" or \"]\"";
    while (p->lex.tok != OC_CEL_T(close)) {
        struct oc_cel_node *node = NULL;
        int r = parse_expr(p, &node);
        if (r < 0 || (r = list_push(p, ret, node)) < 0)
            return r;
        if (p->lex.tok == OC_CEL_T(close))
            break;
        r = expect(p, ',', after);
        if (r < 0)
            return r;
        if (p->lex.tok == OC_CEL_T(close) && !trailing)
            return oc_cel_expected(p, "an expression");
    }
    return oc_cel_next(&p->lex);
}

static int parse_map(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    size_t pos = p->lex.pos;
    struct oc_cel_node_list l = {0};
    int r = oc_cel_next(&p->lex);
    while (r == 0 && p->lex.tok != OC_CEL_T('}')) {
        struct oc_cel_node *key = NULL, *value = NULL;
        r = parse_expr(p, &key);
        if (r == 0)
            r = expect(p, ':', "\":\" after the key");
        if (r == 0)
            r = parse_expr(p, &value);
        if (r == 0)
            r = list_push(p, &l, key);
        if (r == 0)
            r = list_push(p, &l, value);
        if (r == 0 && p->lex.tok != OC_CEL_T('}'))
            r = expect(p, ',', "\",\" or \"}\"");
    }
    if (r == 0)
        r = oc_cel_next(&p->lex);
    return r < 0 ? r : oc_cel_node_new(p, OC_CEL_MAP, pos, l.v, l.n, ret);
}

int oc_cel_const_new(struct oc_cel_parser *p, size_t pos, oc_cel_value v, struct oc_cel_node **ret)
{
    int r = oc_cel_node_new(p, OC_CEL_CONST, pos, NULL, 0, ret);
    if (r == 0)
        (*ret)->u.value = v;
    return r;
}

/* A number, its sign folded in: the most negative int has no positive counterpart. */
static int parse_number(struct oc_cel_parser *p, size_t pos, bool negative, struct oc_cel_node **ret)
{
    oc_cel_value v = p->lex.value;
    if (p->lex.tok == OC_CEL_T_INT) {
        if (v.u > (uint64_t)INT64_MAX + (negative ? 1 : 0))
            return oc_cel_fail_at(&p->lex, pos, OUTCALL_E_SYNTAX, "the number does not fit into an int");
        v = oc_cel_int(negative ? (int64_t)(0 - v.u) : (int64_t)v.u);
    } else if (p->lex.tok == OC_CEL_T_DOUBLE && negative) {
        v.d = -v.d;
    }
    int r = oc_cel_next(&p->lex);
    return r < 0 ? r : oc_cel_const_new(p, pos, v, ret);
}

/* name or name(args); the name's token is the current one. */
static int parse_name(struct oc_cel_parser *p, size_t pos, bool rooted, struct oc_cel_node **ret)
{
    struct oc_cel_text name = token_text(p);
    if (!rooted && in_list(name, keywords, OC_ARRAY_SIZE(keywords))) {
        if (text_is(name, "in"))
            return oc_cel_expected(p, "an expression");
        oc_cel_value v = text_is(name, "null") ? oc_cel_null() : oc_cel_bool(text_is(name, "true"));
        int r = oc_cel_next(&p->lex);
        return r < 0 ? r : oc_cel_const_new(p, pos, v, ret);
    }
    if (in_list(name, keywords, OC_ARRAY_SIZE(keywords)) || in_list(name, reserved, OC_ARRAY_SIZE(reserved)))
        return oc_cel_fail_at(&p->lex, p->lex.pos, OUTCALL_E_SYNTAX,
                              "\"%.*s\" is a reserved word and cannot be a name", (int)name.n, name.s);
    int r = oc_cel_next(&p->lex);
    struct oc_cel_node_list args = {0};
    bool call = r == 0 && p->lex.tok == OC_CEL_T('(');
    if (call) {
        r = oc_cel_next(&p->lex);
        if (r == 0)
            r = parse_list(p, ')', false, &args);
    }
    if (r < 0)
        return r;
    if (call && !rooted && text_is(name, "has"))
        return oc_cel_expand_has(p, pos, &args, ret);
    r = oc_cel_node_new(p, call ? OC_CEL_CALL : OC_CEL_IDENT, pos, args.v, args.n, ret);
    if (r < 0)
        return r;
    (*ret)->name = name;
    (*ret)->rooted = rooted;
    return 0;
}

static int parse_paren(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    int r = oc_cel_next(&p->lex);
    if (r == 0)
        r = parse_expr(p, ret);
    return r < 0 ? r : expect(p, ')', "an operator or \")\"");
}

static int parse_primary(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    size_t pos = p->lex.pos;
    struct oc_cel_node_list l = {0};
    int r = 0;
    switch (p->lex.tok) {
    case OC_CEL_T_INT:
    case OC_CEL_T_UINT:
    case OC_CEL_T_DOUBLE:
        return parse_number(p, pos, false, ret);
    case OC_CEL_T_STRING:
    case OC_CEL_T_BYTES: {
        oc_cel_value v = p->lex.value;
        r = oc_cel_next(&p->lex);
        return r < 0 ? r : oc_cel_const_new(p, pos, v, ret);
    }
    case OC_CEL_T_IDENT:
        return parse_name(p, pos, false, ret);
    case OC_CEL_T('.'):
        r = oc_cel_next(&p->lex);
        if (r < 0)
            return r;
        return p->lex.tok == OC_CEL_T_IDENT ? parse_name(p, pos, true, ret)
                                            : oc_cel_expected(p, "a name after \".\"");
    case OC_CEL_T('('):
        return parse_paren(p, ret);
    case OC_CEL_T('['):
        r = oc_cel_next(&p->lex);
        if (r == 0)
            r = parse_list(p, ']', true, &l);
        return r < 0 ? r : oc_cel_node_new(p, OC_CEL_LIST, pos, l.v, l.n, ret);
    case OC_CEL_T('{'):
        return parse_map(p, ret);
    default:
        return oc_cel_expected(p, "an expression");
    }
}

/* .name, .`name`, .name(args) after *ret. */
static int parse_dot(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    int r = oc_cel_next(&p->lex);
    if (r < 0)
        return r;
    size_t pos = p->lex.pos;
    struct oc_cel_text name = token_text(p);
    bool quoted = p->lex.tok == OC_CEL_T_QUOTED;
    if (quoted)
        name = (struct oc_cel_text){name.s + 1, name.n - 2};
    else if (p->lex.tok != OC_CEL_T_IDENT || in_list(name, keywords, OC_ARRAY_SIZE(keywords)))
        return oc_cel_expected(p, "a field or function name after \".\"");
    struct oc_cel_node_list args = {0};
    r = list_push(p, &args, *ret);
    if (r == 0)
        r = oc_cel_next(&p->lex);
    bool call = r == 0 && p->lex.tok == OC_CEL_T('(');
    if (call && quoted)
        return oc_cel_fail_at(&p->lex, pos, OUTCALL_E_SYNTAX, "a function's name cannot be quoted");
    if (call) {
        r = oc_cel_next(&p->lex);
        if (r == 0)
            r = parse_list(p, ')', false, &args);
    }
    if (r < 0)
        return r;
    bool expanded = false;
    if (call) {
        r = oc_cel_expand_macro(p, pos, name, &args, ret, &expanded);
        if (r < 0 || expanded)
            return r;
    }
    r = oc_cel_node_new(p, call ? OC_CEL_CALL : OC_CEL_SELECT, pos, args.v, args.n, ret);
    if (r < 0)
        return r;
    (*ret)->name = name;
    (*ret)->member = call;
    (*ret)->quoted = quoted;
    return 0;
}

static int parse_index(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    size_t pos = p->lex.pos;
    struct oc_cel_node *kids[2] = {*ret, NULL};
    int r = oc_cel_next(&p->lex);
    if (r == 0)
        r = parse_expr(p, &kids[1]);
    if (r == 0)
        r = expect(p, ']', "an operator or \"]\"");
    return r < 0 ? r : oc_cel_node_new(p, OC_CEL_INDEX, pos, kids, 2, ret);
}

static int parse_suffixes(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    int r = 0;
    while (r == 0 && (p->lex.tok == OC_CEL_T('.') || p->lex.tok == OC_CEL_T('[')))
        r = p->lex.tok == OC_CEL_T('.') ? parse_dot(p, ret) : parse_index(p, ret);
    if (r == 0 && p->lex.tok == OC_CEL_T('{'))
        return oc_cel_fail_at(&p->lex, p->lex.pos, OUTCALL_E_SYNTAX,
                              "messages are not supported: expected an operator or the end");
    return r;
}

/* A run of one of - and !, never mixed; the last minus before a number belongs to the number. */
static int parse_unary(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    int sign = p->lex.tok;
    size_t first = p->lex.pos, n = 0, last = first;
    int r = 0;
    if (sign != OC_CEL_T('-') && sign != OC_CEL_T('!')) {
        r = parse_primary(p, ret);
        return r < 0 ? r : parse_suffixes(p, ret);
    }
    while (p->lex.tok == sign) {
        last = p->lex.pos;
        if (++n > p->max_depth)
            return oc_cel_fail_at(&p->lex, last, OUTCALL_E_LIMIT,
                                  "the expression is nested more than %u levels deep", p->max_depth);
        r = oc_cel_next(&p->lex);
        if (r < 0)
            return r;
    }
    if (p->lex.tok == OC_CEL_T(sign == OC_CEL_T('-') ? '!' : '-') && sign == OC_CEL_T('-'))
        return oc_cel_expected(p, "an expression");
    bool number = p->lex.tok == OC_CEL_T_INT || p->lex.tok == OC_CEL_T_DOUBLE;
    if (sign == OC_CEL_T('-') && number) {
        r = parse_number(p, last, true, ret);
        n--;
    } else if (sign == OC_CEL_T('!') && p->lex.tok == OC_CEL_T('-')) {
        size_t minus = p->lex.pos;
        r = oc_cel_next(&p->lex);
        if (r < 0)
            return r;
        if (p->lex.tok != OC_CEL_T_INT && p->lex.tok != OC_CEL_T_DOUBLE)
            return oc_cel_fail_at(&p->lex, minus, OUTCALL_E_SYNTAX,
                                  "\"!\" and \"-\" cannot follow each other");
        r = parse_number(p, minus, true, ret);
    } else {
        r = parse_primary(p, ret);
    }
    if (r == 0)
        r = parse_suffixes(p, ret);
    for (size_t pos = last; r == 0 && n > 0; n--) {
        struct oc_cel_node *kid = *ret;
        r = oc_cel_node_new(p, sign == OC_CEL_T('-') ? OC_CEL_NEG : OC_CEL_NOT, n == 1 ? first : pos, &kid, 1,
                            ret);
    }
    return r;
}

static const struct binary {
    int tok;
    uint8_t op, level; /* a higher level binds tighter */
} binaries[] = {
    {OC_CEL_T_OR, OC_CEL_OR, 1},    {OC_CEL_T_AND, OC_CEL_AND, 2},  {OC_CEL_T_EQ, OC_CEL_EQ, 3},
    {OC_CEL_T_NE, OC_CEL_NE, 3},    {OC_CEL_T('<'), OC_CEL_LT, 3},  {OC_CEL_T_LE, OC_CEL_LE, 3},
    {OC_CEL_T('>'), OC_CEL_GT, 3},  {OC_CEL_T_GE, OC_CEL_GE, 3},    {OC_CEL_T('+'), OC_CEL_ADD, 4},
    {OC_CEL_T('-'), OC_CEL_SUB, 4}, {OC_CEL_T('*'), OC_CEL_MUL, 5}, {OC_CEL_T('/'), OC_CEL_DIV, 5},
    {OC_CEL_T('%'), OC_CEL_MOD, 5},
};
static const struct binary in_operator = {OC_CEL_T_IDENT, OC_CEL_IN, 3};

static const struct binary *at_binary(const struct oc_cel_parser *p)
{
    if (at_keyword(p, "in"))
        return &in_operator;
    for (size_t i = 0; i < OC_ARRAY_SIZE(binaries); i++)
        if (binaries[i].tok == p->lex.tok)
            return &binaries[i];
    return NULL;
}

static int parse_binary(struct oc_cel_parser *p, unsigned min_level, struct oc_cel_node **ret);

/* a && b && c is one node: a long chain is wide, not deep. */
static int parse_chain(struct oc_cel_parser *p, const struct binary *b, struct oc_cel_node **ret)
{
    size_t pos = p->lex.pos;
    struct oc_cel_node_list l = {0};
    int r = list_push(p, &l, *ret);
    while (r == 0 && p->lex.tok == b->tok) {
        struct oc_cel_node *right = NULL;
        r = oc_cel_next(&p->lex);
        if (r == 0)
            r = parse_binary(p, b->level + 1U, &right);
        if (r == 0)
            r = list_push(p, &l, right);
    }
    return r < 0 ? r : oc_cel_node_new(p, b->op, pos, l.v, l.n, ret);
}

static int parse_binary(struct oc_cel_parser *p, unsigned min_level, struct oc_cel_node **ret)
{
    int r = parse_unary(p, ret);
    const struct binary *b = NULL;
    while (r == 0 && (b = at_binary(p)) && b->level >= min_level) {
        if (b->op == OC_CEL_AND || b->op == OC_CEL_OR) {
            r = parse_chain(p, b, ret);
            continue;
        }
        size_t pos = p->lex.pos;
        struct oc_cel_node *kids[2] = {*ret, NULL};
        r = oc_cel_next(&p->lex);
        if (r == 0)
            r = parse_binary(p, b->level + 1U, &kids[1]);
        if (r == 0)
            r = oc_cel_node_new(p, b->op, pos, kids, 2, ret);
    }
    return r;
}

static int parse_cond(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    int r = parse_binary(p, 1, ret);
    if (r < 0 || p->lex.tok != OC_CEL_T('?'))
        return r;
    size_t pos = p->lex.pos;
    struct oc_cel_node *kids[3] = {*ret, NULL, NULL};
    r = oc_cel_next(&p->lex);
    if (r == 0)
        r = parse_binary(p, 1, &kids[1]);
    if (r == 0)
        r = expect(p, ':', "an operator or \":\"");
    if (r == 0)
        r = parse_expr(p, &kids[2]);
    return r < 0 ? r : oc_cel_node_new(p, OC_CEL_COND, pos, kids, 3, ret);
}

static int parse_expr(struct oc_cel_parser *p, struct oc_cel_node **ret)
{
    if (p->nesting >= p->max_depth)
        return oc_cel_fail_at(&p->lex, p->lex.pos, OUTCALL_E_LIMIT,
                              "the expression is nested more than %u levels deep", p->max_depth);
    p->nesting++;
    int r = parse_cond(p, ret);
    p->nesting--;
    return r;
}

int oc_cel_parse(struct oc_cel_arena *arena, const struct oc_cel_source *src, struct oc_cel_node **ret,
                 outcall_error *err)
{
    struct oc_cel_parser p = {.max_depth = src->max_depth, .max_nodes = src->max_nodes};
    p.lex = (struct oc_cel_lexer){.s = src->s, .len = src->len, .arena = arena, .err = err};
    struct oc_cel_node *root = NULL;
    int r = oc_cel_next(&p.lex);
    if (r == 0)
        r = parse_expr(&p, &root);
    if (r == 0 && p.lex.tok != OC_CEL_T_END)
        r = oc_cel_expected(&p, "an operator or the end");
    if (r < 0)
        return r;
    *ret = root;
    return 0;
}
