#include "containers/engine_calls.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "docker/engine.h"
#include <string.h>

#define REMOVAL_WAIT_MS 10000U

bool oc_is_ours(const outcall_containers *m, const json_t *labels)
{
    return oc_streq(json_string_value(json_object_get(labels, OC_LABEL_MANAGED)), OC_LABEL_MANAGED_BY) &&
           oc_streq(json_string_value(json_object_get(labels, OC_LABEL_INSTANCE)), m->instance);
}

static int not_found(outcall_error *err, const char *name)
{
    return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_CONTAINER_NOT_FOUND,
                        "container \"%s\" does not exist", name);
}

int oc_inspect_id(outcall_containers *m, const char *id, json_t **ret, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/containers/%s/json", id);
    if (r == 0)
        r = oc_docker_call(m->docker, "GET", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    if (status == 404)
        return not_found(err, id);
    if (status != 200)
        return oc_docker_fail(err, status, reply);
    if (strlen(oc_json_string(reply, "Id", "")) != OUTCALL_CONTAINER_ID_LEN)
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine described \"%s\" without an Id", id);
    *ret = oc_take_ptr(&reply);
    return 0;
}

int oc_inspect(outcall_containers *m, const char *name, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    int r = oc_inspect_id(m, name, &j, err);
    if (r < 0)
        return r;
    const char *found = oc_json_string(j, "Name", "");
    found += found[0] == '/';
    if (strcmp(found, name) != 0)
        return not_found(err, name); /* Docker also takes an id, or the beginning of one */
    if (!oc_is_ours(m, oc_json_get(j, "Config.Labels")))
        return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_NOT_MANAGED,
                            "container \"%s\" is not managed by outcall", name);
    *ret = oc_take_ptr(&j);
    return 0;
}

static char *label_filter(const outcall_containers *m)
{
    OC_JSON json_t *filter =
        json_pack("{s:[o, o]}", "label", json_sprintf("%s=%s", OC_LABEL_MANAGED, OC_LABEL_MANAGED_BY),
                  json_sprintf("%s=%s", OC_LABEL_INSTANCE, m->instance));
    return filter ? oc_json_dump(filter, NULL) : NULL;
}

const char *oc_listed_name(const json_t *listed)
{
    const json_t *names = json_object_get(listed, "Names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name)
            continue;
        name += name[0] == '/';
        if (oc_name_is(OC_CONTAINER_PREFIX, name))
            return name;
    }
    return NULL;
}

int oc_list_ours(outcall_containers *m, json_t **ret, outcall_error *err)
{
    OC_FREE char *filter = label_filter(m);
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    if (!filter)
        return oc_no_memory(err);
    int r = oc_docker_path(&path, err, "/containers/json?all=1&filters=%s", filter);
    if (r == 0)
        r = oc_docker_ok(m->docker, "GET", path, NULL, 0, NULL, &reply, err);
    if (r < 0)
        return r;
    if (!json_is_array(reply))
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine's list of containers is no list");
    for (size_t i = json_array_size(reply); i-- > 0;) {
        const json_t *c = json_array_get(reply, i);
        /* The filter was the engine's; the judgement is ours. */
        if (!oc_is_ours(m, json_object_get(c, "Labels")) || !oc_listed_name(c) ||
            strlen(oc_json_string(c, "Id", "")) != OUTCALL_CONTAINER_ID_LEN)
            (void)json_array_remove(reply, i);
    }
    *ret = oc_take_ptr(&reply);
    return 0;
}

/* Somebody else removes it already: waits until the engine does not know it any more. */
static int wait_removed(outcall_containers *m, const char *id, outcall_error *err)
{
    OC_FREE char *path = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/containers/%s/wait?condition=removed", id);
    if (r == 0)
        r = oc_docker_call(m->docker, "POST", path, NULL, REMOVAL_WAIT_MS, &status, NULL, err);
    if (r < 0)
        return r;
    if (status != 200 && status != 404)
        return oc_docker_fail(err, status, NULL);
    oc_view_drop(&m->view, id);
    return 0;
}

int oc_delete(outcall_containers *m, const char *id, bool force, bool *ret_removed, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, force ? "/containers/%s?v=1&force=1" : "/containers/%s?v=1", id);
    if (r == 0)
        r = oc_docker_call(m->docker, "DELETE", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    *ret_removed = status != 404;
    if (status == 409 && strstr(oc_json_string(reply, "message", ""), "already in progress"))
        return wait_removed(m, id, err);
    if ((status < 200 || status >= 300) && status != 404)
        return oc_docker_fail(err, status, reply);
    oc_view_drop(&m->view, id);
    return 0;
}

int oc_kill(outcall_containers *m, const char *id, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/containers/%s/kill", id);
    if (r == 0)
        r = oc_docker_call(m->docker, "POST", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    return status == 204 || status == 404 || status == 409 ? 0 : oc_docker_fail(err, status, reply);
}
