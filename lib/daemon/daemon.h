/* daemon/daemon.h - the daemon's inside: every part it owns, and the threads beside the host API's. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H
#include "daemon/config.h"
#include "daemon/rule_watch.h"
#include "outcall/agent_server.h"
#include "outcall/host_api.h"
#include <pthread.h>

#define OC_TARGET_LOG "daemon" /* the log's word for this folder */

struct outcall_daemon {
    struct oc_config config;
    outcall_log *log;
    void (*on_ready)(void *userdata);
    void *userdata;

    char *agents_dir,
        *stage_dir; /* below the runtime directory; stage_dir NULL: stages cannot be made here */
    int lock_fd;    /* held as long as the daemon lives */
    int listen_fd;  /* handed in, or -1 */
    bool ran;

    outcall_policy_slot
        *policy;             /* the rules in force; generation 1 is none, before the first ones are loaded */
    pthread_mutex_t loading; /* loads of the rules take turns */
    outcall_requests *requests;
    oc_rule_watch *rule_watch; /* NULL: nobody watches */
    outcall_docker *docker;
    outcall_denylist *denylist;
    outcall_networks *networks;
    outcall_agent_server *agents;
    outcall_containers *containers;
    outcall_host_api *api;

    int stop_fd; /* eventfd: tells the threads to end */
    pthread_t agent_thread, watch_thread, rules_thread;
    bool agent_runs, watch_runs, rules_run;
};

/* Directories and the lock. Each names the setting or path that is wrong. */
OC_NODISCARD int oc_daemon_open_dirs(outcall_daemon *d, outcall_error *err);

/* The first set of rules; one that is wrong is no start. */
OC_NODISCARD int oc_daemon_open_rules(outcall_daemon *d, outcall_error *err);
/* Loads the rules and puts them in force, or leaves the old ones there; tells log and event stream. cause:
 * one word, who wants it. *ret, *ret_generation (may be NULL): the set in force, new; its number. */
OC_NODISCARD int oc_daemon_reload(outcall_daemon *d, const char *cause, outcall_policy **ret,
                                  uint64_t *ret_generation, outcall_error *err);
/* outcall_decision_fn: every decision of this daemon ends up here. userdata: the outcall_daemon. */
void oc_daemon_record(void *userdata, const outcall_decision *decision);

/* The containers' hooks into the agent server. */
outcall_agent_hooks oc_daemon_agent_hooks(outcall_daemon *d);

/* Starts and ends the threads; end is harmless when they never started. */
OC_NODISCARD int oc_daemon_start_threads(outcall_daemon *d, outcall_error *err);
void oc_daemon_end_threads(outcall_daemon *d);

/* The engine can be reached (again): makes the default network. */
void oc_daemon_engine_ready(outcall_daemon *d);

#endif
