/* out.h - what the operator sees: text that cannot play tricks on a terminal, tables, details. */
#ifndef CLI_OUT_H
#define CLI_OUT_H
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Text from somewhere else: control characters (also the C1 ones and those that turn the writing direction)
 * and bytes that are no UTF-8 come out as \xNN. */
void out_text(FILE *f, const char *s);
/* Text of several lines, each as above and behind the margin. Line breaks that end it are dropped. */
void out_lines(FILE *f, const char *s, const char *margin);
size_t out_width(const char *s); /* columns of what out_text writes, one a character */

struct out_column {
    const char *title;
    const char *key; /* member of each row; further names after '|' are tried in turn */
    size_t width;    /* at least, with the gap to the next column */
};
/* One line a row, the title line first. rows: an array of objects. At most 8 columns. */
void out_table(FILE *f, const struct out_column *columns, size_t n, const json_t *rows);

/* An object as "key: value" lines, what is inside it indented. */
void out_details(FILE *f, const json_t *object);

/* A member under one of several names ("id|container_id"). Borrowed; NULL when there is none. */
const json_t *out_member(const json_t *object, const char *names);
/* A string or number as text: borrowed from j, or written to buf; "" for anything else. */
const char *out_value(const json_t *j, char *buf, size_t size);

#endif
