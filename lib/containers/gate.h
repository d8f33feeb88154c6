/* containers/gate.h - how many creates may keep the engine busy at the same time; the others wait in order of
 * arrival. Thread-safe. */
#ifndef CONTAINERS_GATE_H
#define CONTAINERS_GATE_H
#include "base/base.h"
#include <pthread.h>

struct oc_gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned max, inside;
    struct oc_gate_ticket *first, *last; /* who waits; tickets live on their owners' stacks */
};

void oc_gate_init(struct oc_gate *g, unsigned max);
void oc_gate_done(struct oc_gate *g);
/* OUTCALL_E_TIMEOUT: nobody made room before deadline_ms. */
OC_NODISCARD int oc_gate_enter(struct oc_gate *g, uint64_t deadline_ms);
void oc_gate_leave(struct oc_gate *g);

#endif
