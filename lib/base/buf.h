/* base/buf.h - a growing byte buffer with a ceiling. NUL-terminated as soon as it is not NULL. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include "base/base.h"
#include <stdarg.h>

struct oc_buf {
    char *data; /* NULL while empty */
    size_t len; /* bytes, the NUL not counted */
    size_t cap;
    size_t max; /* len never passes it; 0 = OC_BUF_MAX */
};

#define OC_BUF_MAX ((size_t)64 << 20)
#define OC_BUF_INIT   \
    {                 \
        NULL, 0, 0, 0 \
    }

void oc_buf_done(struct oc_buf *b);  /* frees the bytes, keeps the ceiling; usable again */
void oc_buf_clear(struct oc_buf *b); /* forgets the bytes, keeps the memory */

/* All of these: 0, OUTCALL_E_NO_MEMORY or OUTCALL_E_LIMIT; after a failure the buffer is as it was. */
OC_NODISCARD int oc_buf_reserve(struct oc_buf *b, size_t more);
OC_NODISCARD int oc_buf_add(struct oc_buf *b, const void *data, size_t len);
OC_NODISCARD int oc_buf_str(struct oc_buf *b, const char *s);
OC_NODISCARD int oc_buf_char(struct oc_buf *b, char c);
OC_NODISCARD int oc_buf_printf(struct oc_buf *b, const char *fmt, ...) OC_PRINTF(2, 3);
OC_NODISCARD int oc_buf_vprintf(struct oc_buf *b, const char *fmt, va_list ap) OC_PRINTF(2, 0);

/* The bytes become the caller's (free()); never NULL unless out of memory: an empty buffer gives "". */
OC_NODISCARD char *oc_buf_take(struct oc_buf *b, size_t *ret_len);
/* Drops the first n bytes (n <= len). */
void oc_buf_drop(struct oc_buf *b, size_t n);

#endif
