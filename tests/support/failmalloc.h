/* Makes the n-th allocation of the code under test fail; everything before it works, and after it too (one)
 * or not.
 *
 *   FAILMALLOC_LOOP { ... call ...; if (r == OUTCALL_E_NO_MEMORY) continue; assert the success; break; }
 */
#ifndef SUPPORT_FAILMALLOC_H
#define SUPPORT_FAILMALLOC_H
#include <stdbool.h>
#include <stddef.h>

void failmalloc_arm(
    long nth); /* the nth (from 1) allocation from now on fails; 0 = none. Also hooks jansson. */
bool failmalloc_fired(void); /* did it come to that one? */

void failmalloc_exempt(void); /* this thread's allocations never fail and are not counted: a peer's thread */

/* Runs fn with the 1st, 2nd, ... allocation failing until it gets through without reaching the armed one. fn
 * returns 0 or OUTCALL_E_NO_MEMORY; anything else, and a leak under ASan, fails the test. Returns the number
 * of rounds. */
long failmalloc_loop(int (*fn)(void *userdata), void *userdata);
#endif
