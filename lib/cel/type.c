#include "cel/type.h"
#include "cel/program.h"
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8 /* of a declared type: all of it fits into OC_CEL_TYPE_SIZE */

/* How many letters go before the inner type: a map's key is one of them. */
static size_t head(char letter)
{
    return letter == 'l' ? 1 : letter == 'm' ? 2 : 0;
}

/* Puts the type that begins at from behind the first n letters. Returns what is behind it. */
static const char *append(struct oc_cel_type *t, size_t n, const char *from)
{
    bool cut = false;
    for (size_t step = 0; (step = head(*from)) > 0; from += step) {
        cut = cut || n + step + 1 >= sizeof(t->s);
        if (cut)
            continue;
        memcpy(t->s + n, from, step);
        n += step;
    }
    t->s[n] = *from;
    if (cut)
        t->s[n] = '*';
    t->s[n + 1] = 0;
    return from + 1;
}

struct oc_cel_type oc_cel_type_of_kind(uint32_t kind)
{
    struct oc_cel_type t = {{oc_cel_kind_letter(kind)}};
    memset(t.s + 1, '*', head(t.s[0]));
    return t;
}

struct oc_cel_type oc_cel_type_list(const struct oc_cel_type *elem)
{
    struct oc_cel_type t = {"l"};
    (void)append(&t, 1, elem->s);
    return t;
}

struct oc_cel_type oc_cel_type_map(char key, const struct oc_cel_type *value)
{
    struct oc_cel_type t = {{'m', key}};
    (void)append(&t, 2, value->s);
    return t;
}

struct oc_cel_type oc_cel_type_inner(const struct oc_cel_type *t)
{
    struct oc_cel_type inner = {"*"};
    if (head(t->s[0]) > 0)
        (void)append(&inner, 0, t->s + head(t->s[0]));
    return inner;
}

struct oc_cel_type oc_cel_type_take(const char **letters)
{
    struct oc_cel_type t;
    *letters = append(&t, 0, *letters);
    return t;
}

static bool parse(const char **s, unsigned depth, struct oc_cel_type *ret)
{
    static const char *const dotted[] = {"google.protobuf.Timestamp", "google.protobuf.Duration", "net.IP",
                                         "net.CIDR"};
    size_t n = strcspn(*s, "(), .-");
    for (size_t i = 0; i < OC_ARRAY_SIZE(dotted); i++)
        if (strncmp(*s, dotted[i], strlen(dotted[i])) == 0)
            n = strlen(dotted[i]);
    int kind = oc_cel_kind_by_name(*s, n);
    if (kind < 0 && !(n == 3 && memcmp(*s, "dyn", 3) == 0))
        return false;
    *ret = oc_cel_type_of_kind(kind < 0 ? OUTCALL_CEL_DYN : (uint32_t)kind);
    *s += n;
    if (**s != '(' || head(ret->s[0]) == 0)
        return true;
    struct oc_cel_type param[2];
    size_t params = head(ret->s[0]);
    for (size_t i = 0; i < params; i++) {
        (*s)++;
        *s += strspn(*s, " ");
        if (depth == 0 || !parse(s, depth - 1, &param[i]) || **s != (i + 1 == params ? ')' : ','))
            return false;
    }
    (*s)++;
    *ret = params == 1 ? oc_cel_type_list(&param[0]) : oc_cel_type_map(param[0].s[0], &param[1]);
    return params == 1 || strchr("bius*", param[0].s[0]);
}

bool oc_cel_type_parse(const char **s, struct oc_cel_type *ret)
{
    return parse(s, DEPTH_MAX, ret);
}

const char *oc_cel_type_text(const struct oc_cel_type *t, char buf[OC_CEL_TYPE_TEXT])
{
    const char *s = t->s;
    size_t n = 0, open = 0;
    while (head(*s) > 0 && strcmp(s, "l*") != 0 && strcmp(s, "m**") != 0) {
        if (*s == 'l')
            n += (size_t)snprintf(buf + n, OC_CEL_TYPE_TEXT - n, "list(");
        else
            n += (size_t)snprintf(buf + n, OC_CEL_TYPE_TEXT - n, "map(%s, ",
                                  oc_cel_kind_name(oc_cel_letter_kind(s[1])));
        s += head(*s);
        open++;
    }
    n += (size_t)snprintf(buf + n, OC_CEL_TYPE_TEXT - n, "%s", oc_cel_kind_name(oc_cel_letter_kind(*s)));
    memset(buf + n, ')', open);
    buf[n + open] = 0;
    return buf;
}

struct oc_cel_type oc_cel_type_join(const struct oc_cel_type *a, const struct oc_cel_type *b)
{
    struct oc_cel_type t = *a;
    size_t n = 0;
    for (size_t step = 0; a->s[n] == b->s[n] && (step = head(a->s[n])) > 0; n += step)
        if (step == 2 && a->s[n + 1] != b->s[n + 1])
            t.s[n + 1] = '*';
    if (a->s[n] != b->s[n]) {
        t.s[n] = '*';
        t.s[n + 1] = 0;
    }
    return t;
}

static bool agree(char a, char b, bool numbers)
{
    return a == b || a == '*' || b == '*' || (numbers && strchr("iud", a) && strchr("iud", b));
}

static bool related(const char *a, const char *b, bool numbers)
{
    for (size_t step = 0; *a == *b && (step = head(*a)) > 0; a += step, b += step)
        if (step == 2 && !agree(a[1], b[1], numbers))
            return false;
    return agree(*a, *b, numbers);
}

bool oc_cel_type_fits(const struct oc_cel_type *wanted, const struct oc_cel_type *t)
{
    return related(wanted->s, t->s, false);
}

bool oc_cel_type_comparable(const struct oc_cel_type *a, const struct oc_cel_type *b)
{
    return related(a->s, b->s, true);
}
