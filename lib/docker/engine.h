/* docker/engine.h - what the rest of the library asks of the engine client, beyond outcall/docker.h.
 * Thread-safe. */
#ifndef DOCKER_ENGINE_H
#define DOCKER_ENGINE_H
#include "outcall/docker.h"
#include "json/json.h"

/* One JSON exchange below the negotiated version prefix: path begins with "/containers/...". Connects,
 * negotiates and asks again as needed. 0 for *every* HTTP status with a well-formed body: read *ret_status.
 * *ret: new, or NULL for an empty body (may itself be NULL: the body is dropped). timeout_ms 0 = the
 * handle's. OUTCALL_E_UNREACHABLE (kind DOCKER_UNREACHABLE, text names the socket), _TIMEOUT
 * (DOCKER_TIMEOUT), _PROTOCOL (DOCKER_ERROR: malformed or cut off), _LIMIT (DOCKER_ERROR: over max_body),
 * _UNSUPPORTED (DOCKER_ERROR: no common API version), _NO_MEMORY. */
OC_NODISCARD int oc_docker_call(outcall_docker *d, const char *method, const char *path, const json_t *body,
                                uint64_t timeout_ms, int *ret_status, json_t **ret, outcall_error *err);

/* The same, and any status outside 200..299 and 304 is OUTCALL_E_REMOTE through oc_docker_fail(). */
OC_NODISCARD int oc_docker_ok(outcall_docker *d, const char *method, const char *path, const json_t *body,
                              uint64_t timeout_ms, int *ret_status, json_t **ret, outcall_error *err);

/* OUTCALL_E_REMOTE, kind DOCKER_ERROR (409: CONFLICT), err->status, and the engine's own "message". reply may
 * be NULL. */
int oc_docker_fail(outcall_error *err, int status, const json_t *reply);

/* A path with its arguments escaped: fmt knows %s only, each one segment or query value. A segment that is
 * empty,
 * "." or ".." is OUTCALL_E_INVALID. *ret: new, free(). */
OC_NODISCARD int oc_docker_path(char **ret, outcall_error *err, const char *fmt, ...) OC_PRINTF(3, 4);

/* A request whose answer is followed as it arrives: events, logs, pull, wait. on_data: non-zero ends it, and
 * that is what is returned. A status outside 2xx is OUTCALL_E_REMOTE. stop_fd: -1, or readable = end with
 * OUTCALL_E_CLOSED. idle_ms: the longest silence (OC_NEVER for follow streams); OUTCALL_E_TIMEOUT after it.
 * An engine that dies in the middle is OUTCALL_E_UNREACHABLE, a clean end of the stream 0. headers_ms bounds
 * connect and the status line. */
struct oc_docker_stream {
    const char *method, *path;
    int (*on_data)(void *userdata, const char *data, size_t len);
    void (*on_open)(void *userdata); /* the engine said 2xx; NULL = not interesting */
    void *userdata;
    int stop_fd;
    uint64_t headers_ms; /* 0 = the handle's timeout */
    uint64_t idle_ms;
};
OC_NODISCARD int oc_docker_follow(outcall_docker *d, const struct oc_docker_stream *s, outcall_error *err);

/* Splits a stream of JSON values, one a line (events, pull progress), handed over in pieces of any size. A
 * line longer than max is OUTCALL_E_LIMIT. on_value: non-zero ends it. */
struct oc_docker_lines;
OC_NODISCARD int oc_docker_lines_new(struct oc_docker_lines **ret, size_t max,
                                     int (*on_value)(void *userdata, const json_t *value), void *userdata);
OC_NODISCARD int oc_docker_lines_feed(struct oc_docker_lines *l, const char *data, size_t len,
                                      outcall_error *err);
/* The stream is over: a last line without its end is handed on if it is whole, else OUTCALL_E_PROTOCOL. */
OC_NODISCARD int oc_docker_lines_finish(struct oc_docker_lines *l, outcall_error *err);
struct oc_docker_lines *oc_docker_lines_free(struct oc_docker_lines *l);

/* Takes apart Docker's multiplexed log stream (8-byte headers: stream, 3 zero bytes, big-endian length), in
 * pieces of any size, bodies of any length without collecting them. tty: there are no headers, all is stdout.
 */
struct oc_docker_demux {
    int tty;
    unsigned char header[8];
    size_t have;
    uint32_t left;
    int stream;
};
OC_NODISCARD int oc_docker_demux_feed(struct oc_docker_demux *m, const char *data, size_t len,
                                      int (*fn)(void *userdata, int stream, const char *data, size_t len),
                                      void *userdata, outcall_error *err);

/* What the engine is, as far as it is known (status command): strings "" while unknown. Never blocks. */
struct oc_docker_state {
    bool reachable;  /* the last exchange reached it */
    bool is_podman;  /* its Docker-compatible service; false while nothing is known */
    bool is_foreign; /* it answers, but no API version is in common */
    char socket[108], server_version[64], api_version[16];
};
void oc_docker_state(outcall_docker *d, struct oc_docker_state *ret);

/* The engine's process as the peer of its socket (SO_PEERCRED); 0 where the socket is served from another pid
 * namespace. Fresh connection, bounded by the handle's timeout. */
OC_NODISCARD int oc_docker_peer(outcall_docker *d, pid_t *ret, outcall_error *err);
const char *oc_docker_socket_path(const outcall_docker *d); /* borrowed from d */

#endif
