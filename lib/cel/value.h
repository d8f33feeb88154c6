/* cel/value.h - what an expression works with: 24 bytes, by value; what it points to is borrowed from an
 * arena or from the caller of a bind. */
#ifndef CEL_VALUE_H
#define CEL_VALUE_H
#include "base/base.h"
#include "outcall/cel.h"

#define OC_CEL_ERROR \
    63 /* a kind of its own, never seen outside: s, n = the message; aux = place in the source */

struct outcall_cel_value {
    uint32_t kind; /* enum outcall_cel_kind or OC_CEL_ERROR */
    uint32_t aux;  /* TIMESTAMP: nanoseconds; IP: family; CIDR: family << 8 | prefix */
    union {
        bool b;
        int64_t i;  /* INT; TIMESTAMP: seconds; DURATION: nanoseconds */
        uint64_t u; /* UINT; IP, CIDR: upper half of the address */
        double d;
        const char *s;                     /* STRING, BYTES, TYPE (its name) */
        const struct outcall_cel_value *v; /* LIST: elements; MAP: key, value, key, value ... */
    };
    union {
        size_t n;     /* bytes, elements or pairs */
        uint64_t low; /* IP, CIDR: lower half of the address */
    };
};
typedef struct outcall_cel_value oc_cel_value;

/* What a comparison costs; NULL steps: nothing. */
struct oc_cel_budget {
    uint64_t steps;
    bool spent; /* more was asked for than there was */
};
bool oc_cel_spend(struct oc_cel_budget *b, uint64_t steps);

static inline oc_cel_value oc_cel_null(void)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_NULL};
}
static inline oc_cel_value oc_cel_bool(bool b)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_BOOL, .b = b};
}
static inline oc_cel_value oc_cel_int(int64_t i)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_INT, .i = i};
}
static inline oc_cel_value oc_cel_uint(uint64_t u)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_UINT, .u = u};
}
static inline oc_cel_value oc_cel_double(double d)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_DOUBLE, .d = d};
}
static inline oc_cel_value oc_cel_string(const char *s, size_t n)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_STRING, .s = s, .n = n};
}
static inline oc_cel_value oc_cel_bytes(const char *s, size_t n)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_BYTES, .s = s, .n = n};
}
static inline oc_cel_value oc_cel_list(const oc_cel_value *v, size_t n)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_LIST, .v = v, .n = n};
}
static inline oc_cel_value oc_cel_map(const oc_cel_value *v, size_t pairs)
{
    return (oc_cel_value){.kind = OUTCALL_CEL_MAP, .v = v, .n = pairs};
}
oc_cel_value oc_cel_type_value(const char *name);

/* The name that type() gives: "int", "google.protobuf.Timestamp" ...; "dyn" for what is no value. */
const char *oc_cel_kind_name(uint32_t kind);
/* The kind whose type has this name, or -1. */
int oc_cel_kind_by_name(const char *s, size_t len);

/* Total and heterogeneous: numbers on one line, NaN equal to nothing, different types not equal. */
bool oc_cel_equal(struct oc_cel_budget *budget, const oc_cel_value *a, const oc_cel_value *b);

enum oc_cel_order {
    OC_CEL_LESS = -1,
    OC_CEL_SAME = 0,
    OC_CEL_MORE = 1,
    OC_CEL_UNORDERED = 2,
    OC_CEL_NO_ORDER = 3
};
enum oc_cel_order oc_cel_compare(const oc_cel_value *a, const oc_cel_value *b);

/* The value of the key, or NULL. */
const oc_cel_value *oc_cel_map_find(struct oc_cel_budget *budget, const oc_cel_value *map,
                                    const oc_cel_value *key);
const oc_cel_value *oc_cel_map_field(const oc_cel_value *map, const char *s, size_t len);

#endif
