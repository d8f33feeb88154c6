/* Sets, and what is in them. */
#include "policy/policy.h"
#include "core/error.h"
#include "policy/fields.h"
#include "policy/hash.h"
#include "policy/index.h"
#include <string.h>

int oc_policy_new(struct outcall_policy **ret, outcall_log *log, outcall_error *err)
{
    outcall_policy *p = calloc(1, sizeof(*p));
    if (!p)
        return oc_no_memory(err);
    atomic_init(&p->refs, 1);
    p->log = outcall_log_ref(log);
    int r = oc_fields_env(&p->env, err);
    if (r == 0)
        r = oc_cel_pool_new(&p->pool, p->env);
    if (r < 0) {
        (void)outcall_policy_unref(p);
        return oc_fail_code(err, r, "rules");
    }
    *ret = p;
    return 0;
}

outcall_policy *outcall_policy_ref(outcall_policy *p)
{
    if (p)
        (void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

outcall_policy *outcall_policy_unref(outcall_policy *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    oc_cel_pool_free(p->pool); /* borrows from text */
    (void)outcall_cel_env_unref(p->env);
    oc_text_done(&p->text);
    oc_strings_done(&p->warnings);
    (void)outcall_log_unref(p->log);
    oc_index_free(p->index);
    free(p->rules);
    free(p->counts);
    free(p->ids);
    free(p->more);
    free(p->agents);
    free(p->ports);
    free(p);
    return NULL;
}

void *oc_policy_more(void **v, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        void *grown = reallocarray(*v, more, size);
        if (!grown)
            return NULL;
        *v = grown;
        *cap = more;
    }
    void *one = (char *)*v + *n * size;
    memset(one, 0, size);
    ++*n;
    return one;
}

static void enter(struct outcall_policy *p, size_t i)
{
    const char *id = oc_text_at(&p->text, p->rules[i].id);
    size_t at = oc_hash(0, id, strlen(id)) & (p->ids_size - 1);
    while (p->ids[at] != 0)
        at = (at + 1) & (p->ids_size - 1);
    p->ids[at] = (uint32_t)i + 1;
}

int oc_policy_index_ids(struct outcall_policy *p)
{
    size_t size = 16;
    while (size < p->rules_n + p->rules_n / 4)
        size *= 2;
    uint32_t *ids = calloc(size, sizeof(*ids));
    if (!ids)
        return OUTCALL_E_NO_MEMORY;
    free(p->ids);
    p->ids = ids;
    p->ids_size = size;
    for (size_t i = 0; i < p->rules_n; i++)
        enter(p, i);
    return 0;
}

int64_t oc_policy_find(const struct outcall_policy *p, const char *id, size_t len)
{
    if (p->ids_size == 0)
        return -1;
    for (size_t at = oc_hash(0, id, len) & (p->ids_size - 1);; at = (at + 1) & (p->ids_size - 1)) {
        if (p->ids[at] == 0)
            return -1;
        size_t i = p->ids[at] - 1;
        const char *one = oc_text_at(&p->text, p->rules[i].id);
        if (strncmp(one, id, len) == 0 && one[len] == '\0')
            return (int64_t)i;
    }
}

int oc_policy_enter_last(struct outcall_policy *p)
{
    if (p->rules_n + p->rules_n / 4 > p->ids_size)
        return oc_policy_index_ids(p);
    enter(p, p->rules_n - 1);
    return 0;
}

size_t outcall_policy_rules_n(const outcall_policy *p)
{
    return p ? p->rules_n : 0;
}
size_t outcall_policy_files_n(const outcall_policy *p)
{
    return p ? p->files_n : 0;
}
size_t outcall_policy_warnings_n(const outcall_policy *p)
{
    return p ? p->warnings.n : 0;
}

const char *outcall_policy_warning_at(const outcall_policy *p, size_t i)
{
    return i < outcall_policy_warnings_n(p) ? p->warnings.v[i] : NULL;
}

int outcall_policy_rule_at(const outcall_policy *p, size_t i, outcall_rule_info *ret)
{
    if (!p || !ret)
        return OUTCALL_E_INVALID;
    if (i >= p->rules_n)
        return OUTCALL_E_NOT_FOUND;
    const struct oc_rule *rule = &p->rules[i];
    const struct oc_rule_more *more = oc_rule_more(p, rule);
    *ret = (outcall_rule_info){
        .id = oc_text_at(&p->text, rule->id),
        .file = oc_text_at(&p->text, rule->file),
        .line = (int)rule->line,
        .action = rule->allow ? OUTCALL_ALLOW : OUTCALL_BLOCK,
        .priority = rule->priority,
        .condition = oc_text_at(&p->text, rule->condition),
        .log = rule->log,
        .hits = atomic_load_explicit(&p->counts[i].hits, memory_order_relaxed),
        .errors = atomic_load_explicit(&p->counts[i].errors, memory_order_relaxed),
    };
    if (!more)
        return 0;
    ret->description = oc_text_at(&p->text, more->description);
    ret->reason = oc_text_at(&p->text, more->reason);
    ret->agents = more->agents_n ? p->agents + more->agents : NULL;
    ret->n_agents = more->agents_n;
    ret->egress = more->egress;
    ret->allow_private_ips = more->allow_private_ips;
    ret->ports = more->ports_n ? p->ports + more->ports : NULL;
    ret->n_ports = more->ports_n;
    return 0;
}

int outcall_policy_rule_find(const outcall_policy *p, const char *id, outcall_rule_info *ret)
{
    if (!p || !id || !ret)
        return OUTCALL_E_INVALID;
    int64_t i = oc_policy_find(p, id, strlen(id));
    return i < 0 ? OUTCALL_E_NOT_FOUND : outcall_policy_rule_at(p, (size_t)i, ret);
}
