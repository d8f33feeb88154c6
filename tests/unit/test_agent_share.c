/* A container's share of the server's thread, in a time of the test's own. */
#include "agent_server/share.h"
#include "unit/unit.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

START_TEST(a_slow_question_is_forgiven)
{
    struct oc_share s = {0};
    oc_share_charge(&s, MS, 10 * S);
    ck_assert(!oc_share_spent(&s, 10 * S));
    for (uint64_t now = 10 * S; now < 11 * S; now += 100 * US) { /* and each after it is a short one */
        oc_share_charge(&s, 99 * US, now);
        ck_assert(!oc_share_spent(&s, now));
    }
}
END_TEST

START_TEST(two_at_once_are_not)
{
    struct oc_share s = {0};
    oc_share_charge(&s, MS, 10 * S);
    oc_share_charge(&s, MS, 10 * S + MS);
    ck_assert(oc_share_spent(&s, 10 * S + MS));
    ck_assert(!oc_share_back(&s, 10 * S + 120 * MS));
    ck_assert(oc_share_back(&s, 10 * S + 140 * MS));
}
END_TEST

START_TEST(nobody_waits_longer_than_a_sixth_of_a_second)
{
    struct oc_share s = {0};
    oc_share_charge(&s, UINT64_MAX, S);
    oc_share_charge(&s, UINT64_MAX, S);
    ck_assert(oc_share_spent(&s, S));
    ck_assert(!oc_share_back(&s, S + 149 * MS));
    ck_assert(oc_share_back(&s, S + 150 * MS));
}
END_TEST

/* On a busy machine one question in fifty takes a few times as long as usual, and one that was left alone
 * finds its cache cold. That is no flood, and costs it at most one question in hundreds. */
START_TEST(a_busy_machine_is_forgiven)
{
    struct oc_share s = {0};
    uint64_t asked = 0, alone = 0;
    for (uint64_t now = S; now < 11 * S; asked++) {
        uint64_t took = asked % 50 == 0 ? 200 * US : 20 * US;
        if (oc_share_spent(&s, now)) {
            alone++;
            while (!oc_share_back(&s, now))
                now += 5 * MS;
            took = 200 * US;
        }
        now += 100 * US + took;
        oc_share_charge(&s, took, now);
    }
    ck_assert_uint_gt(alone, 0); /* or this test says nothing */
    ck_assert_uint_le(alone * 400, asked);
}
END_TEST

/* How much of ten seconds somebody gets who always has a run of that length to do, in thousandths. */
static uint64_t taken(uint64_t run_ns)
{
    struct oc_share s = {0};
    uint64_t sum = 0;
    bool alone = false;
    for (uint64_t now = S; now < 11 * S;) {
        alone = alone ? !oc_share_back(&s, now) : oc_share_spent(&s, now);
        if (alone) {
            now += 100 * US;
            continue;
        }
        now += run_ns;
        sum += run_ns;
        oc_share_charge(&s, run_ns, now);
    }
    return sum / (10 * MS);
}

START_TEST(a_flood_gets_a_hundredth)
{
    ck_assert_uint_eq(taken(99 * US), 1000); /* a few questions at a time are no flood */
    ck_assert_uint_le(taken(200 * US), 22);  /* the first 100 us are not charged for */
    ck_assert_uint_le(taken(500 * US), 14);
    ck_assert_uint_ge(taken(500 * US), 10);
    ck_assert_uint_le(taken(5 * MS), 50); /* longer than what being alone is bounded by */
}
END_TEST

UNIT_MAIN("agent_share", a_slow_question_is_forgiven, two_at_once_are_not,
          nobody_waits_longer_than_a_sixth_of_a_second, a_busy_machine_is_forgiven, a_flood_gets_a_hundredth)
