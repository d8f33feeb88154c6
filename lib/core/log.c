#include "core/log.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TARGETS_MAX  16
#define TARGET_SIZE  32
#define MESSAGE_SIZE 2048 /* an error's text and its source fit */

struct outcall_log {
    atomic_uint refs;
    outcall_log_fn fn;
    void *userdata;
    int level;
    size_t n;
    struct {
        char target[TARGET_SIZE];
        int level;
    } targets[TARGETS_MAX];
};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

const char *outcall_log_level_name(int level)
{
    return level < 0 || level >= (int)OC_ARRAY_SIZE(level_names) ? "unknown" : level_names[level];
}

int outcall_log_new(outcall_log **ret, outcall_log_fn fn, void *userdata)
{
    if (!ret || !fn)
        return OUTCALL_E_INVALID;
    outcall_log *log = calloc(1, sizeof(*log));
    if (!log)
        return OUTCALL_E_NO_MEMORY;
    atomic_init(&log->refs, 1);
    log->fn = fn;
    log->userdata = userdata;
    log->level = OUTCALL_LOG_INFO;
    *ret = log;
    return 0;
}

outcall_log *outcall_log_ref(outcall_log *log)
{
    if (log)
        (void)atomic_fetch_add(&log->refs, 1);
    return log;
}

outcall_log *outcall_log_unref(outcall_log *log)
{
    if (log && atomic_fetch_sub(&log->refs, 1) == 1)
        free(log);
    return NULL;
}

static int parse_level(const char *s, size_t len)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(level_names); i++)
        if (strlen(level_names[i]) == len && memcmp(level_names[i], s, len) == 0)
            return (int)i;
    return OUTCALL_E_INVALID;
}

/* One "TARGET=LEVEL" or "LEVEL" of a filter. */
static int add_filter(outcall_log *f, const char *s, size_t len)
{
    const char *eq = memchr(s, '=', len);
    size_t n = eq ? (size_t)(eq - s) : 0;
    int level = eq ? parse_level(eq + 1, len - n - 1) : parse_level(s, len);
    if (level < 0)
        return level;
    if (!eq) {
        f->level = level;
        return 0;
    }
    if (n == 0 || n >= TARGET_SIZE || f->n == TARGETS_MAX)
        return OUTCALL_E_INVALID;
    (void)oc_copy(f->targets[f->n].target, TARGET_SIZE, s, n);
    f->targets[f->n++].level = level;
    return 0;
}

int outcall_log_set_filter(outcall_log *log, const char *spec)
{
    if (!log || !spec)
        return OUTCALL_E_INVALID;
    outcall_log parsed = {.level = OUTCALL_LOG_INFO};
    for (const char *p = spec;;) {
        size_t n = strcspn(p, ",");
        int r = add_filter(&parsed, p, n);
        if (r < 0)
            return r;
        if (p[n] == '\0')
            break;
        p += n + 1;
    }
    log->level = parsed.level;
    log->n = parsed.n;
    memcpy(log->targets, parsed.targets, sizeof(log->targets));
    return 0;
}

int outcall_log_enabled(const outcall_log *log, int level, const char *target)
{
    if (!log)
        return 0;
    for (size_t i = 0; i < log->n; i++)
        if (strcmp(log->targets[i].target, target) == 0)
            return level <= log->targets[i].level;
    return level <= log->level;
}

static void emit(const outcall_log *log, int level, const char *target, char *msg)
{
    for (char *p = msg; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' '; /* one message is one line, whatever a peer put into it */
    oc_utf8_repair(msg);
    log->fn(level, target, msg, log->userdata);
}

void oc_log(const outcall_log *log, int level, const char *target, const char *fmt, ...)
{
    char msg[MESSAGE_SIZE];
    if (!outcall_log_enabled(log, level, target))
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    emit(log, level, target, msg);
}

void oc_log_error(const outcall_log *log, int level, const char *target, const outcall_error *err,
                  const char *fmt, ...)
{
    char msg[MESSAGE_SIZE];
    if (!outcall_log_enabled(log, level, target))
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n + 3 < sizeof(msg)) {
        (void)oc_copy(msg + n, sizeof(msg) - (size_t)n, ": ", 2);
        (void)outcall_error_format(err, msg + n + 2, sizeof(msg) - (size_t)n - 2);
    }
    emit(log, level, target, msg);
}
