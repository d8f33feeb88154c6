/* What the targets of expressions and rules ask of every error. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

/* Is the place one of the text, or right behind it? Columns count code points. */
static inline bool place_is_inside(const char *src, size_t len, int line, int column)
{
    const char *end = src + len;
    for (; line > 1; line--) {
        const char *newline = len > 0 ? memchr(src, '\n', (size_t)(end - src)) : NULL;
        if (!newline)
            return false;
        src = newline + 1;
    }
    for (; column > 1 && src < end && *src != '\n'; src++) {
        while (src + 1 < end && ((unsigned char)src[1] & 0xc0) == 0x80)
            src++;
        column--;
    }
    return line == 1 && column == 1;
}

/* A failure says what, in text that can be shown. */
static inline void check_error_text(int r, const outcall_error *err)
{
    if (r >= 0 || err->code != r || err->text[0] == '\0' || !oc_utf8_valid(err->text, strlen(err->text)))
        abort();
}

/* And where in src. */
static inline void check_error(int r, const outcall_error *err, const char *src, size_t len)
{
    check_error_text(r, err);
    if (!place_is_inside(src, len, err->line, err->column))
        abort();
}

#endif
