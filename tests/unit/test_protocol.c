/* Answers of the agent API: what is written can be read again, what is malformed is refused with the member's
 * name, and no failure leaves anything but a blocked result. */
#include "base/str.h"
#include "outcall/protocol.h"
#include "support/failmalloc.h"
#include "unit.h"

#define TOKEN "tok-0123456789abcdef0123456789abcdef"

/* ---- answers that must not be believed ---- */

enum decoder { REPLY, SESSION, STATE };

/* Runs one decoder over a result full of ones; after a failure it must be full of zeros. */
static int decode(enum decoder which, const char *json, size_t len, outcall_error *err)
{
    union {
        outcall_reply reply;
        outcall_session session;
        outcall_rule_request_state state;
        unsigned char bytes[2048];
    } u;
    size_t size = which == REPLY ? sizeof(u.reply) : which == SESSION ? sizeof(u.session) : sizeof(u.state);
    memset(&u, 1, sizeof(u));
    int r = which == REPLY     ? outcall_reply_decode(json, len, &u.reply, err)
            : which == SESSION ? outcall_session_decode(json, len, &u.session, err)
                               : outcall_rule_request_state_decode(json, len, &u.state, err);
    for (size_t i = 0; r < 0 && i < size; i++)
        ck_assert_msg(u.bytes[i] == 0, "byte %zu of a failed result: %.300s", i, json);
    return r;
}

static void refuses(enum decoder which, const char *json, size_t len, int code, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = decode(which, json, len, &err);
    ck_assert_msg(r == code, "%.300s: %d (%s)", json, r, err.text);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, text), "%.300s: \"%s\" lacks \"%s\"", json, err.text, text);
}

#define DATA(data) "{\"success\":true,\"data\":" data "}"
#define YES        "\"allowed\":true,\"matched_rule\":\"r\",\"reason\":null"
#define SESSION_OF(token, hb)                                                                       \
    "\"container_id\":\"c\",\"name\":\"n\",\"session_token\":" token ",\"context_keys\":[\"run\"]," \
    "\"heartbeat_secs\":" hb
#define STATE_OF(id, status) "\"id\":" id ",\"status\":" status ",\"reason\":null"

/* What is wrong with every answer alike: S005-EC-005. */
static const struct {
    const char *json, *text;
} broken_envelopes[] = {
    {"", "malformed JSON"},
    {" ", "malformed JSON"},
    {"{", "malformed JSON"},
    {"yes", "malformed JSON"},
    {"true", "expected an object"},
    {"null", "expected an object"},
    {"[]", "expected an object"},
    {"\"allowed\"", "expected an object"},
    {"<html>busy</html>", "malformed JSON"},
    {"{}", "success: required field is missing"},
    {"{\"data\":{" YES "}}", "success: required field is missing"},
    {"{\"success\":1,\"data\":{" YES "}}", "success: expected a boolean, got an integer"},
    {"{\"success\":\"true\",\"data\":{" YES "}}", "success: expected a boolean, got a string"},
    {"{\"success\":null,\"data\":{" YES "}}", "success: expected a boolean, got null"},
    {"{\"success\":true}", "data: required field is missing"},
    {"{\"success\":true,\"data\":null}", "data: expected an object, got null"},
    {"{\"success\":true,\"data\":true}", "data: expected an object, got a boolean"},
    {"{\"success\":true,\"data\":[{" YES "}]}", "data: expected an object, got an array"},
    {"{\"success\":true,\"data\":\"{"
     "}\"}",
     "data: expected an object, got a string"},
    {"{\"success\":true,\"data\":{}}", "required field is missing"},
    {"{\"success\":false}", "error: a refusal says no reason"},
    {"{\"success\":false,\"error\":\"\"}", "error: a refusal says no reason"},
    {"{\"success\":false,\"error\":5}", "error: expected a string, got an integer"},
    {"{\"success\":false,\"data\":{" YES "}}", "error: a refusal says no reason"},
    {"{\"success\":false,\"error\":\"a\",\"code\":1}", "code: expected a string, got an integer"},
    {"{\"success\":false,\"success\":true,\"data\":{" YES "}}", "malformed JSON: duplicate object key"},
    {"{\"success\":true,\"data\":{},\"data\":{" YES "}}", "malformed JSON: duplicate object key"},
    {"{\"success\":true,\"data\":{" YES "}} x", "malformed JSON: end of file expected"},
    {"{\"success\":true,\"data\":{" YES "}}{}", "malformed JSON: end of file expected"},
    {"{\"success\":true,\"data\":{" YES "},}", "malformed JSON"},
    {"{'success':true,\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":True,\"data\":{" YES "}}", "malformed JSON"},
    {"\xef\xbb\xbf{\"success\":true,\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":\"\\u0000\",\"data\":{" YES "}}", "\\u0000 is not allowed"},
    {"{\"success\":true,\"more\":\"\xff\",\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":\"\xed\xa0\x80\",\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":\"\\ud800\",\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":\"a\nb\",\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":1e999,\"data\":{" YES "}}", "malformed JSON"},
    {"{\"success\":true,\"more\":99999999999999999999,\"data\":{" YES "}}", "malformed JSON"},
};

START_TEST(broken_envelope)
{
    for (int which = REPLY; which <= STATE; which++)
        refuses(which, broken_envelopes[_i].json, strlen(broken_envelopes[_i].json), OUTCALL_E_PROTOCOL,
                broken_envelopes[_i].text);
}
END_TEST

static const struct {
    enum decoder which;
    const char *json, *text;
} broken_answers[] = {
    {REPLY, DATA("{\"matched_rule\":null,\"reason\":null}"), "allowed: required field is missing"},
    {REPLY, DATA("{\"allowed\":1,\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got an integer"},
    {REPLY, DATA("{\"allowed\":1.0,\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got a number"},
    {REPLY, DATA("{\"allowed\":\"yes\",\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got a string"},
    {REPLY, DATA("{\"allowed\":\"true\",\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got a string"},
    {REPLY, DATA("{\"allowed\":[true],\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got an array"},
    {REPLY, DATA("{\"allowed\":{\"v\":true},\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got an object"},
    {REPLY, DATA("{\"allowed\":null,\"matched_rule\":null,\"reason\":null}"),
     "allowed: expected a boolean, got null"},
    {REPLY, DATA("{\"Allowed\":true,\"matched_rule\":null,\"reason\":null}"),
     "allowed: required field is missing"},
    {REPLY, DATA("{\"allowed\":false,\"allowed\":true,\"matched_rule\":null,\"reason\":null}"),
     "duplicate object key"},
    {REPLY, DATA("{\"allowed\":true,\"allowe\\u0064\":true,\"matched_rule\":null,\"reason\":null}"),
     "duplicate object key"},
    {REPLY, "{\"success\":true,\"allowed\":true,\"matched_rule\":null,\"reason\":null}",
     "data: required field is missing"},
    {REPLY, DATA("{\"data\":{" YES "}}"), "allowed: required field is missing"},
    {REPLY, DATA("{\"allowed\":true,\"reason\":null}"), "matched_rule: required field is missing"},
    {REPLY, DATA("{\"allowed\":true,\"matched_rule\":null}"), "reason: required field is missing"},
    {REPLY, DATA("{\"allowed\":true,\"matched_rule\":1,\"reason\":null}"),
     "matched_rule: expected a string or null"},
    {REPLY, DATA("{\"allowed\":true,\"matched_rule\":false,\"reason\":null}"),
     "matched_rule: expected a string or null"},
    {REPLY, DATA("{\"allowed\":true,\"matched_rule\":\"a\\nb\",\"reason\":null}"),
     "matched_rule: expected at most 128 bytes in one line"},
    {REPLY, DATA("{\"allowed\":true,\"matched_rule\":null,\"reason\":[]}"),
     "reason: expected a string or null"},
    {SESSION,
     DATA("{\"name\":\"n\",\"session_token\":\"" TOKEN "\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "container_id: required field is missing"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "name: required field is missing"},
    {SESSION, DATA("{\"container_id\":\"c\",\"name\":\"n\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "session_token: required field is missing"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"n\",\"session_token\":\"" TOKEN "\",\"heartbeat_secs\":5}"),
     "context_keys: required field is missing"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"n\",\"session_token\":\"" TOKEN "\",\"context_keys\":[]}"),
     "heartbeat_secs: required field is missing"},
    {SESSION,
     DATA("{\"container_id\":\"\",\"name\":\"n\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "container_id: expected 1 to 64 bytes, got 0"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "name: expected 1 to 127 bytes, got 0"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"a\\u001bb\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":[],\"heartbeat_secs\":5}"),
     "name: control characters"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"n\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":[1],\"heartbeat_secs\":5}"),
     "context_keys[0]: expected a string"},
    {SESSION,
     DATA("{\"container_id\":\"c\",\"name\":\"n\",\"session_token\":\"" TOKEN
          "\",\"context_keys\":{},\"heartbeat_secs\":5}"),
     "context_keys: expected an array"},
    {SESSION, DATA("{" SESSION_OF("null", "5") "}"), "session_token: expected a string, got null"},
    {SESSION, DATA("{" SESSION_OF("\"\"", "5") "}"), "session_token: expected 36 to 36 bytes, got 0"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "0\"", "5") "}"),
     "session_token: expected 36 to 36 bytes, got 37"},
    {SESSION, DATA("{" SESSION_OF("\"tok-0123456789abcdef0123456789abcde\"", "5") "}"),
     "session_token: expected 36 to 36 bytes, got 35"},
    {SESSION, DATA("{" SESSION_OF("\"tik-0123456789abcdef0123456789abcdef\"", "5") "}"),
     "session_token: expected \"tok-\""},
    {SESSION, DATA("{" SESSION_OF("\"tok-0123456789abcdef0123456789abcdeF\"", "5") "}"),
     "session_token: expected \"tok-\""},
    {SESSION, DATA("{" SESSION_OF("\"tok-0123456789abcdef0123456789abc\\r\\nA\"", "5") "}"),
     "session_token: control characters"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "\"", "0") "}"),
     "heartbeat_secs: expected an integer from 1 to 3600, got 0"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "\"", "3601") "}"),
     "heartbeat_secs: expected an integer from 1 to 3600, got 3601"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "\"", "-1") "}"),
     "heartbeat_secs: expected an integer from 1 to 3600, got -1"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "\"", "5.0") "}"),
     "heartbeat_secs: expected an integer, got a number"},
    {SESSION, DATA("{" SESSION_OF("\"" TOKEN "\"", "\"5\"") "}"),
     "heartbeat_secs: expected an integer, got a string"},
    {STATE, DATA("{\"status\":\"pending\",\"reason\":null}"), "id: required field is missing"},
    {STATE, DATA("{\"id\":\"rr-0123456789ab\",\"reason\":null}"), "status: required field is missing"},
    {STATE, DATA("{\"id\":\"rr-0123456789ab\",\"status\":\"pending\"}"), "reason: required field is missing"},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789a\"", "\"pending\"") "}"), "id: expected \"rr-\""},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789abc\"", "\"pending\"") "}"), "id: expected \"rr-\""},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789ag\"", "\"pending\"") "}"), "id: expected \"rr-\""},
    {STATE, DATA("{" STATE_OF("7", "\"pending\"") "}"), "id: expected a string, got an integer"},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789ab\"", "\"Approved\"") "}"),
     "status: expected pending, approved or rejected"},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789ab\"", "\"\"") "}"),
     "status: expected pending, approved or rejected"},
    {STATE, DATA("{" STATE_OF("\"rr-0123456789ab\"", "true") "}"),
     "status: expected a string, got a boolean"},
};

START_TEST(broken_answer)
{
    refuses(broken_answers[_i].which, broken_answers[_i].json, strlen(broken_answers[_i].json),
            OUTCALL_E_PROTOCOL, broken_answers[_i].text);
}
END_TEST

static const char *const whole[] = {
    [REPLY] = DATA("{" YES "}"),
    [SESSION] = DATA("{" SESSION_OF("\"" TOKEN "\"", "5") "}"),
    [STATE] = DATA("{" STATE_OF("\"rr-0123456789ab\"", "\"approved\"") "}"),
};

/* Each prefix of a good answer, and a good answer with one byte more behind it. */
START_TEST(cut_answers)
{
    char more[512];
    for (int which = REPLY; which <= STATE; which++) {
        size_t len = strlen(whole[which]);
        ck_assert_int_eq(decode(which, whole[which], len, NULL), 0);
        for (size_t cut = 0; cut < len; cut++)
            refuses(which, whole[which], cut, OUTCALL_E_PROTOCOL, "malformed JSON");
        memcpy(more, whole[which], len + 1);
        refuses(which, more, len + 1, OUTCALL_E_PROTOCOL, "NUL bytes are not allowed");
        more[len] = '\n';
        ck_assert_int_eq(decode(which, more, len + 1, NULL), 0); /* white space is JSON's own */
        more[len] = ',';
        refuses(which, more, len + 1, OUTCALL_E_PROTOCOL, "malformed JSON");
        more[len / 2] = '\0';
        refuses(which, more, len, OUTCALL_E_PROTOCOL, "NUL bytes are not allowed");
    }
}
END_TEST

/* A refusal has words and a kind; neither can do anything to a terminal. */
START_TEST(refusals)
{
    static const char said[] = "{\"success\":false,\"error\":\"no\\nroom\\u001b[2J\\u009b\\u2028here\","
                               "\"code\":\"not_ready\",\"more\":1}";
    static const char unknown[] = "{\"success\":false,\"error\":\"no\",\"code\":\"brand_new\",\"data\":null}";
    for (int which = REPLY; which <= STATE; which++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_int_eq(decode(which, said, strlen(said), &err), OUTCALL_E_DENIED);
        ck_assert_str_eq(err.text, "no room [2J     here");
        ck_assert_int_eq(err.kind, OUTCALL_KIND_NOT_READY);
        outcall_error_clear(&err);
        ck_assert_int_eq(decode(which, unknown, strlen(unknown), &err), OUTCALL_E_DENIED);
        ck_assert_str_eq(err.text, "no");
        ck_assert_int_eq(err.kind, OUTCALL_KIND_NONE);
    }
}
END_TEST

/* A newer daemon may say more. */
START_TEST(unknown_members)
{
    static const char more[] =
        "{\"v\":2,\"success\":true,\"error\":\"\",\"data\":{\"until\":[1,{\"a\":null}],"
        "\"reason\":\"\",\"matched_rule\":\"\",\"allowed\":true,\"\":0}}";
    outcall_reply reply;
    ck_assert_int_eq(outcall_reply_decode(more, strlen(more), &reply, NULL), 0);
    ck_assert_int_eq(reply.allowed, 1);
    ck_assert_str_eq(reply.rule_id, "");
    ck_assert_str_eq(reply.reason, "");
}
END_TEST

static void reason_becomes(const char *json_text, const char *expected)
{
    char json[4096];
    outcall_reply reply;
    (void)snprintf(json, sizeof(json), DATA("{\"allowed\":false,\"matched_rule\":null,\"reason\":\"%s\"}"),
                   json_text);
    ck_assert_msg(outcall_reply_decode(json, strlen(json), &reply, NULL) == 0, "%s", json);
    ck_assert_str_eq(reply.reason, expected);
}

START_TEST(reasons)
{
    char in[1200], out[1200];
    reason_becomes("two\\nlines\\r\\nor \\t more", "two lines  or   more");
    reason_becomes("\\u001b[31mred\\u0007\\u007f", " [31mred  ");
    reason_becomes("\\u0085\\u009bJ \\u00a0\\u00e9", "    J \xc2\xa0\xc3\xa9");
    reason_becomes("a\\u2028b\\u2029c\\u2027\\u202f", "a   b   c\xe2\x80\xa7\xe2\x80\xaf");
    memset(in, 'x', sizeof(in));
    in[1024] = '\0';
    reason_becomes(in, in);
    in[1024] = 'x';
    in[1025] = '\0';
    memcpy(out, in, sizeof(out));
    memcpy(out + 1021, "...", 4);
    reason_becomes(in, out);
    memcpy(in + 1020, "\xc3\xa9\xc3\xa9\xc3\xa9", 7); /* no half a character stays */
    memcpy(out + 1020, "...", 4);
    reason_becomes(in, out);
}
END_TEST

START_TEST(rule_id_length)
{
    char json[400], id[130];
    outcall_reply reply;
    memset(id, 'r', sizeof(id));
    for (size_t len = 128; len <= 129; len++) {
        id[len] = '\0';
        (void)snprintf(json, sizeof(json), DATA("{\"allowed\":true,\"matched_rule\":\"%s\",\"reason\":null}"),
                       id);
        if (len == 129)
            refuses(REPLY, json, strlen(json), OUTCALL_E_PROTOCOL, "matched_rule: expected at most 128");
        else
            ck_assert_int_eq(outcall_reply_decode(json, strlen(json), &reply, NULL), 0);
        id[len] = 'r';
    }
    ck_assert_uint_eq(strlen(reply.rule_id), 128);
}
END_TEST

/* A body of exactly the limit, and one byte more; the filling is white space or an unknown member. */
START_TEST(answer_size)
{
    OC_FREE char *json = malloc(OUTCALL_AGENT_BODY_MAX + 2);
    for (int which = REPLY; which <= STATE; which++) {
        size_t len = strlen(whole[which]);
        memset(json, ' ', OUTCALL_AGENT_BODY_MAX + 2);
        memcpy(json, whole[which], len);
        ck_assert_int_eq(decode(which, json, OUTCALL_AGENT_BODY_MAX, NULL), 0);
        refuses(which, json, OUTCALL_AGENT_BODY_MAX + 1, OUTCALL_E_PROTOCOL,
                "body: expected at most 65536 bytes");
    }
}
END_TEST

START_TEST(answer_depth)
{
    for (int depth = 32; depth <= 33; depth++) {
        char json[400], open[40] = "", close[40] = "";
        memset(open, '[', (size_t)depth - 1);
        memset(close, ']', (size_t)depth - 1);
        (void)snprintf(json, sizeof(json), "{\"success\":true,\"more\":%s%s,\"data\":{" YES "}}", open,
                       close);
        if (depth == 32)
            ck_assert_int_eq(decode(REPLY, json, strlen(json), NULL), 0);
        else
            refuses(REPLY, json, strlen(json), OUTCALL_E_PROTOCOL, "nested deeper than 32 levels");
    }
}
END_TEST

/* ---- answers, written and read ---- */

START_TEST(reply_round_trip)
{
    static const outcall_reply replies[] = {{0, "", ""},
                                            {1, "r", ""},
                                            {0, "rule.A-1_b", "not \"here\" \\ \xc3\xa9 </script>"},
                                            {0, "", "no rule"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(replies); i++) {
        OC_FREE char *json = NULL;
        size_t len = 0;
        outcall_reply back;
        ck_assert_int_eq(outcall_reply_encode(&replies[i], &json, &len, NULL), 0);
        ck_assert_uint_eq(strlen(json), len);
        ck_assert_int_eq(outcall_reply_decode(json, len, &back, NULL), 0);
        ck_assert_int_eq(back.allowed, replies[i].allowed);
        ck_assert_str_eq(back.rule_id, replies[i].rule_id);
        ck_assert_str_eq(back.reason, replies[i].reason);
    }
}
END_TEST

static void encodes_reply(const outcall_reply *reply, const char *expected)
{
    OC_FREE char *json = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_reply_encode(reply, &json, &len, NULL), 0);
    ck_assert_str_eq(json, expected);
}

START_TEST(reply_on_the_wire)
{
    outcall_reply reply = {.allowed = 0};
    encodes_reply(&reply, DATA("{\"allowed\":false,\"matched_rule\":null,\"reason\":null}"));
    reply = (outcall_reply){1, "r", "a\nb\x1b\xc2\x9b"};
    encodes_reply(&reply, DATA("{\"allowed\":true,\"matched_rule\":\"r\",\"reason\":\"a b   \"}"));
    reply.allowed = 2; /* nobody said yes */
    encodes_reply(&reply, DATA("{\"allowed\":false,\"matched_rule\":\"r\",\"reason\":\"a b   \"}"));
}
END_TEST

START_TEST(unsendable_replies)
{
    outcall_reply reply = {1, "r", ""};
    char *json = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_reply_encode(NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_reply_encode(&reply, NULL, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, NULL, NULL), OUTCALL_E_INVALID);
    memset(reply.rule_id, 'r', sizeof(reply.rule_id)); /* no NUL */
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, &len, NULL), OUTCALL_E_INVALID);
    reply = (outcall_reply){1, "a\nb", ""};
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, &len, NULL), OUTCALL_E_INVALID);
    reply = (outcall_reply){1, "\xff", ""};
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, &len, NULL), OUTCALL_E_INVALID);
    reply = (outcall_reply){1, "r", "\xc3"};
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, &len, NULL), OUTCALL_E_INVALID);
    memset(reply.reason, 'r', sizeof(reply.reason));
    ck_assert_int_eq(outcall_reply_encode(&reply, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(json);
    ck_assert_int_eq(outcall_reply_decode(NULL, 0, &reply, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(reply.reason[0], '\0');
    ck_assert_int_eq(outcall_reply_decode("{}", 2, NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

static outcall_session good_session(void)
{
    return (outcall_session){"c0ffee", "outcall-agent-a", TOKEN, 5};
}

START_TEST(session_round_trip)
{
    outcall_session session = good_session(), back;
    OC_FREE char *json = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_session_encode(&session, &json, &len, NULL), 0);
    ck_assert_str_eq(json, DATA("{\"container_id\":\"c0ffee\",\"name\":\"outcall-agent-a\",\"session_token\":"
                                "\"" TOKEN "\",\"context_keys\":[\"agent\",\"http\",\"network\",\"run\"],"
                                "\"heartbeat_secs\":5}"));
    ck_assert_int_eq(outcall_session_decode(json, len, &back, NULL), 0);
    ck_assert_str_eq(back.container_id, session.container_id);
    ck_assert_str_eq(back.name, session.name);
    ck_assert_str_eq(back.token, session.token);
    ck_assert_uint_eq(back.heartbeat_s, 5);
}
END_TEST

static void session_refused(const outcall_session *s)
{
    char *json = NULL;
    size_t len = 0;
    ck_assert_int_eq(outcall_session_encode(s, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(json);
}

/* Each member at its limit, and beyond. */
START_TEST(session_limits)
{
    outcall_session s = good_session(), back;
    OC_FREE char *json = NULL;
    size_t len = 0;
    memset(s.container_id, 'c', sizeof(s.container_id) - 1);
    memset(s.name, 'n', sizeof(s.name) - 1);
    s.heartbeat_s = 3600;
    ck_assert_int_eq(outcall_session_encode(&s, &json, &len, NULL), 0);
    ck_assert_int_eq(outcall_session_decode(json, len, &back, NULL), 0);
    ck_assert_str_eq(back.container_id, s.container_id);
    ck_assert_str_eq(back.name, s.name);
    s.container_id[sizeof(s.container_id) - 1] = 'c';
    session_refused(&s);
    s = good_session();
    memset(s.name, 'n', sizeof(s.name));
    session_refused(&s);
    s = good_session();
    memset(s.token, 'a', sizeof(s.token));
    session_refused(&s);
    static const struct {
        unsigned heartbeat_s;
        const char *id, *name, *token;
    } cases[] = {{0, "c", "n", TOKEN},   {3601, "c", "n", TOKEN}, {5, "", "n", TOKEN},
                 {5, "c", "", TOKEN},    {5, "c", "n", ""},       {5, "c", "n", "tok-"},
                 {5, "c\n", "n", TOKEN}, {5, "c", "\xff", TOKEN}, {5, "c", "n", TOKEN "0"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        s = (outcall_session){.heartbeat_s = cases[i].heartbeat_s};
        (void)oc_copy(s.container_id, sizeof(s.container_id), cases[i].id, strlen(cases[i].id));
        (void)oc_copy(s.name, sizeof(s.name), cases[i].name, strlen(cases[i].name));
        (void)oc_copy(s.token, sizeof(s.token), cases[i].token, strlen(cases[i].token));
        session_refused(&s);
    }
    ck_assert_int_eq(outcall_session_encode(NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_session_decode("{}", 2, NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

START_TEST(state_round_trip)
{
    static const outcall_rule_request_state states[] = {{"rr-0123456789ab", "pending", ""},
                                                        {"rr-ffffffffffff", "approved", ""},
                                                        {"rr-000000000000", "rejected", "too wide: \"*\""}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(states); i++) {
        OC_FREE char *json = NULL;
        size_t len = 0;
        outcall_rule_request_state back;
        ck_assert_int_eq(outcall_rule_request_state_encode(&states[i], &json, &len, NULL), 0);
        ck_assert_int_eq(outcall_rule_request_state_decode(json, len, &back, NULL), 0);
        ck_assert_str_eq(back.id, states[i].id);
        ck_assert_str_eq(back.status, states[i].status);
        ck_assert_str_eq(back.reason, states[i].reason);
    }
}
END_TEST

START_TEST(unsendable_states)
{
    static const outcall_rule_request_state states[] = {
        {"rr-0123456789a", "pending", ""},  {"", "pending", ""},
        {"rr-0123456789AB", "pending", ""}, {"rr-0123456789ab", "", ""},
        {"rr-0123456789ab", "expired", ""}, {"rr-0123456789ab", "pending", "\xff"}};
    outcall_rule_request_state unended = {"rr-0123456789ab", "pending", ""};
    char *json = NULL;
    size_t len = 0;
    for (size_t i = 0; i < OC_ARRAY_SIZE(states); i++)
        ck_assert_int_eq(outcall_rule_request_state_encode(&states[i], &json, &len, NULL), OUTCALL_E_INVALID);
    memset(unended.id, 'a', sizeof(unended.id));
    ck_assert_int_eq(outcall_rule_request_state_encode(&unended, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_state_encode(NULL, &json, &len, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_rule_request_state_decode("{}", 2, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(json);
}
END_TEST

static int try_answers(void *userdata)
{
    static const outcall_reply reply = {1, "r", "b"};
    static const outcall_rule_request_state state = {"rr-0123456789ab", "pending", ""};
    outcall_session session = good_session();
    outcall_reply reply_back = {1, "x", "x"};
    outcall_rule_request_state state_back;
    OC_FREE char *a = NULL;
    OC_FREE char *b = NULL;
    OC_FREE char *c = NULL;
    size_t len = 0;
    (void)userdata;
    int r = outcall_reply_encode(&reply, &a, &len, NULL);
    if (r == 0)
        r = outcall_reply_decode(a, len, &reply_back, NULL);
    if (a && reply_back.allowed != (r == 0))
        return -1000;
    if (r == 0)
        r = outcall_session_encode(&session, &b, &len, NULL);
    if (r == 0)
        r = outcall_session_decode(b, len, &session, NULL);
    if (r == 0)
        r = outcall_rule_request_state_encode(&state, &c, &len, NULL);
    if (r == 0)
        r = outcall_rule_request_state_decode(c, len, &state_back, NULL);
    return r;
}

START_TEST(out_of_memory)
{
    ck_assert_int_gt(failmalloc_loop(try_answers, NULL), 20);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {cut_answers,       refusals,           unknown_members,    reasons,
                                rule_id_length,    answer_size,        answer_depth,       reply_round_trip,
                                reply_on_the_wire, unsendable_replies, session_round_trip, session_limits,
                                state_round_trip,  unsendable_states,  out_of_memory};
    const struct unit_loop loops[] = {{broken_envelope, OC_ARRAY_SIZE(broken_envelopes)},
                                      {broken_answer, OC_ARRAY_SIZE(broken_answers)}};
    return unit_run("protocol", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
