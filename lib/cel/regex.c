#define PCRE2_CODE_UNIT_WIDTH 8
#include "cel/regex.h"
#include "base/buf.h"
#include "base/clock.h"
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

/* From one starting place: backtracking points, depth, KiB. Each start also asks the clock (the callout in
 * front of the pattern), so that many starting places do not add up. */
#define MATCH_LIMIT  40000
#define DEPTH_LIMIT  2000
#define HEAP_LIMIT   2048
#define TIME_MAX_NS  UINT64_C(5000000)
#define REPEAT_MAX   1000 /* RE2's */
#define PATTERN_COST 200  /* steps of compiling a pattern that is no constant */

struct oc_cel_regex {
    struct oc_cel_regex *next;
    pcre2_code *code;
};

static int refuse(char why[OC_CEL_REGEX_TEXT], const char *text)
{
    (void)snprintf(why, OC_CEL_REGEX_TEXT, "%s", text);
    return OUTCALL_E_INVALID;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What belongs to \x, \p and \P at s[i]: "{...}", or the two digits of \x. *end: behind it. */
static int vet_operand(const char *s, size_t len, size_t i, size_t *end, char why[OC_CEL_REGEX_TEXT])
{
    bool hex = s[i] == 'x', braces = i + 1 < len && s[i + 1] == '{';
    size_t k = i + (braces ? 2 : 1), digits = 0;
    while (k + digits < len && is_hex(s[k + digits]) && (braces || digits < 2))
        digits++;
    if (hex && (braces ? digits == 0 || k + digits >= len || s[k + digits] != '}' : digits < 2))
        return refuse(why, "expected hexadecimal digits after \\x");
    const char *close = braces ? memchr(s + k, '}', len - k) : NULL;
    *end = close ? (size_t)(close - s) + 1 : hex && !braces ? k + 2 : k;
    return 0;
}

/* The escape at s[i] == '\\'; copies it, translated where PCRE2 means something else. */
static int vet_escape(const char *s, size_t len, size_t *i, struct oc_buf *out, char why[OC_CEL_REGEX_TEXT])
{
    char c = (char)(*i + 1 < len ? s[*i + 1] : 0);
    if (*i + 1 >= len)
        return refuse(why, "the pattern ends in a backslash");
    if (c >= '1' && c <= '9')
        return refuse(why, "back-references are not supported");
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '0';
    if (letter && !strchr("afnrtvABbzdDsSwWpPxQE0", c))
        return refuse(why, "unknown escape");
    if (c == 'Q') {
        size_t end = *i + 2;
        while (end < len && !(s[end] == '\\' && end + 1 < len && s[end + 1] == 'E'))
            end++;
        end = end < len ? end + 2 : len;
        int r = oc_buf_add(out, s + *i, end - *i);
        *i = end;
        return r;
    }
    size_t end = *i + 2;
    int r = c == 'x' || c == 'p' || c == 'P' ? vet_operand(s, len, *i + 1, &end, why) : 0;
    if (r == 0)
        r = c == 'v' ? oc_buf_str(out, "\\x0b") : oc_buf_add(out, s + *i, end - *i);
    *i = end;
    return r;
}

/* What follows "(?": flags, a name or ":" only. */
static int vet_group(const char *s, size_t len, size_t i, char why[OC_CEL_REGEX_TEXT])
{
    if (i < len && s[i] == '*')
        return refuse(why, "verbs are not supported");
    if (i >= len || s[i] != '?')
        return 0;
    i++;
    if (i < len && s[i] == 'P')
        i++;
    if (i + 1 < len && s[i] == '<' && s[i + 1] != '=' && s[i + 1] != '!')
        return 0;
    if (i > 0 && s[i - 1] == 'P')
        return refuse(why, "back-references are not supported");
    if (i < len && (s[i] == '=' || s[i] == '!' || s[i] == '<'))
        return refuse(why, "look-around is not supported");
    size_t start = i;
    while (i < len && strchr("imsU-", s[i]) && s[i])
        i++;
    if (i >= len || (s[i] != ':' && s[i] != ')') || (s[i] == ')' && i == start))
        return refuse(why, "unknown kind of group");
    return 0;
}

/* A counted repetition "{n}", "{n,}" or "{n,m}" at s[i]: not more than RE2 allows. *end: behind it, or i when
 * it is none: some versions of PCRE2 repeat what RE2 has as text, such as "{,2}". */
static int vet_repeat(const char *s, size_t len, size_t i, size_t *end, char why[OC_CEL_REGEX_TEXT])
{
    size_t k = i + 1, n = 0, commas = 0;
    bool large = false;
    *end = i;
    for (; k < len && ((s[k] >= '0' && s[k] <= '9') || (s[k] == ',' && k > i + 1 && commas == 0)); k++) {
        commas += s[k] == ',';
        n = s[k] == ',' ? 0 : OC_MIN(n * 10 + (size_t)(s[k] - '0'), (size_t)REPEAT_MAX + 1);
        large = large || n > REPEAT_MAX;
    }
    if (k == len || s[k] != '}' || k == i + 1)
        return 0;
    *end = k + 1;
    return large ? refuse(why, "a repetition of more than 1000 is not supported") : 0;
}

static bool possessive(const char *s, size_t len, size_t i)
{
    return i < len && s[i] == '+';
}

static int copy_class(const char *s, size_t len, size_t *i, struct oc_buf *out, char why[OC_CEL_REGEX_TEXT])
{
    size_t start = *i;
    int r = oc_buf_char(out, s[(*i)++]);
    if (r == 0 && *i < len && s[*i] == '^')
        r = oc_buf_char(out, s[(*i)++]);
    bool first = true;
    while (r == 0 && *i < len && (s[*i] != ']' || first)) {
        first = false;
        if (s[*i] == '\\') {
            r = vet_escape(s, len, i, out, why);
        } else if (*i + 1 < len &&
                   ((s[*i] == '[' && s[*i + 1] == ':') || (s[*i] == ':' && s[*i + 1] == ']'))) {
            bool word = *i + 2 < len && (s[*i + 2] == '<' || s[*i + 2] == '>');
            if (s[*i] == '[' && word) /* PCRE2 would take it for the edge of a word */
                return refuse(why, "unknown POSIX class name");
            r = oc_buf_add(out, s + *i, 2);
            *i += 2;
        } else {
            r = oc_buf_char(out, s[(*i)++]);
        }
    }
    if (r == 0 && *i >= len)
        return refuse(why, start < len ? "expected ] to end the class" : "");
    return r < 0 ? r : oc_buf_char(out, s[(*i)++]);
}

static int translate(const char *s, size_t len, struct oc_buf *out, char why[OC_CEL_REGEX_TEXT])
{
    int r = oc_buf_str(out, "(?C1)(?:");
    for (size_t i = 0; r == 0 && i < len;) {
        size_t end = i;
        if (s[i] == '\\') {
            r = vet_escape(s, len, &i, out, why);
        } else if (s[i] == '[') {
            r = copy_class(s, len, &i, out, why);
        } else {
            if (s[i] == '(')
                r = vet_group(s, len, i + 1, why);
            else if (s[i] == '{')
                r = vet_repeat(s, len, i, &end, why);
            else if (strchr("*+?", s[i]) && s[i])
                end = i + 1;
            if (r == 0 && end > i && possessive(s, len, end))
                return refuse(why, "possessive repetition is not supported");
            if (r == 0 && s[i] == '{' && end == i)
                r = oc_buf_char(out, '\\');
            end = OC_MAX(end, i + 1);
            if (r == 0)
                r = oc_buf_add(out, s + i, end - i);
            i = end;
        }
    }
    return r < 0 ? r : oc_buf_char(out, ')');
}

int oc_cel_regex_new(const char *s, size_t len, struct oc_cel_regex **ret, char why[OC_CEL_REGEX_TEXT])
{
    if (len > OC_CEL_PATTERN_MAX)
        return refuse(why, "a pattern of more than 4096 bytes is not supported");
    struct oc_buf text = OC_BUF_INIT;
    int r = translate(s, len, &text, why);
    if (r < 0) {
        oc_buf_done(&text);
        return r;
    }
    struct oc_cel_regex *new = malloc(sizeof(*new));
    int number = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *code = NULL;
    if (new)
        code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
                             PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK,
                             &number, &at, NULL);
    oc_buf_done(&text);
    if (!code) {
        free(new);
        if (!new || number == PCRE2_ERROR_HEAP_FAILED)
            return OUTCALL_E_NO_MEMORY;
        PCRE2_UCHAR words[OC_CEL_REGEX_TEXT];
        (void)pcre2_get_error_message(number, words, sizeof(words));
        return refuse(why, (const char *)words);
    }
    new->next = NULL;
    new->code = code;
    *ret = new;
    return 0;
}

static void regex_free(struct oc_cel_regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    free(r);
}

void oc_cel_regex_push(struct oc_cel_regex **list, struct oc_cel_regex *r)
{
    r->next = *list;
    *list = r;
}

void oc_cel_regex_free_all(struct oc_cel_regex *list)
{
    while (list) {
        struct oc_cel_regex *next = list->next;
        regex_free(list);
        list = next;
    }
}

struct watch {
    uint64_t until;
    uint32_t starts;
};

/* What a thread needs to match, made once. */
struct oc_cel_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    struct watch watch;
};

void oc_cel_matcher_free(struct oc_cel_matcher *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    free(m);
}

static int at_start(pcre2_callout_block *block, void *userdata)
{
    (void)block;
    struct watch *w = userdata;
    if (w->starts++ % 16 != 0)
        return 0;
    uint64_t now = oc_now_ns();
    if (w->until == 0)
        w->until = now + TIME_MAX_NS;
    return now > w->until ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static struct oc_cel_matcher *matcher_new(void)
{
    struct oc_cel_matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (!m->data || !m->context) {
        oc_cel_matcher_free(m);
        return NULL;
    }
    (void)pcre2_set_match_limit(m->context, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(m->context, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(m->context, HEAP_LIMIT);
    (void)pcre2_set_callout(m->context, at_start, &m->watch);
    return m;
}

static int match(struct oc_cel_call *c, const struct oc_cel_regex *re)
{
    outcall_cel_eval *ev = c->ev;
    if (!ev->matcher)
        ev->matcher = matcher_new();
    if (!ev->matcher)
        return PCRE2_ERROR_NOMEMORY;
    ev->matcher->watch = (struct watch){0, 0};
    return pcre2_match(re->code, (PCRE2_SPTR)(c->args[0]->n > 0 ? c->args[0]->s : ""), c->args[0]->n, 0,
                       PCRE2_NO_UTF_CHECK, ev->matcher->data, ev->matcher->context);
}

void oc_cel_matches(struct oc_cel_call *c)
{
    char why[OC_CEL_REGEX_TEXT];
    struct oc_cel_regex *own = NULL;
    const struct oc_cel_regex *re = c->extra;
    if (!re) {
        int r = oc_cel_spend(&c->ev->budget, PATTERN_COST)
                    ? oc_cel_regex_new(c->args[1]->s, c->args[1]->n, &own, why)
                    : OUTCALL_E_LIMIT;
        if (r == OUTCALL_E_INVALID)
            oc_cel_call_error(c, r, "regular expression: %s", why);
        else if (r < 0)
            oc_cel_fatal(c->ev, c->pos, c->out, r);
        if (r < 0)
            return;
        re = own;
    }
    int r = match(c, re);
    regex_free(own);
    if (r >= 0 || r == PCRE2_ERROR_NOMATCH)
        *c->out = oc_cel_bool(r >= 0);
    else if (r == PCRE2_ERROR_NOMEMORY)
        oc_cel_fatal(c->ev, c->pos, c->out, OUTCALL_E_NO_MEMORY);
    else
        oc_cel_call_error(c, OUTCALL_E_INVALID, "the regular expression takes too long on this text");
}
