/* Requests of the agent API: what is written can be read again; a member that is unknown, missing, repeated,
 * malformed or too large is refused by its name, by the side that asks and by the one that is asked. */
#include "base/buf.h"
#include "base/str.h"
#include "outcall/protocol.h"
#include "support/failmalloc.h"
#include "unit.h"

START_TEST(action_types)
{
    static const char *const names[] = {"tool_exec", "shell_exec", "network_call", "file_access"};
    for (int i = 0; i < (int)OC_ARRAY_SIZE(names); i++) {
        ck_assert_str_eq(outcall_action_type_name(i), names[i]);
        ck_assert_int_eq(outcall_action_type_by_name(names[i]), i);
    }
    ck_assert_str_eq(outcall_action_type_name(-1), "unknown");
    ck_assert_str_eq(outcall_action_type_name(OC_ARRAY_SIZE(names)), "unknown");
    ck_assert_int_eq(outcall_action_type_by_name("Tool_exec"), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_action_type_by_name(""), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_action_type_by_name(NULL), OUTCALL_E_INVALID);
}
END_TEST

/* ---- questions ---- */

static void same_check(const outcall_check *a, const outcall_check *b)
{
    ck_assert_int_eq(a->action_type, b->action_type);
    ck_assert_str_eq(a->target, b->target);
    ck_assert_pstr_eq(a->cwd, b->cwd);
    ck_assert_uint_eq(a->args_n, b->args_n);
    for (size_t i = 0; i < a->args_n; i++)
        ck_assert_str_eq(a->args[i], b->args[i]);
    ck_assert_uint_eq(a->metadata_n, b->metadata_n);
    for (size_t i = 0; i < a->metadata_n; i++) {
        ck_assert_str_eq(a->metadata[i].key, b->metadata[i].key);
        ck_assert_str_eq(a->metadata[i].value, b->metadata[i].value);
    }
}

static void round_trip(const outcall_check *c)
{
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = NULL;
    OC_FREE char *json = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t len = 0;
    ck_assert_msg(outcall_check_encode(c, &json, &len, &err) == 0, "%s", err.text);
    ck_assert_msg(outcall_check_decode(json, len, &d, &err) == 0, "%s: %s", json, err.text);
    same_check(c, outcall_decoded_check_get(d));
}

static int encode_check(const outcall_check *c, outcall_error *err)
{
    OC_FREE char *json = NULL;
    size_t len = 0;
    int r = outcall_check_encode(c, &json, &len, err);
    ck_assert((r < 0) == !json);
    return r;
}

START_TEST(check_round_trip)
{
    static const char *const args[] = {"-c", "echo \"a\"\n\t\x1b", "", "\xc3\xa9"};
    static const outcall_pair pairs[] = {{"mode", "r"}, {"A.b_c-1", "\n"}, {"empty", ""}};
    const outcall_check checks[] = {
        {OUTCALL_TOOL_EXEC, "git", NULL, 0, NULL, NULL, 0},
        {OUTCALL_SHELL_EXEC, "bash", args, OC_ARRAY_SIZE(args), "/", NULL, 0},
        {OUTCALL_NETWORK_CALL, "https://example.com/?q=a b#\xc3\xa9", NULL, 0, "/w d/\xc3\xa9", NULL, 0},
        {OUTCALL_FILE_ACCESS, "/etc/passwd", NULL, 0, NULL, pairs, OC_ARRAY_SIZE(pairs)},
        {OUTCALL_TOOL_EXEC, "x", args, 1, "/a", pairs, 1},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(checks); i++)
        round_trip(&checks[i]);
    ck_assert_ptr_null(outcall_decoded_check_get(NULL));
    ck_assert_ptr_null(outcall_decoded_check_free(NULL));
}
END_TEST

START_TEST(check_on_the_wire)
{
    static const char *const args[] = {"a"};
    static const outcall_pair pair = {"mode", "r"};
    const outcall_check bare = {OUTCALL_TOOL_EXEC, "t", NULL, 0, NULL, NULL, 0};
    const outcall_check full = {OUTCALL_FILE_ACCESS, "t", args, 1, "/d", &pair, 1};
    OC_FREE char *json = NULL;
    OC_FREE char *more = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_check_encode(&bare, &json, &len, NULL), 0);
    ck_assert_str_eq(json, "{\"action_type\":\"tool_exec\",\"target\":\"t\",\"metadata\":{}}");
    ck_assert_int_eq(outcall_check_encode(&full, &more, &len, NULL), 0);
    ck_assert_str_eq(more, "{\"action_type\":\"file_access\",\"target\":\"t\",\"metadata\":{\"args\":[\"a\"],"
                           "\"cwd\":\"/d\",\"mode\":\"r\"}}");
}
END_TEST

static const char *const nothing[] = {NULL};
static const char *const latin1[] = {"a", "\xe9"};
static const outcall_pair no_key = {NULL, "v"};
static const outcall_pair no_value = {"k", NULL};
static const outcall_pair empty_key = {"", "v"};
static const outcall_pair odd_key = {"a b", "v"};
static const outcall_pair args_key = {"args", "v"};
static const outcall_pair cwd_key = {"cwd", "v"};
static const outcall_pair bad_value = {"k", "\xff"};
static const outcall_pair twice[] = {{"k", "a"}, {"l", "b"}, {"k", "c"}};

static const struct {
    outcall_check check;
    const char *text;
} unsendable[] = {
    {{-1, "t", NULL, 0, NULL, NULL, 0}, "action_type: expected"},
    {{4, "t", NULL, 0, NULL, NULL, 0}, "action_type: expected"},
    {{0, NULL, NULL, 0, NULL, NULL, 0}, "target: a required argument is NULL"},
    {{0, "", NULL, 0, NULL, NULL, 0}, "target: expected at least one byte"},
    {{0, "a\nb", NULL, 0, NULL, NULL, 0}, "target: control characters"},
    {{0, "a\x7f", NULL, 0, NULL, NULL, 0}, "target: control characters"},
    {{0, "\xc0\x80", NULL, 0, NULL, NULL, 0}, "target: expected UTF-8"},
    {{0, "t", NULL, 0, "", NULL, 0}, "metadata.cwd: expected at least one byte"},
    {{0, "t", NULL, 0, "a", NULL, 0}, "metadata.cwd: expected an absolute path"},
    {{0, "t", NULL, 0, "/\xff", NULL, 0}, "metadata.cwd: expected UTF-8"},
    {{0, "t", NULL, 0, "/\n", NULL, 0}, "metadata.cwd: control characters"},
    {{0, "t", NULL, 1, NULL, NULL, 0}, "metadata.args: a required argument is NULL"},
    {{0, "t", nothing, 1, NULL, NULL, 0}, "metadata.args[0]: expected UTF-8"},
    {{0, "t", latin1, 2, NULL, NULL, 0}, "metadata.args[1]: expected UTF-8"},
    {{0, "t", NULL, 0, NULL, NULL, 1}, "metadata: a required argument is NULL"},
    {{0, "t", NULL, 0, NULL, &no_key, 1}, "metadata: expected a name"},
    {{0, "t", NULL, 0, NULL, &no_value, 1}, "k: a required argument is NULL"},
    {{0, "t", NULL, 0, NULL, &empty_key, 1}, "metadata: expected a name"},
    {{0, "t", NULL, 0, NULL, &odd_key, 1},
     "metadata: expected a name of letters, digits, \"_.-\", got \"a b\""},
    {{0, "t", NULL, 0, NULL, &args_key, 1}, "got \"args\""},
    {{0, "t", NULL, 0, NULL, &cwd_key, 1}, "got \"cwd\""},
    {{0, "t", NULL, 0, NULL, &bad_value, 1}, "k: expected UTF-8"},
    {{0, "t", NULL, 0, NULL, twice, 3}, "metadata: \"k\" is there twice"},
};

START_TEST(unsendable_checks)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(encode_check(&unsendable[_i].check, &err) == OUTCALL_E_INVALID, "%s", unsendable[_i].text);
    ck_assert_msg(strstr(err.text, unsendable[_i].text), "\"%s\" lacks \"%s\"", err.text,
                  unsendable[_i].text);
}
END_TEST

START_TEST(check_arguments)
{
    const outcall_check c = {OUTCALL_TOOL_EXEC, "t", NULL, 0, NULL, NULL, 0};
    outcall_decoded_check *d = NULL;
    char *json = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_check_encode(NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_check_encode(&c, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_check_encode(&c, &json, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_check_decode(NULL, 0, &d, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_check_decode("{}", 2, NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

#define QUESTION(target, metadata) \
    "{\"action_type\":\"tool_exec\",\"target\":" target ",\"metadata\":" metadata "}"

static const struct {
    const char *json, *text;
} broken_questions[] = {
    {"", "malformed JSON"},
    {"null", "expected an object"},
    {"[]", "expected an object"},
    {"{}", "action_type: required field is missing"},
    {"{\"action_type\":\"tool_exec\"}", "target: required field is missing"},
    {"{\"target\":\"t\"}", "action_type: required field is missing"},
    {"{\"action_type\":0,\"target\":\"t\"}", "action_type: expected a string, got an integer"},
    {"{\"action_type\":\"fly\",\"target\":\"t\"}", "action_type: expected tool_exec"},
    {"{\"action_type\":\"TOOL_EXEC\",\"target\":\"t\"}", "action_type: expected tool_exec"},
    {"{\"action_type\":\"unknown\",\"target\":\"t\"}", "action_type: expected tool_exec"},
    {"{\"action_type\":\"checkin\",\"target\":\"t\"}", "action_type: expected tool_exec"},
    {"{\"action_type\":\"tool_exec\",\"target\":\"t\",\"agent\":\"x\"}", "agent: unknown field"},
    {"{\"action_type\":\"tool_exec\",\"target\":\"t\",\"Target\":\"x\"}", "Target: unknown field"},
    {"{\"action_type\":\"tool_exec\",\"target\":\"t\",\"target\":\"u\"}", "duplicate object key"},
    {QUESTION("\"t\"", "{}") "x", "malformed JSON: end of file expected"},
    {QUESTION("\"t\"", "{}") QUESTION("\"t\"", "{}"), "malformed JSON: end of file expected"},
    {QUESTION("null", "{}"), "target: expected a string, got null"},
    {QUESTION("[\"t\"]", "{}"), "target: expected a string, got an array"},
    {QUESTION("\"\"", "{}"), "target: expected at least one byte"},
    {QUESTION("\"a\\nb\"", "{}"), "target: control characters"},
    {QUESTION("\"a\\u0000b\"", "{}"), "\\u0000 is not allowed"},
    {QUESTION("\"\xff\"", "{}"), "malformed JSON"},
    {QUESTION("\"t\"", "null"), "metadata: expected an object, got null"},
    {QUESTION("\"t\"", "[]"), "metadata: expected an object, got an array"},
    {QUESTION("\"t\"", "{\"args\":null}"), "metadata.args: expected an array of strings, got null"},
    {QUESTION("\"t\"", "{\"args\":\"a\"}"), "metadata.args: expected an array of strings, got a string"},
    {QUESTION("\"t\"", "{\"args\":[\"a\",1]}"), "metadata.args[1]: expected a string, got an integer"},
    {QUESTION("\"t\"", "{\"args\":[null]}"), "metadata.args[0]: expected a string, got null"},
    {QUESTION("\"t\"", "{\"args\":[],\"args\":[]}"), "duplicate object key"},
    {QUESTION("\"t\"", "{\"cwd\":null}"), "metadata.cwd: expected a string, got null"},
    {QUESTION("\"t\"", "{\"cwd\":\"\"}"), "metadata.cwd: expected at least one byte"},
    {QUESTION("\"t\"", "{\"cwd\":\"a/b\"}"), "metadata.cwd: expected an absolute path"},
    {QUESTION("\"t\"", "{\"cwd\":\"/a\\nb\"}"), "metadata.cwd: control characters"},
    {QUESTION("\"t\"", "{\"args\":[\"a\"],\"cwd\":5}"), "metadata.cwd: expected a string, got an integer"},
    {QUESTION("\"t\"", "{\"mode\":1}"), "metadata.mode: expected a string"},
    {QUESTION("\"t\"", "{\"mode\":{}}"), "metadata.mode: expected a string"},
    {QUESTION("\"t\"", "{\"mode\":null}"), "metadata.mode: expected a string"},
    {QUESTION("\"t\"", "{\"\":\"a\"}"), "metadata: expected a name"},
    {QUESTION("\"t\"", "{\"a b\":\"a\"}"), "got \"a b\""},
    {QUESTION("\"t\"", "{\"\xc3\xa9\":\"a\"}"), "got \"\xc3\xa9\""},
    {QUESTION("\"t\"", "{\"a\":\"1\",\"a\":\"2\"}"), "duplicate object key"},
};

static int decode_check(const char *json, size_t len, outcall_error *err)
{
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = NULL;
    int r = outcall_check_decode(json, len, &d, err);
    ck_assert((r < 0) == !d);
    return r;
}

START_TEST(broken_question)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    const char *json = broken_questions[_i].json, *text = broken_questions[_i].text;
    ck_assert_msg(decode_check(json, strlen(json), &err) == OUTCALL_E_PROTOCOL, "%s: %s", json, err.text);
    ck_assert_msg(strstr(err.text, text), "%s: \"%s\" lacks \"%s\"", json, err.text, text);
}
END_TEST

START_TEST(cut_questions)
{
    static const char json[] = QUESTION("\"t\"", "{\"args\":[\"a\"],\"cwd\":\"/\",\"mode\":\"r\"}");
    ck_assert_int_eq(decode_check(json, sizeof(json) - 1, NULL), 0);
    ck_assert_int_eq(decode_check(json, sizeof(json), NULL), OUTCALL_E_PROTOCOL); /* with its NUL */
    for (size_t cut = 0; cut < sizeof(json) - 1; cut++)
        ck_assert_int_eq(decode_check(json, cut, NULL), OUTCALL_E_PROTOCOL);
}
END_TEST

/* metadata may be left out. */
START_TEST(shortest_question)
{
    static const char json[] = "{\"target\":\"t\",\"action_type\":\"file_access\"}";
    static const outcall_check expected = {OUTCALL_FILE_ACCESS, "t", NULL, 0, NULL, NULL, 0};
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = NULL;
    ck_assert_int_eq(outcall_check_decode(json, strlen(json), &d, NULL), 0);
    same_check(outcall_decoded_check_get(d), &expected);
}
END_TEST

/* ---- limits: exactly, and one more, from both sides ---- */

struct big { /* a check with everything in abundance */
    char target[OUTCALL_AGENT_TARGET_MAX + 2], key[OUTCALL_AGENT_KEY_MAX + 2];
    const char *args[OUTCALL_AGENT_ARGS_MAX + 1];
    char keys[OUTCALL_AGENT_METADATA_MAX + 1][8];
    outcall_pair pairs[OUTCALL_AGENT_METADATA_MAX + 1];
};

static struct big *big_new(void)
{
    struct big *b = calloc(1, sizeof(*b));
    ck_assert_ptr_nonnull(b);
    memset(b->target, '/', sizeof(b->target) - 1);
    memset(b->key, 'k', sizeof(b->key) - 1);
    for (size_t i = 0; i < OC_ARRAY_SIZE(b->args); i++)
        b->args[i] = "";
    for (size_t i = 0; i < OC_ARRAY_SIZE(b->pairs); i++) {
        (void)snprintf(b->keys[i], sizeof(b->keys[i]), "k%zu", i);
        b->pairs[i] = (outcall_pair){b->keys[i], ""};
    }
    return b;
}

/* What the encoder would have written, without its bounds. */
static int decode_unbounded(const outcall_check *c, outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    int r = oc_buf_printf(&b, "{\"action_type\":\"tool_exec\",\"target\":\"%s\",\"metadata\":{\"args\":[",
                          c->target);
    for (size_t i = 0; c->args && i < c->args_n; i++)
        r |= oc_buf_printf(&b, "%s\"%s\"", i ? "," : "", c->args[i]);
    r |= oc_buf_str(&b, "]");
    if (c->cwd)
        r |= oc_buf_printf(&b, ",\"cwd\":\"%s\"", c->cwd);
    for (size_t i = 0; c->metadata && i < c->metadata_n; i++)
        r |= oc_buf_printf(&b, ",\"%s\":\"%s\"", c->metadata[i].key, c->metadata[i].value);
    r |= oc_buf_str(&b, "}}");
    ck_assert_int_eq(r, 0);
    return decode_check(b.data, b.len, err);
}

static void limit(const outcall_check *within, const outcall_check *beyond, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    round_trip(within);
    ck_assert_int_eq(decode_unbounded(within, NULL), 0);
    ck_assert_int_eq(encode_check(beyond, &err), OUTCALL_E_INVALID);
    ck_assert_msg(strstr(err.text, text), "\"%s\" lacks \"%s\"", err.text, text);
    outcall_error_clear(&err);
    ck_assert_int_eq(decode_unbounded(beyond, &err), OUTCALL_E_LIMIT);
    ck_assert_msg(strstr(err.text, text), "\"%s\" lacks \"%s\"", err.text, text);
}

START_TEST(check_limits)
{
    OC_FREE struct big *b = big_new();
    const char *longer = b->target;
    const char *longest = b->target + 1;
    const outcall_pair most[] = {{"k", longest}, {b->key + 1, "v"}}, more[] = {{"k", longer}, {b->key, "v"}};
    outcall_check in = {0, longest, NULL, 0, NULL, NULL, 0}, out = {0, longer, NULL, 0, NULL, NULL, 0};
    limit(&in, &out, "target: expected at most 4096, got 4097");
    in = (outcall_check){0, "t", NULL, 0, longest, NULL, 0};
    out = (outcall_check){0, "t", NULL, 0, longer, NULL, 0};
    limit(&in, &out, "metadata.cwd: expected at most 4096, got 4097");
    in = (outcall_check){0, "t", b->args, OUTCALL_AGENT_ARGS_MAX, NULL, NULL, 0};
    out = (outcall_check){0, "t", b->args, OUTCALL_AGENT_ARGS_MAX + 1, NULL, NULL, 0};
    limit(&in, &out, "metadata.args: elements: expected at most 1024, got 1025");
    in = (outcall_check){0, "t", NULL, 0, NULL, b->pairs, OUTCALL_AGENT_METADATA_MAX};
    out = (outcall_check){0, "t", NULL, 0, NULL, b->pairs, OUTCALL_AGENT_METADATA_MAX + 1};
    limit(&in, &out, "metadata: members: expected at most 64, got 65");
    in = (outcall_check){0, "t", NULL, 0, NULL, &most[0], 1};
    out = (outcall_check){0, "t", NULL, 0, NULL, &more[0], 1};
    limit(&in, &out, "k: expected at most 4096, got 4097");
    in = (outcall_check){0, "t", NULL, 0, NULL, &most[1], 1};
    out = (outcall_check){0, "t", NULL, 0, NULL, &more[1], 1};
    limit(&in, &out, "metadata: bytes of a name: expected at most 64, got 65");
    in = (outcall_check){0, "t", b->args, OUTCALL_AGENT_ARGS_MAX, "/", b->pairs, OUTCALL_AGENT_METADATA_MAX};
    round_trip(&in);
}
END_TEST

/* The whole body, with one long argument. */
START_TEST(check_body_limit)
{
    static const char frame[] =
        "{\"action_type\":\"tool_exec\",\"target\":\"t\",\"metadata\":{\"args\":[\"\"]}}";
    size_t room = OUTCALL_AGENT_BODY_MAX - (sizeof(frame) - 1);
    OC_FREE char *arg = calloc(1, room + 2);
    const char *args[] = {arg};
    const outcall_check c = {OUTCALL_TOOL_EXEC, "t", args, 1, NULL, NULL, 0};
    outcall_error err = OUTCALL_ERROR_INIT;
    memset(arg, 'a', room);
    round_trip(&c);
    ck_assert_int_eq(decode_unbounded(&c, NULL), 0);
    arg[room] = 'a';
    ck_assert_int_eq(encode_check(&c, &err), OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "body: expected at most 65536 bytes, got 65537");
    outcall_error_clear(&err);
    ck_assert_int_eq(decode_unbounded(&c, &err), OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "body: expected at most 65536 bytes, got 65537");
    arg[room] = '\0';
    arg[0] = '\n'; /* two bytes on the wire */
    ck_assert_int_eq(encode_check(&c, NULL), OUTCALL_E_LIMIT);
}
END_TEST

/* ---- check-in and rule requests ---- */

START_TEST(checkin_round_trip)
{
    static const struct {
        const char *hostname, *version, *json;
        pid_t pid;
    } cases[] = {{NULL, NULL, "{}", 0},
                 {"h", NULL, "{\"hostname\":\"h\"}", 0},
                 {"", "0.1.0", "{\"hostname\":\"\",\"pid\":7,\"version\":\"0.1.0\"}", 7},
                 {NULL, NULL, "{\"pid\":2147483647}", INT32_MAX}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        OC_FREE char *json = NULL;
        size_t len = 0;
        ck_assert_int_eq(
            outcall_checkin_encode(cases[i].hostname, cases[i].pid, cases[i].version, &json, &len, NULL), 0);
        ck_assert_str_eq(json, cases[i].json);
        ck_assert_int_eq(outcall_checkin_decode(json, len, NULL), 0);
    }
}
END_TEST

START_TEST(unsendable_checkins)
{
    char word[257], *json = NULL;
    size_t len = 0;
    memset(word, 'w', sizeof(word));
    word[256] = '\0';
    ck_assert_int_eq(outcall_checkin_encode(word, 0, NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode(NULL, 0, word, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode("\xff", 0, NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode(NULL, 0, "a\n", &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode(NULL, -1, NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode(NULL, 0, NULL, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_checkin_encode(NULL, 0, NULL, &json, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(json);
    word[255] = '\0';
    ck_assert_int_eq(outcall_checkin_encode(word, 0, word, &json, &len, NULL), 0);
    ck_assert_int_eq(outcall_checkin_decode(json, len, NULL), 0);
    free(json);
}
END_TEST

START_TEST(broken_checkins)
{
    static const struct {
        const char *json, *text;
    } cases[] = {{"", "malformed JSON"},
                 {"null", "expected an object, got null"},
                 {"[]", "expected an object, got an array"},
                 {"{}{}", "end of file expected"},
                 {"{\"token\":\"x\"}", "token: unknown field"},
                 {"{\"pid\":1,\"pid\":1}", "duplicate object key"},
                 {"{\"pid\":\"1\"}", "pid: expected an integer, got a string"},
                 {"{\"pid\":1.5}", "pid: expected an integer, got a number"},
                 {"{\"pid\":-1}", "pid: expected an integer from 0 to 2147483647, got -1"},
                 {"{\"pid\":2147483648}", "pid: expected an integer from 0 to 2147483647"},
                 {"{\"hostname\":null}", "hostname: expected a string, got null"},
                 {"{\"hostname\":\"\\n\"}", "hostname: control characters"},
                 {"{\"version\":1}", "version: expected a string, got an integer"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_int_eq(outcall_checkin_decode(cases[i].json, strlen(cases[i].json), &err),
                         OUTCALL_E_PROTOCOL);
        ck_assert_msg(strstr(err.text, cases[i].text), "\"%s\" lacks \"%s\"", err.text, cases[i].text);
    }
    ck_assert_int_eq(outcall_checkin_decode(NULL, 0, NULL), OUTCALL_E_INVALID);
}
END_TEST

START_TEST(rule_request_round_trip)
{
    static const char yaml[] = "version: \"1\"\nrules:\n\t- id: \xc3\xa9\r\n";
    OC_FREE char *json = NULL;
    OC_FREE char *back = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_rule_request_encode(yaml, strlen(yaml), &json, &len, NULL), 0);
    ck_assert_int_eq(outcall_rule_request_decode(json, len, &back, &len, NULL), 0);
    ck_assert_str_eq(back, yaml);
    ck_assert_uint_eq(len, strlen(yaml));
}
END_TEST

START_TEST(rule_request_limit)
{
    size_t room = OUTCALL_AGENT_BODY_MAX - strlen("{\"rule_file\":\"\"}");
    OC_FREE char *yaml = malloc(OUTCALL_AGENT_BODY_MAX + 1);
    OC_FREE char *json = NULL;
    OC_FREE char *back = NULL;
    char *none = NULL;
    size_t len = 0;
    memset(yaml, 'y', OUTCALL_AGENT_BODY_MAX + 1);
    ck_assert_int_eq(outcall_rule_request_encode(yaml, room, &json, &len, NULL), 0);
    ck_assert_uint_eq(len, OUTCALL_AGENT_BODY_MAX);
    ck_assert_int_eq(outcall_rule_request_decode(json, len, &back, &len, NULL), 0);
    ck_assert_uint_eq(len, room);
    ck_assert_int_eq(outcall_rule_request_encode(yaml, room + 1, &none, &len, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_rule_request_encode(yaml, OUTCALL_AGENT_BODY_MAX + 1, &none, &len, NULL),
                     OUTCALL_E_LIMIT);
    yaml[0] = '\n';
    ck_assert_int_eq(outcall_rule_request_encode(yaml, room, &none, &len, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_rule_request_encode("a\0b", 3, &none, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_encode("", 0, &none, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_encode("\xff", 1, &none, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_encode(NULL, 1, &none, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_encode("a", 1, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(broken_rule_requests)
{
    static const struct {
        const char *json, *text;
    } cases[] = {{"", "malformed JSON"},
                 {"{}", "rule_file: required field is missing"},
                 {"\"version: 1\"", "expected an object, got a string"},
                 {"{\"rule_file\":null}", "rule_file: expected a string, got null"},
                 {"{\"rule_file\":\"\"}", "rule_file: expected 1 to 65536 bytes, got 0"},
                 {"{\"rule_file\":\"a\\u0000\"}", "\\u0000 is not allowed"},
                 {"{\"rule_file\":\"a\",\"rule_file\":\"b\"}", "duplicate object key"},
                 {"{\"rule_file\":\"a\",\"agents\":[]}", "agents: unknown field"},
                 {"{\"rule_file\":\"a\"};", "end of file expected"}};
    char *none = NULL;
    size_t len = 0;
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_int_eq(outcall_rule_request_decode(cases[i].json, strlen(cases[i].json), &none, &len, &err),
                         OUTCALL_E_PROTOCOL);
        ck_assert_msg(strstr(err.text, cases[i].text), "\"%s\" lacks \"%s\"", err.text, cases[i].text);
    }
    ck_assert_int_eq(outcall_rule_request_decode("{}", 2, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_decode("{}", 2, &none, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_decode(NULL, 2, &none, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

static int try_questions(void *userdata)
{
    static const char *const args[] = {"-c", "ls"};
    static const outcall_pair pair = {"mode", "r"};
    const outcall_check c = {OUTCALL_SHELL_EXEC, "bash", args, 2, "/", &pair, 1};
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = NULL;
    OC_FREE char *json = NULL;
    OC_FREE char *checkin = NULL;
    OC_FREE char *rules = NULL;
    OC_FREE char *yaml = NULL;
    size_t len = 0;
    bool same = true;
    (void)userdata;
    int r = outcall_check_encode(&c, &json, &len, NULL);
    if (r == 0)
        r = outcall_check_decode(json, len, &d, NULL);
    if (r == 0) /* Check's own assertions allocate */
        same = strcmp(outcall_decoded_check_get(d)->args[1], "ls") == 0;
    if (r == 0)
        r = outcall_checkin_encode("h", 1, "v", &checkin, &len, NULL);
    if (r == 0)
        r = outcall_checkin_decode(checkin, len, NULL);
    if (r == 0)
        r = outcall_rule_request_encode("a: b\n", 5, &rules, &len, NULL);
    if (r == 0)
        r = outcall_rule_request_decode(rules, len, &yaml, &len, NULL);
    return same ? r : -1000;
}

START_TEST(out_of_memory)
{
    ck_assert_int_gt(failmalloc_loop(try_questions, NULL), 20);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {action_types,        check_round_trip,     check_on_the_wire,
                                check_arguments,     cut_questions,        shortest_question,
                                check_limits,        check_body_limit,     checkin_round_trip,
                                unsendable_checkins, broken_checkins,      rule_request_round_trip,
                                rule_request_limit,  broken_rule_requests, out_of_memory};
    const struct unit_loop loops[] = {{unsendable_checks, OC_ARRAY_SIZE(unsendable)},
                                      {broken_question, OC_ARRAY_SIZE(broken_questions)}};
    return unit_run("protocol_requests", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
