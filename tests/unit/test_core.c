/* lib/core: errors (the first one wins, one line of UTF-8, cut at a character) and logs (filters, lines). */
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <errno.h>

START_TEST(the_first_failure_wins)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(oc_fail_kind(&e, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "one %d", 1),
                     OUTCALL_E_DENIED);
    ck_assert_int_eq(oc_fail(&e, OUTCALL_E_INVALID, "two"), OUTCALL_E_INVALID);
    ck_assert_int_eq(oc_no_memory(&e), OUTCALL_E_NO_MEMORY);
    ck_assert_int_eq(oc_fail_code(&e, OUTCALL_E_LIMIT, "three"), OUTCALL_E_LIMIT);
    ck_assert_int_eq(e.code, OUTCALL_E_DENIED);
    ck_assert_int_eq(e.kind, OUTCALL_KIND_MOUNT_DENIED);
    ck_assert_str_eq(e.text, "one 1");
    oc_error_append(&e, "and %s", "two");
    ck_assert_str_eq(e.text, "one 1; and two");
    oc_error_at(&e, "file", 3, 4);
    oc_error_at(&e, "other", 5, 6);
    char line[64];
    ck_assert_int_eq(outcall_error_format(&e, line, sizeof(line)), 24);
    ck_assert_str_eq(line, "file:3:4: one 1; and two");
    outcall_error_clear(&e);
    oc_error_at(&e, "file", 3, 4); /* an empty one stays empty */
    oc_error_append(&e, "x");
    static const outcall_error empty = OUTCALL_ERROR_INIT;
    ck_assert_mem_eq(&e, &empty, sizeof(e));
}
END_TEST

START_TEST(nobody_needs_an_error)
{
    char line[8];
    ck_assert_int_eq(oc_fail(NULL, OUTCALL_E_INVALID, "x"), OUTCALL_E_INVALID);
    ck_assert_int_eq(oc_fail_errno(NULL, "x"), OUTCALL_E_SYSTEM);
    oc_error_at(NULL, "x", 1, 1);
    oc_error_append(NULL, "x");
    outcall_error_clear(NULL);
    ck_assert_int_eq(outcall_error_format(NULL, line, sizeof(line)), 2);
    ck_assert_str_eq(line, "ok");
}
END_TEST

START_TEST(errno_becomes_words)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    errno = ENOENT;
    ck_assert_int_eq(oc_fail_errno(&e, "cannot open \"%s\"", "f"), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    ck_assert_str_eq(e.text, "cannot open \"f\": No such file or directory");
    outcall_error_clear(&e);
    ck_assert_int_eq(oc_fail_code(&e, OUTCALL_E_LIMIT, "f"), OUTCALL_E_LIMIT);
    ck_assert_int_eq(e.sys_errno, 0);
    ck_assert_str_eq(e.text, "f: a size, depth or cost limit was reached");
}
END_TEST

START_TEST(a_text_is_one_line_of_utf8)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    (void)oc_fail(&e, OUTCALL_E_INVALID, "a\nb\tc\x7f\x1b[31m %s", "\xc3\xa9\xff\xc3");
    ck_assert_str_eq(e.text, "a b c  [31m \xc3\xa9??");
}
END_TEST

/* e.text is 1024 bytes; a text that is longer ends in "...", and no character is cut. */
START_TEST(a_long_text_is_cut_at_a_character)
{
    static char text[OUTCALL_ERROR_TEXT * 3];
    for (size_t before = 0; before < 4; before++) {
        outcall_error e = OUTCALL_ERROR_INIT;
        memset(text, 'x', before);
        for (size_t i = before; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        (void)oc_fail(&e, OUTCALL_E_INVALID, "%s", text);
        size_t n = strlen(e.text);
        ck_assert_uint_ge(n, sizeof(e.text) - 4);
        ck_assert_str_eq(e.text + n - 3, "...");
        ck_assert(oc_utf8_valid(e.text, n));
        ck_assert_uint_eq((n - 3 - before) % 4, 0);
        oc_error_append(&e, "%s", text);
        oc_error_append(&e, "%s", text);
        ck_assert(oc_utf8_valid(e.text, strlen(e.text)));
    }
    for (size_t room = 0; room < 10; room++) { /* so much is left for an addition */
        outcall_error e = OUTCALL_ERROR_INIT;
        memset(text, 'x', sizeof(e.text));
        text[sizeof(e.text) - 1 - room] = '\0';
        (void)oc_fail(&e, OUTCALL_E_INVALID, "%s", text);
        ck_assert_str_eq(e.text, text);
        oc_error_append(&e, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
        ck_assert(oc_utf8_valid(e.text, strlen(e.text)));
        ck_assert(strncmp(e.text, text, strlen(text)) == 0);
        ck_assert_uint_lt(strlen(e.text), sizeof(e.text));
    }
    outcall_error e = OUTCALL_ERROR_INIT;
    memset(text, 'y', OUTCALL_ERROR_SOURCE + 9);
    memcpy(text + OUTCALL_ERROR_SOURCE - 2, "\xc3\xa9", 3);
    (void)oc_fail(&e, OUTCALL_E_INVALID, "x");
    oc_error_at(&e, text, 0, 0);
    ck_assert_uint_eq(strlen(e.source), OUTCALL_ERROR_SOURCE - 2);
    char small[4];
    ck_assert_int_eq(outcall_error_format(&e, small, sizeof(small)), OUTCALL_ERROR_SOURCE - 2 + 3);
    ck_assert_str_eq(small, "yyy");
}
END_TEST

START_TEST(codes_and_kinds_have_words)
{
    static const int statuses[] = {400, 403, 404, 409, 413, 422, 500, 502, 503, 504};
#define OUTCALL_XX(n, name, text)                                     \
    ck_assert_str_eq(outcall_code_string(OUTCALL_E_##name), (text));  \
    ck_assert_str_ne(outcall_code_name(OUTCALL_E_##name), "unknown"); \
    ck_assert_int_eq(OUTCALL_E_##name, -(n));
    OUTCALL_CODE_MAP(OUTCALL_XX)
#undef OUTCALL_XX
#define OUTCALL_XX(n, name, text, status)                             \
    ck_assert_str_eq(outcall_kind_name(OUTCALL_KIND_##name), (text)); \
    ck_assert_int_eq(outcall_kind_status(OUTCALL_KIND_##name), (status));
    OUTCALL_KIND_MAP(OUTCALL_XX)
#undef OUTCALL_XX
    static const int strange[] = {1, -19, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < OC_ARRAY_SIZE(strange); i++) {
        ck_assert_str_eq(outcall_code_name(strange[i]), "unknown");
        ck_assert_str_eq(outcall_code_string(strange[i]), "unknown error");
    }
    ck_assert_str_eq(outcall_code_name(0), "ok");
    ck_assert_str_eq(outcall_kind_name(0), "internal");
    ck_assert_str_eq(outcall_kind_name(-1), "internal");
    ck_assert_int_eq(outcall_kind_status(INT32_MAX), 500);
    for (int kind = 1; kind <= OUTCALL_KIND_DOCKER_TIMEOUT; kind++) {
        bool known = false;
        for (size_t i = 0; i < OC_ARRAY_SIZE(statuses); i++)
            known |= outcall_kind_status(kind) == statuses[i];
        ck_assert(known);
    }
}
END_TEST

struct lines {
    char text[8192];
    int level, n;
};

static void on_line(int level, const char *target, const char *message, void *userdata)
{
    struct lines *l = userdata;
    l->n++;
    l->level = level;
    (void)oc_format(l->text, sizeof(l->text), "%s|%s", target, message);
}

START_TEST(filters)
{
    struct lines l = {.n = 0};
    outcall_log *log = NULL;
    ck_assert_int_eq(outcall_log_new(&log, on_line, &l), 0);
    oc_log(log, OUTCALL_LOG_DEBUG, "a", "quiet");
    ck_assert_int_eq(l.n, 0);
    oc_log(log, OUTCALL_LOG_INFO, "a", "%s\n%s", "two", "lines");
    ck_assert_str_eq(l.text, "a|two lines");
    static const char *const bad[] = {"",
                                      "loud",
                                      "a=",
                                      "=info",
                                      "a=loud",
                                      "info,",
                                      ",info",
                                      "info,,warn",
                                      "a=info=warn",
                                      "INFO",
                                      "a-target-whose-name-is-far-too-long=info",
                                      "a=1,b=1"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        ck_assert_msg(outcall_log_set_filter(log, bad[i]) == OUTCALL_E_INVALID, "%s", bad[i]);
    ck_assert_int_eq(
        outcall_log_set_filter(log, "1=info,2=info,3=info,4=info,5=info,6=info,7=info,8=info,9=info,10=info,"
                                    "11=info,12=info,13=info,14=info,15=info,16=info,17=info"),
        OUTCALL_E_INVALID);
    ck_assert(outcall_log_enabled(log, OUTCALL_LOG_INFO, "a")); /* as before */
    ck_assert_int_eq(outcall_log_set_filter(log, "docker=trace,warn,host-api=error"), 0);
    ck_assert(outcall_log_enabled(log, OUTCALL_LOG_TRACE, "docker"));
    ck_assert(outcall_log_enabled(log, OUTCALL_LOG_WARN, "a") &&
              !outcall_log_enabled(log, OUTCALL_LOG_INFO, "a"));
    ck_assert(!outcall_log_enabled(log, OUTCALL_LOG_WARN, "host-api"));
    ck_assert_int_eq(outcall_log_set_filter(NULL, "info"), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_log_set_filter(log, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(outcall_log_unref(log));
}
END_TEST

START_TEST(messages)
{
    static char text[8192];
    struct lines l = {.n = 0};
    outcall_log *log = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_log_new(&log, on_line, &l), 0);
    ck_assert_ptr_eq(outcall_log_ref(log), log);
    ck_assert_ptr_null(outcall_log_unref(log)); /* one is left */
    (void)oc_fail(&e, OUTCALL_E_INVALID, "bad");
    oc_error_at(&e, "file", 1, 2);
    oc_log_error(log, OUTCALL_LOG_ERROR, "t", &e, "while %s", "reading");
    ck_assert_str_eq(l.text, "t|while reading: file:1:2: bad");
    for (size_t i = 0; i + 4 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    for (size_t i = 0; i < 3; i++) { /* cut somewhere: still UTF-8 */
        oc_log(log, OUTCALL_LOG_ERROR, "t", "%.*s%s", (int)i, "xxx", text);
        ck_assert(oc_utf8_valid(l.text, strlen(l.text)));
        oc_log_error(log, OUTCALL_LOG_ERROR, "t", &e, "%.*s%s", (int)i, "xxx", text);
        ck_assert(oc_utf8_valid(l.text, strlen(l.text)));
    }
    oc_log(NULL, OUTCALL_LOG_ERROR, "t", "nobody");
    ck_assert_int_eq(outcall_log_enabled(NULL, 0, "t"), 0);
    ck_assert_str_eq(outcall_log_level_name(OUTCALL_LOG_TRACE), "trace");
    ck_assert_str_eq(outcall_log_level_name(-1), "unknown");
    ck_assert_str_eq(outcall_log_level_name(5), "unknown");
    ck_assert_int_eq(outcall_log_new(NULL, on_line, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_log_new(&log, NULL, NULL), OUTCALL_E_INVALID);
    (void)outcall_log_unref(log);
    ck_assert_ptr_null(outcall_log_unref(NULL));
}
END_TEST

static int make_log(void *userdata)
{
    outcall_log *log = NULL;
    (void)userdata;
    int r = outcall_log_new(&log, on_line, NULL);
    (void)outcall_log_unref(log);
    return r;
}

START_TEST(logs_without_memory)
{
    ck_assert_int_eq(failmalloc_loop(make_log, NULL), 2);
}
END_TEST

UNIT_MAIN("core", the_first_failure_wins, nobody_needs_an_error, errno_becomes_words,
          a_text_is_one_line_of_utf8, a_long_text_is_cut_at_a_character, codes_and_kinds_have_words, filters,
          messages, logs_without_memory)
