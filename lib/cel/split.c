/* The operands of the outermost && of an expression, by its tokens. */
#include "cel/code.h"
#include "cel/lex.h"
#include "cel/parse.h"

struct split {
    const char *src;
    struct oc_cel_arena arena;
    struct oc_cel_part *v;
    size_t n, max;
};

static int add(struct split *s, size_t from, size_t to)
{
    if (s->n < s->max)
        s->v[s->n] = (struct oc_cel_part){(uint32_t)from, (uint32_t)to};
    s->n++;
    return 0;
}

/* What one look over the tokens from..to finds. */
struct look {
    size_t first, last; /* of the tokens */
    size_t ands;        /* && outside of brackets */
    bool other;         /* || or ? there, which bind less */
    bool wrapped;       /* one pair of round brackets around all */
};

static int bracket(int tok)
{
    bool open = tok == OC_CEL_T('(') || tok == OC_CEL_T('[') || tok == OC_CEL_T('{');
    bool close = tok == OC_CEL_T(')') || tok == OC_CEL_T(']') || tok == OC_CEL_T('}');
    return open ? 1 : close ? -1 : 0;
}

/* Each part between the && goes to each, when that is not NULL. */
static int look(struct split *s, size_t from, size_t to, struct look *ret,
                int (*each)(struct split *s, size_t from, size_t to, unsigned depth), unsigned depth)
{
    struct oc_cel_lexer l = {.s = s->src, .len = to, .at = from, .arena = &s->arena};
    size_t start = from, last = from;
    int level = 0, r = oc_cel_next(&l);
    *ret = (struct look){.first = l.pos, .wrapped = l.tok == OC_CEL_T('(')};
    for (; r == 0 && l.tok != OC_CEL_T_END; r = oc_cel_next(&l)) {
        ret->wrapped = ret->wrapped && (level > 0 || l.pos == ret->first);
        level += bracket(l.tok);
        if (level == 0 && l.tok == OC_CEL_T_AND) {
            ret->ands++;
            if (each)
                r = each(s, start, last, depth);
            start = l.end;
        }
        ret->other = ret->other || (level == 0 && (l.tok == OC_CEL_T_OR || l.tok == OC_CEL_T('?')));
        last = l.end;
        if (r < 0)
            return r;
    }
    ret->last = last;
    return r == 0 && each ? each(s, start, last, depth) : r;
}

static int divide(struct split *s, size_t from, size_t to, unsigned depth)
{
    struct look found, again;
    int r = look(s, from, to, &found, NULL, depth);
    if (r < 0)
        return r;
    if (depth < OC_CEL_DEPTH_MAX && found.wrapped && found.last > found.first + 1)
        return divide(s, found.first + 1, found.last - 1, depth + 1);
    if (depth < OC_CEL_DEPTH_MAX && found.ands > 0 && !found.other)
        return look(s, from, to, &again, divide, depth + 1);
    return add(s, found.first, found.last);
}

int oc_cel_split(const char *src, size_t len, struct oc_cel_part *v, size_t max)
{
    struct split s = {.src = src, .v = v, .max = max, .arena.max = OC_CEL_SOURCE_CAP};
    struct oc_cel_source source = {src, len, OC_CEL_DEPTH_MAX, OC_CEL_NODES_MAX};
    struct oc_cel_arena tree = {.max = OC_CEL_SOURCE_CAP * 16};
    struct oc_cel_node *root = NULL;
    int r = oc_cel_parse(&tree, &source, &root, NULL);
    oc_cel_arena_done(&tree);
    if (r == 0)
        r = divide(&s, 0, len, 0);
    oc_cel_arena_done(&s.arena);
    return r < 0 ? r : (int)s.n;
}
