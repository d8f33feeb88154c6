/* The rules: how a set is loaded, and how it comes into force. Loads take turns; whoever asks the rules waits
 * for none of them. */
#include "daemon/rules.h"
#include "base/fd.h"
#include "base/path.h"
#include "core/error.h"
#include "core/log.h"
#include "daemon/daemon.h"
#include <errno.h>

#define RULES_LOG "rules" /* the log's word for what is wrong with them */

static int check_dir(const char *dir, bool *ret_exists, outcall_error *err)
{
    const char *why = NULL;
    OC_CLOSE int fd = -1;
    int r = oc_open_safe_dir(dir, false, 0, &fd, &why);
    if (r == OUTCALL_E_DENIED)
        return oc_fail_kind(err, r, OUTCALL_KIND_RULES_INVALID, "rules-dir: \"%s\" %s", dir, why);
    if (r < 0 && errno != ENOENT)
        return oc_fail_code(err, r, "rules-dir: cannot open \"%s\"", dir);
    *ret_exists = fd >= 0;
    return 0;
}

struct problems {
    outcall_log *log;
    size_t refusals_n;
};

static void on_problem(void *userdata, const outcall_error *problem, int warning)
{
    struct problems *p = userdata;
    if (warning)
        oc_log_error(p->log, OUTCALL_LOG_WARN, RULES_LOG, problem, "warning");
    else if (p->refusals_n++ > 0)
        oc_log_error(p->log, OUTCALL_LOG_ERROR, RULES_LOG, problem, "also refused");
}

int oc_rules_load(const char *dir, outcall_log *log, outcall_policy **ret, bool *ret_exists,
                  outcall_error *err)
{
    struct problems problems = {log, 0};
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    bool exists = false;
    int r = check_dir(dir, &exists, err);
    if (r < 0)
        return r;
    o.dir = dir;
    o.problem = on_problem;
    o.userdata = &problems;
    o.log = log;
    o.guarded = 1;
    r = outcall_policy_load(ret, &o, err);
    if (r < 0 && r != OUTCALL_E_NO_MEMORY && err && err->kind == 0)
        err->kind = OUTCALL_KIND_RULES_INVALID;
    if (r == 0 && ret_exists)
        *ret_exists = exists;
    return r;
}

int oc_daemon_open_rules(outcall_daemon *d, outcall_error *err)
{
    outcall_policy *p = NULL;
    int r = oc_rules_load(d->config.rules_dir, d->log, &p, NULL, err);
    if (r < 0)
        return r;
    oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "%zu rules from %zu files", outcall_policy_rules_n(p),
           outcall_policy_files_n(p));
    (void)outcall_policy_slot_swap(d->policy, p);
    return 0;
}

/* err NULL: p has just come into force. */
static void tell(outcall_daemon *d, const char *cause, const outcall_policy *p, uint64_t generation,
                 const outcall_error *err)
{
    if (err)
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, err, "the rules stay as they were (%s)",
                     cause);
    else
        oc_log(d->log, OUTCALL_LOG_INFO, OC_TARGET_LOG,
               "rules reloaded (%s): generation %llu, %zu rules from %zu files", cause,
               (unsigned long long)generation, outcall_policy_rules_n(p), outcall_policy_files_n(p));
    if (d->api)
        outcall_host_api_reloaded(d->api, cause, p, generation, err);
}

int oc_daemon_reload(outcall_daemon *d, const char *cause, outcall_policy **ret, uint64_t *ret_generation,
                     outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    uint64_t generation = 0;
    (void)pthread_mutex_lock(&d->loading);
    int r = oc_rules_load(d->config.rules_dir, d->log, &p, NULL, &e);
    if (r == 0)
        generation = outcall_policy_slot_swap(d->policy, outcall_policy_ref(p));
    else
        p = outcall_policy_slot_get(d->policy, &generation);
    tell(d, cause, p, generation, r < 0 ? &e : NULL);
    (void)pthread_mutex_unlock(&d->loading);
    if (r < 0) {
        if (err && err->code == 0)
            *err = e;
        return r;
    }
    if (ret)
        *ret = oc_take_ptr(&p);
    if (ret_generation)
        *ret_generation = generation;
    return 0;
}

int outcall_daemon_reload(outcall_daemon *d, outcall_error *err)
{
    return oc_daemon_reload(d, "signal", NULL, NULL, err);
}
