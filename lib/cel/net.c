#include "cel/net.h"
#include "base/cidr.h"
#include "base/num.h"
#include "cel/program.h"
#include <stdio.h>
#include <string.h>

#define FAMILY(v)         ((v)->aux >> 8)
#define BITS(v)           ((v)->aux & 0xff)
#define AUX(family, bits) ((uint32_t)(family) << 8 | (uint32_t)(bits))

/* Eight groups of hex digits, one run of them replaced by "::"; no zone, no dotted quad at the end. */
static bool parse_groups(const char *s, size_t len, uint16_t g[8])
{
    size_t n = 0, gap = 9, i = 0;
    memset(g, 0, 8 * sizeof(*g));
    if (len >= 2 && s[0] == ':' && s[1] == ':') {
        gap = 0;
        i = 2;
    }
    while (i < len) {
        size_t to = i;
        uint64_t v = 0;
        while (to < len && s[to] != ':')
            to++;
        if (n == 8 || to == i || to - i > 4 || oc_parse_hex(s + i, to - i, 0xffff, &v) < 0)
            return false;
        g[n++] = (uint16_t)v;
        i = to;
        if (i == len)
            break;
        i++;
        if (i == len)
            return false;
        if (s[i] == ':') {
            if (gap <= 8)
                return false;
            gap = n;
            i++;
        }
    }
    if (gap > 8)
        return n == 8;
    if (n == 8)
        return false;
    memmove(g + gap + (8 - n), g + gap, (n - gap) * sizeof(*g));
    memset(g + gap, 0, (8 - n) * sizeof(*g));
    return true;
}

/* 4 or 6, or 0. mapped: it was written as IPv6. */
static unsigned parse_address(const char *s, size_t len, uint64_t *high, uint64_t *low, bool *mapped)
{
    uint32_t v4 = 0;
    uint16_t g[8];
    *mapped = false;
    if (oc_ipv4_parse(s, len, &v4) == 0) {
        *high = 0;
        *low = v4;
        return 4;
    }
    if (!parse_groups(s, len, g))
        return 0;
    *high = (uint64_t)g[0] << 48 | (uint64_t)g[1] << 32 | (uint64_t)g[2] << 16 | g[3];
    *low = (uint64_t)g[4] << 48 | (uint64_t)g[5] << 32 | (uint64_t)g[6] << 16 | g[7];
    *mapped = *high == 0 && *low >> 32 == 0xffff;
    if (*mapped)
        *low &= 0xffffffff;
    return *mapped ? 4 : 6;
}

bool oc_cel_parse_ip(const char *s, size_t len, oc_cel_value *ret)
{
    uint64_t high = 0, low = 0;
    bool mapped = false;
    unsigned family = parse_address(s, len, &high, &low, &mapped);
    if (family == 0)
        return false;
    *ret = (oc_cel_value){.kind = OUTCALL_CEL_IP, .aux = AUX(family, 0), .u = high, .low = low};
    return true;
}

bool oc_cel_parse_cidr(const char *s, size_t len, oc_cel_value *ret)
{
    const char *slash = len > 0 ? memchr(s, '/', len) : NULL;
    uint64_t high = 0, low = 0;
    uint32_t bits = 0;
    bool mapped = false;
    if (!slash)
        return false;
    size_t n = (size_t)(slash - s), rest = len - n - 1;
    unsigned family = parse_address(s, n, &high, &low, &mapped);
    bool zero_first = rest > 1 && slash[1] == '0';
    if (family == 0 || zero_first ||
        oc_parse_u32(slash + 1, rest, mapped ? 96 : 0, family == 4 && !mapped ? 32 : 128, &bits) < 0)
        return false;
    *ret = (oc_cel_value){
        .kind = OUTCALL_CEL_CIDR, .aux = AUX(family, mapped ? bits - 96 : bits), .u = high, .low = low};
    return true;
}

static size_t format_address(const oc_cel_value *v, char buf[OC_CEL_NET_SIZE])
{
    if (FAMILY(v) == 4) {
        char text[OC_IPV4_SIZE];
        oc_ipv4_format((uint32_t)v->low, text);
        return (size_t)snprintf(buf, OC_CEL_NET_SIZE, "%s", text);
    }
    unsigned g[8];
    for (unsigned i = 0; i < 8; i++)
        g[i] = (unsigned)((i < 4 ? v->u : v->low) >> (48 - 16 * (i % 4)) & 0xffff);
    unsigned best = 0, best_n = 1; /* a single zero group is written out */
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && g[i + n] == 0)
            n++;
        if (n > best_n) {
            best = i;
            best_n = n;
        }
    }
    size_t at = 0;
    for (unsigned i = 0; i < 8;) {
        if (best_n > 1 && i == best) {
            at += (size_t)snprintf(buf + at, OC_CEL_NET_SIZE - at, "::");
            i += best_n;
            continue;
        }
        bool colon = at > 0 && buf[at - 1] != ':';
        at += (size_t)snprintf(buf + at, OC_CEL_NET_SIZE - at, "%s%x", colon ? ":" : "", g[i]);
        i++;
    }
    return at;
}

size_t oc_cel_format_net(const oc_cel_value *v, char buf[OC_CEL_NET_SIZE])
{
    size_t n = format_address(v, buf);
    if (v->kind == OUTCALL_CEL_CIDR)
        n += (size_t)snprintf(buf + n, OC_CEL_NET_SIZE - n, "/%u", BITS(v));
    return n;
}

static void mask(unsigned family, unsigned bits, uint64_t *high, uint64_t *low)
{
    unsigned all = family == 4 ? bits + 96 : bits;
    *high = all >= 64 ? UINT64_MAX : all == 0 ? 0 : UINT64_MAX << (64 - all);
    *low = all <= 64 ? 0 : UINT64_MAX << (128 - all);
}

static bool covers(const oc_cel_value *net, const oc_cel_value *ip)
{
    uint64_t high = 0, low = 0;
    mask(FAMILY(net), BITS(net), &high, &low);
    return FAMILY(net) == FAMILY(ip) && ((net->u ^ ip->u) & high) == 0 && ((net->low ^ ip->low) & low) == 0;
}

#define A(i) (c->args[i])

static bool ip_of(struct oc_cel_call *c, const oc_cel_value *v, oc_cel_value *ret)
{
    if (v->kind == OUTCALL_CEL_IP) {
        *ret = *v;
        return true;
    }
    const char *text = v->s ? v->s : "";
    bool dotted = memchr(text, '.', v->n) && memchr(text, ':', v->n);
    if (oc_cel_parse_ip(v->s, v->n, ret))
        return true;
    oc_cel_call_error(c, OUTCALL_E_INVALID, "\"%.*s\" is no IP address%s", (int)OC_MIN(v->n, (size_t)64),
                      v->s, dotted ? ": IPv4 inside IPv6 is not allowed" : "");
    return false;
}

static bool cidr_of(struct oc_cel_call *c, const oc_cel_value *v, oc_cel_value *ret)
{
    if (v->kind == OUTCALL_CEL_CIDR) {
        *ret = *v;
        return true;
    }
    if (oc_cel_parse_cidr(v->s, v->n, ret))
        return true;
    oc_cel_call_error(c, OUTCALL_E_INVALID, "\"%.*s\" is no network address", (int)OC_MIN(v->n, (size_t)64),
                      v->s);
    return false;
}

static void make_ip(struct oc_cel_call *c)
{
    (void)ip_of(c, A(0), c->out);
}
static void make_cidr(struct oc_cel_call *c)
{
    (void)cidr_of(c, A(0), c->out);
}
static void is_ip(struct oc_cel_call *c)
{
    oc_cel_value v;
    *c->out = oc_cel_bool(oc_cel_parse_ip(A(0)->s, A(0)->n, &v));
}
static void is_cidr(struct oc_cel_call *c)
{
    oc_cel_value v;
    *c->out = oc_cel_bool(oc_cel_parse_cidr(A(0)->s, A(0)->n, &v));
}
static void is_canonical(struct oc_cel_call *c)
{
    oc_cel_value v;
    char text[OC_CEL_NET_SIZE];
    if (!ip_of(c, A(0), &v))
        return;
    size_t n = oc_cel_format_net(&v, text);
    *c->out = oc_cel_bool(n == A(0)->n && memcmp(text, A(0)->s, n) == 0);
}
static void family(struct oc_cel_call *c)
{
    *c->out = oc_cel_int(FAMILY(A(0)));
}
static bool is4(const oc_cel_value *v)
{
    return FAMILY(v) == 4;
}
static bool unspecified(const oc_cel_value *v)
{
    return v->u == 0 && v->low == 0;
}
static bool loopback(const oc_cel_value *v)
{
    return is4(v) ? v->low >> 24 == 127 : v->u == 0 && v->low == 1;
}
static bool link_local_multicast(const oc_cel_value *v)
{
    return is4(v) ? v->low >> 8 == 0xe00000 : (v->u >> 48 & 0xff0f) == 0xff02;
}
static bool link_local(const oc_cel_value *v)
{
    return is4(v) ? v->low >> 16 == 0xa9fe : v->u >> 54 == 0xfe80 >> 6;
}
static bool multicast(const oc_cel_value *v)
{
    return is4(v) ? v->low >> 28 == 14 : v->u >> 56 == 0xff;
}
static void is_unspecified(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(unspecified(A(0)));
}
static void is_loopback(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(loopback(A(0)));
}
static void is_link_local_multicast(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(link_local_multicast(A(0)));
}
static void is_link_local_unicast(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(link_local(A(0)));
}
/* As Go's net/netip has it: private networks count, the broadcast address does not. */
static void is_global_unicast(struct oc_cel_call *c)
{
    const oc_cel_value *v = A(0);
    bool broadcast = is4(v) && v->low == 0xffffffff;
    *c->out = oc_cel_bool(!unspecified(v) && !loopback(v) && !multicast(v) && !link_local(v) && !broadcast);
}
static void contains_ip(struct oc_cel_call *c)
{
    oc_cel_value ip;
    if (ip_of(c, A(1), &ip))
        *c->out = oc_cel_bool(covers(A(0), &ip));
}
static void contains_cidr(struct oc_cel_call *c)
{
    oc_cel_value net;
    if (cidr_of(c, A(1), &net))
        *c->out = oc_cel_bool(BITS(A(0)) <= BITS(&net) && covers(A(0), &net));
}
static void cidr_ip(struct oc_cel_call *c)
{
    *c->out = *A(0);
    c->out->kind = OUTCALL_CEL_IP;
    c->out->aux = AUX(FAMILY(A(0)), 0);
}
static void masked(struct oc_cel_call *c)
{
    uint64_t high = 0, low = 0;
    mask(FAMILY(A(0)), BITS(A(0)), &high, &low);
    *c->out = *A(0);
    c->out->u &= high;
    c->out->low &= low;
}
static void prefix_length(struct oc_cel_call *c)
{
    *c->out = oc_cel_int(BITS(A(0)));
}

const struct oc_cel_func oc_cel_net_funcs[] = {
    {"ip", "s:p", OC_CEL_GLOBAL, make_ip},
    {"ip", "p:p", OC_CEL_GLOBAL, make_ip},
    {"ip", "c:p", OC_CEL_MEMBER, cidr_ip},
    {"isIP", "s:b", OC_CEL_GLOBAL, is_ip},
    {"ip.isCanonical", "s:b", OC_CEL_GLOBAL, is_canonical},
    {"cidr", "s:c", OC_CEL_GLOBAL, make_cidr},
    {"cidr", "c:c", OC_CEL_GLOBAL, make_cidr},
    {"isCIDR", "s:b", OC_CEL_GLOBAL, is_cidr},
    {"family", "p:i", OC_CEL_MEMBER, family},
    {"isUnspecified", "p:b", OC_CEL_MEMBER, is_unspecified},
    {"isLoopback", "p:b", OC_CEL_MEMBER, is_loopback},
    {"isGlobalUnicast", "p:b", OC_CEL_MEMBER, is_global_unicast},
    {"isLinkLocalMulticast", "p:b", OC_CEL_MEMBER, is_link_local_multicast},
    {"isLinkLocalUnicast", "p:b", OC_CEL_MEMBER, is_link_local_unicast},
    {"containsIP", "cp:b", OC_CEL_MEMBER, contains_ip},
    {"containsIP", "cs:b", OC_CEL_MEMBER, contains_ip},
    {"containsCIDR", "cc:b", OC_CEL_MEMBER, contains_cidr},
    {"containsCIDR", "cs:b", OC_CEL_MEMBER, contains_cidr},
    {"masked", "c:c", OC_CEL_MEMBER, masked},
    {"prefixLength", "c:i", OC_CEL_MEMBER, prefix_length},
    {NULL, NULL, 0, NULL},
};
