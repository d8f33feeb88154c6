/* cel/regex.h - matches(): PCRE2 that speaks RE2's syntax and cannot be made to run long. */
#ifndef CEL_REGEX_H
#define CEL_REGEX_H
#include "cel/program.h"

#define OC_CEL_PATTERN_MAX 4096
#define OC_CEL_REGEX_TEXT  160

struct oc_cel_regex;

/* why: what is wrong with the pattern. 0, OUTCALL_E_INVALID, _NO_MEMORY. */
OC_NODISCARD int oc_cel_regex_new(const char *s, size_t len, struct oc_cel_regex **ret,
                                  char why[OC_CEL_REGEX_TEXT]);
/* Puts it in front of a list, which oc_cel_regex_free_all frees. */
void oc_cel_regex_push(struct oc_cel_regex **list, struct oc_cel_regex *r);
void oc_cel_regex_free_all(struct oc_cel_regex *list);
void oc_cel_matcher_free(struct oc_cel_matcher *m); /* NULL is allowed */

/* matches(text, pattern) */
void oc_cel_matches(struct oc_cel_call *c);

#endif
