/* policy/hash.h - hashes of texts, for tables that nobody keeps. */
#ifndef POLICY_HASH_H
#define POLICY_HASH_H
#include "base/base.h"
#include <string.h>

/* Eight bytes at a time; the multiplier is 2^64 divided by the golden ratio. */
static inline uint32_t oc_hash(uint32_t seed, const char *s, size_t len)
{
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = (seed + len) * k, w = 0;
    for (; len >= sizeof(w); s += sizeof(w), len -= sizeof(w)) {
        memcpy(&w, s, sizeof(w));
        h = (h ^ w) * k;
        h ^= h >> 32;
    }
    w = 0;
    if (len > 0)
        memcpy(&w, s, len);
    h = (h ^ w) * k;
    h ^= h >> 32;
    return (uint32_t)(h * k >> 32);
}

/* FNV-1a from the end: the hash of a suffix is one step from that of the next shorter one. */
#define OC_HASH_BACK(seed) (UINT64_C(14695981039346656037) + (seed))
static inline uint64_t oc_hash_step(uint64_t h, char c)
{
    return (h ^ (unsigned char)c) * UINT64_C(1099511628211);
}
static inline uint32_t oc_hash_fold(uint64_t h)
{
    return (uint32_t)(h ^ h >> 32);
}

#endif
