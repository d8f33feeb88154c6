/* policy/index.h - which rules may match at all, from the strings that their conditions demand. What it
 * leaves out is false and no error; what it lets pass is evaluated as ever. Immutable once built. */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H
#include "policy/context.h"
#include "policy/policy.h"

#define OC_INDEX_LENGTHS_MAX \
    64 /* different lengths of a field's suffixes; rules with others are always looked at */
#define OC_INDEX_LISTS_MAX 128 /* found for one request; with more, every rule is looked at */

/* Rules that a string asks for. Two strings may share a hash: then they share their rules. */
struct oc_index_key {
    uint32_t hash;
    uint32_t from; /* in rules, up to the next key's */
};

struct oc_index_field {
    size_t equal_max;                       /* length of the longest string that is asked for as a whole */
    uint32_t lengths[OC_INDEX_LENGTHS_MAX]; /* of suffixes, ascending */
    uint8_t slot, lengths_n;
    bool equal;
};

struct oc_index {
    struct oc_index_field *fields; /* those that are asked for */
    size_t fields_n;
    struct oc_index_key *keys; /* and one behind the last */
    uint32_t *table;           /* key + 1 by hash, or 0 */
    size_t table_size;         /* a power of two */
    uint32_t *rules;           /* of the keys, each key's ascending; then those to look at always */
    uint32_t always, rules_n;
};

/* *ret: new, oc_index_free(). OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_index_new(struct oc_index **ret, const struct outcall_policy *p);
void oc_index_free(struct oc_index *x);

/* The candidates for one request, in the order of the rules. */
struct oc_candidates {
    struct {
        const uint32_t *at, *end;
    } lists[OC_INDEX_LISTS_MAX];
    size_t n;
};
/* false: there are too many lists. */
bool oc_candidates_start(struct oc_candidates *k, const struct oc_index *x, const oc_cel_value *values);

#define OC_CANDIDATES_END UINT32_MAX
/* The next rule, or OC_CANDIDATES_END. */
static inline uint32_t oc_candidates_next(struct oc_candidates *k)
{
    uint32_t least = OC_CANDIDATES_END;
    for (size_t i = 0; i < k->n; i++)
        if (*k->lists[i].at < least)
            least = *k->lists[i].at;
    for (size_t i = 0; i < k->n;) {
        if (*k->lists[i].at == least && ++k->lists[i].at == k->lists[i].end)
            k->lists[i] = k->lists[--k->n];
        else
            i++;
    }
    return least;
}

#endif
