#include "base/clock.h"
#include "base/str.h"
#include "containers/engine_calls.h"
#include "core/error.h"
#include "docker/engine.h"

#define LOGS_IDLE_MS 30000U /* without follow the engine has everything and must not fall silent */

struct sink {
    struct oc_docker_demux demux;
    outcall_stream_fn fn;
    void *userdata;
    outcall_error *err;
};

static int on_data(void *userdata, const char *data, size_t len)
{
    struct sink *s = userdata;
    return oc_docker_demux_feed(&s->demux, data, len, s->fn, s->userdata, s->err);
}

int outcall_containers_logs(outcall_containers *m, const char *text, const outcall_logs_options *opts,
                            outcall_stream_fn fn, void *userdata, outcall_error *err)
{
    static const outcall_logs_options defaults = OUTCALL_LOGS_OPTIONS_INIT;
    const outcall_logs_options *o = opts ? opts : &defaults;
    OC_JSON json_t *j = NULL;
    OC_FREE char *path = NULL;
    char name[OC_NAME_SIZE], tail[24] = "all";
    if (o->version < 1 || o->version > OUTCALL_LOGS_OPTIONS_VERSION || !fn)
        return oc_fail(err, OUTCALL_E_INVALID, "logs: options version or callback");
    int r = oc_container_name(text, name, err);
    if (r == 0)
        r = oc_inspect(m, name, &j, err);
    if (r == 0 && o->tail_n >= 0)
        r = oc_format(tail, sizeof(tail), "%lld", (long long)o->tail_n);
    if (r == 0)
        r = oc_docker_path(&path, err, "/containers/%s/logs?stdout=1&stderr=1&follow=%s&tail=%s",
                           oc_json_string(j, "Id", ""), o->follow ? "1" : "0", tail);
    if (r < 0)
        return r;
    struct sink sink = {
        .demux = {.tty = oc_json_bool(j, "Config.Tty", false)}, .fn = fn, .userdata = userdata, .err = err};
    struct oc_docker_stream s = {.method = "GET",
                                 .path = path,
                                 .on_data = on_data,
                                 .userdata = &sink,
                                 .stop_fd = o->stop_fd,
                                 .idle_ms = o->follow ? OC_NEVER : LOGS_IDLE_MS};
    return oc_docker_follow(m->docker, &s, err);
}
