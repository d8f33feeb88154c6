/* host_api/api.h - the host API's inside: one request on its way through the router. */
#ifndef HOST_API_API_H
#define HOST_API_API_H
#include "host_api/event_log.h"
#include "http/server.h"
#include "outcall/host_api.h"
#include "json/json.h"
#include <pthread.h>
#include <stdatomic.h>

#define OC_TARGET_LOG   "host-api" /* the log's word for this folder */
#define OC_QUERY_MAX    8          /* arguments of one request */
#define OC_STATUS_KINDS 6          /* 1xx .. 5xx, for the metrics */
#define OC_PATH_ID_SIZE 256        /* an id in a path, NUL included; no id is as long */

struct outcall_host_api {
    outcall_docker *docker;
    outcall_containers *containers;
    outcall_networks *networks;
    gid_t group;
    unsigned max_connections;
    size_t (*agent_sockets_n)(void *userdata);
    void *userdata;
    outcall_log *log;
    outcall_policy_slot *policy; /* NULL: no rules here */
    outcall_reload_fn reload;
    unsigned policy_timeout_ms;
    outcall_requests *requests; /* NULL: nobody asks for rules here */
    struct oc_event_log *events;
    oc_http_server *server; /* NULL until started */
    uint64_t started_ms;
    atomic_ullong answers[OC_STATUS_KINDS];
    atomic_ullong allowed, blocked, rule_errors, reloads, failed_reloads;
};

struct oc_query {
    const char *name, *value; /* borrowed for the request */
};

/* One request. call is NULL when it came through outcall_host_api_handle; streams then collect into body. */
struct oc_request {
    const char *method, *path;
    struct oc_query query[OC_QUERY_MAX];
    size_t n_query;
    char id[OC_PATH_ID_SIZE]; /* what stands for "{id}" in the route's path */
    const char *body;
    size_t body_len;
    oc_http_call *call;
    /* the answer */
    int status;
    struct oc_buf *out;
    bool streaming; /* the status line is out, or would be */
};

/* A handler writes the answer's `data` into *ret_data, or fails with err filled. Streams answer by themselves
 * and leave *ret_data NULL after oc_stream_begin. */
typedef int (*oc_route_fn)(outcall_host_api *h, struct oc_request *q, json_t **ret_data, outcall_error *err);

struct oc_route {
    const char *method, *path; /* "{id}" in a path is one component, not empty */
    oc_route_fn run;
    const char *query[4]; /* the arguments it takes; others are refused by name */
    bool takes_body;
};

extern const struct oc_route oc_container_routes[], oc_network_routes[], oc_request_routes[],
    oc_rule_routes[], oc_status_routes[]; /* end: method NULL */

/* The server's handler: one request through the routes. userdata: the outcall_host_api. */
void oc_host_api_serve(void *userdata, oc_http_call *call);

/* The arguments, strictly. A value is NULL when absent. OUTCALL_E_INVALID naming the argument. */
const char *oc_query_get(const struct oc_request *q, const char *name);
OC_NODISCARD int oc_query_required(const struct oc_request *q, const char *name, const char **ret,
                                   outcall_error *err);
OC_NODISCARD int oc_query_flag(const struct oc_request *q, const char *name, bool *ret, outcall_error *err);

/* The body as a JSON object, by table. *ret_json: new; the decoded strings live in it. */
OC_NODISCARD int oc_request_decode(const struct oc_request *q, const struct oc_json_field *fields, size_t n,
                                   void *ret, json_t **ret_json, outcall_error *err);

/* The set of rules in force: a new reference, never NULL on success. OUTCALL_E_UNSUPPORTED, kind NOT_READY.
 */
OC_NODISCARD int oc_rules_in_force(outcall_host_api *h, outcall_policy **ret, uint64_t *ret_generation,
                                   outcall_error *err);
/* How often a rule of the set could not be evaluated. */
uint64_t oc_rules_errors(const outcall_policy *p);

/* JSON lines: the status line goes out at once, then one line for each value. */
OC_NODISCARD int oc_stream_begin(struct oc_request *q);
OC_NODISCARD int oc_stream_line(struct oc_request *q, const json_t *take_value);
/* What ends a stream from outside: a descriptor to poll, or -1. */
int oc_stream_stop_fd(const struct oc_request *q);

/* The error as the API's JSON. *ret_status: its HTTP status. New; NULL when out of memory. */
json_t *oc_error_json(const outcall_error *err, int *ret_status);

#endif
