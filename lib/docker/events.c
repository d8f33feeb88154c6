#include "docker/events.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include <inttypes.h>
#include <string.h>

#define NS_PER_S 1000000000U

struct follower {
    const struct oc_docker_events *e;
    struct oc_docker_lines *lines;
    outcall_error *err;
    uint64_t last_ns;
};

static int on_value(void *userdata, const json_t *event)
{
    struct follower *f = userdata;
    int64_t ns = oc_json_i64(event, "timeNano", 0);
    if (ns <= 0) { /* Podman before 4.4 sends seconds only */
        int64_t s = oc_json_i64(event, "time", 0);
        ns = s > 0 && s < INT64_MAX / (int64_t)NS_PER_S ? s * (int64_t)NS_PER_S : 0;
    }
    if (ns > 0 && (uint64_t)ns > f->last_ns)
        f->last_ns = (uint64_t)ns;
    return f->e->on_event(f->e->userdata, event, ns > 0 ? (uint64_t)ns : 0);
}

static int on_data(void *userdata, const char *data, size_t len)
{
    struct follower *f = userdata;
    return oc_docker_lines_feed(f->lines, data, len, f->err);
}

static void on_open(void *userdata)
{
    struct follower *f = userdata;
    if (f->e->on_open)
        f->e->on_open(f->e->userdata);
}

static int make_path(const struct oc_docker_events *e, char **ret, outcall_error *err)
{
    OC_FREE char *filters = e->filters ? oc_json_dump(e->filters, NULL) : strdup("{}");
    char since[48];
    if (!filters)
        return oc_no_memory(err);
    if (e->since_ns == 0)
        return oc_docker_path(ret, err, "/events?filters=%s", filters);
    (void)oc_format(since, sizeof(since), "%" PRIu64 ".%09" PRIu64, e->since_ns / NS_PER_S,
                    e->since_ns % NS_PER_S);
    return oc_docker_path(ret, err, "/events?since=%s&filters=%s", since, filters);
}

static int follow(outcall_docker *d, struct follower *f, const char *path, outcall_error *err)
{
    const struct oc_docker_stream s = {.method = "GET",
                                       .path = path,
                                       .on_data = on_data,
                                       .on_open = on_open,
                                       .userdata = f,
                                       .stop_fd = f->e->stop_fd,
                                       .idle_ms = OC_NEVER};
    int r = oc_docker_follow(d, &s, err);
    if (r == 0)
        r = oc_docker_lines_finish(f->lines, err);
    if (r == 0)
        r = oc_fail_kind(err, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE,
                         "the Docker Engine at %s ended the event stream", oc_docker_socket_path(d));
    return r;
}

int oc_docker_events(outcall_docker *d, const struct oc_docker_events *e, uint64_t *ret_last_ns,
                     outcall_error *err)
{
    OC_FREE char *path = NULL;
    struct follower f = {.e = e, .err = err, .last_ns = e->since_ns};
    int r = make_path(e, &path, err);
    if (r == 0 && oc_docker_lines_new(&f.lines, OC_DOCKER_EVENT_MAX, on_value, &f) < 0)
        r = oc_no_memory(err);
    if (r == 0)
        r = follow(d, &f, path, err);
    f.lines = oc_docker_lines_free(f.lines);
    if (ret_last_ns)
        *ret_last_ns = f.last_ns;
    return r;
}
