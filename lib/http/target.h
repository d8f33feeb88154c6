/* http/target.h - the request target taken apart: "/path?name=value&..." */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H
#include "base/base.h"

#define OC_HTTP_ARGS_MAX 32 /* query arguments; the host API needs four */

struct oc_http_target {
    char *path; /* unescaped */
    size_t n;
    struct {
        char *name, *value; /* unescaped, "" when there is none */
    } args[OC_HTTP_ARGS_MAX];
};

/* 0; OUTCALL_E_SYNTAX with *ret_why in static words: not absolute, a broken or NUL escape, an escaped slash
 * or control character in the path, no UTF-8, a fragment; _LIMIT: too many arguments; _NO_MEMORY. Free with
 * done in every case. */
OC_NODISCARD int oc_http_target_parse(struct oc_http_target *ret, const char *raw, const char **ret_why);
void oc_http_target_done(struct oc_http_target *t);

#endif
