/* Numbers and strings of the source text. */
#include "cel/lex.h"
#include <locale.h>
#include <math.h>
#include <string.h>

static int digit(char c, unsigned base)
{
    int v = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1;
    return v >= 0 && (unsigned)v < base ? v : -1;
}

static char at(const struct oc_cel_lexer *l, size_t i)
{
    return (char)(i < l->len ? l->s[i] : 0);
}

static size_t digits(const struct oc_cel_lexer *l, size_t i, unsigned base)
{
    while (digit(at(l, i), base) >= 0)
        i++;
    return i;
}

static int integer(struct oc_cel_lexer *l, size_t from, size_t to, unsigned base)
{
    uint64_t v = 0;
    for (size_t i = from; i < to; i++)
        if (__builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit(l->s[i], base), &v))
            return oc_cel_fail_at(l, l->pos, OUTCALL_E_SYNTAX, "the number does not fit into 64 bits");
    bool is_unsigned = at(l, to) == 'u' || at(l, to) == 'U';
    l->value = oc_cel_uint(v);
    l->tok = is_unsigned ? OC_CEL_T_UINT : OC_CEL_T_INT;
    l->at = to + (is_unsigned ? 1 : 0);
    return 0;
}

/* strtod of the caller's locale might want a comma: the C locale is asked for by name, and nobody else sees
 * it. */
static int real(struct oc_cel_lexer *l, size_t to)
{
    char *copy = oc_cel_arena_text(l->arena, l->s + l->pos, to - l->pos);
    if (!copy)
        return oc_cel_fail_at(l, l->pos, l->arena->failed, "no room for the number");
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return oc_cel_fail_at(l, l->pos, OUTCALL_E_NO_MEMORY, "out of memory");
    double d = strtod_l(copy, NULL, c);
    freelocale(c);
    if (isinf(d))
        return oc_cel_fail_at(l, l->pos, OUTCALL_E_SYNTAX, "the number does not fit into a double");
    l->value = oc_cel_double(d);
    l->tok = OC_CEL_T_DOUBLE;
    l->at = to;
    return 0;
}

int oc_cel_lex_number(struct oc_cel_lexer *l)
{
    size_t i = l->at;
    int r = 0;
    if (at(l, i) == '0' && (at(l, i + 1) == 'x' || at(l, i + 1) == 'X')) {
        size_t to = digits(l, i + 2, 16);
        if (to == i + 2)
            return oc_cel_fail_at(l, to, OUTCALL_E_SYNTAX, "expected a hexadecimal digit after \"0x\"");
        r = integer(l, i + 2, to, 16);
    } else {
        size_t to = digits(l, i, 10);
        bool is_real = false;
        if (at(l, to) == '.' && digit(at(l, to + 1), 10) >= 0) {
            is_real = true;
            to = digits(l, to + 1, 10);
        }
        if (at(l, to) == 'e' || at(l, to) == 'E') {
            size_t sign = at(l, to + 1) == '+' || at(l, to + 1) == '-' ? 1 : 0;
            if (digit(at(l, to + 1 + sign), 10) < 0)
                return oc_cel_fail_at(l, to + 1 + sign, OUTCALL_E_SYNTAX, "expected a digit in the exponent");
            is_real = true;
            to = digits(l, to + 1 + sign, 10);
        }
        r = is_real ? real(l, to) : integer(l, i, to, 10);
    }
    char after = at(l, l->at);
    if (r == 0 && ((after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z') || after == '_' ||
                   (after >= '0' && after <= '9')))
        return oc_cel_fail_at(l, l->at, OUTCALL_E_SYNTAX, "unexpected \"%c\" after a number", after);
    return r;
}

struct text { /* a string being unescaped */
    char *out;
    size_t n;
};

static void put_code_point(struct text *t, uint32_t c)
{
    if (c < 0x80) {
        t->out[t->n++] = (char)c;
        return;
    }
    if (c < 0x800) {
        t->out[t->n++] = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            t->out[t->n++] = (char)(0xe0 | c >> 12);
        } else {
            t->out[t->n++] = (char)(0xf0 | c >> 18);
            t->out[t->n++] = (char)(0x80 | (c >> 12 & 0x3f));
        }
        t->out[t->n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    t->out[t->n++] = (char)(0x80 | (c & 0x3f));
}

/* \xHH, \uHHHH, \UHHHHHHHH, \OOO: n digits of base from offset i. */
static int numeric_escape(struct oc_cel_lexer *l, size_t i, size_t n, unsigned base, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t k = 0; k < n; k++) {
        int d = digit(at(l, i + k), base);
        if (d < 0)
            return oc_cel_fail_at(l, i + k, OUTCALL_E_SYNTAX, "expected %zu %s digits in the escape", n,
                                  base == 16 ? "hexadecimal" : "octal");
        v = v * base + (uint32_t)d;
    }
    *ret = v;
    return 0;
}

/* The escape whose backslash is at *i; moves *i behind it. */
static int escape(struct oc_cel_lexer *l, size_t *i, bool bytes, struct text *t)
{
    static const char names[] = "abfnrtv\\?\"'`", meanings[] = "\a\b\f\n\r\t\v\\?\"'`";
    size_t start = *i;
    char c = at(l, start + 1);
    const char *simple = c ? strchr(names, c) : NULL;
    if (simple) {
        t->out[t->n++] = meanings[simple - names];
        *i += 2;
        return 0;
    }
    bool octal = c >= '0' && c <= '3';
    size_t n = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : octal ? 3 : 0;
    if (n == 0)
        return oc_cel_fail_at(l, start, OUTCALL_E_SYNTAX, "unknown escape in a %s literal",
                              bytes ? "bytes" : "string");
    if (bytes && (c == 'u' || c == 'U'))
        return oc_cel_fail_at(l, start, OUTCALL_E_SYNTAX, "\\u and \\U have no place in a bytes literal");
    uint32_t v = 0;
    size_t first = start + (octal ? 1 : 2);
    int r = numeric_escape(l, first, n, octal ? 8 : 16, &v);
    if (r < 0)
        return r;
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return oc_cel_fail_at(l, start, OUTCALL_E_SYNTAX, "U+%04X is no Unicode character", v);
    if (bytes)
        t->out[t->n++] = (char)v;
    else
        put_code_point(t, v);
    *i = first + n;
    return 0;
}

static bool closes(const struct oc_cel_lexer *l, size_t i, char quote, bool triple)
{
    return at(l, i) == quote && i < l->len && (!triple || (at(l, i + 1) == quote && at(l, i + 2) == quote));
}

/* Offset of the closing quote. */
static int find_end(struct oc_cel_lexer *l, size_t from, bool raw, bool triple, char quote, size_t *ret)
{
    size_t i = from;
    while (i < l->len && !closes(l, i, quote, triple)) {
        if (!triple && (l->s[i] == '\n' || l->s[i] == '\r'))
            return oc_cel_fail_at(l, l->pos, OUTCALL_E_SYNTAX, "expected %c before the end of the line",
                                  quote);
        i += !raw && l->s[i] == '\\' && i + 1 < l->len ? 2 : 1;
    }
    if (i >= l->len)
        return oc_cel_fail_at(l, l->pos, OUTCALL_E_SYNTAX, "expected %c%.*s to end the literal", quote,
                              triple ? 2 : 0, quote == '"' ? "\"\"" : "''");
    *ret = i;
    return 0;
}

int oc_cel_lex_string(struct oc_cel_lexer *l, size_t quote_at, bool raw, bool bytes)
{
    char quote = l->s[quote_at];
    bool triple = at(l, quote_at + 1) == quote && at(l, quote_at + 2) == quote;
    size_t width = triple ? 3 : 1, i = quote_at + width, end = 0;
    int r = find_end(l, i, raw, triple, quote, &end);
    if (r < 0)
        return r;
    l->tok = bytes ? OC_CEL_T_BYTES : OC_CEL_T_STRING;
    l->at = end + width;
    if (raw || !memchr(l->s + i, '\\', end - i)) { /* as it is written */
        l->value = bytes ? oc_cel_bytes(l->s + i, end - i) : oc_cel_string(l->s + i, end - i);
        return 0;
    }
    /* No escape gives more bytes than it is written with. */
    struct text t = {oc_cel_arena_alloc(l->arena, end - i + 1), 0};
    if (!t.out)
        return oc_cel_fail_at(l, l->pos, l->arena->failed, "no room for the literal");
    while (i < end) {
        if (l->s[i] == '\\') {
            r = escape(l, &i, bytes, &t);
            if (r < 0)
                return r;
        } else {
            t.out[t.n++] = l->s[i++];
        }
    }
    t.out[t.n] = 0;
    l->value = bytes ? oc_cel_bytes(t.out, t.n) : oc_cel_string(t.out, t.n);
    return 0;
}
