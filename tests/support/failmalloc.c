#include "support/failmalloc.h"
#include "outcall/error.h"
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long countdown; /* 0 = off */
static atomic_bool fired;
static _Thread_local bool exempt;

void failmalloc_exempt(void)
{
    exempt = true;
}

static bool fails(void)
{
    if (exempt || atomic_load(&countdown) == 0 || atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    atomic_store(&fired, true);
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **ret, const char *fmt, va_list ap);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
    return fails() ? -1 : __real_vasprintf(ret, fmt, ap);
}

void failmalloc_arm(long nth)
{
    json_set_alloc_funcs(__wrap_malloc, free);
    atomic_store(&fired, false);
    atomic_store(&countdown, nth);
}

bool failmalloc_fired(void)
{
    return atomic_load(&fired);
}

long failmalloc_loop(int (*fn)(void *userdata), void *userdata)
{
    for (long nth = 1;; nth++) {
        failmalloc_arm(nth);
        int r = fn(userdata);
        bool reached = failmalloc_fired();
        failmalloc_arm(0);
        if (!reached) {
            ck_assert_int_eq(r, 0);
            return nth;
        }
        ck_assert_msg(r == OUTCALL_E_NO_MEMORY, "allocation %ld failed and the call said %d", nth, r);
    }
}
