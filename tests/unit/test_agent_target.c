/* lib/agent_server, parts: where a call goes, sessions; lib/base: the sliding window. */
#include "agent_server/session.h"
#include "agent_server/target.h"
#include "base/rate.h"
#include "base/str.h"
#include "unit.h"

struct row {
    const char *target, *expected; /* "host|ip|port|protocol|path", or what is wrong */
};

static const struct row targets[] = {
    {"https://api.example.com/v1/x?y#z", "api.example.com||443|https|/v1/x"},
    {"HTTPS://API.Example.COM.", "api.example.com||443|https|/"},
    {"http://a:8080/", "a||8080|http|/"},
    {"http://a?b", "a||80|http|/"},
    {"ssh://git.example.com/x.git", "git.example.com||22|ssh|/x.git"},
    {"foo://a/b", "a||0|foo|/b"},
    {"https://[::1]:8443/a", "::1|::1|8443|https|/a"},
    {"https://[2001:DB8::0:1]/", "2001:db8::1|2001:db8::1|443|https|/"},
    {"https://10.0.0.1/", "10.0.0.1|10.0.0.1|443|https|/"},
    {"example.com:443", "example.com||443|tcp|"},
    {"example.com", "example.com||0|tcp|"},
    {"a_b.example.com:1", "a_b.example.com||1|tcp|"},
    {"10.0.0.1", "10.0.0.1|10.0.0.1|0|tcp|"},
    {"10.0.0.1:53", "10.0.0.1|10.0.0.1|53|tcp|"},
    {"::1", "::1|::1|0|tcp|"},
    {"[::1]:53", "::1|::1|53|tcp|"},
    {"https://a/..b/.c/d.", "a||443|https|/..b/.c/d."},
    {"", "expected a host name of 1 to 255 bytes"},
    {"https://", "expected a host name of 1 to 255 bytes"},
    {"https:///x", "expected a host name of 1 to 255 bytes"},
    {".", "expected a host name of 1 to 255 bytes"},
    {"://a", "expected a scheme such as https before \"://\""},
    {"h_t://a", "expected a scheme such as https before \"://\""},
    {"averyveryverylongscheme://a", "expected a scheme such as https before \"://\""},
    {"https://user@a/", "expected no user name or password"},
    {"https://github.com@evil.example/", "expected no user name or password"},
    {"https://a b/", "expected no space, control character or backslash"},
    {"https://a\\@b/", "expected no space, control character or backslash"},
    {"https://a\n/", "expected no space, control character or backslash"},
    {"https://a..b/", "expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {"https://-a/", "expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {"https://.a/", "expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {"https://\xc3\xa4/", "expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {"https://a%2eb/", "expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {"https://2130706433/", "expected a host name or a dotted IPv4 address, not a number"},
    {"https://127.1/", "expected a host name or a dotted IPv4 address, not a number"},
    {"https://0x7f.0.0.1/", "expected a host name or a dotted IPv4 address, not a number"},
    {"https://a.0x7f/", "expected a host name or a dotted IPv4 address, not a number"},
    {"https://10.0.0.256/", "expected a host name or a dotted IPv4 address, not a number"},
    {"a:", "expected a port from 1 to 65535 after \":\""},
    {"a:0", "expected a port from 1 to 65535 after \":\""},
    {"a:65536", "expected a port from 1 to 65535 after \":\""},
    {"a:+1", "expected a port from 1 to 65535 after \":\""},
    {"https://[::1", "expected \"]\" after the IPv6 address"},
    {"https://[::1]x", "expected \":\" and a port after \"]\""},
    {"https://[a]/", "expected an IPv6 address between the brackets"},
    {"https://[10.0.0.1]/", "expected an IPv6 address between the brackets"},
    {"https://a/b/../c", "expected no \".\" or \"..\" in the path"},
    {"https://a/b/.", "expected no \".\" or \"..\" in the path"},
    {"https://a/%2e%2E/c", "expected no \".\" or \"..\" in the path"},
    {"https://a/.%2e/c", "expected no \".\" or \"..\" in the path"},
    {"https://a/b%2Fc", "expected no escaped slash, backslash or NUL in the path"},
    {"https://a/b%5cc", "expected no escaped slash, backslash or NUL in the path"},
    {"https://a/b%00", "expected no escaped slash, backslash or NUL in the path"},
};

START_TEST(a_target_is_read_one_way)
{
    struct oc_target t;
    const char *why = "";
    char got[512];
    const struct row *row = &targets[_i];
    if (oc_target_parse(row->target, &t, &why) == 0)
        (void)oc_format(got, sizeof(got), "%s|%s|%u|%s|%.*s", t.hostname, t.ip, t.port, t.protocol,
                        t.is_url ? (int)t.path_len : 0, t.is_url ? t.path : "");
    else
        (void)oc_format(got, sizeof(got), "%s", why);
    ck_assert_msg(strcmp(got, row->expected) == 0, "%s: %s", row->target, got);
}
END_TEST

START_TEST(a_host_name_has_255_bytes)
{
    struct oc_target t;
    const char *why = NULL;
    char name[300];
    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    ck_assert_int_eq(oc_target_parse(name, &t, &why), 0);
    name[255] = 'a';
    name[256] = '\0';
    ck_assert_int_eq(oc_target_parse(name, &t, &why), OUTCALL_E_SYNTAX);
}
END_TEST

START_TEST(a_path_is_plain)
{
    const char *why = NULL;
    static const char *const good[] = {"/", "/a", "/a/b.c", "/..a/b..", "/a b"};
    static const char *const bad[] = {"", "a", "./a", "/a/../b", "/a/.", "//a", "/a//b", "/a/", "/.."};
    for (size_t i = 0; i < OC_ARRAY_SIZE(good); i++)
        ck_assert_msg(oc_target_check_path(good[i], &why) == 0, "%s", good[i]);
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        ck_assert_msg(oc_target_check_path(bad[i], &why) == OUTCALL_E_SYNTAX, "%s", bad[i]);
}
END_TEST

START_TEST(sessions_are_the_ones_given)
{
    struct oc_sessions s = {NULL, 0, 0};
    char first[OC_TOKEN_SIZE], token[OC_TOKEN_SIZE];
    ck_assert_int_eq(oc_session_new(&s, 1, first), 0);
    ck_assert(oc_session_check(&s, first, 2));
    static const char *const wrong[] = {"", "tok-", "tok-0", "tok-00000000000000000000000000000000",
                                        "TOK-00000000000000000000000000000000"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(wrong); i++)
        ck_assert(!oc_session_check(&s, wrong[i], 2));
    for (size_t i = 4; i + 1 < OC_TOKEN_SIZE; i++) { /* one digit changed, wherever */
        memcpy(token, first, sizeof(token));
        token[i] = token[i] == '0' ? '1' : '0';
        ck_assert(!oc_session_check(&s, token, 2));
    }
    char last[OC_TOKEN_SIZE] = "";
    for (int i = 0; i < OC_SESSIONS_MAX; i++) { /* full; the first is kept alive until the last one comes */
        ck_assert_int_eq(oc_session_new(&s, 10 + (uint64_t)i, i == 0 ? last : token), 0);
        ck_assert(oc_session_check(&s, first, 10 + (uint64_t)i));
    }
    ck_assert(!oc_session_check(&s, last, 5000)); /* the one that was silent longest */
    ck_assert(oc_session_check(&s, first, 5000));
    oc_sessions_done(&s);
    ck_assert(!oc_session_check(&s, first, 5000));
}
END_TEST

START_TEST(a_window_slides)
{
    struct oc_rate r = {.limit = 10, .window_ms = 1000};
    uint64_t wait = 0, now = 5000000;
    for (int i = 0; i < 10; i++)
        ck_assert(oc_rate_take(&r, now, &wait));
    ck_assert(!oc_rate_take(&r, now, &wait));
    ck_assert_uint_ge(wait, 1000); /* no burst of two windows' worth at the edge */
    ck_assert(!oc_rate_take(&r, now + 999, &wait));
    int n = 0;
    for (uint64_t t = now + 1000; t < now + 2000; t++)
        n += oc_rate_take(&r, t, &wait);
    ck_assert_int_ge(n, 9);
    ck_assert_int_le(n, 11);
    ck_assert(oc_rate_take(&r, now + 100000, &wait)); /* forgotten */
    /* What it says to wait is enough, and not much more, at any filling. */
    for (uint32_t limit = 1; limit < 20; limit++) {
        struct oc_rate one = {.limit = limit, .window_ms = 1000};
        uint64_t t = now;
        for (int k = 0; k < 100; k++) {
            uint64_t ignored = 0;
            wait = 0;
            if (oc_rate_take(&one, t, &wait))
                continue;
            ck_assert_uint_ge(wait, 1);
            ck_assert_uint_le(wait, 2000);
            ck_assert(!oc_rate_take(&one, t + wait - 1, &ignored));
            t += wait;
            ck_assert_msg(oc_rate_take(&one, t, &wait), "limit %u", limit);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_host_name_has_255_bytes, a_path_is_plain, sessions_are_the_ones_given,
                                  a_window_slides};
    const struct unit_loop loops[] = {{a_target_is_read_one_way, OC_ARRAY_SIZE(targets)}};
    return unit_run("agent_target", tests, OC_ARRAY_SIZE(tests), loops, OC_ARRAY_SIZE(loops));
}
