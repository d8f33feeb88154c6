/* Rule files that are refused: tests/data/policy/refused.txt. A case begins with one line "=== code
 * line:column: text" for each refusal, in order; the file follows. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "outcall/policy.h"
#include "unit/unit.h"
#include <fcntl.h>

static void note(void *userdata, const outcall_error *problem, int warning)
{
    char line[2048];
    struct oc_buf *b = userdata;
    ck_assert_int_gt(outcall_error_format(problem, line, sizeof(line)), 0);
    ck_assert(oc_starts_with(line, "rules.yaml:"));
    if (!warning)
        ck_assert_int_eq(
            oc_buf_printf(b, "=== %s %s\n", outcall_code_name(problem->code), line + strlen("rules.yaml:")),
            0);
}

static void run_case(const char *wanted, size_t wanted_len, const char *yaml, size_t len)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf got = OC_BUF_INIT;
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT, first = OUTCALL_ERROR_INIT;
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.text = yaml;
    o.text_len = len;
    o.problem = note;
    o.userdata = &got;
    int code = outcall_policy_load(&p, &o, &err);
    ck_assert_msg(code < 0, "expected %.*s\nbut it was loaded:\n%.*s", (int)wanted_len, wanted, (int)len,
                  yaml);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(got.len == wanted_len && memcmp(got.data, wanted, got.len) == 0, "expected\n%.*sgot\n%s",
                  (int)wanted_len, wanted, got.data);
    ck_assert_int_eq(outcall_policy_load_text(&p, NULL, yaml, len, NULL, &first), code);
    ck_assert_str_eq(first.text, err.text); /* the first one, whether others are looked for or not */
    ck_assert_int_eq(first.line, err.line);
    ck_assert_int_eq(first.column, err.column);
}

START_TEST(refused)
{
    OC_FREE char *data = NULL;
    size_t len = 0, n = 0;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, TEST_DATA "/policy/refused.txt", 1 << 20, &data, &len), 0);
    const char *at = strstr(data, "=== "), *end = data + len;
    while (at && at < end) {
        const char *yaml = at;
        while (oc_starts_with(yaml, "=== "))
            yaml = strchr(yaml, '\n') + 1;
        const char *next = strstr(yaml - 1, "\n=== ");
        size_t yaml_len = (size_t)((next ? next + 1 : end) - yaml);
        run_case(at, (size_t)(yaml - at), yaml, yaml_len);
        at = next ? next + 1 : NULL;
        n++;
    }
    ck_assert_uint_ge(n, 120);
}
END_TEST

UNIT_MAIN("policy_refused", refused)
