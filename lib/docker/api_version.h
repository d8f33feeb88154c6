/* docker/api_version.h - "1.41" and the choice of one that both sides speak. */
#ifndef DOCKER_API_VERSION_H
#define DOCKER_API_VERSION_H
#include "base/base.h"

#define OC_API_VERSION_SIZE   16
#define OC_API_VERSION_NEWEST "1.54"
#define OC_API_VERSION_OLDEST "1.40"

/* MAJOR.MINOR, decimal, each at most 9999. OUTCALL_E_SYNTAX. *ret orders as the versions do. */
OC_NODISCARD int oc_api_version_parse(const char *s, uint32_t *ret);

/* The smaller of the engine's newest and ours. engine_min: NULL or "" = it did not say, none is too old for
 * it. OUTCALL_E_SYNTAX: the engine's are no versions; _UNSUPPORTED: nothing in common. */
OC_NODISCARD int oc_api_version_choose(const char *engine_max, const char *engine_min,
                                       char ret[OC_API_VERSION_SIZE]);

/* Is this 400's message about the version in the path? */
bool oc_api_version_is_complaint(const char *message);

#endif
