#include "base/buf.h"
#include <stdio.h>
#include <string.h>

void oc_buf_done(struct oc_buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void oc_buf_clear(struct oc_buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

int oc_buf_reserve(struct oc_buf *b, size_t more)
{
    size_t max = b->max ? b->max : OC_BUF_MAX;
    if (more > max || b->len > max - more)
        return OUTCALL_E_LIMIT;
    size_t need = b->len + more + 1;
    if (b->data && need <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2; /* need is below 2 * max, far from overflow */
    char *data = realloc(b->data, cap);
    if (!data)
        return OUTCALL_E_NO_MEMORY;
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return 0;
}

int oc_buf_add(struct oc_buf *b, const void *data, size_t len)
{
    int r = oc_buf_reserve(b, len);
    if (r < 0)
        return r;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int oc_buf_str(struct oc_buf *b, const char *s)
{
    return oc_buf_add(b, s, strlen(s));
}

int oc_buf_char(struct oc_buf *b, char c)
{
    return oc_buf_add(b, &c, 1);
}

int oc_buf_vprintf(struct oc_buf *b, const char *fmt, va_list ap)
{
    size_t room = b->data ? b->cap - b->len : 0;
    va_list copy;
    va_copy(copy, ap);
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, copy);
    va_end(copy);
    int r = n < 0 ? OUTCALL_E_INTERNAL : oc_buf_reserve(b, (size_t)n);
    if (r < 0) {
        if (room)
            b->data[b->len] = '\0';
        return r;
    }
    if ((size_t)n >= room)
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
    return 0;
}

int oc_buf_printf(struct oc_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = oc_buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

char *oc_buf_take(struct oc_buf *b, size_t *ret_len)
{
    if (!b->data && oc_buf_reserve(b, 0) < 0)
        return NULL;
    b->data[b->len] = '\0';
    char *data = b->data;
    if (ret_len)
        *ret_len = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}

void oc_buf_drop(struct oc_buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}
