#include "policy/place.h"
#include <string.h>

/* Walks over a file as libyaml does: its line breaks, its columns. */
struct cursor {
    const char *s;
    size_t len, at;
    int line, column;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t character(const char *s, size_t left)
{
    size_t n = 1;
    while (n < left && ((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* Bytes of the line break here, or 0. */
static size_t line_break(const struct cursor *c)
{
    static const char *const breaks[] = {"\r\n", "\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(breaks); i++) {
        size_t n = strlen(breaks[i]);
        if (c->len - c->at >= n && memcmp(c->s + c->at, breaks[i], n) == 0)
            return n;
    }
    return 0;
}

static void step(struct cursor *c)
{
    if (c->at >= c->len)
        return;
    size_t n = line_break(c);
    c->line += n > 0;
    c->column = n > 0 ? 1 : c->column + 1;
    c->at += n > 0 ? n : character(c->s + c->at, c->len - c->at);
}

static void skip_blank(struct cursor *c)
{
    while (c->at < c->len && (is_blank(c->s[c->at]) || line_break(c) > 0))
        step(c);
}

/* Is the rest of the line blank? */
static bool at_line_end(const struct cursor *c)
{
    struct cursor ahead = *c;
    while (ahead.at < ahead.len && (ahead.s[ahead.at] == ' ' || ahead.s[ahead.at] == '\t'))
        ahead.at++;
    return ahead.at < ahead.len && line_break(&ahead) > 0;
}

/* A backslash and what belongs to it; false: it stands before a line break and gives no character. */
static bool skip_escape(struct cursor *c)
{
    step(c);
    if (line_break(c) > 0) {
        skip_blank(c);
        return false;
    }
    char kind = c->at < c->len ? c->s[c->at] : '\0';
    int digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    for (int i = 0; i <= digits; i++)
        step(c);
    return true;
}

/* To the first character of the text, and how many of its bytes are passed over: blank at the start of a
 * block. */
static size_t enter(struct cursor *c, const oc_yaml *node, char style)
{
    size_t at = 0;
    if (style == '"' || style == '\'')
        step(c);
    if (style != '|' && style != '>')
        return 0;
    while (c->at < c->len && line_break(c) == 0)
        step(c);
    skip_blank(c);
    while (at < node->len && is_blank(node->text[at]))
        at++;
    return at;
}

void oc_place_in_scalar(const char *data, size_t len, const oc_yaml *node, size_t at, int *ret_line,
                        int *ret_column)
{
    struct cursor c = {data, len, 0, 1, 1};
    while (c.at < len && (c.line < node->line || (c.line == node->line && c.column < node->column)))
        step(&c);
    char style = node->plain || c.at == len ? '\0' : data[c.at];
    for (size_t i = enter(&c, node, style); i < at && c.at < len;) {
        if (is_blank(node->text[i]) &&
            at_line_end(&c)) { /* a fold or a line of a block: both go on at its text */
            skip_blank(&c);
            while (i < at && is_blank(node->text[i]))
                i++;
            continue;
        }
        bool counts = true;
        if (style == '"' && data[c.at] == '\\') {
            counts = skip_escape(&c);
        } else {
            if (style == '\'' && data[c.at] == '\'')
                step(&c);
            step(&c);
        }
        i += counts ? character(node->text + i, node->len - i) : 0;
    }
    *ret_line = c.line;
    *ret_column = c.column;
}

size_t oc_place_offset(const char *s, size_t len, int line, int column)
{
    size_t at = 0;
    for (int l = 1; l < line && at < len; l++) {
        const char *end = memchr(s + at, '\n', len - at);
        at = end ? (size_t)(end - s) + 1 : len;
    }
    for (int c = 1; c < column && at < len; c++)
        at += character(s + at, len - at);
    return at;
}

size_t oc_place_trimmed(const oc_yaml *node)
{
    size_t len = node->len;
    while (len > 0 && is_blank(node->text[len - 1]))
        len--;
    return len;
}
