#include "network/subnet.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "core/error.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#define ROUTES_MAX ((size_t)4 << 20) /* bytes of /proc/net/route */
#define FIELDS     8                 /* Iface Destination Gateway Flags RefCnt Use Metric Mask */

void oc_taken_done(struct oc_taken_list *l)
{
    free(l->v);
    l->v = NULL;
    l->n = l->cap = 0;
}

static int add(struct oc_taken_list *l, struct oc_cidr cidr, const char *what, const char *who)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        struct oc_taken *v = reallocarray(l->v, cap, sizeof(*v));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        l->v = v;
        l->cap = cap;
    }
    struct oc_taken *t = &l->v[l->n];
    t->cidr = cidr;
    (void)oc_format(t->by, sizeof(t->by), "%s \"%.96s\"", what, who);
    l->n++;
    return 0;
}

int oc_taken_by_docker(struct oc_taken_list *l, const json_t *networks)
{
    int r = 0;
    for (size_t i = 0; i < json_array_size(networks) && r == 0; i++) {
        const json_t *network = json_array_get(networks, i), *pools = oc_json_get(network, "IPAM.Config");
        for (size_t k = 0; k < json_array_size(pools) && r == 0; k++) {
            const char *subnet = oc_json_string(json_array_get(pools, k), "Subnet", "");
            struct oc_cidr c;
            if (oc_cidr_parse(subnet, strlen(subnet), &c) == 0)
                r = add(l, c, "Docker network", oc_json_string(network, "Name", "?"));
        }
    }
    return r;
}

static unsigned mask_bits(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static int add_address(struct oc_taken_list *l, const struct ifaddrs *a)
{
    struct sockaddr_in addr, mask;
    if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET || !a->ifa_netmask)
        return 0;
    memcpy(&addr, a->ifa_addr, sizeof(addr));
    memcpy(&mask, a->ifa_netmask, sizeof(mask));
    unsigned bits = mask_bits(ntohl(mask.sin_addr.s_addr));
    struct oc_cidr c = {.addr = ntohl(addr.sin_addr.s_addr) & oc_cidr_mask(bits), .bits = bits};
    return add(l, c, "address of interface", a->ifa_name);
}

/* "eth0 0000A8C0 00000000 0001 0 0 0 00FFFFFF ...": addresses are the bytes of the wire, printed as a host integer. */
static int add_route(struct oc_taken_list *l, const char *line, size_t len)
{
    const char *field[FIELDS];
    size_t field_n[FIELDS], n = 0;
    for (size_t i = 0; i < len && n < FIELDS;) {
        size_t from = i;
        while (i < len && line[i] != '\t' && line[i] != ' ')
            i++;
        if (i > from) {
            field[n] = line + from;
            field_n[n++] = i - from;
        }
        i++;
    }
    uint64_t destination = 0, mask = 0;
    if (n < FIELDS || oc_parse_hex(field[1], field_n[1], UINT32_MAX, &destination) < 0 ||
        oc_parse_hex(field[7], field_n[7], UINT32_MAX, &mask) < 0 || mask == 0)
        return 0; /* the heading, or the default route, which overlaps everything */
    char name[IF_NAMESIZE];
    if (oc_copy(name, sizeof(name), field[0], field_n[0]) < 0)
        return 0;
    unsigned bits = mask_bits((uint32_t)mask);
    struct oc_cidr c = {.addr = ntohl((uint32_t)destination) & oc_cidr_mask(bits), .bits = bits};
    return add(l, c, "route through interface", name);
}

int oc_taken_by_routes(struct oc_taken_list *l, const char *table)
{
    int r = 0;
    for (const char *p = table; *p && r == 0;) {
        size_t n = strcspn(p, "\n");
        r = add_route(l, p, n);
        p += n + (p[n] == '\n');
    }
    return r;
}

int oc_taken_by_host(struct oc_taken_list *l, outcall_error *err)
{
    struct ifaddrs *all = NULL;
    OC_FREE char *table = NULL;
    size_t len = 0;
    if (getifaddrs(&all) < 0)
        return oc_fail_errno(err, "the host's addresses cannot be read");
    int r = 0;
    for (const struct ifaddrs *a = all; a && r == 0; a = a->ifa_next)
        r = add_address(l, a);
    freeifaddrs(all);
    if (r == 0)
        r = oc_read_file(AT_FDCWD, "/proc/net/route", ROUTES_MAX, &table, &len);
    if (r == OUTCALL_E_SYSTEM)
        return oc_fail_errno(err, "the host's routes cannot be read");
    if (r == 0)
        r = oc_taken_by_routes(l, table);
    return r < 0 ? oc_no_memory(err) : 0;
}

const struct oc_taken *oc_taken_find(const struct oc_taken_list *l, struct oc_cidr c)
{
    for (size_t i = 0; i < l->n; i++)
        if (oc_cidr_overlap(l->v[i].cidr, c))
            return &l->v[i];
    return NULL;
}

int oc_subnet_pick(const struct oc_taken_list *l, struct oc_cidr block, uint32_t skip, struct oc_cidr *ret)
{
    uint64_t count = (uint64_t)1 << (24 - block.bits);
    for (uint64_t i = skip; i < count; i++) {
        struct oc_cidr c = {.addr = block.addr + (uint32_t)(i << 8), .bits = 24};
        if (oc_taken_find(l, c))
            continue;
        *ret = c;
        return 0;
    }
    return OUTCALL_E_NOT_FOUND;
}
