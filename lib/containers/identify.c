#include "containers/identify.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include "identity/proc.h"
#include <string.h>

bool oc_engine_shares_pids(outcall_containers *m, outcall_error *why)
{
    pid_t pid = 0;
    if (oc_docker_peer(m->docker, &pid, NULL) < 0 || (pid > 0 && oc_proc_same(pid, "ns/pid") != 0))
        return true;
    (void)oc_fail(why, OUTCALL_E_UNSUPPORTED, "the engine lives in another pid namespace");
    return false;
}

int oc_asked_labels(const json_t *inspect, struct oc_strings *ret, outcall_error *err)
{
    OC_JSON json_t *keys = NULL;
    const json_t *labels = oc_json_get(inspect, "Config.Labels"), *key = NULL;
    const char *text = json_string_value(json_object_get(labels, OC_LABEL_LABELS));
    size_t i = 0;
    int r = text ? oc_json_load(text, strlen(text), &keys, err) : 0;
    if (r < 0)
        return r;
    json_array_foreach(keys, i, key)
    {
        const char *name = json_string_value(key);
        const char *value = name ? json_string_value(json_object_get(labels, name)) : NULL;
        if (!value)
            continue;
        OC_FREE char *label = oc_asprintf("%s=%s", name, value);
        if (!label || oc_strings_add(ret, label, strlen(label)) < 0)
            return oc_no_memory(err);
    }
    return 0;
}

static void describe(const char *name, const json_t *inspect, outcall_identity *who)
{
    const char *image =
        json_string_value(json_object_get(oc_json_get(inspect, "Config.Labels"), OC_LABEL_IMAGE));
    (void)oc_format(who->container_id, sizeof(who->container_id), "%s", oc_json_string(inspect, "Id", ""));
    (void)oc_format(who->name, sizeof(who->name), "%s", name);
    (void)oc_format(who->agent, sizeof(who->agent), "%s", name + strlen(OC_CONTAINER_PREFIX));
    (void)oc_format(who->image, sizeof(who->image), "%s", image ? image : "");
}

void oc_identify(outcall_containers *m, const char *name, const json_t *inspect)
{
    OC_CLEANUP(oc_strings_done) struct oc_strings labels = {0};
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_identity who = {.container_id = ""};
    int64_t pid = oc_json_i64(inspect, "State.Pid", 0);
    if (!m->hooks.identify || pid <= 0 || pid > INT32_MAX)
        return; /* one that has ended needs none */
    describe(name, inspect, &who);
    int r = oc_asked_labels(inspect, &labels, &err);
    if (r == 0 && !oc_engine_shares_pids(m, &err))
        r = OUTCALL_E_UNSUPPORTED;
    if (r == 0)
        r = outcall_cgroup_of((pid_t)pid, who.cgroup, sizeof(who.cgroup), &err);
    if (r == OUTCALL_E_NOT_FOUND)
        return;
    if (r < 0) {
        who.cgroup[0] = '\0';
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &err, "the agent of \"%s\" is refused", name);
    }
    who.labels = (const char *const *)labels.v;
    who.n_labels = labels.n;
    m->hooks.identify(m->hooks.userdata, name, &who);
}
