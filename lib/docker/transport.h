/* docker/transport.h - HTTP over the engine's unix socket. Knows nothing of Docker. Thread-safe. */
#ifndef DOCKER_TRANSPORT_H
#define DOCKER_TRANSPORT_H
#include "base/buf.h"
#include "base/clock.h"

#define OC_DOCKER_HEAD_MAX    ((size_t)64 << 10) /* bytes of all header lines of one answer, 1xx included */
#define OC_DOCKER_IDLE_MAX    8                  /* connections kept for reuse */
#define OC_DOCKER_SOCKET_SIZE 108                /* sun_path, unix(7) */

/* One exchange. With on_data the body of a 2xx answer goes there as it arrives and is not bounded; every
 * other body is collected up to body_max. */
struct oc_exchange {
    const char *method, *target;
    const char *body; /* JSON text; NULL = none */
    size_t body_len, body_max;
    uint64_t head_deadline_ms; /* connecting, the request and the header lines */
    uint64_t deadline_ms;      /* the whole of it */
    uint64_t idle_ms;          /* the longest silence once the header lines are there */
    int stop_fd;               /* -1 = none */
    int (*on_data)(void *userdata, const char *data, size_t len);
    void (*on_open)(void *userdata); /* the head of a 2xx answer is complete; NULL = not interesting */
    void *userdata;
};

/* Zeroed before the exchange, oc_answer_done() after it, whatever happened. */
struct oc_answer {
    int status; /* 0 = nothing was said */
    bool cut;   /* the body ended before its end: the engine went away, OUTCALL_E_PROTOCOL */
    struct oc_buf body;
};

static inline void oc_answer_done(struct oc_answer *a)
{
    oc_buf_done(&a->body);
}

struct oc_transport;

/* path: at most OC_DOCKER_SOCKET_SIZE - 1 bytes. OUTCALL_E_SYSTEM (libcurl cannot start), _NO_MEMORY. */
OC_NODISCARD int oc_transport_new(struct oc_transport **ret, const char *path, outcall_error *err);
/* From after_ms on every exchange, under way or new, ends with OUTCALL_E_CLOSED. */
OC_NODISCARD int oc_transport_quit(struct oc_transport *t, uint64_t after_ms);
struct oc_transport *oc_transport_free(struct oc_transport *t);

/* 0 with any HTTP status; what on_data returned when it was not 0; OUTCALL_E_UNREACHABLE (no connection, or
 * lost before an answer), _TIMEOUT, _CLOSED (stop_fd), _PROTOCOL (no HTTP, or a body cut off), _LIMIT,
 * _NO_MEMORY. */
OC_NODISCARD int oc_transport_run(struct oc_transport *t, const struct oc_exchange *x, struct oc_answer *ret,
                                  outcall_error *err);

/* A fresh connection: blocking, close-on-exec; waits for room in the backlog. *ret_fd: new.
 * OUTCALL_E_UNREACHABLE with errno, _TIMEOUT. */
OC_NODISCARD int oc_transport_connect(const struct oc_transport *t, uint64_t deadline_ms, int *ret_fd,
                                      outcall_error *err);

#endif
