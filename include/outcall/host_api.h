/* outcall/host_api.h - the operator's API: HTTP/1.1 and JSON on the host socket. Since 0.1.0.
 *
 * Endpoints, shapes and codes: spec section 6. A thread per connection, since the engine may be slow. Peers:
 * root, this process's user, members of the group; nobody inside a container, whatever its uid. */
#ifndef OUTCALL_HOST_API_H
#define OUTCALL_HOST_API_H
#include "container.h"
#include "requests.h"
OUTCALL_BEGIN_DECLS

typedef struct outcall_host_api outcall_host_api; /* the router, and once started its server */

/* Loads the rules anew and puts them in force; a failure leaves the old ones there, with kind RULES_INVALID
 * when the rules are the reason. Called on the thread of a request, from several at once. *ret: the set now
 * in force, new, outcall_policy_unref; *ret_generation: its number. */
typedef int (*outcall_reload_fn)(void *userdata, outcall_policy **ret, uint64_t *ret_generation,
                                 outcall_error *err);

typedef struct outcall_host_api_options {
    unsigned version;
    outcall_docker *docker;                    /* borrowed, outlives the API; required */
    outcall_containers *containers;            /* borrowed, outlives the API; required */
    outcall_networks *networks;                /* borrowed, outlives the API; required */
    gid_t group;                               /* peers of this group may connect; (gid_t)-1 = none */
    unsigned max_connections;                  /* more wait in the backlog; 0 = 256 */
    size_t (*agent_sockets_n)(void *userdata); /* for the status: open agent sockets; NULL = 0 */
    void *userdata;                            /* for agent_sockets_n and reload */
    outcall_log *log;                          /* referenced; NULL = silent */
    outcall_policy_slot *policy;               /* borrowed, outlives the API: the rules in force; NULL = the
                                                  endpoints about rules answer not_ready */
    outcall_reload_fn reload;                  /* required with policy */
    uint64_t policy_timeout_ms;                /* of one evaluation, 1..60000; 0 = 5000 */
    outcall_requests *requests;                /* borrowed, outlives the API: what agents ask for; NULL = the
                                                  endpoints about it answer not_ready */
} outcall_host_api_options;
#define OUTCALL_HOST_API_OPTIONS_VERSION 1
#define OUTCALL_HOST_API_OPTIONS_INIT                                                                      \
    {                                                                                                      \
        OUTCALL_HOST_API_OPTIONS_VERSION, NULL, NULL, NULL, (gid_t)-1, 0, NULL, NULL, NULL, NULL, NULL, 0, \
            NULL                                                                                           \
    }

#define OUTCALL_HOST_BODY_MAX 1048576U /* bytes of a request's body; spec section 2 */

/* Makes the router; nothing listens yet. *ret: new. Errors: E_INVALID (a required field is missing),
 * E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_api_new(outcall_host_api **ret,
                                                       const outcall_host_api_options *opts,
                                                       outcall_error *err);

/* Stops (without patience) and frees. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_host_api *outcall_host_api_free(outcall_host_api *h);

/* Serves on a listening unix stream socket with threads of its own. take_listen_fd: taken on success. Errors:
 * E_INVALID (already started), E_SYSTEM, E_NO_MEMORY. Does not block. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_api_start(outcall_host_api *h, int take_listen_fd,
                                                         outcall_error *err);

/* Stops listening at once, lets requests in flight finish for up to drain_ms milliseconds, ends the others.
 * Blocks until then. Since 0.1.0. */
OUTCALL_API void outcall_host_api_stop(outcall_host_api *h, uint64_t drain_ms);

/* The router without a socket: what unit tests and fuzzers call. target: path and query, not unescaped any
 * further than "name=value&..." with %XX. body: len bytes, may be NULL with len 0. *ret_status: the HTTP
 * status; *ret_body: new, free(), JSON text (JSON lines for streams, which do not follow here). 0, or
 * E_INVALID (an argument is NULL), E_NO_MEMORY. Any thread. Blocks on the engine. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_host_api_handle(outcall_host_api *h, const char *method,
                                                          const char *target, const char *body, size_t len,
                                                          int *ret_status, char **ret_body, size_t *ret_len,
                                                          outcall_error *err);

/* Adds a line to the event stream (GET /api/v1/events). type: "container", "verdict", "rules"; action, name,
 * id, detail: texts, NULL = absent. Fits outcall_container_event_fn after binding. Never blocks for long; an
 * event that cannot be kept for lack of memory is counted as lost in the metrics. Any thread. Since 0.1.0. */
OUTCALL_API void outcall_host_api_event(outcall_host_api *h, const char *type, const char *action,
                                        const char *name, const char *id, const char *detail);

/* Adds a decision to the event stream ("verdict") and counts it for the metrics. Never blocks for long. Any
 * thread. Since 0.1.0. */
OUTCALL_API void outcall_host_api_verdict(outcall_host_api *h, const outcall_decision *d);

/* Adds the outcome of a load of the rules to the event stream ("rules", "reloaded" or "reload-failed") and
 * counts it. cause: what made somebody load, one word. policy, generation: what is in force. err: why the
 * load failed and that set stayed; NULL: it has just come into force. Any thread. Since 0.1.0. */
OUTCALL_API void outcall_host_api_reloaded(outcall_host_api *h, const char *cause,
                                           const outcall_policy *policy, uint64_t generation,
                                           const outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_host_api, outcall_host_api_free)
OUTCALL_END_DECLS
#endif
