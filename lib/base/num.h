/* base/num.h - numbers out of text: the whole text, no sign or space that is not asked for, range checked. */
#ifndef BASE_NUM_H
#define BASE_NUM_H
#include "base/base.h"

/* Decimal digits only. OUTCALL_E_SYNTAX: not a number; OUTCALL_E_LIMIT: outside min..max. *ret only on
 * success. */
OC_NODISCARD int oc_parse_u64(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret);
OC_NODISCARD int oc_parse_u32(const char *s, size_t len, uint32_t min, uint32_t max, uint32_t *ret);
OC_NODISCARD int oc_parse_hex(const char *s, size_t len, uint64_t max, uint64_t *ret); /* no 0x */
/* Bytes: digits, then nothing or one of b k m g (or B K M G, powers of 1024, as `docker run --memory`). */
OC_NODISCARD int oc_parse_size(const char *s, size_t len, uint64_t *ret);
/* Digits with at most one point ("1.5", "2", ".5"), at most nine digits after it; result in billionths. */
OC_NODISCARD int oc_parse_nano(const char *s, size_t len, uint64_t max_nano, uint64_t *ret_nano);

#endif
