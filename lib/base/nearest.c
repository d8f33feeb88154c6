#include "base/nearest.h"
#include "base/str.h"
#include <string.h>

#define FAR 4 /* edits that make another name */

unsigned oc_edits(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][OC_EDITS_MAX + 1];
    for (size_t i = 0; i <= na; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= nb; k++) {
            if (i == 0) {
                row[k] = (unsigned)k;
                continue;
            }
            row[k] = OC_MIN(above[k - 1] + (a[i - 1] != b[k - 1]), OC_MIN(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = OC_MIN(row[k], before[k - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

void oc_nearest_try(struct oc_nearest *n, const char *known)
{
    size_t len = strlen(n->name), known_len = strlen(known);
    if (len > OC_EDITS_MAX || known_len > OC_EDITS_MAX)
        return;
    unsigned far = (unsigned)OC_MIN(len / 3 + 2, (size_t)FAR); /* of a short name nearly all is wrong soon */
    unsigned d = oc_edits(n->name, len, known, known_len);
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
