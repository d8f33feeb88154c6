/* Status, events, metrics: what the daemon says about itself. */
#include "base/buf.h"
#include "base/clock.h"
#include "core/error.h"
#include "docker/engine.h"
#include "host_api/api.h"
#include "outcall/version.h"
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

static size_t sockets_n(const outcall_host_api *h)
{
    return h->agent_sockets_n ? h->agent_sockets_n(h->userdata) : 0;
}

static json_t *docker_json(const outcall_host_api *h)
{
    struct oc_docker_state s;
    oc_docker_state(h->docker, &s);
    const char *state = !s.reachable ? "unreachable" : s.is_foreign ? "incompatible" : "reachable";
    return json_pack("{s:s, s:s, s:s, s:s}", "state", state, "socket", s.socket, "server_version",
                     s.server_version, "api_version", s.api_version);
}

/* All zero where there are no rules at all. */
static json_t *rules_json(outcall_host_api *h)
{
    uint64_t generation = 0;
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *p = h->policy ? outcall_policy_slot_get(h->policy, &generation) : NULL;
    return json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)outcall_policy_files_n(p), "rules",
                     (json_int_t)outcall_policy_rules_n(p), "generation", (json_int_t)generation, "errors",
                     (json_int_t)oc_rules_errors(p));
}

static int status(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    (void)q;
    (void)err;
    *ret = json_pack("{s:s, s:I, s:o, s:o, s:I, s:I}", "version", outcall_version_string(), "uptime_s",
                     (json_int_t)((oc_now_ms() - h->started_ms) / 1000), "docker", docker_json(h), "rules",
                     rules_json(h), "containers", (json_int_t)outcall_containers_count(h->containers),
                     "sockets", (json_int_t)sockets_n(h));
    return 0;
}

/* Waits for the next event. OUTCALL_E_CLOSED when the stream is over. */
static int wait_event(int fd, int stop_fd)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    eventfd_t ignored = 0;
    while (poll(p, 2, -1) < 0)
        if (errno != EINTR)
            return OUTCALL_E_SYSTEM;
    if (p[1].revents)
        return OUTCALL_E_CLOSED;
    (void)eventfd_read(fd, &ignored); /* non-blocking: only takes the readiness back */
    return 0;
}

/* Everything that is kept from *seq on. */
static int send_events(outcall_host_api *h, struct oc_request *q, uint64_t *seq)
{
    uint64_t lost = 0;
    char *line = NULL;
    int r = 0;
    while (r == 0 && (line = oc_event_log_get(h->events, seq, &lost))) {
        if (lost > 0)
            r = oc_stream_line(q, json_pack("{s:s, s:I}", "type", "lost", "count", (json_int_t)lost));
        json_t *event = NULL;
        if (r == 0)
            r = oc_json_load(line, __builtin_strlen(line), &event, NULL);
        if (r == 0)
            r = oc_stream_line(q, event);
        free(line);
    }
    return r;
}

static int events(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    bool follow = false;
    uint64_t seq = 0;
    int fd = -1;
    (void)ret;
    int r = oc_query_flag(q, "follow", &follow, err);
    if (r < 0)
        return r;
    follow = follow && q->call;
    if (follow && (r = oc_event_log_follow(h->events, &fd)) < 0)
        return oc_fail_code(err, r, "events");
    r = oc_stream_begin(q);
    if (r == 0)
        r = send_events(h, q, &seq);
    while (follow && r == 0) {
        r = wait_event(fd, oc_stream_stop_fd(q));
        if (r == 0)
            r = send_events(h, q, &seq);
    }
    if (follow)
        oc_event_log_unfollow(h->events, fd);
    return r;
}

static int rule_metrics(outcall_host_api *h, struct oc_buf *out)
{
    uint64_t generation = 0;
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *p = h->policy ? outcall_policy_slot_get(h->policy, &generation) : NULL;
    return oc_buf_printf(
        out,
        "# HELP outcall_rules Rules in force.\n# TYPE outcall_rules gauge\noutcall_rules %zu\n"
        "# HELP outcall_rule_files Files they come from.\n# TYPE outcall_rule_files gauge\n"
        "outcall_rule_files %zu\n"
        "# HELP outcall_rules_generation Grows by one with each reload.\n"
        "# TYPE outcall_rules_generation gauge\noutcall_rules_generation %llu\n"
        "# HELP outcall_rule_reloads_total Reloads of the rules by result.\n"
        "# TYPE outcall_rule_reloads_total counter\n"
        "outcall_rule_reloads_total{result=\"ok\"} %llu\noutcall_rule_reloads_total{result=\"failed\"} %llu\n"
        "# HELP outcall_verdicts_total Verdicts by decision.\n# TYPE outcall_verdicts_total counter\n"
        "outcall_verdicts_total{decision=\"allow\"} %llu\noutcall_verdicts_total{decision=\"block\"} %llu\n"
        "# HELP outcall_rule_errors_total Rules that could not be evaluated for a verdict.\n"
        "# TYPE outcall_rule_errors_total counter\noutcall_rule_errors_total %llu\n",
        outcall_policy_rules_n(p), outcall_policy_files_n(p), (unsigned long long)generation,
        atomic_load(&h->reloads), atomic_load(&h->failed_reloads), atomic_load(&h->allowed),
        atomic_load(&h->blocked), atomic_load(&h->rule_errors));
}

/* Prometheus' text format, version 0.0.4. */
static int metrics(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    struct oc_docker_state s;
    (void)ret;
    oc_docker_state(h->docker, &s);
    int r = oc_buf_printf(
        q->out,
        "# HELP outcall_info Version of the daemon.\n# TYPE outcall_info gauge\n"
        "outcall_info{version=\"%s\"} 1\n"
        "# HELP outcall_uptime_seconds Seconds since the start.\n# TYPE outcall_uptime_seconds gauge\n"
        "outcall_uptime_seconds %llu\n"
        "# HELP outcall_docker_reachable 1 when the last call reached the engine.\n"
        "# TYPE outcall_docker_reachable gauge\noutcall_docker_reachable %d\n"
        "# HELP outcall_containers Containers managed now.\n# TYPE outcall_containers gauge\n"
        "outcall_containers %zu\n"
        "# HELP outcall_agent_sockets Agent sockets open now.\n# TYPE outcall_agent_sockets gauge\n"
        "outcall_agent_sockets %zu\n"
        "# HELP outcall_events_lost_total Events lost for lack of memory.\n"
        "# TYPE outcall_events_lost_total counter\noutcall_events_lost_total %llu\n"
        "# HELP outcall_host_requests_total Answers of the host API by class of status.\n"
        "# TYPE outcall_host_requests_total counter\n",
        outcall_version_string(), (unsigned long long)((oc_now_ms() - h->started_ms) / 1000), s.reachable,
        outcall_containers_count(h->containers), sockets_n(h),
        (unsigned long long)oc_event_log_lost(h->events));
    for (int class = 2; class < OC_STATUS_KINDS && r == 0; class ++)
        r = oc_buf_printf(q->out, "outcall_host_requests_total{status=\"%dxx\"} %llu\n", class,
                          (unsigned long long)atomic_load(&h->answers[class]));
    if (r == 0)
        r = rule_metrics(h, q->out);
    q->status = 200;
    return r < 0 ? oc_no_memory(err) : 0;
}

const struct oc_route oc_status_routes[] = {
    {"GET", "/api/v1/status", status, {NULL}, false},
    {"GET", "/api/v1/events", events, {"follow"}, false},
    {"GET", "/metrics", metrics, {NULL}, false},
    {NULL, NULL, NULL, {NULL}, false},
};
