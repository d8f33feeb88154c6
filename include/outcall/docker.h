/* outcall/docker.h - a connection to one Docker Engine, and pulling images through it. Since 0.1.0. */
#ifndef OUTCALL_DOCKER_H
#define OUTCALL_DOCKER_H
#include "error.h"
#include "log.h"
OUTCALL_BEGIN_DECLS

/* One Docker Engine (or Podman's Docker-compatible service) behind a unix socket. Nothing is connected until
 * the first call; an engine that is absent, hangs or goes away makes calls fail and is found again by a later
 * call. Any thread, several at once. */
typedef struct outcall_docker outcall_docker;

typedef struct outcall_docker_options {
    unsigned version;
    const char *docker_host;  /* copied; "unix:///path" or "/path", at most 107 bytes of path;
                                 NULL = "unix:///var/run/docker.sock" */
    const char *api_version;  /* copied; "1.40" to "1.54", never negotiated then; NULL = ask the engine */
    uint64_t timeout_ms;      /* of one request, connecting included; 0 = 30000; at most one day */
    uint64_t ping_timeout_ms; /* of outcall_docker_ping; 0 = 3000; at most one day */
    size_t max_body;          /* bytes accepted in one answer; 0 = 16 MiB; at most 64 MiB */
    outcall_log *log;         /* referenced; NULL = silent; target "docker" */
} outcall_docker_options;
#define OUTCALL_DOCKER_OPTIONS_VERSION 1
#define OUTCALL_DOCKER_OPTIONS_INIT                               \
    {                                                             \
        OUTCALL_DOCKER_OPTIONS_VERSION, NULL, NULL, 0, 0, 0, NULL \
    }

/* Makes a handle; the engine is not asked anything yet. opts: NULL = all defaults. *ret: new. Errors:
 * E_INVALID (ret is NULL, unknown options version, a docker_host that is not a unix socket's absolute path,
 * an api_version outside the range above, a bound above its maximum), E_NO_MEMORY, E_SYSTEM (libcurl cannot
 * start). Does not block. The range of versions comes from the Docker Engine API: 1.40 is Docker 19.03, 1.54
 * the newest this library was tried with. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_docker_new(outcall_docker **ret, const outcall_docker_options *opts,
                                                     outcall_error *err);

/* Closes its connections. NULL is allowed; returns NULL. No call may be running. Since 0.1.0. */
OUTCALL_API outcall_docker *outcall_docker_free(outcall_docker *d);

/* Ends everything, in after_ms milliseconds (0 = now, at most one day): from then on each call on this
 * handle, under way or new, fails with E_CLOSED. How a program that stops gets its threads back from an
 * engine that hangs. Calling it again moves the moment. Errors: E_INVALID (after_ms), E_SYSTEM. Does not
 * block. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_docker_quit(outcall_docker *d, uint64_t after_ms,
                                                      outcall_error *err);

/* Is the engine there, and can we speak with it? GET /_ping, then GET /version, both together within
 * ping_timeout_ms; the API version is chosen anew. Blocks at most that long. Errors: E_UNREACHABLE (kind
 * DOCKER_UNREACHABLE; sys_errno from connect; the text names the socket), E_TIMEOUT (DOCKER_TIMEOUT),
 * E_UNSUPPORTED (DOCKER_ERROR: no API version in common), E_PROTOCOL (DOCKER_ERROR: not a Docker Engine's
 * answer), E_REMOTE (DOCKER_ERROR: it answered with an error), E_LIMIT, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_docker_ping(outcall_docker *d, outcall_error *err);

/* One exchange of your own, below the negotiated version: the escape hatch for what the library has no
 * function for. method: GET, HEAD, POST, PUT or DELETE. path: begins with "/", already escaped, without a
 * version ("/containers/json?all=1"); printable ASCII without spaces and "#". json_or_null: the body, sent as
 * application/json. *ret_status: the HTTP status, and any status is success here; *ret_body: new, free(),
 * NUL-terminated; *ret_len: its length. Each may be NULL. Blocks at most timeout_ms. Only a request that is
 * safe to repeat is sent a second time when a kept connection turns out dead. Errors: E_INVALID, and those of
 * outcall_docker_ping but for E_REMOTE; E_LIMIT also for an answer above max_body. Nothing passed here is
 * checked against the deny list. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_docker_request(outcall_docker *d, const char *method,
                                                         const char *path, const char *json_or_null,
                                                         int *ret_status, char **ret_body, size_t *ret_len,
                                                         outcall_error *err);

/* Progress of a pull, called on the calling thread. layer: its short id, or "" for the image as a whole;
 * status: the engine's words; the byte counts are 0 where the engine gave none. All borrowed for the call.
 * Non-zero ends the pull. */
typedef int (*outcall_progress_fn)(void *userdata, const char *layer, const char *status,
                                   uint64_t current_bytes, uint64_t total_bytes);

/* Fetches an image from its registry. image: a Docker reference, "[HOST[:PORT]/]NAME[:TAG][@DIGEST]", at most
 * 255 bytes of name; no tag and no digest means "latest"; a digest wins over a tag. fn: NULL = no progress
 * wanted. *ret_pulled (may be NULL): 1, or 0 when the engine had exactly this image before. Blocks as long as
 * the engine makes progress: at most 5 minutes of silence. Errors: E_INVALID (kind INVALID_REQUEST: not a
 * reference), E_REMOTE (DOCKER_ERROR: the engine's own message, err->status 0 when it came inside the
 * stream), E_CLOSED (fn ended it), and those of outcall_docker_ping. After a failure layers that were already
 * fetched stay with the engine. Source: Docker Engine API, ImageCreate; the reference grammar of
 * distribution. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_image_pull(outcall_docker *d, const char *image,
                                                     outcall_progress_fn fn, void *userdata, int *ret_pulled,
                                                     outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_docker, outcall_docker_free)
OUTCALL_END_DECLS
#endif
