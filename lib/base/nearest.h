/* base/nearest.h - which of the known names somebody meant who mistyped one. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H
#include "base/base.h"

#define OC_EDITS_MAX 255
/* How many letters were left out, put in, mistaken, or swapped with the next one; each name at most
 * OC_EDITS_MAX bytes. */
unsigned oc_edits(const char *a, size_t na, const char *b, size_t nb);

struct oc_nearest {
    const char *name; /* as mistyped */
    const char *best; /* the nearest of those tried so far; NULL: none is near */
    unsigned distance;
};

void oc_nearest_try(struct oc_nearest *n, const char *known);

#define OC_MEANT_SIZE 192
/* "; did you mean \"x\"?", or "" when nothing is near. Returns buf. */
const char *oc_nearest_text(const struct oc_nearest *n, char buf[OC_MEANT_SIZE]);

#endif
