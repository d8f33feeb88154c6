/* outcall/agent_server.h - the agents' side of the daemon: one listening socket per container, and the
 * answers to what its agent asks. Usable without the rest of the daemon. Since 0.1.0.
 *
 * Who asks is decided by the socket, which is one container's own, and by the kernel: the process that made
 * the connection must live in that container's cgroup (identity.h). Until outcall_agent_server_identify has
 * said what that is, connections wait in the socket's backlog; a container may begin to ask before its mounts
 * are attested, and gets its answers afterwards.
 *
 * The API: POST /v1/checkin, /v1/heartbeat, /v1/permissions/check, /v1/requests/rules; GET
 * /v1/requests/rules/{id}; bodies in protocol.h. Nothing about conditions of rules, other containers, the
 * host or the configuration is ever sent. Source: spec section 8. */
#ifndef OUTCALL_AGENT_SERVER_H
#define OUTCALL_AGENT_SERVER_H
#include "identity.h"
#include "policy.h"
#include "protocol.h"
#include "requests.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_AGENT_SERVER_MAX 4096 /* containers with an open socket */

/* All containers' sockets. One thread drives it (fd, timeout_ms, process) and never blocks; the other calls
 * are thread-safe beside it. Rule requests, which wait for the disk, go through one thread inside. */
typedef struct outcall_agent_server outcall_agent_server;

typedef struct outcall_agent_server_options {
    unsigned version;
    const char *agents_dir; /* copied; required: an absolute path; made (0755) when missing */
    /* Open at once per container; and three times as many of those that have checked in and stay open to see
     * the daemon end, so that a container whose commands run has room for their heartbeats. The rest waits in
     * its backlog. 0 = 64 */
    unsigned max_connections;
    outcall_log *log;            /* a reference is taken; NULL = silent */
    outcall_policy_slot *policy; /* borrowed; NULL: every request is answered 503, no session is given */
    outcall_requests *requests;  /* borrowed; NULL: rule requests are answered 404 */
    unsigned eval_timeout_ms;    /* of one verdict, 1 to 60 000, then it is a block; 0 = 5000 */
    unsigned heartbeat_s;        /* what a check-in asks for, 1 to 60; 0 = 5 */
    /* Questions and check-ins per container: n in any window of so many seconds; 0, 0 = 1000 in 10 s */
    uint32_t check_rate_n, check_rate_window_s;
    uint32_t request_rate_n, request_rate_window_s; /* rule requests, the same way; 0, 0 = 10 in 60 s */
    outcall_decision_fn on_decision; /* each verdict, check-ins too, on the driving thread; must not call the
                                        server; NULL: nobody is told */
    void *userdata;                  /* for on_decision; borrowed */
} outcall_agent_server_options;
#define OUTCALL_AGENT_SERVER_OPTIONS_INIT                          \
    {                                                              \
        1, NULL, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL \
    }

/* Opens the agents' directory, which must be nobody's but root's and this process's user's; everything below
 * it is reached through its descriptor. *ret: new, outcall_agent_server_free. Errors: E_INVALID (an argument
 * is missing, unknown version), E_DENIED (the directory is a symlink, belongs to somebody else or can be
 * written by others), E_SYSTEM, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_server_new(outcall_agent_server **ret,
                                                           const outcall_agent_server_options *opts,
                                                           outcall_error *err);

/* Ends all connections and stops listening; directories and socket files stay where they are, so that a
 * container whose mount shows one meets the next daemon there. No other call may be under way. NULL is
 * allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_agent_server *outcall_agent_server_free(outcall_agent_server *s);

/* Listens at <agents_dir>/<name>/agent.sock: directory 0755, socket 0666, whatever the umask. name: 1 to 127
 * bytes of [a-z0-9_.-], the first a letter or digit. What this server has open already stays as it is, its
 * connections too, while its file is in its place; any other file there, another daemon's, is replaced in one
 * step. ret_path: the socket's path, size bytes, or NULL. Errors: E_INVALID (name), E_DENIED (what has the
 * directory's name is not a directory of ours), E_LIMIT (OUTCALL_AGENT_SERVER_MAX, or ret_path too small),
 * E_SYSTEM (descriptors: each socket takes three), E_NO_MEMORY; nothing is open then that was not before. Any
 * thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_server_open(outcall_agent_server *s, const char *name,
                                                            char *ret_path, size_t size, outcall_error *err);

/* Says who the container is: from now on its connections are taken and its requests answered. Said again
 * nothing changes; another one than before starts with no connections and no sessions. name: of an open
 * socket; who: copied, with its labels. Errors: E_NOT_FOUND (no such socket is open), E_INVALID, and, with
 * nobody answered from then on, E_NO_MEMORY, E_SYSTEM. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_server_identify(outcall_agent_server *s, const char *name,
                                                                const outcall_identity *who,
                                                                outcall_error *err);

/* The container stopped: its connections and sessions end, its socket stays and waits for identify. Any
 * thread. Since 0.1.0. */
OUTCALL_API void outcall_agent_server_stopped(outcall_agent_server *s, const char *name);

/* Ends the container's connections and removes its socket and directory, also when it was not open (left by
 * a daemon that crashed). Any thread. Since 0.1.0. */
OUTCALL_API void outcall_agent_server_close(outcall_agent_server *s, const char *name);

/* How many sockets are open. Any thread. Since 0.1.0. */
OUTCALL_API size_t outcall_agent_server_count(const outcall_agent_server *s);

/* Borrowed until free: readable when outcall_agent_server_process has something to do. Since 0.1.0. */
OUTCALL_API int outcall_agent_server_fd(const outcall_agent_server *s);

/* When to call outcall_agent_server_process at the latest though nothing is readable, in milliseconds from
 * now; -1 = never. Ask again after each process(); an open or close by another thread makes the descriptor
 * readable where it changes this. Driving thread only. Since 0.1.0. */
OUTCALL_API int64_t outcall_agent_server_timeout_ms(outcall_agent_server *s);

/* Takes connections, reads, answers: what can be done now, then returns. Errors: E_SYSTEM (epoll; the server
 * is of no more use), E_INVALID. Never blocks but for an open or close under way. Driving thread only. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_server_process(outcall_agent_server *s, outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_agent_server, outcall_agent_server_free)
OUTCALL_END_DECLS
#endif
