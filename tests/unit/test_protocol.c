/* The bodies of the agent API: what is written can be read again, what is malformed is refused with the
 * member's name, and no failure leaves anything but a blocked result. */
#include "base/buf.h"
#include "base/str.h"
#include "outcall/protocol.h"
#include "support/failmalloc.h"
#include "unit.h"

#define TOKEN "tok-0123456789abcdef0123456789abcdef"

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
    for (size_t i = 0; i < c->args_n; i++)
        r |= oc_buf_printf(&b, "%s\"%s\"", i ? "," : "", c->args[i]);
    r |= oc_buf_str(&b, "]");
    if (c->cwd)
        r |= oc_buf_printf(&b, ",\"cwd\":\"%s\"", c->cwd);
    for (size_t i = 0; i < c->metadata_n; i++)
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

/* ---- memory ---- */

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
    ck_assert_int_gt(failmalloc_loop(try_questions, NULL), 20);
    ck_assert_int_gt(failmalloc_loop(try_answers, NULL), 20);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {action_types,
                                cut_answers,
                                refusals,
                                unknown_members,
                                reasons,
                                rule_id_length,
                                answer_size,
                                answer_depth,
                                reply_round_trip,
                                reply_on_the_wire,
                                unsendable_replies,
                                session_round_trip,
                                session_limits,
                                state_round_trip,
                                unsendable_states,
                                check_round_trip,
                                check_on_the_wire,
                                check_arguments,
                                cut_questions,
                                shortest_question,
                                check_limits,
                                check_body_limit,
                                checkin_round_trip,
                                unsendable_checkins,
                                broken_checkins,
                                rule_request_round_trip,
                                rule_request_limit,
                                broken_rule_requests,
                                out_of_memory};
    const struct unit_loop loops[] = {{broken_envelope, OC_ARRAY_SIZE(broken_envelopes)},
                                      {broken_answer, OC_ARRAY_SIZE(broken_answers)},
                                      {unsendable_checks, OC_ARRAY_SIZE(unsendable)},
                                      {broken_question, OC_ARRAY_SIZE(broken_questions)}};
    return unit_run("protocol", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
