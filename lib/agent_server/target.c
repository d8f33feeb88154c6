#include "agent_server/target.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static int bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return OUTCALL_E_SYNTAX;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Letters, digits, "-" and "_" between dots; one dot at the end falls away. */
static int parse_name(const char *s, size_t len, struct oc_target *t, const char **ret_why)
{
    if (len > 0 && s[len - 1] == '.')
        len--;
    if (len == 0 || len > OC_HOST_MAX)
        return bad(ret_why, "expected a host name of 1 to 255 bytes");
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || s[i - 1] == '.';
        if (!is_alnum(s[i]) && s[i] != '_' && (s[i] != '-' || edge) && (s[i] != '.' || edge))
            return bad(ret_why, "expected a host name of letters, digits, \"-\", \"_\" and single dots");
        t->hostname[i] = lower(s[i]);
    }
    t->hostname[len] = '\0';
    return 0;
}

/* Something like 0x7f.1 or 2130706433 is an address to some resolvers and a name to others: neither here. */
static bool looks_numeric(const char *host)
{
    const char *last = strrchr(host, '.');
    last = last ? last + 1 : host;
    bool hex = last[0] == '0' && (last[1] == 'x' || last[1] == 'X');
    return hex || (last[0] != '\0' && strspn(last, "0123456789") == strlen(last));
}

static int parse_host(const char *s, size_t len, bool bracketed, struct oc_target *t, const char **ret_why)
{
    unsigned char raw[sizeof(struct in6_addr)];
    char text[64];
    int family = bracketed ? AF_INET6 : AF_INET;
    if (len < sizeof(text)) {
        memcpy(text, s, len);
        text[len] = '\0';
        if (inet_pton(family, text, raw) == 1 && inet_ntop(family, raw, t->ip, sizeof(t->ip)))
            return oc_copy(t->hostname, sizeof(t->hostname), t->ip, strlen(t->ip));
    }
    t->ip[0] = '\0';
    if (bracketed)
        return bad(ret_why, "expected an IPv6 address between the brackets");
    int r = parse_name(s, len, t, ret_why);
    if (r == 0 && looks_numeric(t->hostname))
        return bad(ret_why, "expected a host name or a dotted IPv4 address, not a number");
    return r;
}

static int parse_port(const char *s, size_t len, struct oc_target *t, const char **ret_why)
{
    if (len == 0 || oc_parse_u32(s, len, 1, 65535, &t->port) < 0)
        return bad(ret_why, "expected a port from 1 to 65535 after \":\"");
    return 0;
}

/* host, host:port, [v6], [v6]:port; a bare v6 address where there can be no port. */
static int parse_authority(const char *s, size_t len, bool bare_v6, struct oc_target *t, const char **ret_why)
{
    unsigned char raw[sizeof(struct in6_addr)];
    char text[64];
    if (memchr(s, '@', len))
        return bad(ret_why, "expected no user name or password");
    if (len > 0 && s[0] == '[') {
        const char *close = memchr(s, ']', len);
        if (!close)
            return bad(ret_why, "expected \"]\" after the IPv6 address");
        size_t n = (size_t)(close - s) - 1, after = n + 2;
        int r = parse_host(s + 1, n, true, t, ret_why);
        if (r < 0 || after == len)
            return r;
        return s[after] == ':' ? parse_port(s + after + 1, len - after - 1, t, ret_why)
                               : bad(ret_why, "expected \":\" and a port after \"]\"");
    }
    if (bare_v6 && len < sizeof(text)) {
        memcpy(text, s, len);
        text[len] = '\0';
        if (inet_pton(AF_INET6, text, raw) == 1)
            return parse_host(s, len, true, t, ret_why);
    }
    const char *colon = memchr(s, ':', len);
    size_t n = colon ? (size_t)(colon - s) : len;
    int r = parse_host(s, n, false, t, ret_why);
    return r == 0 && colon ? parse_port(colon + 1, len - n - 1, t, ret_why) : r;
}

static uint32_t default_port(const char *scheme)
{
    static const struct {
        const char *scheme;
        uint32_t port;
    } known[] = {{"http", 80}, {"https", 443}, {"ws", 80},   {"wss", 443},
                 {"ftp", 21},  {"ssh", 22},    {"git", 9418}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(known); i++)
        if (strcmp(known[i].scheme, scheme) == 0)
            return known[i].port;
    return 0;
}

/* The length of one segment when it is "." or "..", dots also as %2e. */
static bool is_dots(const char *s, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; dots++) {
        if (s[i] == '.')
            i++;
        else if (len - i >= 3 && strncasecmp(s + i, "%2e", 3) == 0)
            i += 3;
        else
            return false;
    }
    return dots == 1 || dots == 2;
}

static int check_url_path(const char *s, size_t len, const char **ret_why)
{
    for (size_t i = 0; i + 3 <= len; i++)
        if (strncasecmp(s + i, "%2f", 3) == 0 || strncasecmp(s + i, "%5c", 3) == 0 ||
            strncmp(s + i, "%00", 3) == 0)
            return bad(ret_why, "expected no escaped slash, backslash or NUL in the path");
    for (size_t at = 0; at < len;) {
        const char *slash = memchr(s + at, '/', len - at);
        size_t n = slash ? (size_t)(slash - s) - at : len - at;
        if (n > 0 && is_dots(s + at, n))
            return bad(ret_why, "expected no \".\" or \"..\" in the path");
        at += n + 1;
    }
    return 0;
}

/* What follows "scheme://". */
static int parse_url(const char *rest, struct oc_target *t, const char **ret_why)
{
    size_t authority = strcspn(rest, "/?#");
    int r = parse_authority(rest, authority, false, t, ret_why);
    if (r < 0)
        return r;
    if (t->port == 0)
        t->port = default_port(t->protocol);
    t->is_url = true;
    t->path = rest + authority;
    t->path_len = strcspn(t->path, "?#");
    r = check_url_path(t->path, t->path_len, ret_why);
    if (t->path_len == 0) {
        t->path = "/";
        t->path_len = 1;
    }
    return r;
}

int oc_target_parse(const char *s, struct oc_target *ret, const char **ret_why)
{
    struct oc_target t = {.port = 0};
    if (oc_has_control(s, strlen(s)) || strpbrk(s, " \\"))
        return bad(ret_why, "expected no space, control character or backslash");
    const char *colon = strstr(s, "://");
    size_t n = colon ? (size_t)(colon - s) : 0;
    int r = 0;
    if (colon) {
        if (n == 0 || n >= sizeof(t.protocol) ||
            strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "0123456789+.-") < n)
            return bad(ret_why, "expected a scheme such as https before \"://\"");
        for (size_t i = 0; i < n; i++)
            t.protocol[i] = lower(s[i]);
        r = parse_url(colon + 3, &t, ret_why);
    } else {
        (void)oc_copy(t.protocol, sizeof(t.protocol), "tcp", 3);
        r = parse_authority(s, strlen(s), true, &t, ret_why);
    }
    if (r == 0)
        *ret = t;
    return r;
}

int oc_target_check_path(const char *s, const char **ret_why)
{
    if (!oc_path_is_clean(s))
        return bad(ret_why, "expected an absolute path without \".\", \"..\", \"//\" or a slash at the end");
    return 0;
}
