#include "containers/gate.h"
#include "base/clock.h"

struct oc_gate_ticket {
    struct oc_gate_ticket *next;
};

void oc_gate_init(struct oc_gate *g, unsigned max)
{
    pthread_condattr_t attr;
    *g = (struct oc_gate){.max = max ? max : 1};
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&g->moved, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void oc_gate_done(struct oc_gate *g)
{
    (void)pthread_cond_destroy(&g->moved);
    (void)pthread_mutex_destroy(&g->lock);
}

static void append(struct oc_gate *g, struct oc_gate_ticket *t)
{
    if (g->last)
        g->last->next = t;
    else
        g->first = t;
    g->last = t;
}

static void take_out(struct oc_gate *g, const struct oc_gate_ticket *t)
{
    struct oc_gate_ticket *before = NULL;
    for (struct oc_gate_ticket *at = g->first; at != t; at = at->next)
        before = at;
    if (before)
        before->next = t->next;
    else
        g->first = t->next;
    if (g->last == t)
        g->last = before;
}

static bool may_enter(const struct oc_gate *g, const struct oc_gate_ticket *t)
{
    return g->first == t && g->inside < g->max;
}

int oc_gate_enter(struct oc_gate *g, uint64_t deadline_ms)
{
    struct oc_gate_ticket t = {NULL};
    struct timespec at = {.tv_sec = (time_t)(deadline_ms / 1000),
                          .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    (void)pthread_mutex_lock(&g->lock);
    append(g, &t);
    while (!may_enter(g, &t) && oc_deadline_left(deadline_ms) != 0) {
        if (deadline_ms == OC_NEVER)
            (void)pthread_cond_wait(&g->moved, &g->lock);
        else
            (void)pthread_cond_timedwait(&g->moved, &g->lock, &at);
    }
    bool entered = may_enter(g, &t);
    g->inside += entered;
    take_out(g, &t);
    (void)pthread_cond_broadcast(&g->moved); /* the next one is first now */
    (void)pthread_mutex_unlock(&g->lock);
    return entered ? 0 : OUTCALL_E_TIMEOUT;
}

void oc_gate_leave(struct oc_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->inside--;
    (void)pthread_cond_broadcast(&g->moved);
    (void)pthread_mutex_unlock(&g->lock);
}
