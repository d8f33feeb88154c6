/* What the engine sends piece by piece: followed requests, JSON lines, the multiplexed log, events. */
#include "base/buf.h"
#include "base/clock.h"
#include "docker/events.h"
#include "support/engine_fixture.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <fcntl.h>

static int gather(void *userdata, const char *data, size_t len)
{
    return oc_buf_add(userdata, data, len);
}

static int follow_path(struct fixture *f, const char *path, uint64_t idle_ms, int stop_fd, struct oc_buf *out)
{
    const struct oc_docker_stream s = {.method = "GET",
                                       .path = path,
                                       .on_data = gather,
                                       .userdata = out,
                                       .stop_fd = stop_fd,
                                       .idle_ms = idle_ms};
    oc_buf_clear(out);
    return oc_docker_follow(f->docker, &s, &f->err);
}

START_TEST(a_stream_is_followed_to_its_end)
{
    struct fixture f;
    OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/ok\",\"chunks\":[\"one\",\"two\"]},"
                  "{\"path\":\"/length\",\"body\":\"whole\"},"
                  "{\"path\":\"/until-close\",\"raw\":\"HTTP/1.1 200 OK\\r\\n\\r\\nclosed\"},"
                  "{\"path\":\"/big\",\"body\":\"0123456789abcdef\",\"repeat\":2000000},"
                  "{\"path\":\"/refused\",\"status\":409,\"body\":{\"message\":\"not running\"}}]}",
                  0);
    fixture_ok(&f, follow_path(&f, "/ok", OC_NEVER, -1, &out));
    ck_assert_str_eq(out.data, "onetwo");
    fixture_ok(&f, follow_path(&f, "/length", 5000, -1, &out));
    ck_assert_str_eq(out.data, "whole");
    fixture_ok(&f, follow_path(&f, "/until-close", 5000, -1, &out));
    ck_assert_str_eq(out.data, "closed");
    fixture_ok(&f, follow_path(&f, "/big", 5000, -1, &out)); /* max_body bounds no stream */
    ck_assert_uint_eq(out.len, 32000000);
    int r = follow_path(&f, "/refused", OC_NEVER, -1, &out);
    ck_assert_int_eq(f.err.status, 409);
    ck_assert_uint_eq(out.len, 0);
    fixture_failed(&f, r, OUTCALL_E_REMOTE, OUTCALL_KIND_CONFLICT, "not running");
    fixture_end(&f);
}
END_TEST

START_TEST(a_stream_that_breaks_is_an_engine_gone)
{
    struct fixture f;
    struct oc_docker_state state;
    OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
    fixture_begin(
        &f,
        "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/cut\",\"chunks\":[\"one\"],\"cut_after\":0},"
        "{\"path\":\"/short\",\"body\":\"whole\",\"cut_after\":2},{\"path\":\"/nothing\",\"raw\":\"\"}]}",
        0);
    static const char *const paths[] = {"/cut", "/short", "/nothing"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(paths); i++) {
        fixture_failed(&f, follow_path(&f, paths[i], OC_NEVER, -1, &out), OUTCALL_E_UNREACHABLE,
                       OUTCALL_KIND_DOCKER_UNREACHABLE, f.socket);
        oc_docker_state(f.docker, &state);
        ck_assert(!state.reachable);
        ck_assert_str_eq(state.api_version, "");
    }
    fixture_end(&f);
}
END_TEST

START_TEST(a_stream_is_bounded_in_time)
{
    struct fixture f;
    OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/before\",\"hang\":\"before\"},"
                  "{\"path\":\"/after\",\"chunks\":[\"x\"],\"hang\":\"after\"},"
                  "{\"path\":\"/end\",\"chunks\":[\"one\"],\"hang\":\"end\"}]}",
                  200);
    fixture_failed(&f, follow_path(&f, "/before", OC_NEVER, -1, &out), OUTCALL_E_TIMEOUT,
                   OUTCALL_KIND_DOCKER_TIMEOUT, "did not answer in time");
    fixture_failed(&f, follow_path(&f, "/after", 100, -1, &out), OUTCALL_E_TIMEOUT,
                   OUTCALL_KIND_DOCKER_TIMEOUT, "went silent");
    fixture_failed(&f, follow_path(&f, "/end", 100, -1, &out), OUTCALL_E_TIMEOUT, OUTCALL_KIND_DOCKER_TIMEOUT,
                   "went silent");
    ck_assert_str_eq(out.data, "one");
    fixture_end(&f);
}
END_TEST

struct stopper {
    int fd;
    struct oc_buf seen;
};

static void opened(void *userdata)
{
    struct stopper *s = userdata;
    ck_assert_int_eq(oc_buf_str(&s->seen, "open "), 0);
}

static int stop_on_data(void *userdata, const char *data, size_t len)
{
    struct stopper *s = userdata;
    ck_assert_int_eq(oc_buf_add(&s->seen, data, len), 0);
    ck_assert_int_eq((int)write(s->fd, "x", 1), 1);
    return 0;
}

START_TEST(a_stream_stops_on_demand)
{
    struct fixture f;
    int p[2];
    struct stopper s = {0};
    ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
    s.fd = p[1];
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"chunks\":[\"one\"],\"hang\":\"end\"}]}", 0);
    struct oc_docker_stream x = {.method = "GET",
                                 .path = "/x",
                                 .on_data = stop_on_data,
                                 .on_open = opened,
                                 .userdata = &s,
                                 .stop_fd = p[0],
                                 .idle_ms = OC_NEVER};
    fixture_failed(&f, oc_docker_follow(f.docker, &x, &f.err), OUTCALL_E_CLOSED, 0, "stopped");
    ck_assert_str_eq(s.seen.data, "open one");
    /* It is readable already: also an engine that says nothing is left at once. */
    ck_assert(fake_engine_script(f.engine, "{" ENGINE_20_10 ",\"rules\":[{\"hang\":\"before\"}]}"));
    fixture_failed(&f, oc_docker_follow(f.docker, &x, &f.err), OUTCALL_E_CLOSED, 0, "stopped");
    oc_buf_done(&s.seen);
    ck_assert_int_eq(close(p[0]) + close(p[1]), 0);
    fixture_end(&f);
}
END_TEST

static int leave(void *userdata, const char *data, size_t len)
{
    (void)data;
    (void)len;
    return *(int *)userdata;
}

START_TEST(what_the_callback_returns_is_the_result)
{
    struct fixture f;
    static const int values[] = {
        1, 77, OUTCALL_E_LIMIT, OUTCALL_E_TIMEOUT, OUTCALL_E_PROTOCOL, OUTCALL_E_CLOSED};
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"chunks\":[\"one\"],\"hang\":\"end\"}]}", 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(values); i++) {
        int value = values[i];
        struct oc_docker_stream x = {.method = "GET",
                                     .path = "/x",
                                     .on_data = leave,
                                     .userdata = &value,
                                     .stop_fd = -1,
                                     .idle_ms = OC_NEVER};
        ck_assert_int_eq(oc_docker_follow(f.docker, &x, NULL), value);
    }
    fixture_end(&f);
}
END_TEST

static int add_value(void *userdata, const json_t *value)
{
    OC_FREE char *text = oc_json_dump(value, NULL);
    return text && oc_buf_printf(userdata, "%s|", text) == 0 ? 0 : OUTCALL_E_NO_MEMORY;
}

/* The same bytes in pieces of every size give the same values. */
START_TEST(lines_come_in_any_pieces)
{
    static const char text[] = "{\"a\":1}\r\n\n{\"b\":\"x\\ny\"}\n  \n[1,2]\n\"last\"";
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct oc_docker_lines *l = NULL;
        OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
        ck_assert_int_eq(oc_docker_lines_new(&l, 32, add_value, &out), 0);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece)
            ck_assert_int_eq(oc_docker_lines_feed(l, text + at, OC_MIN(piece, sizeof(text) - 1 - at), NULL),
                             0);
        ck_assert_str_eq(out.data, "{\"a\":1}|{\"b\":\"x\\ny\"}|[1,2]|");
        ck_assert_int_eq(oc_docker_lines_finish(l, NULL), 0);
        ck_assert_str_eq(out.data, "{\"a\":1}|{\"b\":\"x\\ny\"}|[1,2]|\"last\"|");
        ck_assert_ptr_null(oc_docker_lines_free(l));
    }
    ck_assert_ptr_null(oc_docker_lines_free(NULL));
}
END_TEST

START_TEST(lines_are_bounded_and_strict)
{
    static const struct {
        const char *text;
        int r;
    } cases[] = {{"12345678\n", 0},
                 {"123456789", OUTCALL_E_LIMIT},
                 {"nonsense", 0},
                 {"nonsens\n", OUTCALL_E_PROTOCOL},
                 {"{} {}\n", OUTCALL_E_PROTOCOL},
                 {"{\"a\":\n", OUTCALL_E_PROTOCOL},
                 {"\"\xff\"\n", OUTCALL_E_PROTOCOL}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        struct oc_docker_lines *l = NULL;
        outcall_error err = OUTCALL_ERROR_INIT;
        OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
        ck_assert_int_eq(oc_docker_lines_new(&l, 8, add_value, &out), 0);
        ck_assert_int_eq(oc_docker_lines_feed(l, cases[i].text, strlen(cases[i].text), &err), cases[i].r);
        ck_assert_int_eq(err.code, cases[i].r);
        if (i == 2)
            ck_assert_int_eq(oc_docker_lines_finish(l, &err), OUTCALL_E_PROTOCOL);
        (void)oc_docker_lines_free(l);
    }
}
END_TEST

static int add_stream(void *userdata, int stream, const char *data, size_t len)
{
    return oc_buf_printf(userdata, "%d:%.*s|", stream, (int)len, data);
}

static int add_joined(void *userdata, int stream, const char *data, size_t len)
{
    (void)stream;
    return oc_buf_add(userdata, data, len);
}

#define OUT(n) "\1\0\0\0\0\0\0" n
#define ERR(n) "\2\0\0\0\0\0\0" n

START_TEST(the_log_is_taken_apart)
{
    static const char text[] = OUT("\3") "one" ERR("\0") ERR("\2") "er" OUT("\4") "two\n"
                                                                                  "\0\0\0\0\0\0\0\1"
                                                                                  "i"
                                                                                  "\3\0\0\0\0\0\0\1"
                                                                                  "s";
    struct oc_docker_demux whole = {0};
    OC_CLEANUP(oc_buf_done) struct oc_buf out = {0};
    ck_assert_int_eq(oc_docker_demux_feed(&whole, text, sizeof(text) - 1, add_stream, &out, NULL), 0);
    ck_assert_str_eq(out.data, "1:one|2:er|1:two\n|1:i|2:s|");
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct oc_docker_demux m = {0};
        oc_buf_clear(&out);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece)
            ck_assert_int_eq(oc_docker_demux_feed(&m, text + at, OC_MIN(piece, sizeof(text) - 1 - at),
                                                  add_joined, &out, NULL),
                             0);
        ck_assert_str_eq(out.data, "oneertwo\nis");
    }
    struct oc_docker_demux tty = {.tty = 1};
    oc_buf_clear(&out);
    ck_assert_int_eq(oc_docker_demux_feed(&tty, "\1raw", 4, add_stream, &out, NULL), 0);
    ck_assert_str_eq(out.data, "1:\1raw|");
}
END_TEST

static int count_bytes(void *userdata, int stream, const char *data, size_t len)
{
    (void)stream;
    (void)data;
    *(uint64_t *)userdata += len;
    return 0;
}

START_TEST(a_length_of_four_gigabytes_is_not_collected)
{
    struct oc_docker_demux m = {0};
    uint64_t n = 0;
    char block[65536] = {0};
    ck_assert_int_eq(oc_docker_demux_feed(&m, "\1\0\0\0\xff\xff\xff\xff", 8, count_bytes, &n, NULL), 0);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(oc_docker_demux_feed(&m, block, sizeof(block), count_bytes, &n, NULL), 0);
    ck_assert_uint_eq(n, 16 * sizeof(block));
    ck_assert_uint_eq(m.left, UINT32_MAX - 16 * sizeof(block));
}
END_TEST

START_TEST(a_malformed_log_is_refused)
{
    static const char bad[][8] = {
        {4, 0, 0, 0, 0, 0, 0, 1}, {1, 1, 0, 0, 0, 0, 0, 1}, {1, 0, 0, 1, 0, 0, 0, 1}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        struct oc_docker_demux m = {0};
        uint64_t n = 0;
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_int_eq(oc_docker_demux_feed(&m, bad[i], 8, count_bytes, &n, &err), OUTCALL_E_PROTOCOL);
        ck_assert_int_eq(err.kind, OUTCALL_KIND_DOCKER_ERROR);
    }
}
END_TEST

struct heard {
    struct oc_buf text;
    int opened, leave_after, n;
};

static void events_open(void *userdata)
{
    ((struct heard *)userdata)->opened++;
}

static int hear(void *userdata, const json_t *event, uint64_t time_ns)
{
    struct heard *h = userdata;
    ck_assert_int_eq(oc_buf_printf(&h->text, "%s@%llu ", oc_json_string(event, "Action", "?"),
                                   (unsigned long long)time_ns),
                     0);
    return ++h->n == h->leave_after ? 42 : 0;
}

START_TEST(events_are_followed_and_resumed)
{
    struct fixture f;
    struct heard h = {0};
    uint64_t last = 0;
    OC_JSON json_t *filters = json_pack("{s:[s]}", "label", "managed-by=outcalld");
    fixture_begin(
        &f,
        "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/events\",\"chunks\":["
        "\"{\\\"Action\\\":\\\"start\\\",\\\"timeNano\\\":1700000000123456789}\\n{\\\"Action\\\":\\\"di\","
        "\"e\\\",\\\"time\\\":1700000001}\\n\",\"{\\\"Action\\\":\\\"odd\\\"}\\n\"]}]}",
        0);
    struct oc_docker_events e = {
        .filters = filters, .stop_fd = -1, .on_open = events_open, .on_event = hear, .userdata = &h};
    fixture_failed(&f, oc_docker_events(f.docker, &e, &last, &f.err), OUTCALL_E_UNREACHABLE,
                   OUTCALL_KIND_DOCKER_UNREACHABLE, "ended the event stream");
    ck_assert_str_eq(h.text.data, "start@1700000000123456789 die@1700000001000000000 odd@0 ");
    ck_assert_uint_eq(last, 1700000001000000000);
    ck_assert_int_eq(h.opened, 1);
    e.since_ns = last;
    h.n = 0;
    h.leave_after = 1;
    ck_assert_int_eq(oc_docker_events(f.docker, &e, &last, &f.err), 42);
    ck_assert_uint_eq(last, 1700000001000000000);
    OC_FREE char *requests = fake_engine_requests(f.engine);
    ck_assert_ptr_nonnull(strstr(
        requests, "GET /v1.41/events?filters=%7B%22label%22%3A%5B%22managed-by%3Doutcalld%22%5D%7D\n"));
    ck_assert_ptr_nonnull(strstr(requests, "GET /v1.41/events?since=1700000001.000000000&filters=%7B"));
    oc_buf_done(&h.text);
    fixture_end(&f);
}
END_TEST

START_TEST(events_that_make_no_sense_end_the_stream)
{
    struct fixture f;
    struct heard h = {0};
    fixture_begin(
        &f, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/events\",\"chunks\":[\"{\\\"Action\\\":1\\n\"]}]}", 0);
    struct oc_docker_events e = {.stop_fd = -1, .on_event = hear, .userdata = &h};
    fixture_failed(&f, oc_docker_events(f.docker, &e, NULL, &f.err), OUTCALL_E_PROTOCOL,
                   OUTCALL_KIND_DOCKER_ERROR, "malformed line");
    ck_assert(fake_engine_script(
        f.engine,
        "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/events\",\"body\":\"0123456789\",\"repeat\":30000}]}"));
    fixture_failed(&f, oc_docker_events(f.docker, &e, NULL, &f.err), OUTCALL_E_LIMIT,
                   OUTCALL_KIND_DOCKER_ERROR, "262144 bytes");
    oc_buf_done(&h.text);
    fixture_end(&f);
}
END_TEST

static int ignore_event(void *userdata, const json_t *event, uint64_t time_ns)
{
    (void)userdata;
    (void)event;
    return time_ns == 2 ? 7 : 0;
}

static int one_follow(void *userdata)
{
    struct fixture *f = userdata;
    OC_JSON json_t *filters = json_object();
    struct oc_docker_events e = {.filters = filters, .since_ns = 1, .stop_fd = -1, .on_event = ignore_event};
    int r = filters ? oc_docker_events(f->docker, &e, NULL, NULL) : OUTCALL_E_NO_MEMORY;
    return r == 7 ? 0 : r;
}

START_TEST(events_survive_any_failing_allocation)
{
    struct fixture f;
    fixture_begin(&f,
                  "{" ENGINE_20_10
                  ",\"rules\":[{\"path\":\"/events\",\"chunks\":[\"{\\\"timeNano\\\":1}\\n\","
                  "\"{\\\"timeNano\\\":2}\\n\"],\"hang\":\"end\"}]}",
                  0);
    ck_assert_int_gt(failmalloc_loop(one_follow, &f), 5);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN("docker-stream", a_stream_is_followed_to_its_end, a_stream_that_breaks_is_an_engine_gone,
          a_stream_is_bounded_in_time, a_stream_stops_on_demand, what_the_callback_returns_is_the_result,
          lines_come_in_any_pieces, lines_are_bounded_and_strict, the_log_is_taken_apart,
          a_length_of_four_gigabytes_is_not_collected, a_malformed_log_is_refused,
          events_are_followed_and_resumed, events_that_make_no_sense_end_the_stream,
          events_survive_any_failing_allocation)
