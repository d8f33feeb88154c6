/* The client against answers written by hand, over socketpairs. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/client.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BOUND_MS 10000U

static struct oc_http_request get(void)
{
    return (struct oc_http_request){
        .method = "GET", .target = "/x", .deadline_ms = oc_deadline(BOUND_MS), .body_max = 100};
}

/* A client whose peer has said `answer` already; hung up after it or not. */
static oc_http *with_answer(const char *answer, size_t len, bool hangup, int *ret_peer)
{
    int sv[2];
    oc_http *h = NULL;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    ck_assert_int_eq(oc_write_all(sv[1], answer, len), 0);
    if (hangup)
        ck_assert_int_eq(shutdown(sv[1], SHUT_WR), 0);
    ck_assert_int_eq(oc_http_from_fd(&h, sv[0], NULL), 0);
    *ret_peer = sv[1];
    return h;
}

static int ask(const char *answer, size_t len, const struct oc_http_request *req,
               struct oc_http_response *ret)
{
    OC_CLOSE int peer = -1;
    oc_http *h = with_answer(answer, len, true, &peer);
    int r = oc_http_exchange(h, req, ret, NULL);
    (void)oc_http_free(h);
    return r;
}

static void good(const char *answer, int status, const char *body, bool keep_alive)
{
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    ck_assert_msg(ask(answer, strlen(answer), &req, &res) == 0, "%s", answer);
    ck_assert_int_eq(res.status, status);
    ck_assert_str_eq(res.body, body);
    ck_assert_uint_eq(res.len, strlen(body));
    ck_assert_msg(res.keep_alive == keep_alive, "%s", answer);
    oc_http_response_done(&res);
}

static void bad_n(const char *answer, size_t len, int code)
{
    struct oc_http_request req = get();
    struct oc_http_response res = {.status = 1};
    int r = ask(answer, len, &req, &res);
    ck_assert_msg(r == code, "%.200s: %d", answer, r);
    ck_assert_int_eq(res.status, 1);
    ck_assert_ptr_null(res.body);
}

static void bad(const char *answer, int code)
{
    bad_n(answer, strlen(answer), code);
}

#define OK "HTTP/1.1 200 OK\r\n"

START_TEST(well_formed)
{
    good(OK "Content-Length: 5\r\n\r\nhello", 200, "hello", true);
    good(OK "content-length:5\t \r\nX-A: b\r\n\r\nhello", 200, "hello", true);
    good(OK "Content-Length: 0\r\n\r\n", 200, "", true);
    good(OK "Connection: x, Close\r\nContent-Length: 1\r\n\r\na", 200, "a", false);
    good("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", false);
    good("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", 200, "a", true);
    good("HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", 404, "no", true);
    good("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
    good("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "", true);
    good("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, "", true);
    good("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", 200, "a", true);
    good(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0A\r\n0123456789\r\n0\r\n\r\n", 200,
         "hello0123456789", true);
    good(OK "Transfer-Encoding: Chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, "", true);
}
END_TEST

START_TEST(malformed)
{
    static const char *const answers[] = {
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "<html>an answer of HTTP/0.9</html>\r\n",
        "{\"allowed\":true}", /* and not even a line */
        "x",
        "HTTP/2",
        "\r\n" OK "Content-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        OK "Content-Length: 1, 1\r\n\r\na",
        OK "Content-Length: -1\r\n\r\na",
        OK "Content-Length: +1\r\n\r\na",
        OK "Content-Length: 0x1\r\n\r\na",
        OK "Content-Length: \r\n\r\na",
        OK "Content-Length: 9223372036854775808\r\n\r\na",
        OK "Content-Length: 99999999999999999999999\r\n\r\na",
        OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK "X-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
        OK "X-A : b\r\nContent-Length: 0\r\n\r\n",
        OK "no colon\r\nContent-Length: 0\r\n\r\n",
        OK ": no name\r\nContent-Length: 0\r\n\r\n",
        OK "X-A: a\rb\r\nContent-Length: 0\r\n\r\n",
        OK "X-A: a\x01"
           "b\r\nContent-Length: 0\r\n\r\n",
        OK "X-A: b\r\n\r\nuntil the end",
        "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\na" OK "Content-Length: 0\r\n\r\n",
        OK "Content-Length: 1\r\n\r\nabc",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n8000000000000000\r\nhello\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n00000000000000001\r\na\r\n0\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n0\r\nbroken trailer\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(answers); i++)
        bad(answers[i], OUTCALL_E_PROTOCOL);
    static const char nul[] = OK "X-A: a\0b\r\nContent-Length: 0\r\n\r\n";
    bad_n(nul, sizeof(nul) - 1, OUTCALL_E_PROTOCOL);
}
END_TEST

START_TEST(cut_off)
{
    static const char whole[] = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        bad_n(whole, n, OUTCALL_E_CLOSED);
    bad(OK "Content-Length: 5\r\n\r\nhell", OUTCALL_E_CLOSED);
}
END_TEST

/* n copies of a line between two texts. */
static char *flood(const char *before, const char *line, size_t n, const char *after, size_t *ret_len)
{
    struct oc_buf b = OC_BUF_INIT;
    ck_assert_int_eq(oc_buf_str(&b, before), 0);
    while (n-- > 0)
        ck_assert_int_eq(oc_buf_str(&b, line), 0);
    ck_assert_int_eq(oc_buf_str(&b, after), 0);
    return oc_buf_take(&b, ret_len);
}

static void bad_flood(const char *before, const char *line, size_t n, const char *after, int code)
{
    size_t len = 0;
    OC_FREE char *answer = flood(before, line, n, after, &len);
    bad_n(answer, len, code);
}

START_TEST(limits)
{
    size_t len = 0;
    OC_FREE char *most = flood(OK, "X-Filler: 12\r\n", 1100, "Content-Length: 1\r\n\r\na", &len);
    good(most, 200, "a", true);
    bad_flood(OK, "X-Filler: 12\r\n", 1200, "Content-Length: 1\r\n\r\na", OUTCALL_E_PROTOCOL);
    bad_flood(OK "X-A: ", "aaaaaaaaaaaaaaaa", 1200, "\r\nContent-Length: 1\r\n\r\na", OUTCALL_E_PROTOCOL);
    bad_flood("", "HTTP/1.1 100 Continue\r\n\r\n", OC_HTTP_INTERIM_MAX + 1, OK "Content-Length: 0\r\n\r\n",
              OUTCALL_E_PROTOCOL);
    OC_FREE char *interim =
        flood("", "HTTP/1.1 100 Continue\r\n\r\n", OC_HTTP_INTERIM_MAX, OK "Content-Length: 0\r\n\r\n", &len);
    good(interim, 200, "", true);
    bad_flood(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Filler: 12\r\n", 1200, "\r\n",
              OUTCALL_E_PROTOCOL);
    bad(OK "Content-Length: 101\r\n\r\n", OUTCALL_E_LIMIT);
    bad_flood(OK "Transfer-Encoding: chunked\r\n\r\n", "a\r\n0123456789\r\n", 11, "0\r\n\r\n",
              OUTCALL_E_LIMIT);
    OC_FREE char *full =
        flood(OK "Transfer-Encoding: chunked\r\n\r\n", "a\r\n0123456789\r\n", 10, "0\r\n\r\n", &len);
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    ck_assert_int_eq(ask(full, len, &req, &res), 0);
    ck_assert_uint_eq(res.len, 100);
    oc_http_response_done(&res);
    req.body_max = 0;
    static const char one[] = OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    ck_assert_int_eq(ask(one, sizeof(one) - 1, &req, &res), OUTCALL_E_LIMIT);
}
END_TEST

static int collect(void *userdata, const char *data, size_t len)
{
    return oc_buf_add(userdata, data, len);
}

static int seven(void *userdata, const char *data, size_t len)
{
    (void)userdata;
    (void)data;
    (void)len;
    return 7;
}

static int ask_stream(const char *answer, struct oc_buf *b, struct oc_http_response *ret)
{
    struct oc_http_request req = get();
    req.on_data = collect;
    req.userdata = b;
    return ask(answer, strlen(answer), &req, ret);
}

START_TEST(streamed)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    struct oc_http_response res = {0};
    ck_assert_int_eq(ask_stream(OK "\r\nuntil the end", &b, &res), 0);
    ck_assert_str_eq(b.data, "until the end");
    ck_assert_ptr_null(res.body);
    ck_assert(!res.keep_alive);
    oc_buf_clear(&b);
    ck_assert_int_eq(
        ask_stream(OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", &b, &res), 0);
    ck_assert_str_eq(b.data, "ab");
    ck_assert(res.keep_alive);
    ck_assert_int_eq(ask_stream(OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", &b, &res),
                     OUTCALL_E_CLOSED);
    oc_buf_clear(&b);
    ck_assert_int_eq(ask_stream("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", &b, &res), 0);
    ck_assert_str_eq(res.body, "no");
    ck_assert_uint_eq(b.len, 0);
    oc_http_response_done(&res);

    struct oc_http_request req = get();
    req.on_data = seven;
    static const char hello[] = OK "Content-Length: 5\r\n\r\nhello";
    ck_assert_int_eq(ask(hello, sizeof(hello) - 1, &req, &res), 7);
}
END_TEST

/* What one read did not bring counts too: the answer fills the reader's buffer to its last byte. */
START_TEST(more_than_one_read)
{
    static const char head[] = OK "Content-Length: %zu\r\n\r\n";
    size_t body = OC_HTTP_HEAD_MAX - (sizeof(head) - 1 + 2), len = 0;
    OC_FREE char *first = oc_asprintf(head, body);
    OC_FREE char *whole = flood(first, "x", body, "HTTP/1.1 ", &len);
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    req.body_max = OC_HTTP_HEAD_MAX;
    ck_assert_uint_eq(strlen(first) + body, OC_HTTP_HEAD_MAX);
    ck_assert_int_eq(ask(whole, len - strlen("HTTP/1.1 "), &req, &res), 0);
    oc_http_response_done(&res);
    ck_assert_int_eq(ask(whole, len, &req, &res), OUTCALL_E_PROTOCOL);
}
END_TEST

START_TEST(retry_after)
{
    static const struct {
        const char *header;
        uint32_t seconds;
    } cases[] = {
        {"Retry-After: 17\r\n", 17}, {"Retry-After: soon\r\n", 0}, {"Retry-After: -1\r\n", 0}, {"", 0}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        struct oc_http_request req = get();
        struct oc_http_response res = {0};
        OC_FREE char *answer =
            oc_asprintf("HTTP/1.1 429 Slow\r\n%sContent-Length: 0\r\n\r\n", cases[i].header);
        ck_assert_int_eq(ask(answer, strlen(answer), &req, &res), 0);
        ck_assert_uint_eq(res.retry_after_s, cases[i].seconds);
        oc_http_response_done(&res);
    }
}
END_TEST

static void sent(const struct oc_http_request *req, const char *expected)
{
    static const char answer[] = OK "Content-Length: 0\r\n\r\n";
    struct oc_http_response res = {0};
    OC_CLOSE int peer = -1;
    char buf[512] = "";
    oc_http *h = with_answer(answer, sizeof(answer) - 1, false, &peer);
    ck_assert_int_eq(oc_http_exchange(h, req, &res, NULL), 0);
    oc_http_response_done(&res);
    ck_assert_int_gt(read(peer, buf, sizeof(buf) - 1), 0);
    ck_assert_str_eq(buf, expected);
    (void)oc_http_free(h);
}

START_TEST(requests)
{
    struct oc_http_request req = get();
    sent(&req, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    req.authorization = "Bearer t";
    sent(&req, "GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n");
    req = get();
    req.method = "POST";
    sent(&req, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    req.body = "{}";
    req.body_len = 2;
    sent(&req, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
               "2\r\n\r\n{}");
}
END_TEST

START_TEST(unsendable_requests)
{
    static const struct {
        const char *method, *target, *authorization;
    } cases[] = {{"GET", "/a b", NULL}, {"GET", "/a\r\nX: y", NULL}, {"GET", "a", NULL},
                 {"GET", "", NULL},     {"GET", "/\xc3\xa4", NULL},  {"G T", "/", NULL},
                 {"", "/", NULL},       {"HEAD", "/", NULL},         {"GET", "/", "a\r\nb"},
                 {"GET", "/\x7f", NULL}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        struct oc_http_request req = get();
        struct oc_http_response res = {0};
        req.method = cases[i].method;
        req.target = cases[i].target;
        req.authorization = cases[i].authorization;
        ck_assert_int_eq(ask("", 0, &req, &res), OUTCALL_E_INVALID);
    }
}
END_TEST

/* A connection takes a second request only when nothing is left of the first. */
START_TEST(reuse)
{
    static const char answer[] = OK "Content-Length: 1\r\n\r\na";
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    OC_CLOSE int peer = -1;
    oc_http *h = with_answer(answer, sizeof(answer) - 1, false, &peer);
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), 0);
    oc_http_response_done(&res);
    ck_assert_int_eq(oc_write_all(peer, answer, sizeof(answer) - 1), 0);
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL),
                     OUTCALL_E_PROTOCOL);                                      /* said before it was asked */
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), OUTCALL_E_CLOSED); /* dead after a failure */
    (void)oc_http_free(h);
}
END_TEST

static void timed_out(const char *answer, uint64_t head_ms, uint64_t all_ms)
{
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    OC_CLOSE int peer = -1;
    req.head_deadline_ms = head_ms ? oc_deadline(head_ms) : 0;
    req.deadline_ms = oc_deadline(all_ms);
    oc_http *h = with_answer(answer, strlen(answer), false, &peer);
    uint64_t before = oc_now_ms();
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), OUTCALL_E_TIMEOUT);
    ck_assert_uint_lt(oc_now_ms() - before, 5000);
    (void)oc_http_free(h);
}

START_TEST(deadlines)
{
    timed_out("", 0, 30);
    timed_out("HTTP/1.1 2", 0, 30);
    timed_out("HTTP/1.1 2", 30, OC_NEVER);
    timed_out(OK "Content-Length: 5\r\n\r\nhell", 0, 30);
    timed_out(OK "Content-Length: 0\r\n\r\n", 0, 0);
}
END_TEST

/* The peer takes nothing of a large body: the deadline holds while sending too. */
START_TEST(deadline_while_sending)
{
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    OC_CLOSE int peer = -1;
    OC_FREE char *body = calloc(1, 4 << 20);
    req.method = "POST";
    req.body = body;
    req.body_len = 4 << 20;
    req.deadline_ms = oc_deadline(50);
    oc_http *h = with_answer("", 0, false, &peer);
    ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), OUTCALL_E_TIMEOUT);
    (void)oc_http_free(h);
}
END_TEST

/* An answer that comes before the whole request was taken (413) is the answer; so is one before a hang-up. */
START_TEST(early_answer)
{
    static const char answer[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    OC_FREE char *body = calloc(1, 4 << 20);
    for (int hangup = 0; hangup < 2; hangup++) {
        struct oc_http_request req = get();
        struct oc_http_response res = {0};
        int peer = -1;
        req.method = "POST";
        req.body = body;
        req.body_len = 4 << 20;
        oc_http *h = with_answer(answer, sizeof(answer) - 1, false, &peer);
        if (hangup)
            oc_close(oc_take_fd(&peer));
        ck_assert_int_eq(oc_http_exchange(h, &req, &res, NULL), 0);
        ck_assert_int_eq(res.status, 413);
        ck_assert(!res.keep_alive);
        oc_http_response_done(&res);
        (void)oc_http_free(h);
        oc_close(peer);
    }
}
END_TEST

START_TEST(connecting)
{
    char dir[] = "/tmp/outcall-client-XXXXXX";
    char path[64];
    oc_http *h = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)oc_format(path, sizeof(path), "%s/s", dir);
    ck_assert_int_eq(oc_http_connect(&h, path, oc_deadline(BOUND_MS), &err), OUTCALL_E_UNREACHABLE);
    ck_assert_int_eq(err.sys_errno, ENOENT);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)oc_copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path));
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    outcall_error_clear(&err);
    ck_assert_int_eq(oc_http_connect(&h, path, oc_deadline(BOUND_MS), &err), OUTCALL_E_UNREACHABLE);
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED); /* a file that nobody listens at */
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(oc_http_connect(&h, path, oc_deadline(BOUND_MS), &err), 0);
    oc_http *full[4] = {NULL};
    int r = 0;
    for (int i = 0; i < 4 && r == 0; i++) /* until the backlog is full, which must not block for ever */
        r = oc_http_connect(&full[i], path, oc_deadline(50), NULL);
    ck_assert_int_eq(r, OUTCALL_E_TIMEOUT);
    for (int i = 0; i < 4; i++)
        full[i] = oc_http_free(full[i]);
    h = oc_http_free(h);
    char longer[200];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_int_eq(oc_http_connect(&h, longer, OC_NEVER, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(oc_http_connect(&h, "", OC_NEVER, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(escaping)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = {.max = 40};
    ck_assert_int_eq(oc_url_escape(&b, "aZ09-._~ /?&=%\xc3\xa4"), 0);
    ck_assert_str_eq(b.data, "aZ09-._~%20%2F%3F%26%3D%25%C3%A4");
    ck_assert_int_eq(oc_url_escape(&b, "      "), OUTCALL_E_LIMIT);
    ck_assert_str_eq(b.data, "aZ09-._~%20%2F%3F%26%3D%25%C3%A4");
}
END_TEST

static int try_exchange(void *userdata)
{
    static const char answer[] = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    int sv[2];
    oc_http *h = NULL;
    struct oc_http_request req = get();
    struct oc_http_response res = {0};
    (void)userdata;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0 ||
        oc_write_all(sv[1], answer, sizeof(answer) - 1) < 0)
        abort(); /* not ck_assert: it allocates */
    int r = oc_http_from_fd(&h, sv[0], NULL);
    if (r < 0)
        oc_close(sv[0]);
    if (r == 0)
        r = oc_http_exchange(h, &req, &res, NULL);
    oc_http_response_done(&res);
    h = oc_http_free(h);
    oc_close(sv[1]);
    return r;
}

START_TEST(out_of_memory)
{
    ck_assert_int_gt(failmalloc_loop(try_exchange, NULL), 3);
}
END_TEST

UNIT_MAIN("http_client", well_formed, malformed, cut_off, limits, streamed, more_than_one_read, retry_after,
          requests, unsendable_requests, reuse, deadlines, deadline_while_sending, early_answer, connecting,
          escaping, out_of_memory)
