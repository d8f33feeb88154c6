#include "docker/api_version.h"
#include "base/num.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

#define PART_MAX 9999U

int oc_api_version_parse(const char *s, uint32_t *ret)
{
    const char *dot = strchr(s, '.');
    uint32_t major = 0, minor = 0;
    if (!dot || oc_parse_u32(s, (size_t)(dot - s), 0, PART_MAX, &major) < 0 ||
        oc_parse_u32(dot + 1, strlen(dot + 1), 0, PART_MAX, &minor) < 0)
        return OUTCALL_E_SYNTAX;
    *ret = major * (PART_MAX + 1) + minor;
    return 0;
}

int oc_api_version_choose(const char *engine_max, const char *engine_min, char ret[OC_API_VERSION_SIZE])
{
    uint32_t newest = 0, oldest = 0, max = 0, min = 0;
    if (oc_api_version_parse(OC_API_VERSION_NEWEST, &newest) < 0 ||
        oc_api_version_parse(OC_API_VERSION_OLDEST, &oldest) < 0)
        return OUTCALL_E_INTERNAL;
    if (oc_api_version_parse(engine_max, &max) < 0 ||
        (engine_min && engine_min[0] && oc_api_version_parse(engine_min, &min) < 0))
        return OUTCALL_E_SYNTAX;
    uint32_t chosen = OC_MIN(max, newest);
    if (chosen < min || chosen < oldest)
        return OUTCALL_E_UNSUPPORTED;
    return oc_format(ret, OC_API_VERSION_SIZE, "%u.%u", chosen / (PART_MAX + 1), chosen % (PART_MAX + 1));
}

/* Docker: "client version 1.54 is too new. Maximum supported API version is 1.41", "client version 1.24 is
 * too old. Minimum supported API version is 1.44, ..."; Podman: "given version is not supported". */
bool oc_api_version_is_complaint(const char *message)
{
    return strcasestr(message, "version") &&
           (strcasestr(message, "too new") || strcasestr(message, "too old") ||
            strcasestr(message, "not supported"));
}
