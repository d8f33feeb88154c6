/* base/base.h - the words every file of the library uses: ownership, cleanup, bounds. Macros never return or
 * jump. */
#ifndef BASE_BASE_H
#define BASE_BASE_H
#include "outcall/common.h"
#include "outcall/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define OC_CLEANUP(fn)   __attribute__((cleanup(fn)))
#define OC_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OC_MIN(a, b)     ((a) < (b) ? (a) : (b))
#define OC_MAX(a, b)     ((a) > (b) ? (a) : (b))
#define OC_UNUSED        __attribute__((unused))
#define OC_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define OC_NODISCARD     __attribute__((warn_unused_result))

/* Moves a pointer or descriptor out of a cleanup variable: the variable forgets it. */
static inline void *oc_take_ptr(void *pp)
{
    void **p = (void **)pp;
    void *v = *p;
    *p = NULL;
    return v;
}

static inline int oc_take_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

static inline void oc_freep(void *pp)
{
    free(*(void **)pp);
}
#define OC_FREE OC_CLEANUP(oc_freep)

/* calloc whose NULL always means out of memory: no element at all still gives a pointer. */
static inline void *oc_new_array(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

#endif
