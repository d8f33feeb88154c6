/* outcall/host_client.h - talking to outcalld's host API, as the outcall command does. Since 0.1.0.
 *
 * Each call opens one connection to the host socket, makes one exchange and closes it: no retry, no
 * reconnect, nothing cached. */
#ifndef OUTCALL_HOST_CLIENT_H
#define OUTCALL_HOST_CLIENT_H
#include "error.h"
OUTCALL_BEGIN_DECLS

/* Where the daemon is and how long to wait for it. Immutable: any number of threads may use one at once. */
typedef struct outcall_host_client outcall_host_client;

typedef struct outcall_host_client_options {
    unsigned version;
    const char *socket_path; /* copied; NULL = "/run/outcall/host.sock"; at most 107 bytes (unix(7)) */
    uint64_t timeout_ms; /* of a whole call, and of a stream until it begins; 0 = 30000, UINT64_MAX = none */
    size_t max_answer;   /* bytes of an answer's body, streams excepted; 0 = 16 MiB */
} outcall_host_client_options;
#define OUTCALL_HOST_CLIENT_OPTIONS_INIT \
    {                                    \
        1, NULL, 0, 0                    \
    }

/* Makes a handle; does not connect. opts may be NULL (all defaults), borrowed for the call. *ret: new,
 * outcall_host_client_free. Errors: E_INVALID (ret is NULL, unknown version, a path that is empty or too
 * long), E_NO_MEMORY. Does not block. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_new(outcall_host_client **ret,
                                                          const outcall_host_client_options *opts,
                                                          outcall_error *err);

/* Frees the handle; no call may be under way. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_host_client *outcall_host_client_free(outcall_host_client *c);

/* One request. method: "GET" or "POST". path: escaped, with its query: "/api/v1/container?name=x".
 * json_or_null: the request's body. All borrowed for the call. *ret_body: the JSON text of the answer's
 * "data" alone ("null" when it has none), new, free(); ret_body and ret_len may be NULL. The shape of data is
 * the table of the host API. Errors: E_UNREACHABLE (no socket, nobody listens, no permission;
 * err->sys_errno), E_TIMEOUT, E_CLOSED (the daemon hung up in the middle), E_PROTOCOL (not an answer of the
 * host API), E_LIMIT (over max_answer), E_REMOTE (the daemon answered with a failure: err->status, err->kind
 * from its "code", err->text in its words), E_INVALID (method or path), E_SYSTEM, E_NO_MEMORY. On failure
 * nothing is written to *ret_body. Blocks up to timeout_ms; any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_call(outcall_host_client *c, const char *method,
                                                           const char *path, const char *json_or_null,
                                                           char **ret_body, size_t *ret_len,
                                                           outcall_error *err);

/* The same for answers that are followed: logs, events, pull with progress. on_data gets the raw bytes of the
 * body as they arrive, in pieces of any size, on the calling thread; data is borrowed for its call. A
 * non-zero result of it ends the stream and is returned as it is. 0 when the daemon ended the stream
 * properly. Errors: as outcall_host_client_call; a stream that is cut off is E_CLOSED. Blocks for as long as
 * the stream lasts; timeout_ms bounds the time until it begins. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_stream(
    outcall_host_client *c, const char *method, const char *path, const char *json_or_null,
    int (*on_data)(void *userdata, const char *data, size_t len), void *userdata, outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_host_client, outcall_host_client_free)
OUTCALL_END_DECLS
#endif
