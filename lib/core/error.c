#define CORE_ERROR_C
#include "core/error.h"
#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_texts[] = {"success",
#define OUTCALL_XX(n, name, text) [n] = (text),
                                         OUTCALL_CODE_MAP(OUTCALL_XX)
#undef OUTCALL_XX
};

static const struct {
    const char *name;
    int status;
} kinds[] = {{"internal", 500},
#define OUTCALL_XX(n, name, text, status) [n] = {text, status},
             OUTCALL_KIND_MAP(OUTCALL_XX)
#undef OUTCALL_XX
};

static const char *const code_names[] = {"ok",     "invalid", "no-memory",   "not-found",  "exists",
                                         "busy",   "denied",  "unreachable", "timeout",    "protocol",
                                         "remote", "syntax",  "type",        "undeclared", "limit",
                                         "system", "closed",  "unsupported", "internal"};
_Static_assert(OC_ARRAY_SIZE(code_names) == OC_ARRAY_SIZE(code_texts), "one name for each code");

const char *outcall_code_name(int code)
{
    return code > 0 || code <= -(int)OC_ARRAY_SIZE(code_texts) ? "unknown" : code_names[-code];
}

const char *outcall_code_string(int code)
{
    return code > 0 || code <= -(int)OC_ARRAY_SIZE(code_texts) ? "unknown error" : code_texts[-code];
}

const char *outcall_kind_name(int kind)
{
    return kinds[kind < 0 || kind >= (int)OC_ARRAY_SIZE(kinds) ? 0 : kind].name;
}

int outcall_kind_status(int kind)
{
    return kinds[kind < 0 || kind >= (int)OC_ARRAY_SIZE(kinds) ? 0 : kind].status;
}

int oc_kind_by_name(const char *name)
{
    for (size_t i = 1; i < OC_ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (int)i;
    return OUTCALL_KIND_NONE;
}

void outcall_error_clear(outcall_error *err)
{
    if (err)
        memset(err, 0, sizeof(*err));
}

int outcall_error_format(const outcall_error *err, char *buf, size_t size)
{
    if (!err || err->code == 0)
        return snprintf(buf, size, "%s", "ok");
    const char *text = err->text[0] ? err->text : outcall_code_string(err->code);
    if (!err->source[0])
        return snprintf(buf, size, "%s", text);
    if (err->line <= 0)
        return snprintf(buf, size, "%s: %s", err->source, text);
    if (err->column <= 0)
        return snprintf(buf, size, "%s:%d: %s", err->source, err->line, text);
    return snprintf(buf, size, "%s:%d:%d: %s", err->source, err->line, err->column, text);
}

/* Appends at `at`; what does not fit is cut at a character and marked; line breaks become spaces: one line,
 * always. */
OC_PRINTF(3, 0) static size_t put(outcall_error *err, size_t at, const char *fmt, va_list ap)
{
    char *text = err->text + at;
    size_t room = sizeof(err->text) - at;
    int n = vsnprintf(text, room, fmt, ap);
    if (n < 0)
        n = 0;
    if ((size_t)n >= room) {
        size_t keep = room > 4 ? oc_utf8_cut(text, room - 1, room - 4) : 0;
        (void)oc_format(text + keep, room - keep, "%s", room > 4 ? "..." : "");
        n = (int)strlen(text);
    }
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    oc_utf8_repair(text); /* a quoted input, or a piece of one, need not be UTF-8 */
    return at + (size_t)n;
}

OC_PRINTF(3, 4) static size_t putf(outcall_error *err, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t end = put(err, at, fmt, ap);
    va_end(ap);
    return end;
}

static bool begin(outcall_error *err, int code, int kind)
{
    if (!err || err->code != 0)
        return false;
    err->code = code;
    err->kind = kind;
    return true;
}

int oc_fail(outcall_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (begin(err, code, 0))
        (void)put(err, 0, fmt, ap);
    va_end(ap);
    return code;
}

int oc_fail_kind(outcall_error *err, int code, int kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (begin(err, code, kind))
        (void)put(err, 0, fmt, ap);
    va_end(ap);
    return code;
}

OC_PRINTF(4, 0) static int fail_with(outcall_error *err, int code, int saved, const char *fmt, va_list ap)
{
    char words[128];
    if (!begin(err, code, 0))
        return code;
    err->sys_errno = code == OUTCALL_E_SYSTEM ? saved : 0;
    size_t at = put(err, 0, fmt, ap);
    (void)putf(err, at, ": %s",
               code == OUTCALL_E_SYSTEM ? strerror_r(saved, words, sizeof(words))
                                        : outcall_code_string(code));
    return code;
}

int oc_fail_errno(outcall_error *err, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    int r = fail_with(err, OUTCALL_E_SYSTEM, saved, fmt, ap);
    va_end(ap);
    return r;
}

int oc_fail_code(outcall_error *err, int code, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    int r = fail_with(err, code, saved, fmt, ap);
    va_end(ap);
    return r;
}

int oc_no_memory(outcall_error *err)
{
    return oc_fail(err, OUTCALL_E_NO_MEMORY, "out of memory");
}

void oc_error_at(outcall_error *err, const char *source, int line, int column)
{
    if (!err || err->code == 0)
        return;
    if (source && !err->source[0]) {
        size_t n = oc_utf8_cut(source, strlen(source), sizeof(err->source) - 1);
        (void)oc_copy(err->source, sizeof(err->source), source, n);
    }
    if (err->line == 0) {
        err->line = line;
        err->column = column;
    }
}

void oc_error_append(outcall_error *err, const char *fmt, ...)
{
    if (!err || err->code == 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    size_t at = putf(err, strlen(err->text), "; ");
    (void)put(err, at, fmt, ap);
    va_end(ap);
}
