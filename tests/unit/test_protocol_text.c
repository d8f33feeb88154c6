/* Questions and verdicts are written without jansson: byte for byte what jansson would have written. */
#include "base/buf.h"
#include "base/str.h"
#include "outcall/protocol.h"
#include "unit.h"
#include "json/json.h"

#define RANDOM 20000 /* texts */
#define LONG   1024

static unsigned next_random(void) /* the same ones in every run */
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(state >> 33);
}

/* One character: what is escaped, plain letters, and all lengths of UTF-8. low: the lowest code below 0x80.
 */
static size_t character(char *at, unsigned low)
{
    static const char *const wide[] = {"\xc2\x80", "\xc3\xa9", "\xe2\x80\xa8", "\xef\xbf\xbf",
                                       "\xf0\x9f\x98\x80"};
    unsigned kind = next_random() % 4;
    const char *s = wide[next_random() % OC_ARRAY_SIZE(wide)];
    if (kind == 0) {
        (void)oc_copy(at, sizeof("\xf0\x9f\x98\x80"), s, strlen(s));
        return strlen(s);
    }
    *at = (char)(low + next_random() % (0x80 - low));
    if (kind == 1)
        *at = next_random() % 2 ? '"' : '\\';
    return 1;
}

/* At most LONG bytes, most of them far shorter. */
static const char *text(char buf[LONG + 1], unsigned low)
{
    size_t size = next_random() % (next_random() % 8 ? 24 : LONG - 3), n = 0;
    while (n < size)
        n += character(buf + n, low);
    buf[n] = '\0';
    return buf;
}

static void appends(const char *s)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_JSON json_t *j = json_string(s);
    OC_FREE char *expected = oc_json_dump(j, NULL);
    ck_assert_int_eq(oc_json_append(&b, s), 0);
    ck_assert_str_eq(b.data, expected);
}

START_TEST(every_character_alike)
{
    char s[] = "a?z", buf[LONG + 1];
    for (int c = 1; c < 0x80; c++) {
        s[1] = (char)c;
        appends(s);
        appends(s + 1);
    }
    for (int i = 0; i < RANDOM; i++)
        appends(text(buf, 1));
}
END_TEST

static void same(json_t *take_j, char *take_text, size_t len)
{
    OC_JSON json_t *j = take_j;
    OC_FREE char *written = take_text;
    size_t expected_len = 0;
    OC_FREE char *expected = oc_json_dump(j, &expected_len);
    ck_assert_ptr_nonnull(expected);
    ck_assert_str_eq(written, expected);
    ck_assert_uint_eq(len, expected_len);
}

START_TEST(verdicts_alike)
{
    char rule[LONG + 1], reason[LONG + 1];
    for (int i = 0; i < RANDOM; i++) {
        outcall_reply r = {.allowed = i % 3 == 1};
        char *json = NULL;
        size_t len = 0;
        (void)oc_copy(r.rule_id, sizeof(r.rule_id), rule, strlen(text(rule, ' ')));
        (void)oc_copy(r.reason, sizeof(r.reason), reason, strlen(text(reason, 1)));
        int x = outcall_reply_encode(&r, &json, &len, NULL);
        if (strchr(r.rule_id, 0x7f)) {
            ck_assert_int_eq(x, OUTCALL_E_INVALID);
            continue;
        }
        ck_assert_int_eq(x, 0);
        outcall_reply back;
        ck_assert_int_eq(outcall_reply_decode(json, len, &back, NULL), 0);
        ck_assert_str_eq(back.rule_id, r.rule_id);
        same(json_pack("{s:b, s:{s:b, s:s?, s:s?}}", "success", 1, "data", "allowed", r.allowed,
                       "matched_rule", r.rule_id[0] ? r.rule_id : NULL, "reason",
                       back.reason[0] ? back.reason : NULL),
             json, len);
    }
}
END_TEST

START_TEST(questions_alike)
{
    char target[LONG + 1], a[LONG + 1], b[LONG + 1], value[LONG + 1], path[LONG + 2] = "/";
    const char *args[] = {a, b};
    for (int i = 0; i < RANDOM; i++) {
        const outcall_pair pair = {"k", text(value, 1)};
        (void)text(target, ' ');
        outcall_check c = {i % 4, target,         args, (size_t)(i / 4 % 3), i % 5 ? path : NULL,
                           &pair, (size_t)(i % 2)};
        char *json = NULL;
        size_t len = 0;
        (void)text(a, 1);
        (void)text(b, 1);
        (void)text(path + 1, ' ');
        int x = outcall_check_encode(&c, &json, &len, NULL);
        if (target[0] == '\0' || strchr(target, 0x7f) || (c.cwd && strchr(path, 0x7f))) {
            ck_assert_int_eq(x, OUTCALL_E_INVALID);
            continue;
        }
        ck_assert_int_eq(x, 0);
        json_t *metadata = json_object();
        if (c.args_n > 0)
            ck_assert(!oc_json_set(metadata, "args", json_pack("[s, s*]", a, c.args_n > 1 ? b : NULL)));
        if (c.cwd)
            ck_assert(!oc_json_set(metadata, "cwd", json_string(path)));
        if (c.metadata_n > 0)
            ck_assert(!oc_json_set(metadata, "k", json_string(value)));
        same(json_pack("{s:s, s:s, s:o}", "action_type", outcall_action_type_name(c.action_type), "target",
                       target, "metadata", metadata),
             json, len);
    }
}
END_TEST

UNIT_MAIN("protocol_text", every_character_alike, verdicts_alike, questions_alike)
