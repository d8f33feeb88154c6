/* agent_server/listener.h - one container's directory, socket and HTTP server. */
#ifndef AGENT_SERVER_LISTENER_H
#define AGENT_SERVER_LISTENER_H
#include "http/server.h"

#define OC_AGENT_NAME_MAX 127
#define OC_AGENT_BODY_MAX ((size_t)64 * 1024) /* bytes of one request's body; spec section 2 */
#define OC_AGENT_BACKLOG  128

struct oc_agent_listener {
    char name[OC_AGENT_NAME_MAX + 1];
    oc_http_server *http;
    bool active; /* has connections, which can time out */
};

bool oc_agent_name_ok(const char *name);
/* Makes <dir_fd>/<name>/agent.sock and serves it; *ret: new. */
OC_NODISCARD int oc_agent_listener_new(struct oc_agent_listener **ret, int dir_fd, const char *name,
                                       unsigned max_connections, outcall_log *log, outcall_error *err);
struct oc_agent_listener *oc_agent_listener_free(struct oc_agent_listener *l); /* leaves the files */
/* Removes the socket, what an interrupted open left beside it, and the directory. */
void oc_agent_listener_remove_files(int dir_fd, const char *name, const outcall_log *log);

#endif
