/* The frame every unit program shares: list the tests in a tests[] array, then UNIT_MAIN. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_MAIN(name, ...)                                      \
    int main(void)                                                \
    {                                                             \
        const TTest *const all[] = {__VA_ARGS__};                 \
        Suite *suite = suite_create(name);                        \
        TCase *tcase = tcase_create(name);                        \
        tcase_set_timeout(tcase, 60);                             \
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) \
            tcase_add_test(tcase, all[i]);                        \
        suite_add_tcase(suite, tcase);                            \
        SRunner *runner = srunner_create(suite);                  \
        srunner_run_all(runner, CK_NORMAL);                       \
        int failed = srunner_ntests_failed(runner);               \
        srunner_free(runner);                                     \
        return failed ? 1 : 0;                                    \
    }
#endif
