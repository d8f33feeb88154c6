/* The list's memory, and the queue of creates. */
#include "base/clock.h"
#include "containers/gate.h"
#include "containers/info.h"
#include "containers/view.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include <sched.h>
#include <stdatomic.h>

#define N_INSIDE  2
#define N_THREADS 24

static outcall_container_info *make(const char *id, const char *state)
{
    outcall_container_info *i = NULL;
    json_t *j = json_pack("{s:s, s:[s], s:s, s:{s:s}}", "Id", id, "Names", "/outcall-agent-x", "State", state,
                          "Labels", "outcall.image", "busybox");
    ck_assert_ptr_nonnull(j);
    ck_assert_int_eq(oc_info_from_listed(j, true, &i, NULL), 0);
    json_decref(j);
    return i;
}

/* What the view says of id: its state, "absent", or "unknown" when the engine must be asked. */
static const char *look(struct oc_view *w, const char *id)
{
    static char state[32];
    outcall_container_info **v = NULL;
    struct oc_view_ticket t;
    size_t n = 0;
    if (!oc_view_get(w, &v, &n, &t)) {
        if (t.asking) { /* this question is not carried on */
            w->asking = false;
        }
        return "unknown";
    }
    snprintf(state, sizeof(state), "absent");
    for (size_t i = 0; i < n; i++)
        if (strcmp(outcall_container_info_id(v[i]), id) == 0)
            snprintf(state, sizeof(state), "%s", outcall_container_info_state(v[i]));
    outcall_container_info_free_many(v, n);
    return state;
}

/* Asked and answered: a and b run. */
static void fill(struct oc_view *w)
{
    outcall_container_info *v[] = {make("a", "running"), make("b", "running")}, **got = NULL;
    struct oc_view_ticket t;
    size_t n = 0;
    w->valid = false;
    ck_assert(!oc_view_get(w, &got, &n, &t));
    oc_view_fill(w, &t, v, 2);
    outcall_container_info_free(v[0]);
    outcall_container_info_free(v[1]);
}

static void start(struct oc_view *w)
{
    oc_view_init(w);
    oc_view_connected(w, true);
    fill(w);
    ck_assert_str_eq(look(w, "a"), "running");
}

START_TEST(nothing_is_known_without_events)
{
    struct oc_view w;
    oc_view_init(&w);
    ck_assert_str_eq(look(&w, "a"), "unknown");
    fill(&w);
    ck_assert_str_eq(look(&w, "a"), "unknown");
    oc_view_connected(&w, true);
    ck_assert_str_eq(look(&w, "a"), "unknown");
    fill(&w);
    ck_assert_str_eq(look(&w, "a"), "running");
    ck_assert_str_eq(look(&w, "c"), "absent");
    oc_view_connected(&w, false);
    ck_assert_str_eq(look(&w, "a"), "unknown");
    oc_view_done(&w);
}
END_TEST

START_TEST(events_are_followed)
{
    struct oc_view w;
    start(&w);
    oc_view_event(&w, "die", "a", false);
    ck_assert_str_eq(look(&w, "a"), "exited");
    oc_view_event(&w, "start", "a", false);
    ck_assert_str_eq(look(&w, "a"), "running");
    oc_view_event(&w, "destroy", "a", false);
    ck_assert_str_eq(look(&w, "a"), "absent");
    oc_view_event(&w, "exec_create: sh", "b", false);
    oc_view_event(&w, "destroy", "a", false);
    oc_view_event(&w, "start", "new", true); /* by us: put when it is whole */
    ck_assert_str_eq(look(&w, "b"), "running");
    static const char *const surprises[][2] = {{"start", "other"}, {"die", "other"}, {"rename", "b"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(surprises); i++) {
        oc_view_event(&w, surprises[i][0], surprises[i][1], false);
        ck_assert_str_eq(look(&w, "b"), "unknown");
        fill(&w);
        ck_assert_str_eq(look(&w, "b"), "running");
    }
    oc_view_done(&w);
}
END_TEST

START_TEST(own_acts_show_at_once)
{
    struct oc_view w;
    outcall_container_info *made = make("c", "running"), *late = make("a", "created");
    start(&w);
    oc_view_put(&w, made);
    ck_assert_str_eq(look(&w, "c"), "running");
    oc_view_put(&w, late); /* the engine's word came later than the maker's */
    ck_assert_str_eq(look(&w, "a"), "running");
    oc_view_drop(&w, "a");
    ck_assert_str_eq(look(&w, "a"), "absent");
    oc_view_drop(&w, "a");
    oc_view_event(&w, "die", "b", false);
    oc_view_stopped(&w, "b");
    ck_assert_str_eq(look(&w, "b"), "exited");
    oc_view_stopped(&w, "c"); /* its event has not come yet */
    ck_assert_str_eq(look(&w, "c"), "unknown");
    oc_view_put(&w, made);
    ck_assert_str_eq(look(&w, "c"), "unknown");
    outcall_container_info_free(made);
    outcall_container_info_free(late);
    oc_view_done(&w);
}
END_TEST

/* A list that was asked for before something changed may not know of it. */
START_TEST(an_overtaken_answer_is_not_taken)
{
    outcall_container_info *v[] = {make("a", "running")}, *made = make("c", "running"), **got = NULL;
    struct oc_view w;
    struct oc_view_ticket t;
    size_t n = 0;
    oc_view_init(&w);
    oc_view_connected(&w, true);
    void (*const changes[])(struct oc_view *, const char *) = {oc_view_drop, oc_view_stopped};
    for (size_t i = 0; i < 4; i++) {
        ck_assert(!oc_view_get(&w, &got, &n, &t));
        ck_assert(t.asking);
        if (i < 2)
            changes[i](&w, "a");
        else if (i == 2)
            oc_view_put(&w, made);
        else
            oc_view_event(&w, "die", "a", false);
        oc_view_fill(&w, &t, v, 1);
        ck_assert_str_eq(look(&w, "a"), "unknown");
    }
    outcall_container_info_free(v[0]);
    outcall_container_info_free(made);
    oc_view_done(&w);
}
END_TEST

START_TEST(it_does_not_grow_old)
{
    outcall_container_info **got = NULL;
    struct oc_view w;
    struct oc_view_ticket t, second;
    size_t n = 0;
    start(&w);
    w.asked_ms -= OC_VIEW_FRESH_MS; /* the clock's turn, without waiting for it */
    ck_assert(!oc_view_get(&w, &got, &n, &t));
    ck_assert(t.asking);
    ck_assert_str_eq(look(&w, "a"), "running"); /* one asks, the others need not wait */
    w.asked_ms -= OC_VIEW_STALE_MS;
    ck_assert(!oc_view_get(&w, &got, &n, &second));
    ck_assert(!second.asking);
    oc_view_fail(&w, &second);
    ck_assert(w.asking);
    oc_view_fail(&w, &t);
    ck_assert(!w.asking);
    ck_assert_str_eq(look(&w, "a"), "unknown"); /* what cannot be asked is not remembered either */
    oc_view_done(&w);
}
END_TEST

START_TEST(view_without_memory)
{
    outcall_container_info *v[] = {make("a", "running"), make("b", "running")}, *c = make("c", "running");
    for (long n = 1;; n++) {
        struct oc_view w;
        struct oc_view_ticket t;
        outcall_container_info **got = NULL;
        size_t got_n = 0;
        oc_view_init(&w);
        oc_view_connected(&w, true);
        ck_assert(!oc_view_get(&w, &got, &got_n, &t));
        failmalloc_arm(n);
        oc_view_fill(&w, &t, v, 2);
        oc_view_put(&w, c);
        oc_view_event(&w, "die", "a", false);
        bool known = oc_view_get(&w, &got, &got_n, &t);
        bool failed = failmalloc_fired();
        failmalloc_arm(0);
        if (known) { /* then it is all there */
            ck_assert_uint_eq(got_n, 3);
            outcall_container_info_free_many(got, got_n);
        }
        ck_assert(known || failed);
        oc_view_done(&w);
        if (!failed)
            break;
    }
    outcall_container_info_free(v[0]);
    outcall_container_info_free(v[1]);
    outcall_container_info_free(c);
}
END_TEST

struct crowd {
    struct oc_gate gate;
    atomic_uint inside, most, through;
};

static void *pass(void *arg)
{
    struct crowd *c = arg;
    ck_assert_int_eq(oc_gate_enter(&c->gate, oc_deadline(60000)), 0);
    unsigned now = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
        continue;
    for (int i = 0; i < 100; i++)
        sched_yield();
    atomic_fetch_sub(&c->inside, 1);
    atomic_fetch_add(&c->through, 1);
    oc_gate_leave(&c->gate);
    return NULL;
}

START_TEST(no_more_than_that_many)
{
    struct crowd c = {.inside = 0};
    pthread_t threads[N_THREADS];
    oc_gate_init(&c.gate, N_INSIDE);
    for (size_t i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pass, &c), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(atomic_load(&c.through), N_THREADS);
    ck_assert_uint_le(atomic_load(&c.most), N_INSIDE);
    oc_gate_done(&c.gate);
}
END_TEST

START_TEST(who_waits_too_long_gives_up_its_place)
{
    struct oc_gate g;
    oc_gate_init(&g, 1);
    ck_assert_int_eq(oc_gate_enter(&g, OC_NEVER), 0);
    ck_assert_int_eq(oc_gate_enter(&g, oc_deadline(0)), OUTCALL_E_TIMEOUT);
    ck_assert_int_eq(oc_gate_enter(&g, oc_deadline(20)), OUTCALL_E_TIMEOUT);
    oc_gate_leave(&g);
    ck_assert_int_eq(oc_gate_enter(&g, oc_deadline(0)), 0);
    oc_gate_leave(&g);
    oc_gate_done(&g);
}
END_TEST

UNIT_MAIN("containers-view", nothing_is_known_without_events, events_are_followed, own_acts_show_at_once,
          an_overtaken_answer_is_not_taken, it_does_not_grow_old, view_without_memory, no_more_than_that_many,
          who_waits_too_long_gives_up_its_place)
