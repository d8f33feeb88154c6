#include "cel/time.h"
#include <stdio.h>
#include <string.h>

#define NANOS INT64_C(1000000000)

/* Days since 1970-01-01; years counted from March, so that the leap day is the last. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void oc_cel_date_of(int64_t seconds, struct oc_cel_date *ret)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    ret->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    ret->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    ret->year = yoe + era * 400 + (ret->month <= 2);
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
    ret->weekday = (int)(((days + 4) % 7 + 7) % 7);
    ret->yearday = (int)(days - days_from_civil(ret->year, 1, 1));
}

static bool number(const char **s, const char *end, int width, int max, int *ret)
{
    if (end - *s < width)
        return false;
    int v = 0;
    for (int i = 0; i < width; i++) {
        char c = *(*s)++;
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *ret = v;
    return v <= max;
}

static bool is(const char **s, const char *end, char c)
{
    if (*s == end || **s != c)
        return false;
    (*s)++;
    return true;
}

/* Up to nine digits after a point, as nanoseconds. */
static bool fraction(const char **s, const char *end, uint32_t *ret)
{
    uint32_t v = 0;
    int n = 0;
    for (; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
        if (++n > 9)
            return false;
        v = v * 10 + (uint32_t)(**s - '0');
    }
    for (int i = n; i < 9; i++)
        v *= 10;
    *ret = v;
    return n > 0;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool oc_cel_parse_timestamp(const char *s, size_t len, oc_cel_value *ret)
{
    const char *end = s + len;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone_hour = 0, zone_minute = 0;
    if (!number(&s, end, 4, 9999, &year) || !is(&s, end, '-') || !number(&s, end, 2, 12, &month) ||
        !is(&s, end, '-') || !number(&s, end, 2, 31, &day) || month < 1 || day < 1 ||
        day > month_days(year, month))
        return false;
    if ((!is(&s, end, 'T') && !is(&s, end, 't')) || !number(&s, end, 2, 23, &hour) || !is(&s, end, ':') ||
        !number(&s, end, 2, 59, &minute) || !is(&s, end, ':') || !number(&s, end, 2, 59, &second))
        return false;
    uint32_t nanos = 0;
    if (is(&s, end, '.') && !fraction(&s, end, &nanos))
        return false;
    int64_t seconds =
        days_from_civil(year, month, day) * 86400 + (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    if (!is(&s, end, 'Z') && !is(&s, end, 'z')) {
        int sign = is(&s, end, '+') ? -1 : is(&s, end, '-') ? 1 : 0;
        if (sign == 0 || !number(&s, end, 2, 23, &zone_hour) || !is(&s, end, ':') ||
            !number(&s, end, 2, 59, &zone_minute))
            return false;
        seconds += sign * ((int64_t)zone_hour * 3600 + (int64_t)zone_minute * 60);
    }
    if (s != end || seconds < OC_CEL_TIME_MIN || seconds > OC_CEL_TIME_MAX)
        return false;
    *ret = (oc_cel_value){.kind = OUTCALL_CEL_TIMESTAMP, .aux = nanos, .i = seconds};
    return true;
}

static int64_t unit(const char **s, const char *end)
{
    static const struct {
        const char *s;
        int64_t nanos;
    } units[] = {{"ns", 1},       {"us", 1000},        {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
                 {"ms", 1000000}, {"h", 3600 * NANOS}, {"m", 60 * NANOS},   {"s", NANOS}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(units); i++) {
        size_t n = strlen(units[i].s);
        if ((size_t)(end - *s) >= n && memcmp(*s, units[i].s, n) == 0) {
            *s += n;
            return units[i].nanos;
        }
    }
    return 0;
}

/* One "12.5h". What is below a nanosecond is dropped. */
static bool term(const char **s, const char *end, __int128 *sum)
{
    uint64_t whole = 0, part = 0, scale = 1;
    const char *start = *s;
    size_t n = 0;
    for (; *s < end && **s >= '0' && **s <= '9'; (*s)++, n++)
        if (__builtin_mul_overflow(whole, (uint64_t)10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole))
            return false;
    if (is(s, end, '.'))
        for (; *s < end && **s >= '0' && **s <= '9'; (*s)++, n++)
            if (scale < UINT64_C(1000000000000000)) {
                part = part * 10 + (uint64_t)(**s - '0');
                scale *= 10;
            }
    int64_t size = n > 0 && *s > start ? unit(s, end) : 0;
    if (size == 0 || whole > (uint64_t)INT64_MAX + 1)
        return false;
    *sum += (__int128)whole * size + (__int128)part * size / scale;
    return *sum <= (__int128)INT64_MAX + 1;
}

bool oc_cel_parse_duration(const char *s, size_t len, int64_t *ret)
{
    const char *end = s + len;
    bool negative = is(&s, end, '-');
    if (!negative)
        (void)is(&s, end, '+');
    __int128 sum = 0;
    if (s == end)
        return false;
    if (end - s == 1 && *s == '0') {
        *ret = 0;
        return true;
    }
    while (s < end)
        if (!term(&s, end, &sum))
            return false;
    if (negative)
        sum = -sum;
    if (sum > INT64_MAX || sum < INT64_MIN)
        return false;
    *ret = (int64_t)sum;
    return true;
}

/* ".5", ".000000001" or nothing. */
static size_t put_fraction(char *buf, size_t size, uint32_t nanos)
{
    if (nanos == 0)
        return 0;
    int n = snprintf(buf, size, ".%09u", nanos);
    while (n > 0 && buf[n - 1] == '0')
        buf[--n] = 0;
    return (size_t)n;
}

size_t oc_cel_format_timestamp(const oc_cel_value *v, char buf[OC_CEL_TIME_SIZE])
{
    struct oc_cel_date d;
    oc_cel_date_of(v->i, &d);
    size_t n = (size_t)snprintf(buf, OC_CEL_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)d.year, d.month,
                                d.day, d.hour, d.minute, d.second);
    n += put_fraction(buf + n, OC_CEL_TIME_SIZE - n, v->aux);
    buf[n++] = 'Z';
    buf[n] = 0;
    return n;
}

size_t oc_cel_format_duration(int64_t nanos, char buf[OC_CEL_TIME_SIZE])
{
    uint64_t size = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
    size_t n = (size_t)snprintf(buf, OC_CEL_TIME_SIZE, "%s%llu", nanos < 0 ? "-" : "",
                                (unsigned long long)(size / (uint64_t)NANOS));
    n += put_fraction(buf + n, OC_CEL_TIME_SIZE - n, (uint32_t)(size % (uint64_t)NANOS));
    buf[n++] = 's';
    buf[n] = 0;
    return n;
}

static void moved(struct oc_cel_call *c, const oc_cel_value *t, __int128 by)
{
    __int128 total = (__int128)t->i * NANOS + t->aux + by;
    if (total < (__int128)OC_CEL_TIME_MIN * NANOS || total >= ((__int128)OC_CEL_TIME_MAX + 1) * NANOS) {
        oc_cel_call_error(c, OUTCALL_E_INVALID, "the timestamp is out of range");
        return;
    }
    int64_t seconds = (int64_t)(total / NANOS), rest = (int64_t)(total % NANOS);
    if (rest < 0) {
        rest += NANOS;
        seconds--;
    }
    *c->out = (oc_cel_value){.kind = OUTCALL_CEL_TIMESTAMP, .aux = (uint32_t)rest, .i = seconds};
}

static void as_duration(struct oc_cel_call *c, __int128 nanos)
{
    if (nanos > INT64_MAX || nanos < INT64_MIN)
        oc_cel_call_error(c, OUTCALL_E_INVALID, "the duration is out of range");
    else
        *c->out = (oc_cel_value){.kind = OUTCALL_CEL_DURATION, .i = (int64_t)nanos};
}

bool oc_cel_time_arithmetic(struct oc_cel_call *c, bool minus, const oc_cel_value *a, const oc_cel_value *b)
{
    bool at = a->kind == OUTCALL_CEL_TIMESTAMP, ad = a->kind == OUTCALL_CEL_DURATION;
    bool bt = b->kind == OUTCALL_CEL_TIMESTAMP, bd = b->kind == OUTCALL_CEL_DURATION;
    if (at && bd)
        moved(c, a, minus ? -(__int128)b->i : b->i);
    else if (ad && bt && !minus)
        moved(c, b, a->i);
    else if (ad && bd)
        as_duration(c, minus ? (__int128)a->i - b->i : (__int128)a->i + b->i);
    else if (at && bt && minus)
        as_duration(c, ((__int128)a->i - b->i) * NANOS + (__int128)a->aux - b->aux);
    else
        return false;
    return true;
}
