/* scalar.c - one text as one line of YAML. */
#include "base/str.h"
#include "policy/layout.h"
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool oc_scalar_is_special(const char *s, size_t len)
{
    static const char *const words[] = {"",  "~", "null", "true", "false", "yes",   "no",   "on",
                                        "y", "n", "off",  ".nan", ".inf",  "-.inf", "+.inf"};
    static const char number[] = "0123456789abcdefABCDEFxXoO_.,:+-tTzZ";
    for (size_t i = 0; i < OC_ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == len && strncasecmp(words[i], s, len) == 0)
            return true;
    if (!is_digit(s[0]) && s[0] != '+' && s[0] != '-' && s[0] != '.')
        return false;
    bool digits = false;
    for (size_t i = 0; i < len; i++) {
        if (!strchr(number, s[i]))
            return false;
        digits |= is_digit(s[i]);
    }
    return digits; /* or what looks like one, such as 10.0.0.1 */
}

/* The character at s[*i], which moves on. The text is valid UTF-8. */
static uint32_t next_char(const char *s, size_t *i)
{
    unsigned char c = (unsigned char)s[(*i)++];
    uint32_t v = c < 0x80 ? c : c < 0xe0 ? c & 0x1fU : c < 0xf0 ? c & 0x0fU : c & 0x07U;
    for (; c >= 0x80 && ((unsigned char)s[*i] & 0xc0) == 0x80; ++*i)
        v = v << 6 | ((unsigned char)s[*i] & 0x3fU);
    return v;
}

/* Can only be written with a backslash. */
static bool is_odd(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
           c == 0xffff;
}

bool oc_scalar_needs_escape(const char *s, size_t len)
{
    for (size_t i = 0; i < len;)
        if (is_odd(next_char(s, &i)))
            return true;
    return false;
}

bool oc_scalar_fits_block(const char *s, size_t len)
{
    size_t n = len > 0 && s[len - 1] == '\n' ? len - 1 : len;
    if (n == 0 || s[n - 1] == '\n')
        return false;
    for (size_t i = 0; i < n;) {
        uint32_t c = next_char(s, &i);
        if (c != '\n' && c != '\t' && is_odd(c))
            return false;
    }
    return true;
}

/* Safe without quotes wherever it stands; some that are not told safe are, and get quotes. */
static bool is_plain(const char *s, size_t len, bool flow)
{
    if (len == 0 || oc_scalar_is_special(s, len) || oc_scalar_needs_escape(s, len))
        return false;
    if (!is_letter(s[0]) && !is_digit(s[0]) && !strchr("_/$(.", s[0]))
        return false;
    if (s[len - 1] == ' ' || s[len - 1] == ':' || strcspn(s, flow ? ",[]{}:?#" : "") < (flow ? len : 0))
        return false;
    return !strstr(s, ": ") && !strstr(s, " #");
}

static int write_double(struct oc_buf *b, const char *s, size_t len)
{
    int r = oc_buf_char(b, '"');
    for (size_t i = 0; i < len && r == 0;) {
        size_t from = i;
        uint32_t c = next_char(s, &i);
        if (c == '"' || c == '\\')
            r = oc_buf_printf(b, "\\%c", (char)c);
        else if (c == '\n' || c == '\t' || c == '\r')
            r = oc_buf_str(b, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (is_odd(c))
            r = oc_buf_printf(b, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        else
            r = oc_buf_add(b, s + from, i - from);
    }
    return r < 0 ? r : oc_buf_char(b, '"');
}

static int write_single(struct oc_buf *b, const char *s, size_t len)
{
    int r = oc_buf_char(b, '\'');
    for (size_t i = 0; i < len && r == 0; i++)
        r = s[i] == '\'' ? oc_buf_str(b, "''") : oc_buf_char(b, s[i]);
    return r < 0 ? r : oc_buf_char(b, '\'');
}

int oc_write_scalar(struct oc_buf *b, const char *s, size_t len, bool flow)
{
    if (is_plain(s, len, flow))
        return oc_buf_add(b, s, len);
    bool awkward = memchr(s, '"', len) || memchr(s, '\\', len);
    return awkward && !oc_scalar_needs_escape(s, len) ? write_single(b, s, len) : write_double(b, s, len);
}
