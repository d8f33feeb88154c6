/* Names to slots and calls to functions, once, before the first evaluation. */
#include "base/str.h"
#include "cel/near.h"
#include "cel/program.h"
#include "cel/regex.h"
#include "cel/time.h"
#include "core/error.h"
#include <stdio.h>
#include <string.h>

struct scope {
    const struct scope *outer;
    struct oc_cel_text name;
    int local;
};

struct resolver {
    struct oc_cel_build *b;
    const char *container;
};

int oc_cel_build_fail(struct oc_cel_build *b, const struct oc_cel_node *node, int code, const char *prefix,
                      const char *what)
{
    int line = 0, column = 0;
    (void)oc_fail(b->err, code, "%s%s", prefix, what);
    oc_cel_place(b->src, b->len, node->pos, &line, &column);
    oc_error_at(b->err, "", line, column);
    return code;
}

static int fail(struct resolver *r, const struct oc_cel_node *node, int code, const char *prefix,
                const char *what)
{
    return oc_cel_build_fail(r->b, node, code, prefix, what);
}

/* a.b.c as text, with room for a container in front; false: no plain chain, or too long. */
static bool chain(const struct oc_cel_node *node, char *buf, size_t size, size_t *len)
{
    size_t n = 0;
    if (node->op == OC_CEL_SELECT || node->op == OC_CEL_HAS) {
        if (node->quoted || !chain(node->kids[0], buf, size, &n) || n + 1 + node->name.n >= size)
            return false;
        buf[n++] = '.';
    } else if (node->op != OC_CEL_IDENT || node->name.n >= size) {
        return false;
    }
    memcpy(buf + n, node->name.s, node->name.n);
    *len = n + node->name.n;
    buf[*len] = 0;
    return true;
}

static const struct oc_cel_node *root_of(const struct oc_cel_node *node)
{
    while (node->op == OC_CEL_SELECT || node->op == OC_CEL_HAS)
        node = node->kids[0];
    return node;
}

static const struct scope *find_local(const struct scope *scope, const struct oc_cel_node *root)
{
    for (; scope && !root->rooted; scope = scope->outer)
        if (scope->name.n == root->name.n && memcmp(scope->name.s, root->name.s, root->name.n) == 0)
            return scope;
    return NULL;
}

/* container "a.b" and name "x" give, one after the other, a.b.x, a.x and x. *at: where in the container; -1
 * at the end. */
static bool qualified(const char *container, bool rooted, int *at, const char *name,
                      char buf[2 * OC_CEL_NAME_MAX + 2])
{
    if (*at == -2)
        *at = rooted ? 0 : (int)strlen(container);
    if (*at < 0)
        return false;
    if (*at == 0)
        (void)snprintf(buf, (size_t)2 * OC_CEL_NAME_MAX + 2, "%s", name);
    else
        (void)snprintf(buf, (size_t)2 * OC_CEL_NAME_MAX + 2, "%.*s.%s", *at, container, name);
    if (*at == 0) {
        *at = -1;
    } else {
        while (*at > 0 && container[--*at] != '.')
            ;
    }
    return true;
}

#define REFS_MAX 64

struct refs {
    struct oc_cel_ref v[REFS_MAX];
    size_t n;
};

/* The slot of a name: declared, or made where there is no check. -1 for none, below that a failure. */
static int find_slot(struct resolver *r, const char *name)
{
    int slot = r->b->checked ? oc_cel_names_find(r->b->names, name, strlen(name))
                             : oc_cel_names_add(r->b->names, name, strlen(name), NULL);
    return slot < -1 ? oc_fail(r->b->err, slot, "out of memory") : slot;
}

static int add_reading(struct resolver *r, const char *name, uint32_t selects, struct refs *refs)
{
    int kind = oc_cel_kind_by_name(name, strlen(name)), slot = find_slot(r, name);
    if (slot < -1)
        return slot;
    if (slot >= 0 && refs->n < REFS_MAX)
        refs->v[refs->n++] = (struct oc_cel_ref){slot, selects, oc_cel_null()};
    if (kind >= 0 && refs->n < REFS_MAX)
        refs->v[refs->n++] =
            (struct oc_cel_ref){-1, selects, oc_cel_type_value(oc_cel_kind_name((uint32_t)kind))};
    return 0;
}

/* What a.b.c may mean, the longest names first. With a check the first one is it. */
static int add_readings(struct resolver *r, const struct oc_cel_node *node, struct refs *refs)
{
    char name[OC_CEL_NAME_MAX + 1], full[2 * OC_CEL_NAME_MAX + 2];
    bool rooted = root_of(node)->rooted;
    uint32_t selects = 0;
    for (const struct oc_cel_node *part = node;; part = part->kids[0], selects++) {
        size_t len = 0;
        int at = -2;
        if (!chain(part, name, sizeof(name), &len))
            return fail(r, node, OUTCALL_E_LIMIT, "", "the name is too long");
        while (qualified(r->container, rooted, &at, name, full)) {
            int e = add_reading(r, full, selects, refs);
            if (e < 0)
                return e;
        }
        if (part->op == OC_CEL_IDENT)
            break;
    }
    if (r->b->checked)
        refs->n = OC_MIN(refs->n, (size_t)1);
    return 0;
}

static int unknown(struct resolver *r, const struct oc_cel_node *node, const char *name)
{
    char text[OC_CEL_NEAR_TEXT];
    oc_cel_near_variable(r->b->names, name, text);
    return fail(r, root_of(node), OUTCALL_E_UNDECLARED, "unknown variable ", text);
}

static int resolve_chain(struct resolver *r, struct oc_cel_node *node, const char *whole)
{
    struct refs refs = {.n = 0};
    int e = add_readings(r, node, &refs);
    if (e < 0)
        return e;
    if (refs.n == 0)
        return unknown(r, node, whole);
    if (refs.v[0].selects == 0 && refs.v[0].slot < 0) {
        node->op = OC_CEL_CONST;
        node->u.value = refs.v[0].value;
        return 0;
    }
    if (refs.v[0].selects == 0 && refs.n == 1) {
        node->op = OC_CEL_SLOT;
        node->u.slot = refs.v[0].slot;
        return 0;
    }
    struct oc_cel_ref *copy = oc_cel_arena_array(r->b->arena, refs.n, sizeof(*copy));
    if (!copy)
        return fail(r, node, r->b->arena->failed, "", "no room for the program");
    memcpy(copy, refs.v, refs.n * sizeof(*copy));
    node->op = OC_CEL_REF;
    node->u.refs.v = copy;
    node->u.refs.n = refs.n;
    return 0;
}

static int resolve(struct resolver *r, struct oc_cel_node *node, const struct scope *scope, unsigned locals);

/* has(a.b) where a.b may be a variable: is one of them bound? */
static int resolve_bound(struct resolver *r, struct oc_cel_node *node, const char *name)
{
    struct oc_cel_ref *copy = oc_cel_arena_array(r->b->arena, REFS_MAX, sizeof(*copy));
    char full[2 * OC_CEL_NAME_MAX + 2];
    size_t n = 0;
    int at = -2;
    if (!copy)
        return fail(r, node, r->b->arena->failed, "", "no room for the program");
    while (n < REFS_MAX && qualified(r->container, root_of(node)->rooted, &at, name, full)) {
        int slot = find_slot(r, full);
        if (slot < -1)
            return slot;
        if (slot >= 0)
            copy[n++] = (struct oc_cel_ref){slot, 0, oc_cel_null()};
    }
    node->u.refs.v = copy;
    node->u.refs.n = n;
    if (!r->b->checked)
        return 0;
    if (n > 0) { /* a declared variable: there is nothing else to look into */
        node->op = OC_CEL_BOUND;
        node->u.slot = copy[0].slot;
        return 0;
    }
    struct refs refs = {.n = 0};
    int e = add_readings(r, node->kids[0], &refs);
    return e < 0 || refs.n > 0 ? e : unknown(r, node, name);
}

static int resolve_has(struct resolver *r, struct oc_cel_node *node, const struct scope *scope,
                       unsigned locals)
{
    char name[OC_CEL_NAME_MAX + 1];
    size_t len = 0;
    if (chain(node, name, sizeof(name), &len) && !find_local(scope, root_of(node))) {
        int e = resolve_bound(r, node, name);
        if (e < 0 || node->op == OC_CEL_BOUND)
            return e;
    }
    return resolve(r, node->kids[0], scope, locals);
}

static int resolve_macro(struct resolver *r, struct oc_cel_node *node, const struct scope *scope,
                         unsigned locals)
{
    int e = resolve(r, node->kids[0], scope, locals);
    if (e < 0)
        return e;
    if (locals >= OC_CEL_DEPTH_CAP)
        return fail(r, node, OUTCALL_E_LIMIT, "", "too many nested macros");
    struct scope inner = {scope, node->name, (int)locals};
    node->u.slot = (int)locals;
    for (uint32_t i = 1; i < node->n && e == 0; i++)
        if (node->kids[i])
            e = resolve(r, node->kids[i], &inner, locals + 1);
    return e;
}

static uint32_t find_custom(const struct resolver *r, const char *s, size_t len, uint8_t style)
{
    const outcall_cel_env *env = r->b->env;
    for (size_t i = 0; env && i < env->n_custom; i++)
        if (env->custom[i].style == style && strlen(env->custom[i].name) == len &&
            memcmp(env->custom[i].name, s, len) == 0)
            return (uint32_t)i + 1;
    return 0;
}

/* ip.isCanonical(x): what looks like a receiver is the front of the function's name. */
static bool namespaced(struct resolver *r, struct oc_cel_node *node, const struct scope *scope)
{
    char name[2 * OC_CEL_NAME_MAX + 2], full[2 * OC_CEL_NAME_MAX + 2];
    size_t len = 0;
    int at = -2;
    if (!chain(node->kids[0], name, OC_CEL_NAME_MAX, &len) || find_local(scope, root_of(node->kids[0])) ||
        node->name.n > OC_CEL_NAME_MAX)
        return false;
    (void)snprintf(name + len, sizeof(name) - len, ".%.*s", (int)node->name.n, node->name.s);
    while (qualified(r->container, root_of(node->kids[0])->rooted, &at, name, full)) {
        node->u.fn = oc_cel_func_find(full, strlen(full), OC_CEL_GLOBAL);
        node->custom = find_custom(r, full, strlen(full), OC_CEL_GLOBAL);
        if (node->u.fn || node->custom) {
            node->kids++;
            node->n--;
            node->member = false;
            return true;
        }
    }
    return false;
}

static int unknown_function(struct resolver *r, const struct oc_cel_node *node, const struct scope *scope)
{
    char name[OC_CEL_NAME_MAX + 1], dotted[2 * OC_CEL_NAME_MAX + 2], text[OC_CEL_NEAR_TEXT];
    size_t len = 0;
    bool front = node->member && chain(node->kids[0], dotted, OC_CEL_NAME_MAX, &len) &&
                 !find_local(scope, root_of(node->kids[0]));
    (void)snprintf(name, sizeof(name), "%.*s", (int)node->name.n, node->name.s);
    if (front)
        (void)snprintf(dotted + len, sizeof(dotted) - len, ".%s", name);
    oc_cel_near_function(r->b->env, name, front ? dotted : NULL, node->member ? OC_CEL_MEMBER : OC_CEL_GLOBAL,
                         text);
    return fail(r, node, OUTCALL_E_UNDECLARED, "unknown function ", text);
}

static int resolve_call(struct resolver *r, struct oc_cel_node *node, const struct scope *scope)
{
    char name[OC_CEL_NAME_MAX + 1], full[2 * OC_CEL_NAME_MAX + 2];
    int at = -2;
    if (node->name.n > OC_CEL_NAME_MAX)
        return fail(r, node, OUTCALL_E_LIMIT, "", "the name is too long");
    (void)snprintf(name, sizeof(name), "%.*s", (int)node->name.n, node->name.s);
    if (node->member && !namespaced(r, node, scope)) {
        node->u.fn = oc_cel_func_find(name, node->name.n, OC_CEL_MEMBER);
        node->custom = find_custom(r, name, node->name.n, OC_CEL_MEMBER);
    } else if (!node->member && !node->u.fn) {
        while (!node->u.fn && !node->custom && qualified(r->container, node->rooted, &at, name, full)) {
            node->u.fn = oc_cel_func_find(full, strlen(full), OC_CEL_GLOBAL);
            node->custom = find_custom(r, full, strlen(full), OC_CEL_GLOBAL);
        }
    }
    return !r->b->checked || node->u.fn || node->custom ? 0 : unknown_function(r, node, scope);
}

/* A constant pattern or time zone is prepared now, for all runs. A wrong one stays for the evaluation, unless
 * there is a check, and no function of the environment that may make sense of it. */
static int prepare_call(struct resolver *r, struct oc_cel_node *node)
{
    bool pattern = node->u.fn && node->u.fn->impl == oc_cel_matches;
    if ((!pattern && !oc_cel_takes_zone(node->u.fn)) || node->n != 2 || node->kids[1]->op != OC_CEL_CONST ||
        node->kids[1]->u.value.kind != OUTCALL_CEL_STRING)
        return 0;
    const oc_cel_value *text = &node->kids[1]->u.value;
    struct oc_cel_regex *re = NULL;
    const struct oc_cel_zone *zone = NULL;
    char why[OC_CEL_REGEX_TEXT] = "no such name";
    int e = pattern ? oc_cel_regex_new(text->s, text->n, &re, why)
                    : oc_cel_zone_get(&r->b->unit->zones, text->s, text->n, &zone);
    if (e == OUTCALL_E_INVALID && r->b->checked && !node->custom)
        return fail(r, node->kids[1], OUTCALL_E_TYPE, pattern ? "regular expression: " : "time zone: ", why);
    if (e < 0)
        return e == OUTCALL_E_INVALID ? 0 : oc_no_memory(r->b->err);
    if (re)
        oc_cel_regex_push(&r->b->unit->regexes, re);
    node->extra = pattern ? (const void *)re : zone;
    return 0;
}

/* A list of constants is a constant: no memory is needed for it when the program runs. */
static int fold_list(struct resolver *r, struct oc_cel_node *node)
{
    for (uint32_t i = 0; i < node->n; i++)
        if (node->kids[i]->op != OC_CEL_CONST)
            return 0;
    oc_cel_value *v = oc_cel_arena_array(r->b->arena, node->n, sizeof(*v));
    if (!v)
        return fail(r, node, r->b->arena->failed, "", "no room for the program");
    for (uint32_t i = 0; i < node->n; i++)
        v[i] = node->kids[i]->u.value;
    node->op = OC_CEL_CONST;
    node->u.value = oc_cel_list(v, node->n);
    return 0;
}

static int resolve(struct resolver *r, struct oc_cel_node *node, const struct scope *scope, unsigned locals)
{
    char name[OC_CEL_NAME_MAX + 1];
    size_t len = 0;
    if (node->op == OC_CEL_IDENT || node->op == OC_CEL_SELECT) {
        const struct oc_cel_node *root = root_of(node);
        const struct scope *local = root->op == OC_CEL_IDENT ? find_local(scope, root) : NULL;
        if (local && node->op == OC_CEL_IDENT) {
            node->op = OC_CEL_LOCAL;
            node->u.slot = local->local;
            return 0;
        }
        if (!local && root->op == OC_CEL_IDENT && chain(node, name, sizeof(name), &len))
            return resolve_chain(r, node, name);
        if (node->op == OC_CEL_IDENT)
            return fail(r, node, OUTCALL_E_LIMIT, "", "the name is longer than 255 bytes");
    }
    if (node->op >= OC_CEL_ALL)
        return resolve_macro(r, node, scope, locals);
    if (node->op == OC_CEL_HAS)
        return resolve_has(r, node, scope, locals);
    int e = node->op == OC_CEL_CALL ? resolve_call(r, node, scope) : 0;
    for (uint32_t i = 0; i < node->n && e == 0; i++)
        e = resolve(r, node->kids[i], scope, locals);
    if (e == 0 && node->op == OC_CEL_CALL)
        e = prepare_call(r, node);
    if (e == 0 && node->op == OC_CEL_LIST)
        e = fold_list(r, node);
    return e;
}

int oc_cel_resolve(struct oc_cel_build *b)
{
    struct resolver r = {b, b->env && b->env->container ? b->env->container : ""};
    return resolve(&r, b->root, NULL, 0);
}
