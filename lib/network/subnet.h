/* network/subnet.h - which addresses are taken, and which /24 is free. */
#ifndef NETWORK_SUBNET_H
#define NETWORK_SUBNET_H
#include "base/cidr.h"
#include "json/json.h"

struct oc_taken {
    struct oc_cidr cidr;
    char by[128]; /* "Docker network \"x\"", "address of eth0", "route via eth0" */
};

struct oc_taken_list {
    struct oc_taken *v;
    size_t n, cap;
};

void oc_taken_done(struct oc_taken_list *l);
/* The subnets of Docker's networks (GET /networks). Everything but IPv4 is passed over. */
OC_NODISCARD int oc_taken_by_docker(struct oc_taken_list *l, const json_t *networks);
/* Addresses of this host's interfaces, and the routes of a table in the form of /proc/net/route; the default route is
 * none. OUTCALL_E_SYSTEM, _NO_MEMORY. */
OC_NODISCARD int oc_taken_by_host(struct oc_taken_list *l, outcall_error *err);
OC_NODISCARD int oc_taken_by_routes(struct oc_taken_list *l, const char *table);

/* Who overlaps, or NULL. */
const struct oc_taken *oc_taken_find(const struct oc_taken_list *l, struct oc_cidr c);
/* The first /24 of the block that nobody overlaps, from the skip-th on. OUTCALL_E_NOT_FOUND. */
OC_NODISCARD int oc_subnet_pick(const struct oc_taken_list *l, struct oc_cidr block, uint32_t skip, struct oc_cidr *ret);

#endif
