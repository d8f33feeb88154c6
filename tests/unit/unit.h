/* The frame every unit program shares: UNIT_MAIN with the list of tests; or, where some of them run once for
 * each row of a table, a main() of its own around unit_run. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_TIMEOUT_S 120 /* of one test, under the sanitizers and beside others */

struct unit_loop { /* a test that runs for _i = 0 .. n - 1 */
    const TTest *test;
    size_t n;
};

static inline int unit_run(const char *name, const TTest *const *tests, size_t n,
                           const struct unit_loop *loops, size_t loops_n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    for (size_t i = 0; i < loops_n; i++)
        tcase_add_loop_test(tcase, loops[i].test, 0, (int)loops[i].n);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#define UNIT_MAIN(name, ...)                                               \
    int main(void)                                                         \
    {                                                                      \
        const TTest *const all[] = {__VA_ARGS__};                          \
        return unit_run(name, all, sizeof(all) / sizeof(all[0]), NULL, 0); \
    }
#endif
