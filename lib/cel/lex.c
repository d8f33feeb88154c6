#include "cel/lex.h"
#include "base/str.h"
#include "core/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

void oc_cel_place(const char *s, size_t len, size_t pos, int *ret_line, int *ret_column)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < pos && i < len; i++) {
        if (s[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)s[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

int oc_cel_fail_at(struct oc_cel_lexer *l, size_t pos, int code, const char *fmt, ...)
{
    char text[OUTCALL_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)oc_fail(l->err, code, "%s", text);
    int line = 0, column = 0;
    oc_cel_place(l->s, l->len, pos, &line, &column);
    oc_error_at(l->err, "", line, column);
    return code;
}

const char *oc_cel_found(const struct oc_cel_lexer *l, char buf[OC_CEL_FOUND_SIZE])
{
    if (l->tok == OC_CEL_T_END)
        return "the end";
    size_t n = oc_utf8_cut(l->s + l->pos, l->end - l->pos, 32);
    const char *line_end = memchr(l->s + l->pos, '\n', n);
    if (line_end)
        n = (size_t)(line_end - (l->s + l->pos));
    (void)snprintf(buf, OC_CEL_FOUND_SIZE, "\"%.*s%s\"", (int)n, l->s + l->pos,
                   n < l->end - l->pos ? "..." : "");
    return buf;
}

static void skip_blank(struct oc_cel_lexer *l)
{
    while (l->at < l->len) {
        char c = l->s[l->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r') {
            l->at++;
        } else if (c == '/' && l->at + 1 < l->len && l->s[l->at + 1] == '/') {
            while (l->at < l->len && l->s[l->at] != '\n')
                l->at++;
        } else {
            return;
        }
    }
}

/* A string's prefix: r, b or both in that order (br). The length, or 0 when no quote follows. */
static size_t string_prefix(const struct oc_cel_lexer *l, bool *raw, bool *bytes)
{
    size_t i = l->at;
    *raw = *bytes = false;
    if (i < l->len && (l->s[i] == 'b' || l->s[i] == 'B')) {
        *bytes = true;
        i++;
    }
    if (i < l->len && (l->s[i] == 'r' || l->s[i] == 'R')) {
        *raw = true;
        i++;
    }
    return i < l->len && (l->s[i] == '"' || l->s[i] == '\'') ? i - l->at : 0;
}

static int lex_name(struct oc_cel_lexer *l)
{
    while (l->at < l->len && is_name(l->s[l->at]))
        l->at++;
    l->tok = OC_CEL_T_IDENT;
    return 0;
}

static int lex_quoted(struct oc_cel_lexer *l)
{
    size_t i = l->at + 1;
    while (i < l->len && (is_name(l->s[i]) || strchr(".-/ ", l->s[i])) && l->s[i])
        i++;
    if (i == l->len || l->s[i] != '`')
        return oc_cel_fail_at(l, i < l->len ? i : l->at, OUTCALL_E_SYNTAX,
                              i < l->len
                                  ? "a quoted name is made of letters, digits, '_', '.', '-', '/' and spaces"
                                  : "expected '`' to end the quoted name");
    if (i == l->at + 1)
        return oc_cel_fail_at(l, l->at, OUTCALL_E_SYNTAX, "expected a name between the backticks");
    l->at = i + 1;
    l->tok = OC_CEL_T_QUOTED;
    return 0;
}

static int lex_operator(struct oc_cel_lexer *l)
{
    static const struct {
        const char *s;
        int tok;
    } twos[] = {{"<=", OC_CEL_T_LE}, {">=", OC_CEL_T_GE},  {"==", OC_CEL_T_EQ},
                {"!=", OC_CEL_T_NE}, {"&&", OC_CEL_T_AND}, {"||", OC_CEL_T_OR}};
    char c = l->s[l->at];
    for (size_t i = 0; i < OC_ARRAY_SIZE(twos); i++)
        if (l->at + 1 < l->len && memcmp(l->s + l->at, twos[i].s, 2) == 0) {
            l->at += 2;
            l->tok = twos[i].tok;
            return 0;
        }
    if (c && strchr("+-*/%<>!?:.,()[]{}", c)) {
        l->at++;
        l->tok = OC_CEL_T(c);
        return 0;
    }
    if (c == '=' || c == '&' || c == '|')
        return oc_cel_fail_at(l, l->at, OUTCALL_E_SYNTAX, "expected \"%c%c\", found \"%c\"", c, c, c);
    size_t n = 1;
    while (l->at + n < l->len && ((unsigned char)l->s[l->at + n] & 0xc0) == 0x80)
        n++;
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return oc_cel_fail_at(l, l->at, OUTCALL_E_SYNTAX, "unexpected character 0x%02x", (unsigned char)c);
    return oc_cel_fail_at(l, l->at, OUTCALL_E_SYNTAX, "unexpected character \"%.*s\"", (int)n, l->s + l->at);
}

int oc_cel_next(struct oc_cel_lexer *l)
{
    skip_blank(l);
    l->pos = l->at;
    if (l->at >= l->len) {
        l->tok = OC_CEL_T_END;
        l->end = l->at;
        return 0;
    }
    char c = l->s[l->at];
    bool raw = false, bytes = false;
    size_t prefix = string_prefix(l, &raw, &bytes);
    int r = 0;
    if (prefix > 0 || c == '"' || c == '\'')
        r = oc_cel_lex_string(l, l->at + prefix, raw, bytes);
    else if (is_digit(c) || (c == '.' && l->at + 1 < l->len && is_digit(l->s[l->at + 1])))
        r = oc_cel_lex_number(l);
    else if (is_name(c))
        r = lex_name(l);
    else if (c == '`')
        r = lex_quoted(l);
    else
        r = lex_operator(l);
    l->end = l->at;
    return r;
}
