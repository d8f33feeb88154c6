#include "out.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 8
#define GAP         2
#define DEPTH_MAX   16 /* details nested deeper are left out: whoever needs them takes --json */

/* Bytes of the well-formed character at s, 0 when it is none. */
static size_t character(const unsigned char *s, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    if (n == 0)
        return 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fU);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

static bool is_harmless(uint32_t c)
{
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool direction = c == 0x200e || c == 0x200f || c == 0x61c || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069);
    bool line_break = c == 0x2028 || c == 0x2029;
    return !control && !direction && !line_break;
}

/* Up to its end or to the character stop; where that was. */
static const char *out_until(FILE *f, const char *s, char stop)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p && *p != (unsigned char)stop) {
        uint32_t c = 0;
        size_t n = character(p, &c);
        if (n > 0 && is_harmless(c)) {
            (void)fwrite(p, 1, n, f);
        } else {
            n = n > 0 ? n : 1;
            for (size_t i = 0; i < n; i++)
                fprintf(f, "\\x%02x", p[i]);
        }
        p += n;
    }
    return (const char *)p;
}

void out_text(FILE *f, const char *s)
{
    (void)out_until(f, s, '\0');
}

void out_lines(FILE *f, const char *s, const char *margin)
{
    size_t len = strlen(s);
    while (len > 0 && s[len - 1] == '\n')
        len--;
    for (const char *end = s + len; s < end; s++) {
        fputs(*s == '\n' ? "" : margin, f);
        s = out_until(f, s, '\n');
        fputc('\n', f);
    }
}

size_t out_width(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t width = 0;
    while (*p) {
        uint32_t c = 0;
        size_t n = character(p, &c);
        bool plain = n > 0 && is_harmless(c);
        n = n > 0 ? n : 1;
        width += plain ? 1 : 4 * n;
        p += n;
    }
    return width;
}

const json_t *out_member(const json_t *object, const char *names)
{
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, "|");
        const json_t *v = NULL;
        char name[64];
        if (n < sizeof(name)) {
            memcpy(name, p, n);
            name[n] = '\0';
            v = json_object_get(object, name);
        }
        if (v)
            return v;
        p += n + (p[n] == '|');
    }
    return NULL;
}

const char *out_value(const json_t *j, char *buf, size_t size)
{
    if (json_is_string(j))
        return json_string_value(j);
    if (json_is_boolean(j))
        return json_is_true(j) ? "true" : "false";
    buf[0] = '\0';
    if (json_is_integer(j))
        (void)snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
    else if (json_is_real(j))
        (void)snprintf(buf, size, "%g", json_real_value(j));
    else if (json_is_array(j))
        (void)snprintf(buf, size, "%zu", json_array_size(j));
    return buf;
}

static void cell(FILE *f, const char *text, size_t width, bool last)
{
    out_text(f, text);
    for (size_t w = out_width(text); !last && w < width; w++)
        fputc(' ', f);
}

void out_table(FILE *f, const struct out_column *columns, size_t n, const json_t *rows)
{
    size_t widths[COLUMNS_MAX] = {0}, i = 0;
    char buf[32];
    const json_t *row = NULL;
    n = n < COLUMNS_MAX ? n : COLUMNS_MAX;
    for (size_t c = 0; c < n; c++)
        widths[c] =
            columns[c].width > strlen(columns[c].title) ? columns[c].width : strlen(columns[c].title) + GAP;
    json_array_foreach((json_t *)rows, i, row)
    {
        for (size_t c = 0; c < n; c++) {
            size_t w = out_width(out_value(out_member(row, columns[c].key), buf, sizeof(buf))) + GAP;
            widths[c] = w > widths[c] ? w : widths[c];
        }
    }
    for (size_t c = 0; c < n; c++)
        cell(f, columns[c].title, widths[c], c + 1 == n);
    fputc('\n', f);
    json_array_foreach((json_t *)rows, i, row)
    {
        for (size_t c = 0; c < n; c++)
            cell(f, out_value(out_member(row, columns[c].key), buf, sizeof(buf)), widths[c], c + 1 == n);
        fputc('\n', f);
    }
}

static void details(FILE *f, const json_t *j, int indent, int depth);

static void detail(FILE *f, const char *key, const json_t *v, int indent, int width, int depth)
{
    char buf[32];
    bool nested = json_is_object(v) || json_is_array(v);
    size_t size = json_is_object(v) ? json_object_size(v) : json_array_size(v);
    fprintf(f, "%*s", indent, "");
    out_text(f, key);
    fputc(':', f);
    if (nested && size > 0) {
        fputc('\n', f);
        details(f, v, indent + 2, depth + 1);
        return;
    }
    const char *text = nested ? "" : out_value(v, buf, sizeof(buf));
    fprintf(f, "%*s", width - (int)out_width(key) + 1, "");
    out_text(f, *text ? text : "-");
    fputc('\n', f);
}

static void item(FILE *f, const json_t *v, int indent, int depth)
{
    char buf[32];
    if (json_is_object(v) || json_is_array(v)) {
        fprintf(f, "%*s-\n", indent, "");
        details(f, v, indent + 2, depth + 1);
        return;
    }
    fprintf(f, "%*s- ", indent, "");
    out_text(f, out_value(v, buf, sizeof(buf)));
    fputc('\n', f);
}

static void details(FILE *f, const json_t *j, int indent, int depth)
{
    const char *key = NULL;
    json_t *v = NULL;
    size_t i = 0, width = 0;
    if (depth > DEPTH_MAX)
        return;
    json_object_foreach((json_t *)j, key, v)
    {
        size_t w = out_width(key);
        width = w > width && w < 40 ? w : width;
    }
    json_object_foreach((json_t *)j, key, v)
    {
        detail(f, key, v, indent, (int)width, depth);
    }
    if (json_is_array(j)) {
        json_array_foreach((json_t *)j, i, v)
        {
            item(f, v, indent, depth);
        }
    }
}

void out_details(FILE *f, const json_t *object)
{
    details(f, object, 0, 0);
}
