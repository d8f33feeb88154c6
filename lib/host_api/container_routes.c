#include "base/base64.h"
#include "base/buf.h"
#include "base/name.h"
#include "base/num.h"
#include "base/str.h"
#include "containers/spec.h"
#include "core/error.h"
#include "host_api/api.h"
#include <string.h>

#define STOP_DEFAULT_S 10U
#define STOP_MAX_S     300
#define NANO           1000000000.0

struct create_request {
    const char *image, *network, *name, *user, *working_dir;
    uint64_t memory_limit, tmp_size;
    uint32_t cpu_shares, pids_limit;
    double cpus;
    struct oc_json_strings env, cmd, entrypoint, volumes;
    const json_t *labels;
    bool interactive, tty;
};

#define F(name, type, required, min, max)                                      \
    {                                                                          \
        #name, type, offsetof(struct create_request, name), required, min, max \
    }

static const struct oc_json_field create_fields[] = {
    F(image, OC_JSON_STRING, true, 1, OC_IMAGE_NAME_MAX),
    F(network, OC_JSON_STRING, false, 1, 128),
    F(name, OC_JSON_STRING, false, 1, 128),
    F(user, OC_JSON_STRING, false, 1, 64),
    F(working_dir, OC_JSON_STRING, false, 1, 4095),
    F(memory_limit, OC_JSON_U64, false, OC_MEMORY_MIN, INT64_MAX),
    F(tmp_size, OC_JSON_U64, false, OC_TMP_SIZE_MIN, INT64_MAX),
    F(cpu_shares, OC_JSON_U32, false, OC_SHARES_MIN, OC_SHARES_MAX),
    F(pids_limit, OC_JSON_U32, false, 1, OC_PIDS_MAX),
    F(cpus, OC_JSON_DOUBLE, false, 0, 1000000),
    F(env, OC_JSON_STRINGS, false, 0, OC_SPEC_STRINGS_MAX),
    F(cmd, OC_JSON_STRINGS, false, 0, OC_SPEC_STRINGS_MAX),
    F(entrypoint, OC_JSON_STRINGS, false, 0, OC_SPEC_STRINGS_MAX),
    F(volumes, OC_JSON_STRINGS, false, 0, OUTCALL_MOUNTS_MAX),
    F(labels, OC_JSON_STRING_MAP, false, 0, OC_SPEC_LABELS_MAX),
    F(interactive, OC_JSON_BOOL, false, 0, 0),
    F(tty, OC_JSON_BOOL, false, 0, 0),
};
#undef F

struct create_parts { /* what the spec points into */
    struct create_request request;
    json_t *json;
    outcall_mount mounts[OUTCALL_MOUNTS_MAX];
    char *mount_texts[OUTCALL_MOUNTS_MAX];
    struct oc_strings labels;
};

static void parts_done(struct create_parts *p)
{
    oc_json_decode_done(create_fields, OC_ARRAY_SIZE(create_fields), &p->request);
    json_decref(p->json);
    for (size_t i = 0; i < OUTCALL_MOUNTS_MAX; i++)
        free(p->mount_texts[i]);
    oc_strings_done(&p->labels);
}

static int parse_volumes(struct create_parts *p, outcall_error *err)
{
    for (size_t i = 0; i < p->request.volumes.n; i++) {
        const char *spec = p->request.volumes.v[i];
        size_t len = strlen(spec), size = OC_MIN(len, (size_t)OUTCALL_MOUNT_SPEC_MAX) + 1;
        p->mount_texts[i] = malloc(size);
        if (!p->mount_texts[i])
            return oc_no_memory(err);
        int r = outcall_mount_parse(spec, len, &p->mounts[i], p->mount_texts[i], size, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int join_labels(struct create_parts *p, outcall_error *err)
{
    const char *key = NULL;
    const json_t *value = NULL;
    json_object_foreach((json_t *)p->request.labels, key, value)
    {
        if (!key[0] || strchr(key, '='))
            return oc_fail(err, OUTCALL_E_INVALID, "labels: a key is neither empty nor has it a \"=\"");
        OC_FREE char *pair = oc_asprintf("%s=%s", key, json_string_value(value));
        if (!pair || oc_strings_add(&p->labels, pair, strlen(pair)) < 0)
            return oc_no_memory(err);
    }
    return 0;
}

static int fill_spec(struct create_parts *p, outcall_container_spec *s, outcall_error *err)
{
    const struct create_request *q = &p->request;
    int r = parse_volumes(p, err);
    if (r == 0)
        r = join_labels(p, err);
    if (r < 0)
        return r;
    if (json_object_get(p->json, "cpus") && q->cpus < 0.01)
        return oc_fail(err, OUTCALL_E_INVALID, "cpus: expected at least 0.01, got %g", q->cpus);
    s->image = q->image;
    s->name = q->name;
    s->network = q->network;
    s->user = q->user;
    s->workdir = q->working_dir;
    s->entrypoint = q->entrypoint.v;
    s->n_entrypoint = q->entrypoint.n;
    s->cmd = q->cmd.v;
    s->n_cmd = q->cmd.n;
    s->env = q->env.v;
    s->n_env = q->env.n;
    s->mounts = p->mounts;
    s->n_mounts = q->volumes.n;
    s->labels = (const char *const *)p->labels.v;
    s->n_labels = p->labels.n;
    s->memory_bytes = q->memory_limit;
    s->tmp_size_bytes = q->tmp_size;
    s->cpu_shares = q->cpu_shares;
    s->nano_cpus = (uint64_t)(q->cpus * NANO + 0.5);
    s->pids_max = q->pids_limit;
    s->interactive = q->interactive;
    s->tty = q->tty;
    return 0;
}

static int create(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(parts_done) struct create_parts p = {.json = NULL};
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *info = NULL;
    outcall_container_spec spec = OUTCALL_CONTAINER_SPEC_INIT;
    int r = oc_request_decode(q, create_fields, OC_ARRAY_SIZE(create_fields), &p.request, &p.json, err);
    if (r == 0)
        r = fill_spec(&p, &spec, err);
    if (r == 0)
        r = outcall_containers_create(h->containers, &spec, &info, err);
    if (r < 0)
        return r;
    *ret = json_pack("{s:s, s:s, s:b, s:b}", "container_id", outcall_container_info_id(info), "name",
                     outcall_container_info_name(info), "created", 1, "attested",
                     outcall_container_info_attested(info));
    return 0;
}

struct name_request {
    const char *name;
    uint32_t timeout;
    bool force;
};

/* The full name, as every answer gives it. */
static int full_name(const char *text, char full[OC_NAME_SIZE])
{
    return oc_name_parse(OC_CONTAINER_PREFIX, text, full);
}

static int stop(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    static const struct oc_json_field fields[] = {
        {"name", OC_JSON_STRING, offsetof(struct name_request, name), true, 1, 128},
        {"timeout", OC_JSON_U32, offsetof(struct name_request, timeout), false, 0, STOP_MAX_S},
    };
    struct name_request n = {.timeout = STOP_DEFAULT_S};
    OC_JSON json_t *json = NULL;
    char full[OC_NAME_SIZE] = "";
    int stopped = 0;
    int r = oc_request_decode(q, fields, OC_ARRAY_SIZE(fields), &n, &json, err);
    if (r == 0)
        r = outcall_containers_stop(h->containers, n.name, n.timeout, &stopped, err);
    if (r == 0)
        r = full_name(n.name, full);
    if (r == 0)
        *ret = json_pack("{s:s, s:b}", "name", full, "stopped", stopped);
    return r;
}

static int remove_container(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    static const struct oc_json_field fields[] = {
        {"name", OC_JSON_STRING, offsetof(struct name_request, name), true, 1, 128},
        {"force", OC_JSON_BOOL, offsetof(struct name_request, force), false, 0, 0},
    };
    struct name_request n = {.name = NULL};
    OC_JSON json_t *json = NULL;
    char full[OC_NAME_SIZE] = "";
    int removed = 0;
    int r = oc_request_decode(q, fields, OC_ARRAY_SIZE(fields), &n, &json, err);
    if (r == 0)
        r = outcall_containers_remove(h->containers, n.name, n.force, &removed, err);
    if (r == 0)
        r = full_name(n.name, full);
    if (r == 0)
        *ret = json_pack("{s:s, s:b}", "name", full, "removed", removed);
    return r;
}

static json_t *summary(const outcall_container_info *i)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", outcall_container_info_id(i), "name",
                     outcall_container_info_name(i), "image", outcall_container_info_image(i), "state",
                     outcall_container_info_state(i), "network", outcall_container_info_network(i), "created",
                     outcall_container_info_created_at(i), "attested", outcall_container_info_attested(i));
}

static int list(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    outcall_container_info **v = NULL;
    size_t n = 0;
    (void)q;
    int r = outcall_containers_list(h->containers, &v, &n, err);
    if (r < 0)
        return r;
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (size_t i = 0; i < n && !bad; i++)
        bad = oc_json_add(a, summary(v[i]));
    outcall_container_info_free_many(v, n);
    if (bad)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&a);
    return 0;
}

static json_t *env_json(const outcall_container_info *i)
{
    OC_JSON json_t *a = json_array();
    const char *name = NULL;
    for (size_t k = 0; a && (name = outcall_container_info_env_name(i, k)); k++)
        if (oc_json_add(a, json_sprintf("%s=<redacted>", name)))
            return NULL;
    return oc_take_ptr(&a);
}

static json_t *mounts_json(const outcall_container_info *i)
{
    OC_JSON json_t *a = json_array();
    outcall_mount m;
    const char *type = NULL;
    for (size_t k = 0; a && outcall_container_info_mount(i, k, &m, &type) == 0; k++)
        if (oc_json_add(a, json_pack("{s:s, s:s, s:s, s:b}", "type", type, "source", m.source, "target",
                                     m.target, "read_only", m.read_only)))
            return NULL;
    return oc_take_ptr(&a);
}

static int inspect(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *i = NULL;
    const char *name = NULL;
    int r = oc_query_required(q, "name", &name, err);
    if (r == 0)
        r = outcall_containers_inspect(h->containers, name, &i, err);
    if (r < 0)
        return r;
    OC_JSON json_t *j = summary(i);
    bool bad = !j || oc_json_set(j, "ip_address", json_string(outcall_container_info_ip_address(i)));
    bad = bad || oc_json_set(j, "user", json_string(outcall_container_info_user(i)));
    bad = bad || oc_json_set(j, "env", env_json(i)) || oc_json_set(j, "mounts", mounts_json(i));
    bad = bad || oc_json_set(j, "limits",
                             json_pack("{s:I, s:i, s:f, s:i}", "memory_limit",
                                       (json_int_t)outcall_container_info_memory_bytes(i), "cpu_shares",
                                       (int)outcall_container_info_cpu_shares(i), "cpus",
                                       (double)outcall_container_info_nano_cpus(i) / NANO, "pids_limit",
                                       (int)outcall_container_info_pids_max(i)));
    bad = bad || oc_json_set(j, "exit_code", json_integer(outcall_container_info_exit_code(i)));
    bad = bad || oc_json_set(j, "oom_killed", json_boolean(outcall_container_info_oom_killed(i)));
    if (bad)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&j);
    return 0;
}

static int log_piece(void *userdata, int stream, const char *data, size_t len)
{
    struct oc_request *q = userdata;
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    if (!q->streaming) {
        int r = oc_stream_begin(q);
        if (r < 0)
            return r;
    }
    if (oc_base64_encode(&b, data, len) < 0)
        return OUTCALL_E_NO_MEMORY;
    return oc_stream_line(q, json_pack("{s:s, s:s}", "stream", stream == 2 ? "stderr" : "stdout", "data",
                                       b.data ? b.data : ""));
}

static int logs(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    outcall_logs_options o = OUTCALL_LOGS_OPTIONS_INIT;
    const char *name = NULL, *tail = oc_query_get(q, "tail");
    bool follow = false;
    uint32_t tail_n = 0;
    (void)ret;
    int r = oc_query_required(q, "name", &name, err);
    if (r == 0)
        r = oc_query_flag(q, "follow", &follow, err);
    if (r == 0 && tail && strcmp(tail, "all") != 0) {
        if (oc_parse_u32(tail, strlen(tail), 0, INT32_MAX, &tail_n) < 0)
            r = oc_fail(err, OUTCALL_E_INVALID, "tail: expected a number of lines or \"all\", got \"%s\"",
                        tail);
        o.tail_n = tail_n;
    }
    o.follow = follow && q->call; /* without a socket there is nobody who could end it */
    o.stop_fd = oc_stream_stop_fd(q);
    if (r == 0)
        r = outcall_containers_logs(h->containers, name, &o, log_piece, q, err);
    if (r == 0 && !q->streaming)
        r = oc_stream_begin(q); /* nothing was ever written: an empty stream */
    return r;
}

static int wait_container(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    const char *name = NULL;
    int exit_code = 0, oom = 0;
    int r = oc_query_required(q, "name", &name, err);
    if (r == 0)
        r = outcall_containers_wait(h->containers, name, UINT64_MAX, oc_stream_stop_fd(q), &exit_code, &oom,
                                    err);
    if (r == 0)
        *ret = json_pack("{s:i, s:b}", "exit_code", exit_code, "oom_killed", oom);
    return r;
}

static int pull_progress(void *userdata, const char *layer, const char *status, uint64_t current,
                         uint64_t total)
{
    return oc_stream_line(userdata, json_pack("{s:s, s:s, s:I, s:I}", "layer", layer ? layer : "", "status",
                                              status ? status : "", "current", (json_int_t)current, "total",
                                              (json_int_t)total));
}

struct pull_request {
    const char *image;
};

static int pull(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    static const struct oc_json_field fields[] = {
        {"image", OC_JSON_STRING, offsetof(struct pull_request, image), true, 1, OC_IMAGE_NAME_MAX},
    };
    struct pull_request p = {NULL};
    OC_JSON json_t *json = NULL;
    bool progress = false;
    int pulled = 0;
    int r = oc_query_flag(q, "progress", &progress, err);
    if (r == 0)
        r = oc_request_decode(q, fields, OC_ARRAY_SIZE(fields), &p, &json, err);
    if (r == 0 && progress)
        r = oc_stream_begin(q);
    if (r == 0)
        r = outcall_image_pull(h->docker, p.image, progress ? pull_progress : NULL, q, &pulled, err);
    if (r < 0)
        return r;
    json_t *data = json_pack("{s:s, s:b}", "image", p.image, "pulled", pulled);
    if (progress)
        return oc_stream_line(q, json_pack("{s:b, s:o}", "success", 1, "data", data));
    *ret = data;
    return 0;
}

const struct oc_route oc_container_routes[] = {
    {"POST", "/api/v1/container/create", create, {NULL}, true},
    {"POST", "/api/v1/container/stop", stop, {NULL}, true},
    {"POST", "/api/v1/container/remove", remove_container, {NULL}, true},
    {"GET", "/api/v1/containers", list, {NULL}, false},
    {"GET", "/api/v1/container", inspect, {"name"}, false},
    {"GET", "/api/v1/container/logs", logs, {"name", "follow", "tail"}, false},
    {"GET", "/api/v1/container/wait", wait_container, {"name"}, false},
    {"POST", "/api/v1/container/pull", pull, {"progress"}, true},
    {NULL, NULL, NULL, {NULL}, false},
};
