/* A store of rule requests in a directory of its own, with a rules directory and a set in force beside it. */
#ifndef SUPPORT_REQUESTS_FIXTURE_H
#define SUPPORT_REQUESTS_FIXTURE_H
#include "base/fd.h"
#include "base/str.h"
#include "outcall/requests.h"
#include "policy/request_store.h"
#include "unit/unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE(id, condition) \
    "version: \"1\"\nrules:\n  - id: " id "\n    condition: " condition "\n    action: allow\n"
#define SIMPLE RULE("one", "run.tool == \"make\"")

struct requests_fixture {
    char root[64], dir[96], rules[96];
    outcall_policy_slot *slot;
    outcall_log *log;
    outcall_requests *store;
    outcall_requests_options opts;
    unsigned reloads, warnings;
    int refuse;            /* what reload says instead of loading */
    const char *in_reload; /* OUTCALL_FAULT from then on */
    char last[512];        /* warning or error */
};

static inline void fixture_log(int level, const char *target, const char *msg, void *userdata)
{
    struct requests_fixture *f = userdata;
    if (strcmp(target, OC_REQUESTS_LOG) != 0)
        abort(); /* Check's own asserts allocate, and would be failed */
    if (level > OUTCALL_LOG_WARN)
        return;
    f->warnings++;
    (void)snprintf(f->last, sizeof(f->last), "%s", msg);
}

static inline int fixture_reload(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    struct requests_fixture *f = userdata;
    outcall_policy *p = NULL;
    f->reloads++;
    if (f->in_reload)
        (void)setenv("OUTCALL_FAULT", f->in_reload, 1);
    if (f->refuse) {
        int code = f->refuse;
        f->refuse = 0;
        if (err)
            (void)snprintf(err->text, sizeof(err->text), "refused");
        if (err)
            err->code = code;
        return code;
    }
    int r = outcall_policy_load_dir(&p, f->rules, NULL, err);
    if (r < 0)
        return r;
    *ret_rules_n = outcall_policy_rules_n(p);
    (void)outcall_policy_slot_swap(f->slot, p);
    return 0;
}

static inline void fixture_open(struct requests_fixture *f)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_requests_new(&f->store, &f->opts, &err);
    ck_assert_msg(r == 0, "%d: %s", r, err.text);
}

static inline void fixture_begin(struct requests_fixture *f)
{
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->root, sizeof(f->root), "/tmp/outcall-requests-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->root));
    (void)snprintf(f->dir, sizeof(f->dir), "%s/requests", f->root);
    (void)snprintf(f->rules, sizeof(f->rules), "%s/rules", f->root);
    ck_assert_int_eq(outcall_policy_slot_new(&f->slot, NULL), 0);
    ck_assert_int_eq(outcall_log_new(&f->log, fixture_log, f), 0);
    f->opts = (outcall_requests_options)OUTCALL_REQUESTS_OPTIONS_INIT;
    f->opts.dir = f->dir;
    f->opts.rules_dir = f->rules;
    f->opts.reload = fixture_reload;
    f->opts.userdata = f;
    f->opts.log = f->log;
    f->opts.in_force = f->slot;
    fixture_open(f);
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void fixture_end(struct requests_fixture *f)
{
    f->store = outcall_requests_free(f->store);
    f->slot = outcall_policy_slot_free(f->slot);
    f->log = outcall_log_unref(f->log);
    ck_assert_int_eq(nftw(f->root, fixture_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void fixture_reopen(struct requests_fixture *f)
{
    f->store = outcall_requests_free(f->store);
    fixture_open(f);
}

/* Entries of a directory but . and .. */
static inline size_t fixture_count(const char *path)
{
    DIR *d = opendir(path);
    size_t n = 0;
    if (!d)
        return 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) /* NOLINT(concurrency-mt-unsafe) */
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

/* Submits what must be taken, and gives the id. */
static inline const char *fixture_submit(struct requests_fixture *f, const char *agent, const char *yaml,
                                         char id[OC_REQUEST_ID_SIZE])
{
    outcall_request *r = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int e = outcall_requests_submit(f->store, agent, yaml, strlen(yaml), &r, &err);
    ck_assert_msg(e == 0, "%d: %s:%d:%d: %s", e, err.source, err.line, err.column, err.text);
    (void)snprintf(id, OC_REQUEST_ID_SIZE, "%s", outcall_request_id(r));
    (void)outcall_request_free(r);
    return id;
}

/* -1: there is no such request. */
static inline int fixture_status(struct requests_fixture *f, const char *id)
{
    outcall_request *r = NULL;
    if (outcall_requests_get(f->store, id, NULL, &r, NULL) < 0)
        return -1;
    int status = outcall_request_status(r);
    (void)outcall_request_free(r);
    return status;
}

static inline void fixture_path(const char *dir, const char *before, const char *id, const char *after,
                                char path[256])
{
    (void)snprintf(path, 256, "%s/%s%s%s", dir, before, id, after);
}

static inline bool fixture_has_rules(const struct requests_fixture *f, const char *id)
{
    char path[256];
    struct stat st;
    fixture_path(f->rules, "agent-", id, ".yaml", path);
    if (lstat(path, &st) < 0)
        return false;
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
    return true;
}

static inline void fixture_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_write_all(fd, text, strlen(text)), 0);
    oc_close(fd);
}

/* Is an action of this agent allowed by the set in force? */
static inline bool fixture_allows(struct requests_fixture *f, const char *agent, const char *tool)
{
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_context *c = NULL;
    outcall_policy *p = outcall_policy_slot_get(f->slot, NULL);
    ck_assert_int_eq(outcall_context_new(&c), 0);
    ck_assert_int_eq(outcall_context_string(c, "agent.name", agent, strlen(agent)), 0);
    ck_assert_int_eq(outcall_context_string(c, "run.tool", tool, strlen(tool)), 0);
    ck_assert_int_eq(outcall_policy_decide(p, c, &v, NULL), 0);
    bool allowed = v.action == OUTCALL_ALLOW; /* v borrows from p */
    (void)outcall_context_free(c);
    (void)outcall_policy_unref(p);
    return allowed;
}

#endif
