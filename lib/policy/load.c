/* A directory or a text to a set: all or nothing. */
#include "policy/load.h"
#include "base/fd.h"
#include "base/path.h"
#include "core/error.h"
#include "policy/index.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 65536 /* of a directory; chosen here */

int oc_load_refuse(struct oc_loader *l, outcall_error *e, const char *file)
{
    bool ends = e->code == OUTCALL_E_NO_MEMORY || e->code == OUTCALL_E_SYSTEM;
    oc_error_at(e, file, 0, 0);
    if (l->refused++ == 0) {
        l->code = e->code;
        if (l->err && l->err->code == 0)
            *l->err = *e;
    }
    if (l->opts->problem)
        l->opts->problem(l->opts->userdata, e, 0);
    return ends || !l->opts->problem || l->refused == OC_REFUSALS_MAX ? e->code : 0;
}

static int refuse(struct oc_loader *l, const char *file, int code, const char *text)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    (void)oc_fail(&e, code, "%s", text);
    return oc_load_refuse(l, &e, file);
}

int oc_load_warn(struct oc_loader *l, const char *file, int line, int column, const char *fmt, ...)
{
    if (l->p->warnings.n == OC_WARNINGS_MAX)
        return 0;
    outcall_error e = OUTCALL_ERROR_INIT;
    char text[OUTCALL_ERROR_TEXT], one[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)oc_fail(&e, OUTCALL_E_INVALID, "%s", text);
    oc_error_at(&e, file, line, column);
    if (l->opts->problem)
        l->opts->problem(l->opts->userdata, &e, 1);
    int n = outcall_error_format(&e, one, sizeof(one));
    if (n < 0 || oc_strings_add(&l->p->warnings, one, strlen(one)) < 0)
        return refuse(l, file, OUTCALL_E_NO_MEMORY, "out of memory");
    return 0;
}

static int take_file(struct oc_loader *l, const char *name, const char *data, size_t len)
{
    l->p->files_n++;
    l->bytes += len;
    if (l->bytes > OC_SET_BYTES_MAX)
        return refuse(l, name, OUTCALL_E_LIMIT, "the set of rules is larger than 64 MiB");
    return oc_load_file(l, name, data, len);
}

/* A file is refused, not passed over, when it is not what it seems: the rules that block may be in it. */
static int read_one(struct oc_loader *l, int dir, const char *name)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    struct stat st;
    OC_FREE char *data = NULL;
    size_t len = 0;
    OC_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return refuse(l, name, OUTCALL_E_INVALID, "is a symlink; rule files are regular files");
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)oc_fail_errno(&e, "cannot be opened");
        return oc_load_refuse(l, &e, name);
    }
    if (!S_ISREG(st.st_mode))
        return refuse(l, name, OUTCALL_E_INVALID, "is no regular file");
    const char *why = l->opts->guarded ? oc_unsafe_owner(&st) : NULL;
    if (why)
        return refuse(l, name, OUTCALL_E_DENIED, why);
    int r = oc_read_all(fd, OC_YAML_SIZE_MAX, &data, &len);
    if (r == OUTCALL_E_LIMIT)
        return refuse(l, name, r, "the file is larger than 4 MiB");
    if (r < 0) {
        (void)oc_fail_code(&e, r, "cannot be read");
        return oc_load_refuse(l, &e, name);
    }
    return take_file(l, name, data, len);
}

static bool is_rule_file(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && ((len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
                              (len > 4 && strcmp(name + len - 4, ".yml") == 0));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* The names of the rule files, in order. */
static int list(DIR *dir, struct oc_strings *names)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir); // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        if (!entry && errno != 0)
            return OUTCALL_E_SYSTEM;
        if (!entry)
            break;
        if (!is_rule_file(entry->d_name))
            continue;
        if (names->n == FILES_MAX)
            return OUTCALL_E_LIMIT;
        int r = oc_strings_add(names, entry->d_name, strlen(entry->d_name));
        if (r < 0)
            return r;
    }
    if (names->n > 1)
        qsort(names->v, names->n, sizeof(*names->v), by_bytes);
    return 0;
}

static int read_dir(struct oc_loader *l, const char *path)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    OC_CLEANUP(oc_strings_done) struct oc_strings names = {NULL, 0, 0};
    OC_CLEANUP(close_dir) DIR *dir = NULL;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    l->missing = fd < 0 && errno == ENOENT;
    if (l->missing)
        return oc_load_warn(l, path, 0, 0, "the directory does not exist; everything is blocked");
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        (void)oc_fail_errno(&e, "cannot be opened");
        oc_close(fd);
        return oc_load_refuse(l, &e, path);
    }
    int r = list(dir, &names);
    if (r < 0) {
        (void)oc_fail_code(&e, r, "cannot be read");
        return oc_load_refuse(l, &e, path);
    }
    for (size_t i = 0; i < names.n && r == 0; i++)
        r = oc_utf8_valid(names.v[i], strlen(names.v[i])) && !oc_has_control(names.v[i], strlen(names.v[i]))
                ? read_one(l, fd, names.v[i])
                : refuse(l, names.v[i], OUTCALL_E_INVALID, "the name is not printable UTF-8");
    return r;
}

struct order {
    int32_t priority;
    uint32_t at;
};

static int by_priority(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Gives back what an array that grew by doubling has too much. */
static bool fit(void *array, size_t n, size_t *cap, size_t size)
{
    void **v = array;
    if (n == 0 || n == *cap)
        return true;
    void *exact = reallocarray(*v, n, size);
    if (!exact)
        return false;
    *v = exact;
    *cap = n;
    return true;
}

/* Rules were added file by file, in order: what is left is their priority, and what goes by it. */
static int put_in_order(struct outcall_policy *p)
{
    OC_FREE struct order *order = oc_new_array(p->rules_n, sizeof(*order));
    struct oc_rule *sorted = oc_new_array(p->rules_n, sizeof(*sorted));
    p->counts = oc_new_array(p->rules_n, sizeof(*p->counts));
    if (!order || !sorted || !p->counts) {
        free(sorted);
        return OUTCALL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < p->rules_n; i++)
        order[i] = (struct order){p->rules[i].priority, (uint32_t)i};
    qsort(order, p->rules_n, sizeof(*order), by_priority);
    for (size_t i = 0; i < p->rules_n; i++)
        sorted[i] = p->rules[order[i].at];
    free(p->rules);
    p->rules = sorted;
    p->rules_cap = p->rules_n;
    if (!fit(&p->more, p->more_n, &p->more_cap, sizeof(*p->more)) ||
        !fit(&p->agents, p->agents_n, &p->agents_cap, sizeof(*p->agents)) ||
        !fit(&p->ports, p->ports_n, &p->ports_cap, sizeof(*p->ports)))
        return OUTCALL_E_NO_MEMORY;
    oc_cel_pool_seal(p->pool);
    int r = oc_policy_index_ids(p);
    return r < 0 ? r : oc_index_new(&p->index, p);
}

static int finish(struct oc_loader *l, const char *where)
{
    int r = put_in_order(l->p);
    if (r < 0)
        return refuse(l, where, r, "out of memory");
    if (l->p->rules_n == 0 && !l->missing)
        r = oc_load_warn(l, where, 0, 0, "there are no rules; everything is blocked");
    return r < 0 ? r : oc_tests_run(l);
}

static int load(struct oc_loader *l)
{
    const outcall_policy_options *o = l->opts;
    const char *name = o->name ? o->name : "rules.yaml";
    int r = oc_policy_new(&l->p, o->log, l->err);
    if (r == 0) {
        r = outcall_context_new(&l->context);
        if (r < 0)
            return oc_fail_code(l->err, r, "rules");
        r = o->dir ? read_dir(l, o->dir) : take_file(l, name, o->text, o->text_len);
    }
    if (r == 0 && l->refused == 0)
        r = finish(l, o->dir ? o->dir : name);
    return l->refused > 0 ? l->code : r;
}

int outcall_policy_load(outcall_policy **ret, const outcall_policy_options *opts, outcall_error *err)
{
    if (!ret || !opts || opts->version != 1 || !opts->dir == !opts->text)
        return oc_fail(err, OUTCALL_E_INVALID,
                       "the options have an unknown version, or not one of dir and text");
    if (opts->name && (!oc_utf8_valid(opts->name, strlen(opts->name)) ||
                       oc_has_control(opts->name, strlen(opts->name)) || !*opts->name))
        return oc_fail(err, OUTCALL_E_INVALID, "the name is not printable UTF-8");
    if (opts->tests_timeout_ms > OC_TESTS_TIMEOUT_MS_MAX || opts->expanded_max_bytes > OC_SET_BYTES_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "tests_timeout_ms or expanded_max_bytes is too large");
    struct oc_loader l = {.opts = opts, .err = err};
    l.expanded_max = opts->expanded_max_bytes ? opts->expanded_max_bytes : OC_SET_BYTES_MAX;
    int r = load(&l);
    for (size_t i = 0; i < l.tests_n; i++)
        (void)oc_yaml_free(l.tests[i].tests);
    free(l.tests);
    (void)outcall_context_free(l.context);
    if (r < 0) {
        (void)outcall_policy_unref(l.p);
        return r;
    }
    *ret = l.p;
    return 0;
}

int outcall_policy_load_dir(outcall_policy **ret, const char *dir, outcall_log *log, outcall_error *err)
{
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.dir = dir;
    o.log = log;
    return outcall_policy_load(ret, &o, err);
}

int outcall_policy_load_text(outcall_policy **ret, const char *name, const char *yaml, size_t len,
                             outcall_log *log, outcall_error *err)
{
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.name = name;
    o.text = yaml;
    o.text_len = len;
    o.log = log;
    return outcall_policy_load(ret, &o, err);
}
