#include "http/target.h"
#include "base/num.h"
#include "base/str.h"
#include <string.h>

static int bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return OUTCALL_E_SYNTAX;
}

/* out: len + 1 bytes. */
static int unescape_into(char *out, const char *s, size_t len, const char **ret_why)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t c = (unsigned char)s[i];
        if (s[i] == '%') {
            if (len - i < 3 || oc_parse_hex(s + i + 1, 2, 255, &c) < 0)
                return bad(ret_why, "malformed percent-escape in the request target");
            i += 2;
        }
        if (c == 0)
            return bad(ret_why, "NUL in the request target");
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return oc_utf8_valid(out, n) ? 0 : bad(ret_why, "the request target is not UTF-8");
}

static int unescape(const char *s, size_t len, char **ret, const char **ret_why)
{
    char *out = malloc(len + 1);
    if (!out)
        return OUTCALL_E_NO_MEMORY;
    int r = unescape_into(out, s, len, ret_why);
    if (r == 0)
        *ret = out;
    else
        free(out);
    return r;
}

static bool has_escaped_slash(const char *s, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (s[i] == '%' && s[i + 1] == '2' && (s[i + 2] | 0x20) == 'f')
            return true;
    return false;
}

static int parse_path(struct oc_http_target *t, const char *raw, size_t len, const char **ret_why)
{
    if (raw[0] != '/')
        return bad(ret_why, "the request target is no absolute path");
    if (has_escaped_slash(raw, len))
        return bad(ret_why, "escaped slash in the path");
    int r = unescape(raw, len, &t->path, ret_why);
    if (r == 0 && oc_has_control(t->path, strlen(t->path)))
        return bad(ret_why, "control character in the path");
    return r;
}

static int parse_argument(struct oc_http_target *t, const char *s, size_t len, const char **ret_why)
{
    if (len == 0)
        return 0;
    if (t->n == OC_HTTP_ARGS_MAX) {
        *ret_why = "too many query arguments";
        return OUTCALL_E_LIMIT;
    }
    const char *eq = memchr(s, '=', len);
    size_t name_len = eq ? (size_t)(eq - s) : len;
    size_t i = t->n++;
    int r = unescape(s, name_len, &t->args[i].name, ret_why);
    if (r == 0)
        r = unescape(eq ? eq + 1 : "", eq ? len - name_len - 1 : 0, &t->args[i].value, ret_why);
    return r;
}

int oc_http_target_parse(struct oc_http_target *ret, const char *raw, const char **ret_why)
{
    memset(ret, 0, sizeof(*ret));
    *ret_why = "out of memory";
    if (strchr(raw, '#'))
        return bad(ret_why, "fragment in the request target");
    size_t path_len = strcspn(raw, "?");
    int r = parse_path(ret, raw, path_len, ret_why);
    const char *p = raw + path_len;
    while (r == 0 && *p) {
        p++; /* the ? or & */
        size_t len = strcspn(p, "&");
        r = parse_argument(ret, p, len, ret_why);
        p += len;
    }
    return r;
}

void oc_http_target_done(struct oc_http_target *t)
{
    free(t->path);
    for (size_t i = 0; i < t->n; i++) {
        free(t->args[i].name);
        free(t->args[i].value);
    }
    memset(t, 0, sizeof(*t));
}
