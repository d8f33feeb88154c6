/* base/name.h - names of containers and networks: a prefix of ours and the caller's suffix. */
#ifndef BASE_NAME_H
#define BASE_NAME_H
#include "base/base.h"

#define OC_CONTAINER_PREFIX "outcall-agent-"
#define OC_NETWORK_PREFIX   "outcall-"
#define OC_DEFAULT_NETWORK  "outcall-default"
#define OC_SUFFIX_MAX       63
#define OC_NAME_SIZE        80 /* the longest prefix, the longest suffix, NUL */

/* [a-z0-9][a-z0-9_.-]{0,62} */
bool oc_suffix_valid(const char *s, size_t len);

/* Is it a full name: the prefix and a valid suffix? */
bool oc_name_is(const char *prefix, const char *name);

/* text is a suffix or already begins with prefix: writes the full name. OUTCALL_E_INVALID when what remains
 * is no valid suffix. *ret only on success. */
OC_NODISCARD int oc_name_parse(const char *prefix, const char *text, char ret[OC_NAME_SIZE]);

#endif
