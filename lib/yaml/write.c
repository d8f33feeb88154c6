#include "yaml/write.h"
#include "base/str.h"
#include <string.h>

#define STEP    2
#define KEY_MAX 1000 /* bytes as written; YAML allows 1024 characters before the colon */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The spellings that a reader may take for more than text, and that need no quotes anywhere. Everything that
 * any schema of YAML reads as a number, a truth value or nothing is among them, except for times. */
static bool is_bare(const oc_yaml *n)
{
    bool any = false;
    if (!n->plain || n->len == 0)
        return false;
    if (n->len == 1 && n->text[0] == '~')
        return true;
    for (size_t i = 0; i < n->len; i++) {
        any = any || is_alnum(n->text[i]);
        if (!is_alnum(n->text[i]) && !strchr("_.+-", n->text[i]))
            return false;
    }
    return any;
}

static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

/* One character of well-formed UTF-8; returns its bytes. */
static size_t decode(const char *text, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    *ret = c;
    return n;
}

static int escape(struct oc_buf *b, uint32_t c, bool quoted)
{
    if (c == '\n')
        return oc_buf_str(b, "\\n");
    if (c == '\t')
        return oc_buf_str(b, "\\t");
    if (quoted && (c == '"' || c == '\\'))
        return oc_buf_printf(b, "\\%c", (char)c);
    if (c >= 0x20 && c <= 0x7e)
        return oc_buf_char(b, (char)c);
    return oc_buf_printf(b, c <= 0xff ? "\\x%02x" : c <= 0xffff ? "\\u%04x" : "\\U%08x", c);
}

static int add_escaped(struct oc_buf *b, const char *text, size_t len, bool quoted)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < len;) {
        uint32_t c = 0;
        i += decode(text + i, &c);
        r = escape(b, c, quoted);
    }
    return r;
}

int oc_yaml_escape(struct oc_buf *b, const char *text, size_t len)
{
    return add_escaped(b, text, len, false);
}

static int add_spaces(struct oc_buf *b, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = oc_buf_char(b, ' ');
    return r;
}

/* Double quotes; text of several lines keeps them, each ended by an escaped line break. */
static int write_lines(struct oc_buf *b, const char *text, size_t len, size_t indent)
{
    int r = oc_buf_char(b, '"');
    for (size_t i = 0; r == 0 && i < len;) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i + 1 : len - i;
        if (i > 0) {
            r = oc_buf_str(b, "\\\n");
            if (r == 0)
                r = add_spaces(b, indent + STEP);
            if (r == 0 && text[i] == ' ')
                r = oc_buf_char(b, '\\'); /* spaces at a line's begin do not count without it */
        }
        if (r == 0)
            r = add_escaped(b, text + i, n, true);
        i += n;
    }
    return r < 0 ? r : oc_buf_char(b, '"');
}

static int write_single(struct oc_buf *b, const char *text, size_t len)
{
    int r = oc_buf_char(b, '\'');
    for (size_t i = 0; r == 0 && i < len; i++)
        r = text[i] == '\'' ? oc_buf_str(b, "''") : oc_buf_char(b, text[i]);
    return r < 0 ? r : oc_buf_char(b, '\'');
}

static int write_scalar(struct oc_buf *b, const oc_yaml *n, size_t indent)
{
    if (oc_yaml_is_null(n))
        return oc_buf_char(b, '~');
    if (is_bare(n))
        return oc_buf_add(b, n->text, n->len);
    if (is_printable(n->text, n->len) && (memchr(n->text, '"', n->len) || memchr(n->text, '\\', n->len)))
        return write_single(b, n->text, n->len);
    return write_lines(b, n->text, n->len, indent);
}

static int write_key(struct oc_buf *b, const oc_yaml *key)
{
    size_t before = b->len;
    int r = 0;
    if (oc_yaml_is_null(key) || is_bare(key)) {
        r = write_scalar(b, key, 0);
    } else {
        r = oc_buf_char(b, '"');
        if (r == 0)
            r = add_escaped(b, key->text, key->len, true);
        if (r == 0)
            r = oc_buf_char(b, '"');
    }
    if (r == 0 && b->len - before > KEY_MAX)
        r = OUTCALL_E_LIMIT;
    return r < 0 ? r : oc_buf_char(b, ':');
}

static int write_children(struct oc_buf *b, const oc_yaml *n, size_t indent, bool begun);

/* What follows "key:" or "-". */
static int write_value(struct oc_buf *b, const oc_yaml *n, size_t indent, bool in_mapping)
{
    if (n->type != OC_YAML_SCALAR && n->first) {
        int r = oc_buf_char(b, in_mapping ? '\n' : ' ');
        return r < 0 ? r : write_children(b, n, indent + STEP, !in_mapping);
    }
    int r = oc_buf_char(b, ' ');
    if (r == 0)
        r = n->type == OC_YAML_SEQUENCE  ? oc_buf_str(b, "[]")
            : n->type == OC_YAML_MAPPING ? oc_buf_str(b, "{}")
                                         : write_scalar(b, n, indent);
    return r < 0 ? r : oc_buf_char(b, '\n');
}

/* OC_YAML_DEPTH_MAX levels at most. begun: the first child's line has its indentation already. */
static int write_children(struct oc_buf *b, const oc_yaml *n, size_t indent, bool begun)
{
    bool mapping = n->type == OC_YAML_MAPPING;
    int r = 0;
    for (const oc_yaml *v = n->first; r == 0 && v; v = v->next, begun = false) {
        if (!begun)
            r = add_spaces(b, indent);
        if (r == 0)
            r = mapping ? write_key(b, v->key) : oc_buf_char(b, '-');
        if (r == 0)
            r = write_value(b, v, indent, mapping);
    }
    return r;
}

int oc_yaml_write(struct oc_buf *b, const oc_yaml *root)
{
    if (root->type != OC_YAML_SCALAR && root->first)
        return write_children(b, root, 0, false);
    int r = root->type == OC_YAML_SEQUENCE  ? oc_buf_str(b, "[]")
            : root->type == OC_YAML_MAPPING ? oc_buf_str(b, "{}")
                                            : write_scalar(b, root, 0);
    return r < 0 ? r : oc_buf_char(b, '\n');
}

static bool same_scalar(const oc_yaml *a, const oc_yaml *b)
{
    if (oc_yaml_is_null(a) || oc_yaml_is_null(b))
        return oc_yaml_is_null(a) && oc_yaml_is_null(b);
    return is_bare(a) == is_bare(b) && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

bool oc_yaml_same(const oc_yaml *a, const oc_yaml *b)
{
    if (a->type != b->type || a->n != b->n)
        return false;
    if (a->type == OC_YAML_SCALAR)
        return same_scalar(a, b);
    const oc_yaml *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if ((x->key != NULL) != (y->key != NULL) || (x->key && !same_scalar(x->key, y->key)) ||
            !oc_yaml_same(x, y))
            return false;
    return !x && !y;
}

oc_yaml *oc_yaml_new(enum oc_yaml_type type, const oc_yaml *at)
{
    oc_yaml *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->type = type;
    n->line = at->line;
    n->column = at->column;
    return n;
}

oc_yaml *oc_yaml_new_text(const char *text, bool plain, const oc_yaml *at)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *n = oc_yaml_new(OC_YAML_SCALAR, at);
    if (!n || oc_dup(&n->text, text) < 0)
        return NULL;
    n->len = strlen(text);
    n->plain = plain;
    return oc_take_ptr(&n);
}

static void append(oc_yaml *parent, oc_yaml *child)
{
    oc_yaml **tail = &parent->first;
    while (*tail)
        tail = &(*tail)->next;
    *tail = child;
    parent->n++;
}

int oc_yaml_add(oc_yaml *sequence, oc_yaml *take_child)
{
    if (!take_child)
        return OUTCALL_E_NO_MEMORY;
    append(sequence, take_child);
    return 0;
}

int oc_yaml_put(oc_yaml *mapping, const char *key, oc_yaml *take_child)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *child = take_child;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *name = child ? oc_yaml_new_text(key, true, child) : NULL;
    if (!name)
        return OUTCALL_E_NO_MEMORY;
    for (oc_yaml **v = &mapping->first; *v; v = &(*v)->next) {
        oc_yaml *old = *v;
        if (!oc_streq(old->key->text, key))
            continue;
        *v = old->next;
        mapping->n--;
        (void)oc_yaml_free(old);
        break;
    }
    child->key = oc_take_ptr(&name);
    append(mapping, oc_take_ptr(&child));
    return 0;
}
