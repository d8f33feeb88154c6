#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "mounts/check.h"
#include "mounts/protected.h"
#include "outcall/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct outcall_denylist {
    atomic_uint refs;
    struct oc_strings names; /* the added ones first */
    struct oc_check check;
    outcall_log *log;
};

static int add_path(outcall_denylist *l, const char *path, outcall_error *err)
{
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || path[0] != '/' || len >= PATH_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "protected path \"%s\" is not an absolute path",
                       path ? path : "");
    if (!oc_utf8_valid(path, len) || oc_has_control(path, len))
        return oc_fail(err, OUTCALL_E_INVALID, "protected path is not UTF-8 without control characters");
    return oc_strings_add(&l->names, path, len) < 0 ? oc_no_memory(err) : 0;
}

static int check_options(const outcall_denylist_options *o, outcall_error *err)
{
    if (o->version != 1)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_denylist_options: unknown version %u", o->version);
    if (o->n_paths > OUTCALL_DENYLIST_PATHS_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "too many protected paths: %zu (at most %d)", o->n_paths,
                       OUTCALL_DENYLIST_PATHS_MAX);
    if (o->n_paths > 0 && !o->paths)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_denylist_options: paths is NULL");
    if (o->max_walk_n > OUTCALL_DENYLIST_WALK_N_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "max_walk_n is %zu (at most %d)", o->max_walk_n,
                       OUTCALL_DENYLIST_WALK_N_MAX);
    if (o->max_walk_depth > OUTCALL_DENYLIST_WALK_DEPTH_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "max_walk_depth is %u (at most %d)", o->max_walk_depth,
                       OUTCALL_DENYLIST_WALK_DEPTH_MAX);
    return 0;
}

int outcall_denylist_new(outcall_denylist **ret, const outcall_denylist_options *opts, outcall_error *err)
{
    static const outcall_denylist_options none = OUTCALL_DENYLIST_OPTIONS_INIT;
    const outcall_denylist_options *o = opts ? opts : &none;
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_denylist_new: ret is NULL");
    int r = check_options(o, err);
    if (r < 0)
        return r;
    outcall_denylist *l = calloc(1, sizeof(*l));
    if (!l)
        return oc_no_memory(err);
    atomic_init(&l->refs, 1);
    l->log = outcall_log_ref(o->log);
    for (size_t i = 0; r == 0 && i < o->n_paths; i++)
        r = add_path(l, o->paths[i], err);
    for (size_t i = 0; r == 0 && i < oc_protected_paths_n; i++)
        r = add_path(l, oc_protected_paths[i], err);
    l->check.names = &l->names;
    l->check.ours_n = o->n_paths;
    l->check.max_walk_n = o->max_walk_n ? o->max_walk_n : OUTCALL_DENYLIST_WALK_N;
    l->check.max_walk_depth = o->max_walk_depth ? o->max_walk_depth : OUTCALL_DENYLIST_WALK_DEPTH;
    if (r < 0)
        (void)outcall_denylist_unref(l);
    else
        *ret = l;
    return r;
}

outcall_denylist *outcall_denylist_ref(outcall_denylist *l)
{
    if (l)
        (void)atomic_fetch_add(&l->refs, 1);
    return l;
}

outcall_denylist *outcall_denylist_unref(outcall_denylist *l)
{
    if (l && atomic_fetch_sub(&l->refs, 1) == 1) {
        oc_strings_done(&l->names);
        (void)outcall_log_unref(l->log);
        free(l);
    }
    return NULL;
}

OC_PRINTF(3, 4) static int deny(outcall_error *err, const char *source, const char *fmt, ...)
{
    char why[OUTCALL_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    int r = oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "bind mount denied: \"%s\" %s",
                         source, why);
    oc_error_at(err, source, 0, 0);
    return r;
}

/* A shortage of ours says nothing about the source. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static int unresolved(outcall_error *err, const char *source, const struct oc_verdict *v)
{
    char words[128];
    const char *about = v->path[0] ? v->path : source;
    if (v->code == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (v->code == OUTCALL_E_SYSTEM && is_shortage(v->error)) {
        errno = v->error;
        return oc_fail_errno(err, "cannot check bind mount source \"%s\"", source);
    }
    const char *why = v->code == OUTCALL_E_SYSTEM ? strerror_r(v->error, words, sizeof(words))
                      : v->code == OUTCALL_E_BUSY
                          ? "it changes, was deleted, or lies in another mount namespace"
                          : outcall_code_string(v->code);
    return deny(err, source, "cannot be checked: \"%s\": %s", about, why);
}

static int report(const outcall_denylist *l, const char *source, const struct oc_verdict *v,
                  outcall_error *err)
{
    const char *where = v->path[0] ? v->path : source;
    switch (v->finding) {
    case OC_ALLOWED:
        return 0;
    case OC_LISTED:
        return deny(err, source, "is on the deny list");
    case OC_EXPOSES:
        return deny(err, source, "exposes protected path \"%s\"", where);
    case OC_TOO_MANY:
        return deny(err, source, "cannot be searched: more than %zu entries below \"%s\"",
                    l->check.max_walk_n, where);
    case OC_TOO_DEEP:
        return deny(err, source, "cannot be searched: more than %u levels below \"%s\"",
                    l->check.max_walk_depth, where);
    case OC_UNRESOLVED:
        break;
    }
    return unresolved(err, source, v);
}

static int open_source(const char *source, int *ret_fd, outcall_error *err)
{
    int fd = open(source, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        int r = oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_MOUNT_INVALID,
                             "bind mount source \"%s\" does not exist", source);
        oc_error_at(err, source, 0, 0);
        return r;
    }
    if (fd < 0)
        return unresolved(err, source, &(struct oc_verdict){.code = OUTCALL_E_SYSTEM, .error = errno});
    *ret_fd = fd;
    return 0;
}

int outcall_denylist_has(const outcall_denylist *l, const char *path)
{
    return oc_strings_has(&l->names, path);
}

int outcall_denylist_check(const outcall_denylist *l, const outcall_mount *m, int *ret_pin_fd,
                           outcall_error *err)
{
    if (!l || !m || !ret_pin_fd)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_denylist_check: NULL argument");
    const char *source = m->source ? m->source : "";
    if (source[0] != '/' || !oc_utf8_valid(source, strlen(source)) || oc_has_control(source, strlen(source)))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                            "bind mount source must be an absolute path of UTF-8 without control characters");
    struct oc_verdict v;
    OC_CLOSE int pin = -1;
    int r = open_source(source, &pin, err);
    if (r < 0)
        return r;
    oc_check_source(&l->check, pin, &v);
    r = report(l, source, &v, err);
    if (r == 0)
        *ret_pin_fd = oc_take_fd(&pin);
    else
        oc_log(l->log, OUTCALL_LOG_DEBUG, "mounts", "refused \"%s\": finding %d, \"%s\"", source,
               (int)v.finding, v.path);
    return r;
}
