#include "policy/text.h"
#include <string.h>

#define CHUNKS_MAX ((size_t)16384) /* 4 GiB: what 32 bits can name */

static int add_chunk(struct oc_text *t)
{
    if (t->n == CHUNKS_MAX)
        return OUTCALL_E_LIMIT;
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 8;
        char **chunks = realloc(t->chunks, cap * sizeof(char *));
        if (!chunks)
            return OUTCALL_E_NO_MEMORY;
        t->chunks = chunks;
        t->cap = cap;
    }
    t->chunks[t->n] = malloc(OC_TEXT_CHUNK);
    if (!t->chunks[t->n])
        return OUTCALL_E_NO_MEMORY;
    t->used = t->n == 0 ? 1 : 0; /* the first byte of all is 0's */
    t->n++;
    return 0;
}

int oc_text_add(struct oc_text *t, const char *s, size_t len, uint32_t *ret)
{
    if (len >= OC_TEXT_MAX)
        return OUTCALL_E_LIMIT;
    if (t->n == 0 || OC_TEXT_CHUNK - t->used <= len) {
        int r = add_chunk(t);
        if (r < 0)
            return r;
    }
    char *copy = t->chunks[t->n - 1] + t->used;
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    *ret = (uint32_t)((t->n - 1) * OC_TEXT_CHUNK + t->used);
    t->used += len + 1;
    return 0;
}

void oc_text_done(struct oc_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->chunks[i]);
    free(t->chunks);
    *t = (struct oc_text){NULL, 0, 0, 0};
}
