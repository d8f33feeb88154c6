#include "base/base64.h"

int oc_base64_encode(struct oc_buf *b, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    int r = oc_buf_reserve(b, (len + 2) / 3 * 4);
    for (size_t i = 0; i < len && r == 0; i += 3) {
        size_t n = len - i;
        uint32_t v =
            (uint32_t)p[i] << 16 | (uint32_t)(n > 1 ? p[i + 1] : 0) << 8 | (uint32_t)(n > 2 ? p[i + 2] : 0);
        char out[4] = {digits[v >> 18], digits[v >> 12 & 63U], n > 1 ? digits[v >> 6 & 63U] : '=',
                       n > 2 ? digits[v & 63U] : '='};
        r = oc_buf_add(b, out, sizeof(out));
    }
    return r;
}
