/* Values as text. */
#include "cel/text.h"
#include "base/buf.h"
#include "cel/net.h"
#include "cel/time.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int oc_cel_parse_double(const char *s, size_t len, double *ret)
{
    char copy[512], *end = NULL;
    if (len == 0 || len >= sizeof(copy) || memchr(s, 0, len) || strchr(" \t\n\v\f\r", s[0]) ||
        memchr(s, 'x', len) || memchr(s, 'X', len))
        return OUTCALL_E_SYNTAX;
    memcpy(copy, s, len);
    copy[len] = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return OUTCALL_E_NO_MEMORY;
    double d = strtod_l(copy, &end, c);
    freelocale(c);
    if (end != copy + len)
        return OUTCALL_E_SYNTAX;
    *ret = d;
    return 0;
}

size_t oc_cel_format_double(double d, char *buf, size_t size)
{
    if (isnan(d))
        return (size_t)snprintf(buf, size, "NaN");
    if (isinf(d))
        return (size_t)snprintf(buf, size, d > 0 ? "+Inf" : "-Inf");
    size_t n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        double back = 0;
        n = (size_t)snprintf(buf, size, "%.*g", precision, d);
        char *comma = strpbrk(buf, ",");
        if (comma) /* the caller's locale */
            *comma = '.';
        if (oc_cel_parse_double(buf, n, &back) < 0 || back == d)
            break;
    }
    return n;
}

struct writer {
    struct oc_buf out;
    bool bad;
};

static void put(struct writer *w, const char *s, size_t n)
{
    w->bad = w->bad || oc_buf_add(&w->out, s, n) < 0;
}

static void put_quoted(struct writer *w, const oc_cel_value *v)
{
    put(w, v->kind == OUTCALL_CEL_BYTES ? "b\"" : "\"", v->kind == OUTCALL_CEL_BYTES ? 2 : 1);
    for (size_t i = 0; i < v->n && !w->bad; i++) {
        unsigned char c = (unsigned char)v->s[i];
        char escape[8] = {'\\', (char)c, 0};
        bool octal = c < 0x20 || c == 0x7f || (c >= 0x80 && v->kind == OUTCALL_CEL_BYTES);
        const char *names = c ? strchr("\nn\rr\tt", c) : NULL;
        if (c == '"' || c == '\\')
            put(w, escape, 2);
        else if (octal && names && c < 0x20)
            put(w, (char[]){'\\', names[1]}, 2);
        else if (octal)
            put(w, escape, (size_t)snprintf(escape, sizeof(escape), "\\%03o", c));
        else
            put(w, v->s + i, 1);
    }
    put(w, "\"", 1);
}

static void put_value(struct writer *w, const oc_cel_value *v);

static void put_elements(struct writer *w, const oc_cel_value *v)
{
    bool map = v->kind == OUTCALL_CEL_MAP;
    put(w, map ? "{" : "[", 1);
    for (size_t i = 0; i < v->n && !w->bad; i++) {
        if (i > 0)
            put(w, ", ", 2);
        if (map) {
            put_value(w, &v->v[2 * i]);
            put(w, ": ", 2);
        }
        put_value(w, &v->v[map ? 2 * i + 1 : i]);
    }
    put(w, map ? "}" : "]", 1);
}

static void put_scalar(struct writer *w, const oc_cel_value *v)
{
    char buf[OC_CEL_NET_SIZE + OC_CEL_TIME_SIZE];
    size_t n = 0;
    switch (v->kind) {
    case OUTCALL_CEL_NULL:
        n = (size_t)snprintf(buf, sizeof(buf), "null");
        break;
    case OUTCALL_CEL_BOOL:
        n = (size_t)snprintf(buf, sizeof(buf), "%s", v->b ? "true" : "false");
        break;
    case OUTCALL_CEL_INT:
        n = (size_t)snprintf(buf, sizeof(buf), "%lld", (long long)v->i);
        break;
    case OUTCALL_CEL_UINT:
        n = (size_t)snprintf(buf, sizeof(buf), "%lluu", (unsigned long long)v->u);
        break;
    default:
        n = oc_cel_format_double(v->d, buf, sizeof(buf));
        if (!isfinite(v->d)) {
            n = (size_t)snprintf(buf, sizeof(buf), "double(\"%s\")",
                                 isnan(v->d) ? "NaN"
                                 : v->d > 0  ? "Infinity"
                                             : "-Infinity");
        } else if (!strpbrk(buf, ".e")) {
            buf[n++] = '.';
            buf[n++] = '0';
        }
        break;
    }
    put(w, buf, n);
}

static void put_value(struct writer *w, const oc_cel_value *v)
{
    char buf[OC_CEL_NET_SIZE + OC_CEL_TIME_SIZE];
    const char *call = NULL;
    size_t n = 0;
    switch (v->kind) {
    case OUTCALL_CEL_STRING:
    case OUTCALL_CEL_BYTES:
        put_quoted(w, v);
        return;
    case OUTCALL_CEL_TYPE:
        put(w, v->s, v->n);
        return;
    case OUTCALL_CEL_LIST:
    case OUTCALL_CEL_MAP:
        put_elements(w, v);
        return;
    case OUTCALL_CEL_TIMESTAMP:
        call = "timestamp(\"";
        n = oc_cel_format_timestamp(v, buf);
        break;
    case OUTCALL_CEL_DURATION:
        call = "duration(\"";
        n = oc_cel_format_duration(v->i, buf);
        break;
    case OUTCALL_CEL_IP:
    case OUTCALL_CEL_CIDR:
        call = v->kind == OUTCALL_CEL_IP ? "ip(\"" : "cidr(\"";
        n = oc_cel_format_net(v, buf);
        break;
    default:
        put_scalar(w, v);
        return;
    }
    put(w, call, strlen(call));
    put(w, buf, n);
    put(w, "\")", 2);
}

int outcall_cel_value_text(const outcall_cel_value *v, char *buf, size_t size)
{
    if (!v || (!buf && size > 0))
        return OUTCALL_E_INVALID;
    struct writer w = {.out = OC_BUF_INIT};
    w.out.max = OC_CEL_TEXT_MAX;
    put_value(&w, v);
    size_t n = w.out.len;
    if (!w.bad && size > 0)
        (void)snprintf(buf, size, "%s", "");
    if (!w.bad && size > 0 && n > 0) {
        memcpy(buf, w.out.data, OC_MIN(n, size - 1));
        buf[OC_MIN(n, size - 1)] = 0;
    }
    oc_buf_done(&w.out);
    return w.bad ? OUTCALL_E_LIMIT : (int)n;
}
