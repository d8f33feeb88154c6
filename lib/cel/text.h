/* cel/text.h - numbers to text and back, whatever the locale. */
#ifndef CEL_TEXT_H
#define CEL_TEXT_H
#include "cel/value.h"

/* The shortest text that reads back as d; its length. */
size_t oc_cel_format_double(double d, char *buf, size_t size);
/* The whole text: digits, a point, an exponent, or inf/nan words. 0, OUTCALL_E_SYNTAX, _NO_MEMORY. */
OC_NODISCARD int oc_cel_parse_double(const char *s, size_t len, double *ret);

#endif
