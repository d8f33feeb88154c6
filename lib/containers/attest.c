#include "containers/attest.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPECTED_MAX 256 /* our own mounts, the caller's 64, and an image's VOLUMEs */

struct expected {
    outcall_expected_mount v[EXPECTED_MAX];
    size_t n;
};

static int differs(outcall_error *err, const char *name, const char *what, const char *which)
{
    return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                        "container \"%s\" is not what was approved: %s \"%s\"", name, what, which);
}

static int same_namespace(pid_t pid, const char *which, const char *words, outcall_error *err)
{
    char path[64];
    struct stat ours, theirs;
    (void)oc_format(path, sizeof(path), "/proc/self/ns/%s", which);
    if (stat(path, &ours) < 0)
        return oc_fail_errno(err, "%s", path);
    (void)oc_format(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
    if (stat(path, &theirs) < 0)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine's %s namespace cannot be read: %s", which,
                       strerror(errno));
    if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine lives in another %s namespace", words);
    return 0;
}

static int same_namespaces(outcall_containers *m, outcall_error *err)
{
    pid_t pid = 0;
    int r = oc_docker_peer(m->docker, &pid, err);
    if (r < 0)
        return r;
    if (pid <= 0)
        return oc_fail(err, OUTCALL_E_UNSUPPORTED, "the engine lives in another pid namespace");
    r = same_namespace(pid, "mnt", "mount", err);
    return r < 0 ? r : same_namespace(pid, "pid", "pid", err);
}

bool oc_can_stage(outcall_containers *m, outcall_error *why)
{
    if (!m->stage_dir || geteuid() != 0) {
        (void)oc_fail(why, OUTCALL_E_UNSUPPORTED, "staging needs root and Linux 5.12");
        return false;
    }
    return same_namespaces(m, why) == 0;
}

static int expect(struct expected *e, outcall_expected_mount x, outcall_error *err)
{
    if (e->n == EXPECTED_MAX)
        return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "more than %d mounts",
                            EXPECTED_MAX);
    e->v[e->n++] = x;
    return 0;
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

/* The identity that the label keeps for the index-th mount. */
static bool approved_identity(const json_t *inspect, size_t index, outcall_expected_mount *x)
{
    const char *p =
        json_string_value(json_object_get(oc_json_get(inspect, "Config.Labels"), OC_LABEL_MOUNTS));
    while (p && *p) {
        uint64_t v[3] = {0, 0, 0};
        for (int i = 0; i < 3; i++) {
            size_t n = strcspn(p, ": ");
            if (oc_parse_u64(p, n, 0, UINT64_MAX, &v[i]) < 0)
                return false;
            p += n + (p[n] != '\0');
        }
        if (v[0] == index) {
            x->dev = (dev_t)v[1];
            x->ino = (ino_t)v[2];
            return true;
        }
    }
    return false;
}

/* Where the engine keeps a named volume that it mounted. */
static const char *volume_source(const json_t *inspect, const char *volume)
{
    const json_t *mounts = json_object_get(inspect, "Mounts");
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const json_t *v = json_array_get(mounts, i);
        if (oc_streq(oc_json_string(v, "Name", ""), volume))
            return oc_json_string(v, "Source", "");
    }
    return "";
}

static int expect_volume(const char *name, const json_t *inspect, const char *volume,
                         outcall_expected_mount x, struct expected *e, outcall_error *err)
{
    struct stat st;
    if (stat(volume_source(inspect, volume), &st) < 0)
        return differs(err, name, "there is nothing to compare with for volume", volume);
    x.dev = st.st_dev;
    x.ino = st.st_ino;
    return expect(e, x, err);
}

static int expect_mount(outcall_containers *m, const char *name, const char *agent_dir, const json_t *inspect,
                        size_t index, struct expected *e, outcall_error *err)
{
    const json_t *mount = json_array_get(oc_json_get(inspect, "HostConfig.Mounts"), index);
    const char *type = oc_json_string(mount, "Type", ""), *source = oc_json_string(mount, "Source", "");
    outcall_expected_mount x = {.target = oc_json_string(mount, "Target", ""),
                                .is_tmpfs = strcmp(type, "tmpfs") == 0,
                                .read_only = oc_json_bool(mount, "ReadOnly", false)};
    if (x.is_tmpfs)
        return expect(e, x, err);
    if (strcmp(type, "volume") == 0)
        return expect_volume(name, inspect, source, x, e, err);
    if (strcmp(type, "bind") != 0 || !is_approved_source(m, name, agent_dir, source, x.target) ||
        !approved_identity(inspect, index, &x))
        return differs(err, name, "a mount from", source);
    return expect(e, x, err);
}

static int collect(outcall_containers *m, const char *name, const char *agent_dir, const json_t *inspect,
                   struct expected *e, outcall_error *err)
{
    const json_t *host = json_object_get(inspect, "HostConfig");
    const json_t *mounts = json_object_get(host, "Mounts"), *tmpfs = json_object_get(host, "Tmpfs");
    if (json_array_size(json_object_get(host, "Binds")) > 0 ||
        json_array_size(json_object_get(host, "VolumesFrom")) > 0)
        return differs(err, name, "mounts that outcall never asks for:", "Binds or VolumesFrom");
    int r = 0;
    for (size_t i = 0; i < json_array_size(mounts) && r == 0; i++)
        r = expect_mount(m, name, agent_dir, inspect, i, e, err);
    const char *target = NULL;
    const json_t *options = NULL;
    json_object_foreach((json_t *)tmpfs, target, options)
    {
        if (r == 0)
            r = expect(e, (outcall_expected_mount){.target = target, .is_tmpfs = 1}, err);
    }
    return r;
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

static bool has_helper(const struct expected *e, const char *target)
{
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->v[i].target, target) == 0)
            return !e->v[i].is_tmpfs && e->v[i].read_only;
    return false;
}

int oc_attest(outcall_containers *m, const char *name, const char *agent_dir, const json_t *inspect,
              bool *ret_attested, outcall_error *err)
{
    outcall_error reason = OUTCALL_ERROR_INIT;
    struct expected e = {.n = 0};
    int64_t pid = oc_json_i64(inspect, "State.Pid", 0);
    *ret_attested = false;
    int r = check_networks(name, inspect, err);
    if (r == 0)
        r = collect(m, name, agent_dir, inspect, &e, err);
    if (r < 0)
        return r;
    if (!has_helper(&e, OC_AGENT_DIR_TARGET) || !has_helper(&e, OC_SHIM_TARGET))
        return differs(err, name, "it lacks", OC_AGENT_DIR_TARGET " or " OC_SHIM_TARGET);
    if (pid <= 0 || pid > INT32_MAX)
        return 0; /* it has ended */
    if (!oc_can_stage(m, &reason)) {
        oc_log_error(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &reason, "\"%s\" cannot be attested", name);
        return 0;
    }
    r = outcall_mounts_attest((pid_t)pid, e.v, e.n, err);
    if (r == OUTCALL_E_CLOSED) {
        outcall_error_clear(err);
        return 0; /* it ended while being looked at */
    }
    *ret_attested = r == 0;
    return r;
}

int oc_identity(const char *name, const json_t *inspect, outcall_identity *who, outcall_error *err)
{
    memset(who, 0, sizeof(*who));
    const char *image =
        json_string_value(json_object_get(oc_json_get(inspect, "Config.Labels"), OC_LABEL_IMAGE));
    (void)oc_format(who->container_id, sizeof(who->container_id), "%s", oc_json_string(inspect, "Id", ""));
    (void)oc_format(who->name, sizeof(who->name), "%s", name);
    (void)oc_format(who->agent, sizeof(who->agent), "%s", name + strlen(OC_CONTAINER_PREFIX));
    (void)oc_format(who->image, sizeof(who->image), "%s", image ? image : "");
    int64_t pid = oc_json_i64(inspect, "State.Pid", 0);
    if (pid <= 0 || pid > INT32_MAX)
        return oc_fail(err, OUTCALL_E_CLOSED, "container \"%s\" does not run", name);
    return outcall_cgroup_of((pid_t)pid, who->cgroup, sizeof(who->cgroup), err);
}
