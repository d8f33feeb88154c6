/* outcall/network.h - the networks agents live in: Docker bridges without a way out. Since 0.1.0.
 *
 * One Docker network with a bridge of its own per Outcall network: internal, IPv4 only, no traffic between
 * containers. Names: "outcall-<suffix>"; wherever one is asked for, the suffix or the full name will do.
 * Suffix: [a-z0-9][a-z0-9_.-]{0,62}. A network is managed when it has the prefix, the driver "bridge" and the
 * label managed-by=outcalld, and is internal; no other is ever changed.
 *
 * Threads: every function may be called from any thread, except outcall_networks_free. Blocking: every call
 * but the accessors waits for the engine, within the bounds of the outcall_docker. Errors every one of those
 * can return besides its own: as in outcall/container.h (E_UNREACHABLE, E_TIMEOUT, E_REMOTE, E_PROTOCOL,
 * E_LIMIT, E_INVALID, E_NO_MEMORY). */
#ifndef OUTCALL_NETWORK_H
#define OUTCALL_NETWORK_H
#include "docker.h"
OUTCALL_BEGIN_DECLS

typedef struct outcall_networks outcall_networks;         /* the manager; locks itself */
typedef struct outcall_network_info outcall_network_info; /* what one network is: immutable, the caller's */

/* Makes the manager; asks the engine nothing. docker: borrowed, outlives the manager. subnet_block: IPv4 CIDR
 * of at most 24 bits, out of which /24s are given; NULL = "10.200.0.0/16" (spec section 2). *ret: new.
 * Errors: E_INVALID, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_networks_new(outcall_networks **ret, outcall_docker *docker,
                                                       const char *subnet_block, outcall_error *err);

/* Frees the manager; networks stay. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_networks *outcall_networks_free(outcall_networks *m);

/* Makes a network, or finds that it is there. subnet: IPv4 CIDR, /8 to /30; NULL = the first free /24 of the
 * block (the default network takes the first one of all). gateway: an address inside, neither the network's
 * nor the broadcast one; NULL = the first. *ret_created (may be NULL): 0 when it existed. *ret: new. Errors:
 * E_INVALID (name, subnet, gateway), E_EXISTS (conflict): the name belongs to a network that is not managed,
 * or exists with another subnet or gateway than asked for; the subnet overlaps a Docker network, an address
 * or a route of the host, which is named; no free subnet is left. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_networks_create(outcall_networks *m, const char *name,
                                                          const char *subnet, const char *gateway,
                                                          int *ret_created, outcall_network_info **ret,
                                                          outcall_error *err);

/* Looks at one network. *ret: new. Errors: E_NOT_FOUND (network_not_found): network "<name>" does not exist;
 * E_DENIED (not_managed). Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_networks_get(outcall_networks *m, const char *name,
                                                       outcall_network_info **ret, outcall_error *err);

/* All managed networks, sorted by name. *ret: new, with outcall_network_info_free_many. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_networks_list(outcall_networks *m, outcall_network_info ***ret,
                                                        size_t *ret_n, outcall_error *err);

/* Removes a network. *ret_destroyed (may be NULL): 0 when there was none. Errors: E_BUSY (network_in_use):
 * containers are attached, which are named; E_DENIED (not_managed). Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_networks_destroy(outcall_networks *m, const char *name,
                                                           int *ret_destroyed, outcall_error *err);

/* Accessors. Texts are borrowed from i, never NULL, "" when unknown. Any thread. */

/* Docker's id, 64 hex digits. Since 0.1.0. */
OUTCALL_API const char *outcall_network_info_id(const outcall_network_info *i);
/* The full name. Since 0.1.0. */
OUTCALL_API const char *outcall_network_info_name(const outcall_network_info *i);
/* "10.200.0.0/24". Since 0.1.0. */
OUTCALL_API const char *outcall_network_info_subnet(const outcall_network_info *i);
/* "10.200.0.1". Since 0.1.0. */
OUTCALL_API const char *outcall_network_info_gateway(const outcall_network_info *i);
/* The bridge's interface name on the host: "outcall0". Since 0.1.0. */
OUTCALL_API const char *outcall_network_info_bridge(const outcall_network_info *i);
/* The n-th attached container, from 0: its name and IPv4 address; 0, or E_NOT_FOUND after the last. Since
 * 0.1.0. */
OUTCALL_API int outcall_network_info_container(const outcall_network_info *i, size_t n, const char **ret_name,
                                               const char **ret_address);
/* Frees one. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_network_info *outcall_network_info_free(outcall_network_info *i);
/* Frees n of them and the array. Since 0.1.0. */
OUTCALL_API void outcall_network_info_free_many(outcall_network_info **v, size_t n);

OUTCALL_DEFINE_CLEANUP(outcall_networks, outcall_networks_free)
OUTCALL_DEFINE_CLEANUP(outcall_network_info, outcall_network_info_free)
OUTCALL_END_DECLS
#endif
