/* Stop, remove, wait, inspect, list: each looks first, requires that the container is ours, and acts on its
 * id. */
#include "base/str.h"
#include "containers/adopt.h"
#include "containers/engine_calls.h"
#include "containers/info.h"
#include "core/error.h"
#include "docker/engine.h"
#include <string.h>

#define STOP_TIMEOUT_MAX_S 300U
#define STOP_SLACK_MS      30000U /* beyond the wait that was asked for, until the engine counts as hung */
#define WAIT_REPLY_MAX     65536U

static int find(outcall_containers *m, const char *text, char name[OC_NAME_SIZE], json_t **ret,
                outcall_error *err)
{
    int r = oc_container_name(text, name, err);
    return r < 0 ? r : oc_inspect(m, name, ret, err);
}

int outcall_containers_inspect(outcall_containers *m, const char *text, outcall_container_info **ret,
                               outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    char name[OC_NAME_SIZE];
    int r = find(m, text, name, &j, err);
    return r < 0 ? r : oc_info_from_inspect(j, oc_is_attested(m, name), ret, err);
}

static int by_name(const void *a, const void *b)
{
    const outcall_container_info *const *x = a, *const *y = b;
    return strcmp(outcall_container_info_name(*x), outcall_container_info_name(*y));
}

static int ask_list(outcall_containers *m, outcall_container_info ***ret, size_t *ret_n, outcall_error *err)
{
    OC_JSON json_t *list = NULL;
    int r = oc_list_ours(m, &list, err);
    if (r < 0)
        return r;
    size_t n = json_array_size(list);
    outcall_container_info **v = oc_new_array(n, sizeof(outcall_container_info *));
    if (!v)
        return oc_no_memory(err);
    for (size_t i = 0; i < n && r == 0; i++)
        r = oc_info_from_listed(json_array_get(list, i), false, &v[i], err);
    if (r < 0) {
        outcall_container_info_free_many(v, n);
        return r;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int outcall_containers_list(outcall_containers *m, outcall_container_info ***ret, size_t *ret_n,
                            outcall_error *err)
{
    outcall_container_info **v = NULL;
    struct oc_view_ticket ticket;
    size_t n = 0;
    if (!oc_view_get(&m->view, &v, &n, &ticket)) {
        int r = ask_list(m, &v, &n, err);
        if (r < 0) {
            oc_view_fail(&m->view, &ticket);
            return r;
        }
        oc_view_fill(&m->view, &ticket, v, n);
    }
    for (size_t i = 0; i < n; i++)
        oc_info_set_attested(v[i], oc_is_attested(m, outcall_container_info_name(v[i])));
    qsort(v, n, sizeof(outcall_container_info *), by_name);
    *ret = v;
    *ret_n = n;
    return 0;
}

int outcall_containers_stop(outcall_containers *m, const char *text, uint32_t timeout_s, int *ret_stopped,
                            outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    OC_JSON json_t *reply = NULL;
    OC_FREE char *path = NULL;
    char name[OC_NAME_SIZE], seconds[12];
    int status = 0;
    if (timeout_s > STOP_TIMEOUT_MAX_S)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                            "timeout: expected 0 to %u seconds", STOP_TIMEOUT_MAX_S);
    int r = find(m, text, name, &j, err);
    if (r < 0)
        return r;
    (void)oc_format(seconds, sizeof(seconds), "%u", timeout_s);
    r = oc_docker_path(&path, err, "/containers/%s/stop?t=%s", oc_json_string(j, "Id", ""), seconds);
    if (r == 0)
        r = oc_docker_call(m->docker, "POST", path, NULL, timeout_s * 1000ULL + STOP_SLACK_MS, &status,
                           &reply, err);
    if (r < 0)
        return r;
    if (status == 404)
        return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_CONTAINER_NOT_FOUND,
                            "container \"%s\" does not exist", name);
    if (status != 204 && status != 304)
        return oc_docker_fail(err, status, reply);
    oc_view_stopped(&m->view, oc_json_string(j, "Id", ""));
    if (ret_stopped)
        *ret_stopped = status == 204;
    return 0;
}

/* The container behind a reserved name. */
static int remove_reserved(outcall_containers *m, const char *name, bool force, bool *ret_removed,
                           outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    *ret_removed = false;
    int r = oc_inspect(m, name, &j, &e);
    if (r == OUTCALL_E_NOT_FOUND && oc_names_has(m->names, name))
        return 0;
    if (r < 0) {
        if (err && err->code == 0)
            *err = e;
        return r;
    }
    if (oc_json_bool(j, "State.Running", false) && !force)
        return oc_fail_kind(err, OUTCALL_E_BUSY, OUTCALL_KIND_CONTAINER_RUNNING,
                            "container \"%s\" is still running — stop it first or use force", name);
    if (oc_names_add(m->names, name) == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    return oc_delete(m, oc_json_string(j, "Id", ""), force, ret_removed, err);
}

int outcall_containers_remove(outcall_containers *m, const char *text, int force, int *ret_removed,
                              outcall_error *err)
{
    char name[OC_NAME_SIZE], id[OUTCALL_CONTAINER_ID_LEN + 1];
    bool removed = false;
    int r = oc_container_name(text, name, err);
    if (r < 0)
        return r;
    if (oc_reserve(m, name, id) < 0)
        return oc_no_memory(err);
    r = remove_reserved(m, name, force, &removed, err);
    bool attested = oc_is_attested(m, name);
    if (r == 0) {
        oc_forget(m, name);
        id[0] = '\0';
    }
    if (oc_release(m, name, id, attested) && r < 0)
        (void)oc_refresh(m, name);
    if (r == 0 && removed)
        oc_event(m, "removed", name, "", "");
    if (r == 0 && ret_removed)
        *ret_removed = removed;
    return r;
}

struct wait_reply {
    char data[WAIT_REPLY_MAX];
    size_t len;
};

static int collect(void *userdata, const char *data, size_t len)
{
    struct wait_reply *w = userdata;
    if (len > sizeof(w->data) - w->len)
        return OUTCALL_E_LIMIT;
    memcpy(w->data + w->len, data, len);
    w->len += len;
    return 0;
}

/* Docker's own wait, which answers when the container does not run any more. */
static int wait_stopped(outcall_containers *m, const char *id, uint64_t timeout_ms, int stop_fd,
                        outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_FREE struct wait_reply *w = calloc(1, sizeof(*w));
    int r =
        w ? oc_docker_path(&path, err, "/containers/%s/wait?condition=not-running", id) : oc_no_memory(err);
    if (r < 0)
        return r;
    struct oc_docker_stream s = {.method = "POST",
                                 .path = path,
                                 .on_data = collect,
                                 .userdata = w,
                                 .stop_fd = stop_fd,
                                 .headers_ms = timeout_ms,
                                 .idle_ms = timeout_ms};
    return oc_docker_follow(m->docker, &s, err);
}

int outcall_containers_wait(outcall_containers *m, const char *text, uint64_t timeout_ms, int stop_fd,
                            int *ret_exit_code, int *ret_oom_killed, outcall_error *err)
{
    OC_JSON json_t *before = NULL;
    OC_JSON json_t *after = NULL;
    char name[OC_NAME_SIZE];
    int r = find(m, text, name, &before, err);
    if (r == 0 && oc_json_bool(before, "State.Running", false))
        r = wait_stopped(m, oc_json_string(before, "Id", ""), timeout_ms, stop_fd, err);
    if (r == 0)
        r = oc_inspect_id(m, oc_json_string(before, "Id", ""), &after, err);
    if (r < 0)
        return r;
    *ret_exit_code = (int)oc_json_i64(after, "State.ExitCode", 0);
    if (ret_oom_killed)
        *ret_oom_killed = oc_json_bool(after, "State.OOMKilled", false);
    return 0;
}
