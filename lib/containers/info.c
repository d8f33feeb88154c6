#include "containers/info.h"
#include "base/clock.h"
#include "base/str.h"
#include "containers/engine_calls.h"
#include "core/error.h"
#include <string.h>

struct outcall_container_info {
    char *id, *name, *image, *state, *network, *created_at, *ip_address, *user;
    bool attested, oom_killed;
    int exit_code;
    uint64_t memory_bytes, nano_cpus;
    uint32_t cpu_shares, pids_max;
    struct oc_strings env_names;
    struct info_mount {
        char *type, *source, *target;
        bool read_only;
    } * mounts;
    size_t n_mounts;
};

static int dup_or(char **ret, const char *s, const char *fallback)
{
    return oc_dup(ret, s ? s : fallback);
}

static const char *label(const json_t *labels, const char *key)
{
    return json_string_value(json_object_get(labels, key));
}

/* What both of the engine's descriptions share. */
static int fill_common(outcall_container_info *i, const char *id, const char *name, const char *state,
                       const json_t *labels, bool attested)
{
    i->attested = attested;
    if (dup_or(&i->id, id, "") < 0 || dup_or(&i->name, name, "") < 0 || dup_or(&i->state, state, "") < 0 ||
        dup_or(&i->image, label(labels, OC_LABEL_IMAGE), "") < 0 ||
        dup_or(&i->network, label(labels, OC_LABEL_NETWORK), "") < 0 ||
        dup_or(&i->created_at, label(labels, OC_LABEL_CREATED), "") < 0)
        return OUTCALL_E_NO_MEMORY;
    return 0;
}

static uint64_t unsigned_of(const json_t *j, const char *path)
{
    int64_t v = oc_json_i64(j, path, 0);
    return v > 0 ? (uint64_t)v : 0;
}

static int fill_env(outcall_container_info *i, const json_t *env)
{
    int r = 0;
    for (size_t k = 0; k < json_array_size(env) && r == 0; k++) {
        const char *s = json_string_value(json_array_get(env, k));
        if (s)
            r = oc_strings_add(&i->env_names, s, strcspn(s, "=")); /* the value stops here, for good */
    }
    return r;
}

/* As they were asked for; Podman does not keep that and only says what it mounted. */
static int fill_mounts(outcall_container_info *i, const json_t *inspect)
{
    const json_t *asked = oc_json_get(inspect, "HostConfig.Mounts");
    const json_t *mounts = json_array_size(asked) ? asked : json_object_get(inspect, "Mounts");
    size_t n = json_array_size(mounts);
    i->mounts = oc_new_array(n, sizeof(*i->mounts));
    if (!i->mounts)
        return OUTCALL_E_NO_MEMORY;
    for (size_t k = 0; k < n; k++) {
        const json_t *m = json_array_get(mounts, k);
        struct info_mount *out = &i->mounts[i->n_mounts++];
        const char *source = oc_json_string(m, "Source", NULL), *target = oc_json_string(m, "Target", NULL);
        out->read_only = oc_json_bool(m, "ReadOnly", !oc_json_bool(m, "RW", true));
        if (dup_or(&out->type, oc_json_string(m, "Type", NULL), "") < 0 ||
            dup_or(&out->source, mounts == asked ? source : oc_json_string(m, "Name", source), "") < 0 ||
            dup_or(&out->target, oc_json_string(m, "Destination", target), "") < 0)
            return OUTCALL_E_NO_MEMORY;
    }
    return 0;
}

/* The address in the one network a container is in. */
static const char *ip_address(const json_t *inspect)
{
    const char *key = NULL;
    const json_t *network = NULL;
    json_object_foreach((json_t *)oc_json_get(inspect, "NetworkSettings.Networks"), key,
                        network) return oc_json_string(network, "IPAddress", "");
    return "";
}

static int fill_details(outcall_container_info *i, const json_t *j)
{
    i->exit_code = (int)oc_json_i64(j, "State.ExitCode", 0);
    i->oom_killed = oc_json_bool(j, "State.OOMKilled", false);
    i->memory_bytes = unsigned_of(j, "HostConfig.Memory");
    i->nano_cpus = unsigned_of(j, "HostConfig.NanoCpus");
    i->cpu_shares = (uint32_t)unsigned_of(j, "HostConfig.CpuShares");
    i->pids_max = (uint32_t)unsigned_of(j, "HostConfig.PidsLimit");
    if (dup_or(&i->ip_address, ip_address(j), "") < 0 ||
        dup_or(&i->user, oc_json_string(j, "Config.User", NULL), "") < 0)
        return OUTCALL_E_NO_MEMORY;
    int r = fill_env(i, oc_json_get(j, "Config.Env"));
    return r < 0 ? r : fill_mounts(i, j);
}

int oc_info_from_inspect(const json_t *j, bool attested, outcall_container_info **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *i = calloc(1, sizeof(*i));
    const char *name = oc_json_string(j, "Name", "");
    if (!i ||
        fill_common(i, oc_json_string(j, "Id", NULL), name + (name[0] == '/'),
                    oc_json_string(j, "State.Status", NULL), oc_json_get(j, "Config.Labels"), attested) < 0 ||
        fill_details(i, j) < 0)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&i);
    return 0;
}

int oc_info_from_listed(const json_t *j, bool attested, outcall_container_info **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *i = calloc(1, sizeof(*i));
    if (!i || fill_common(i, oc_json_string(j, "Id", NULL), oc_listed_name(j),
                          oc_json_string(j, "State", NULL), json_object_get(j, "Labels"), attested) < 0)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&i);
    return 0;
}

int oc_info_copy(const outcall_container_info *i, outcall_container_info **ret)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *copy = calloc(1, sizeof(*copy));
    if (!copy || dup_or(&copy->id, i->id, "") < 0 || dup_or(&copy->name, i->name, "") < 0 ||
        dup_or(&copy->state, i->state, "") < 0 || dup_or(&copy->image, i->image, "") < 0 ||
        dup_or(&copy->network, i->network, "") < 0 || dup_or(&copy->created_at, i->created_at, "") < 0)
        return OUTCALL_E_NO_MEMORY;
    copy->attested = i->attested;
    *ret = oc_take_ptr(&copy);
    return 0;
}

int oc_info_set_state(outcall_container_info *i, const char *state)
{
    char *s = NULL;
    int r = oc_dup(&s, state);
    if (r < 0)
        return r;
    free(i->state);
    i->state = s;
    return 0;
}

void oc_info_set_attested(outcall_container_info *i, bool attested)
{
    i->attested = attested;
}

outcall_container_info *outcall_container_info_free(outcall_container_info *i)
{
    if (!i)
        return NULL;
    char *const texts[] = {i->id,      i->name,       i->image,      i->state,
                           i->network, i->created_at, i->ip_address, i->user};
    for (size_t k = 0; k < OC_ARRAY_SIZE(texts); k++)
        free(texts[k]);
    for (size_t k = 0; k < i->n_mounts; k++) {
        free(i->mounts[k].type);
        free(i->mounts[k].source);
        free(i->mounts[k].target);
    }
    free(i->mounts);
    oc_strings_done(&i->env_names);
    free(i);
    return NULL;
}

void outcall_container_info_free_many(outcall_container_info **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)outcall_container_info_free(v[i]);
    free(v);
}

static const char *text(const char *s)
{
    return s ? s : "";
}

const char *outcall_container_info_id(const outcall_container_info *i)
{
    return text(i->id);
}

const char *outcall_container_info_name(const outcall_container_info *i)
{
    return text(i->name);
}

const char *outcall_container_info_image(const outcall_container_info *i)
{
    return text(i->image);
}

const char *outcall_container_info_state(const outcall_container_info *i)
{
    return text(i->state);
}

const char *outcall_container_info_network(const outcall_container_info *i)
{
    return text(i->network);
}

const char *outcall_container_info_created_at(const outcall_container_info *i)
{
    return text(i->created_at);
}

const char *outcall_container_info_ip_address(const outcall_container_info *i)
{
    return text(i->ip_address);
}

const char *outcall_container_info_user(const outcall_container_info *i)
{
    return text(i->user);
}

int outcall_container_info_attested(const outcall_container_info *i)
{
    return i->attested;
}

int outcall_container_info_exit_code(const outcall_container_info *i)
{
    return i->exit_code;
}

int outcall_container_info_oom_killed(const outcall_container_info *i)
{
    return i->oom_killed;
}

uint64_t outcall_container_info_memory_bytes(const outcall_container_info *i)
{
    return i->memory_bytes;
}

uint64_t outcall_container_info_nano_cpus(const outcall_container_info *i)
{
    return i->nano_cpus;
}

uint32_t outcall_container_info_cpu_shares(const outcall_container_info *i)
{
    return i->cpu_shares;
}

uint32_t outcall_container_info_pids_max(const outcall_container_info *i)
{
    return i->pids_max;
}

const char *outcall_container_info_env_name(const outcall_container_info *i, size_t n)
{
    return n < i->env_names.n ? i->env_names.v[n] : NULL;
}

int outcall_container_info_mount(const outcall_container_info *i, size_t n, outcall_mount *ret,
                                 const char **ret_type)
{
    if (n >= i->n_mounts)
        return OUTCALL_E_NOT_FOUND;
    const struct info_mount *m = &i->mounts[n];
    ret->source = m->source;
    ret->target = m->target;
    ret->read_only = m->read_only;
    if (ret_type)
        *ret_type = m->type;
    return 0;
}
