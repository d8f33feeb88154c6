/* policy/text.h - the text of a set: kept once, never moved, named by 32 bits. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H
#include "base/base.h"

#define OC_TEXT_CHUNK ((size_t)256 << 10)
#define OC_TEXT_MAX   (OC_TEXT_CHUNK - 1) /* bytes of one text */

struct oc_text {
    char **chunks;
    size_t n, cap;
    size_t used; /* bytes of the last chunk */
};

/* A copy with a NUL after it; *ret names it, never 0, which stands for no text. OUTCALL_E_NO_MEMORY; _LIMIT:
 * more than OC_TEXT_MAX bytes, or 4 GiB in all. */
OC_NODISCARD int oc_text_add(struct oc_text *t, const char *s, size_t len, uint32_t *ret);
void oc_text_done(struct oc_text *t);

/* NULL for 0. */
static inline const char *oc_text_at(const struct oc_text *t, uint32_t at)
{
    return at ? t->chunks[at / OC_TEXT_CHUNK] + at % OC_TEXT_CHUNK : NULL;
}

#endif
