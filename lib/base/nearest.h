/* base/nearest.h - which of the known names somebody meant who mistyped one. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H
#include "base/base.h"

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
