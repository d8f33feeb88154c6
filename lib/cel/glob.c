#include "cel/glob.h"
#include <string.h>

static size_t char_len(const char *s, size_t left)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return OC_MIN(n, left);
}

static int order(const char *a, size_t na, const char *b, size_t nb)
{
    int r = memcmp(a, b, OC_MIN(na, nb));
    return r ? r : (na > nb) - (na < nb);
}

/* The set "[...]" at p: its length, 0 when it does not end. *hit: is the character in it? */
static size_t set(const char *p, size_t left, const char *c, size_t n, bool *hit)
{
    size_t i = 1;
    bool negative = i < left && (p[i] == '!' || p[i] == '^'), found = false, first = true;
    i += negative;
    while (i < left && (p[i] != ']' || first)) {
        first = false;
        i += p[i] == '\\' && i + 1 < left;
        const char *low = p + i;
        size_t n_low = char_len(low, left - i);
        i += n_low;
        const char *high = low;
        size_t n_high = n_low;
        if (i + 1 < left && p[i] == '-' && p[i + 1] != ']') {
            i++;
            i += p[i] == '\\' && i + 1 < left;
            high = p + i;
            n_high = char_len(high, left - i);
            i += n_high;
        }
        if (n > 0 && order(low, n_low, c, n) <= 0 && order(c, n, high, n_high) <= 0)
            found = true;
    }
    *hit = found != negative && n > 0 && *c != '/';
    return i < left ? i + 1 : 0;
}

static bool well_formed(const char *p, size_t len)
{
    bool hit = false;
    for (size_t i = 0; i < len;) {
        size_t n = p[i] == '[' ? set(p + i, len - i, "", 0, &hit) : p[i] == '\\' ? (i + 1 < len ? 2 : 0) : 1;
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* One item that is no star against the character at s: bytes of pattern and of text used, or false. */
static bool one(const char *p, size_t left, const char *s, size_t n, size_t *used)
{
    bool hit = false;
    if (*p == '?') {
        *used = 1;
        return *s != '/';
    }
    if (*p == '[') {
        *used = set(p, left, s, n, &hit);
        return hit;
    }
    size_t skip = *p == '\\' ? 1 : 0, m = char_len(p + skip, left - skip);
    *used = skip + m;
    return m == n && memcmp(p + skip, s, n) == 0;
}

struct star { /* where to go on when what follows the star did not match */
    size_t pattern, text;
    bool set, deep;
};

int oc_cel_glob(struct oc_cel_budget *budget, const char *s, size_t len, const char *p, size_t plen)
{
    struct star shallow = {0, 0, false, false}, deep = shallow;
    size_t i = 0, k = 0;
    if (!well_formed(p, plen))
        return OUTCALL_E_SYNTAX;
    for (;;) {
        if (!oc_cel_spend(budget, 1))
            return OUTCALL_E_LIMIT;
        if (k < plen && p[k] == '*') {
            bool two = k + 1 < plen && p[k + 1] == '*';
            k += two ? 2 : 1;
            if (two) {
                deep = (struct star){k, i, true, true};
                shallow.set = false;
            } else {
                shallow = (struct star){k, i, true, false};
            }
            continue;
        }
        size_t n = i < len ? char_len(s + i, len - i) : 0, used = 0;
        if (k == plen && i == len)
            return 1;
        if (k < plen && i < len && one(p + k, plen - k, s + i, n, &used)) {
            k += used;
            i += n;
            continue;
        }
        /* A single star cannot swallow a slash; the double one before it can. */
        if (shallow.set && shallow.text < len && s[shallow.text] != '/') {
            shallow.text += char_len(s + shallow.text, len - shallow.text);
            k = shallow.pattern;
            i = shallow.text;
        } else if (deep.set && deep.text < len) {
            deep.text += char_len(s + deep.text, len - deep.text);
            k = deep.pattern;
            i = deep.text;
            shallow.set = false;
        } else {
            return 0;
        }
    }
}
