/* Stands in front of the C library's allocator in the whole process, PCRE2 and jansson included: how often it
 * was asked. One thread. */
#include "bench/allocations.h"
#include <stdlib.h>

/* glibc's own names for its allocator, for who stands before it. */
void *__libc_malloc(size_t size);           /* NOLINT */
void *__libc_calloc(size_t n, size_t size); /* NOLINT */
void *__libc_realloc(void *p, size_t size); /* NOLINT */

static unsigned long asked;

unsigned long allocations_n(void)
{
    return asked;
}

void *malloc(size_t size)
{
    asked++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    asked++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    asked++;
    return __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes = 0;
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(p, bytes);
}
