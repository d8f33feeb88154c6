#include "policy/definitions.h"
#include "base/nearest.h"
#include "base/str.h"
#include "core/error.h"
#include "policy/place.h"
#include <string.h>

#define NAME_MAX_BYTES 64

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

bool oc_definition_name(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len && is_name(s[i]))
        i++;
    return len > 0 && len <= NAME_MAX_BYTES && i == len && is_letter(s[0]);
}

static int by_name(const void *a, const void *b)
{
    const struct oc_definition *x = a, *y = b;
    return strcmp(x->node->key->text, y->node->key->text);
}

int oc_definitions_init(struct oc_definitions *d, const char *data, size_t len, const oc_yaml *node)
{
    *d = (struct oc_definitions){.data = data, .len = len, .text = {.max = OC_EXPANDED_MAX}};
    d->v = oc_new_array(node ? node->n : 0, sizeof(*d->v));
    if (!d->v)
        return OUTCALL_E_NO_MEMORY;
    for (const oc_yaml *one = node ? node->first : NULL; one; one = one->next)
        d->v[d->n++] = (struct oc_definition){.node = one, .text = {.max = OC_EXPANDED_MAX}};
    qsort(d->v, d->n, sizeof(*d->v), by_name);
    return 0;
}

void oc_definitions_done(struct oc_definitions *d)
{
    for (size_t i = 0; i < d->n; i++)
        oc_buf_done(&d->v[i].text);
    free(d->v);
    oc_buf_done(&d->text);
}

struct oc_definition *oc_definition_find(const struct oc_definitions *d, const char *name, size_t len)
{
    size_t from = 0, to = d->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const oc_yaml *key = d->v[middle].node->key;
        int order = memcmp(key->text, name, OC_MIN(key->len, len));
        if (order == 0 && key->len == len)
            return &d->v[middle];
        if (order < 0 || (order == 0 && key->len < len))
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Behind the string literal whose quote is at s[at]; len when it does not end. */
static size_t skip_string(const char *s, size_t len, size_t at, bool raw)
{
    char quote = s[at];
    size_t n = len - at >= 3 && s[at + 1] == quote && s[at + 2] == quote ? 3 : 1;
    for (at += n; at < len; at++) {
        size_t same = 0;
        while (same < n && at + same < len && s[at + same] == quote)
            same++;
        if (same == n)
            return at + n;
        if (s[at] == '\\' && !raw)
            at++;
    }
    return len;
}

/* Behind the token or the comment at s[at]. *word: it is an identifier. */
static size_t skip_token(const char *s, size_t len, size_t at, bool *word)
{
    size_t end = at;
    while (end < len && is_name(s[end]))
        end++;
    bool quoted = end < len && (s[end] == '"' || s[end] == '\'');
    bool bytes = end > at && (s[at] == 'b' || s[at] == 'B');
    bool raw = end > at && (s[end - 1] == 'r' || s[end - 1] == 'R');
    *word = false;
    if (quoted && end - at == (size_t)bytes + raw) /* nothing before it, or its prefix */
        return skip_string(s, len, end, raw);
    if (end > at) {
        *word = !(end - at == 2 && memcmp(s + at, "in", 2) == 0);
        return end;
    }
    const char *close = NULL;
    if (s[at] == '`') {
        close = memchr(s + at + 1, '`', len - at - 1);
        return close ? (size_t)(close - s) + 1 : len;
    }
    if (s[at] == '/' && at + 1 < len && s[at + 1] == '/') {
        close = memchr(s + at, '\n', len - at);
        return close ? (size_t)(close - s) : len;
    }
    return at + 1;
}

/* A text as what stands between its $names, one after the other. */
struct scan {
    const char *s;
    size_t len;
    size_t from, dollar, end; /* text from..dollar, then the $name up to end; dollar == end: none, the last */
    bool after_word;          /* an identifier stands before the $name */
    bool comment;             /* the text ends within a comment */
};

static bool next_piece(struct scan *scan)
{
    if (scan->dollar == scan->len && scan->end == scan->len)
        return false;
    bool word = false;
    scan->from = scan->end;
    for (size_t at = scan->from; at < scan->len;) {
        char c = scan->s[at];
        size_t end = at + 1;
        while (c == '$' && end < scan->len && is_name(scan->s[end]))
            end++;
        if (end > at + 1 && is_letter(scan->s[at + 1])) {
            scan->dollar = at;
            scan->end = end;
            scan->after_word = word;
            return true;
        }
        bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
        scan->comment = c == '/' && at + 1 < scan->len && scan->s[at + 1] == '/';
        bool before = word;
        at = skip_token(scan->s, scan->len, at, &word);
        word = blank || scan->comment ? before : word;
    }
    scan->dollar = scan->end = scan->len;
    return true;
}

/* What is put around a definition: a comment at its end must not swallow the parenthesis. */
static const char *closing(const oc_yaml *node)
{
    struct scan scan = {.s = node->text, .len = oc_place_trimmed(node)};
    while (next_piece(&scan))
        ;
    return scan.comment ? "\n)" : ")";
}

static int fail_at(const struct oc_definitions *d, const oc_yaml *node, size_t at, outcall_error *err,
                   int code, const char *what, size_t len, const char *more)
{
    int line = 0, column = 0;
    oc_place_in_scalar(d->data, d->len, node, at, &line, &column);
    (void)oc_fail(err, code, "\"%.*s\"%s", (int)len, what, more);
    oc_error_at(err, NULL, line, column);
    return code;
}

static int unknown(const struct oc_definitions *d, const oc_yaml *node, const struct scan *scan,
                   outcall_error *err)
{
    char name[NAME_MAX_BYTES + 1], meant[OC_MEANT_SIZE], text[OC_MEANT_SIZE + 32];
    const char *dollar = scan->s + scan->dollar;
    size_t len = scan->end - scan->dollar;
    (void)oc_copy(name, sizeof(name), dollar + 1, OC_MIN(len - 1, (size_t)NAME_MAX_BYTES));
    struct oc_nearest near = {name, NULL, 0};
    for (size_t i = 0; i < d->n; i++)
        oc_nearest_try(&near, d->v[i].node->key->text);
    (void)oc_format(text, sizeof(text), " is not defined%s", oc_nearest_text(&near, meant));
    return fail_at(d, node, scan->dollar, err, OUTCALL_E_UNDECLARED, dollar,
                   OC_MIN(len, (size_t)NAME_MAX_BYTES), text);
}

static int write_out(struct oc_definitions *d, const oc_yaml *node, unsigned depth, struct oc_buf *out,
                     outcall_error *err);

/* What is wrong with a definition itself, and not with one that it uses, is said in its name. */
static int refuse(struct oc_definitions *d, const struct oc_definition *def, int code,
                  const outcall_error *said, outcall_error *err)
{
    char shown[OC_SHOWN_SIZE];
    if (d->told)
        (void)oc_fail(err, code, "%s", said->text);
    else
        (void)oc_fail(err, code, "definition \"%s\": %s", oc_shown(shown, def->node->key->text), said->text);
    oc_error_at(err, NULL, said->line, said->column);
    d->told = true;
    return code;
}

static int check_node(const oc_yaml *node, outcall_error *err)
{
    if (!oc_definition_name(node->key->text, node->key->len))
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, node->key,
                            "a name is a letter or \"_\", then letters, digits and \"_\", at most %d in all",
                            NAME_MAX_BYTES);
    if (node->type != OC_YAML_SCALAR || oc_place_trimmed(node) == 0 || oc_yaml_is_null(node))
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, node, "expected an expression, got %s",
                            node->len > 0 || node->type != OC_YAML_SCALAR ? oc_yaml_type_name(node)
                                                                          : "nothing");
    return 0;
}

static int expand(struct oc_definitions *d, struct oc_definition *def, unsigned depth, outcall_error *err)
{
    outcall_error said = OUTCALL_ERROR_INIT;
    if (def->state == OC_DEFINITION_BAD)
        return 1;
    if (def->state == OC_DEFINITION_READY)
        return 0;
    def->state = OC_DEFINITION_ACTIVE;
    int r = check_node(def->node, &said);
    if (r == 0)
        r = write_out(d, def->node, depth, &def->text, &said);
    d->bytes += def->text.len;
    if (r == 0 && d->check)
        r = d->check(d->userdata, def, &said);
    def->state = r == 0 ? OC_DEFINITION_READY : OC_DEFINITION_BAD;
    return r < 0 ? refuse(d, def, r, &said, err) : r;
}

/* The $name of the scan: its definition, ready. */
static int use(struct oc_definitions *d, const oc_yaml *node, const struct scan *scan, unsigned depth,
               struct oc_definition **ret, outcall_error *err)
{
    const char *dollar = scan->s + scan->dollar;
    size_t len = scan->end - scan->dollar;
    struct oc_definition *def = oc_definition_find(d, dollar + 1, len - 1);
    if (!def)
        return unknown(d, node, scan, err);
    if (scan->after_word)
        return fail_at(d, node, scan->dollar, err, OUTCALL_E_SYNTAX, dollar, len,
                       " follows a name: expected an operator between them");
    if (def->state == OC_DEFINITION_ACTIVE)
        return fail_at(d, node, scan->dollar, err, OUTCALL_E_SYNTAX, dollar, len, " leads back to itself");
    if (depth == OC_DEFINITIONS_MAX)
        return fail_at(d, node, scan->dollar, err, OUTCALL_E_LIMIT, dollar, len,
                       " is nested too deep in other definitions");
    def->used = true;
    *ret = def;
    return expand(d, def, depth + 1, err);
}

static int write_out(struct oc_definitions *d, const oc_yaml *node, unsigned depth, struct oc_buf *out,
                     outcall_error *err)
{
    struct scan scan = {.s = node->text, .len = oc_place_trimmed(node)};
    while (next_piece(&scan)) {
        struct oc_definition *def = NULL;
        int r = oc_buf_add(out, scan.s + scan.from, scan.dollar - scan.from);
        if (r == 0 && scan.end > scan.dollar) {
            r = use(d, node, &scan, depth, &def, err);
            if (r != 0 || !def)
                return r;
            r = oc_buf_char(out, '(');
            if (r == 0)
                r = oc_buf_add(out, def->text.data, def->text.len);
            if (r == 0)
                r = oc_buf_str(out, closing(def->node));
        }
        if (r == OUTCALL_E_LIMIT)
            return oc_yaml_fail(err, r, node, "grows beyond %zu bytes with its definitions", OC_EXPANDED_MAX);
        if (r < 0)
            return oc_no_memory(err);
    }
    return 0;
}

int oc_definition_expand(struct oc_definitions *d, struct oc_definition *def, outcall_error *err)
{
    d->told = false;
    return expand(d, def, 0, err);
}

int oc_expand(struct oc_definitions *d, const oc_yaml *node, const char **ret, size_t *ret_len,
              outcall_error *err)
{
    oc_buf_clear(&d->text);
    if (!memchr(node->text, '$', node->len) && node->len <= OC_EXPANDED_MAX) {
        *ret = node->text;
        *ret_len = oc_place_trimmed(node);
        return 0;
    }
    int r = write_out(d, node, 0, &d->text, err);
    *ret = d->text.data ? d->text.data : "";
    *ret_len = d->text.len;
    d->bytes += d->text.len;
    return r;
}

void oc_expanded_place(const struct oc_definitions *d, const oc_yaml *node, size_t at, int *ret_line,
                       int *ret_column)
{
    struct scan scan = {.s = node->text, .len = oc_place_trimmed(node)};
    size_t here = 0; /* at, in node's own text */
    while (next_piece(&scan)) {
        size_t plain = scan.dollar - scan.from, written = 0;
        const struct oc_definition *def = NULL;
        if (scan.end > scan.dollar)
            def = oc_definition_find(d, scan.s + scan.dollar + 1, scan.end - scan.dollar - 1);
        here = scan.from + OC_MIN(at, plain);
        if (at < plain || !def)
            break;
        written = 1 + def->text.len + strlen(closing(def->node));
        if (at - plain < written)
            break;
        at -= plain + written;
    }
    oc_place_in_scalar(d->data, d->len, node, here, ret_line, ret_column);
}
