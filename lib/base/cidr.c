#include "base/cidr.h"
#include "base/num.h"
#include <stdio.h>
#include <string.h>

int oc_ipv4_parse(const char *s, size_t len, uint32_t *ret)
{
    uint32_t addr = 0;
    for (int i = 0; i < 4; i++) {
        size_t n = 0;
        uint32_t part = 0;
        while (n < len && s[n] != '.')
            n++;
        if (n == 0 || n > 3 || (n > 1 && s[0] == '0') || oc_parse_u32(s, n, 0, 255, &part) < 0)
            return OUTCALL_E_SYNTAX;
        addr = addr << 8 | part;
        s += n;
        len -= n;
        if (i < 3) {
            if (len == 0)
                return OUTCALL_E_SYNTAX;
            s++;
            len--;
        }
    }
    if (len != 0)
        return OUTCALL_E_SYNTAX;
    *ret = addr;
    return 0;
}

void oc_ipv4_format(uint32_t a, char buf[OC_IPV4_SIZE])
{
    (void)snprintf(buf, OC_IPV4_SIZE, "%u.%u.%u.%u", a >> 24, a >> 16 & 255U, a >> 8 & 255U, a & 255U);
}

uint32_t oc_cidr_mask(unsigned bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

int oc_cidr_parse(const char *s, size_t len, struct oc_cidr *ret)
{
    const char *slash = memchr(s, '/', len);
    uint32_t addr = 0, bits = 0;
    if (!slash)
        return OUTCALL_E_SYNTAX;
    size_t n = (size_t)(slash - s), bits_n = len - n - 1;
    if (oc_ipv4_parse(s, n, &addr) < 0 || bits_n > 2 || (bits_n == 2 && slash[1] == '0') ||
        oc_parse_u32(slash + 1, bits_n, 0, 32, &bits) < 0 || (addr & ~oc_cidr_mask(bits)) != 0)
        return OUTCALL_E_SYNTAX;
    ret->addr = addr;
    ret->bits = bits;
    return 0;
}

void oc_cidr_format(struct oc_cidr c, char buf[OC_CIDR_SIZE])
{
    char addr[OC_IPV4_SIZE];
    oc_ipv4_format(c.addr, addr);
    (void)snprintf(buf, OC_CIDR_SIZE, "%s/%u", addr, c.bits % 100U);
}

bool oc_cidr_contains(struct oc_cidr c, uint32_t addr)
{
    return (addr & oc_cidr_mask(c.bits)) == c.addr;
}

bool oc_cidr_overlap(struct oc_cidr a, struct oc_cidr b)
{
    uint32_t mask = oc_cidr_mask(OC_MIN(a.bits, b.bits));
    return (a.addr & mask) == (b.addr & mask);
}
