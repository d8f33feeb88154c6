/* Programs, and running them. */
#include "base/str.h"
#include "cel/program.h"
#include "cel/regex.h"
#include "core/error.h"
#include <stdio.h>
#include <string.h>

static int check_limits(const outcall_cel_limits *lim, outcall_error *err)
{
    if (lim && (lim->version != 1 || lim->max_source_bytes > OC_CEL_SOURCE_CAP ||
                lim->max_depth > OC_CEL_DEPTH_CAP || lim->max_memory_bytes > OC_CEL_MEMORY_CAP))
        return oc_fail(err, OUTCALL_E_INVALID, "a limit is larger than allowed, or its version unknown");
    return 0;
}

static int build(outcall_cel *c, const char *src, size_t len, const outcall_cel_limits *lim,
                 outcall_error *err)
{
    size_t max = lim && lim->max_source_bytes ? lim->max_source_bytes : OC_CEL_SOURCE_MAX;
    if (len > max)
        return oc_fail(err, OUTCALL_E_LIMIT, "the expression is longer than %zu bytes", max);
    c->arena.max = OC_CEL_MEMORY_CAP;
    char *copy = oc_cel_arena_text(&c->arena, src, len);
    c->names = c->env && !c->env->unchecked ? oc_cel_names_ref(c->env->names) : oc_cel_names_new();
    if (!copy || !c->names)
        return oc_no_memory(err);
    c->src = copy;
    c->len = len;
    if (len > 0 && !oc_utf8_valid(src, len)) {
        int line = 0, column = 0;
        size_t good = 0, n = 1;
        while (good < len && n <= 4) { /* one character at a time, to the first that is none */
            n = 1;
            while (n <= 4 && good + n <= len && !oc_utf8_valid(src + good, n))
                n++;
            if (n > 4 || good + n > len)
                break;
            good += n;
        }
        oc_cel_place(src, len, good, &line, &column);
        (void)oc_fail(err, OUTCALL_E_SYNTAX, "the expression is not UTF-8");
        oc_error_at(err, "", line, column);
        return OUTCALL_E_SYNTAX;
    }
    struct oc_cel_source source = {copy, len, lim && lim->max_depth ? lim->max_depth : OC_CEL_DEPTH_MAX,
                                   OC_CEL_NODES_MAX};
    struct oc_cel_build b = {c->env,
                             c->env && !c->env->unchecked,
                             c->names,
                             copy,
                             len,
                             &c->arena,
                             &c->regexes,
                             NULL,
                             OUTCALL_CEL_DYN,
                             err};
    int r = oc_cel_parse(&c->arena, &source, &b.root, err);
    if (r == 0)
        r = oc_cel_resolve(&b);
    c->root = b.root;
    return r;
}

int outcall_cel_compile(outcall_cel **ret, outcall_cel_env *env, const char *src, size_t len,
                        const outcall_cel_limits *lim, outcall_error *err)
{
    if (!ret || (!src && len > 0))
        return oc_fail(err, OUTCALL_E_INVALID, "the expression is NULL");
    int r = check_limits(lim, err);
    if (r < 0)
        return r;
    outcall_cel *c = calloc(1, sizeof(*c));
    if (!c)
        return oc_no_memory(err);
    atomic_init(&c->refs, 1);
    if (env)
        atomic_store(&env->frozen, true);
    c->env = outcall_cel_env_ref(env);
    r = build(c, src ? src : "", len, lim, err);
    if (r < 0) {
        (void)outcall_cel_unref(c);
        return r;
    }
    *ret = c;
    return 0;
}

outcall_cel *outcall_cel_ref(outcall_cel *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

outcall_cel *outcall_cel_unref(outcall_cel *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    oc_cel_regex_free_all(c->regexes);
    oc_cel_names_unref(c->names);
    (void)outcall_cel_env_unref(c->env);
    oc_cel_arena_done(&c->arena);
    free(c);
    return NULL;
}

int outcall_cel_caret(const char *src, size_t len, const outcall_error *err, char *buf, size_t size)
{
    if (size > 0)
        buf[0] = 0;
    if (!src || !err || err->line < 1 || err->column < 1)
        return 0;
    size_t from = 0;
    for (int line = 1; line < err->line; line++) {
        const char *newline = memchr(src + from, '\n', len - from);
        if (!newline)
            return 0;
        from = (size_t)(newline - src) + 1;
    }
    const char *end = len > from ? memchr(src + from, '\n', len - from) : NULL;
    size_t n = (end ? (size_t)(end - src) : len) - from;
    return snprintf(buf, size, "%.*s\n%*s", (int)OC_MIN(n, (size_t)INT32_MAX), src + from, err->column, "^");
}

int outcall_cel_eval_new(outcall_cel_eval **ret, const outcall_cel_limits *lim)
{
    if (!ret || check_limits(lim, NULL) < 0)
        return OUTCALL_E_INVALID;
    outcall_cel_eval *ev = calloc(1, sizeof(*ev));
    if (!ev)
        return OUTCALL_E_NO_MEMORY;
    ev->scratch.max = ev->kept.max = lim && lim->max_memory_bytes ? lim->max_memory_bytes : OC_CEL_MEMORY;
    ev->max_steps = lim && lim->max_steps ? lim->max_steps : OC_CEL_STEPS;
    *ret = ev;
    return 0;
}

void outcall_cel_eval_reset(outcall_cel_eval *ev)
{
    if (!ev || ev->running)
        return;
    ev->n_bound = 0;
    ev->stale = true;
    oc_cel_arena_reset(&ev->kept);
    oc_cel_arena_reset(&ev->scratch);
}

outcall_cel_eval *outcall_cel_eval_free(outcall_cel_eval *ev)
{
    if (!ev)
        return NULL;
    free(ev->slots);
    free(ev->bound);
    oc_cel_names_unref(ev->names);
    oc_cel_arena_done(&ev->kept);
    oc_cel_arena_done(&ev->scratch);
    oc_cel_match_data_free(ev->match_data);
    free(ev);
    return NULL;
}

/* Slots for this program's names: made again only when the names or the bindings are others than last time.
 */
static int prepare(outcall_cel_eval *ev, const outcall_cel *c)
{
    if (ev->names == c->names && !ev->stale && !ev->fixed)
        return 0;
    if (c->names->n > ev->cap_slots) {
        const oc_cel_value **slots = realloc(ev->slots, c->names->n * sizeof(const oc_cel_value *));
        if (!slots)
            return OUTCALL_E_NO_MEMORY;
        ev->slots = slots;
        ev->cap_slots = c->names->n;
    }
    for (size_t i = 0; i < c->names->n; i++)
        ev->slots[i] = ev->fixed ? ev->fixed[i] : NULL;
    for (size_t i = 0; i < ev->n_bound; i++) {
        int slot = oc_cel_names_find(c->names, ev->bound[i].name, ev->bound[i].len);
        if (slot >= 0)
            ev->slots[slot] = &ev->bound[i].value;
    }
    if (ev->names != c->names) {
        oc_cel_names_unref(ev->names);
        ev->names = oc_cel_names_ref(c->names);
    }
    ev->stale = false;
    return 0;
}

static int run(const outcall_cel *c, outcall_cel_eval *ev, const oc_cel_value **ret, outcall_error *err)
{
    int r = prepare(ev, c);
    if (r < 0)
        return oc_no_memory(err);
    if (ev->scratch.used > 0)
        oc_cel_arena_reset(&ev->scratch);
    ev->budget = (struct oc_cel_budget){ev->max_steps, false};
    ev->fatal = 0;
    ev->program = c;
    ev->running = true;
    static const oc_cel_value nothing = {.kind = OUTCALL_CEL_NULL};
    oc_cel_value tmp = nothing;
    const oc_cel_value *v = oc_cel_eval_node(ev, c->root, &tmp);
    if (ev->budget.spent &&
        v->kind != OC_CEL_ERROR) { /* spent within the last comparison: its answer is no answer */
        oc_cel_fatal(ev, c->root, &tmp, OUTCALL_E_LIMIT);
        v = &tmp;
    }
    ev->running = false;
    if (v->kind == OC_CEL_ERROR) {
        int code = ev->fatal ? ev->fatal : -(int)v->n, line = 0, column = 0;
        (void)oc_fail(err, code, "%s", v->s);
        oc_cel_place(c->src, c->len, v->aux, &line, &column);
        oc_error_at(err, "", line, column);
        return code;
    }
    if (v == &tmp) {
        ev->result = tmp;
        v = &ev->result;
    }
    *ret = v;
    return 0;
}

int outcall_cel_run(const outcall_cel *c, outcall_cel_eval *ev, const outcall_cel_value **ret,
                    outcall_error *err)
{
    if (!c || !ev || !ret || ev->running)
        return oc_fail(err, OUTCALL_E_INVALID, "the program or the eval is NULL or in use");
    return run(c, ev, ret, err);
}

int outcall_cel_run_bool(const outcall_cel *c, outcall_cel_eval *ev, int *ret, outcall_error *err)
{
    const oc_cel_value *v = NULL;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "there is no room for the result");
    int r = outcall_cel_run(c, ev, &v, err);
    if (r < 0)
        return r;
    if (!v)
        return oc_fail(err, OUTCALL_E_INTERNAL, "the program gave no value");
    if (v->kind != OUTCALL_CEL_BOOL) {
        (void)oc_fail(err, OUTCALL_E_TYPE, "expected bool, found %s", oc_cel_kind_name(v->kind));
        oc_error_at(err, "", 1, 1);
        return OUTCALL_E_TYPE;
    }
    *ret = v->b ? 1 : 0;
    return 0;
}
