/* base/cidr.h - IPv4 addresses and networks, host byte order. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H
#include "base/base.h"

struct oc_cidr {
    uint32_t addr; /* host bits are zero */
    unsigned bits; /* 0..32 */
};

#define OC_IPV4_SIZE 16
#define OC_CIDR_SIZE 19

/* Dotted quad, no leading zeros. OUTCALL_E_SYNTAX. */
OC_NODISCARD int oc_ipv4_parse(const char *s, size_t len, uint32_t *ret);
void oc_ipv4_format(uint32_t addr, char buf[OC_IPV4_SIZE]);
/* "a.b.c.d/n"; host bits must be zero. OUTCALL_E_SYNTAX. */
OC_NODISCARD int oc_cidr_parse(const char *s, size_t len, struct oc_cidr *ret);
void oc_cidr_format(struct oc_cidr c, char buf[OC_CIDR_SIZE]);
uint32_t oc_cidr_mask(unsigned bits);
bool oc_cidr_contains(struct oc_cidr c, uint32_t addr);
bool oc_cidr_overlap(struct oc_cidr a, struct oc_cidr b);

#endif
