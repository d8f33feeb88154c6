/* Values in and out. */
#include "base/str.h"
#include "cel/program.h"
#include "cel/time.h"
#include "core/error.h"
#include "json/json.h"
#include <string.h>

static bool text_ok(const char *s, size_t len)
{
    return len == 0 || (s && oc_utf8_valid(s, len));
}

static int bind(outcall_cel_eval *ev, const char *name, oc_cel_value v)
{
    size_t len = name ? strlen(name) : 0;
    if (!ev || len == 0 || len > OC_CEL_NAME_MAX || ev->running)
        return OUTCALL_E_INVALID;
    for (size_t i = 0; i < ev->n_bound; i++)
        if (ev->bound[i].len == len && memcmp(ev->bound[i].name, name, len) == 0) {
            ev->bound[i].value = v;
            return 0;
        }
    if (ev->n_bound >= OC_CEL_VARIABLES_MAX)
        return OUTCALL_E_LIMIT;
    char *copy = oc_cel_arena_text(&ev->kept, name, len);
    if (!copy)
        return ev->kept.failed;
    if (ev->n_bound == ev->cap_bound) {
        size_t cap = ev->cap_bound ? ev->cap_bound * 2 : 16;
        struct oc_cel_binding *bound = realloc(ev->bound, cap * sizeof(*bound));
        if (!bound)
            return OUTCALL_E_NO_MEMORY;
        ev->bound = bound;
        ev->cap_bound = cap;
    }
    ev->bound[ev->n_bound++] = (struct oc_cel_binding){copy, len, v};
    ev->stale = true;
    return 0;
}

int outcall_cel_bind_string(outcall_cel_eval *ev, const char *name, const char *s, size_t len)
{
    return text_ok(s, len) ? bind(ev, name, oc_cel_string(s ? s : "", len)) : OUTCALL_E_INVALID;
}

int outcall_cel_bind_int(outcall_cel_eval *ev, const char *name, int64_t v)
{
    return bind(ev, name, oc_cel_int(v));
}

int outcall_cel_bind_bool(outcall_cel_eval *ev, const char *name, int v)
{
    return bind(ev, name, oc_cel_bool(v != 0));
}

int outcall_cel_bind(outcall_cel_eval *ev, const char *name, const outcall_cel_value *v)
{
    return v ? bind(ev, name, *v) : OUTCALL_E_INVALID;
}

int outcall_cel_bind_strings(outcall_cel_eval *ev, const char *name, const char *const *v, size_t n)
{
    if (!ev || ev->running || (!v && n > 0))
        return OUTCALL_E_INVALID;
    oc_cel_value *copy = oc_cel_arena_array(&ev->kept, n, sizeof(*copy));
    if (!copy)
        return ev->kept.failed;
    for (size_t i = 0; i < n; i++) {
        if (!v[i] || !text_ok(v[i], strlen(v[i])))
            return OUTCALL_E_INVALID;
        copy[i] = oc_cel_string(v[i], strlen(v[i]));
    }
    return bind(ev, name, oc_cel_list(copy, n));
}

/* Deep copy of what jansson read; its depth is bounded by the reader. */
static int of_json(struct oc_cel_arena *a, const json_t *j, oc_cel_value *ret)
{
    size_t n = json_is_array(j) ? json_array_size(j) : json_is_object(j) ? json_object_size(j) : 0;
    if (json_is_string(j)) {
        const char *s = oc_cel_arena_text(a, json_string_value(j), json_string_length(j));
        *ret = oc_cel_string(s, json_string_length(j));
        return s ? 0 : a->failed;
    }
    if (!json_is_array(j) && !json_is_object(j)) {
        *ret = json_is_integer(j) ? oc_cel_int(json_integer_value(j))
               : json_is_real(j)  ? oc_cel_double(json_real_value(j))
               : json_is_null(j)  ? oc_cel_null()
                                  : oc_cel_bool(json_is_true(j));
        return 0;
    }
    oc_cel_value *v = oc_cel_arena_array(a, n * (json_is_object(j) ? 2 : 1), sizeof(*v));
    if (!v)
        return a->failed;
    int r = 0;
    if (json_is_array(j)) {
        for (size_t i = 0; i < n && r == 0; i++)
            r = of_json(a, json_array_get(j, i), &v[i]);
        *ret = oc_cel_list(v, n);
        return r;
    }
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;
    json_object_foreach((json_t *)j, key, member)
    {
        const char *copy = r == 0 ? oc_cel_arena_text(a, key, strlen(key)) : NULL;
        if (r == 0 && !copy)
            r = a->failed;
        if (r < 0)
            return r;
        v[i++] = oc_cel_string(copy, strlen(key));
        r = of_json(a, member, &v[i++]);
    }
    *ret = oc_cel_map(v, n);
    return r;
}

int outcall_cel_bind_json(outcall_cel_eval *ev, const char *name, const char *json, size_t len,
                          outcall_error *err)
{
    if (!ev || ev->running || !name || !json)
        return oc_fail(err, OUTCALL_E_INVALID, "the eval is in use, or an argument is NULL");
    OC_JSON json_t *j = NULL;
    oc_cel_value v;
    int r = oc_json_load(json, len, &j, err);
    if (r < 0)
        return r;
    r = of_json(&ev->kept, j, &v);
    if (r == 0)
        r = bind(ev, name, v);
    return r < 0 ? oc_fail_code(err, r, "%.64s", name) : 0;
}

static int make(outcall_cel_eval *ev, oc_cel_value v, const oc_cel_value **ret)
{
    if (!ev || !ret)
        return OUTCALL_E_INVALID;
    struct oc_cel_arena *a = ev->running ? &ev->scratch : &ev->kept;
    oc_cel_value *copy = oc_cel_arena_alloc(a, sizeof(*copy));
    if (!copy)
        return a->failed;
    *copy = v;
    *ret = copy;
    return 0;
}

int outcall_cel_new_null(outcall_cel_eval *ev, const outcall_cel_value **ret)
{
    return make(ev, oc_cel_null(), ret);
}
int outcall_cel_new_bool(outcall_cel_eval *ev, int v, const outcall_cel_value **ret)
{
    return make(ev, oc_cel_bool(v != 0), ret);
}
int outcall_cel_new_int(outcall_cel_eval *ev, int64_t v, const outcall_cel_value **ret)
{
    return make(ev, oc_cel_int(v), ret);
}
int outcall_cel_new_uint(outcall_cel_eval *ev, uint64_t v, const outcall_cel_value **ret)
{
    return make(ev, oc_cel_uint(v), ret);
}
int outcall_cel_new_double(outcall_cel_eval *ev, double v, const outcall_cel_value **ret)
{
    return make(ev, oc_cel_double(v), ret);
}

static int make_text(outcall_cel_eval *ev, uint32_t kind, const char *s, size_t len, const oc_cel_value **ret)
{
    if (!ev || (!s && len > 0))
        return OUTCALL_E_INVALID;
    struct oc_cel_arena *a = ev->running ? &ev->scratch : &ev->kept;
    const char *copy = oc_cel_arena_text(a, s, len);
    return copy ? make(ev, (oc_cel_value){.kind = kind, .s = copy, .n = len}, ret) : a->failed;
}
int outcall_cel_new_string(outcall_cel_eval *ev, const char *s, size_t len, const outcall_cel_value **ret)
{
    return text_ok(s, len) ? make_text(ev, OUTCALL_CEL_STRING, s, len, ret) : OUTCALL_E_INVALID;
}
int outcall_cel_new_bytes(outcall_cel_eval *ev, const void *s, size_t len, const outcall_cel_value **ret)
{
    return make_text(ev, OUTCALL_CEL_BYTES, s, len, ret);
}
int outcall_cel_new_timestamp(outcall_cel_eval *ev, int64_t seconds, uint32_t nanos,
                              const outcall_cel_value **ret)
{
    if (seconds < OC_CEL_TIME_MIN || seconds > OC_CEL_TIME_MAX || nanos > 999999999)
        return OUTCALL_E_INVALID;
    return make(ev, (oc_cel_value){.kind = OUTCALL_CEL_TIMESTAMP, .aux = nanos, .i = seconds}, ret);
}
int outcall_cel_new_duration(outcall_cel_eval *ev, int64_t nanos, const outcall_cel_value **ret)
{
    return make(ev, (oc_cel_value){.kind = OUTCALL_CEL_DURATION, .i = nanos}, ret);
}

static int make_many(outcall_cel_eval *ev, bool map, const oc_cel_value *const *v, size_t n,
                     const oc_cel_value **ret)
{
    if (!ev || (!v && n > 0) || n > SIZE_MAX / 2)
        return OUTCALL_E_INVALID;
    struct oc_cel_arena *a = ev->running ? &ev->scratch : &ev->kept;
    size_t all = map ? 2 * n : n;
    struct oc_cel_budget budget = {UINT64_MAX, false};
    oc_cel_value *copy = oc_cel_arena_array(a, all, sizeof(*copy));
    if (!copy)
        return a->failed;
    for (size_t i = 0; i < all; i++) {
        if (!v[i])
            return OUTCALL_E_INVALID;
        copy[i] = *v[i];
        oc_cel_value so_far = oc_cel_map(copy, i / 2);
        bool key = copy[i].kind == OUTCALL_CEL_STRING || copy[i].kind == OUTCALL_CEL_INT ||
                   copy[i].kind == OUTCALL_CEL_UINT || copy[i].kind == OUTCALL_CEL_BOOL;
        if (map && i % 2 == 0 && (!key || oc_cel_map_find(&budget, &so_far, &copy[i])))
            return OUTCALL_E_INVALID;
    }
    return make(ev, map ? oc_cel_map(copy, n) : oc_cel_list(copy, n), ret);
}
int outcall_cel_new_list(outcall_cel_eval *ev, const outcall_cel_value *const *v, size_t n,
                         const outcall_cel_value **ret)
{
    return make_many(ev, false, v, n, ret);
}
int outcall_cel_new_map(outcall_cel_eval *ev, const outcall_cel_value *const *v, size_t pairs,
                        const outcall_cel_value **ret)
{
    return make_many(ev, true, v, pairs, ret);
}

int outcall_cel_value_kind(const outcall_cel_value *v)
{
    return v ? (int)v->kind : OUTCALL_E_INVALID;
}

#define WANT(v, wanted)           \
    if (!(v) || !ret)             \
        return OUTCALL_E_INVALID; \
    if ((v)->kind != (wanted))    \
    return OUTCALL_E_TYPE

int outcall_cel_get_bool(const outcall_cel_value *v, int *ret)
{
    WANT(v, OUTCALL_CEL_BOOL);
    *ret = v->b ? 1 : 0;
    return 0;
}
int outcall_cel_get_int(const outcall_cel_value *v, int64_t *ret)
{
    WANT(v, OUTCALL_CEL_INT);
    *ret = v->i;
    return 0;
}
int outcall_cel_get_uint(const outcall_cel_value *v, uint64_t *ret)
{
    WANT(v, OUTCALL_CEL_UINT);
    *ret = v->u;
    return 0;
}
int outcall_cel_get_double(const outcall_cel_value *v, double *ret)
{
    WANT(v, OUTCALL_CEL_DOUBLE);
    *ret = v->d;
    return 0;
}
int outcall_cel_get_text(const outcall_cel_value *v, const char **ret, size_t *ret_len)
{
    if (!v || !ret || !ret_len)
        return OUTCALL_E_INVALID;
    if (v->kind != OUTCALL_CEL_STRING && v->kind != OUTCALL_CEL_BYTES && v->kind != OUTCALL_CEL_TYPE)
        return OUTCALL_E_TYPE;
    *ret = v->s ? v->s : "";
    *ret_len = v->n;
    return 0;
}
int outcall_cel_get_timestamp(const outcall_cel_value *v, int64_t *ret, uint32_t *ret_nanos)
{
    WANT(v, OUTCALL_CEL_TIMESTAMP);
    *ret = v->i;
    if (ret_nanos)
        *ret_nanos = v->aux;
    return 0;
}
int outcall_cel_get_duration(const outcall_cel_value *v, int64_t *ret)
{
    WANT(v, OUTCALL_CEL_DURATION);
    *ret = v->i;
    return 0;
}

size_t outcall_cel_count(const outcall_cel_value *v)
{
    return v && (v->kind == OUTCALL_CEL_LIST || v->kind == OUTCALL_CEL_MAP) ? v->n : 0;
}
const outcall_cel_value *outcall_cel_at(const outcall_cel_value *v, size_t i)
{
    if (i >= outcall_cel_count(v))
        return NULL;
    return v->kind == OUTCALL_CEL_MAP ? &v->v[2 * i + 1] : &v->v[i];
}
const outcall_cel_value *outcall_cel_key_at(const outcall_cel_value *v, size_t i)
{
    return v && v->kind == OUTCALL_CEL_MAP && i < v->n ? &v->v[2 * i] : NULL;
}
