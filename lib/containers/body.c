#include "containers/body.h"
#include "base/str.h"
#include "containers/approved.h"
#include "containers/manager.h"
#include "core/error.h"
#include "outcall/version.h"
#include <string.h>

#define SHM_SIZE     ((json_int_t)64 << 20) /* Docker's own default, written down */
#define LOG_MAX_SIZE "10m"
#define LOG_MAX_FILE "3"

static json_t *strings(const char *const *v, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n && a; i++) {
        if (oc_json_add(a, json_string(v[i]))) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *strings_or_null(const char *const *v, size_t n)
{
    return n ? strings(v, n) : json_null(); /* null: the image's */
}

static bool add_proxy(json_t *env, const char *address)
{
    static const char *const urls[] = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"};
    bool bad = false;
    for (size_t i = 0; i < OC_ARRAY_SIZE(urls); i++)
        bad |= oc_json_add(env, json_sprintf("%s=http://%s", urls[i], address));
    bad |= oc_json_add(env, json_string("NO_PROXY=localhost,127.0.0.1"));
    bad |= oc_json_add(env, json_string("no_proxy=localhost,127.0.0.1"));
    return bad;
}

static json_t *environment(const struct oc_body *b)
{
    OC_JSON json_t *env = strings(b->spec->env, b->spec->n_env);
    if (!env || (b->proxy_address && add_proxy(env, b->proxy_address)))
        return NULL;
    return oc_take_ptr(&env);
}

static json_t *labels(const struct oc_body *b)
{
    OC_JSON json_t *l = json_object();
    OC_JSON json_t *keys = json_array();
    OC_FREE char *approved = oc_approved_text(b->mounts, b->n_mounts);
    bool bad = !l || !approved;
    for (size_t i = 0; i < b->spec->n_labels && !bad; i++) {
        const char *label = b->spec->labels[i];
        OC_FREE char *key = strndup(label, strcspn(label, "="));
        bad |= !key || oc_json_set(l, key, json_string(strchr(label, '=') + 1));
        bad |= !key || oc_json_add(keys, json_string(key));
    }
    OC_FREE char *asked = bad ? NULL : oc_json_dump(keys, NULL);
    bad |= !asked;
    bad = bad || oc_json_set(l, OC_LABEL_MANAGED, json_string(OC_LABEL_MANAGED_BY));
    bad = bad || oc_json_set(l, OC_LABEL_INSTANCE, json_string(b->instance));
    bad = bad || oc_json_set(l, OC_LABEL_NETWORK, json_string(b->network_name));
    bad = bad || oc_json_set(l, OC_LABEL_IMAGE, json_string(b->spec->image));
    bad = bad || oc_json_set(l, OC_LABEL_CREATED, json_string(b->created_at));
    bad = bad || oc_json_set(l, OC_LABEL_VERSION, json_string(OUTCALL_VERSION_STRING));
    bad = bad || oc_json_set(l, OC_LABEL_AGENT, json_string(b->name + strlen(OC_CONTAINER_PREFIX)));
    bad = bad || oc_json_set(l, OC_LABEL_MOUNTS, json_string(approved));
    bad = bad || oc_json_set(l, OC_LABEL_LABELS, json_string(asked));
    return bad ? NULL : oc_take_ptr(&l);
}

/* A bind is not recursive and does not see later mounts of the host; a volume does not take over what the
 * image has at its place; a tmpfs has a ceiling. */
static json_t *mount(const struct oc_body_mount *m, uint64_t tmp_size)
{
    switch (m->type) {
    case OC_MOUNT_BIND:
        return json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:b}}", "Type", "bind", "Source", m->source, "Target",
                         m->target, "ReadOnly", m->read_only, "BindOptions", "Propagation", "rprivate",
                         "NonRecursive", 1);
    case OC_MOUNT_VOLUME:
        return json_pack("{s:s, s:s, s:s, s:b, s:{s:b}}", "Type", "volume", "Source", m->source, "Target",
                         m->target, "ReadOnly", m->read_only, "VolumeOptions", "NoCopy", 1);
    case OC_MOUNT_TMPFS:
        return json_pack("{s:s, s:s, s:{s:I, s:i}}", "Type", "tmpfs", "Target", m->target, "TmpfsOptions",
                         "SizeBytes", (json_int_t)tmp_size, "Mode", 01777);
    }
    return NULL;
}

static json_t *mounts(const struct oc_body *b)
{
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (size_t i = 0; i < b->n_mounts && !bad; i++)
        bad = oc_json_add(a, mount(&b->mounts[i], b->spec->tmp_size_bytes));
    return bad ? NULL : oc_take_ptr(&a);
}

static bool set_limits(json_t *host, const outcall_container_spec *s)
{
    bool bad = oc_json_set(host, "Memory", json_integer((json_int_t)s->memory_bytes));
    bad |= oc_json_set(host, "MemorySwap",
                       json_integer((json_int_t)s->memory_bytes)); /* the sum of both: no swap */
    bad |= oc_json_set(host, "CpuShares", json_integer((json_int_t)s->cpu_shares));
    bad |= oc_json_set(host, "NanoCpus", json_integer((json_int_t)s->nano_cpus));
    bad |= oc_json_set(host, "PidsLimit", json_integer((json_int_t)s->pids_max));
    bad |= oc_json_set(host, "ShmSize", json_integer(SHM_SIZE));
    return bad;
}

/* Everything a caller of Docker could use to get out is written down as "no", so that no default of an
 * engine, now or later, decides it. */
static bool set_walls(json_t *host)
{
    static const char *const all[] = {"ALL"}, *const no_new[] = {"no-new-privileges"};
    static const char *const empty_lists[] = {
        "Binds",      "CapAdd", "Devices",  "DeviceRequests", "DeviceCgroupRules",
        "ExtraHosts", "Links",  "GroupAdd", "Ulimits"};
    static const char *const empty_texts[] = {"PidMode", "UTSMode", "UsernsMode", "CgroupParent",
                                              "VolumeDriver"};
    bool bad = oc_json_set(host, "ReadonlyRootfs", json_true());
    bad |= oc_json_set(host, "CapDrop", strings(all, 1));
    bad |= oc_json_set(host, "SecurityOpt", strings(no_new, 1));
    bad |= oc_json_set(host, "Privileged", json_false());
    bad |= oc_json_set(host, "IpcMode", json_string("private"));
    bad |= oc_json_set(host, "CgroupnsMode", json_string("private"));
    bad |= oc_json_set(host, "PublishAllPorts", json_false());
    bad |= oc_json_set(host, "PortBindings", json_object());
    bad |= oc_json_set(host, "Sysctls", json_object());
    bad |= oc_json_set(host, "OomKillDisable", json_false());
    bad |= oc_json_set(host, "AutoRemove", json_false());
    bad |= oc_json_set(host, "Init", json_true());
    bad |= oc_json_set(host, "RestartPolicy", json_pack("{s:s, s:i}", "Name", "no", "MaximumRetryCount", 0));
    for (size_t i = 0; i < OC_ARRAY_SIZE(empty_lists); i++)
        bad |= oc_json_set(host, empty_lists[i], json_array());
    for (size_t i = 0; i < OC_ARRAY_SIZE(empty_texts); i++)
        bad |= oc_json_set(host, empty_texts[i], json_string(""));
    return bad;
}

/* Docker adds noexec to a tmpfs unless told otherwise, and agents build in /tmp. A caller's own /tmp takes
 * its place. */
static json_t *tmp(const struct oc_body *b)
{
    for (size_t i = 0; i < b->n_mounts; i++)
        if (strcmp(b->mounts[i].target, "/tmp") == 0)
            return json_object();
    return json_pack("{s:o}", "/tmp",
                     json_sprintf("rw,exec,nosuid,nodev,size=%llu,mode=1777",
                                  (unsigned long long)b->spec->tmp_size_bytes));
}

static json_t *host_config(const struct oc_body *b)
{
    const char *const dns[] = {b->dns_address}, *const options[] = {"ndots:0"}, *const search[] = {"."};
    OC_JSON json_t *h = json_object();
    if (!h)
        return NULL;
    bool bad = oc_json_set(h, "NetworkMode", json_string(b->network_id));
    bad |= oc_json_set(h, "Dns", strings(dns, 1));
    bad |= oc_json_set(h, "DnsOptions", strings(options, 1));
    bad |= oc_json_set(h, "DnsSearch", strings(search, 1)); /* "." = none, not the host's */
    bad |= oc_json_set(h, "Mounts", mounts(b));
    bad |= oc_json_set(h, "Tmpfs", tmp(b));
    bad |= oc_json_set(h, "LogConfig",
                       json_pack("{s:s, s:{s:s, s:s}}", "Type", "json-file", "Config", "max-size",
                                 LOG_MAX_SIZE, "max-file", LOG_MAX_FILE));
    bad |= set_limits(h, b->spec);
    bad |= set_walls(h);
    return bad ? NULL : oc_take_ptr(&h);
}

int oc_body_build(const struct oc_body *b, json_t **ret, outcall_error *err)
{
    const outcall_container_spec *s = b->spec;
    OC_JSON json_t *j = json_object();
    if (!j)
        return oc_no_memory(err);
    bool bad = oc_json_set(j, "Image", json_string(b->image_id));
    bad |= oc_json_set(j, "User", json_string(s->user));
    bad |= oc_json_set(j, "Env", environment(b));
    bad |= oc_json_set(j, "Cmd", strings_or_null(s->cmd, s->n_cmd));
    bad |= oc_json_set(j, "Entrypoint", strings_or_null(s->entrypoint, s->n_entrypoint));
    bad |= oc_json_set(j, "WorkingDir", json_string(s->workdir ? s->workdir : ""));
    bad |= oc_json_set(j, "Labels", labels(b));
    bad |= oc_json_set(j, "Tty", json_boolean(s->tty));
    bad |= oc_json_set(j, "OpenStdin", json_boolean(s->interactive));
    bad |= oc_json_set(j, "StdinOnce", json_false());
    bad |= oc_json_set(j, "AttachStdin", json_false());
    bad |= oc_json_set(j, "AttachStdout", json_false());
    bad |= oc_json_set(j, "AttachStderr", json_false());
    bad |= oc_json_set(j, "StopSignal",
                       json_string("SIGTERM")); /* spec: stop is SIGTERM, whatever the image says */
    bad |= oc_json_set(j, "Healthcheck",
                       json_pack("{s:[s]}", "Test", "NONE")); /* nothing runs that nobody asked for */
    bad |= oc_json_set(j, "HostConfig", host_config(b));
    if (bad)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&j);
    return 0;
}
