/* network/info.h - making outcall_network_info from what the engine says. */
#ifndef NETWORK_INFO_H
#define NETWORK_INFO_H
#include "outcall/network.h"
#include "json/json.h"

#define OC_BRIDGE_OPTION "com.docker.network.bridge.name"
#define OC_ICC_OPTION    "com.docker.network.bridge.enable_icc"

/* Prefix, driver, label, and no way out: a network that somebody made by hand with our label but not internal
 * is none of ours, whatever it says. */
bool oc_network_is_managed(const json_t *network);
/* From GET /networks/{id}. *ret: new. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_network_info_new(const json_t *network, outcall_network_info **ret, outcall_error *err);

#endif
