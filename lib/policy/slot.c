/* The cell that holds the set in force.
 *
 * A reader enters itself in one of two counters, loads the cell, takes a reference, and leaves. A writer puts
 * the new cell in place and then waits until it has seen each counter at zero. Who had loaded the old cell
 * had entered itself before that, so by then it has its reference; who enters itself later loads the new
 * cell, since all of these are sequentially consistent. One counter would be enough for that; with two, those
 * who come while the writer waits are told to use the other one, and cannot keep it waiting. */
#include "policy/policy.h"
#include <pthread.h>
#include <sched.h>

struct cell {
    outcall_policy *policy; /* owned */
    uint64_t generation;
};

struct outcall_policy_slot {
    _Atomic(struct cell *) current;
    atomic_uint side; /* the counter that readers use */
    atomic_ulong readers[2];
    pthread_mutex_t writer; /* of the rest */
    struct cell cells[2];   /* the current one, and the next one */
    outcall_policy *empty;
};

int outcall_policy_slot_new(outcall_policy_slot **ret, outcall_policy *take)
{
    if (!ret)
        return OUTCALL_E_INVALID;
    outcall_policy_slot *s = calloc(1, sizeof(*s));
    if (!s || oc_policy_new(&s->empty, NULL, NULL) < 0 || pthread_mutex_init(&s->writer, NULL) != 0) {
        (void)outcall_policy_unref(s ? s->empty : NULL);
        free(s);
        return OUTCALL_E_NO_MEMORY;
    }
    s->cells[0] = (struct cell){take ? take : outcall_policy_ref(s->empty), 1};
    atomic_init(&s->current, &s->cells[0]);
    *ret = s;
    return 0;
}

outcall_policy_slot *outcall_policy_slot_free(outcall_policy_slot *s)
{
    if (!s)
        return NULL;
    (void)outcall_policy_unref(atomic_load(&s->current)->policy);
    (void)outcall_policy_unref(s->empty);
    (void)pthread_mutex_destroy(&s->writer);
    free(s);
    return NULL;
}

outcall_policy *outcall_policy_slot_get(outcall_policy_slot *s, uint64_t *ret_generation)
{
    if (!s)
        return NULL;
    atomic_ulong *entered = &s->readers[atomic_load(&s->side) & 1];
    (void)atomic_fetch_add(entered, 1);
    const struct cell *cell = atomic_load(&s->current);
    outcall_policy *p = outcall_policy_ref(cell->policy);
    if (ret_generation)
        *ret_generation = cell->generation;
    (void)atomic_fetch_sub(entered, 1);
    return p;
}

static void wait_for_zero(atomic_ulong *readers)
{
    while (atomic_load(readers) != 0)
        (void)sched_yield(); /* a reader is within some instructions, or was put aside in them */
}

uint64_t outcall_policy_slot_swap(outcall_policy_slot *s, outcall_policy *take)
{
    if (!s) {
        (void)outcall_policy_unref(take);
        return 0;
    }
    (void)pthread_mutex_lock(&s->writer);
    struct cell *old = atomic_load(&s->current);
    struct cell *next = old == &s->cells[0] ? &s->cells[1] : &s->cells[0];
    uint64_t generation = old->generation + 1;
    *next = (struct cell){take ? take : outcall_policy_ref(s->empty), generation};
    atomic_store(&s->current, next);
    unsigned side = atomic_load(&s->side) & 1;
    wait_for_zero(&s->readers[side ^ 1]); /* those who were late in an earlier swap */
    atomic_store(&s->side, side ^ 1);
    wait_for_zero(&s->readers[side]);
    outcall_policy *gone = old->policy;
    old->policy = NULL;
    (void)pthread_mutex_unlock(&s->writer);
    (void)outcall_policy_unref(gone);
    return generation;
}
