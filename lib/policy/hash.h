/* policy/hash.h - FNV-1a. */
#ifndef POLICY_HASH_H
#define POLICY_HASH_H
#include "base/base.h"

static inline uint32_t oc_hash(uint32_t seed, const char *s, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037) + seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
    return (uint32_t)(h ^ h >> 32);
}

#endif
