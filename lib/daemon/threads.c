/* The agent sockets' thread, which never blocks, and the threads that follow the engine's events and the rule
 * files. */
#include "base/fd.h"
#include "core/error.h"
#include "core/log.h"
#include "daemon/daemon.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

static int hook_open(void *userdata, const char *name, char *ret_path, size_t size, outcall_error *err)
{
    outcall_daemon *d = userdata;
    return outcall_agent_server_open(d->agents, name, ret_path, size, err);
}

static void hook_identify(void *userdata, const char *name, const outcall_identity *who)
{
    outcall_daemon *d = userdata;
    outcall_error err = OUTCALL_ERROR_INIT;
    if (outcall_agent_server_identify(d->agents, name, who, &err) < 0) /* then nobody answers, which blocks */
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err, "the agent of \"%s\" gets no answers",
                     name);
}

static void hook_stopped(void *userdata, const char *name)
{
    outcall_daemon *d = userdata;
    outcall_agent_server_stopped(d->agents, name);
}

static void hook_close(void *userdata, const char *name)
{
    outcall_daemon *d = userdata;
    outcall_agent_server_close(d->agents, name);
}

/* Directories that a crash left: the agent server closes what it has not opened too. */
static void hook_sweep(void *userdata, int (*keep)(void *keep_userdata, const char *name),
                       void *keep_userdata)
{
    outcall_daemon *d = userdata;
    DIR *dir = opendir(d->agents_dir);
    const struct dirent *e = NULL;
    if (!dir) {
        oc_log(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "cannot read \"%s\": %s", d->agents_dir,
               strerror(errno));
        return;
    }
    while ((e = readdir(dir)))
        if (e->d_name[0] != '.' && !keep(keep_userdata, e->d_name))
            outcall_agent_server_close(d->agents, e->d_name);
    (void)closedir(dir);
}

outcall_agent_hooks oc_daemon_agent_hooks(outcall_daemon *d)
{
    return (outcall_agent_hooks){.open = hook_open,
                                 .identify = hook_identify,
                                 .stopped = hook_stopped,
                                 .close = hook_close,
                                 .sweep = hook_sweep,
                                 .userdata = d};
}

static void *run_agents(void *arg)
{
    outcall_daemon *d = arg;
    struct pollfd p[2] = {{.fd = outcall_agent_server_fd(d->agents), .events = POLLIN},
                          {.fd = d->stop_fd, .events = POLLIN}};
    for (;;) {
        outcall_error err = OUTCALL_ERROR_INIT;
        int64_t wait = outcall_agent_server_timeout_ms(d->agents);
        if (poll(p, 2, wait < 0 || wait > INT_MAX ? -1 : (int)wait) < 0 && errno != EINTR)
            (void)oc_fail_errno(&err, "poll");
        if (p[1].revents)
            return NULL;
        if (err.code == 0 && outcall_agent_server_process(d->agents, &err) == 0)
            continue;
        /* Nothing is answered any more, which is a block for everybody: it fails closed. */
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err, "the agent sockets are dead");
        return NULL;
    }
}

static void *run_watch(void *arg)
{
    outcall_daemon *d = arg;
    outcall_error err = OUTCALL_ERROR_INIT;
    if (outcall_containers_watch(d->containers, d->stop_fd, &err) < 0)
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err,
                     "nobody watches the engine's events any more");
    return NULL;
}

static void on_rules_changed(void *userdata)
{
    (void)!oc_daemon_reload(userdata, "watch", NULL, NULL, NULL); /* it tells the log by itself */
}

static void *run_rule_watch(void *arg)
{
    outcall_daemon *d = arg;
    outcall_error err = OUTCALL_ERROR_INIT;
    if (oc_rule_watch_run(d->rule_watch, d->stop_fd, on_rules_changed, d, &err) < 0)
        oc_log_error(d->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err,
                     "changes of the rules go unnoticed; SIGHUP still loads them");
    return NULL;
}

/* A thread that no signal is delivered to: those are the main program's business. */
static int start(pthread_t *ret, void *(*run)(void *), outcall_daemon *d, outcall_error *err)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    int e = pthread_create(ret, NULL, run, d);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = e;
    return e == 0 ? 0 : oc_fail_errno(err, "cannot start a thread");
}

int oc_daemon_start_threads(outcall_daemon *d, outcall_error *err)
{
    int r = start(&d->agent_thread, run_agents, d, err);
    d->agent_runs = r == 0;
    if (r == 0) {
        r = start(&d->watch_thread, run_watch, d, err);
        d->watch_runs = r == 0;
    }
    if (r == 0 && d->rule_watch) {
        r = start(&d->rules_thread, run_rule_watch, d, err);
        d->rules_run = r == 0;
    }
    return r;
}

void oc_daemon_end_threads(outcall_daemon *d)
{
    if (d->stop_fd >= 0)
        (void)eventfd_write(d->stop_fd, 1);
    if (d->agent_runs)
        (void)pthread_join(d->agent_thread, NULL);
    if (d->watch_runs)
        (void)pthread_join(d->watch_thread, NULL);
    if (d->rules_run)
        (void)pthread_join(d->rules_thread, NULL);
    d->agent_runs = d->watch_runs = d->rules_run = false;
}
