/* containers/info.h - making outcall_container_info from what the engine says. */
#ifndef CONTAINERS_INFO_H
#define CONTAINERS_INFO_H
#include "outcall/container.h"
#include "json/json.h"

/* From GET /containers/{id}/json. *ret: new. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_info_from_inspect(const json_t *inspect, bool attested, outcall_container_info **ret,
                                      outcall_error *err);
/* From one element of GET /containers/json. */
OC_NODISCARD int oc_info_from_listed(const json_t *listed, bool attested, outcall_container_info **ret,
                                     outcall_error *err);

/* What a list shows of it; the details of an inspect stay behind. *ret: new. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_info_copy(const outcall_container_info *i, outcall_container_info **ret);
OC_NODISCARD int oc_info_set_state(outcall_container_info *i, const char *state);
void oc_info_set_attested(outcall_container_info *i, bool attested);

#endif
