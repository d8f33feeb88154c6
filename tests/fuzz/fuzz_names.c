/* Small texts of callers: names, numbers, addresses. What comes out says the same as what went in. */
#include "base/cidr.h"
#include "base/name.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "docker/engine.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *prefix, const char *text)
{
    char full[OC_NAME_SIZE] = "", again[OC_NAME_SIZE];
    if (oc_name_parse(prefix, text, full) < 0) {
        if (full[0])
            abort();
        return;
    }
    if (!oc_name_is(prefix, full) || strlen(full) > strlen(prefix) + OC_SUFFIX_MAX ||
        strpbrk(full, "/%?#& ") || oc_name_parse(prefix, full, again) < 0 || strcmp(full, again) != 0)
        abort();
}

static void check_numbers(const char *s, size_t len)
{
    uint64_t v = 0;
    char text[32];
    if (oc_parse_u64(s, len, 0, UINT64_MAX, &v) == 0 && (len == 0 || strspn(s, "0123456789") < len))
        abort();
    if (len > 0 && s[0] != '0' && oc_parse_u64(s, len, 0, UINT64_MAX, &v) == 0 &&
        (oc_format(text, sizeof(text), "%llu", (unsigned long long)v) < 0 || strcmp(text, s) != 0))
        abort();
    if (oc_parse_size(s, len, &v) == 0 && v > INT64_MAX)
        abort();
    if (oc_parse_nano(s, len, 1000, &v) == 0 && v > 1000)
        abort();
    if (oc_parse_hex(s, len, 255, &v) == 0 && v > 255)
        abort();
}

static void check_addresses(const char *s, size_t len)
{
    struct oc_cidr c;
    uint32_t addr = 0;
    char text[OC_CIDR_SIZE];
    if (oc_ipv4_parse(s, len, &addr) == 0) {
        oc_ipv4_format(addr, text);
        if (strcmp(text, s) != 0)
            abort();
    }
    if (oc_cidr_parse(s, len, &c) == 0) {
        oc_cidr_format(c, text);
        if (strcmp(text, s) != 0 || !oc_cidr_contains(c, c.addr) || !oc_cidr_overlap(c, c))
            abort();
    }
}

/* A name in a path of the engine stays one segment, whatever it is. */
static void check_path(const char *s)
{
    OC_FREE char *path = NULL;
    if (oc_docker_path(&path, NULL, "/containers/%s/json?q=%s", s, s) < 0)
        return;
    const char *segment = path + strlen("/containers/");
    if (strcspn(segment, "/?#") != strcspn(segment, "/") ||
        strncmp(segment + strcspn(segment, "/"), "/json?q=", 8) != 0 ||
        strpbrk(segment + strcspn(segment, "?") + 1, "?#& \r\n"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OC_FREE char *s = calloc(1, size + 1);
    char shown[OC_SHOWN_SIZE];
    if (!s)
        return 0;
    memcpy(s, data, size);
    size_t len = strlen(s);
    check_name(OC_CONTAINER_PREFIX, s);
    check_name(OC_NETWORK_PREFIX, s);
    check_numbers(s, len);
    check_addresses(s, len);
    check_path(s);
    if (oc_path_is_clean(s) && (s[0] != '/' || strstr(s, "//") || strstr(s, "/../")))
        abort();
    (void)oc_shown(shown, s);
    if (oc_utf8_valid(s, len) && !oc_utf8_valid(shown, strlen(shown)))
        abort();
    oc_utf8_repair(s);
    if (!oc_utf8_valid(s, len))
        abort();
    return 0;
}
