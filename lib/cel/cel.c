/* Programs, and running them. */
#include "base/str.h"
#include "cel/program.h"
#include "cel/regex.h"
#include "cel/time.h"
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

static int not_utf8(const char *src, size_t len, outcall_error *err)
{
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

int oc_cel_unit_init(struct oc_cel_unit *u, outcall_cel_env *env)
{
    *u = (struct oc_cel_unit){.arena.max = OC_CEL_MEMORY_CAP};
    if (env)
        atomic_store(&env->frozen, true);
    u->env = outcall_cel_env_ref(env);
    u->names = env && !env->unchecked ? oc_cel_names_ref(env->names) : oc_cel_names_new();
    return u->names ? 0 : OUTCALL_E_NO_MEMORY;
}

void oc_cel_unit_done(struct oc_cel_unit *u)
{
    oc_cel_regex_free_all(u->regexes);
    oc_cel_zone_free_all(u->zones);
    oc_cel_names_unref(u->names);
    (void)outcall_cel_env_unref(u->env);
    oc_cel_arena_done(&u->arena);
}

int oc_cel_unit_compile(struct oc_cel_unit *u, struct oc_cel_arena *tree, const char *src, size_t len,
                        const outcall_cel_limits *lim, const struct oc_cel_code **ret, uint32_t *ret_kind,
                        outcall_error *err)
{
    size_t max = lim && lim->max_source_bytes ? lim->max_source_bytes : OC_CEL_SOURCE_MAX;
    if (len > max) {
        int line = 0, column = 0;
        oc_cel_place(src, len, max, &line, &column);
        (void)oc_fail(err, OUTCALL_E_LIMIT, "the expression is longer than %zu bytes", max);
        oc_error_at(err, "", line, column);
        return OUTCALL_E_LIMIT;
    }
    if (len > 0 && !oc_utf8_valid(src, len))
        return not_utf8(src, len, err);
    struct oc_cel_source source = {src, len, lim && lim->max_depth ? lim->max_depth : OC_CEL_DEPTH_MAX,
                                   OC_CEL_NODES_MAX};
    struct oc_cel_build b = {
        u->env, u->env && !u->env->unchecked, u->names, src, len, tree, u, NULL, OUTCALL_CEL_DYN, err};
    int r = oc_cel_parse(tree, &source, &b.root, err);
    if (r == 0)
        r = oc_cel_resolve(&b);
    if (r == 0)
        r = oc_cel_check(&b);
    if (r == 0)
        r = oc_cel_emit(&b, ret);
    if (r == 0)
        *ret_kind = b.kind;
    return r;
}

static int compile(outcall_cel *c, const char *src, size_t len, const outcall_cel_limits *lim,
                   outcall_error *err)
{
    uint32_t kind = OUTCALL_CEL_DYN;
    size_t max = lim && lim->max_source_bytes ? lim->max_source_bytes : OC_CEL_SOURCE_MAX;
    const char *copy = len <= max ? oc_cel_arena_text(&c->unit.arena, src, len) : src;
    if (!copy)
        return oc_no_memory(err);
    struct oc_cel_arena tree = {.max = OC_CEL_MEMORY_CAP};
    int r = oc_cel_unit_compile(&c->unit, &tree, copy, len, lim, &c->code, &kind, err);
    oc_cel_arena_done(&tree);
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
    r = oc_cel_unit_init(&c->unit, env) < 0 ? oc_no_memory(err) : compile(c, src ? src : "", len, lim, err);
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
    oc_cel_unit_done(&c->unit);
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
    free(ev->own_slots);
    free(ev->bound);
    oc_cel_names_unref(ev->names);
    oc_cel_arena_done(&ev->kept);
    oc_cel_arena_done(&ev->scratch);
    oc_cel_matcher_free(ev->matcher);
    free(ev);
    return NULL;
}

/* Slots for these names: made again only when the names or the bindings are others than last time. */
static int prepare(outcall_cel_eval *ev, struct oc_cel_names *names)
{
    if (names->n > ev->cap_slots) {
        const oc_cel_value **slots = realloc(ev->own_slots, names->n * sizeof(const oc_cel_value *));
        if (!slots)
            return OUTCALL_E_NO_MEMORY;
        ev->own_slots = slots;
        ev->cap_slots = names->n;
    }
    for (size_t i = 0; i < names->n; i++)
        ev->own_slots[i] = NULL;
    for (size_t i = 0; i < ev->n_bound; i++) {
        int slot = oc_cel_names_find(names, ev->bound[i].name, ev->bound[i].len);
        if (slot >= 0)
            ev->own_slots[slot] = &ev->bound[i].value;
    }
    if (ev->names != names) {
        oc_cel_names_unref(ev->names);
        ev->names = oc_cel_names_ref(names);
    }
    ev->slots = ev->own_slots;
    ev->stale = false;
    return 0;
}

static inline int run_start(outcall_cel_eval *ev, const struct oc_cel_unit *u, const struct oc_cel_code *code,
                            outcall_error *err)
{
    if (ev->stale || (ev->names != u->names && !ev->fixed)) {
        int r = prepare(ev, u->names);
        if (r < 0)
            return oc_no_memory(err);
    }
    if (ev->scratch.used > 0)
        oc_cel_arena_reset(&ev->scratch);
    ev->budget = (struct oc_cel_budget){ev->max_steps, false};
    ev->fatal = 0;
    ev->unit = u;
    ev->code = code;
    ev->running = true;
    return 0;
}

static int run_failed(outcall_cel_eval *ev, const oc_cel_value *wrong, outcall_error *err)
{
    int code = ev->fatal ? ev->fatal : -(int)wrong->n, line = 0, column = 0;
    if (!err)
        return code;
    (void)oc_fail(err, code, "%s", wrong->s);
    oc_cel_place(ev->code->src, ev->code->len, wrong->aux, &line, &column);
    oc_error_at(err, "", line, column);
    return code;
}

static int run(const outcall_cel *c, outcall_cel_eval *ev, const oc_cel_value **ret, outcall_error *err)
{
    int r = run_start(ev, &c->unit, c->code, err);
    if (r < 0)
        return r;
    oc_cel_value tmp;
    const oc_cel_value *v = oc_cel_eval_word(ev, c->code->w, &tmp);
    if (ev->budget.spent &&
        v->kind != OC_CEL_ERROR) { /* spent within the last comparison: that is no answer */
        oc_cel_fatal(ev, c->code->w[1], &tmp, OUTCALL_E_LIMIT);
        v = &tmp;
    }
    ev->running = false;
    if (v->kind == OC_CEL_ERROR)
        return run_failed(ev, v, err);
    if (v == &tmp) {
        ev->result = tmp;
        v = &ev->result;
    }
    *ret = v;
    return 0;
}

int oc_cel_run_truth(outcall_cel_eval *ev, const struct oc_cel_unit *u, const struct oc_cel_code *code,
                     bool *ret, outcall_error *err)
{
    int r = run_start(ev, u, code, err);
    if (r < 0)
        return r;
    oc_cel_value tmp;
    int yes = oc_cel_eval_truth(ev, code->w, &tmp);
    if (ev->budget.spent && yes >= 0) {
        oc_cel_fatal(ev, code->w[1], &tmp, OUTCALL_E_LIMIT);
        yes = -1;
    }
    ev->running = false;
    if (yes < 0)
        return run_failed(ev, &tmp, err);
    *ret = yes != 0;
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
    bool yes = false;
    if (!c || !ev || !ret || ev->running)
        return oc_fail(err, OUTCALL_E_INVALID, "the program, the eval or the result is NULL, or in use");
    int r = oc_cel_run_truth(ev, &c->unit, c->code, &yes, err);
    if (r == 0)
        *ret = yes ? 1 : 0;
    return r;
}
