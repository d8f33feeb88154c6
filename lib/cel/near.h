/* cel/near.h - what somebody may have meant by a name that is none. */
#ifndef CEL_NEAR_H
#define CEL_NEAR_H
#include "cel/program.h"

#define OC_CEL_NEAR_TEXT 1024 /* two names, and some words */

/* The name in quotes, and what it may be instead: "x.hots"; did you mean "x.host"? */
void oc_cel_near_variable(const struct oc_cel_names *names, const char *name, char text[OC_CEL_NEAR_TEXT]);
/* style is the one it was called in; dotted, or NULL: a.f of a.f(x), which may be the whole name. */
void oc_cel_near_function(const outcall_cel_env *env, const char *name, const char *dotted, uint8_t style,
                          char text[OC_CEL_NEAR_TEXT]);

#endif
