/* Data files of cases: an expression ("\n~" for a line break) on one line, its outcome on the next, blank
 * lines between. A line "@ ..." says what holds for the cases after it, a line "# ..." is for the reader. */
#ifndef UNIT_CASES_H
#define UNIT_CASES_H
#include "base/fd.h"
#include "unit.h"
#include <fcntl.h>

/* The outcome of an expression, in buf. */
typedef const char *(*case_fn)(const char *setting, const char *expr, size_t len, char *buf, size_t size);

static inline void cases_run(const char *name, size_t least, case_fn fn)
{
    char path[4096], got[2048], expr[4096];
    char *data = NULL;
    const char *setting = "";
    size_t len = 0, n = 0;
    (void)snprintf(path, sizeof(path), "%s/cel/%s", TEST_DATA, name);
    ck_assert_int_eq(oc_read_file(AT_FDCWD, path, 1 << 20, &data, &len), 0);
    for (char *line = data, *end = NULL; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        if (strncmp(line, "@ ", 2) == 0)
            setting = line + 2;
        if (line == end || strncmp(line, "@ ", 2) == 0 || strncmp(line, "# ", 2) == 0)
            continue;
        size_t k = 0;
        for (char *p = line; p < end; p++) {
            bool newline = p[0] == '\\' && p[1] == 'n' && p[2] == '~';
            expr[k++] = (char)(newline ? '\n' : *p);
            p += newline ? 2 : 0;
        }
        line = end + 1;
        end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = 0;
        (void)fn(setting, expr, k, got, sizeof(got));
        ck_assert_msg(strcmp(got, line) == 0, "%.*s\n expected %s\n got      %s", (int)k, expr, line, got);
        n++;
    }
    free(data);
    ck_assert_uint_ge(n, least);
}

#endif
