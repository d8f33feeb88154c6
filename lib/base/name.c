#include "base/name.h"
#include "base/str.h"
#include <string.h>

bool oc_suffix_valid(const char *s, size_t len)
{
    if (len == 0 || len > OC_SUFFIX_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '_' && c != '.' && c != '-')))
            return false;
    }
    return true;
}

bool oc_name_is(const char *prefix, const char *name)
{
    return oc_starts_with(name, prefix) &&
           oc_suffix_valid(name + strlen(prefix), strlen(name) - strlen(prefix));
}

int oc_name_parse(const char *prefix, const char *text, char ret[OC_NAME_SIZE])
{
    const char *suffix = oc_starts_with(text, prefix) ? text + strlen(prefix) : text;
    if (!oc_suffix_valid(suffix, strlen(suffix)))
        return OUTCALL_E_INVALID;
    return oc_format(ret, OC_NAME_SIZE, "%s%s", prefix, suffix);
}
