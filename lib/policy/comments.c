/* comments.c - which comment belongs to which entry. libyaml drops comments; but a "#" outside of every
 * scalar begins one, and where the scalars stand is known. */
#include "policy/layout.h"
#include <string.h>

size_t oc_line_break(const char *s, const char *end)
{
    size_t left = (size_t)(end - s);
    if (left == 0)
        return 0;
    if (*s == '\r')
        return left > 1 && s[1] == '\n' ? 2 : 1;
    if (*s == '\n')
        return 1;
    if (left > 1 && memcmp(s, "\xc2\x85", 2) == 0)
        return 2;
    return left > 2 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0) ? 3 : 0;
}

/* Is the line before the one that at stands in there, and empty? */
static bool blank_line_before(const char *text, uint32_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    if (at == 0)
        return false;
    at--;
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t' || text[at - 1] == '\r'))
        at--;
    return at == 0 || text[at - 1] == '\n';
}

static void append(struct oc_comments *l, struct oc_comment *c)
{
    c->next = NULL;
    if (l->last)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
}

/* ---- the tree ---- */

static size_t count(const oc_yaml *node)
{
    size_t n = 1;
    for (const oc_yaml *child = node->first; child; child = child->next)
        n += count(child); /* OC_YAML_DEPTH_MAX levels at most */
    return n;
}

static char char_at(const struct oc_layout *l, uint32_t at)
{
    return at < l->len ? l->text[at] : '\0';
}

/* bytes[i]: where character i begins. */
static struct oc_item *add(struct oc_layout *l, const oc_yaml *node, struct oc_item *parent,
                           const uint32_t *bytes)
{
    struct oc_item *item = &l->items[l->n++], **tail = &item->first;
    char c = char_at(l, bytes[node->from]);
    item->node = node;
    item->parent = parent;
    item->from = bytes[node->from];
    item->to = bytes[node->to];
    item->start = node->key ? bytes[node->key->from] : item->from;
    item->flow = (parent && parent->flow) || (node->type != OC_YAML_SCALAR && (c == '[' || c == '{'));
    item->blank_before = blank_line_before(l->text, item->start);
    for (const oc_yaml *child = node->first; child; child = child->next) {
        *tail = add(l, child, item, bytes);
        tail = &(*tail)->next;
    }
    return item;
}

static uint32_t *character_offsets(const char *text, size_t len)
{
    uint32_t *bytes = oc_new_array(len + 1, sizeof(*bytes));
    size_t n = 0;
    for (size_t i = 0; bytes && i < len; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            bytes[n++] = (uint32_t)i;
    if (bytes)
        bytes[n] = (uint32_t)len;
    return bytes;
}

/* ---- finding comments ---- */

/* The comment that begins at "#", up to the end of its line; *at goes there. */
static int add_comment(struct oc_layout *l, uint32_t *at, struct oc_item *owner)
{
    const char *begin = l->text + *at, *end = l->text + l->len, *p = begin;
    if (l->comments_n == l->comments_cap) {
        size_t cap = l->comments_cap ? 2 * l->comments_cap : 16;
        struct oc_comment *v = reallocarray(l->comments, cap, sizeof(*v));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        l->comments = v;
        l->comments_cap = cap;
    }
    while (p < end && oc_line_break(p, end) == 0)
        p++;
    uint32_t past = (uint32_t)(p - l->text), line = *at;
    while (p > begin && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    while (line > 0 && l->text[line - 1] != '\n')
        line--;
    l->comments[l->comments_n++] = (struct oc_comment){.text = begin,
                                                       .len = (uint32_t)(p - begin),
                                                       .at = *at,
                                                       .column = (int)(*at - line) + 1,
                                                       .owner = owner,
                                                       .blank_before = blank_line_before(l->text, *at)};
    *at = past;
    return 0;
}

/* Comments from *at up to end, where no scalar stands; or up to the character stop, when it is not NUL. */
static int scan_gap(struct oc_layout *l, uint32_t *at, uint32_t end, char stop)
{
    while (*at < end && (!stop || l->text[*at] != stop)) {
        int r = 0;
        if (l->text[*at] == '#')
            r = add_comment(l, at, NULL);
        else
            ++*at;
        if (r < 0)
            return r;
    }
    return 0;
}

/* An element begins with its dash. */
static int scan_dash(struct oc_layout *l, uint32_t *at, struct oc_item *item)
{
    const struct oc_item *in = item->parent;
    if (!in || in->flow || in->node->type != OC_YAML_SEQUENCE)
        return 0;
    int r = scan_gap(l, at, item->from, '-');
    if (r == 0 && *at < item->from) {
        item->start = (*at)++;
        item->blank_before = blank_line_before(l->text, item->start);
    }
    return r;
}

static bool is_block_scalar(const struct oc_layout *l, const struct oc_item *i)
{
    char c = char_at(l, i->from);
    return i->node->type == OC_YAML_SCALAR && !i->node->plain && (c == '|' || c == '>');
}

static int scan(struct oc_layout *l, const uint32_t *bytes)
{
    uint32_t at = 0;
    int r = 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        struct oc_item *item = &l->items[i];
        const oc_yaml *key = item->node->key;
        r = scan_dash(l, &at, item);
        if (r == 0 && key)
            r = scan_gap(l, &at, bytes[key->from], '\0');
        at = key ? OC_MAX(at, bytes[key->to]) : at;
        if (r < 0 || item->node->type != OC_YAML_SCALAR || item->from == item->to)
            continue;
        r = scan_gap(l, &at, item->from, '\0');
        bool block = is_block_scalar(l, item);
        while (r == 0 && block && at < item->to && l->text[at] != '#' &&
               oc_line_break(l->text + at, l->text + l->len) == 0)
            at++;
        if (r == 0 && block && at < item->to && l->text[at] == '#')
            r = add_comment(l, &at, item);
        at = OC_MAX(at, item->to);
    }
    return r < 0 ? r : scan_gap(l, &at, (uint32_t)l->len, '\0');
}

/* ---- giving each its place ---- */

/* Where a key, a scalar or what is in brackets ends: a comment behind it on the same line is the entry's. */
struct end {
    uint32_t at;
    struct oc_item *item;
};

static int compare_ends(const void *a, const void *b)
{
    const struct end *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static size_t collect_ends(const struct oc_layout *l, const uint32_t *bytes, struct end *v)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct oc_item *item = &l->items[i];
        bool scalar = item->node->type == OC_YAML_SCALAR && !is_block_scalar(l, item);
        char c = char_at(l, item->from);
        if (item->node->key)
            v[n++] = (struct end){bytes[item->node->key->to], item};
        if (scalar || (item->flow && (c == '[' || c == '{')))
            v[n++] = (struct end){item->to, item};
    }
    qsort(v, n, sizeof(*v), compare_ends);
    return n;
}

static void set_line(struct oc_item *item, struct oc_comment *c)
{
    if (!item->parent) { /* behind the whole */
        append(&item->foot, c);
        return;
    }
    if (item->line)
        append(&item->head, item->line); /* one line, one comment */
    item->line = c;
}

/* The entry that ends before the comment on its line, or NULL. */
static struct oc_item *line_owner(const struct oc_layout *l, const struct end *ends, size_t n,
                                  const struct oc_comment *c)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ends[mid].at <= c->at)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;
    for (uint32_t at = ends[low - 1].at; at < c->at; at++)
        if (oc_line_break(l->text + at, l->text + l->len) > 0)
            return NULL;
    return ends[low - 1].item;
}

static size_t first_after(const struct oc_layout *l, uint32_t at)
{
    size_t low = 1, high = l->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->items[mid].start > at)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static bool holds(const struct oc_item *item, uint32_t at)
{
    return item->flow && item->from <= at && at < item->to && item->node->type != OC_YAML_SCALAR;
}

/* Where the last comment went, for the next one between the same two entries: once they are indented less,
 * none goes back to a deeper place, or they would change their order. */
struct place {
    size_t next; /* the entry that follows them */
    struct oc_item *in;
};

/* A comment on a line of its own: before the next entry; or, when it is indented deeper than that, or stands
 * before a closing bracket, at the end of what it is in. */
static void place_own_line(struct oc_layout *l, struct oc_comment *c, struct place *last)
{
    size_t at = first_after(l, c->at);
    struct oc_item *before = &l->items[at - 1], *next = at < l->n ? &l->items[at] : NULL;
    bool block_parent = before->first && !before->flow;
    bool inside = before->parent && before->from > c->at;
    if (!block_parent && (inside || (holds(before, c->at) && !before->first))) {
        append(&before->head, c);
        return;
    }
    struct oc_item *up = next ? next->parent : &l->items[0], *flow = before;
    while (flow && !holds(flow, c->at))
        flow = flow->parent;
    if (flow && !(next && next->start < flow->to)) {
        append(&flow->foot, c);
        return;
    }
    struct oc_item *in = last->next == at ? last->in : before;
    if (flow || (next && next->parent == before) || c->column <= up->node->column)
        in = up;
    while (in != up && (in->flow || !in->first || in->node->column > c->column))
        in = in->parent;
    append(in != up || !next ? &in->foot : &next->head, c);
    *last = (struct place){at, in};
}

/* What stands at the top and is parted from the first entry by an empty line is about the whole file. */
static void split_head(struct oc_layout *l)
{
    struct oc_item *whole = &l->items[0], *first = &l->items[1];
    struct oc_comment *last = NULL;
    for (struct oc_comment *c = first->head.first; c; c = c->next)
        if (c->next ? c->next->blank_before : first->blank_before)
            last = c;
    if (!last)
        return;
    whole->head = (struct oc_comments){first->head.first, last};
    first->head.first = last->next;
    if (!last->next)
        first->head.last = NULL;
    last->next = NULL;
}

static int place_all(struct oc_layout *l, const uint32_t *bytes)
{
    OC_FREE struct end *ends = oc_new_array(2 * l->n, sizeof(*ends));
    if (!ends)
        return OUTCALL_E_NO_MEMORY;
    size_t n = collect_ends(l, bytes, ends);
    struct place last = {0, NULL};
    for (size_t i = 0; i < l->comments_n; i++) {
        struct oc_comment *c = &l->comments[i];
        struct oc_item *owner = c->owner ? c->owner : line_owner(l, ends, n, c);
        if (owner)
            set_line(owner, c);
        else
            place_own_line(l, c, &last);
    }
    if (l->n > 1)
        split_head(l);
    return 0;
}

int oc_layout_read(struct oc_layout *l, const char *text, size_t len, const oc_yaml *root)
{
    *l = (struct oc_layout){.text = text, .len = len};
    uint32_t at = 0;
    if (!root)
        return scan_gap(l, &at, (uint32_t)len, '\0');
    OC_FREE uint32_t *bytes = character_offsets(text, len);
    l->items = oc_new_array(count(root), sizeof(*l->items));
    if (!bytes || !l->items)
        return OUTCALL_E_NO_MEMORY;
    (void)add(l, root, NULL, bytes);
    int r = scan(l, bytes);
    return r < 0 ? r : place_all(l, bytes);
}

void oc_layout_done(struct oc_layout *l)
{
    free(l->items);
    free(l->comments);
    *l = (struct oc_layout){0};
}
