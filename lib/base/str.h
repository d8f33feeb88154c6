/* base/str.h - strings: predicates, UTF-8, copies with bounds, lists of strings. */
#ifndef BASE_STR_H
#define BASE_STR_H
#include "base/base.h"

bool oc_streq(const char *a, const char *b); /* NULL equals only NULL */
bool oc_starts_with(const char *s, const char *prefix);
bool oc_utf8_valid(const char *s,
                   size_t len); /* RFC 3629: no surrogates, no overlong forms; NUL is a character */
/* Puts "?" in the place of every byte that belongs to no well-formed sequence: a text that quotes its input
 * stays readable. */
void oc_utf8_repair(char *s);
bool oc_has_control(const char *s, size_t len); /* bytes below 0x20, or 0x7f */

/* The longest prefix of at most max bytes that does not cut a UTF-8 sequence. */
size_t oc_utf8_cut(const char *s, size_t len, size_t max);

#define OC_SHOWN_MAX  128
#define OC_SHOWN_SIZE (OC_SHOWN_MAX + 4)
/* What an error repeats of a name from outside: all of it, or its first OC_SHOWN_MAX bytes (no character cut)
 * and
 * "...", so that the rest of the error keeps its room. Returns buf. */
const char *oc_shown(char buf[OC_SHOWN_SIZE], const char *s);

/* Into a fixed array, whole or not at all: 0, or OUTCALL_E_LIMIT when it does not fit (then buf is ""). */
int oc_format(char *buf, size_t size, const char *fmt, ...) OC_PRINTF(3, 4);
int oc_copy(char *buf, size_t size, const char *s, size_t len);

/* NULL stays NULL. 0 or OUTCALL_E_NO_MEMORY. *ret is replaced (the old value is not freed). */
OC_NODISCARD int oc_dup(char **ret, const char *s);
OC_NODISCARD char *oc_asprintf(const char *fmt, ...) OC_PRINTF(1, 2); /* NULL: out of memory */

/* A list of owned strings, in order. */
struct oc_strings {
    char **v;
    size_t n, cap;
};
OC_NODISCARD int oc_strings_add(struct oc_strings *l, const char *s, size_t len);
bool oc_strings_has(const struct oc_strings *l, const char *s);
void oc_strings_done(struct oc_strings *l);

#endif
