/* cel/ast.h - a parsed expression: nodes in an arena, walked by the evaluator as they are. */
#ifndef CEL_AST_H
#define CEL_AST_H
#include "cel/arena.h"
#include "cel/value.h"

struct oc_cel_text {
    const char *s;
    size_t n;
};

enum oc_cel_op {
    OC_CEL_CONST,
    OC_CEL_IDENT,  /* name, not resolved yet */
    OC_CEL_SLOT,   /* u.slot: one variable */
    OC_CEL_LOCAL,  /* u.slot: the variable of a macro */
    OC_CEL_REF,    /* u.refs: the first that is bound */
    OC_CEL_SELECT, /* kids[0].name */
    OC_CEL_HAS,    /* has(kids[0].name) */
    OC_CEL_BOUND,  /* has(a.b) where a.b is a variable; u.slot */
    OC_CEL_INDEX,
    OC_CEL_AND, /* n-ary, as is OR */
    OC_CEL_OR,
    OC_CEL_NOT,
    OC_CEL_NEG,
    OC_CEL_COND,
    OC_CEL_ADD,
    OC_CEL_SUB,
    OC_CEL_MUL,
    OC_CEL_DIV,
    OC_CEL_MOD,
    OC_CEL_EQ,
    OC_CEL_NE,
    OC_CEL_LT,
    OC_CEL_LE,
    OC_CEL_GT,
    OC_CEL_GE,
    OC_CEL_IN,
    OC_CEL_LIST,
    OC_CEL_MAP,  /* kids: key, value, key, value ... */
    OC_CEL_CALL, /* name(kids), or kids[0].name(kids[1] ...) when member */
    OC_CEL_ALL,  /* kids: range, body; as EXISTS and EXISTS_ONE; name = the variable, u.slot = its local */
    OC_CEL_EXISTS,
    OC_CEL_EXISTS_ONE,
    OC_CEL_COLLECT, /* kids: range, filter or NULL, result or NULL (then the element itself) */
};

struct oc_cel_ref { /* one reading of a.b.c: the variable in slot, then the remaining selections */
    int slot;       /* -1: the constant */
    uint32_t selects;
    oc_cel_value value;
};

struct oc_cel_func;

struct oc_cel_node {
    uint8_t op;
    bool rooted;    /* written with a leading dot */
    bool member;    /* CALL in receiver style */
    bool quoted;    /* SELECT with backticks: never part of a qualified name */
    uint16_t depth; /* levels of nodes from here down */
    uint32_t pos;   /* byte offset in the source */
    uint32_t n;
    struct oc_cel_node **kids;
    struct oc_cel_text name;
    union {
        oc_cel_value value;
        int slot;
        struct {
            const struct oc_cel_ref *v;
            size_t n;
        } refs;
        const struct oc_cel_func *fn;
    } u;
    uint32_t custom;   /* CALL: 1 + index of the first function of the environment, 0 = none */
    const void *extra; /* CALL with a constant pattern or time zone: the compiled one */
};

#define OC_CEL_SOURCE_MAX ((size_t)64 << 10) /* bytes, unless asked otherwise */
#define OC_CEL_SOURCE_CAP ((size_t)16 << 20) /* what may be asked for */
#define OC_CEL_DEPTH_MAX  128
#define OC_CEL_DEPTH_CAP  512
#define OC_CEL_NODES_MAX  ((uint32_t)65536)

struct oc_cel_source {
    const char *s;
    size_t len;
    unsigned max_depth;
    uint32_t max_nodes;
};

/* Parses a whole expression. *ret lives in the arena and borrows from src, which the arena's owner keeps.
 * OUTCALL_E_SYNTAX, _LIMIT with line and column (code points); _NO_MEMORY. */
OC_NODISCARD int oc_cel_parse(struct oc_cel_arena *arena, const struct oc_cel_source *src,
                              struct oc_cel_node **ret, outcall_error *err);

/* Line and column (1-based, code points) of a byte offset. */
void oc_cel_place(const char *s, size_t len, size_t pos, int *ret_line, int *ret_column);

#endif
