/* docker/transfer.h - one libcurl handle with its connection, and one exchange on it. One thread at a time.
 * Together with transfer.c the only place that sees curl. */
#ifndef DOCKER_TRANSFER_H
#define DOCKER_TRANSFER_H
#include "docker/transport.h"

struct oc_transfer;

/* OUTCALL_E_NO_MEMORY, _SYSTEM. path: borrowed for as long as the handle lives. */
/* quit_fd: borrowed; readable ends every exchange with OUTCALL_E_CLOSED. */
OC_NODISCARD int oc_transfer_new(struct oc_transfer **ret, const char *path, int quit_fd, outcall_error *err);
struct oc_transfer *oc_transfer_free(struct oc_transfer *t);

/* As oc_transport_run. After a failure the handle is of no more use. */
OC_NODISCARD int oc_transfer_run(struct oc_transfer *t, const struct oc_exchange *x, struct oc_answer *ret,
                                 outcall_error *err);

/* connect(2) to a unix socket, as oc_transport_connect. OUTCALL_E_SYSTEM (errno), _TIMEOUT. */
OC_NODISCARD int oc_socket_connect(const char *path, uint64_t deadline_ms, int *ret_fd);
/* The one wording for an engine that cannot be connected to; saved_errno 0 = no reason known. */
int oc_socket_unreachable(outcall_error *err, const char *path, int saved_errno, const char *why);

#endif
