/* cel/arena.h - memory that is given out piece by piece and taken back as a whole. One owner, one thread. */
#ifndef CEL_ARENA_H
#define CEL_ARENA_H
#include "base/base.h"

struct oc_cel_chunk;

struct oc_cel_arena {
    struct oc_cel_chunk *head; /* the newest and largest */
    size_t used;               /* bytes given out since the last reset */
    size_t max;                /* used never passes it */
    int failed;                /* 0, OUTCALL_E_LIMIT or OUTCALL_E_NO_MEMORY: why the last NULL */
};

/* 8-byte aligned, not zeroed; NULL with failed set. */
OC_NODISCARD void *oc_cel_arena_alloc(struct oc_cel_arena *a, size_t size);
OC_NODISCARD void *oc_cel_arena_zero(struct oc_cel_arena *a, size_t size);
/* n elements; an overflow of n * size is OUTCALL_E_LIMIT. */
OC_NODISCARD void *oc_cel_arena_array(struct oc_cel_arena *a, size_t n, size_t size);
/* A copy with a NUL after it. */
OC_NODISCARD char *oc_cel_arena_text(struct oc_cel_arena *a, const char *s, size_t len);
void oc_cel_arena_reset(struct oc_cel_arena *a); /* forgets everything, keeps the largest chunk */
void oc_cel_arena_done(struct oc_cel_arena *a);

#endif
