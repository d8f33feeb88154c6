/* cel/net.h - addresses and networks of both families. An IPv4-mapped IPv6 address is the IPv4 address: one
 * address, one value, whichever way it is written. */
#ifndef CEL_NET_H
#define CEL_NET_H
#include "cel/value.h"

#define OC_CEL_NET_SIZE 64

OC_NODISCARD bool oc_cel_parse_ip(const char *s, size_t len, oc_cel_value *ret);
OC_NODISCARD bool oc_cel_parse_cidr(const char *s, size_t len, oc_cel_value *ret);
/* Canonical text (RFC 5952) of an IP or CIDR; its length. */
size_t oc_cel_format_net(const oc_cel_value *v, char buf[OC_CEL_NET_SIZE]);

#endif
