/* Offsets of time zones, out of the system's zone files (RFC 8536): no environment, no state. */
#include "base/fd.h"
#include "cel/time.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ZONES     "/usr/share/zoneinfo/"
#define ZONE_MAX  ((size_t)64 << 10) /* the largest of them has 4 KiB */
#define ZONE_NAME 64

static bool digits2(const char *s, int max, int *ret)
{
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return false;
    *ret = (s[0] - '0') * 10 + (s[1] - '0');
    return *ret <= max;
}

static bool fixed_offset(const char *s, size_t len, int64_t *ret)
{
    int sign = 1, hours = 0, minutes = 0;
    if (len == 6 && (s[0] == '+' || s[0] == '-')) {
        sign = s[0] == '-' ? -1 : 1;
        s++;
        len--;
    }
    if (len != 5 || s[2] != ':' || !digits2(s, 23, &hours) || !digits2(s + 3, 59, &minutes))
        return false;
    *ret = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

/* Letters, digits, '_', '+', '-' and single slashes: nothing that leaves the folder. */
static bool name_is_safe(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '+' || c == '-';
        bool slash = c == '/' && i > 0 && i + 1 < len && s[i - 1] != '/';
        if (!plain && !slash)
            return false;
    }
    return len > 0 && len < ZONE_NAME;
}

static int64_t be(const unsigned char *p, size_t n)
{
    uint64_t v = n == 4 && p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct tzif { /* the 64-bit block */
    const unsigned char *times, *indexes, *types;
    size_t n_times, n_types;
    const char *rule; /* the POSIX rule for what comes after the last transition */
    size_t rule_len;
};

struct oc_cel_zone {
    struct oc_cel_zone *next;
    char name[ZONE_NAME];
    int64_t offset; /* where there is no data */
    char *data;
    struct tzif rules;
};

static bool open_block(const unsigned char *p, size_t len, struct tzif *z)
{
    size_t at = 0, n[6] = {0};
    for (int block = 0; block < 2; block++) {
        size_t wide = block == 0 ? 4 : 8;
        if (len - at < 44 || memcmp(p + at, "TZif", 4) != 0 || p[at + 4] < '2')
            return false;
        for (int i = 0; i < 6; i++) {
            n[i] = (size_t)be(p + at + 20 + 4 * (size_t)i, 4);
            if (n[i] > ZONE_MAX)
                return false;
        }
        size_t body = n[3] * (wide + 1) + n[4] * 6 + n[5] + n[2] * (wide + 4) + n[1] + n[0];
        at += 44;
        if (len - at < body)
            return false;
        if (block == 1) {
            z->times = p + at;
            z->n_times = n[3];
            z->indexes = z->times + 8 * n[3];
            z->types = z->indexes + n[3];
            z->n_types = n[4];
        }
        at += body;
    }
    if (at == len || p[at] != '\n' || z->n_types == 0)
        return false;
    z->rule = (const char *)p + at + 1;
    const char *end = memchr(z->rule, '\n', len - at - 1);
    z->rule_len = end ? (size_t)(end - z->rule) : 0;
    return end != NULL;
}

static bool rule_number(const char **s, const char *end, int64_t *ret)
{
    int64_t v = 0;
    const char *start = *s;
    for (; *s < end && **s >= '0' && **s <= '9' && v < 100000; (*s)++)
        v = v * 10 + (**s - '0');
    *ret = v;
    return *s > start;
}

/* [+-]h[:m[:s]] */
static bool rule_time(const char **s, const char *end, int64_t *ret)
{
    int64_t sign = 1, v = 0, part = 0;
    if (*s < end && (**s == '+' || **s == '-'))
        sign = *(*s)++ == '-' ? -1 : 1;
    if (!rule_number(s, end, &part))
        return false;
    v = part * 3600;
    for (int64_t unit = 60; unit >= 1 && *s < end && **s == ':'; unit /= 60) {
        (*s)++;
        if (!rule_number(s, end, &part))
            return false;
        v += part * unit;
    }
    *ret = sign * v;
    return true;
}

static bool rule_name(const char **s, const char *end)
{
    const char *start = *s;
    if (*s < end && **s == '<') {
        while (*s < end && **s != '>')
            (*s)++;
        return *s < end && (*s)++;
    }
    while (*s < end && ((**s >= 'A' && **s <= 'Z') || (**s >= 'a' && **s <= 'z')))
        (*s)++;
    return *s > start;
}

/* ",Mm.w.d[/time]" or ",Jn" or ",n": seconds from the start of that year, local time. */
static bool rule_date(const char **s, const char *end, const struct oc_cel_date *now, int64_t jan1_weekday,
                      int64_t *ret)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool leap = (now->year % 4 == 0 && now->year % 100 != 0) || now->year % 400 == 0;
    int64_t day = 0, time = 7200, m = 0, w = 0, d = 0;
    if (*s == end || *(*s)++ != ',' || *s == end)
        return false;
    if (**s == 'M') {
        (*s)++;
        if (!rule_number(s, end, &m) || *s == end || *(*s)++ != '.' || !rule_number(s, end, &w) ||
            *s == end || *(*s)++ != '.' || !rule_number(s, end, &d) || m < 1 || m > 12 || w < 1 || w > 5 ||
            d > 6)
            return false;
        int64_t first = before[m - 1] + (leap && m > 2), days = before[m] - before[m - 1] + (leap && m == 2);
        day = (d - (jan1_weekday + first) % 7 + 7) % 7 + (w - 1) * 7;
        day = first + (day >= days ? day - 7 : day);
    } else {
        bool julian = **s == 'J';
        *s += julian;
        if (!rule_number(s, end, &day))
            return false;
        if (julian)
            day += (leap && day >= 60 ? 0 : -1);
    }
    if (*s < end && **s == '/') {
        (*s)++;
        if (!rule_time(s, end, &time))
            return false;
    }
    *ret = day * 86400 + time;
    return true;
}

static bool rule_offset(const struct tzif *z, int64_t at, int64_t *ret)
{
    const char *s = z->rule, *end = z->rule + z->rule_len;
    int64_t std = 0, dst = 0, from = 0, to = 0;
    if (!rule_name(&s, end) || !rule_time(&s, end, &std))
        return false;
    *ret = -std;
    if (s == end)
        return true;
    if (!rule_name(&s, end))
        return false;
    dst = std - 3600;
    if (s < end && *s != ',' && !rule_time(&s, end, &dst))
        return false;
    struct oc_cel_date now;
    oc_cel_date_of(at - std, &now);
    int64_t jan1 = ((now.weekday - now.yearday) % 7 + 7) % 7;
    if (!rule_date(&s, end, &now, jan1, &from) || !rule_date(&s, end, &now, jan1, &to) || s != end)
        return false;
    int64_t second =
        (int64_t)now.yearday * 86400 + (int64_t)now.hour * 3600 + (int64_t)now.minute * 60 + now.second;
    to += dst - std; /* the end is told in summer time */
    bool summer = from < to ? second >= from && second < to : second >= from || second < to;
    *ret = summer ? -dst : -std;
    return true;
}

static bool offset_at(const struct tzif *z, int64_t at, int64_t *ret)
{
    size_t low = 0, high = z->n_times; /* transitions at or before the moment */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (be(z->times + 8 * mid, 8) <= at)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == z->n_times && z->rule_len > 0)
        return rule_offset(z, at, ret);
    size_t type = low > 0 ? z->indexes[low - 1] : 0;
    if (type >= z->n_types)
        return false;
    *ret = be(z->types + 6 * type, 4);
    return true;
}

/* The zone of that name, which is there to be freed with free(z->data). */
static int load(const char *name, size_t len, struct oc_cel_zone *z)
{
    if (fixed_offset(name, len, &z->offset) || (len == 3 && memcmp(name, "UTC", 3) == 0))
        return 0;
    if (!name_is_safe(name, len))
        return OUTCALL_E_INVALID;
    char path[sizeof(ZONES) + ZONE_NAME] = ZONES;
    memcpy(path + sizeof(ZONES) - 1, name, len);
    path[sizeof(ZONES) - 1 + len] = 0;
    size_t data_len = 0;
    int r = oc_read_file(AT_FDCWD, path, ZONE_MAX, &z->data, &data_len);
    if (r < 0)
        return r == OUTCALL_E_NO_MEMORY ? r : OUTCALL_E_INVALID;
    if (open_block((const unsigned char *)z->data, data_len, &z->rules))
        return 0;
    free(z->data);
    z->data = NULL;
    return OUTCALL_E_INVALID;
}

int oc_cel_zone_get(struct oc_cel_zone **list, const char *name, size_t len, const struct oc_cel_zone **ret)
{
    for (const struct oc_cel_zone *z = *list; z; z = z->next)
        if (strlen(z->name) == len && memcmp(z->name, name, len) == 0) {
            *ret = z;
            return 0;
        }
    struct oc_cel_zone *new = calloc(1, sizeof(*new));
    if (!new)
        return OUTCALL_E_NO_MEMORY;
    int r = load(name, len, new);
    if (r < 0) {
        free(new);
        return r;
    }
    memcpy(new->name, name, len);
    new->next = *list;
    *ret = *list = new;
    return 0;
}

void oc_cel_zone_free_all(struct oc_cel_zone *list)
{
    while (list) {
        struct oc_cel_zone *next = list->next;
        free(list->data);
        free(list);
        list = next;
    }
}

int oc_cel_zone_at(const struct oc_cel_zone *z, int64_t at, int64_t *ret)
{
    *ret = z->offset;
    return !z->data || offset_at(&z->rules, at, ret) ? 0 : OUTCALL_E_INVALID;
}

int oc_cel_zone_offset(const char *name, size_t len, int64_t at, int64_t *ret)
{
    struct oc_cel_zone z = {.offset = 0};
    int r = load(name, len, &z);
    if (r == 0)
        r = oc_cel_zone_at(&z, at, ret);
    free(z.data);
    return r;
}
