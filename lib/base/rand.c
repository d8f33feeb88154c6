#include "base/rand.h"
#include <errno.h>
#include <sys/random.h>

int oc_random_hex(char *buf, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[64];
    size_t n = (size - 1) / 2;
    buf[0] = '\0';
    if (size % 2 == 0 || n > sizeof(raw))
        return OUTCALL_E_INVALID;
    for (size_t got = 0; got < n;) {
        ssize_t r = getrandom(raw + got, n - got, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return OUTCALL_E_SYSTEM;
        got += (size_t)r;
    }
    for (size_t i = 0; i < n; i++) {
        buf[2 * i] = digits[raw[i] >> 4];
        buf[2 * i + 1] = digits[raw[i] & 15];
    }
    buf[2 * n] = '\0';
    return 0;
}
