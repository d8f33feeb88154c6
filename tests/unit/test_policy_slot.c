/* Sets swapped under readers: each verdict belongs to exactly one generation, and nothing stays behind. */
#include "base/base.h"
#include "base/str.h"
#include "outcall/policy.h"
#include "unit/unit.h"
#include <pthread.h>
#include <stdatomic.h>

#define READERS 4
#define SWAPS   1000

/* A set that says which generation it was made for: in a block rule's id, and again in its reason. */
static outcall_policy *made_for(uint64_t generation)
{
    char yaml[512];
    outcall_policy *p = NULL;
    ck_assert_int_eq(
        oc_format(yaml, sizeof(yaml),
                  "version: \"1\"\nrules:\n- {id: g%llu, action: block, reason: g%llu, condition: "
                  "'run.tool == \"git\"'}\n",
                  (unsigned long long)generation, (unsigned long long)generation),
        0);
    ck_assert_int_eq(outcall_policy_load_text(&p, NULL, yaml, strlen(yaml), NULL, NULL), 0);
    return p;
}

struct shared {
    outcall_policy_slot *slot;
    atomic_bool stop;
    atomic_uint started;
};

struct reader {
    struct shared *shared;
    pthread_t thread;
    uint64_t decisions, generations; /* how many, and how many different ones */
    bool wrong;
};

static void *read_all_the_time(void *userdata)
{
    struct reader *r = userdata;
    outcall_context *c = NULL;
    uint64_t last = 0;
    if (outcall_context_new(&c) < 0 || outcall_context_string(c, "run.tool", "git", 3) < 0)
        r->wrong = true;
    (void)atomic_fetch_add(&r->shared->started, 1);
    while (!r->wrong && !atomic_load(&r->shared->stop)) {
        char expected[32];
        uint64_t generation = 0;
        outcall_verdict v = OUTCALL_VERDICT_INIT;
        outcall_policy *p = outcall_policy_slot_get(r->shared->slot, &generation);
        (void)oc_format(expected, sizeof(expected), "g%llu", (unsigned long long)generation);
        r->wrong = outcall_policy_decide(p, c, &v, NULL) < 0 || !oc_streq(v.rule_id, expected) ||
                   !oc_streq(v.reason, expected) || generation < last; /* never back */
        r->generations += generation != last;
        r->decisions++;
        last = generation;
        (void)outcall_policy_unref(p);
    }
    (void)outcall_context_free(c);
    return NULL;
}

START_TEST(swaps_under_readers)
{
    struct shared shared = {.slot = NULL};
    struct reader readers[READERS];
    ck_assert_int_eq(outcall_policy_slot_new(&shared.slot, made_for(1)), 0);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.shared = &shared};
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_all_the_time, &readers[i]), 0);
    }
    while (atomic_load(&shared.started) < READERS)
        ;
    for (uint64_t g = 2; g <= SWAPS + 1; g++)
        ck_assert_uint_eq(outcall_policy_slot_swap(shared.slot, made_for(g)), g);
    atomic_store(&shared.stop, true);
    uint64_t generations = 0;
    for (int i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_join(readers[i].thread, NULL), 0);
        ck_assert(!readers[i].wrong);
        generations += readers[i].generations;
    }
    ck_assert_uint_gt(generations, READERS); /* they did see sets come and go */
    (void)outcall_policy_slot_free(shared.slot);
}
END_TEST

struct writer {
    struct shared *shared;
    pthread_t thread;
};

static void *swap_some(void *userdata)
{
    struct writer *w = userdata;
    for (int i = 0; i < SWAPS / 4; i++)
        (void)outcall_policy_slot_swap(w->shared->slot, NULL);
    return NULL;
}

START_TEST(writers_take_turns)
{
    struct shared shared = {.slot = NULL};
    struct writer writers[4];
    uint64_t generation = 0;
    ck_assert_int_eq(outcall_policy_slot_new(&shared.slot, NULL), 0);
    for (int i = 0; i < 4; i++) {
        writers[i].shared = &shared;
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, swap_some, &writers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = outcall_policy_slot_get(shared.slot, &generation);
    ck_assert_uint_eq(generation, 1 + SWAPS);
    ck_assert_uint_eq(outcall_policy_rules_n(p), 0);
    (void)outcall_policy_slot_free(shared.slot); /* p stays valid */
    ck_assert_uint_eq(outcall_policy_warnings_n(p), 0);
}
END_TEST

START_TEST(empty_slot_blocks)
{
    OC_CLEANUP(outcall_policy_slot_freep) outcall_policy_slot *s = NULL;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    outcall_verdict v = {.action = OUTCALL_ALLOW};
    uint64_t generation = 0;
    ck_assert_int_eq(outcall_policy_slot_new(NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_slot_new(&s, NULL), 0);
    ck_assert_int_eq(outcall_context_new(&c), 0);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = outcall_policy_slot_get(s, &generation);
    ck_assert_uint_eq(generation, 1);
    ck_assert_int_eq(outcall_policy_decide(p, c, &v, NULL), 0);
    ck_assert_int_eq(v.action, OUTCALL_BLOCK);
    ck_assert_ptr_null(v.rule_id);
    ck_assert_ptr_null(outcall_policy_slot_get(NULL, NULL));
    ck_assert_ptr_null(outcall_policy_slot_free(NULL));
}
END_TEST

UNIT_MAIN("policy_slot", swaps_under_readers, writers_take_turns, empty_slot_blocks)
