#include "base/buf.h"
#include "http/client.h"
#include <string.h>

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int oc_url_escape(struct oc_buf *b, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t before = b->len;
    int r = oc_buf_reserve(b, strlen(s));
    for (; r == 0 && *s; s++) {
        unsigned char c = (unsigned char)*s;
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        r = is_unreserved(*s) ? oc_buf_char(b, *s) : oc_buf_add(b, escaped, sizeof(escaped));
    }
    if (r < 0 && b->data) {
        b->len = before;
        b->data[before] = '\0';
    }
    return r;
}
