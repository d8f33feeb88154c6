#include "base/rate.h"

/* What of the last window still counts after elapsed ms of this one, rounded up. */
static uint64_t carried(const struct oc_rate *r, uint64_t elapsed)
{
    uint64_t left = r->window_ms - elapsed;
    return (r->last * left + r->window_ms - 1) / r->window_ms;
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
    uint64_t wait = r->window_ms - elapsed;
    if (r->count < r->limit && r->last > 0) { /* the moment at which enough of the last window is forgotten */
        uint64_t room = r->limit - r->count - 1;
        uint64_t needed = r->window_ms - room * r->window_ms / r->last;
        wait = needed > elapsed ? OC_MIN(wait, needed - elapsed) : 1;
    }
    *ret_wait_ms = OC_MAX(wait, (uint64_t)1);
    return false;
}
