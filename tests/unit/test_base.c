/* lib/base: buffers at their ceiling, numbers at every bound, texts, names, addresses. Files and directories:
 * test_base_files.c. */
#include "base/base64.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/num.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/str.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <limits.h>

START_TEST(buffers_end_at_their_ceiling)
{
    struct oc_buf b = {.max = 8};
    char *taken = NULL;
    size_t len = 99;
    ck_assert_int_eq(oc_buf_add(&b, "12345678", 8), 0);
    ck_assert_int_eq(oc_buf_char(&b, '9'), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_buf_printf(&b, "%d", 9), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_buf_reserve(&b, SIZE_MAX), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_buf_add(&b, "", 0), 0);
    ck_assert_str_eq(b.data, "12345678");
    oc_buf_drop(&b, 0);
    oc_buf_drop(&b, 3);
    ck_assert_str_eq(b.data, "45678");
    ck_assert_int_eq(oc_buf_printf(&b, "%s", "abc"), 0);
    oc_buf_drop(&b, 8);
    ck_assert_str_eq(b.data, "");
    oc_buf_clear(&b);
    taken = oc_buf_take(&b, &len);
    ck_assert_str_eq(taken, "");
    ck_assert_uint_eq(len, 0);
    free(taken);
    taken = oc_buf_take(&b, NULL); /* of one that never had anything */
    ck_assert_str_eq(taken, "");
    free(taken);
    struct oc_buf huge = OC_BUF_INIT;
    ck_assert_int_eq(oc_buf_reserve(&huge, OC_BUF_MAX + 1), OUTCALL_E_LIMIT);
    ck_assert_ptr_null(huge.data);
    oc_buf_done(&huge);
}
END_TEST

static int grow(void *userdata)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    int r = 0;
    (void)userdata;
    for (int i = 0; i < 500 && r == 0; i++)
        r = i % 2 ? oc_buf_printf(&b, "%d", i % 10) : oc_base64_encode(&b, "ab", 2);
    if (r < 0) /* the buffer is as it was; no ck_assert here, for it allocates too */
        return b.len == 0 || strlen(b.data) == b.len ? r : OUTCALL_E_INTERNAL;
    OC_FREE char *s = oc_buf_take(&b, NULL);
    OC_FREE char *t = oc_asprintf("%s", "x");
    OC_CLEANUP(oc_strings_done) struct oc_strings l = {NULL, 0, 0};
    OC_FREE char *d = NULL;
    for (int i = 0; i < 20 && r == 0; i++)
        r = oc_strings_add(&l, "abc", (size_t)i % 4);
    if (r == 0)
        r = oc_dup(&d, "d");
    return !s || !t ? OUTCALL_E_NO_MEMORY : r;
}

START_TEST(nothing_is_lost_when_memory_is_short)
{
    ck_assert_int_gt(failmalloc_loop(grow, NULL), 20);
}
END_TEST

START_TEST(base64)
{
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(pairs); i++) {
        OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
        ck_assert_int_eq(oc_base64_encode(&b, pairs[i][0], strlen(pairs[i][0])), 0);
        ck_assert_str_eq(b.data ? b.data : "", pairs[i][1]);
    }
    struct oc_buf small = {.max = 7};
    ck_assert_int_eq(oc_base64_encode(&small, "four", 4), OUTCALL_E_LIMIT);
    ck_assert_uint_eq(small.len, 0);
    oc_buf_done(&small);
}
END_TEST

static const struct number {
    const char *s;
    uint64_t min, max;
    int r;
    uint64_t v;
} numbers[] = {
    {"0", 0, 0, 0, 0},
    {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
    {"18446744073709551616", 0, UINT64_MAX, OUTCALL_E_LIMIT, 0},
    {"99999999999999999999999", 0, UINT64_MAX, OUTCALL_E_LIMIT, 0},
    {"007", 0, 9, 0, 7},
    {"1", 2, 9, OUTCALL_E_LIMIT, 0},
    {"2", 2, 9, 0, 2},
    {"9", 2, 9, 0, 9},
    {"10", 2, 9, OUTCALL_E_LIMIT, 0},
    {"", 0, 9, OUTCALL_E_SYNTAX, 0},
    {"-1", 0, 9, OUTCALL_E_SYNTAX, 0},
    {"+1", 0, 9, OUTCALL_E_SYNTAX, 0},
    {" 1", 0, 9, OUTCALL_E_SYNTAX, 0},
    {"1 ", 0, 9, OUTCALL_E_SYNTAX, 0},
    {"1.0", 0, 9, OUTCALL_E_SYNTAX, 0},
    {"1e1", 0, 99, OUTCALL_E_SYNTAX, 0},
    {"0x1", 0, 99, OUTCALL_E_SYNTAX, 0},
    {"\xd9\xa1", 0, 99, OUTCALL_E_SYNTAX, 0},
};

START_TEST(decimal)
{
    const struct number *n = &numbers[_i];
    uint64_t v = 77;
    ck_assert_int_eq(oc_parse_u64(n->s, strlen(n->s), n->min, n->max, &v), n->r);
    ck_assert_uint_eq(v, n->r == 0 ? n->v : 77);
    uint32_t w = 77;
    if (n->max <= UINT32_MAX) {
        ck_assert_int_eq(oc_parse_u32(n->s, strlen(n->s), (uint32_t)n->min, (uint32_t)n->max, &w), n->r);
        ck_assert_uint_eq(w, n->r == 0 ? n->v : 77);
    }
}
END_TEST

START_TEST(a_number_ends_where_it_is_told)
{
    uint64_t v = 0;
    ck_assert_int_eq(oc_parse_u64("123", 2, 0, 99, &v), 0);
    ck_assert_uint_eq(v, 12);
    ck_assert_int_eq(oc_parse_u64("1\0002", 3, 0, 99, &v), OUTCALL_E_SYNTAX);
}
END_TEST

START_TEST(hexadecimal)
{
    uint64_t v = 77;
    ck_assert_int_eq(oc_parse_hex("fFfFfFfFfFfFfFfF", 16, UINT64_MAX, &v), 0);
    ck_assert_uint_eq(v, UINT64_MAX);
    ck_assert_int_eq(oc_parse_hex("10000000000000000", 17, UINT64_MAX, &v), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_parse_hex("00000000000000000001", 20, 1, &v), 0);
    ck_assert_uint_eq(v, 1);
    ck_assert_int_eq(oc_parse_hex("2", 1, 1, &v), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_parse_hex("0x1", 3, 99, &v), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(oc_parse_hex("g", 1, 99, &v), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(oc_parse_hex("", 0, 99, &v), OUTCALL_E_SYNTAX);
    ck_assert_uint_eq(v, 1);
}
END_TEST

static const struct number sizes[] = {
    {"0", 0, 0, 0, 0},
    {"512m", 0, 0, 0, (uint64_t)512 << 20},
    {"1K", 0, 0, 0, 1024},
    {"7b", 0, 0, 0, 7},
    {"2G", 0, 0, 0, (uint64_t)2 << 30},
    {"9223372036854775807", 0, 0, 0, INT64_MAX},
    {"9223372036854775808", 0, 0, OUTCALL_E_LIMIT, 0},
    {"8589934591g", 0, 0, 0, (uint64_t)8589934591 << 30},
    {"8589934592g", 0, 0, OUTCALL_E_LIMIT, 0},
    {"", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"m", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"1mm", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"1t", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"1.5g", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"-1m", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"1 m", 0, 0, OUTCALL_E_SYNTAX, 0},
    {"1\x0d", 0, 0, OUTCALL_E_SYNTAX, 0},
};

START_TEST(sizes_in_bytes)
{
    const struct number *n = &sizes[_i];
    uint64_t v = 77;
    ck_assert_int_eq(oc_parse_size(n->s, strlen(n->s), &v), n->r);
    ck_assert_uint_eq(v, n->r == 0 ? n->v : 77);
}
END_TEST

static const struct number nanos[] = {
    {"1.5", 0, UINT64_MAX, 0, 1500000000},
    {"2", 0, UINT64_MAX, 0, 2000000000},
    {".5", 0, UINT64_MAX, 0, 500000000},
    {"0.000000001", 0, UINT64_MAX, 0, 1},
    {"0.0000000001", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"1.", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {".", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"1.5.1", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"1,5", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"-1", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"1e3", 0, UINT64_MAX, OUTCALL_E_SYNTAX, 0},
    {"18446744073", 0, UINT64_MAX, OUTCALL_E_LIMIT, 0},
    {"18446744072.999999999", 0, UINT64_MAX, 0, 18446744072999999999U},
    {"2.000000001", 0, 2000000000, OUTCALL_E_LIMIT, 0},
};

START_TEST(billionths)
{
    const struct number *n = &nanos[_i];
    uint64_t v = 77;
    ck_assert_int_eq(oc_parse_nano(n->s, strlen(n->s), n->max, &v), n->r);
    ck_assert_uint_eq(v, n->r == 0 ? n->v : 77);
}
END_TEST

/* Unicode 15, table 3-7: the first and the last of each row, and their neighbours. */
static const struct utf8 {
    const char *s;
    size_t len;
    bool valid;
} sequences[] = {
    {"", 0, true},
    {"\0", 1, true},
    {"\x7f", 1, true},
    {"\x80", 1, false},
    {"\xbf", 1, false},
    {"\xc0\x80", 2, false},
    {"\xc1\xbf", 2, false},
    {"\xc2\x7f", 2, false},
    {"\xc2\x80", 2, true},
    {"\xdf\xbf", 2, true},
    {"\xdf\xc0", 2, false},
    {"\xc2", 1, false},
    {"\xe0\x9f\xbf", 3, false},
    {"\xe0\xa0\x80", 3, true},
    {"\xe0\xa0", 2, false},
    {"\xec\xbf\xbf", 3, true},
    {"\xed\x9f\xbf", 3, true},
    {"\xed\xa0\x80", 3, false},
    {"\xed\xbf\xbf", 3, false},
    {"\xee\x80\x80", 3, true},
    {"\xef\xbf\xbf", 3, true},
    {"\xf0\x8f\xbf\xbf", 4, false},
    {"\xf0\x90\x80\x80", 4, true},
    {"\xf3\xbf\xbf\xbf", 4, true},
    {"\xf4\x8f\xbf\xbf", 4, true},
    {"\xf4\x90\x80\x80", 4, false},
    {"\xf5\x80\x80\x80", 4, false},
    {"\xf0\x90\x80", 3, false},
    {"\xf0\x90\x80\xc0", 4, false},
    {"\xff", 1, false},
    {"\xfe\xff", 2, false},
    {"a\xe2\x82\xac"
     "b",
     5, true},
    {"a\xe2\x82"
     "b",
     4, false},
};

START_TEST(utf8)
{
    const struct utf8 *u = &sequences[_i];
    char text[16] = "";
    ck_assert_int_eq(oc_utf8_valid(u->s, u->len), u->valid);
    memcpy(text, u->s, u->len);
    oc_utf8_repair(text);
    ck_assert_uint_eq(strlen(text), strlen(u->s));
    ck_assert(oc_utf8_valid(text, strlen(text)));
    ck_assert(!u->valid || strcmp(text, u->s) == 0);
}
END_TEST

/* Plain text is passed over in steps: what is not plain must be seen at every place in one. */
START_TEST(utf8_among_plain_text)
{
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[48] = "";
            memset(text, 'x', len);
            ck_assert(oc_utf8_valid(text, len));
            text[at] = '\xff';
            ck_assert(!oc_utf8_valid(text, len));
            oc_utf8_repair(text);
            ck_assert_uint_eq(strspn(text, "x"), at);
            ck_assert_uint_eq(strspn(text + at + 1, "x"), len - at - 1);
            ck_assert_int_eq(text[at], '?');
        }
    }
}
END_TEST

START_TEST(cuts_between_characters)
{
    static const char text[] = "a\xc3\xa9\xf0\x9f\x98\x80z"; /* 1, 2, 4 and 1 bytes */
    static const size_t cut[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    for (size_t max = 0; max < OC_ARRAY_SIZE(cut); max++)
        ck_assert_uint_eq(oc_utf8_cut(text, strlen(text), max), cut[max]);
    char shown[OC_SHOWN_SIZE], exact[OC_SHOWN_MAX + 1], more[OC_SHOWN_MAX + 2];
    memset(exact, 'x', sizeof(exact));
    memset(more, 'x', sizeof(more));
    exact[OC_SHOWN_MAX] = more[OC_SHOWN_MAX + 1] = '\0';
    ck_assert_str_eq(oc_shown(shown, exact), exact);
    ck_assert_str_eq(oc_shown(shown, more) + OC_SHOWN_MAX, "...");
    memcpy(more + OC_SHOWN_MAX - 1, "\xc3\xa9", 2);
    ck_assert_str_eq(oc_shown(shown, more) + OC_SHOWN_MAX - 1, "...");
    ck_assert_str_eq(oc_shown(shown, ""), "");
}
END_TEST

START_TEST(texts)
{
    char buf[4] = "zzz";
    ck_assert_int_eq(oc_format(buf, sizeof(buf), "%d", 123), 0);
    ck_assert_int_eq(oc_format(buf, sizeof(buf), "%d", 1234), OUTCALL_E_LIMIT);
    ck_assert_str_eq(buf, "");
    ck_assert_int_eq(oc_copy(buf, sizeof(buf), "abcd", 3), 0);
    ck_assert_str_eq(buf, "abc");
    ck_assert_int_eq(oc_copy(buf, sizeof(buf), "abcd", 4), OUTCALL_E_LIMIT);
    ck_assert_str_eq(buf, "");
    ck_assert_int_eq(oc_copy(NULL, 0, "a", 1), OUTCALL_E_LIMIT);
    ck_assert(oc_streq(NULL, NULL) && !oc_streq(NULL, "") && !oc_streq("", NULL) && oc_streq("a", "a"));
    ck_assert(oc_starts_with("ab", "ab") && oc_starts_with("ab", "") && !oc_starts_with("a", "ab"));
    ck_assert(oc_has_control("a\x1f", 2) && oc_has_control("\x7f", 1) && oc_has_control("\0", 1) &&
              !oc_has_control(" ~\xc2\x80", 4));
    char *none = buf;
    ck_assert_int_eq(oc_dup(&none, NULL), 0);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = {"",
                                      "-a",
                                      ".a",
                                      "_a",
                                      "A",
                                      "a/b",
                                      "a b",
                                      "a\n",
                                      "\xc3\xa9",
                                      "a:b",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                      "outcall-agent-",
                                      "outcall-agent--",
                                      "outcall-agent-A"};
    char full[OC_NAME_SIZE] = "as before",
         longest[] = "outcall-agent-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(oc_name_parse(OC_CONTAINER_PREFIX, bad[i], full), OUTCALL_E_INVALID);
        ck_assert_str_eq(full, "as before");
        ck_assert(!oc_name_is(OC_CONTAINER_PREFIX, bad[i]));
    }
    ck_assert_int_eq(oc_name_parse(OC_CONTAINER_PREFIX, "a.b_c-0", full), 0);
    ck_assert_str_eq(full, "outcall-agent-a.b_c-0");
    ck_assert_int_eq(oc_name_parse(OC_CONTAINER_PREFIX, full, full), 0);
    ck_assert_int_eq(oc_name_parse(OC_CONTAINER_PREFIX, longest + strlen(OC_CONTAINER_PREFIX), full), 0);
    ck_assert_str_eq(full, longest);
    ck_assert(oc_name_is(OC_CONTAINER_PREFIX, longest));
    ck_assert(!oc_name_is(OC_CONTAINER_PREFIX, "a"));
    ck_assert_int_eq(oc_name_parse(OC_NETWORK_PREFIX, "outcall-agent-a", full), 0);
    ck_assert_str_eq(full, "outcall-agent-a");
}
END_TEST

START_TEST(addresses)
{
    static const char *const bad_ip[] = {"",          "1.2.3",      "1.2.3.4.5", "1.2.3.",   ".1.2.3",
                                         "1..2.3",    "256.0.0.0",  "01.2.3.4",  "1.2.3.4 ", "1.2.3.-4",
                                         "1.2.3.4/8", "0001.2.3.4", "a.b.c.d"};
    static const char *const bad_cidr[] = {"1.2.3.0",    "1.2.3.0/",   "1.2.3.0/33", "1.2.3.0/024",
                                           "1.2.3.0/-1", "1.2.3.4/24", "/24",        "1.2.3.0/2 4",
                                           "::/0",       "1.2.3.0/08", "0.0.0.0/00"};
    struct oc_cidr c = {7, 7}, d, e;
    uint32_t a = 7;
    char text[OC_CIDR_SIZE];
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad_ip); i++)
        ck_assert_int_eq(oc_ipv4_parse(bad_ip[i], strlen(bad_ip[i]), &a), OUTCALL_E_SYNTAX);
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad_cidr); i++)
        ck_assert_int_eq(oc_cidr_parse(bad_cidr[i], strlen(bad_cidr[i]), &c), OUTCALL_E_SYNTAX);
    ck_assert(a == 7 && c.addr == 7 && c.bits == 7);
    ck_assert_int_eq(oc_ipv4_parse("255.255.255.255", 15, &a), 0);
    ck_assert_uint_eq(a, UINT32_MAX);
    ck_assert_int_eq(oc_cidr_parse("0.0.0.0/0", 9, &c), 0);
    ck_assert_int_eq(oc_cidr_parse("255.255.255.255/32", 18, &d), 0);
    ck_assert_int_eq(oc_cidr_parse("255.255.255.254/32", 18, &e), 0);
    oc_cidr_format(d, text);
    ck_assert_str_eq(text, "255.255.255.255/32");
    ck_assert(oc_cidr_overlap(c, d) && oc_cidr_overlap(d, c) && !oc_cidr_overlap(d, e) &&
              oc_cidr_overlap(d, d));
    ck_assert(oc_cidr_contains(c, 0) && oc_cidr_contains(c, UINT32_MAX) && oc_cidr_contains(d, UINT32_MAX) &&
              !oc_cidr_contains(d, 0));
    ck_assert_int_eq(oc_cidr_parse("10.200.0.0/16", 13, &c), 0);
    ck_assert(oc_cidr_contains(c, 0x0ac8ffff) && !oc_cidr_contains(c, 0x0ac90000) &&
              !oc_cidr_contains(c, 0x0ac7ffff));
    ck_assert_uint_eq(oc_cidr_mask(0), 0);
    ck_assert_uint_eq(oc_cidr_mask(32), UINT32_MAX);
}
END_TEST

START_TEST(clean_paths)
{
    static const char *const good[] = {"/", "/a", "/a/b.c/..d/...", "/ "}, *const bad[] = {
                                                                               "",    "a",      "//",
                                                                               "/a/", "/a//b",  "/.",
                                                                               "/..", "/a/./b", "/a/../b",
                                                                               "/a/."};
    char longest[PATH_MAX + 1];
    for (size_t i = 0; i < OC_ARRAY_SIZE(good); i++)
        ck_assert_msg(oc_path_is_clean(good[i]), "%s", good[i]);
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        ck_assert_msg(!oc_path_is_clean(bad[i]), "%s", bad[i]);
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[PATH_MAX] = '\0';
    ck_assert(!oc_path_is_clean(longest));
    longest[PATH_MAX - 1] = '\0';
    ck_assert(oc_path_is_clean(longest));
    ck_assert(oc_path_contains("/", "/a") && oc_path_contains("/a", "/a") && oc_path_contains("/a", "/a/b"));
    ck_assert(!oc_path_contains("/a", "/ab") && !oc_path_contains("/a/b", "/a"));
}
END_TEST

START_TEST(randomness_and_time)
{
    char a[33], b[33], when[OC_RFC3339_SIZE];
    ck_assert_int_eq(oc_random_hex(a, sizeof(a)), 0);
    ck_assert_int_eq(oc_random_hex(b, sizeof(b)), 0);
    ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 32);
    ck_assert_str_ne(a, b);
    oc_rfc3339(0, when);
    ck_assert_str_eq(when, "1970-01-01T00:00:00Z");
    oc_rfc3339(1795299000, when);
    ck_assert_str_eq(when, "2026-11-21T22:10:00Z");
    ck_assert_uint_eq(oc_deadline(OC_NEVER), OC_NEVER);
    ck_assert_uint_eq(oc_deadline(OC_NEVER - 1), OC_NEVER);
    ck_assert_int_eq(oc_deadline_left(OC_NEVER), -1);
    ck_assert_int_eq(oc_deadline_left(0), 0);
    ck_assert_int_eq(oc_deadline_left(OC_NEVER - 1), INT_MAX);
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {buffers_end_at_their_ceiling,
                                  nothing_is_lost_when_memory_is_short,
                                  base64,
                                  a_number_ends_where_it_is_told,
                                  hexadecimal,
                                  cuts_between_characters,
                                  utf8_among_plain_text,
                                  texts,
                                  names,
                                  addresses,
                                  clean_paths,
                                  randomness_and_time};
    const struct unit_loop loops[] = {{decimal, OC_ARRAY_SIZE(numbers)},
                                      {sizes_in_bytes, OC_ARRAY_SIZE(sizes)},
                                      {billionths, OC_ARRAY_SIZE(nanos)},
                                      {utf8, OC_ARRAY_SIZE(sequences)}};
    return unit_run("base", plain, OC_ARRAY_SIZE(plain), loops, OC_ARRAY_SIZE(loops));
}
