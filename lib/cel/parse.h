/* cel/parse.h - what the parser shares with the macros. */
#ifndef CEL_PARSE_H
#define CEL_PARSE_H
#include "cel/lex.h"

struct oc_cel_parser {
    struct oc_cel_lexer lex;
    unsigned nesting, max_depth;
    uint32_t nodes, max_nodes;
};

struct oc_cel_node_list {
    struct oc_cel_node **v;
    size_t n, cap;
};

/* 0; OUTCALL_E_LIMIT when the node would be too deep or one too many; _NO_MEMORY. */
OC_NODISCARD int oc_cel_node_new(struct oc_cel_parser *p, uint8_t op, size_t pos,
                                 struct oc_cel_node *const *kids, size_t n, struct oc_cel_node **ret);
OC_NODISCARD int oc_cel_const_new(struct oc_cel_parser *p, size_t pos, oc_cel_value v,
                                  struct oc_cel_node **ret);
/* "expected <what>, found <token>" at the current token. */
OC_NODISCARD int oc_cel_expected(struct oc_cel_parser *p, const char *what);

#endif
