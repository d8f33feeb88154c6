/* outcall/agent_client.h - the agent's side of the agent API: connect, check in, ask. For any C program in a
 * container; the shim is one. Fails closed: without a clear yes there is no yes. Since 0.1.0.
 *
 *     outcall_agent_client *client = NULL;
 *     outcall_session session;
 *     outcall_reply reply;
 *     outcall_error err = OUTCALL_ERROR_INIT;
 *     const outcall_check check = {.action_type = OUTCALL_NETWORK_CALL, .target = "api.example.com:443"};
 *     if (outcall_agent_client_new(&client, NULL, &err) < 0 ||
 *         outcall_agent_client_checkin(client, &session, &err) < 0 ||
 *         outcall_agent_client_check(client, &check, &reply, &err) < 0 || !reply.allowed)
 *         ... blocked: err.text or reply.reason
 *
 * What the daemon may answer, and what each call makes of it:
 *     200             the body decides: a result, OUTCALL_E_PROTOCOL, or _DENIED for {"success":false}
 *     400 401 403 404 413 422 500 503
 *                     OUTCALL_E_DENIED with the daemon's words, err->status and err->kind; a 500 without
 *                     such words is as anything else
 *     429             OUTCALL_E_BUSY, also with its words
 *     anything else   OUTCALL_E_PROTOCOL, and the connection is done with: a redirect or other status,
 *                     a malformed head, more than 64 KiB, a second answer
 *
 * Source: spec section 8. */
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
 * _UNREACHABLE: nobody listens, or it may not be reached (sys_errno); _TIMEOUT; _INVALID: a path of more than
 * 107 bytes, an unknown version; _SYSTEM, _NO_MEMORY. Blocks up to the timeout. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_new(outcall_agent_client **ret,
                                                           const outcall_agent_client_options *opts,
                                                           outcall_error *err);
/* Takes a connected stream socket instead: socketpairs of tests and fuzzers. take_fd: the client's on
 * success, and non-blocking from then on. heartbeat is OUTCALL_E_UNSUPPORTED then. OUTCALL_E_SYSTEM: no
 * descriptor; _INVALID, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_from_fd(outcall_agent_client **ret, int take_fd,
                                                               uint64_t timeout_ms, outcall_error *err);
/* NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_agent_client *outcall_agent_client_free(outcall_agent_client *c);

/* Checks in and keeps the token; an earlier one is forgotten, also on failure. Says the host's name, this
 * process's pid and the library's version. OUTCALL_E_DENIED: refused, err->text is the daemon's reason;
 * _PROTOCOL: no well-formed answer; _CLOSED, _TIMEOUT: the daemon is gone; _BUSY: too many requests,
 * err->status 429 (ask outcall_agent_client_retry_after_s); _INVALID, _SYSTEM, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_checkin(outcall_agent_client *c, outcall_session *ret,
                                                               outcall_error *err);
/* Asks. *ret is zeroed, which is blocked, before anything else and on every failure. 0: a verdict arrived,
 * read ret->allowed. OUTCALL_E_PROTOCOL: the answer is malformed, which blocks this action only (a connection
 * that is still in step stays usable; one that is not gives _CLOSED from then on); _CLOSED, _TIMEOUT: the
 * daemon is gone; _BUSY as above; _DENIED: the daemon refused the question (err->status); _INVALID: not
 * checked in, or the check is out of its bounds; _LIMIT: its body is too large; _SYSTEM, _NO_MEMORY. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_check(outcall_agent_client *c,
                                                             const outcall_check *check, outcall_reply *ret,
                                                             outcall_error *err);
/* A heartbeat on a fresh connection to the same path, so that a socket that was removed or replaced is
 * noticed; the client's own connection stays as it is. Errors as above, and OUTCALL_E_NOT_FOUND, _UNREACHABLE
 * and _UNSUPPORTED. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_heartbeat(outcall_agent_client *c, outcall_error *err);
/* Submits a rule file, len bytes of UTF-8. Errors as for check; a refusal (_DENIED) has status 422 and the
 * place in its text. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_request_rules(outcall_agent_client *c,
                                                                     const char *yaml, size_t len,
                                                                     outcall_rule_request_state *ret,
                                                                     outcall_error *err);
/* How a request stands. id: "rr-" and 12 hexadecimal digits, else OUTCALL_E_INVALID. Errors as for check;
 * _DENIED with status 404: no request of this container's. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_agent_client_request_status(outcall_agent_client *c, const char *id,
                                                                      outcall_rule_request_state *ret,
                                                                      outcall_error *err);
/* Seconds the daemon asked to wait in its last 429; 0: none, or it said none. 0 for NULL. Since 0.1.0. */
OUTCALL_API unsigned outcall_agent_client_retry_after_s(const outcall_agent_client *c);
/* Borrowed: poll for hang-up (POLLRDHUP, POLLHUP), which means that the daemon is gone. -1 for NULL. Since
 * 0.1.0. */
OUTCALL_API int outcall_agent_client_fd(const outcall_agent_client *c);

OUTCALL_DEFINE_CLEANUP(outcall_agent_client, outcall_agent_client_free)
OUTCALL_END_DECLS
#endif
