/* policy/layout.h - a rule file for who writes it out again: the tree of its YAML together with its comments,
 * each of which belongs to one entry. */
#ifndef POLICY_LAYOUT_H
#define POLICY_LAYOUT_H
#include "base/buf.h"
#include "yaml/yaml.h"

struct oc_comment {
    const char *text; /* from "#" to the end, without white space at the end; borrowed from the file */
    uint32_t len, at; /* bytes; of the file */
    int column;
    bool blank_before;     /* an empty line stands before its line */
    struct oc_item *owner; /* known while it is read: it stands behind a block scalar's | or > */
    struct oc_comment *next;
};

struct oc_comments {
    struct oc_comment *first, *last;
};

/* Where empty lines stand between the entries of a mapping or sequence. */
enum oc_blanks { OC_BLANKS_NEVER, OC_BLANKS_KEEP, OC_BLANKS_ALWAYS };

/* An entry of a mapping (node->key is its key), an element of a sequence, or the whole. */
struct oc_item {
    const oc_yaml *node;
    struct oc_item *parent, *first, *next; /* children in the order in which they are written */
    struct oc_comments head, foot;         /* on lines of their own: before it; behind its last child */
    struct oc_comment *line;               /* behind it on its line; NULL: none */
    uint32_t start, from, to;              /* bytes of the file: of key or value; of the value */
    bool flow;                             /* in brackets or braces, or inside such */
    bool blank_before;
    enum oc_blanks blanks;
};

struct oc_layout {
    const char *text;
    size_t len;
    struct oc_item *items; /* new; in the order of the file, the whole first */
    size_t n;
    struct oc_comment *comments; /* new; in the order of the file */
    size_t comments_n, comments_cap;
};

/* root may be NULL: a file of comments, which are then nobody's. text and root are borrowed and stay.
 * Whatever it returns, oc_layout_done(). OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_layout_read(struct oc_layout *l, const char *text, size_t len, const oc_yaml *root);
void oc_layout_done(struct oc_layout *l);

/* Writes it to b. OUTCALL_E_NO_MEMORY, _LIMIT (a key that is too long for any layout). */
OC_NODISCARD int oc_layout_write(const struct oc_layout *l, struct oc_buf *b);

/* A text as one line of YAML: without quotes where it can do without them. flow: between brackets. */
OC_NODISCARD int oc_write_scalar(struct oc_buf *b, const char *s, size_t len, bool flow);
/* Does the text mean something else without quotes: nothing, a truth value, a number? */
bool oc_scalar_is_special(const char *s, size_t len);
/* Has it characters that YAML shows only behind a backslash, line ends among them? */
bool oc_scalar_needs_escape(const char *s, size_t len);
/* Can a block scalar show it? No odd characters, at most one line end behind it. */
bool oc_scalar_fits_block(const char *s, size_t len);
/* Bytes of the line break at s (also those of YAML 1.1), 0 when there is none; end is behind the text. */
size_t oc_line_break(const char *s, const char *end);

#endif
