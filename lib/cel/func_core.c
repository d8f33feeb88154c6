/* Strings, sizes and conversions. */
#include "base/str.h"
#include "cel/glob.h"
#include "cel/net.h"
#include "cel/regex.h"
#include "cel/text.h"
#include "cel/time.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define A(i) (c->args[i])

static void bad(struct oc_cel_call *c, const char *to)
{
    if (A(0)->kind == OUTCALL_CEL_STRING)
        oc_cel_call_error(c, OUTCALL_E_INVALID, "\"%.*s\" is no %s", (int)oc_utf8_cut(A(0)->s, A(0)->n, 64),
                          A(0)->s, to);
    else
        oc_cel_call_error(c, OUTCALL_E_INVALID, "the %s does not fit into %s", oc_cel_kind_name(A(0)->kind),
                          to);
}

static bool pay(struct oc_cel_call *c, size_t bytes)
{
    if (oc_cel_spend(&c->ev->budget, bytes / 64))
        return true;
    oc_cel_fatal(c->ev, c->pos, c->out, OUTCALL_E_LIMIT);
    return false;
}

static void identity(struct oc_cel_call *c)
{
    *c->out = *A(0);
}
static void type_of(struct oc_cel_call *c)
{
    *c->out = oc_cel_type_value(oc_cel_kind_name(A(0)->kind));
}
static void size_count(struct oc_cel_call *c)
{
    *c->out = oc_cel_int((int64_t)A(0)->n);
}
static void size_string(struct oc_cel_call *c)
{
    int64_t n = 0;
    if (!pay(c, A(0)->n))
        return;
    for (size_t i = 0; i < A(0)->n; i++)
        n += ((unsigned char)A(0)->s[i] & 0xc0) != 0x80;
    *c->out = oc_cel_int(n);
}
static void contains(struct oc_cel_call *c)
{
    if (pay(c, A(0)->n))
        *c->out = oc_cel_bool(A(1)->n == 0 || (A(0)->n > 0 && memmem(A(0)->s, A(0)->n, A(1)->s, A(1)->n)));
}
static void starts_with(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(A(1)->n == 0 || (A(1)->n <= A(0)->n && memcmp(A(0)->s, A(1)->s, A(1)->n) == 0));
}
static void ends_with(struct oc_cel_call *c)
{
    *c->out = oc_cel_bool(
        A(1)->n == 0 || (A(1)->n <= A(0)->n && memcmp(A(0)->s + (A(0)->n - A(1)->n), A(1)->s, A(1)->n) == 0));
}
static void glob(struct oc_cel_call *c)
{
    int r = oc_cel_glob(&c->ev->budget, A(0)->s, A(0)->n, A(1)->s, A(1)->n);
    if (r == OUTCALL_E_LIMIT)
        oc_cel_fatal(c->ev, c->pos, c->out, r);
    else if (r < 0)
        oc_cel_call_error(c, OUTCALL_E_INVALID, "\"%.*s\" is no pattern for glob()",
                          (int)oc_utf8_cut(A(1)->s, A(1)->n, 64), A(1)->s);
    else
        *c->out = oc_cel_bool(r == 1);
}

static void bool_of_string(struct oc_cel_call *c)
{
    static const char *const yes[] = {"1", "t", "true", "TRUE", "True"}, *const no[] = {"0", "f", "false",
                                                                                        "FALSE", "False"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(yes); i++) {
        bool is_yes = strlen(yes[i]) == A(0)->n && memcmp(yes[i], A(0)->s, A(0)->n) == 0;
        bool is_no = strlen(no[i]) == A(0)->n && memcmp(no[i], A(0)->s, A(0)->n) == 0;
        if (is_yes || is_no) {
            *c->out = oc_cel_bool(is_yes);
            return;
        }
    }
    bad(c, "bool");
}

static bool parse_uint(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
            return false;
    *ret = v;
    return len > 0;
}

static void int_of_uint(struct oc_cel_call *c)
{
    if (A(0)->u > (uint64_t)INT64_MAX)
        bad(c, "int");
    else
        *c->out = oc_cel_int((int64_t)A(0)->u);
}
static void int_of_double(struct oc_cel_call *c)
{
    if (A(0)->d > -0x1p63 && A(0)->d < 0x1p63)
        *c->out = oc_cel_int((int64_t)A(0)->d);
    else
        bad(c, "int");
}
static void int_of_string(struct oc_cel_call *c)
{
    bool sign = A(0)->n > 0 && (A(0)->s[0] == '-' || A(0)->s[0] == '+'), minus = sign && A(0)->s[0] == '-';
    uint64_t v = 0;
    if (!parse_uint(A(0)->s + sign, A(0)->n - sign, &v) || v > (uint64_t)INT64_MAX + minus)
        bad(c, "int");
    else
        *c->out = oc_cel_int(minus ? (int64_t)(0 - v) : (int64_t)v);
}
static void int_of_timestamp(struct oc_cel_call *c)
{
    *c->out = oc_cel_int(A(0)->i);
}
static void uint_of_int(struct oc_cel_call *c)
{
    if (A(0)->i < 0)
        bad(c, "uint");
    else
        *c->out = oc_cel_uint((uint64_t)A(0)->i);
}
static void uint_of_double(struct oc_cel_call *c)
{
    if (A(0)->d >= 0 && A(0)->d < 0x1p64)
        *c->out = oc_cel_uint((uint64_t)A(0)->d);
    else
        bad(c, "uint");
}
static void uint_of_string(struct oc_cel_call *c)
{
    uint64_t v = 0;
    if (parse_uint(A(0)->s, A(0)->n, &v))
        *c->out = oc_cel_uint(v);
    else
        bad(c, "uint");
}
static void double_of_int(struct oc_cel_call *c)
{
    *c->out = oc_cel_double((double)A(0)->i);
}
static void double_of_uint(struct oc_cel_call *c)
{
    *c->out = oc_cel_double((double)A(0)->u);
}
static void double_of_string(struct oc_cel_call *c)
{
    double d = 0;
    int r = oc_cel_parse_double(A(0)->s, A(0)->n, &d);
    if (r == OUTCALL_E_NO_MEMORY)
        oc_cel_fatal(c->ev, c->pos, c->out, r);
    else if (r < 0)
        bad(c, "double");
    else
        *c->out = oc_cel_double(d);
}

static void string_of(struct oc_cel_call *c)
{
    char buf[OC_CEL_NET_SIZE + OC_CEL_TIME_SIZE];
    const oc_cel_value *v = A(0);
    size_t n = 0;
    switch (v->kind) {
    case OUTCALL_CEL_BOOL:
        n = (size_t)snprintf(buf, sizeof(buf), "%s", v->b ? "true" : "false");
        break;
    case OUTCALL_CEL_INT:
        n = (size_t)snprintf(buf, sizeof(buf), "%lld", (long long)v->i);
        break;
    case OUTCALL_CEL_UINT:
        n = (size_t)snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v->u);
        break;
    case OUTCALL_CEL_DOUBLE:
        n = oc_cel_format_double(v->d, buf, sizeof(buf));
        break;
    case OUTCALL_CEL_TIMESTAMP:
        n = oc_cel_format_timestamp(v, buf);
        break;
    case OUTCALL_CEL_DURATION:
        n = oc_cel_format_duration(v->i, buf);
        break;
    default:
        n = oc_cel_format_net(v, buf);
        break;
    }
    char *copy = oc_cel_scratch(c, n + 1);
    if (!copy)
        return;
    memcpy(copy, buf, n);
    copy[n] = 0;
    *c->out = oc_cel_string(copy, n);
}
static void string_of_bytes(struct oc_cel_call *c)
{
    if (!pay(c, A(0)->n))
        return;
    if (A(0)->n > 0 && !oc_utf8_valid(A(0)->s, A(0)->n))
        oc_cel_call_error(c, OUTCALL_E_INVALID, "the bytes are no UTF-8");
    else
        *c->out = oc_cel_string(A(0)->s, A(0)->n);
}
static void bytes_of_string(struct oc_cel_call *c)
{
    *c->out = oc_cel_bytes(A(0)->s, A(0)->n);
}
static void timestamp_of_string(struct oc_cel_call *c)
{
    if (!oc_cel_parse_timestamp(A(0)->s, A(0)->n, c->out))
        bad(c, "timestamp");
}
static void timestamp_of_int(struct oc_cel_call *c)
{
    if (A(0)->i < OC_CEL_TIME_MIN || A(0)->i > OC_CEL_TIME_MAX)
        bad(c, "timestamp");
    else
        *c->out = (oc_cel_value){.kind = OUTCALL_CEL_TIMESTAMP, .i = A(0)->i};
}
static void duration_of_string(struct oc_cel_call *c)
{
    int64_t nanos = 0;
    if (oc_cel_parse_duration(A(0)->s, A(0)->n, &nanos))
        *c->out = (oc_cel_value){.kind = OUTCALL_CEL_DURATION, .i = nanos};
    else
        bad(c, "duration");
}

#define EITHER (OC_CEL_GLOBAL | OC_CEL_MEMBER)
const struct oc_cel_func oc_cel_core_funcs[] = {
    {"startsWith", "ss:b", OC_CEL_MEMBER, starts_with},
    {"endsWith", "ss:b", OC_CEL_MEMBER, ends_with},
    {"contains", "ss:b", OC_CEL_MEMBER, contains},
    {"matches", "ss:b", EITHER, oc_cel_matches},
    {"glob", "ss:b", EITHER, glob},
    {"size", "s:i", EITHER, size_string},
    {"size", "y:i", EITHER, size_count},
    {"size", "l:i", EITHER, size_count},
    {"size", "m:i", EITHER, size_count},
    {"type", "*:T", OC_CEL_GLOBAL, type_of},
    {"dyn", "*:*", OC_CEL_GLOBAL, identity},
    {"bool", "b:b", OC_CEL_GLOBAL, identity},
    {"bool", "s:b", OC_CEL_GLOBAL, bool_of_string},
    {"int", "i:i", OC_CEL_GLOBAL, identity},
    {"int", "u:i", OC_CEL_GLOBAL, int_of_uint},
    {"int", "d:i", OC_CEL_GLOBAL, int_of_double},
    {"int", "s:i", OC_CEL_GLOBAL, int_of_string},
    {"int", "t:i", OC_CEL_GLOBAL, int_of_timestamp},
    {"uint", "u:u", OC_CEL_GLOBAL, identity},
    {"uint", "i:u", OC_CEL_GLOBAL, uint_of_int},
    {"uint", "d:u", OC_CEL_GLOBAL, uint_of_double},
    {"uint", "s:u", OC_CEL_GLOBAL, uint_of_string},
    {"double", "d:d", OC_CEL_GLOBAL, identity},
    {"double", "i:d", OC_CEL_GLOBAL, double_of_int},
    {"double", "u:d", OC_CEL_GLOBAL, double_of_uint},
    {"double", "s:d", OC_CEL_GLOBAL, double_of_string},
    {"string", "s:s", OC_CEL_GLOBAL, identity},
    {"string", "y:s", OC_CEL_GLOBAL, string_of_bytes},
    {"string", "b:s", OC_CEL_GLOBAL, string_of},
    {"string", "i:s", OC_CEL_GLOBAL, string_of},
    {"string", "u:s", OC_CEL_GLOBAL, string_of},
    {"string", "d:s", OC_CEL_GLOBAL, string_of},
    {"string", "t:s", OC_CEL_GLOBAL, string_of},
    {"string", "r:s", OC_CEL_GLOBAL, string_of},
    {"string", "p:s", OC_CEL_GLOBAL, string_of},
    {"string", "c:s", OC_CEL_GLOBAL, string_of},
    {"bytes", "y:y", OC_CEL_GLOBAL, identity},
    {"bytes", "s:y", OC_CEL_GLOBAL, bytes_of_string},
    {"timestamp", "t:t", OC_CEL_GLOBAL, identity},
    {"timestamp", "s:t", OC_CEL_GLOBAL, timestamp_of_string},
    {"timestamp", "i:t", OC_CEL_GLOBAL, timestamp_of_int},
    {"duration", "r:r", OC_CEL_GLOBAL, identity},
    {"duration", "s:r", OC_CEL_GLOBAL, duration_of_string},
    {NULL, NULL, 0, NULL},
};
