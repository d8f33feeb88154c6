/* outcall/agent_client.h - the agent's side of the agent API: connect, check in, ask. For any C program in a
 * container; the shim is one. Fails closed: without a clear yes there is no yes. Since 0.1.0.
 *
 *     outcall_agent_client *client = NULL;
 *     outcall_session session;
 *     outcall_reply reply;
 *     outcall_error err = OUTCALL_ERROR_INIT;
 *     const outcall_check check = {OUTCALL_NETWORK_CALL, "https://api.example.com/v1", NULL, 0, NULL, NULL,
 * 0}; if (outcall_agent_client_new(&client, NULL, &err) < 0 || outcall_agent_client_checkin(client, &session,
 * &err) < 0 || outcall_agent_client_check(client, &check, &reply, &err) < 0 || !reply.allowed)
 *         ... blocked: err.text or reply.reason */
#ifndef OUTCALL_AGENT_CLIENT_H
#define OUTCALL_AGENT_CLIENT_H
#include "protocol.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_AGENT_SOCKET "/run/outcall/agent.sock" /* where containers find it */

/* One connection and its session. One thread at a time; several clients may live side by side. Never retries,
 * never reconnects: once the daemon is gone, or broke the protocol in a way that leaves the connection
 * unclear, every further call fails. */
typedef struct outcall_agent_client outcall_agent_client;

typedef struct outcall_agent_client_options {
    unsigned version;
    const char *socket_path; /* copied; NULL = OUTCALL_AGENT_SOCKET */
    uint64_t timeout_ms;     /* of one whole call, connecting included; 0 = 30 000 */
} outcall_agent_client_options;
#define OUTCALL_AGENT_CLIENT_OPTIONS_INIT \
    {                                     \
        1, NULL, 0                        \
    }

/* Connects. opts may be NULL. *ret: new, outcall_agent_client_free. OUTCALL_E_NOT_FOUND: no socket there;
 * _UNREACHABLE: nobody listens (sys_errno); _TIMEOUT; _INVALID; _NO_MEMORY. Blocks up to the timeout. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_new(outcall_agent_client **ret,
                                                           const outcall_agent_client_options *opts,
                                                           outcall_error *err);
/* Takes a connected stream socket instead: socketpairs of tests and fuzzers. take_fd: the client's on
 * success. heartbeat is OUTCALL_E_UNSUPPORTED then. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_from_fd(outcall_agent_client **ret, int take_fd,
                                                               uint64_t timeout_ms, outcall_error *err);
/* NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_agent_client *outcall_agent_client_free(outcall_agent_client *c);

/* Checks in and keeps the token. OUTCALL_E_DENIED: refused, err->text is the daemon's reason; _PROTOCOL: no
 * well-formed answer; _UNREACHABLE, _CLOSED, _TIMEOUT: the daemon is gone; _BUSY: too many requests,
 * err->status 429 (ask outcall_agent_client_retry_after_s); _INVALID, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_checkin(outcall_agent_client *c, outcall_session *ret,
                                                               outcall_error *err);
/* Asks. *ret is zeroed, which is blocked, before anything else. 0: a verdict arrived, read ret->allowed.
 * OUTCALL_E_PROTOCOL: the answer is malformed, which blocks this action only (a connection that is still in
 * step stays usable); _UNREACHABLE, _CLOSED, _TIMEOUT: the daemon is gone; _BUSY as above; _DENIED: the
 * daemon refused the question (err->status); _INVALID: not checked in, or the check cannot be encoded;
 * _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_check(outcall_agent_client *c,
                                                             const outcall_check *check, outcall_reply *ret,
                                                             outcall_error *err);
/* A heartbeat on a fresh connection to the same path, so that a socket that was removed or replaced is
 * noticed. Errors as above, and OUTCALL_E_NOT_FOUND. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_heartbeat(outcall_agent_client *c, outcall_error *err);
/* Submits a rule file; asks how a request stands. Errors as for check; a refusal (_DENIED) has status 422 and
 * the place in its text. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_request_rules(outcall_agent_client *c,
                                                                     const char *yaml, size_t len,
                                                                     outcall_rule_request_state *ret,
                                                                     outcall_error *err);
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_request_status(outcall_agent_client *c, const char *id,
                                                                      outcall_rule_request_state *ret,
                                                                      outcall_error *err);
/* Seconds the daemon asked to wait in its last 429; 0: none. Since 0.1.0. */
OUTCALL_API unsigned outcall_agent_client_retry_after_s(const outcall_agent_client *c);
/* Borrowed: poll for hang-up (POLLRDHUP, POLLHUP), which means that the daemon is gone. -1 for NULL. Since
 * 0.1.0. */
OUTCALL_API int outcall_agent_client_fd(const outcall_agent_client *c);

OUTCALL_DEFINE_CLEANUP(outcall_agent_client, outcall_agent_client_free)
OUTCALL_END_DECLS
#endif
