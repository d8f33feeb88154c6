/* docker/handle.h - the inside of an outcall_docker, for the files of this folder. */
#ifndef DOCKER_HANDLE_H
#define DOCKER_HANDLE_H
#include "docker/api_version.h"
#include "docker/engine.h"
#include "docker/transport.h"
#include <pthread.h>

struct outcall_docker {
    struct oc_transport *transport;
    outcall_log *log;
    uint64_t timeout_ms, ping_timeout_ms;
    size_t max_body;
    char socket[OC_DOCKER_SOCKET_SIZE];
    bool pinned;          /* the caller chose the version: nothing is ever asked or forgotten */
    pthread_mutex_t lock; /* of all below */
    bool reachable, is_podman, is_foreign;
    char version[OC_API_VERSION_SIZE]; /* "" = not known */
    char server_version[64];
};

/* One exchange as it is, and the notes that are taken of it: is the engine there, is the version still good.
 */
OC_NODISCARD int oc_docker_exchange(outcall_docker *d, const struct oc_exchange *x, struct oc_answer *ret,
                                    outcall_error *err);

/* The JSON of an answer; *ret: new, NULL for an empty body. A failure's body that is none (the plain text of
 * a router or proxy) becomes {"message": that text}. OUTCALL_E_PROTOCOL, _NO_MEMORY. */
OC_NODISCARD int oc_docker_read(const struct oc_answer *a, json_t **ret, outcall_error *err);

/* The version to put into the path, asked for when it is not known or fresh is set. Errors as
 * outcall_docker_ping, all within deadline_ms. */
OC_NODISCARD int oc_docker_negotiate(outcall_docker *d, bool fresh, uint64_t deadline_ms, int stop_fd,
                                     char ret[OC_API_VERSION_SIZE], outcall_error *err);
/* Forgets it, when it is still this one. */
void oc_docker_forget_version(outcall_docker *d, const char *version);

#endif
