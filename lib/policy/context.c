/* Facts in, one by one. */
#include "policy/context.h"
#include "base/str.h"
#include <string.h>

#define TIMEOUT_MS     10000 /* chosen here */
#define TIMEOUT_MS_MAX 60000
#define ARENA_MAX      (2 * OC_CONTEXT_BYTES_MAX) /* what a new value needs beside the old one */

/* "", 0, [] or {}. */
static void clear(outcall_context *c)
{
    for (int i = 0; i < OC_FIELDS_N; i++) {
        enum oc_field_type type = oc_fields[i].type;
        c->values[i] = type == OC_FIELD_STRING    ? oc_cel_string("", 0)
                       : type == OC_FIELD_INT     ? oc_cel_int(0)
                       : type == OC_FIELD_STRINGS ? oc_cel_list(NULL, 0)
                                                  : oc_cel_map(NULL, 0);
        c->slots[i] = &c->values[i];
        c->room[i] = 0;
    }
}

int outcall_context_new(outcall_context **ret)
{
    if (!ret)
        return OUTCALL_E_INVALID;
    outcall_context *c = calloc(1, sizeof(*c));
    if (!c)
        return OUTCALL_E_NO_MEMORY;
    int r = outcall_cel_eval_new(&c->eval, NULL);
    if (r < 0) {
        (void)outcall_context_free(c);
        return r;
    }
    c->arena.max = ARENA_MAX;
    c->timeout_ms = TIMEOUT_MS;
    clear(c);
    oc_cel_eval_slots(c->eval, c->slots);
    *ret = c;
    return 0;
}

outcall_context *outcall_context_free(outcall_context *c)
{
    if (!c)
        return NULL;
    (void)outcall_cel_eval_free(c->eval);
    oc_cel_arena_done(&c->arena);
    free(c);
    return NULL;
}

void outcall_context_reset(outcall_context *c)
{
    if (!c)
        return;
    oc_cel_arena_reset(&c->arena);
    clear(c);
}

int outcall_context_timeout_ms(outcall_context *c, unsigned ms)
{
    if (!c || ms < 1 || ms > TIMEOUT_MS_MAX)
        return OUTCALL_E_INVALID;
    c->timeout_ms = ms;
    return 0;
}

static int copy_value(struct oc_cel_arena *a, const oc_cel_value *v, oc_cel_value *ret)
{
    *ret = *v;
    if (v->kind == OUTCALL_CEL_STRING) {
        ret->s = oc_cel_arena_text(a, v->s, v->n);
        return ret->s ? 0 : a->failed;
    }
    if (v->kind != OUTCALL_CEL_LIST && v->kind != OUTCALL_CEL_MAP)
        return 0;
    size_t n = v->kind == OUTCALL_CEL_MAP ? 2 * v->n : v->n;
    oc_cel_value *copy = oc_cel_arena_array(a, n, sizeof(*copy));
    if (!copy)
        return a->failed;
    for (size_t i = 0; i < n; i++) {
        int r = copy_value(a, &v->v[i], &copy[i]); /* OC_JSON_DEPTH_MAX levels at most */
        if (r < 0)
            return r;
    }
    ret->v = copy;
    return 0;
}

int oc_context_settle(struct outcall_context *c)
{
    if (c->arena.used <= OC_CONTEXT_BYTES_MAX)
        return 0;
    struct oc_cel_arena fresh = {.max = OC_CONTEXT_BYTES_MAX};
    oc_cel_value values[OC_FIELDS_N];
    for (int i = 0; i < OC_FIELDS_N; i++) {
        int r = copy_value(&fresh, &c->values[i], &values[i]);
        if (r < 0) {
            oc_cel_arena_done(&fresh);
            return r;
        }
    }
    oc_cel_arena_done(&c->arena);
    c->arena = fresh;
    c->arena.max = ARENA_MAX;
    memcpy(c->values, values, sizeof(values));
    memset(c->room, 0, sizeof(c->room));
    return 0;
}

int oc_context_commit(struct outcall_context *c, const struct oc_context_update *u)
{
    oc_cel_value before[OC_FIELDS_N];
    memcpy(before, c->values, sizeof(before));
    for (int i = 0; i < OC_FIELDS_N; i++)
        if (u->set[i]) {
            c->values[i] = u->v[i];
            c->room[i] = 0;
        }
    int r = oc_context_settle(c);
    if (r < 0)
        memcpy(c->values, before, sizeof(before));
    return r;
}

static int set(outcall_context *c, int slot, oc_cel_value v)
{
    oc_cel_value before = c->values[slot];
    c->values[slot] = v;
    int r = oc_context_settle(c);
    if (r < 0)
        c->values[slot] = before;
    return r;
}

/* The slot of a field of that type. */
static int find(const outcall_context *c, const char *field, enum oc_field_type type)
{
    if (!c || !field)
        return OUTCALL_E_INVALID;
    int slot = oc_field_find(field, strlen(field));
    if (slot < 0)
        return OUTCALL_E_NOT_FOUND;
    return oc_fields[slot].type == type ? slot : OUTCALL_E_TYPE;
}

int outcall_context_string(outcall_context *c, const char *field, const char *s, size_t len)
{
    int slot = find(c, field, OC_FIELD_STRING);
    if (slot < 0)
        return slot;
    if (len > 0 && (!s || !oc_utf8_valid(s, len)))
        return OUTCALL_E_INVALID;
    int r = oc_context_settle(c); /* what a call that failed left behind */
    if (r < 0)
        return r;
    const char *copy = oc_cel_arena_text(&c->arena, s, len);
    return copy ? set(c, slot, oc_cel_string(copy, len)) : c->arena.failed;
}

int outcall_context_int(outcall_context *c, const char *field, int64_t v)
{
    int slot = find(c, field, OC_FIELD_INT);
    if (slot < 0)
        return slot;
    c->values[slot] = oc_cel_int(v);
    return 0;
}

int outcall_context_strings(outcall_context *c, const char *field, const char *const *v, size_t n)
{
    int slot = find(c, field, OC_FIELD_STRINGS);
    if (slot < 0)
        return slot;
    for (size_t i = 0; i < n; i++)
        if (!v || !v[i] || !oc_utf8_valid(v[i], strlen(v[i])))
            return OUTCALL_E_INVALID;
    int r = oc_context_settle(c);
    if (r < 0)
        return r;
    oc_cel_value *list = oc_cel_arena_array(&c->arena, n, sizeof(*list));
    if (!list)
        return c->arena.failed;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(v[i]);
        const char *copy = oc_cel_arena_text(&c->arena, v[i], len);
        if (!copy)
            return c->arena.failed;
        list[i] = oc_cel_string(copy, len);
    }
    return set(c, slot, oc_cel_list(list, n));
}

/* The map's pairs, in memory that has room for one more; or NULL. */
static oc_cel_value *grow_map(outcall_context *c, int slot)
{
    oc_cel_value *map = &c->values[slot];
    if (map->n < c->room[slot])
        return (oc_cel_value *)map->v;
    size_t room = map->n < 4 ? 8 : 2 * map->n;
    oc_cel_value *v = oc_cel_arena_array(&c->arena, 2 * room, sizeof(*v));
    if (!v)
        return NULL;
    memset(v, 0, 2 * room * sizeof(*v));
    if (map->n > 0)
        memcpy(v, map->v, 2 * map->n * sizeof(*v));
    map->v = v;
    c->room[slot] = room;
    return v;
}

static int set_pair(outcall_context *c, int slot, const char *key, const char *value)
{
    oc_cel_value *map = &c->values[slot];
    size_t i = 0, len = strlen(key), n = map->n;
    const char *text = oc_cel_arena_text(&c->arena, value, strlen(value));
    const char *name = text ? oc_cel_arena_text(&c->arena, key, len) : NULL;
    oc_cel_value *pairs = name ? grow_map(c, slot) : NULL;
    if (!pairs)
        return c->arena.failed;
    while (i < n && (pairs[2 * i].n != len || memcmp(pairs[2 * i].s, key, len) != 0))
        i++;
    oc_cel_value before = pairs[2 * i + 1];
    pairs[2 * i] = oc_cel_string(name, len);
    pairs[2 * i + 1] = oc_cel_string(text, strlen(value));
    map->n += i == n;
    int r = oc_context_settle(c);
    if (r < 0) {
        pairs[2 * i + 1] = before;
        map->n = n;
    }
    return r;
}

int outcall_context_pair(outcall_context *c, const char *map, const char *key, const char *value)
{
    int slot = find(c, map, OC_FIELD_STRING_MAP);
    if (slot == OUTCALL_E_TYPE)
        slot = find(c, map, OC_FIELD_ANY_MAP);
    if (slot < 0)
        return slot;
    if (!key || !value || !oc_utf8_valid(key, strlen(key)) || !oc_utf8_valid(value, strlen(value)))
        return OUTCALL_E_INVALID;
    int r = oc_context_settle(c);
    return r < 0 ? r : set_pair(c, slot, key, value);
}
