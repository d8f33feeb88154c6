/* format.c - a rule file in the project's own layout. What is written is read again and compared: nothing may
 * be lost or change its meaning. */
#include "base/nearest.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/policy.h"
#include "policy/layout.h"
#include "policy/load.h"
#include <string.h>

#define KEYS_MAX 16

/* The order of the example in outcall/policy.h. */
static const char *const file_keys[] = {"version", "definitions", "rules", "tests", NULL};
static const char *const rule_keys[] = {"id",     "condition", "action", "priority", "description",
                                        "reason", "agents",    "log",    "egress",   NULL};
static const char *const egress_keys[] = {"mode", "ports", "allow_private_ips", NULL};
static const char *const test_keys[] = {"name", "context", "expect", "rule", NULL};

static int unknown(const oc_yaml *key, const char *const *keys, outcall_error *err)
{
    char meant[OC_MEANT_SIZE], shown[OC_SHOWN_SIZE];
    struct oc_nearest near = {key->text, NULL, 0};
    for (; *keys; keys++)
        oc_nearest_try(&near, *keys);
    return oc_yaml_fail(err, OUTCALL_E_SYNTAX, key, "unknown key \"%s\"%s", oc_shown(shown, key->text),
                        oc_nearest_text(&near, meant));
}

/* Puts the entries of a mapping into the order of keys; one that is not there is refused. */
static int order(struct oc_item *mapping, const char *const *keys, outcall_error *err)
{
    struct oc_item *by_rank[KEYS_MAX] = {NULL};
    int r = oc_keys_type(mapping->node, OC_YAML_MAPPING, err);
    for (struct oc_item *c = mapping->first; c && r == 0; c = c->next) {
        size_t rank = 0;
        while (keys[rank] && strcmp(keys[rank], c->node->key->text) != 0)
            rank++;
        if (!keys[rank])
            return unknown(c->node->key, keys, err);
        by_rank[rank] = c; /* once: the loader refuses a repeated key */
    }
    if (r < 0)
        return r;
    struct oc_item **tail = &mapping->first;
    for (size_t rank = 0; rank < KEYS_MAX; rank++)
        if (by_rank[rank]) {
            *tail = by_rank[rank];
            tail = &by_rank[rank]->next;
        }
    *tail = NULL;
    return 0;
}

static bool is_key(const struct oc_item *item, const char *key)
{
    return strcmp(item->node->key->text, key) == 0;
}

static int order_entries(struct oc_item *sequence, const char *const *keys, outcall_error *err)
{
    int r = 0;
    for (struct oc_item *entry = sequence->first; entry && r == 0; entry = entry->next) {
        r = order(entry, keys, err);
        entry->flow = entry->flow && !entry->first; /* each key has its line */
        for (struct oc_item *c = entry->first; c && r == 0; c = c->next)
            if (is_key(c, "egress") && c->node->type == OC_YAML_MAPPING)
                r = order(c, egress_keys, err);
    }
    return r;
}

static int order_section(struct oc_item *section, outcall_error *err)
{
    if (is_key(section, "version") || oc_yaml_is_null(section->node))
        return 0;
    bool rules = is_key(section, "rules"), definitions = is_key(section, "definitions");
    section->flow = section->flow && !section->first; /* each entry has its lines */
    section->blanks = rules ? OC_BLANKS_ALWAYS : OC_BLANKS_KEEP;
    int r = oc_keys_type(section->node, definitions ? OC_YAML_MAPPING : OC_YAML_SEQUENCE, err);
    return r < 0 || definitions ? r : order_entries(section, rules ? rule_keys : test_keys, err);
}

static int order_file(struct oc_layout *l, outcall_error *err)
{
    if (l->n == 0)
        return 0;
    struct oc_item *file = &l->items[0];
    file->blanks = OC_BLANKS_ALWAYS;
    int r = order(file, file_keys, err);
    for (struct oc_item *section = file->first; section && r == 0; section = section->next)
        r = order_section(section, err);
    return r;
}

/* ---- the proof ---- */

static bool same_scalar(const oc_yaml *a, const oc_yaml *b)
{
    bool kind = a->plain == b->plain || !oc_scalar_is_special(a->text, a->len);
    return kind && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* A key is its text, with or without quotes. */
static bool same_key(const oc_yaml *a, const oc_yaml *b)
{
    return !a->key || (a->key->len == b->key->len && memcmp(a->key->text, b->key->text, a->key->len) == 0);
}

static bool same(const oc_yaml *a, const oc_yaml *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type || a->n != b->n)
        return false;
    if (a->type == OC_YAML_SCALAR)
        return same_scalar(a, b);
    const oc_yaml *in_order = b->first;
    for (const oc_yaml *x = a->first; x; x = x->next, in_order = in_order->next) {
        const oc_yaml *y = in_order;
        if (!same_key(x, y))
            y = oc_yaml_get(b, x->key->text); /* moved: only in mappings of few keys */
        if (!y || !same_key(x, y) || !same(x, y))
            return false;
    }
    return true;
}

static int compare_comments(const void *a, const void *b)
{
    const struct oc_comment *x = a, *y = b;
    int order = memcmp(x->text, y->text, OC_MIN(x->len, y->len));
    return order != 0 ? order : x->len < y->len ? -1 : x->len > y->len;
}

/* In whatever order; both are sorted, which their places in the tree do not survive. */
static bool same_comments(struct oc_layout *a, struct oc_layout *b)
{
    if (a->comments_n != b->comments_n)
        return false;
    if (a->comments_n == 0)
        return true;
    qsort(a->comments, a->comments_n, sizeof(*a->comments), compare_comments);
    qsort(b->comments, b->comments_n, sizeof(*b->comments), compare_comments);
    for (size_t i = 0; i < a->comments_n; i++)
        if (compare_comments(&a->comments[i], &b->comments[i]) != 0)
            return false;
    return true;
}

static int prove(struct oc_layout *before, const oc_yaml *root, const struct oc_buf *written)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *again = NULL;
    OC_CLEANUP(oc_layout_done) struct oc_layout after = {0};
    const char *text = written->data ? written->data : "";
    int r = oc_yaml_load(text, written->len, &again, NULL);
    if (r < 0)
        return r == OUTCALL_E_NO_MEMORY || r == OUTCALL_E_LIMIT ? r : OUTCALL_E_INTERNAL;
    if (!same(root, again))
        return OUTCALL_E_INTERNAL;
    r = oc_layout_read(&after, text, written->len, again);
    return r < 0 ? r : same_comments(before, &after) ? 0 : OUTCALL_E_INTERNAL;
}

static int fail(outcall_error *err, int code)
{
    if (code == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (code == OUTCALL_E_LIMIT)
        return oc_fail(err, code, "cannot be formatted: a key is too long, or the file would become so");
    return oc_fail(err, code, "cannot be formatted without changing what it says; it is left as it was");
}

static int format(const char *yaml, size_t len, struct oc_buf *b, outcall_error *err)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    OC_CLEANUP(oc_layout_done) struct oc_layout l = {0};
    int r = oc_yaml_load(yaml, len, &root, err);
    if (r < 0)
        return r;
    r = oc_layout_read(&l, yaml, len, root);
    if (r < 0)
        return fail(err, r);
    r = order_file(&l, err);
    if (r < 0)
        return r;
    r = oc_layout_write(&l, b);
    if (r == 0)
        r = prove(&l, root, b);
    return r < 0 ? fail(err, r) : 0;
}

int outcall_policy_format(const char *name, const char *yaml, size_t len, char **ret, size_t *ret_len,
                          outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    if ((!yaml && len > 0) || !ret || !ret_len)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_policy_format: an argument is NULL");
    int r = format(yaml ? yaml : "", len, &b, err);
    if (r < 0) {
        oc_error_at(err, name ? name : "rules.yaml", 0, 0);
        return r;
    }
    size_t n = 0;
    char *text = oc_buf_take(&b, &n);
    if (!text)
        return oc_no_memory(err);
    *ret = text;
    *ret_len = n;
    return 0;
}
