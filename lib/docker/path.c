#include "base/buf.h"
#include "core/error.h"
#include "docker/engine.h"
#include <stdarg.h>
#include <string.h>

#define PATH_TEXT_MAX ((size_t)64 << 10)
#define ARGUMENTS_MAX 8

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
}

/* RFC 3986 section 2.3: all but the unreserved characters as %XX. */
static int add_escaped(struct oc_buf *b, const char *s)
{
    int r = 0;
    for (; *s && r == 0; s++)
        r = is_unreserved(*s) ? oc_buf_char(b, *s) : oc_buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
    return r;
}

/* "", "." and ".." change which object a path names; as a query's value they are just text. */
static bool is_bad_segment(const struct oc_buf *b, const char *s)
{
    if (b->data && memchr(b->data, '?', b->len))
        return false;
    return s[0] == '\0' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

static int add_argument(struct oc_buf *b, const char *s, outcall_error *err)
{
    if (is_bad_segment(b, s))
        return oc_fail(err, OUTCALL_E_INVALID, "\"%s\" cannot name an object of the engine", s);
    return add_escaped(b, s);
}

static int build(struct oc_buf *b, const char *fmt, const char *const *args, size_t n, outcall_error *err)
{
    size_t used = 0;
    int r = 0;
    for (; *fmt && r == 0; fmt++) {
        if (*fmt != '%')
            r = oc_buf_char(b, *fmt);
        else if (*++fmt == 's' && used < n)
            r = add_argument(b, args[used++], err);
        else
            return oc_fail(err, OUTCALL_E_INTERNAL, "a path is built from at most %d %%s", ARGUMENTS_MAX);
    }
    return r < 0 ? oc_fail_code(err, r, "path") : 0;
}

int oc_docker_path(char **ret, outcall_error *err, const char *fmt, ...)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = {.max = PATH_TEXT_MAX};
    const char *args[ARGUMENTS_MAX] = {NULL};
    size_t n = 0;
    va_list ap;
    va_start(ap, fmt);
    for (const char *p = fmt; (p = strstr(p, "%s")) && n < ARGUMENTS_MAX; p += 2)
        args[n++] = va_arg(ap, const char *);
    va_end(ap);
    int r = build(&b, fmt, args, n, err);
    char *path = r == 0 ? oc_buf_take(&b, NULL) : NULL;
    if (r == 0 && !path)
        r = oc_no_memory(err);
    if (r == 0)
        *ret = path;
    return r;
}
