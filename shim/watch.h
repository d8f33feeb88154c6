/* watch.h - the child and the daemon, watched until one of them ends. */
#ifndef SHIM_WATCH_H
#define SHIM_WATCH_H
#include "child.h"
#include "outcall/agent_client.h"

struct watch {
    int daemon_fd; /* borrowed: the first connection; anything that happens to it means the daemon is gone */
    int lost_fd;   /* eventfd: a heartbeat failed */
};

/* Starts the heartbeats, on a thread of their own: one that hangs must not keep signals and the child's end
 * waiting. Before the child, so that a child that uses up the PID limit does not keep the thread from being
 * made. They end with the process, so client must stay; only its descriptor is still the caller's. 0,
 * OUTCALL_E_SYSTEM with errno, _NO_MEMORY. */
OC_NODISCARD int watch_begin(struct watch *w, outcall_agent_client *client, unsigned heartbeat_s);
/* Has the daemon been lost? Waits for nothing. */
bool watch_lost(const struct watch *w);
/* Passes signals on, reaps, and comes back with the exit status: the child's, once everything it started has
 * ended too; or EXIT_DAEMON, once everything is killed. */
int watch_run(const struct watch *w, struct child *c, const struct signals *s);

#endif
