#include "base/clock.h"
#include <limits.h>
#include <string.h>

uint64_t oc_now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock and a valid pointer */
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t oc_now_ms(void)
{
    return oc_now_ns() / 1000000U;
}

uint64_t oc_thread_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t oc_deadline(uint64_t timeout_ms)
{
    uint64_t at = 0;
    if (timeout_ms == OC_NEVER || __builtin_add_overflow(oc_now_ms(), timeout_ms, &at))
        return OC_NEVER;
    return at;
}

int oc_deadline_left(uint64_t deadline_ms)
{
    if (deadline_ms == OC_NEVER)
        return -1;
    uint64_t now = oc_now_ms();
    if (now >= deadline_ms)
        return 0;
    uint64_t left = deadline_ms - now;
    return left > INT_MAX ? INT_MAX : (int)left;
}

void oc_rfc3339(time_t t, char buf[OC_RFC3339_SIZE])
{
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(buf, OC_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(buf, "1970-01-01T00:00:00Z", 21);
}
