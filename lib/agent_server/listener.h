/* agent_server/listener.h - one container's directory, socket, HTTP server and sessions. */
#ifndef AGENT_SERVER_LISTENER_H
#define AGENT_SERVER_LISTENER_H
#include "agent_server/session.h"
#include "agent_server/share.h"
#include "agent_server/worker.h"
#include "base/rate.h"
#include "base/str.h"
#include "http/server.h"
#include "outcall/agent_server.h"

#define OC_AGENT_NAME_MAX 127
#define OC_AGENT_BACKLOG  128
#define OC_AGENT_JOBS_MAX 4 /* of one container, waiting for the disk */

/* What all listeners of a server share; one thread uses it, under the server's lock. */
struct oc_agent_shared {
    unsigned max_connections; /* those that sessions keep included */
    unsigned max_holding;     /* of these; the rest is there for questions and heartbeats */
    outcall_log *log;
    outcall_policy_slot *policy; /* NULL: nothing is ready */
    struct oc_worker *worker;    /* NULL: no rule requests */
    outcall_context *context;
    unsigned heartbeat_s;
    struct oc_rate check_rate, request_rate; /* fresh ones */
    outcall_decision_fn on_decision;
    void *userdata;
};

struct oc_agent_listener {
    char name[OC_AGENT_NAME_MAX + 1];
    struct oc_agent_shared *shared;
    oc_http_server *http;
    bool active;      /* has connections, which can time out */
    bool parked;      /* took long, and is left alone for a while: see share.h */
    bool watched;     /* its descriptor is in the server's epoll */
    bool identified;  /* who is known, connections are taken */
    dev_t socket_dev; /* which file it listens at */
    ino_t socket_ino;
    outcall_identity who; /* its labels are those below */
    struct oc_strings labels;
    struct oc_sessions sessions;
    struct oc_rate check_rate, request_rate;
    unsigned jobs;         /* calls that wait for the worker */
    unsigned holding;      /* connections that a session keeps open */
    struct oc_share share; /* of the thread */
};

/* The process that made a connection, decided once. */
struct oc_agent_peer {
    struct oc_agent_listener *l;
    outcall_peer peer;
    bool denied;
    bool holds; /* a session came from this connection */
};

bool oc_agent_name_ok(const char *name);
/* Makes <dir_fd>/<name>/agent.sock and serves it; *ret: new. */
OC_NODISCARD int oc_agent_listener_new(struct oc_agent_listener **ret, struct oc_agent_shared *shared,
                                       int dir_fd, const char *name, outcall_error *err);
struct oc_agent_listener *oc_agent_listener_free(struct oc_agent_listener *l); /* leaves the files */
/* Is the file that it listens at still where it was put? */
bool oc_agent_listener_in_place(const struct oc_agent_listener *l, int dir_fd);
/* Is this who it was told already? */
bool oc_agent_listener_knows(const struct oc_agent_listener *l, const outcall_identity *who);
/* Says who may connect from now on, once. who: copied. OUTCALL_E_NO_MEMORY: as it was. */
OC_NODISCARD int oc_agent_listener_identify(struct oc_agent_listener *l, const outcall_identity *who);
/* Removes the socket, what an interrupted open left beside it, and the directory. */
void oc_agent_listener_remove_files(int dir_fd, const char *name, const outcall_log *log);

void oc_agent_peer_free(void *peer); /* oc_http_server_options.peer_free */
/* The same options' error_body: what the HTTP glue says by itself. */
OC_NODISCARD char *oc_agent_http_error(void *userdata, int status, const char *text);

/* routes.c: answers one request; userdata is the listener. */
void oc_agent_handle(void *userdata, oc_http_call *call);
/* Answers the call that a job belongs to. */
void oc_agent_job_done(struct oc_agent_listener *l, struct oc_job *job);
/* {"success":false,...}: new, NULL when out of memory. */
OC_NODISCARD char *oc_agent_error_body(int kind, const char *text);

#endif
