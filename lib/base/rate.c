#include "base/rate.h"

/* What of the last window still counts after elapsed ms of this one, rounded up. */
static uint64_t carried(const struct oc_rate *r, uint64_t elapsed)
{
    uint64_t left = r->window_ms - elapsed;
    return (r->last * left + r->window_ms - 1) / r->window_ms;
}

/* How far a window must have come until at most room of the last one's count events still count. */
static uint64_t forgotten_at(const struct oc_rate *r, uint64_t count, uint64_t room)
{
    return count > room ? r->window_ms - room * r->window_ms / count : 0;
}

bool oc_rate_take(struct oc_rate *r, uint64_t now_ms, uint64_t *ret_wait_ms)
{
    uint64_t elapsed = now_ms - r->start;
    if (elapsed >= r->window_ms) {
        r->last = elapsed < (uint64_t)2 * r->window_ms ? r->count : 0;
        r->start = now_ms - elapsed % r->window_ms;
        r->count = 0;
        elapsed = now_ms - r->start;
    }
    if (r->count + carried(r, elapsed) < r->limit) {
        r->count++;
        return true;
    }
    if (r->count < r->limit)
        *ret_wait_ms = forgotten_at(r, r->last, r->limit - r->count - 1) - elapsed;
    else
        *ret_wait_ms = r->window_ms - elapsed + forgotten_at(r, r->count, r->limit - 1);
    return false;
}
