/* policy/policy.h - a loaded set, as the parts of the folder see it: rules in the order of evaluation, rare
 * parts in tables beside them. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H
#include "base/str.h"
#include "cel/code.h"
#include "outcall/policy.h"
#include "policy/text.h"
#include <stdatomic.h>

#define OC_RULES_MAX     100000             /* of a set; spec section 10 */
#define OC_SET_BYTES_MAX ((size_t)64 << 20) /* of its files, and of its conditions; spec section 10 */
#define OC_RULE_ID_MAX   128
#define OC_RULE_TEXT_MAX 1024 /* bytes of a description or reason */

struct oc_rule { /* 32 bytes: there may be many */
    const struct oc_cel_code *code;
    uint32_t id, file;  /* texts */
    uint32_t condition; /* as written */
    uint32_t more;      /* in the set's table, + 1; 0: nothing */
    int32_t priority;
    unsigned line : 24, allow : 1, log : 1; /* a file has at most OC_YAML_SIZE_MAX lines */
};

struct oc_rule_more {
    uint32_t description, reason; /* texts */
    uint32_t expanded;            /* the condition with its $names written out; 0: it has none */
    uint32_t agents, agents_n;    /* in the set's table; 0: all */
    uint32_t ports;               /* in the set's table */
    uint16_t ports_n;
    uint8_t egress; /* enum outcall_egress */
    bool allow_private_ips;
};

/* What changes in a set. */
struct oc_rule_counts {
    atomic_uint_least64_t hits, errors;
};

struct oc_index;

struct outcall_policy {
    atomic_uint refs;
    outcall_log *log;
    outcall_cel_env *env;
    struct oc_cel_pool *pool;
    struct oc_text text;
    struct oc_rule *rules;
    struct oc_rule_counts *counts; /* one for each rule */
    struct oc_index *index;
    uint32_t *ids; /* rule + 1 by the hash of its id, or 0 */
    size_t rules_n, rules_cap;
    size_t ids_size; /* a power of two */
    struct oc_rule_more *more;
    size_t more_n, more_cap;
    const char **agents;
    size_t agents_n, agents_cap;
    uint16_t *ports;
    size_t ports_n, ports_cap;
    size_t files_n;
    struct oc_strings warnings;
};

static inline const struct oc_rule_more *oc_rule_more(const struct outcall_policy *p,
                                                      const struct oc_rule *rule)
{
    return rule->more ? &p->more[rule->more - 1] : NULL;
}

OC_NODISCARD int oc_policy_new(struct outcall_policy **ret, outcall_log *log, outcall_error *err);
/* Enters the id of the last rule, or those of all anew. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_policy_enter_last(struct outcall_policy *p);
OC_NODISCARD int oc_policy_index_ids(struct outcall_policy *p);
/* The rule of that id, or -1. */
int64_t oc_policy_find(const struct outcall_policy *p, const char *id, size_t len);

/* One more of size bytes in an array that grows by doubling: zeroed; NULL when out of memory. */
OC_NODISCARD void *oc_policy_more(void **v, size_t *n, size_t *cap, size_t size);

#endif
