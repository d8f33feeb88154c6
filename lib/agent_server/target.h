/* agent_server/target.h - where a network call goes: a URL, host:port or an address, taken apart. */
#ifndef AGENT_SERVER_TARGET_H
#define AGENT_SERVER_TARGET_H
#include "base/base.h"

#define OC_HOST_MAX 255

struct oc_target {
    char hostname[OC_HOST_MAX + 1]; /* lower case, no dot at the end; of an address its text */
    char ip[64];                    /* canonical; "" when the host is a name */
    uint32_t port;                  /* 0: not said, and the scheme has none */
    char protocol[16];              /* the scheme of a URL, lower case; else "tcp" */
    bool is_url;
    const char
        *path; /* of a URL, borrowed; path_len bytes, without query and fragment; "/" when there is none */
    size_t path_len;
};

/* Strict, so that who asks and who judges cannot read the same text differently: no user info, no control
 * characters or spaces, no backslash, no "." or ".." in the path, also not written with "%". OUTCALL_E_SYNTAX
 * with *ret_why in static words. */
OC_NODISCARD int oc_target_parse(const char *s, struct oc_target *ret, const char **ret_why);
/* An absolute path without "." and ".." components and without "//": the same. */
OC_NODISCARD int oc_target_check_path(const char *s, const char **ret_why);

#endif
