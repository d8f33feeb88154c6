#include "cel/overload.h"
#include <stdio.h>
#include <string.h>

#define BINARY(sign, sig)              \
    {                                  \
        sign, sig, OC_CEL_GLOBAL, NULL \
    }
static const struct oc_cel_func operators[] = {
    BINARY("+", "ii:i"), BINARY("+", "uu:u"), BINARY("+", "dd:d"), BINARY("+", "ss:s"), BINARY("+", "yy:y"),
    BINARY("+", "ll:l"), BINARY("+", "tr:t"), BINARY("+", "rt:t"), BINARY("+", "rr:r"), BINARY("-", "i:i"),
    BINARY("-", "d:d"),  BINARY("-", "ii:i"), BINARY("-", "uu:u"), BINARY("-", "dd:d"), BINARY("-", "tt:r"),
    BINARY("-", "tr:t"), BINARY("-", "rr:r"), BINARY("*", "ii:i"), BINARY("*", "uu:u"), BINARY("*", "dd:d"),
    BINARY("/", "ii:i"), BINARY("/", "uu:u"), BINARY("/", "dd:d"), BINARY("%", "ii:i"), BINARY("%", "uu:u"),
    BINARY("<", "bb:b"), BINARY("<", "ii:b"), BINARY("<", "iu:b"), BINARY("<", "id:b"), BINARY("<", "ui:b"),
    BINARY("<", "uu:b"), BINARY("<", "ud:b"), BINARY("<", "di:b"), BINARY("<", "du:b"), BINARY("<", "dd:b"),
    BINARY("<", "ss:b"), BINARY("<", "yy:b"), BINARY("<", "tt:b"), BINARY("<", "rr:b"), BINARY(NULL, NULL),
};

void oc_cel_overloads_of_operator(struct oc_cel_overloads *o, const char *sign)
{
    o->name = sign[0] == '>' || sign[0] == '<' ? "<" : sign; /* the four orders take the same */
    o->style = OC_CEL_GLOBAL;
    for (o->standard = operators; strcmp(o->standard->name, o->name) != 0;)
        o->standard++;
}

void oc_cel_overloads_of_call(struct oc_cel_overloads *o, const outcall_cel_env *env,
                              const struct oc_cel_node *node)
{
    o->standard = node->u.fn;
    o->style = node->member ? OC_CEL_MEMBER : OC_CEL_GLOBAL;
    if (node->custom) {
        o->custom = &env->custom[node->custom - 1U];
        o->end_of_custom = env->custom + env->n_custom;
    }
    o->name = o->standard ? o->standard->name : o->custom->name;
}

struct cursor {
    const struct oc_cel_func *standard;
    const struct oc_cel_custom *custom;
    const char *sig;
    bool full; /* the elements of lists and maps are in it */
};

/* The next overload, the standard ones first; false at the end. */
static bool next(const struct oc_cel_overloads *o, struct cursor *at)
{
    while (at->standard && at->standard->name && strcmp(at->standard->name, o->name) == 0) {
        const struct oc_cel_func *f = at->standard++;
        at->sig = f->sig;
        if (f->style & o->style)
            return true;
    }
    at->standard = NULL;
    at->full = true;
    while (at->custom != o->end_of_custom) {
        const struct oc_cel_custom *f = at->custom++;
        at->sig = f->types;
        if (f->style == o->style && strcmp(f->name, o->name) == 0)
            return true;
    }
    return false;
}

static struct oc_cel_type take(const char **sig, bool full)
{
    return full ? oc_cel_type_take(sig) : oc_cel_type_of_kind(oc_cel_letter_kind(*(*sig)++));
}

/* Does it take that many arguments, and those before the i-th as they are? *ret: the i-th it wants; for i = n
 * its result. */
static bool takes(const struct oc_cel_overloads *o, const struct cursor *at, size_t i,
                  struct oc_cel_type *ret)
{
    const char *sig = at->sig;
    size_t n = 0;
    for (; *sig != ':'; n++) {
        struct oc_cel_type wanted = take(&sig, at->full);
        if (n == i)
            *ret = wanted;
        if (n < i && n < o->n && !oc_cel_type_fits(&wanted, &o->args[n]))
            return false;
    }
    sig++;
    if (n == i)
        *ret = take(&sig, at->full);
    return n == o->n;
}

bool oc_cel_overloads_match(const struct oc_cel_overloads *o, size_t *fitting, struct oc_cel_type *ret)
{
    for (size_t i = 0; i <= o->n; i++) {
        struct cursor at = {o->standard, o->custom, NULL, false};
        struct oc_cel_type one;
        size_t n = 0;
        *fitting = i;
        while (next(o, &at))
            if (takes(o, &at, i, &one))
                *ret = n++ == 0 ? one : oc_cel_type_join(ret, &one);
        if (n == 0)
            return false;
    }
    return true;
}

/* What can be said of one thing: "a", "a or b", "a, b or c"; each of them once. */
struct words {
    char v[16][OC_CEL_TYPE_TEXT];
    size_t n;
};

static void add_word(struct words *w, const char *word)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->v[i], word) == 0)
            return;
    if (w->n < OC_ARRAY_SIZE(w->v))
        (void)snprintf(w->v[w->n++], sizeof(w->v[0]), "%s", word);
}

static void put_words(const struct words *w, char buf[OC_CEL_WANTED_TEXT])
{
    size_t len = 0;
    buf[0] = 0;
    for (size_t i = 0; i < w->n && len < OC_CEL_WANTED_TEXT; i++)
        len += (size_t)snprintf(buf + len, OC_CEL_WANTED_TEXT - len, "%s%s",
                                i == 0         ? ""
                                : i + 1 < w->n ? ", "
                                               : " or ",
                                w->v[i]);
}

void oc_cel_overloads_wanted(const struct oc_cel_overloads *o, size_t i, char buf[OC_CEL_WANTED_TEXT])
{
    struct cursor at = {o->standard, o->custom, NULL, false};
    struct words w = {.n = 0};
    struct oc_cel_type t;
    char text[OC_CEL_TYPE_TEXT];
    while (next(o, &at))
        if (takes(o, &at, i, &t))
            add_word(&w, oc_cel_type_text(&t, text));
    put_words(&w, buf);
}

bool oc_cel_overloads_counts(const struct oc_cel_overloads *o, size_t receivers, char buf[OC_CEL_WANTED_TEXT])
{
    struct cursor at = {o->standard, o->custom, NULL, false};
    struct words w = {.n = 0};
    char text[OC_CEL_TYPE_TEXT];
    while (next(o, &at)) {
        const char *sig = at.sig;
        size_t n = 0;
        for (; *sig != ':'; n++)
            (void)take(&sig, at.full);
        (void)snprintf(text, sizeof(text), "%zu", n - receivers);
        add_word(&w, text);
    }
    put_words(&w, buf);
    return strcmp(buf, "1") == 0;
}
