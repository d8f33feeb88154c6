/* base/rand.h - randomness from the kernel, or failure: there is no second best. */
#ifndef BASE_RAND_H
#define BASE_RAND_H
#include "base/base.h"

/* size - 1 lower-case hex digits (size odd, at most 129) and a NUL. OUTCALL_E_SYSTEM when the kernel has
 * none. */
OC_NODISCARD int oc_random_hex(char *buf, size_t size);

#endif
