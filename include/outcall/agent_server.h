/* outcall/agent_server.h - the agents' side of the daemon: one listening socket per container. Since 0.1.0.
 *
 * Today every request is answered 503 {"success":false,"error":"the agent API is not ready",
 * "code":"not_ready"}: no session is given, no action allowed. */
#ifndef OUTCALL_AGENT_SERVER_H
#define OUTCALL_AGENT_SERVER_H
#include "error.h"
#include "log.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_AGENT_SERVER_MAX 4096 /* containers with an open socket */

/* All containers' sockets. No threads inside: one thread drives it (fd, timeout_ms, process) and never
 * blocks; the other calls are thread-safe beside it. */
typedef struct outcall_agent_server outcall_agent_server;

typedef struct outcall_agent_server_options {
    unsigned version;
    const char *agents_dir;   /* copied; required: an absolute path; made (0755) when missing */
    unsigned max_connections; /* open at once per container, the rest waits in its backlog; 0 = 64 */
    outcall_log *log;         /* a reference is taken; NULL = silent */
} outcall_agent_server_options;
#define OUTCALL_AGENT_SERVER_OPTIONS_INIT \
    {                                     \
        1, NULL, 0, NULL                  \
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
 * bytes of [a-z0-9_.-], the first a letter or digit. A socket that is there already - another daemon's, or
 * this one's from an earlier open - is replaced in one step; then its connections end. ret_path: the socket's
 * path, size bytes, or NULL. Errors: E_INVALID (name), E_DENIED (what has the directory's name is not a
 * directory of ours), E_LIMIT (OUTCALL_AGENT_SERVER_MAX, or ret_path too small), E_SYSTEM (descriptors: each
 * socket takes two), E_NO_MEMORY; nothing is open then that was not before. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_server_open(outcall_agent_server *s, const char *name,
                                                            char *ret_path, size_t size, outcall_error *err);

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
