/* containers/helpers.h - the two things of ours that a container sees: the agent socket's directory and the
 * shim. */
#ifndef CONTAINERS_HELPERS_H
#define CONTAINERS_HELPERS_H
#include "containers/manager.h"
#include <limits.h>

/* Opens the container's agent socket (again) through the hooks, unless its path is fixed: path, and the
 * directory that the container gets to see. Whatever the hook returns. */
OC_NODISCARD int oc_agent_socket_open(outcall_containers *m, const char *name, char path[PATH_MAX],
                                      char dir[PATH_MAX], outcall_error *err);

/* The same, and checks that somebody listens there. OUTCALL_E_NOT_FOUND, _INVALID (AGENT_SOCKET_NOT_FOUND),
 * _DENIED (a fixed socket in a directory that must not be shown), whatever the hook returns. */
OC_NODISCARD int oc_agent_open(outcall_containers *m, const char *name, char dir[PATH_MAX],
                               outcall_error *err);

/* The shim on the host. *ret_fd: new, O_PATH: exactly what was checked. OUTCALL_E_NOT_FOUND, _INVALID (of the
 * wrong type; SHIM_NOT_FOUND). */
OC_NODISCARD int oc_shim_open(const char *path, int *ret_fd, outcall_error *err);

#endif
