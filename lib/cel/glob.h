/* cel/glob.h - glob(text, pattern): what outcall/cel.h says of it. */
#ifndef CEL_GLOB_H
#define CEL_GLOB_H
#include "cel/value.h"

/* 1, 0, OUTCALL_E_SYNTAX (the pattern is none), OUTCALL_E_LIMIT (the budget is spent). */
OC_NODISCARD int oc_cel_glob(struct oc_cel_budget *budget, const char *s, size_t len, const char *pattern,
                             size_t pattern_len);

#endif
