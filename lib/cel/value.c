#include "cel/value.h"
#include <math.h>
#include <string.h>

bool oc_cel_spend(struct oc_cel_budget *b, uint64_t steps)
{
    if (b->steps < steps) {
        b->steps = 0;
        b->spent = true;
        return false;
    }
    b->steps -= steps;
    return true;
}

static const char *const kind_names[] = {
    [OUTCALL_CEL_NULL] = "null_type",
    [OUTCALL_CEL_BOOL] = "bool",
    [OUTCALL_CEL_INT] = "int",
    [OUTCALL_CEL_UINT] = "uint",
    [OUTCALL_CEL_DOUBLE] = "double",
    [OUTCALL_CEL_STRING] = "string",
    [OUTCALL_CEL_BYTES] = "bytes",
    [OUTCALL_CEL_LIST] = "list",
    [OUTCALL_CEL_MAP] = "map",
    [OUTCALL_CEL_TIMESTAMP] = "google.protobuf.Timestamp",
    [OUTCALL_CEL_DURATION] = "google.protobuf.Duration",
    [OUTCALL_CEL_TYPE] = "type",
    [OUTCALL_CEL_IP] = "net.IP",
    [OUTCALL_CEL_CIDR] = "net.CIDR",
};

const char *oc_cel_kind_name(uint32_t kind)
{
    return kind < OC_ARRAY_SIZE(kind_names) ? kind_names[kind] : "dyn";
}

int oc_cel_kind_by_name(const char *s, size_t len)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(kind_names); i++)
        if (strlen(kind_names[i]) == len && memcmp(kind_names[i], s, len) == 0)
            return (int)i;
    return -1;
}

oc_cel_value oc_cel_type_value(const char *name)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_TYPE, .s = name, .n = strlen(name)};
}

static bool is_number(uint32_t kind)
{
    return kind == OUTCALL_CEL_INT || kind == OUTCALL_CEL_UINT || kind == OUTCALL_CEL_DOUBLE;
}

/* Exact: a cast of the integer to double would call 2^53 + 1 and 2^53 the same. */
static enum oc_cel_order int_with_double(int64_t i, double d)
{
    if (isnan(d))
        return OC_CEL_UNORDERED;
    if (d >= 0x1p63)
        return OC_CEL_LESS;
    if (d < -0x1p63)
        return OC_CEL_MORE;
    int64_t whole = (int64_t)d;
    if (i != whole)
        return i < whole ? OC_CEL_LESS : OC_CEL_MORE;
    double rest = d - (double)whole;
    return rest > 0 ? OC_CEL_LESS : rest < 0 ? OC_CEL_MORE : OC_CEL_SAME;
}

static enum oc_cel_order uint_with_double(uint64_t u, double d)
{
    if (isnan(d))
        return OC_CEL_UNORDERED;
    if (d >= 0x1p64)
        return OC_CEL_LESS;
    if (d < 0)
        return OC_CEL_MORE;
    uint64_t whole = (uint64_t)d;
    if (u != whole)
        return u < whole ? OC_CEL_LESS : OC_CEL_MORE;
    return d > (double)whole ? OC_CEL_LESS : OC_CEL_SAME;
}

static enum oc_cel_order flip(enum oc_cel_order o)
{
    return o == OC_CEL_LESS ? OC_CEL_MORE : o == OC_CEL_MORE ? OC_CEL_LESS : o;
}

#define ORDER(a, b) ((a) < (b) ? OC_CEL_LESS : (a) > (b) ? OC_CEL_MORE : OC_CEL_SAME)

static enum oc_cel_order compare_numbers(const oc_cel_value *a, const oc_cel_value *b)
{
    if (a->kind == b->kind) {
        if (a->kind == OUTCALL_CEL_INT)
            return ORDER(a->i, b->i);
        if (a->kind == OUTCALL_CEL_UINT)
            return ORDER(a->u, b->u);
        return isnan(a->d) || isnan(b->d) ? OC_CEL_UNORDERED : ORDER(a->d, b->d);
    }
    if (a->kind == OUTCALL_CEL_INT) {
        if (b->kind == OUTCALL_CEL_DOUBLE)
            return int_with_double(a->i, b->d);
        return a->i < 0 ? OC_CEL_LESS : ORDER((uint64_t)a->i, b->u);
    }
    if (a->kind == OUTCALL_CEL_UINT && b->kind == OUTCALL_CEL_DOUBLE)
        return uint_with_double(a->u, b->d);
    return flip(compare_numbers(b, a));
}

/* 2^63 as a double next to the ints that round to it: the language's own cases order them as if they were the
 * same, although they are not equal. */
static bool at_the_edge(const oc_cel_value *a, const oc_cel_value *b)
{
    const oc_cel_value *i = a->kind == OUTCALL_CEL_INT ? a : b, *d = i == a ? b : a;
    return i->kind == OUTCALL_CEL_INT && d->kind == OUTCALL_CEL_DOUBLE && d->d == 0x1p63 &&
           (double)i->i == 0x1p63;
}

static enum oc_cel_order compare_bytes(const oc_cel_value *a, const oc_cel_value *b)
{
    size_t n = OC_MIN(a->n, b->n);
    int r = n > 0 ? memcmp(a->s, b->s, n) : 0;
    return r < 0 ? OC_CEL_LESS : r > 0 ? OC_CEL_MORE : ORDER(a->n, b->n);
}

enum oc_cel_order oc_cel_compare(const oc_cel_value *a, const oc_cel_value *b)
{
    if (is_number(a->kind) && is_number(b->kind))
        return at_the_edge(a, b) ? OC_CEL_SAME : compare_numbers(a, b);
    if (a->kind != b->kind)
        return OC_CEL_NO_ORDER;
    switch (a->kind) {
    case OUTCALL_CEL_BOOL:
        return ORDER((int)a->b, (int)b->b);
    case OUTCALL_CEL_STRING:
    case OUTCALL_CEL_BYTES:
        return compare_bytes(a, b);
    case OUTCALL_CEL_TIMESTAMP:
        return a->i != b->i ? ORDER(a->i, b->i) : ORDER(a->aux, b->aux);
    case OUTCALL_CEL_DURATION:
        return ORDER(a->i, b->i);
    default:
        return OC_CEL_NO_ORDER;
    }
}

static bool equal_lists(struct oc_cel_budget *budget, const oc_cel_value *a, const oc_cel_value *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!oc_cel_equal(budget, &a->v[i], &b->v[i]))
            return false;
    return true;
}

static bool equal_maps(struct oc_cel_budget *budget, const oc_cel_value *a, const oc_cel_value *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const oc_cel_value *other = oc_cel_map_find(budget, b, &a->v[2 * i]);
        if (!other || !oc_cel_equal(budget, &a->v[2 * i + 1], other))
            return false;
    }
    return true;
}

bool oc_cel_equal(struct oc_cel_budget *budget, const oc_cel_value *a, const oc_cel_value *b)
{
    if (!oc_cel_spend(budget, 1)) /* a list may hold the same list many times over: the elements add up */
        return false;
    if (a->kind != b->kind)
        return is_number(a->kind) && is_number(b->kind) && compare_numbers(a, b) == OC_CEL_SAME;
    switch (a->kind) {
    case OUTCALL_CEL_STRING:
    case OUTCALL_CEL_BYTES:
    case OUTCALL_CEL_TYPE:
        return a->n == b->n && (a->n == 0 || memcmp(a->s, b->s, a->n) == 0);
    case OUTCALL_CEL_NULL:
        return true;
    case OUTCALL_CEL_LIST:
        return equal_lists(budget, a, b);
    case OUTCALL_CEL_MAP:
        return equal_maps(budget, a, b);
    case OUTCALL_CEL_IP:
    case OUTCALL_CEL_CIDR:
        return a->aux == b->aux && a->u == b->u && a->low == b->low;
    case OC_CEL_ERROR:
        return false;
    default:
        return oc_cel_compare(a, b) == OC_CEL_SAME;
    }
}

const oc_cel_value *oc_cel_map_field(const oc_cel_value *map, const char *s, size_t len)
{
    for (size_t i = 0; i < map->n; i++) {
        const oc_cel_value *key = &map->v[2 * i];
        if (key->kind == OUTCALL_CEL_STRING && key->n == len && memcmp(key->s, s, len) == 0)
            return key + 1;
    }
    return NULL;
}

const oc_cel_value *oc_cel_map_find(struct oc_cel_budget *budget, const oc_cel_value *map,
                                    const oc_cel_value *key)
{
    if (!oc_cel_spend(budget, map->n / 16))
        return NULL;
    if (key->kind == OUTCALL_CEL_STRING)
        return oc_cel_map_field(map, key->s, key->n);
    struct oc_cel_budget free_of_charge = {UINT64_MAX, false};
    for (size_t i = 0; i < map->n; i++)
        if (oc_cel_equal(&free_of_charge, &map->v[2 * i], key))
            return &map->v[2 * i + 1];
    return NULL;
}
