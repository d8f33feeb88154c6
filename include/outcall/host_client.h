#ifndef OUTCALL_HOST_CLIENT_H
#define OUTCALL_HOST_CLIENT_H
#include "error.h"
OUTCALL_BEGIN_DECLS

/* What the outcall command (or a UI) talks to the daemon through. One thread at a time. */
typedef struct outcall_host_client outcall_host_client;

typedef struct outcall_host_client_options {
    unsigned version;
    const char *socket_path; /* copied; NULL = "/run/outcall/host.sock" */
    uint64_t timeout_ms;     /* 0 = 30000 */
} outcall_host_client_options;
#define OUTCALL_HOST_CLIENT_OPTIONS_INIT \
    {                                    \
        1, NULL, 0                       \
    }

/* Prepares a client; connects with each call. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_new(outcall_host_client **ret,
                                                          const outcall_host_client_options *opts,
                                                          outcall_error *err);

/* NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_host_client *outcall_host_client_free(outcall_host_client *c);

/* ret_body: JSON text of `data`, new, free(). A 4xx/5xx answer is E_REMOTE with err->status and the server's
 * text. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_call(outcall_host_client *c, const char *method,
                                                           const char *path, const char *json_or_null,
                                                           char **ret_body, size_t *ret_len,
                                                           outcall_error *err);

/* The body as it arrives; non-zero from on_data ends it and is returned. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_client_stream(
    outcall_host_client *c, const char *method, const char *path, const char *json_or_null,
    int (*on_data)(void *userdata, const char *data, size_t len), void *userdata, outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_host_client, outcall_host_client_free)
OUTCALL_END_DECLS
#endif
