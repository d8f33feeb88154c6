#include "base/num.h"

int oc_parse_u64(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    bool over = false;
    if (len == 0)
        return OUTCALL_E_SYNTAX;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return OUTCALL_E_SYNTAX;
        over |= __builtin_mul_overflow(v, (uint64_t)10, &v);
        over |= __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v);
    }
    if (over || v < min || v > max)
        return OUTCALL_E_LIMIT;
    *ret = v;
    return 0;
}

int oc_parse_u32(const char *s, size_t len, uint32_t min, uint32_t max, uint32_t *ret)
{
    uint64_t v = 0;
    int r = oc_parse_u64(s, len, min, max, &v);
    if (r == 0)
        *ret = (uint32_t)v;
    return r;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int oc_parse_hex(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (len == 0)
        return OUTCALL_E_SYNTAX;
    for (size_t i = 0; i < len; i++) {
        int d = hex_digit(s[i]);
        if (d < 0)
            return OUTCALL_E_SYNTAX;
        if (v > (UINT64_MAX >> 4))
            return OUTCALL_E_LIMIT;
        v = v << 4 | (uint64_t)d;
    }
    if (v > max)
        return OUTCALL_E_LIMIT;
    *ret = v;
    return 0;
}

int oc_parse_size(const char *s, size_t len, uint64_t *ret)
{
    unsigned shift = 0;
    if (len > 1) {
        switch (s[len - 1] | 0x20) {
        case 'b':
            len--;
            break;
        case 'k':
            shift = 10;
            len--;
            break;
        case 'm':
            shift = 20;
            len--;
            break;
        case 'g':
            shift = 30;
            len--;
            break;
        default:
            break;
        }
    }
    uint64_t v = 0;
    int r = oc_parse_u64(s, len, 0, (uint64_t)INT64_MAX >> shift, &v);
    if (r == 0)
        *ret = v << shift;
    return r;
}

int oc_parse_nano(const char *s, size_t len, uint64_t max_nano, uint64_t *ret_nano)
{
    size_t point = 0;
    while (point < len && s[point] != '.')
        point++;
    size_t frac_n = point < len ? len - point - 1 : 0;
    uint64_t whole = 0, frac = 0;
    if ((point == 0 && frac_n == 0) || frac_n > 9 || (point < len && frac_n == 0))
        return OUTCALL_E_SYNTAX;
    int r = point ? oc_parse_u64(s, point, 0, UINT64_MAX / 1000000000U - 1, &whole) : 0;
    if (r == 0 && frac_n)
        r = oc_parse_u64(s + point + 1, frac_n, 0, 999999999U, &frac);
    if (r < 0)
        return r;
    for (size_t i = frac_n; i < 9; i++)
        frac *= 10;
    uint64_t v = whole * 1000000000U + frac;
    if (v > max_nano)
        return OUTCALL_E_LIMIT;
    *ret_nano = v;
    return 0;
}
