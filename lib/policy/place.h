/* policy/place.h - from a byte of an expression back to the line and column of its file. */
#ifndef POLICY_PLACE_H
#define POLICY_PLACE_H
#include "yaml/yaml.h"

/* Line and column in the file (data, len) of byte `at` of a scalar's text: whatever its style, quoted, folded
 * or a block. */
void oc_place_in_scalar(const char *data, size_t len, const oc_yaml *node, size_t at, int *ret_line,
                        int *ret_column);
/* The byte of s at a line and a column, 1-based and in characters. */
size_t oc_place_offset(const char *s, size_t len, int line, int column);
/* A scalar's length without the blank at its end. */
size_t oc_place_trimmed(const oc_yaml *node);

#endif
