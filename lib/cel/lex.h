/* cel/lex.h - source text to tokens, one ahead. */
#ifndef CEL_LEX_H
#define CEL_LEX_H
#include "cel/ast.h"

enum oc_cel_tok {
    OC_CEL_T_END,
    OC_CEL_T_IDENT,
    OC_CEL_T_QUOTED, /* `name` after a dot */
    OC_CEL_T_INT,    /* magnitude in value.u: the sign is not part of it */
    OC_CEL_T_UINT,
    OC_CEL_T_DOUBLE,
    OC_CEL_T_STRING,
    OC_CEL_T_BYTES,
    OC_CEL_T_LE,
    OC_CEL_T_GE,
    OC_CEL_T_EQ,
    OC_CEL_T_NE,
    OC_CEL_T_AND,
    OC_CEL_T_OR,
    OC_CEL_T_CHAR = 256 /* + the character of a one-character token */
};
#define OC_CEL_T(c) (OC_CEL_T_CHAR + (c))

struct oc_cel_lexer {
    const char *s;
    size_t len, at;
    struct oc_cel_arena *arena;
    outcall_error *err;
    int tok;
    size_t pos, end; /* of the token */
    oc_cel_value value;
};

/* The next token into the lexer. 0, OUTCALL_E_SYNTAX, _NO_MEMORY, _LIMIT. */
OC_NODISCARD int oc_cel_next(struct oc_cel_lexer *l);
/* Fills the error with the place of pos; returns code. */
int oc_cel_fail_at(struct oc_cel_lexer *l, size_t pos, int code, const char *fmt, ...) OC_PRINTF(4, 5);
/* The token in words for "expected ..., found ...". */
#define OC_CEL_FOUND_SIZE 64
const char *oc_cel_found(const struct oc_cel_lexer *l, char buf[OC_CEL_FOUND_SIZE]);

/* literal.c: the token at l->at. quote_at: offset of the first quote; raw, bytes as the prefix says. */
OC_NODISCARD int oc_cel_lex_string(struct oc_cel_lexer *l, size_t quote_at, bool raw, bool bytes);
OC_NODISCARD int oc_cel_lex_number(struct oc_cel_lexer *l);

#endif
