/* lib/base/nearest: which known name was meant. */
#include "base/nearest.h"
#include "base/str.h"
#include "unit.h"

static const char *meant(const char *name, const char *const *known, size_t n)
{
    struct oc_nearest near = {name, NULL, 0};
    for (size_t i = 0; i < n; i++)
        oc_nearest_try(&near, known[i]);
    return near.best;
}

START_TEST(nearest_names)
{
    static const char *const known[] = {"id", "condition", "action", "priority", "log", "reason"};
    static const struct {
        const char *name, *best;
    } cases[] = {{"acton", "action"},    {"conditon", "condition"},
                 {"prio", NULL},         {"priorty", "priority"},
                 {"idd", "id"},          {"ix", "id"},
                 {"xy", NULL},           {"", NULL},
                 {"logg", "log"},        {"raeson", "reason"},
                 {"descript", NULL},     {"log", "log"},
                 {"conditionally", NULL}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        const char *best = meant(cases[i].name, known, OC_ARRAY_SIZE(known));
        ck_assert_msg(oc_streq(best, cases[i].best), "%s: %s", cases[i].name, best ? best : "none");
    }
}
END_TEST

START_TEST(nearest_as_text)
{
    char text[OC_MEANT_SIZE], longest[OC_EDITS_MAX + 2];
    struct oc_nearest near = {"netwrok", NULL, 0};
    ck_assert_str_eq(oc_nearest_text(&near, text), "");
    oc_nearest_try(&near, "network");
    ck_assert_str_eq(oc_nearest_text(&near, text), "; did you mean \"network\"?");
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    near = (struct oc_nearest){longest, NULL, 0};
    oc_nearest_try(&near, longest); /* too long to be compared */
    ck_assert_ptr_null(near.best);
}
END_TEST

UNIT_MAIN("base_nearest", nearest_names, nearest_as_text)
