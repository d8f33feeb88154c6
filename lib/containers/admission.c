#include "containers/admission.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/error.h"
#include "policy/labels.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACTION "container_create"

#define NS_PER_US UINT64_C(1000)

/* Where a pinned source really lies: a rule about /srv must see it behind a symlink or ".." too. */
static int real_path(int pin, char ret[PATH_MAX])
{
    char link[64];
    int r = oc_format(link, sizeof(link), "/proc/self/fd/%d", pin);
    ssize_t n = r < 0 ? -1 : readlink(link, ret, PATH_MAX);
    if (n < 0)
        return OUTCALL_E_SYSTEM;
    if (n == PATH_MAX)
        return OUTCALL_E_LIMIT;
    ret[n] = '\0';
    return 0;
}

static int add_volume(struct oc_strings *l, const char *source, const outcall_mount *m)
{
    OC_FREE char *text = oc_asprintf("%s:%s%s", source, m->target, m->read_only ? ":ro" : "");
    return text ? oc_strings_add(l, text, strlen(text)) : OUTCALL_E_NO_MEMORY;
}

/* docker.volumes: SOURCE:TARGET[:ro] as asked, and once more by its real path where that is another one. */
static int set_volumes(outcall_context *c, const struct oc_admission *a)
{
    OC_CLEANUP(oc_strings_done) struct oc_strings list = {NULL, 0, 0};
    char path[PATH_MAX];
    int r = 0;
    for (size_t i = 0; i < a->spec->n_mounts && r == 0; i++) {
        const outcall_mount *m = &a->spec->mounts[i];
        r = add_volume(&list, m->source, m);
        if (r < 0 || outcall_mount_is_volume(m))
            continue;
        r = real_path(a->pins[i], path);
        if (r == 0 && strcmp(path, m->source) != 0)
            r = add_volume(&list, path, m);
    }
    return r < 0 ? r : outcall_context_strings(c, "docker.volumes", (const char *const *)list.v, list.n);
}

/* docker.env_keys: the names alone; values are no rule's business. */
static int set_env_keys(outcall_context *c, const outcall_container_spec *s)
{
    OC_CLEANUP(oc_strings_done) struct oc_strings list = {NULL, 0, 0};
    int r = 0;
    for (size_t i = 0; i < s->n_env && r == 0; i++)
        r = oc_strings_add(&list, s->env[i], strcspn(s->env[i], "="));
    return r < 0 ? r : outcall_context_strings(c, "docker.env_keys", (const char *const *)list.v, list.n);
}

/* docker.command: entrypoint and command as asked, one after the other, as they will be run. */
static int set_command(outcall_context *c, const outcall_container_spec *s)
{
    size_t n = s->n_entrypoint + s->n_cmd;
    OC_FREE const char **all = oc_new_array(n, sizeof(*all));
    if (!all)
        return OUTCALL_E_NO_MEMORY;
    for (size_t i = 0; i < s->n_entrypoint; i++)
        all[i] = s->entrypoint[i];
    for (size_t i = 0; i < s->n_cmd; i++)
        all[s->n_entrypoint + i] = s->cmd[i];
    return outcall_context_strings(c, "docker.command", all, n);
}

static const char *agent_name(const struct oc_admission *a)
{
    return a->name + strlen(OC_CONTAINER_PREFIX);
}

/* docker.capabilities stays empty: nobody can ask for one. */
static int fill_context(outcall_context *c, const struct oc_admission *a)
{
    const outcall_container_spec *s = a->spec;
    int r = outcall_context_string(c, "docker.image", s->image, strlen(s->image));
    if (r == 0)
        r = set_command(c, s);
    if (r == 0)
        r = set_volumes(c, a);
    if (r == 0)
        r = set_env_keys(c, s);
    if (r == 0)
        r = outcall_context_string(c, "agent.name", agent_name(a), strlen(agent_name(a)));
    if (r == 0)
        r = outcall_context_string(c, "agent.image", s->image, strlen(s->image));
    if (r == 0)
        r = oc_context_labels(c, s->labels, s->n_labels);
    return r < 0 ? r : outcall_context_pair(c, "run.context", "action_type", ACTION);
}

static int fail(outcall_error *err, int code, const outcall_verdict *v)
{
    if (code == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (code < 0)
        return oc_fail_kind(err, code, OUTCALL_KIND_POLICY_DENIED,
                            "blocked: the rules could not be asked: %s", outcall_code_string(code));
    return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED, "blocked by rule \"%s\"%s%s%s",
                        v->rule_id, v->reason ? ": " : "", v->reason ? v->reason : "",
                        v->rule_error ? " (it could not be evaluated)" : "");
}

int oc_admit(outcall_containers *m, const struct oc_admission *a, outcall_error *err)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *policy = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_decision d = {.container = a->name,
                          .agent = agent_name(a),
                          .action_type = ACTION,
                          .target = a->spec->image,
                          .v = &v};
    if (!m->policy)
        return 0;
    uint64_t begin = oc_now_ns();
    policy = outcall_policy_slot_get(m->policy, &d.generation);
    int r = outcall_context_new(&c);
    if (r == 0)
        r = outcall_context_timeout_ms(c, (unsigned)m->policy_timeout_ms);
    if (r == 0)
        r = fill_context(c, a);
    if (r == 0)
        r = outcall_policy_decide(policy, c, &v, NULL);
    d.failure = r;
    d.allowed = r == 0 && (v.action == OUTCALL_ALLOW || !v.rule_id);
    d.duration_us = (oc_now_ns() - begin) / NS_PER_US;
    if (m->on_decision)
        m->on_decision(m->decision_userdata, &d);
    return d.allowed ? 0 : fail(err, r, &v);
}
