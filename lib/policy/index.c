#include "policy/index.h"
#include "policy/hash.h"
#include <string.h>

#define DEMANDS_MAX 16 /* of a rule; others are not looked at */

/* One demand of a rule, of its condition or by its agents. */
struct demand {
    const struct outcall_policy *p;
    const struct oc_rule *rule;
    struct oc_cel_demand cel;
    bool agents;
};

struct pair {
    uint32_t hash, rule;
};

struct builder {
    const struct outcall_policy *p;
    struct oc_index *x;
    uint32_t *counts; /* how many rules ask for a string, by its hash */
    size_t counts_mask;
    struct pair *pairs;
    size_t pairs_n, pairs_cap;
    struct oc_index_field fields[OC_FIELDS_N];
};

static void value(const struct demand *d, uint32_t i, const char **s, size_t *len)
{
    if (!d->agents) {
        oc_cel_demand_value(d->rule->code, &d->cel, i, s, len);
        return;
    }
    *s = d->p->agents[oc_rule_more(d->p, d->rule)->agents + i];
    *len = strlen(*s);
}

static uint32_t hash_equal(int slot, const char *s, size_t len)
{
    return oc_hash((uint32_t)slot * 2, s, len);
}

static uint64_t hash_suffix_start(int slot)
{
    return OC_HASH_BACK((uint32_t)slot * 2 + 1);
}

static uint32_t hash_of(const struct demand *d, uint32_t i)
{
    const char *s = NULL;
    size_t len = 0;
    value(d, i, &s, &len);
    if (d->cel.kind == OC_CEL_DEMAND_ONE_OF)
        return hash_equal(d->cel.slot, s, len);
    uint64_t h = hash_suffix_start(d->cel.slot);
    while (len > 0)
        h = oc_hash_step(h, s[--len]);
    return oc_hash_fold(h);
}

/* All demands of a rule. */
static size_t demands(const struct outcall_policy *p, const struct oc_rule *rule,
                      struct demand v[DEMANDS_MAX + 1])
{
    struct oc_cel_demand cel[DEMANDS_MAX];
    const struct oc_rule_more *more = oc_rule_more(p, rule);
    size_t n = oc_cel_code_demands(p->pool, rule->code, cel, DEMANDS_MAX);
    for (size_t i = 0; i < n; i++)
        v[i] = (struct demand){p, rule, cel[i], false};
    if (more && more->agents_n > 0)
        v[n++] = (struct demand){
            p, rule, {.kind = OC_CEL_DEMAND_ONE_OF, .slot = OC_FIELD_AGENT, .n = more->agents_n}, true};
    return n;
}

static void count(struct builder *b, const struct oc_rule *rule)
{
    struct demand v[DEMANDS_MAX + 1];
    size_t n = demands(b->p, rule, v);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < v[i].cel.n; k++)
            b->counts[hash_of(&v[i], k) & b->counts_mask]++;
}

/* Where the length is, or belongs, among those of the field. */
static size_t length_at(const struct oc_index_field *f, size_t len)
{
    size_t at = 0;
    while (at < f->lengths_n && f->lengths[at] < len)
        at++;
    return at;
}

/* Takes the lengths of a demand's suffixes in; false: there is no room for all. */
static bool add_lengths(struct oc_index_field *f, const struct demand *d)
{
    struct oc_index_field grown = *f;
    for (uint32_t i = 0; i < d->cel.n; i++) {
        const char *s = NULL;
        size_t len = 0;
        value(d, i, &s, &len);
        size_t at = length_at(&grown, len);
        if (at < grown.lengths_n && grown.lengths[at] == len)
            continue;
        if (grown.lengths_n == OC_INDEX_LENGTHS_MAX || len == 0) /* every text ends with "" */
            return false;
        memmove(&grown.lengths[at + 1], &grown.lengths[at], (grown.lengths_n - at) * sizeof(*grown.lengths));
        grown.lengths[at] = (uint32_t)len;
        grown.lengths_n++;
    }
    *f = grown;
    return true;
}

static uint64_t cost_of(const struct builder *b, const struct demand *d)
{
    uint64_t cost = 0;
    for (uint32_t i = 0; i < d->cel.n; i++)
        cost += b->counts[hash_of(d, i) & b->counts_mask];
    return d->cel.kind == OC_CEL_DEMAND_SUFFIX ? cost * 2 : cost;
}

/* The demand that the fewest other rules share; NULL: none that is of use. */
static const struct demand *choose(struct builder *b, struct demand *v, size_t n)
{
    while (n > 0) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            best = cost_of(b, &v[i]) < cost_of(b, &v[best]) ? i : best;
        bool suffix = v[best].cel.kind == OC_CEL_DEMAND_SUFFIX;
        if (!suffix || add_lengths(&b->fields[v[best].cel.slot], &v[best]))
            return &v[best];
        v[best] = v[--n];
    }
    return NULL;
}

static int add_pair(struct builder *b, uint32_t hash, size_t rule)
{
    struct pair *one = oc_policy_more((void **)&b->pairs, &b->pairs_n, &b->pairs_cap, sizeof(*one));
    if (!one)
        return OUTCALL_E_NO_MEMORY;
    *one = (struct pair){hash, (uint32_t)rule};
    return 0;
}

/* Enters a rule under what it demands; *ret_always: it has to be looked at in any case. */
static int enter(struct builder *b, size_t rule, bool *ret_always)
{
    struct demand v[DEMANDS_MAX + 1];
    size_t n = demands(b->p, &b->p->rules[rule], v);
    const struct demand *d = choose(b, v, n);
    *ret_always = !d;
    if (!d)
        return 0;
    struct oc_index_field *f = &b->fields[d->cel.slot];
    for (uint32_t i = 0; i < d->cel.n; i++) {
        const char *s = NULL;
        size_t len = 0;
        value(d, i, &s, &len);
        if (d->cel.kind == OC_CEL_DEMAND_ONE_OF) {
            f->equal = true;
            f->equal_max = OC_MAX(f->equal_max, len);
        }
        int r = add_pair(b, hash_of(d, i), rule);
        if (r < 0)
            return r;
    }
    return 0;
}

static int by_hash(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* Pairs, sorted, to keys and lists. */
static int make_lists(struct builder *b, const uint32_t *always, size_t always_n)
{
    struct oc_index *x = b->x;
    size_t keys = 0, at = 0, kept = 0;
    for (size_t i = 0; i < b->pairs_n; i++) { /* each once */
        if (kept > 0 && by_hash(&b->pairs[kept - 1], &b->pairs[i]) == 0)
            continue;
        keys += kept == 0 || b->pairs[kept - 1].hash != b->pairs[i].hash;
        b->pairs[kept++] = b->pairs[i];
    }
    x->table_size = 16;
    while (x->table_size < keys + keys / 4)
        x->table_size *= 2;
    x->keys = oc_new_array(keys + 1, sizeof(*x->keys));
    x->rules = oc_new_array(kept + always_n, sizeof(*x->rules));
    x->table = oc_new_array(x->table_size, sizeof(*x->table));
    if (!x->keys || !x->rules || !x->table)
        return OUTCALL_E_NO_MEMORY;
    for (size_t i = 0; i < kept; i++) {
        x->rules[i] = b->pairs[i].rule;
        if (i > 0 && b->pairs[i - 1].hash == b->pairs[i].hash)
            continue;
        x->keys[at] = (struct oc_index_key){b->pairs[i].hash, (uint32_t)i};
        size_t place = b->pairs[i].hash & (x->table_size - 1);
        while (x->table[place] != 0)
            place = (place + 1) & (x->table_size - 1);
        x->table[place] = (uint32_t)++at;
    }
    x->keys[at].from = x->always = (uint32_t)kept;
    x->rules_n = (uint32_t)(kept + always_n);
    if (always_n > 0)
        memcpy(x->rules + kept, always, always_n * sizeof(*always));
    return 0;
}

static bool is_asked(const struct oc_index_field *f)
{
    return f->equal || f->lengths_n > 0;
}

static int make_fields(struct builder *b)
{
    size_t n = 0;
    for (size_t i = 0; i < OC_FIELDS_N; i++)
        n += is_asked(&b->fields[i]);
    b->x->fields = oc_new_array(n, sizeof(*b->x->fields));
    if (!b->x->fields)
        return OUTCALL_E_NO_MEMORY;
    for (uint8_t i = 0; i < OC_FIELDS_N; i++)
        if (is_asked(&b->fields[i])) {
            b->fields[i].slot = i;
            b->x->fields[b->x->fields_n++] = b->fields[i];
        }
    return 0;
}

static int build(struct builder *b, uint32_t *always)
{
    size_t always_n = 0;
    for (size_t i = 0; i < b->p->rules_n; i++)
        count(b, &b->p->rules[i]);
    for (size_t i = 0; i < b->p->rules_n; i++) {
        bool in_any_case = false;
        int r = enter(b, i, &in_any_case);
        if (r < 0)
            return r;
        if (in_any_case)
            always[always_n++] = (uint32_t)i;
    }
    if (b->pairs_n > 1)
        qsort(b->pairs, b->pairs_n, sizeof(*b->pairs), by_hash);
    int r = make_lists(b, always, always_n);
    return r < 0 ? r : make_fields(b);
}

int oc_index_new(struct oc_index **ret, const struct outcall_policy *p)
{
    struct builder b = {.p = p, .counts_mask = 1023};
    while (b.counts_mask < 4 * p->rules_n)
        b.counts_mask = 2 * b.counts_mask + 1;
    OC_FREE uint32_t *always = oc_new_array(p->rules_n, sizeof(*always));
    b.counts = oc_new_array(b.counts_mask + 1, sizeof(*b.counts));
    b.x = calloc(1, sizeof(*b.x));
    int r = always && b.counts && b.x ? build(&b, always) : OUTCALL_E_NO_MEMORY;
    free(b.counts);
    free(b.pairs);
    if (r < 0)
        oc_index_free(b.x);
    else
        *ret = b.x;
    return r;
}

void oc_index_free(struct oc_index *x)
{
    if (!x)
        return;
    free(x->fields);
    free(x->keys);
    free(x->table);
    free(x->rules);
    free(x);
}

static bool add_list(struct oc_candidates *k, const struct oc_index *x, uint32_t from, uint32_t to)
{
    if (from == to)
        return true;
    if (k->n == OC_INDEX_LISTS_MAX)
        return false;
    k->lists[k->n].at = x->rules + from;
    k->lists[k->n].end = x->rules + to;
    k->n++;
    return true;
}

static bool look_up(struct oc_candidates *k, const struct oc_index *x, uint32_t hash)
{
    for (size_t at = hash & (x->table_size - 1); x->table[at] != 0; at = (at + 1) & (x->table_size - 1)) {
        const struct oc_index_key *key = &x->keys[x->table[at] - 1];
        if (key->hash == hash)
            return add_list(k, x, key->from, key[1].from);
    }
    return true;
}

static bool look_up_suffixes(struct oc_candidates *k, const struct oc_index *x,
                             const struct oc_index_field *f, const oc_cel_value *v)
{
    uint64_t h = hash_suffix_start(f->slot);
    size_t len = 0;
    for (size_t i = 0; i < f->lengths_n && f->lengths[i] <= v->n; i++) {
        for (; len < f->lengths[i]; len++)
            h = oc_hash_step(h, v->s[v->n - 1 - len]);
        if (!look_up(k, x, oc_hash_fold(h)))
            return false;
    }
    return true;
}

bool oc_candidates_start(struct oc_candidates *k, const struct oc_index *x, const oc_cel_value *values)
{
    k->n = 0;
    for (size_t i = 0; i < x->fields_n; i++) {
        const struct oc_index_field *f = &x->fields[i];
        const oc_cel_value *v = &values[f->slot];
        if (f->equal && v->n <= f->equal_max && !look_up(k, x, hash_equal(f->slot, v->s, v->n)))
            return false;
        if (f->lengths_n > 0 && !look_up_suffixes(k, x, f, v))
            return false;
    }
    return add_list(k, x, x->always, x->rules_n);
}
