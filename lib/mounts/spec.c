#include "base/base.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/mounts.h"
#include <limits.h>
#include <string.h>

#define VOLUME_NAME_MAX 128

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool volume_name_is_valid(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if (!is_alnum(s[n]) && (n == 0 || !strchr("_.-", s[n])))
            return false;
    return n > 0 && n <= VOLUME_NAME_MAX;
}

/* The reason comes first: a long text is cut at its end. */
static int invalid(outcall_error *err, const char *text, const char *why)
{
    int r = oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID, "invalid mount: %s: \"%s\"", why,
                         text);
    oc_error_at(err, text, 0, 0);
    return r;
}

static int check_bytes(const char *spec, size_t len, outcall_error *err)
{
    if (len > OUTCALL_MOUNT_SPEC_MAX)
        return oc_fail_kind(err, OUTCALL_E_LIMIT, OUTCALL_KIND_MOUNT_INVALID,
                            "invalid mount: longer than %d bytes", OUTCALL_MOUNT_SPEC_MAX);
    if (!oc_utf8_valid(spec, len))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                            "invalid mount: not valid UTF-8");
    if (oc_has_control(spec, len))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                            "invalid mount: contains control characters");
    return 0;
}

/* NULL when it is fine, else what is wrong with it. */
static const char *options_problem(char *options, int *ret_read_only)
{
    bool ro = false, rw = false;
    for (char *p = options; p;) {
        char *word = p;
        p = strchr(p, ',');
        if (p)
            *p++ = '\0';
        bool *seen = oc_streq(word, "ro") ? &ro : oc_streq(word, "rw") ? &rw : NULL;
        if (!seen)
            return "is not an option (expected ro or rw)";
        if (*seen)
            return "is given twice";
        *seen = true;
    }
    if (ro && rw)
        return "contradicts itself: both ro and rw";
    *ret_read_only = ro;
    return NULL;
}

static int parse_options(const char *text, const char *options, int *ret_read_only, outcall_error *err)
{
    char words[64];
    if (oc_copy(words, sizeof(words), options, strlen(options)) < 0)
        return invalid(err, text, "options are too long (expected ro or rw)");
    const char *problem = options_problem(words, ret_read_only);
    if (!problem)
        return 0;
    int r = oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                         "invalid mount: option \"%s\" %s: \"%s\"", options, problem, text);
    oc_error_at(err, text, 0, 0);
    return r;
}

static int check_source(const char *text, const char *source, outcall_error *err)
{
    if (source[0] == '\0')
        return invalid(err, text, "source is empty (expected SOURCE:TARGET[:ro|:rw])");
    if (strlen(source) >= PATH_MAX)
        return invalid(err, text, "source is too long");
    if (source[0] != '/' && !volume_name_is_valid(source))
        return invalid(err, text, "source must be an absolute path or a volume name");
    return 0;
}

static int check_target(const char *text, const char *target, outcall_error *err)
{
    if (target[0] != '/')
        return invalid(err, text, "target must be an absolute path");
    return strlen(target) >= PATH_MAX ? invalid(err, text, "target is too long") : 0;
}

int outcall_mount_parse(const char *spec, size_t len, outcall_mount *ret, char *buf, size_t size,
                        outcall_error *err)
{
    char text[OUTCALL_MOUNT_SPEC_MAX + 1];
    if (!spec || !ret || !buf)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_mount_parse: NULL argument");
    int r = check_bytes(spec, len, err);
    if (r < 0)
        return r;
    if (len >= size)
        return oc_fail(err, OUTCALL_E_LIMIT, "buffer is too small for the mount");
    (void)oc_copy(text, sizeof(text), spec, len);
    (void)oc_copy(buf, size, spec, len);

    outcall_mount m = {.source = buf};
    char *colon = strchr(buf, ':');
    if (!colon)
        return invalid(err, text, "target is missing (expected SOURCE:TARGET[:ro|:rw])");
    *colon = '\0';
    char *target = colon + 1;
    char *options = strchr(target, ':');
    if (options)
        *options++ = '\0';
    m.target = target;
    if (options && strchr(options, ':'))
        return invalid(err, text, "has more than three parts (expected SOURCE:TARGET[:ro|:rw])");
    r = check_source(text, m.source, err);
    if (r == 0)
        r = check_target(text, m.target, err);
    if (r == 0 && options)
        r = parse_options(text, options, &m.read_only, err);
    if (r == 0)
        *ret = m;
    return r;
}

int outcall_mount_is_volume(const outcall_mount *m)
{
    return m && m->source && m->source[0] != '/' && m->source[0] != '\0';
}
