/* base/clock.h - monotonic time for deadlines, wall time for people. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include "base/base.h"
#include <time.h>

#define OC_NEVER UINT64_MAX /* a deadline that does not come */

uint64_t oc_now_ms(void); /* CLOCK_MONOTONIC */
uint64_t oc_now_ns(void);
uint64_t oc_thread_ns(void); /* processor time of this thread */

/* The moment timeout_ms from now; OC_NEVER stays OC_NEVER. */
uint64_t oc_deadline(uint64_t timeout_ms);
/* What poll() wants: milliseconds left, 0 when it is over, -1 for OC_NEVER. */
int oc_deadline_left(uint64_t deadline_ms);

#define OC_RFC3339_SIZE 32
/* "2026-11-21T22:10:00Z" of a wall-clock time (time(NULL)). */
void oc_rfc3339(time_t t, char buf[OC_RFC3339_SIZE]);

#endif
