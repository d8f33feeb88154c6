#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool oc_streq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool oc_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool oc_has_control(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return true;
    return false;
}

/* Length of the sequence that begins at p, or 0 when it is not well-formed (Unicode table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t n = lead >= 0xc2 && lead <= 0xdf   ? 2
               : (lead & 0xf0) == 0xe0        ? 3
               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > left)
        return 0;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* How many bytes there are before the first that is not ASCII, eight at a time: most text is nothing else. */
static size_t ascii_n(const char *s, size_t len)
{
    static const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t eight = 0;
    size_t n = 0;
    for (; len - n >= sizeof(eight); n += sizeof(eight)) {
        memcpy(&eight, s + n, sizeof(eight));
        if (eight & high)
            break;
    }
    while (n < len && (unsigned char)s[n] < 0x80)
        n++;
    return n;
}

bool oc_utf8_valid(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = ascii_n(s, len); i < len; i += ascii_n(s + i, len - i)) {
        size_t n = utf8_sequence(p + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void oc_utf8_repair(char *s)
{
    size_t len = strlen(s);
    for (size_t i = ascii_n(s, len); i < len; i += ascii_n(s + i, len - i)) {
        size_t n = utf8_sequence((const unsigned char *)s + i, len - i);
        if (n == 0)
            s[i] = '?';
        i += n ? n : 1;
    }
}

size_t oc_utf8_cut(const char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    size_t n = max;
    while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

const char *oc_shown(char buf[OC_SHOWN_SIZE], const char *s)
{
    size_t len = strnlen(s, OC_SHOWN_MAX + 1), n = oc_utf8_cut(s, len, OC_SHOWN_MAX);
    (void)oc_format(buf, OC_SHOWN_SIZE, "%.*s%s", (int)n, s, n < len ? "..." : "");
    return buf;
}

int oc_format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < size)
        return 0;
    if (size)
        buf[0] = '\0';
    return OUTCALL_E_LIMIT;
}

int oc_copy(char *buf, size_t size, const char *s, size_t len)
{
    if (len >= size) {
        if (size)
            buf[0] = '\0';
        return OUTCALL_E_LIMIT;
    }
    memcpy(buf, s, len);
    buf[len] = '\0';
    return 0;
}

int oc_dup(char **ret, const char *s)
{
    char *copy = s ? strdup(s) : NULL;
    if (s && !copy)
        return OUTCALL_E_NO_MEMORY;
    *ret = copy;
    return 0;
}

char *oc_asprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : s;
}

int oc_strings_add(struct oc_strings *l, const char *s, size_t len)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        char **v = reallocarray(l->v, cap, sizeof(*v));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        l->v = v;
        l->cap = cap;
    }
    char *copy = strndup(s, len);
    if (!copy)
        return OUTCALL_E_NO_MEMORY;
    l->v[l->n++] = copy;
    return 0;
}

bool oc_strings_has(const struct oc_strings *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], s) == 0)
            return true;
    return false;
}

void oc_strings_done(struct oc_strings *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    l->v = NULL;
    l->n = l->cap = 0;
}
