/* http/client.h - a bounded HTTP/1.1 client over one unix-socket connection. Blocking, one thread at a time,
 * no retry, no redirect, no reconnect. Anything that is not exactly one well-formed answer is
 * OUTCALL_E_PROTOCOL. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H
#include "base/base.h"

typedef struct oc_http oc_http; /* one connection */

#define OC_HTTP_HEAD_MAX \
    ((size_t)16 * 1024)       /* bytes of a status line and all headers; the same for trailers */
#define OC_HTTP_INTERIM_MAX 8 /* 1xx answers before the real one */

struct oc_http_request {
    const char *method; /* "GET", "POST" */
    const char *target; /* path and query, already escaped; control characters and spaces are refused */
    const char *authorization; /* value of the header, or NULL */
    const char *body;          /* sent as application/json when not NULL */
    size_t body_len;
    uint64_t deadline_ms;      /* oc_deadline(); covers the whole exchange */
    uint64_t head_deadline_ms; /* 0 = none of its own; up to the end of the head (streams without an end) */
    size_t body_max;           /* bytes accepted of the answer's body */
    /* When set, the body goes here as it arrives and body_max bounds nothing; non-zero ends the exchange with
     * that value. Called only for 2xx answers: the body of any other goes to the response. */
    int (*on_data)(void *userdata, const char *data, size_t len);
    void *userdata;
};

struct oc_http_response {
    int status; /* 200..599 */
    char *body; /* new, NUL-terminated; "" when empty; NULL when on_data took it */
    size_t len;
    uint32_t retry_after_s; /* 0 = no such header */
    bool keep_alive;        /* the connection can take another request */
};

/* Connects. OUTCALL_E_UNREACHABLE with errno (no socket, nobody listens), _TIMEOUT, _INVALID (path too long).
 */
OC_NODISCARD int oc_http_connect(oc_http **ret, const char *socket_path, uint64_t deadline_ms,
                                 outcall_error *err);
/* Takes a connected stream socket (socketpair: tests, fuzzers). */
OC_NODISCARD int oc_http_from_fd(oc_http **ret, int take_fd, outcall_error *err);
oc_http *oc_http_free(oc_http *h);
static inline void oc_http_freep(oc_http **h)
{
    (void)oc_http_free(*h);
}
int oc_http_fd(const oc_http *h); /* borrowed; hang-up means the peer is gone */

/* One exchange. OUTCALL_E_INVALID (method, target or authorization that cannot be sent), _TIMEOUT, _CLOSED
 * (hung up, also in the middle of an answer), _PROTOCOL, _LIMIT (more than body_max), _SYSTEM, _NO_MEMORY, or
 * what on_data returned; after any failure, and unless ret->keep_alive, the connection is of no more use. */
OC_NODISCARD int oc_http_exchange(oc_http *h, const struct oc_http_request *req, struct oc_http_response *ret,
                                  outcall_error *err);
void oc_http_response_done(struct oc_http_response *r);

/* Appends s percent-encoded (RFC 3986 unreserved characters stay). 0, OUTCALL_E_NO_MEMORY, _LIMIT. */
struct oc_buf;
OC_NODISCARD int oc_url_escape(struct oc_buf *b, const char *s);

#endif
