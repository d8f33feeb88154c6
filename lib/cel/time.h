/* cel/time.h - timestamps, durations and zones. Proleptic Gregorian calendar, UTC, no leap seconds. */
#ifndef CEL_TIME_H
#define CEL_TIME_H
#include "cel/program.h"

#define OC_CEL_TIME_MIN  INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define OC_CEL_TIME_MAX  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define OC_CEL_TIME_SIZE 40

struct oc_cel_date {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday; /* 0 = Sunday */
    int yearday; /* from 0 */
};

void oc_cel_date_of(int64_t seconds, struct oc_cel_date *ret);
OC_NODISCARD bool oc_cel_parse_timestamp(const char *s, size_t len, oc_cel_value *ret);
/* "1h30m", "-1.5s", "0": false for what is none or does not fit into 64 bits of nanoseconds. */
OC_NODISCARD bool oc_cel_parse_duration(const char *s, size_t len, int64_t *ret);
size_t oc_cel_format_timestamp(const oc_cel_value *v, char buf[OC_CEL_TIME_SIZE]);
size_t oc_cel_format_duration(int64_t nanos, char buf[OC_CEL_TIME_SIZE]);
/* Is it one of a timestamp that may have a zone as argument? */
bool oc_cel_takes_zone(const struct oc_cel_func *f);
/* + and - where one side is a time; false when there is no such operation. */
OC_NODISCARD bool oc_cel_time_arithmetic(struct oc_cel_call *c, bool minus, const oc_cel_value *a,
                                         const oc_cel_value *b);

/* zone.c: "+HH:MM", "-HH:MM", "HH:MM", "UTC" or an IANA name, found in the list or read and put into it.
 * OUTCALL_E_INVALID: no such zone; _NO_MEMORY. */
OC_NODISCARD int oc_cel_zone_get(struct oc_cel_zone **list, const char *name, size_t len,
                                 const struct oc_cel_zone **ret);
void oc_cel_zone_free_all(struct oc_cel_zone *list);
/* Seconds east of UTC at that moment. 0, OUTCALL_E_INVALID. */
OC_NODISCARD int oc_cel_zone_at(const struct oc_cel_zone *z, int64_t at, int64_t *ret);
/* The same of a name, read for this once. Also OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_cel_zone_offset(const char *name, size_t len, int64_t at, int64_t *ret);

#endif
