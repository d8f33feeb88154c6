/* layout.c - writes the tree and its comments: two spaces for each level, block style where the file has it,
 * brackets where they fit on the line and hold no comment. */
#include "policy/layout.h"
#include <string.h>

#define INDENT  2
#define WIDTH   100  /* characters of a line with brackets */
#define KEY_MAX 1000 /* bytes; libyaml takes no longer ones without "?" */

struct writer {
    const struct oc_layout *l;
    struct oc_buf *b;
    int r; /* the first failure; then nothing more is written */
};

static void put(struct writer *w, const char *s, size_t len)
{
    if (w->r == 0)
        w->r = oc_buf_add(w->b, s, len);
}

static void put_str(struct writer *w, const char *s)
{
    put(w, s, strlen(s));
}

static void put_indent(struct writer *w, int n)
{
    while (n-- > 0)
        put(w, " ", 1);
}

static size_t characters(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

/* ---- one line ---- */

static int write_inline(struct oc_buf *b, const oc_yaml *node, bool flow)
{
    bool indicator = node->len == 1 && strchr("-?:", node->text[0]);
    if (node->plain && !indicator && !oc_scalar_needs_escape(node->text, node->len))
        return oc_buf_add(b, node->text, node->len); /* as it was: it can mean more than text */
    return oc_write_scalar(b, node->text, node->len, flow);
}

static int write_key(struct oc_buf *b, const oc_yaml *key, bool flow)
{
    size_t before = b->len;
    int r = key->len > 0 ? write_inline(b, key, flow) : oc_buf_str(b, "\"\"");
    if (r == 0 && b->len - before > KEY_MAX)
        r = OUTCALL_E_LIMIT;
    return r < 0 ? r : oc_buf_char(b, ':');
}

static bool has_comments(const struct oc_item *item)
{
    if (item->foot.first)
        return true;
    for (const struct oc_item *c = item->first; c; c = c->next)
        if (c->head.first || c->line || has_comments(c))
            return true;
    return false;
}

/* Nothing at all between brackets is hard to see, and not always allowed. */
static bool has_nothing(const struct oc_item *item)
{
    bool nothing = item->node->type == OC_YAML_SCALAR && item->node->plain && item->node->len == 0;
    for (const struct oc_item *c = item->first; c && !nothing; c = c->next)
        nothing = has_nothing(c);
    return nothing;
}

static int write_flow(struct oc_buf *b, const struct oc_item *item)
{
    if (item->node->type == OC_YAML_SCALAR)
        return write_inline(b, item->node, true);
    bool mapping = item->node->type == OC_YAML_MAPPING;
    int r = oc_buf_char(b, mapping ? '{' : '[');
    for (const struct oc_item *c = item->first; c && r == 0; c = c->next) {
        if (c != item->first)
            r = oc_buf_str(b, ", ");
        if (r == 0 && mapping)
            r = write_key(b, c->node->key, true);
        if (r == 0 && mapping)
            r = oc_buf_char(b, ' ');
        if (r == 0)
            r = write_flow(b, c);
    }
    return r < 0 ? r : oc_buf_char(b, mapping ? '}' : ']');
}

/* Is this written over several lines, each entry on its own? column: where it would begin otherwise. */
static bool is_block(struct writer *w, const struct oc_item *item, size_t column)
{
    if (item->node->type == OC_YAML_SCALAR || !item->first)
        return false;
    if (!item->flow || has_comments(item) || has_nothing(item))
        return true;
    OC_CLEANUP(oc_buf_done) struct oc_buf line = OC_BUF_INIT;
    int r = write_flow(&line, item);
    if (r < 0 && w->r == 0)
        w->r = r;
    return r < 0 || column + characters(line.data, line.len) > WIDTH;
}

/* ---- scalars over several lines ---- */

static void put_line_comment(struct writer *w, const struct oc_comment *c)
{
    if (c) {
        put_str(w, "  ");
        put(w, c->text, c->len);
    }
    put_str(w, "\n");
}

static void put_header(struct writer *w, char style, bool indicator, const oc_yaml *node,
                       const struct oc_comment *comment)
{
    put(w, &style, 1);
    if (indicator)
        put_str(w, "2");
    if (node->text[node->len - 1] != '\n')
        put_str(w, "-");
    put_line_comment(w, comment);
}

/* One line of a block scalar; an empty one has no indentation. */
static void put_content(struct writer *w, const char *s, size_t len, int indent)
{
    if (len > 0)
        put_indent(w, indent);
    put(w, s, len);
    put_str(w, "\n");
}

static void put_literal(struct writer *w, const struct oc_item *item, int indent)
{
    const oc_yaml *node = item->node;
    size_t first = strspn(node->text, "\n");
    put_header(w, '|', node->text[first] == ' ' || node->text[first] == '\t', node, item->line);
    for (const char *s = node->text; *s;) {
        size_t n = strcspn(s, "\n");
        put_content(w, s, n, indent);
        s += n + (s[n] == '\n');
    }
}

/* The lines of a folded text as the author broke them. trim: what it was written in has no indentation of its
 * own. */
static void put_folded(struct writer *w, const struct oc_item *item, const char *s, const char *end,
                       size_t strip, int indent)
{
    size_t empty = 0;
    put_header(w, '>', false, item->node, item->line);
    while (s < end) {
        const char *next = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((next ? next : end) - s), skip = strip == 0 ? strspn(s, " \t") : 0;
        if (n > 0 && s[n - 1] == '\r')
            n--;
        while (strip > 0 && skip < strip && skip < n && s[skip] == ' ')
            skip++;
        skip = OC_MIN(skip, n);
        while (strip == 0 && n > skip && (s[n - 1] == ' ' || s[n - 1] == '\t'))
            n--;
        for (; n > skip && empty > 0; empty--)
            put_str(w, "\n");
        if (n > skip)
            put_content(w, s + skip, n - skip, indent);
        else
            empty++; /* written once something follows */
        s = next ? next + 1 : end;
    }
}

/* Only line ends of today in there. */
static bool simple_breaks(const char *s, const char *end)
{
    for (; s < end; s++) {
        size_t n = oc_line_break(s, end);
        if (n > 0 && *s != '\n' && n != (*s == '\r' ? 2 : 0))
            return false;
    }
    return true;
}

/* A folded block scalar whose indentation is that of its first line: false when it is not written so. */
static bool put_folded_block(struct writer *w, const struct oc_item *item, int indent)
{
    const char *s = w->l->text + item->from, *end = w->l->text + item->to;
    const char *line = memchr(s, '\n', (size_t)(end - s));
    for (const char *p = s; p < end && *p != '\n' && *p != '#'; p++)
        if (*p >= '1' && *p <= '9')
            return false;
    if (!line || !simple_breaks(s, end))
        return false;
    const char *p = ++line;
    size_t strip = 0;
    for (; p < end && (*p == ' ' || *p == '\n' || *p == '\r'); p++)
        strip = *p == ' ' ? strip + 1 : 0;
    if (strip == 0)
        return false;
    put_folded(w, item, line, end, strip, indent);
    return true;
}

/* The scalar with its comment and line end. indent: of the lines below the first one. */
static void put_scalar(struct writer *w, const struct oc_item *item, int indent)
{
    const oc_yaml *node = item->node;
    const char *s = w->l->text + item->from, *end = w->l->text + item->to;
    bool fits = oc_scalar_fits_block(node->text, node->len);
    bool lines = item->from < item->to && memchr(s, '\n', (size_t)(end - s));
    bool block = !node->plain && item->from < item->to && (*s == '|' || *s == '>');
    if (fits && node->plain && lines && !item->flow && simple_breaks(s, end)) {
        put_folded(w, item, s, end, 0, indent);
        return;
    }
    if (fits && block && *s == '>' && put_folded_block(w, item, indent))
        return;
    if (fits && (block || memchr(node->text, '\n', node->len - 1))) {
        put_literal(w, item, indent);
        return;
    }
    if (w->r == 0)
        w->r = write_inline(w->b, node, false);
    put_line_comment(w, item->line);
}

/* ---- entries ---- */

static void put_children(struct writer *w, const struct oc_item *item, int indent, bool begun);

static void put_comment(struct writer *w, const struct oc_comment *c, int indent, bool blank)
{
    if (blank && c->blank_before)
        put_str(w, "\n");
    put_indent(w, indent);
    put(w, c->text, c->len);
    put_str(w, "\n");
}

/* begun: something stands above it that an empty line would part it from. */
static void put_comments(struct writer *w, const struct oc_comments *l, int indent, bool begun, bool blanks)
{
    for (const struct oc_comment *c = l->first; c; c = c->next)
        put_comment(w, c, indent, blanks && (begun || c != l->first));
}

static size_t column_of_value(struct writer *w, const struct oc_item *item, int indent)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf key = OC_BUF_INIT;
    if (!item->node->key)
        return (size_t)indent + INDENT;
    int r = write_key(&key, item->node->key, false);
    if (r < 0 && w->r == 0)
        w->r = r;
    return (size_t)indent + (key.data ? characters(key.data, key.len) : 0) + 1;
}

/* An element that begins behind its "- ": what stands before it, and before what it begins with, comes first.
 */
static void put_heads(struct writer *w, const struct oc_item *item, int indent, bool begun, bool blanks)
{
    put_comments(w, &item->head, indent, begun, blanks);
    if (item->node->key || !is_block(w, item, column_of_value(w, item, indent)))
        return;
    if (item->line)
        put_comment(w, item->line, indent, false);
    put_heads(w, item->first, indent, true, false);
}

static void put_value(struct writer *w, const struct oc_item *item, int indent)
{
    bool mapping = item->node->key != NULL;
    bool nothing = item->node->type == OC_YAML_SCALAR && item->node->plain && item->node->len == 0;
    if (is_block(w, item, column_of_value(w, item, indent))) {
        if (mapping)
            put_line_comment(w, item->line);
        else
            put_str(w, " ");
        put_children(w, item, indent + INDENT, !mapping);
        return;
    }
    put_str(w, nothing ? "" : " ");
    if (item->node->type == OC_YAML_SCALAR) {
        put_scalar(w, item, indent + INDENT);
        return;
    }
    if (w->r == 0)
        w->r = write_flow(w->b, item);
    put_line_comment(w, item->line);
}

static bool blank_before(const struct oc_item *item, enum oc_blanks blanks)
{
    bool was = item->head.first ? item->head.first->blank_before : item->blank_before;
    return blanks == OC_BLANKS_ALWAYS || (blanks == OC_BLANKS_KEEP && was);
}

/* begun: the first entry goes on where the line is, behind "- ", and what stands before it is written. */
static void put_children(struct writer *w, const struct oc_item *item, int indent, bool begun)
{
    bool blanks = item->blanks != OC_BLANKS_NEVER;
    for (const struct oc_item *c = item->first; c; c = c->next) {
        bool first = c == item->first;
        if (!first && blank_before(c, item->blanks))
            put_str(w, "\n");
        if (!first || !begun) {
            put_heads(w, c, indent, false, blanks);
            if (c->head.first && c->blank_before && blanks)
                put_str(w, "\n");
            put_indent(w, indent);
        }
        if (!c->node->key)
            put_str(w, "-");
        else if (w->r == 0)
            w->r = write_key(w->b, c->node->key, false);
        put_value(w, c, indent);
    }
    put_comments(w, &item->foot, indent, true, blanks);
}

int oc_layout_write(const struct oc_layout *l, struct oc_buf *b)
{
    struct writer w = {.l = l, .b = b};
    if (l->n < 2) { /* nothing, or nothing in it */
        for (size_t i = 0; i < l->comments_n; i++)
            put_comment(&w, &l->comments[i], 0, i > 0);
        if (l->n == 1)
            put_str(&w, "{}\n");
        return w.r;
    }
    const struct oc_item *whole = &l->items[0];
    put_comments(&w, &whole->head, 0, false, true);
    if (whole->head.first)
        put_str(&w, "\n");
    put_children(&w, whole, 0, false);
    return w.r;
}
