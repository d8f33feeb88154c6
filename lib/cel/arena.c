#include "cel/arena.h"
#include <string.h>

#define ALIGN     ((size_t)8) /* of everything that is kept here: pointers, int64_t, double */
#define CHUNK_MIN ((size_t)1024)
#define CHUNK_MAX ((size_t)256 << 10) /* doubling stops here */

struct oc_cel_chunk {
    struct oc_cel_chunk *next;
    size_t size, used;
    _Alignas(8) char data[];
};

static struct oc_cel_chunk *grow(struct oc_cel_arena *a, size_t size)
{
    size_t want = a->head ? OC_MIN(a->head->size * 2, CHUNK_MAX) : CHUNK_MIN;
    want = OC_MAX(want, size);
    struct oc_cel_chunk *c = malloc(sizeof(*c) + want);
    if (!c) {
        a->failed = OUTCALL_E_NO_MEMORY;
        return NULL;
    }
    c->next = a->head;
    c->size = want;
    c->used = 0;
    a->head = c;
    return c;
}

void *oc_cel_arena_alloc(struct oc_cel_arena *a, size_t size)
{
    if (size > a->max || a->used > a->max - size) {
        a->failed = OUTCALL_E_LIMIT;
        return NULL;
    }
    size_t rounded = (size + ALIGN - 1) & ~(ALIGN - 1);
    struct oc_cel_chunk *c = a->head;
    if (!c || c->size - c->used < rounded) {
        c = grow(a, rounded);
        if (!c)
            return NULL;
    }
    void *p = c->data + c->used;
    c->used += rounded;
    a->used += rounded;
    return p;
}

void *oc_cel_arena_zero(struct oc_cel_arena *a, size_t size)
{
    void *p = oc_cel_arena_alloc(a, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void *oc_cel_arena_array(struct oc_cel_arena *a, size_t n, size_t size)
{
    if (n > a->max / size) {
        a->failed = OUTCALL_E_LIMIT;
        return NULL;
    }
    return oc_cel_arena_alloc(a, n * size);
}

char *oc_cel_arena_text(struct oc_cel_arena *a, const char *s, size_t len)
{
    char *p = oc_cel_arena_array(a, len + 1, 1);
    if (!p)
        return NULL;
    if (len > 0)
        memcpy(p, s, len);
    p[len] = 0;
    return p;
}

void oc_cel_arena_reset(struct oc_cel_arena *a)
{
    a->used = 0;
    a->failed = 0;
    if (!a->head)
        return;
    struct oc_cel_chunk *keep = a->head;
    for (struct oc_cel_chunk *c = keep->next; c;) {
        struct oc_cel_chunk *next = c->next;
        if (c->size > keep->size) {
            free(keep);
            keep = c;
        } else {
            free(c);
        }
        c = next;
    }
    keep->next = NULL;
    keep->used = 0;
    a->head = keep;
}

void oc_cel_arena_done(struct oc_cel_arena *a)
{
    while (a->head) {
        struct oc_cel_chunk *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}
