#include "docker/image.h"
#include "base/num.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

#define SHA256_PREFIX "sha256:"
#define SHA256_HEX    64

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* How many bytes at s are one separator inside a path component: "." "_" "__" or any number of "-". */
static size_t separator(const char *s, size_t len)
{
    size_t n = 0;
    if (s[0] == '.')
        return 1;
    if (s[0] == '_')
        return len > 1 && s[1] == '_' ? 2 : 1;
    while (n < len && s[n] == '-')
        n++;
    return n;
}

static bool is_path_component(const char *s, size_t len)
{
    if (len == 0 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
        return false;
    for (size_t i = 0; i < len;) {
        size_t n = is_lower_alnum(s[i]) ? 1 : separator(s + i, len - i);
        if (!is_lower_alnum(s[i]) && (n == 0 || !is_lower_alnum(s[i + n])))
            return false;
        i += n;
    }
    return true;
}

static bool is_host_label(const char *s, size_t len)
{
    if (len == 0 || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && s[i] != '-')
            return false;
    return true;
}

static bool is_ipv6_host(const char *s, size_t len)
{
    if (len < 4 || s[0] != '[' || s[len - 1] != ']')
        return false;
    for (size_t i = 1; i < len - 1; i++)
        if (!is_alnum(s[i]) && s[i] != ':')
            return false;
    return true;
}

static bool is_host(const char *s, size_t len)
{
    if (len > 0 && s[0] == '[')
        return is_ipv6_host(s, len);
    for (;;) {
        const char *dot = memchr(s, '.', len);
        size_t n = dot ? (size_t)(dot - s) : len;
        if (!is_host_label(s, n))
            return false;
        if (!dot)
            return true;
        s += n + 1;
        len -= n + 1;
    }
}

/* The last colon that is not inside an address's brackets. */
static const char *port_colon(const char *s, size_t len)
{
    for (size_t i = len; i > 0 && s[i - 1] != ']'; i--)
        if (s[i - 1] == ':')
            return s + i - 1;
    return NULL;
}

static bool is_host_port(const char *s, size_t len)
{
    const char *colon = port_colon(s, len);
    uint32_t port = 0;
    if (!colon)
        return is_host(s, len);
    size_t n = (size_t)(colon - s);
    return is_host(s, n) && oc_parse_u32(colon + 1, len - n - 1, 1, 65535, &port) == 0;
}

/* Docker's rule: the first component is a registry when a name on the default registry could not look so. */
static bool looks_like_host(const char *s, size_t len)
{
    if (len == strlen("localhost") && memcmp(s, "localhost", len) == 0)
        return true;
    for (size_t i = 0; i < len; i++)
        if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
            return true;
    return false;
}

static bool is_name(const char *s, size_t len)
{
    const char *slash = memchr(s, '/', len);
    size_t first = slash ? (size_t)(slash - s) : 0;
    if (slash && looks_like_host(s, first)) {
        if (!is_host_port(s, first))
            return false;
        s += first + 1;
        len -= first + 1;
    }
    for (;;) {
        slash = memchr(s, '/', len);
        size_t n = slash ? (size_t)(slash - s) : len;
        if (!is_path_component(s, n))
            return false;
        if (!slash)
            return true;
        s += n + 1;
        len -= n + 1;
    }
}

static bool is_tag(const char *s, size_t len)
{
    if (len == 0 || len > OC_IMAGE_TAG_MAX || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
            return false;
    return true;
}

static bool is_digest(const char *s, size_t len)
{
    size_t prefix = strlen(SHA256_PREFIX);
    if (len != prefix + SHA256_HEX || memcmp(s, SHA256_PREFIX, prefix) != 0)
        return false;
    for (size_t i = prefix; i < len; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

static int refuse(const char *text, const char *expected, outcall_error *err)
{
    return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, "image \"%.300s\": %s", text,
                        expected);
}

int oc_image_ref_parse(const char *text, struct oc_image_ref *ret, outcall_error *err)
{
    struct oc_image_ref ref = {0};
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);
    if (at && (!is_digest(at + 1, strlen(at + 1)) ||
               oc_copy(ref.digest, sizeof(ref.digest), at + 1, strlen(at + 1)) < 0))
        return refuse(text, "expected sha256: and 64 lower-case hex digits after the @", err);
    /* A colon before the last slash belongs to a registry's port. */
    const char *slash = memrchr(text, '/', len);
    const char *base = slash ? slash + 1 : text;
    const char *colon = memchr(base, ':', len - (size_t)(base - text));
    if (colon) {
        size_t n = len - (size_t)(colon + 1 - text);
        if (!is_tag(colon + 1, n) || oc_copy(ref.tag, sizeof(ref.tag), colon + 1, n) < 0)
            return refuse(text,
                          "expected a tag of at most 128 characters out of A-Z a-z 0-9 _ . - after the colon",
                          err);
        len = (size_t)(colon - text);
    }
    if (len > OC_IMAGE_NAME_MAX)
        return refuse(text, "expected a name of at most 255 bytes", err);
    if (!is_name(text, len) || oc_copy(ref.name, sizeof(ref.name), text, len) < 0)
        return refuse(text, "expected [HOST[:PORT]/]NAME[:TAG][@DIGEST] with a lower-case NAME", err);
    *ret = ref;
    return 0;
}

const char *oc_image_ref_version(const struct oc_image_ref *ref)
{
    return ref->digest[0] ? ref->digest : ref->tag[0] ? ref->tag : "latest";
}

void oc_image_ref_format(const struct oc_image_ref *ref, char ret[OC_IMAGE_TEXT_SIZE])
{
    (void)oc_format(ret, OC_IMAGE_TEXT_SIZE, "%s%c%s", ref->name, ref->digest[0] ? '@' : ':',
                    oc_image_ref_version(ref));
}
