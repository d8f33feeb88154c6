#include "base/nearest.h"
#include "base/str.h"
#include <string.h>

#define NAME_MAX_BYTES 128 /* longer ones are not compared */
#define FAR            4   /* edits that make another name */

/* Insertions, deletions, changes of one byte, swaps of two neighbours counted as two. */
static unsigned edits(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[NAME_MAX_BYTES + 1];
    for (size_t k = 0; k <= nb; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; i <= na; i++) {
        unsigned corner = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= nb; k++) {
            unsigned above = row[k], change = corner + (a[i - 1] != b[k - 1]);
            row[k] = OC_MIN(change, OC_MIN(above, row[k - 1]) + 1);
            corner = above;
        }
    }
    return row[nb];
}

void oc_nearest_try(struct oc_nearest *n, const char *known)
{
    size_t len = strlen(n->name), known_len = strlen(known);
    if (len > NAME_MAX_BYTES || known_len > NAME_MAX_BYTES)
        return;
    unsigned far = (unsigned)OC_MIN(len / 3 + 2, (size_t)FAR); /* of a short name nearly all is wrong soon */
    unsigned d = edits(n->name, len, known, known_len);
    if (d >= (n->best ? n->distance : far))
        return;
    n->best = known;
    n->distance = d;
}

const char *oc_nearest_text(const struct oc_nearest *n, char buf[OC_MEANT_SIZE])
{
    if (!n->best || oc_format(buf, OC_MEANT_SIZE, "; did you mean \"%s\"?", n->best) < 0)
        buf[0] = '\0';
    return buf;
}
