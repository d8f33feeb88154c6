#include "yaml/yaml.h"
#include "base/str.h"
#include "core/error.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

struct loader {
    yaml_parser_t parser;
    size_t nodes;
    int depth;
    outcall_error *err;
};

static int place(size_t mark)
{
    return mark < INT_MAX ? (int)mark + 1 : INT_MAX;
}

static int no_memory(struct loader *l)
{
    (void)oc_no_memory(l->err);
    return OUTCALL_E_NO_MEMORY;
}

static int fail_at(struct loader *l, int code, const yaml_mark_t *mark, const char *text)
{
    (void)oc_fail(l->err, code, "%s", text);
    oc_error_at(l->err, NULL, place(mark->line), place(mark->column));
    return code;
}

int oc_yaml_fail(outcall_error *err, int code, const oc_yaml *node, const char *fmt, ...)
{
    char text[OUTCALL_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)oc_fail(err, code, "%s", text);
    oc_error_at(err, NULL, node->line, node->column);
    return code;
}

oc_yaml *oc_yaml_free(oc_yaml *node)
{
    if (!node)
        return NULL;
    for (oc_yaml *child = node->first, *next; child; child = next) {
        next = child->next;
        (void)oc_yaml_free(child); /* OC_YAML_DEPTH_MAX levels at most */
    }
    if (node->key) {
        free(node->key->text);
        free(node->key);
    }
    free(node->text);
    free(node);
    return NULL;
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
    if (yaml_parser_parse(&l->parser, ret))
        return 0;
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(l);
    const char *problem = p->problem ? p->problem : "malformed";
    const yaml_mark_t *mark = p->error == YAML_READER_ERROR ? &p->mark : &p->problem_mark;
    (void)oc_fail(l->err, OUTCALL_E_SYNTAX, "malformed YAML: %s", problem);
    return fail_at(l, OUTCALL_E_SYNTAX, mark, "");
}

static int refuse_extras(struct loader *l, const yaml_event_t *e, const yaml_char_t *anchor,
                         const yaml_char_t *tag)
{
    if (anchor)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "anchors are not allowed");
    if (tag)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "tags are not allowed");
    return 0;
}

static int new_node(struct loader *l, enum oc_yaml_type type, const yaml_event_t *e, oc_yaml **ret)
{
    if (++l->nodes > OC_YAML_NODES_MAX)
        return fail_at(l, OUTCALL_E_LIMIT, &e->start_mark, "more than " TEXT(OC_YAML_NODES_MAX) " values");
    oc_yaml *node = calloc(1, sizeof(*node));
    if (!node)
        return no_memory(l);
    node->type = type;
    node->line = place(e->start_mark.line);
    node->column = place(e->start_mark.column);
    node->from = (uint32_t)e->start_mark.index; /* OC_YAML_SIZE_MAX at most */
    node->to = (uint32_t)e->end_mark.index;
    *ret = node;
    return 0;
}

static int load_scalar(struct loader *l, const yaml_event_t *e, oc_yaml **ret)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    int r = refuse_extras(l, e, e->data.scalar.anchor, e->data.scalar.tag);
    if (r < 0)
        return r;
    if (memchr(text, '\0', len))
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "text with a NUL character is not allowed");
    OC_CLEANUP(oc_yaml_freep) oc_yaml *node = NULL;
    r = new_node(l, OC_YAML_SCALAR, e, &node);
    if (r < 0)
        return r;
    node->text = strndup(text, len);
    if (!node->text)
        return no_memory(l);
    node->len = len;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *ret = oc_take_ptr(&node);
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const oc_yaml *x = (*(oc_yaml *const *)a)->key, *y = (*(oc_yaml *const *)b)->key;
    size_t n = OC_MIN(x->len, y->len);
    int order = memcmp(x->text, y->text, n);
    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

/* By sorting: a mapping of a million keys must not take a million times as long. */
static int refuse_repeated_keys(struct loader *l, const oc_yaml *mapping)
{
    OC_FREE const oc_yaml **sorted = oc_new_array(mapping->n, sizeof(void *));
    if (!sorted)
        return no_memory(l);
    size_t n = 0;
    for (const oc_yaml *v = mapping->first; v; v = v->next)
        sorted[n++] = v;
    qsort(sorted, n, sizeof(void *), compare_keys);
    const oc_yaml *repeated = NULL;
    for (size_t i = 1; i < n; i++) {
        const oc_yaml *before = sorted[i - 1]->key, *key = sorted[i]->key;
        bool same = before->len == key->len && memcmp(before->text, key->text, key->len) == 0;
        bool earlier = !repeated || key->line < repeated->line ||
                       (key->line == repeated->line && key->column < repeated->column);
        if (same && earlier)
            repeated = key;
    }
    if (!repeated)
        return 0;
    (void)oc_yaml_fail(l->err, OUTCALL_E_SYNTAX, repeated, "key \"%.64s\" is repeated", repeated->text);
    return OUTCALL_E_SYNTAX;
}

static int load_node(struct loader *l, const yaml_event_t *e, oc_yaml **ret);

/* The value that belongs to the key in e. */
static int load_pair(struct loader *l, const yaml_event_t *e, oc_yaml **ret)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *key = NULL, *value = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "aliases are not allowed");
    if (e->type != YAML_SCALAR_EVENT)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "expected a key, got a sequence or mapping");
    int r = load_scalar(l, e, &key);
    yaml_event_t value_event;
    if (r == 0)
        r = next_event(l, &value_event);
    if (r < 0)
        return r;
    r = load_node(l, &value_event, &value);
    yaml_event_delete(&value_event);
    if (r < 0)
        return r;
    value->key = oc_take_ptr(&key);
    *ret = oc_take_ptr(&value);
    return 0;
}

/* Children up to the end event; they hang on the node at once, so that a failure frees them with it. */
static int load_children(struct loader *l, oc_yaml *node)
{
    bool mapping = node->type == OC_YAML_MAPPING;
    oc_yaml **tail = &node->first;
    for (;;) {
        yaml_event_t e;
        oc_yaml *child = NULL;
        int r = next_event(l, &e);
        if (r < 0)
            return r;
        bool end = e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
        if (end)
            node->to = (uint32_t)e.end_mark.index;
        else
            r = mapping ? load_pair(l, &e, &child) : load_node(l, &e, &child);
        yaml_event_delete(&e);
        if (r != 0)
            return r;
        if (end)
            return mapping ? refuse_repeated_keys(l, node) : 0;
        *tail = child;
        tail = &child->next;
        node->n++;
    }
}

static int load_node(struct loader *l, const yaml_event_t *e, oc_yaml **ret)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *node = NULL;
    if (e->type == YAML_SCALAR_EVENT)
        return load_scalar(l, e, ret);
    if (e->type == YAML_ALIAS_EVENT)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "aliases are not allowed");
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    if (!mapping && e->type != YAML_SEQUENCE_START_EVENT)
        return fail_at(l, OUTCALL_E_SYNTAX, &e->start_mark, "malformed YAML: expected a value");
    int r = mapping ? refuse_extras(l, e, e->data.mapping_start.anchor, e->data.mapping_start.tag)
                    : refuse_extras(l, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    if (r == 0 && l->depth == OC_YAML_DEPTH_MAX)
        r = fail_at(l, OUTCALL_E_LIMIT, &e->start_mark,
                    "nested deeper than " TEXT(OC_YAML_DEPTH_MAX) " levels");
    if (r == 0)
        r = new_node(l, mapping ? OC_YAML_MAPPING : OC_YAML_SEQUENCE, e, &node);
    if (r < 0)
        return r;
    l->depth++;
    r = load_children(l, node);
    l->depth--;
    if (r == 0)
        *ret = oc_take_ptr(&node);
    return r;
}

/* After the first document only the end of the stream may come. */
static int expect_event(struct loader *l, yaml_event_type_t type, const char *what)
{
    yaml_event_t e;
    int r = next_event(l, &e);
    if (r < 0)
        return r;
    if (e.type != type)
        r = fail_at(l, OUTCALL_E_SYNTAX, &e.start_mark, what);
    yaml_event_delete(&e);
    return r;
}

static int load_document(struct loader *l, oc_yaml **ret)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    yaml_event_t e;
    int r = expect_event(l, YAML_STREAM_START_EVENT, "malformed YAML: no stream");
    if (r == 0)
        r = next_event(l, &e);
    if (r < 0)
        return r;
    bool empty = e.type == YAML_STREAM_END_EVENT;
    if (!empty && (e.data.document_start.version_directive ||
                   e.data.document_start.tag_directives.start != e.data.document_start.tag_directives.end))
        r = fail_at(l, OUTCALL_E_SYNTAX, &e.start_mark, "directives are not allowed");
    yaml_event_delete(&e);
    if (r < 0 || empty)
        return r;
    r = next_event(l, &e);
    if (r < 0)
        return r;
    r = load_node(l, &e, &root);
    yaml_event_delete(&e);
    if (r == 0)
        r = expect_event(l, YAML_DOCUMENT_END_EVENT, "malformed YAML: expected the end of the document");
    if (r == 0)
        r = expect_event(l, YAML_STREAM_END_EVENT, "more than one document");
    if (r == 0 && !oc_yaml_is_null(root))
        *ret = oc_take_ptr(&root);
    return r;
}

/* libyaml would take UTF-16 too, and its words for a bad byte have no place. */
static int check_characters(const char *data, size_t len, outcall_error *err)
{
    int line = 1, column = 1;
    for (size_t at = 0; at < len;) {
        size_t n = 1, left = OC_MIN(len - at, (size_t)4);
        while (n < left && !oc_utf8_valid(data + at, n))
            n++;
        bool valid = oc_utf8_valid(data + at, n);
        char c = data[at];
        if (!valid || (oc_has_control(&c, 1) && c != '\t' && c != '\n' && c != '\r')) {
            (void)oc_fail(err, OUTCALL_E_SYNTAX,
                          valid ? "control characters are not allowed" : "invalid UTF-8");
            oc_error_at(err, NULL, line, column);
            return OUTCALL_E_SYNTAX;
        }
        line += c == '\n';
        column = c == '\n' ? 1 : column + 1;
        at += n;
    }
    return 0;
}

int oc_yaml_load(const char *data, size_t len, oc_yaml **ret, outcall_error *err)
{
    struct loader l = {.err = err};
    oc_yaml *root = NULL;
    if (len > OC_YAML_SIZE_MAX) {
        (void)oc_fail(err, OUTCALL_E_LIMIT, "larger than %zu bytes", OC_YAML_SIZE_MAX);
        oc_error_at(err, NULL, 1, 1);
        return OUTCALL_E_LIMIT;
    }
    int r = check_characters(data, len, err);
    if (r < 0)
        return r;
    if (!yaml_parser_initialize(&l.parser))
        return oc_no_memory(err);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)data, len);
    r = load_document(&l, &root);
    yaml_parser_delete(&l.parser);
    if (r == 0)
        *ret = root;
    return r;
}

const oc_yaml *oc_yaml_get(const oc_yaml *mapping, const char *key)
{
    if (!mapping || mapping->type != OC_YAML_MAPPING)
        return NULL;
    for (const oc_yaml *v = mapping->first; v; v = v->next)
        if (strcmp(v->key->text, key) == 0)
            return v;
    return NULL;
}

const char *oc_yaml_type_name(const oc_yaml *node)
{
    return node->type == OC_YAML_MAPPING    ? "a mapping"
           : node->type == OC_YAML_SEQUENCE ? "a sequence"
           : oc_yaml_is_null(node)          ? "nothing"
                                            : "text";
}

bool oc_yaml_is_null(const oc_yaml *node)
{
    if (node->type != OC_YAML_SCALAR || !node->plain)
        return false;
    return node->len == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

int oc_yaml_bool(const oc_yaml *node, bool *ret)
{
    bool yes = node->type == OC_YAML_SCALAR && node->plain && strcmp(node->text, "true") == 0;
    bool no = node->type == OC_YAML_SCALAR && node->plain && strcmp(node->text, "false") == 0;
    if (!yes && !no)
        return OUTCALL_E_TYPE;
    *ret = yes;
    return 0;
}
