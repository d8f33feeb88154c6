/* Names to slots; the standard functions by name; letters of signatures. */
#include "cel/program.h"
#include <string.h>

static uint64_t hash(const char *s, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
    return h;
}

struct oc_cel_names *oc_cel_names_new(void)
{
    struct oc_cel_names *names = calloc(1, sizeof(*names));
    if (names)
        atomic_init(&names->refs, 1);
    return names;
}

struct oc_cel_names *oc_cel_names_ref(struct oc_cel_names *names)
{
    if (names)
        atomic_fetch_add_explicit(&names->refs, 1, memory_order_relaxed);
    return names;
}

void oc_cel_names_unref(struct oc_cel_names *names)
{
    if (!names || atomic_fetch_sub_explicit(&names->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i].s);
    free(names->v);
    free(names->table);
    free(names);
}

int oc_cel_names_find(const struct oc_cel_names *names, const char *s, size_t len)
{
    if (names->table_size == 0)
        return -1;
    for (size_t i = hash(s, len) & (names->table_size - 1);; i = (i + 1) & (names->table_size - 1)) {
        uint32_t slot = names->table[i];
        if (slot == 0)
            return -1;
        const struct oc_cel_name *name = &names->v[slot - 1];
        if (name->len == len && memcmp(name->s, s, len) == 0)
            return (int)slot - 1;
    }
}

static void enter(uint32_t *table, size_t size, const struct oc_cel_name *name, size_t slot)
{
    size_t i = hash(name->s, name->len) & (size - 1);
    while (table[i] != 0)
        i = (i + 1) & (size - 1);
    table[i] = (uint32_t)slot + 1;
}

static int make_room(struct oc_cel_names *names)
{
    if (names->n < names->cap)
        return 0;
    size_t cap = names->cap ? names->cap * 2 : 8;
    struct oc_cel_name *v = realloc(names->v, cap * sizeof(*v));
    if (!v)
        return OUTCALL_E_NO_MEMORY;
    names->v = v;
    uint32_t *table = calloc(cap * 2, sizeof(*table));
    if (!table)
        return OUTCALL_E_NO_MEMORY;
    for (size_t i = 0; i < names->n; i++)
        enter(table, cap * 2, &v[i], i);
    free(names->table);
    names->table = table;
    names->table_size = cap * 2;
    names->cap = cap;
    return 0;
}

int oc_cel_names_add(struct oc_cel_names *names, const char *s, size_t len, const struct oc_cel_type *type)
{
    int slot = oc_cel_names_find(names, s, len);
    if (slot >= 0)
        return slot;
    if (names->n >= OC_CEL_NODES_MAX)
        return OUTCALL_E_LIMIT;
    int r = make_room(names);
    char *copy = r == 0 ? strndup(s, len) : NULL;
    if (!copy)
        return OUTCALL_E_NO_MEMORY;
    struct oc_cel_type t = type ? *type : oc_cel_type_of_kind(OUTCALL_CEL_DYN);
    names->v[names->n] = (struct oc_cel_name){copy, len, t, oc_cel_letter_kind(t.s[0])};
    enter(names->table, names->table_size, &names->v[names->n], names->n);
    return (int)names->n++;
}

static const char letters[] = "nbiudsylmtrTpc*"; /* in the order of enum outcall_cel_kind */

char oc_cel_kind_letter(uint32_t kind)
{
    return (char)(kind < OUTCALL_CEL_DYN ? letters[kind] : '*');
}

uint32_t oc_cel_letter_kind(char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (uint32_t)(at - letters) : OUTCALL_CEL_DYN;
}

const struct oc_cel_func *oc_cel_func_find(const char *s, size_t len, uint8_t style)
{
    const struct oc_cel_func *const tables[] = {oc_cel_core_funcs, oc_cel_time_funcs, oc_cel_net_funcs};
    for (size_t t = 0; t < OC_ARRAY_SIZE(tables); t++)
        for (const struct oc_cel_func *f = tables[t]; f->name; f++)
            if ((f->style & style) && strlen(f->name) == len && memcmp(f->name, s, len) == 0)
                return f;
    return NULL;
}
