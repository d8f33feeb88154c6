/* Accessors of timestamps and durations. */
#include "cel/time.h"
#include <string.h>

/* The local date: UTC, or the zone of the second argument. */
static bool date(struct oc_cel_call *c, struct oc_cel_date *ret)
{
    int64_t offset = 0;
    if (c->n > 1) {
        int r = c->extra ? oc_cel_zone_at(c->extra, c->args[0]->i, &offset)
                         : oc_cel_zone_offset(c->args[1]->s, c->args[1]->n, c->args[0]->i, &offset);
        if (r == OUTCALL_E_NO_MEMORY)
            oc_cel_fatal(c->ev, c->pos, c->out, r);
        else if (r < 0)
            oc_cel_call_error(c, OUTCALL_E_INVALID, "unknown time zone \"%.*s\"",
                              (int)OC_MIN(c->args[1]->n, (size_t)64), c->args[1]->s);
        if (r < 0)
            return false;
    }
    oc_cel_date_of(c->args[0]->i + offset, ret);
    return true;
}

#define ACCESSOR(name, expression)            \
    static void name(struct oc_cel_call *c)   \
    {                                         \
        struct oc_cel_date d;                 \
        if (date(c, &d))                      \
            *c->out = oc_cel_int(expression); \
    }
ACCESSOR(full_year, d.year)
ACCESSOR(month, d.month - 1)
ACCESSOR(day_from_one, d.day)
ACCESSOR(day_from_zero, d.day - 1)
ACCESSOR(day_of_year, d.yearday)
ACCESSOR(day_of_week, d.weekday)
ACCESSOR(hours, d.hour)
ACCESSOR(minutes, d.minute)
ACCESSOR(seconds, d.second)
ACCESSOR(milliseconds, (int64_t)(c->args[0]->aux / 1000000))

static void total(struct oc_cel_call *c, int64_t unit)
{
    *c->out = oc_cel_int(c->args[0]->i / unit);
}
static void total_hours(struct oc_cel_call *c)
{
    total(c, INT64_C(3600000000000));
}
static void total_minutes(struct oc_cel_call *c)
{
    total(c, INT64_C(60000000000));
}
static void total_seconds(struct oc_cel_call *c)
{
    total(c, INT64_C(1000000000));
}
/* The fraction of the second, not the total: so the specification has it. */
static void rest_milliseconds(struct oc_cel_call *c)
{
    *c->out = oc_cel_int(c->args[0]->i % INT64_C(1000000000) / 1000000);
}

#define BOTH(name, fn)                  \
    {name, "t:i", OC_CEL_MEMBER, fn},   \
    {                                   \
        name, "ts:i", OC_CEL_MEMBER, fn \
    }
const struct oc_cel_func oc_cel_time_funcs[] = {
    BOTH("getFullYear", full_year),
    BOTH("getMonth", month),
    BOTH("getDate", day_from_one),
    BOTH("getDayOfMonth", day_from_zero),
    BOTH("getDayOfYear", day_of_year),
    BOTH("getDayOfWeek", day_of_week),
    BOTH("getHours", hours),
    {"getHours", "r:i", OC_CEL_MEMBER, total_hours},
    BOTH("getMinutes", minutes),
    {"getMinutes", "r:i", OC_CEL_MEMBER, total_minutes},
    BOTH("getSeconds", seconds),
    {"getSeconds", "r:i", OC_CEL_MEMBER, total_seconds},
    BOTH("getMilliseconds", milliseconds),
    {"getMilliseconds", "r:i", OC_CEL_MEMBER, rest_milliseconds},
    {NULL, NULL, 0, NULL},
};

bool oc_cel_takes_zone(const struct oc_cel_func *f)
{
    for (const struct oc_cel_func *one = oc_cel_time_funcs; one->name; one++)
        if (one == f)
            return true;
    return false;
}
