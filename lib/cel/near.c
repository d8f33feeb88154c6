#include "cel/near.h"
#include "base/nearest.h"
#include <stdio.h>
#include <string.h>

struct search { /* the first len letters of a name, and the best so far */
    const char *name;
    size_t len;
    unsigned limit; /* what is that far away is another name */
    bool whole;     /* and not the front of a longer one */
    const char *best;
};

static void look_for(struct search *s, const char *name, size_t len)
{
    s->name = name;
    s->len = OC_MIN(len, (size_t)OC_CEL_NAME_MAX);
    s->whole = name[len] == 0;
    s->limit = (unsigned)OC_MIN(OC_MIN(s->len / 5, (size_t)2) + 2, s->len);
}

static void try_name(struct search *s, const char *one)
{
    size_t len = strlen(one), apart = len > s->len ? len - s->len : s->len - len;
    bool begun =
        s->whole && len > s->len && memcmp(one, s->name, s->len) == 0; /* "http.head" of "http.headers" */
    if ((apart >= s->limit && !begun) || len > OC_CEL_NAME_MAX)
        return;
    unsigned d = begun ? 1 : oc_edits(s->name, s->len, one, len);
    if (d < s->limit) {
        s->limit = d;
        s->best = one;
    }
}

/* A part of what is declared: "network" or "hostname" of "network.hostname". */
static const char *whole_of(const struct oc_cel_names *names, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i < names->n; i++) {
        const struct oc_cel_name *one = &names->v[i];
        if (one->len > len && one->s[len] == '.' && memcmp(one->s, part, len) == 0)
            return one->s;
        if (one->len > len && one->s[one->len - len - 1] == '.' &&
            memcmp(one->s + one->len - len, part, len) == 0)
            return one->s;
    }
    return NULL;
}

static void say(const char *name, const char *best, char text[OC_CEL_NEAR_TEXT])
{
    (void)snprintf(text, OC_CEL_NEAR_TEXT, "\"%.255s\"%s%.255s%s", name, best ? "; did you mean \"" : "",
                   best ? best : "", best ? "\"?" : "");
}

/* The end of the name may be a field of a map: so its front counts too. */
void oc_cel_near_variable(const struct oc_cel_names *names, const char *name, char text[OC_CEL_NEAR_TEXT])
{
    struct search s = {.best = NULL};
    size_t len = strlen(name);
    while (len > 0 && !s.best) {
        look_for(&s, name, len);
        for (size_t i = 0; i < names->n; i++)
            try_name(&s, names->v[i].s);
        while (len > 0 && name[--len] != '.')
            ;
    }
    say(name, s.best ? s.best : whole_of(names, name), text);
}

static const struct {
    const char *name, *usage;
} macros[] = {
    {"all", "x.all(name, condition)"},
    {"exists", "x.exists(name, condition)"},
    {"exists_one", "x.exists_one(name, condition)"},
    {"filter", "x.filter(name, condition)"},
    {"map", "x.map(name, result) or x.map(name, condition, result)"},
    {"has", "has(x.name)"},
};

/* What is a function after all, but not like this. */
static bool wrong_use(const outcall_cel_env *env, const char *name, uint8_t style,
                      char text[OC_CEL_NEAR_TEXT])
{
    bool member = style == OC_CEL_MEMBER;
    for (size_t i = 0; i < OC_ARRAY_SIZE(macros); i++)
        if (strcmp(macros[i].name, name) == 0) {
            (void)snprintf(text, OC_CEL_NEAR_TEXT, "\"%s\"; the macro is %s", name, macros[i].usage);
            return true;
        }
    bool other = oc_cel_func_find(name, strlen(name), member ? OC_CEL_GLOBAL : OC_CEL_MEMBER) != NULL;
    for (size_t i = 0; env && i < env->n_custom; i++)
        other = other || strcmp(env->custom[i].name, name) == 0;
    if (other)
        (void)snprintf(text, OC_CEL_NEAR_TEXT, "\"%.255s\" in this form; there is %s%.255s(...)", name,
                       member ? "" : "x.", name);
    return other;
}

static void search_functions(const outcall_cel_env *env, struct search *s, uint8_t style)
{
    const struct oc_cel_func *const tables[] = {oc_cel_core_funcs, oc_cel_time_funcs, oc_cel_net_funcs};
    for (size_t t = 0; t < OC_ARRAY_SIZE(tables); t++)
        for (const struct oc_cel_func *f = tables[t]; f->name; f++)
            if (f->style & style)
                try_name(s, f->name);
    for (size_t i = 0; env && i < env->n_custom; i++)
        if (env->custom[i].style == style)
            try_name(s, env->custom[i].name);
    for (size_t i = 0; i < OC_ARRAY_SIZE(macros); i++)
        if ((style == OC_CEL_GLOBAL) == (strcmp(macros[i].name, "has") == 0))
            try_name(s, macros[i].name);
}

void oc_cel_near_function(const outcall_cel_env *env, const char *name, const char *dotted, uint8_t style,
                          char text[OC_CEL_NEAR_TEXT])
{
    struct search s = {.best = NULL};
    if (wrong_use(env, name, style, text))
        return;
    if (dotted) {
        look_for(&s, dotted, strlen(dotted));
        search_functions(env, &s, OC_CEL_GLOBAL);
    }
    if (!s.best) {
        look_for(&s, name, strlen(name));
        search_functions(env, &s, style);
    }
    say(s.best && strchr(s.best, '.') && dotted ? dotted : name, s.best, text);
}
