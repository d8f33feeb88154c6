#include "containers/attest.h"
#include "base/path.h"
#include "base/str.h"
#include "containers/approved.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include "identity/proc.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int differs(outcall_error *err, const char *name, const char *what, const char *which)
{
    return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                        "container \"%s\" is not what was approved: %s \"%s\"", name, what, which);
}

static int same_namespace(pid_t pid, const char *which, const char *words, outcall_error *err)
{
    int same = oc_proc_same(pid, which);
    if (same < 0)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine's %s namespace cannot be read: %s", words,
                       strerror(errno));
    return same ? 0 : oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine lives in another %s namespace", words);
}

static int same_namespaces(outcall_containers *m, outcall_error *err)
{
    pid_t pid = 0;
    int r = oc_docker_peer(m->docker, &pid, err);
    if (r < 0)
        return r;
    if (pid <= 0)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine lives in another pid namespace");
    r = same_namespace(pid, "ns/mnt", "mount", err);
    return r < 0 ? r : same_namespace(pid, "ns/pid", "pid", err);
}

bool oc_can_stage(outcall_containers *m, outcall_error *why)
{
    if (!m->stage_dir || geteuid() != 0) {
        (void)oc_fail(why, OUTCALL_E_UNSUPPORTED, "staging needs root and Linux 5.12");
        return false;
    }
    return same_namespaces(m, why) == 0;
}

/* A bind's source is one of three: in this container's stage, its agent directory at our target, the shim at
 * its own. */
static bool is_approved_source(outcall_containers *m, const char *name, const char *agent_dir,
                               const char *source, const char *target)
{
    char stage[4096 + OC_NAME_SIZE];
    if (!oc_path_is_clean(source))
        return false;
    if (strcmp(target, OC_AGENT_DIR_TARGET) == 0)
        return strcmp(source, agent_dir) == 0;
    if (strcmp(target, OC_SHIM_TARGET) == 0 && strcmp(source, m->shim_path) == 0)
        return true;
    return m->stage_dir && oc_format(stage, sizeof(stage), "%s/%s", m->stage_dir, name) == 0 &&
           oc_path_contains(stage, source) && strcmp(stage, source) != 0;
}

static const json_t *declared_at(const json_t *inspect, const char *target)
{
    const json_t *mounts = json_object_get(inspect, "Mounts");
    for (size_t i = 0; i < json_array_size(mounts); i++)
        if (oc_streq(oc_json_string(json_array_get(mounts, i), "Destination", ""), target))
            return json_array_get(mounts, i);
    return NULL;
}

/* What the engine says that it mounts must be approved, of the same kind, and come from a place of ours. */
static int check_declared(outcall_containers *m, const char *name, const char *agent_dir, const json_t *mount,
                          const struct oc_approved *a, outcall_error *err)
{
    const char *type = oc_json_string(mount, "Type", ""), *source = oc_json_string(mount, "Source", "");
    const char *target = oc_json_string(mount, "Destination", "");
    int i = oc_approved_find(a, target);
    if (i < 0)
        return differs(err, name, "there is a mount at", target);
    if (a->v[i].read_only && oc_json_bool(mount, "RW", true))
        return differs(err, name, "not read-only is", target);
    bool same = strcmp(type, "bind") == 0 ? !a->v[i].is_tmpfs && !a->volume[i] &&
                                                is_approved_source(m, name, agent_dir, source, target)
                : strcmp(type, "volume") == 0 ? oc_streq(oc_json_string(mount, "Name", ""), a->volume[i])
                                              : strcmp(type, "tmpfs") == 0 && a->v[i].is_tmpfs;
    return same ? 0 : differs(err, name, "a mount from", source);
}

/* Docker keeps Binds and Mounts apart, and outcall never asks for Binds. Podman tells of every mount as one
 * of Binds, "SOURCE:TARGET:OPTIONS": each must be a mount that was looked at, under the same name. */
static bool is_podmans_word_for(const json_t *mount, const char *bind)
{
    const char *of_volume = oc_json_string(mount, "Name", ""), *source = oc_json_string(mount, "Source", "");
    const char *from = *of_volume ? of_volume : source, *to = oc_json_string(mount, "Destination", "");
    size_t n = strlen(from), k = strlen(to);
    return oc_starts_with(bind, from) && bind[n] == ':' && oc_starts_with(bind + n + 1, to) &&
           (bind[n + 1 + k] == ':' || bind[n + 1 + k] == '\0');
}

static bool is_only_podmans_word(outcall_containers *m, const json_t *inspect, const char *bind)
{
    const json_t *mounts = json_object_get(inspect, "Mounts");
    struct oc_docker_state state = {.is_podman = false};
    if (m->docker)
        oc_docker_state(m->docker, &state);
    for (size_t i = 0; bind && state.is_podman && i < json_array_size(mounts); i++)
        if (is_podmans_word_for(json_array_get(mounts, i), bind))
            return true;
    return false;
}

static int check_engine_words(outcall_containers *m, const char *name, const char *agent_dir,
                              const json_t *inspect, const struct oc_approved *a, outcall_error *err)
{
    const json_t *mounts = json_object_get(inspect, "Mounts"),
                 *binds = oc_json_get(inspect, "HostConfig.Binds");
    int r = 0;
    for (size_t i = 0; i < json_array_size(mounts) && r == 0; i++)
        r = check_declared(m, name, agent_dir, json_array_get(mounts, i), a, err);
    bool asked = json_array_size(oc_json_get(inspect, "HostConfig.VolumesFrom")) == 0;
    for (size_t i = 0; i < json_array_size(binds) && asked; i++)
        asked = is_only_podmans_word(m, inspect, json_string_value(json_array_get(binds, i)));
    return r < 0 || asked ? r
                          : differs(err, name, "mounts that outcall never asks for:", "Binds or VolumesFrom");
}

/* A volume's identity is that of the directory where the engine keeps it. */
static int find_volumes(const char *name, const json_t *inspect, struct oc_approved *a, outcall_error *err)
{
    for (size_t i = 0; i < a->n; i++) {
        struct stat st;
        const json_t *mount = declared_at(inspect, a->v[i].target);
        if (!mount && !a->v[i].is_tmpfs)
            return differs(err, name, "it lacks", a->v[i].target);
        if (!a->volume[i])
            continue;
        if (stat(oc_json_string(mount, "Source", ""), &st) < 0)
            return differs(err, name, "there is nothing to compare with for volume", a->volume[i]);
        a->v[i].dev = st.st_dev;
        a->v[i].ino = st.st_ino;
    }
    return 0;
}

static int collect(outcall_containers *m, const char *name, const char *agent_dir, const json_t *inspect,
                   struct oc_approved *a, outcall_error *err)
{
    const char *label =
        json_string_value(json_object_get(oc_json_get(inspect, "Config.Labels"), OC_LABEL_MOUNTS));
    outcall_error why = OUTCALL_ERROR_INIT;
    if (!label)
        return differs(err, name, "there is no label", OC_LABEL_MOUNTS);
    int r = oc_approved_parse(label, a, &why);
    if (r < 0)
        return oc_fail_kind(err, r, why.kind, "container \"%s\" is not what was approved: %s", name,
                            why.text);
    r = check_engine_words(m, name, agent_dir, inspect, a, err);
    return r < 0 ? r : find_volumes(name, inspect, a, err);
}

/* Exactly the one network it was made for: a second one is a way out (threats, T16). */
static int check_networks(const char *name, const json_t *inspect, outcall_error *err)
{
    const char *asked =
        json_string_value(json_object_get(oc_json_get(inspect, "Config.Labels"), OC_LABEL_NETWORK));
    const char *key = NULL;
    const json_t *network = NULL;
    json_object_foreach((json_t *)oc_json_get(inspect, "NetworkSettings.Networks"), key, network)
    {
        if (!oc_streq(key, asked))
            return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN,
                                "container \"%s\" is not what was approved: it is attached to network \"%s\"",
                                name, key);
    }
    return 0;
}

static bool has_helper(const struct oc_approved *a, const char *target)
{
    int i = oc_approved_find(a, target);
    return i >= 0 && !a->v[i].is_tmpfs && !a->volume[i] && a->v[i].read_only;
}

int oc_attest(outcall_containers *m, const char *name, const char *agent_dir, const json_t *inspect,
              bool *ret_attested, outcall_error *err)
{
    outcall_error reason = OUTCALL_ERROR_INIT;
    OC_CLEANUP(oc_approved_done) struct oc_approved a = {.n = 0};
    int64_t pid = oc_json_i64(inspect, "State.Pid", 0);
    *ret_attested = false;
    int r = check_networks(name, inspect, err);
    if (r == 0)
        r = collect(m, name, agent_dir, inspect, &a, err);
    if (r < 0)
        return r;
    if (!has_helper(&a, OC_AGENT_DIR_TARGET) || !has_helper(&a, OC_SHIM_TARGET))
        return differs(err, name, "it lacks", OC_AGENT_DIR_TARGET " or " OC_SHIM_TARGET);
    if (pid <= 0 || pid > INT32_MAX)
        return 0; /* it has ended */
    if (!oc_can_stage(m, &reason)) {
        oc_log_error(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &reason, "\"%s\" cannot be attested", name);
        return 0;
    }
    r = outcall_mounts_attest((pid_t)pid, a.v, a.n, err);
    if (r == OUTCALL_E_CLOSED) {
        outcall_error_clear(err);
        return 0; /* it ended while being looked at */
    }
    *ret_attested = r == 0;
    return r;
}
