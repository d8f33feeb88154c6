/* base/rate.h - so many in any window of so long: a sliding window in constant memory. */
#ifndef BASE_RATE_H
#define BASE_RATE_H
#include "base/base.h"

/* The last window's count is held against the part of it that a window ending now still covers, as if its
 * events had come evenly: at most limit in any window, give or take how unevenly they came. */
struct oc_rate {
    uint32_t limit, window_ms;
    uint64_t start; /* of the current window, oc_now_ms() */
    uint32_t count, last;
};

/* One more, now? Counts it when it is. ret_wait_ms: else how long until one is, at least 1. */
bool oc_rate_take(struct oc_rate *r, uint64_t now_ms, uint64_t *ret_wait_ms);

#endif
