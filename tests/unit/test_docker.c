/* The engine client against a scripted engine: options, negotiation, exchanges, bounds, engines that come and
 * go. */
#include "base/clock.h"
#include "base/fd.h"
#include "docker/api_version.h"
#include "docker/handle.h"
#include "docker/transport.h"
#include "support/engine_fixture.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

static const char *version_in_use(struct fixture *f)
{
    static struct oc_docker_state state;
    oc_docker_state(f->docker, &state);
    return state.api_version;
}

static void expect_options_refused(const outcall_docker_options *o, const char *text)
{
    outcall_docker *d = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_docker_new(&d, o, &err), OUTCALL_E_INVALID);
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(err.text, text), "%s", err.text);
}

START_TEST(options_are_checked)
{
    static const char *const bad_hosts[] = {
        "tcp://127.0.0.1:2375", "ssh://x", "unix://relative", "", "fd://", "unix://"};
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    char path[256];
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad_hosts); i++) {
        o.docker_host = bad_hosts[i];
        expect_options_refused(&o, "only unix sockets are supported");
    }
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[108] = '\0';
    o.docker_host = path;
    expect_options_refused(&o, "107 bytes");
    o.docker_host = "/a\nb";
    expect_options_refused(&o, "control characters");
    o.docker_host = NULL;
    static const char *const bad_versions[] = {"1.39",  "1.55",  "2.0", "1",      "1.",
                                               "v1.41", "1.41 ", "",    "1.99999"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad_versions); i++) {
        o.api_version = bad_versions[i];
        expect_options_refused(&o, "api_version");
    }
    o.api_version = NULL;
    o.timeout_ms = 86400001;
    expect_options_refused(&o, "timeout_ms");
    o.timeout_ms = 0;
    o.max_body = ((size_t)64 << 20) + 1;
    expect_options_refused(&o, "max_body");
    o.max_body = 0;
    o.version = 2;
    expect_options_refused(&o, "version");
    o.version = 0;
    expect_options_refused(&o, "version");
    ck_assert_int_eq(outcall_docker_new(NULL, NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

START_TEST(good_options_are_taken)
{
    static const struct {
        const char *host, *path;
    } good[] = {{NULL, "/var/run/docker.sock"}, {"unix:///a/b", "/a/b"}, {"/a/b", "/a/b"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(good); i++) {
        outcall_docker *d = NULL;
        outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
        o.docker_host = good[i].host;
        ck_assert_int_eq(outcall_docker_new(&d, &o, NULL), 0);
        ck_assert_str_eq(oc_docker_socket_path(d), good[i].path);
        ck_assert_ptr_null(outcall_docker_free(d));
    }
    ck_assert_ptr_null(outcall_docker_free(NULL));
}
END_TEST

START_TEST(versions_are_chosen)
{
    static const struct {
        const char *max, *min, *chosen;
        int r;
    } cases[] = {{"1.41", "1.12", "1.41", 0},
                 {"1.52", "1.44", "1.52", 0},
                 {"1.54", "1.40", "1.54", 0},
                 {"1.60", "1.44", "1.54", 0},
                 {"1.41", "", "1.41", 0},
                 {"1.41", NULL, "1.41", 0},
                 {"1.40", "1.24", "1.40", 0},
                 {"1.39", "1.12", "", OUTCALL_E_UNSUPPORTED},
                 {"1.60", "1.55", "", OUTCALL_E_UNSUPPORTED},
                 {"2.0", "2.0", "", OUTCALL_E_UNSUPPORTED},
                 {"", "", "", OUTCALL_E_SYNTAX},
                 {"1.4x", "", "", OUTCALL_E_SYNTAX},
                 {"1.41", "abc", "", OUTCALL_E_SYNTAX},
                 {"-1.41", "", "", OUTCALL_E_SYNTAX}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        char chosen[OC_API_VERSION_SIZE] = "";
        ck_assert_int_eq(oc_api_version_choose(cases[i].max, cases[i].min, chosen), cases[i].r);
        ck_assert_str_eq(chosen, cases[i].chosen);
    }
}
END_TEST

static void expect_negotiated(const char *script, const char *version, const char *path)
{
    struct fixture f;
    int status = 0;
    json_t *reply = NULL;
    fixture_begin(&f, script, 5000);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/info", NULL, 0, &status, &reply, &f.err));
    ck_assert_int_eq(status, 200);
    ck_assert_int_eq(oc_json_i64(reply, "ok", 0), 1);
    json_decref(reply);
    ck_assert_str_eq(version_in_use(&f), version);
    ck_assert_uint_eq(fake_engine_count(f.engine, "GET", path), 1);
    fixture_ok(&f, outcall_docker_ping(f.docker, &f.err));
    fixture_end(&f);
}

#define INFO "\"rules\":[{\"path\":\"/info\",\"body\":{\"ok\":1}}]}"

START_TEST(every_engine_finds_its_version)
{
    expect_negotiated("{\"api\":\"1.41\",\"min_api\":\"1.12\"," INFO, "1.41", "/v1.41/info");
    expect_negotiated("{\"api\":\"1.52\",\"min_api\":\"1.44\"," INFO, "1.52", "/v1.52/info");
    expect_negotiated("{\"api\":\"1.54\",\"min_api\":\"1.40\"," INFO, "1.54", "/v1.54/info");
    expect_negotiated("{\"api\":\"1.60\",\"min_api\":\"1.44\"," INFO, "1.54", "/v1.54/info");
    expect_negotiated("{\"api\":\"1.41\",\"min_api\":\"1.24\",\"podman\":true,\"server\":\"4.3.1\"," INFO,
                      "1.41", "/v1.41/info");
}
END_TEST

START_TEST(no_common_version_is_said)
{
    struct fixture f;
    fixture_begin(&f, "{\"api\":\"1.70\",\"min_api\":\"1.60\"}", 5000);
    fixture_failed(&f, oc_docker_call(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err),
                   OUTCALL_E_UNSUPPORTED, OUTCALL_KIND_DOCKER_ERROR,
                   "1.60 to 1.70, this library 1.40 to 1.54: none in common");
    ck_assert_uint_eq(fake_engine_count(f.engine, NULL, "/info"), 0);
    struct oc_docker_state state;
    oc_docker_state(f.docker, &state);
    ck_assert(state.reachable && state.is_foreign && !state.is_podman);
    ck_assert_str_eq(state.api_version, "");
    ck_assert(fake_engine_script(f.engine, "{\"api\":\"1.41\",\"podman\":true,\"server\":\"4.3.1\"," INFO));
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err));
    oc_docker_state(f.docker, &state);
    ck_assert(state.reachable && !state.is_foreign && state.is_podman);
    ck_assert_str_eq(state.server_version, "4.3.1");
    oc_docker_forget_version(f.docker, state.api_version);
    ck_assert(fake_engine_script(f.engine, "{\"rules\":[{\"path\":\"/version\",\"body\":{\"hello\":1}}]}"));
    fixture_failed(&f, oc_docker_call(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err),
                   OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR, "not a Docker Engine");
    ck_assert(fake_engine_script(f.engine, "{\"rules\":[{\"path\":\"/version\",\"body\":\"<html>\"}]}"));
    fixture_failed(&f, oc_docker_call(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err),
                   OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR, "not a Docker Engine");
    fixture_end(&f);
}
END_TEST

START_TEST(a_complaint_about_the_version_makes_it_ask_again)
{
    struct fixture f;
    fixture_begin(&f, "{\"api\":\"1.41\",\"min_api\":\"1.12\"," INFO, 5000);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err));
    /* The engine is replaced by a newer one, without a connection that breaks. */
    ck_assert(fake_engine_script(f.engine, "{\"api\":\"1.52\",\"min_api\":\"1.44\"," INFO));
    fixture_ok(&f, oc_docker_ok(f.docker, "POST", "/info", NULL, 0, NULL, NULL, &f.err));
    ck_assert_str_eq(version_in_use(&f), "1.52");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/info"), 2);
    /* One that never is content is asked once more, and then its words are the result. */
    ck_assert(fake_engine_script(f.engine,
                                 "{\"rules\":[{\"path\":\"/version\",\"body\":{\"ApiVersion\":\"1.45\"}},"
                                 "{\"status\":400,\"body\":{\"message\":\"client version is too old\"}}]}"));
    fixture_failed(&f, oc_docker_ok(f.docker, "POST", "/once", NULL, 0, NULL, NULL, &f.err), OUTCALL_E_REMOTE,
                   OUTCALL_KIND_DOCKER_ERROR, "client version is too old");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/once"), 2);
    /* Any other 400 is not sent again. */
    ck_assert(fake_engine_script(
        f.engine,
        "{\"api\":\"1.45\",\"rules\":[{\"status\":400,\"body\":{\"message\":\"bad parameter\"}}]}"));
    fixture_failed(&f, oc_docker_ok(f.docker, "POST", "/other", NULL, 0, NULL, NULL, &f.err),
                   OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "bad parameter");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/other"), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(a_pinned_version_is_never_asked_for)
{
    struct fixture f;
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    fixture_begin(&f, "[{\"path\":\"/info\",\"body\":{}}]", 5000);
    (void)outcall_docker_free(f.docker);
    o.docker_host = f.socket;
    o.api_version = "1.43";
    ck_assert_int_eq(outcall_docker_new(&f.docker, &o, &f.err), 0);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_count(f.engine, NULL, "/version"), 0);
    ck_assert_uint_eq(fake_engine_count(f.engine, NULL, "/v1.43/info"), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(an_engine_that_comes_and_goes_is_found_again)
{
    struct fixture f;
    struct oc_docker_state state;
    fixture_begin(&f, NULL, 5000);
    fixture_failed(&f, outcall_docker_ping(f.docker, &f.err), OUTCALL_E_UNREACHABLE,
                   OUTCALL_KIND_DOCKER_UNREACHABLE, f.socket);
    fixture_engine(&f, "{\"api\":\"1.41\",\"min_api\":\"1.12\"," INFO);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err));
    oc_docker_state(f.docker, &state);
    ck_assert(state.reachable);
    ck_assert_str_eq(state.socket, f.socket);
    f.engine = fake_engine_free(f.engine);
    int r = oc_docker_call(f.docker, "GET", "/info", NULL, 0, NULL, NULL, &f.err);
    ck_assert_int_eq(f.err.sys_errno, ENOENT);
    fixture_failed(&f, r, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE, "No such file");
    oc_docker_state(f.docker, &state);
    ck_assert(!state.reachable);
    ck_assert_str_eq(state.api_version, "");
    /* Another engine at the same place, with other versions. */
    fixture_engine(&f, "{\"api\":\"1.52\",\"min_api\":\"1.44\"," INFO);
    fixture_ok(&f, oc_docker_ok(f.docker, "POST", "/info", NULL, 0, NULL, NULL, &f.err));
    ck_assert_str_eq(version_in_use(&f), "1.52");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/info"), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(a_hung_ping_is_bounded)
{
    struct fixture f;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/_ping\",\"hang\":\"before\"}]}", 300);
    uint64_t began = oc_now_ms();
    fixture_failed(&f, outcall_docker_ping(f.docker, &f.err), OUTCALL_E_TIMEOUT, OUTCALL_KIND_DOCKER_TIMEOUT,
                   f.socket);
    ck_assert_uint_ge(oc_now_ms() - began, 290);
    ck_assert_uint_lt(oc_now_ms() - began, 3000);
    ck_assert(fake_engine_script(
        f.engine, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/version\",\"body\":{},\"hang\":\"after\"}]}"));
    fixture_failed(&f, outcall_docker_ping(f.docker, &f.err), OUTCALL_E_TIMEOUT, OUTCALL_KIND_DOCKER_TIMEOUT,
                   f.socket);
    ck_assert(fake_engine_script(
        f.engine, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/x\",\"body\":{},\"hang\":\"end\"},"
                  "{\"path\":\"/_ping\",\"status\":500,\"body\":{\"message\":\"sick\"}}]}"));
    fixture_failed(&f, outcall_docker_ping(f.docker, &f.err), OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR,
                   "sick");
    ck_assert_int_eq(outcall_docker_ping(NULL, NULL), OUTCALL_E_INVALID);
    fixture_end(&f);
}
END_TEST

START_TEST(any_status_is_an_answer)
{
    struct fixture f;
    int status = 0;
    json_t *reply = NULL;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":["
                  "{\"path\":\"/none\",\"status\":404,\"body\":{\"message\":\"No such container: x\"}},"
                  "{\"path\":\"/empty\",\"status\":204},{\"path\":\"/same\",\"status\":304},"
                  "{\"path\":\"/clash\",\"status\":409,\"body\":{\"message\":\"Conflict. In use.\"}},"
                  "{\"path\":\"/mute\",\"status\":500},"
                  "{\"path\":\"/plain\",\"status\":502,\"body\":\"bad gateway\\nmore\"},"
                  "{\"path\":\"/moved\",\"status\":301,\"headers\":{\"Location\":\"/v1.41/empty\"}}]}",
                  5000);
    fixture_ok(&f, oc_docker_call(f.docker, "GET", "/none", NULL, 0, &status, &reply, &f.err));
    ck_assert_int_eq(status, 404);
    ck_assert_str_eq(oc_json_string(reply, "message", ""), "No such container: x");
    json_decref(reply);
    fixture_ok(&f, oc_docker_ok(f.docker, "DELETE", "/empty", NULL, 0, &status, &reply, &f.err));
    ck_assert_int_eq(status, 204);
    ck_assert_ptr_null(reply);
    fixture_ok(&f, oc_docker_ok(f.docker, "POST", "/same", NULL, 0, &status, NULL, &f.err));
    ck_assert_int_eq(status, 304);
    int r = oc_docker_ok(f.docker, "POST", "/clash", NULL, 0, &status, NULL, &f.err);
    ck_assert_int_eq(f.err.status, 409);
    fixture_failed(&f, r, OUTCALL_E_REMOTE, OUTCALL_KIND_CONFLICT, "Conflict. In use.");
    ck_assert_int_eq(status, 304);
    r = oc_docker_ok(f.docker, "GET", "/mute", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "status 500");
    r = oc_docker_ok(f.docker, "GET", "/plain", NULL, 0, NULL, NULL, &f.err);
    ck_assert_str_eq(f.err.text, "bad gateway");
    fixture_failed(&f, r, OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "bad gateway");
    r = oc_docker_ok(f.docker, "GET", "/moved", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "status 301");
    ck_assert_uint_eq(fake_engine_count(f.engine, "GET", "/empty"), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(broken_answers_are_refused)
{
    struct fixture f;
    static const char *const broken[] = {"cut",   "malformed", "twice",     "http09",
                                         "noise", "badchunk",  "shortchunk"};
    json_t *reply = (json_t *)&f;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":["
                  "{\"path\":\"/cut\",\"body\":{\"Id\":\"0123456789\"},\"cut_after\":8},"
                  "{\"path\":\"/malformed\",\"body\":\"{\\\"Id\\\":\"},"
                  "{\"path\":\"/twice\",\"body\":\"{\\\"a\\\":1,\\\"a\\\":2}\"},"
                  "{\"path\":\"/http09\",\"raw\":\"{\\\"Id\\\":1}\"},"
                  "{\"path\":\"/noise\",\"raw\":\"HTTP/1.1 abc\\r\\n\\r\\n\"},"
                  "{\"path\":\"/badchunk\",\"raw\":\"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: "
                  "chunked\\r\\n\\r\\nzz\\r\\n{}\"},"
                  "{\"path\":\"/shortchunk\",\"chunks\":[\"{}\"],\"cut_after\":0},"
                  "{\"path\":\"/silent\",\"raw\":\"\"}]}",
                  5000);
    for (size_t i = 0; i < OC_ARRAY_SIZE(broken); i++) {
        char path[32];
        ck_assert_int_eq(oc_format(path, sizeof(path), "/%s", broken[i]), 0);
        int r = oc_docker_call(f.docker, "GET", path, NULL, 0, NULL, &reply, &f.err);
        fixture_failed(&f, r, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR, "answer");
        ck_assert_ptr_eq(reply, &f);
    }
    int r = oc_docker_call(f.docker, "GET", "/silent", NULL, 0, NULL, &reply, &f.err);
    fixture_failed(&f, r, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE, "lost before an answer");
    fixture_end(&f);
}
END_TEST

START_TEST(sizes_are_bounded)
{
    struct fixture f;
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":["
                  "{\"path\":\"/fits\",\"body\":\"[1,2,3,4,5,6,7,8]  \"},"
                  "{\"path\":\"/big\",\"body\":\"[1,2,3,4,5,6,7,8]   \"},"
                  "{\"path\":\"/chunks\",\"chunks\":[\"[1,2,3,4,5\",\",6,7,8,9,10,11]\"]}]}",
                  5000);
    (void)outcall_docker_free(f.docker);
    o.docker_host = f.socket;
    o.max_body = 19;
    ck_assert_int_eq(outcall_docker_new(&f.docker, &o, &f.err), 0);
    fixture_ok(&f, oc_docker_call(f.docker, "GET", "/fits", NULL, 0, NULL, NULL, &f.err));
    int r = oc_docker_call(f.docker, "GET", "/big", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_LIMIT, OUTCALL_KIND_DOCKER_ERROR, "larger than 19 bytes");
    r = oc_docker_call(f.docker, "GET", "/chunks", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_LIMIT, OUTCALL_KIND_DOCKER_ERROR, "larger than 19 bytes");
    fixture_end(&f);
}
END_TEST

/* 1xx heads for ever, or one endless head: libcurl alone would read on until the deadline and keep it all. */
START_TEST(heads_are_bounded)
{
    struct fixture f;
    OC_CLEANUP(oc_buf_done) struct oc_buf script = {0};
    ck_assert_int_eq(oc_buf_str(&script, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/flood\",\"raw\":\""), 0);
    for (int i = 0; i < 4000; i++)
        ck_assert_int_eq(oc_buf_str(&script, "HTTP/1.1 100 Continue\\r\\n\\r\\n"), 0);
    ck_assert_int_eq(
        oc_buf_str(&script,
                   "HTTP/1.1 204 No\\r\\n\\r\\n\"},{\"path\":\"/head\",\"raw\":\"HTTP/1.1 200 OK\\r\\n"),
        0);
    for (int i = 0; i < 4000; i++)
        ck_assert_int_eq(oc_buf_str(&script, "X-Filler: 0123456789\\r\\n"), 0);
    ck_assert_int_eq(oc_buf_str(&script, "Content-Length: 0\\r\\n\\r\\n\"}]}"), 0);
    fixture_begin(&f, script.data, 5000);
    int r = oc_docker_call(f.docker, "GET", "/flood", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_LIMIT, OUTCALL_KIND_DOCKER_ERROR, "larger than 65536 bytes");
    r = oc_docker_call(f.docker, "GET", "/head", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_LIMIT, OUTCALL_KIND_DOCKER_ERROR, "larger than 65536 bytes");
    fixture_end(&f);
}
END_TEST

START_TEST(times_are_bounded)
{
    struct fixture f;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/before\",\"hang\":\"before\"},"
                  "{\"path\":\"/after\",\"body\":{\"a\":1},\"hang\":\"after\"},"
                  "{\"path\":\"/half\",\"body\":{\"a\":1},\"cut_after\":3,\"hang\":\"end\"},"
                  "{\"path\":\"/slow\",\"body\":{},\"wait_ms\":50}]}",
                  0);
    static const char *const paths[] = {"/before", "/after", "/half"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(paths); i++) {
        uint64_t began = oc_now_ms();
        int r = oc_docker_call(f.docker, "POST", paths[i], NULL, 200, NULL, NULL, &f.err);
        fixture_failed(&f, r, OUTCALL_E_TIMEOUT, OUTCALL_KIND_DOCKER_TIMEOUT, "did not answer in time");
        ck_assert_uint_lt(oc_now_ms() - began, 5000);
        ck_assert_uint_eq(fake_engine_count(f.engine, "POST", paths[i]), 1);
    }
    fixture_ok(&f, oc_docker_call(f.docker, "GET", "/slow", NULL, 5000, NULL, NULL, &f.err));
    fixture_end(&f);
}
END_TEST

/* A kept connection that died must not make a POST happen twice, nor fail a GET. */
/* A hung engine and a program that wants to end. */
START_TEST(quit_ends_every_call)
{
    struct fixture f;
    outcall_error err = OUTCALL_ERROR_INIT;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/hung\",\"hang\":\"before\"},"
                  "{\"path\":\"/x\",\"body\":{}}]}",
                  20000);
    ck_assert_int_eq(oc_docker_ok(f.docker, "GET", "/x", NULL, 0, NULL, NULL, &err), 0);
    uint64_t begin = oc_now_ms();
    ck_assert_int_eq(outcall_docker_quit(f.docker, 100, &err), 0);
    ck_assert_int_eq(oc_docker_ok(f.docker, "GET", "/hung", NULL, 0, NULL, NULL, &err), OUTCALL_E_CLOSED);
    ck_assert_uint_ge(oc_now_ms() - begin, 90);
    ck_assert_uint_lt(oc_now_ms() - begin, 10000);
    ck_assert_int_eq(oc_docker_ok(f.docker, "GET", "/x", NULL, 0, NULL, NULL, NULL), OUTCALL_E_CLOSED);
    ck_assert_int_eq(outcall_docker_quit(f.docker, 86400001, NULL), OUTCALL_E_INVALID);
    fixture_end(&f);
}
END_TEST

START_TEST(a_dead_kept_connection_does_no_harm)
{
    struct fixture f;
    fixture_begin(&f,
                  "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/die\",\"times\":1,\"raw\":\"\"},{\"body\":{}}]}",
                  5000);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/warm", NULL, 0, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_connections(f.engine), 1);
    int r = oc_docker_ok(f.docker, "POST", "/die", NULL, 0, NULL, NULL, &f.err);
    fixture_failed(&f, r, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE, "lost before an answer");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/die"), 1);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/warm", NULL, 0, NULL, NULL, &f.err));
    fake_engine_drop(f.engine);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/again", NULL, 0, NULL, NULL, &f.err));
    fake_engine_drop(f.engine);
    fixture_ok(&f, oc_docker_ok(f.docker, "POST", "/post", NULL, 0, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "/post"), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(connections_are_kept)
{
    struct fixture f;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"body\":{}}]}", 5000);
    for (int i = 0; i < 20; i++)
        fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/x", NULL, 0, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_connections(f.engine), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(bodies_arrive_as_they_were_sent)
{
    struct fixture f;
    OC_JSON json_t *body = json_pack("{s:s,s:[i,b]}", "Image", "x \"y\" \xc3\xa9", "n", 1, 1);
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"body\":{}}]}", 5000);
    fixture_ok(&f,
               oc_docker_ok(f.docker, "POST", "/containers/create?name=a%20b", body, 0, NULL, NULL, &f.err));
    OC_FREE char *requests = fake_engine_requests(f.engine);
    ck_assert_ptr_nonnull(strstr(requests, "POST /v1.41/containers/create?name=a%20b "
                                           "{\"Image\":\"x \\\"y\\\" \xc3\xa9\",\"n\":[1,true]}\n"));
    fixture_end(&f);
}
END_TEST

START_TEST(raw_requests)
{
    struct fixture f;
    int status = 0;
    OC_FREE char *body = NULL;
    size_t len = 0;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"path\":\"/a\",\"status\":418,\"body\":\"no json\"}]}",
                  5000);
    fixture_ok(&f, outcall_docker_request(f.docker, "PUT", "/a?b=c", "{}", &status, &body, &len, &f.err));
    ck_assert_int_eq(status, 418);
    ck_assert_str_eq(body, "no json");
    ck_assert_uint_eq(len, 7);
    fixture_ok(&f, outcall_docker_request(f.docker, "HEAD", "/a", NULL, NULL, NULL, NULL, &f.err));
    static const char *const bad[] = {"a", "", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa9", "/a\x7f"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        fixture_failed(&f, outcall_docker_request(f.docker, "GET", bad[i], NULL, NULL, NULL, NULL, &f.err),
                       OUTCALL_E_INVALID, 0, "path");
    fixture_failed(&f, outcall_docker_request(f.docker, "GET /x", "/a", NULL, NULL, NULL, NULL, &f.err),
                   OUTCALL_E_INVALID, 0, "method");
    fixture_failed(&f, outcall_docker_request(f.docker, "get", "/a", NULL, NULL, NULL, NULL, &f.err),
                   OUTCALL_E_INVALID, 0, "method");
    fixture_failed(&f, outcall_docker_request(f.docker, "GET", NULL, NULL, NULL, NULL, NULL, &f.err),
                   OUTCALL_E_INVALID, 0, "path");
    fixture_end(&f);
}
END_TEST

START_TEST(paths_are_escaped)
{
    OC_FREE char *path = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(
        oc_docker_path(&path, &err, "/containers/%s/json?a=%s&b=%s", "a/../b?c#d e", "", "{\"x\":[\"%\"]}"),
        0);
    ck_assert_str_eq(path, "/containers/a%2F..%2Fb%3Fc%23d%20e/json?a=&b=%7B%22x%22%3A%5B%22%25%22%5D%7D");
    static const char *const bad[] = {"", ".", ".."};
    char *none = NULL;
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(oc_docker_path(&none, NULL, "/containers/%s/json", bad[i]), OUTCALL_E_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(proxies_of_the_environment_are_not_used)
{
    struct fixture f;
    ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    ck_assert_int_eq(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"body\":{}}]}", 5000);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/x", NULL, 0, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_count(f.engine, "GET", "/v1.41/x"), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(the_peer_is_the_engines_process)
{
    struct fixture f;
    pid_t pid = 0;
    fixture_begin(&f, "{" ENGINE_20_10 "}", 5000);
    fixture_ok(&f, oc_docker_peer(f.docker, &pid, &f.err));
    ck_assert_int_eq(pid, getpid());
    f.engine = fake_engine_free(f.engine);
    fixture_failed(&f, oc_docker_peer(f.docker, &pid, &f.err), OUTCALL_E_UNREACHABLE,
                   OUTCALL_KIND_DOCKER_UNREACHABLE, f.socket);
    fixture_end(&f);
}
END_TEST

struct load {
    struct fixture *f;
    int failed;
};

static void *load(void *userdata)
{
    struct load *l = userdata;
    for (int i = 0; i < 20; i++)
        l->failed += oc_docker_ok(l->f->docker, i % 2 ? "GET" : "POST", "/x", NULL, 0, NULL, NULL, NULL) != 0;
    return NULL;
}

START_TEST(threads_share_a_handle)
{
    struct fixture f;
    pthread_t threads[16];
    struct load loads[16];
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"body\":{}}]}", 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(threads); i++) {
        loads[i] = (struct load){.f = &f};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, load, &loads[i]), 0);
    }
    for (size_t i = 0; i < OC_ARRAY_SIZE(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(loads[i].failed, 0);
    }
    ck_assert_uint_eq(fake_engine_count(f.engine, NULL, "/v1.41/x"), 320);
    /* What is kept between calls has a maximum. */
    uint64_t deadline = oc_deadline(10000);
    while (fake_engine_open(f.engine) > OC_DOCKER_IDLE_MAX && oc_deadline_left(deadline) > 0)
        (void)sched_yield();
    ck_assert_uint_le(fake_engine_open(f.engine), OC_DOCKER_IDLE_MAX);
    fixture_end(&f);
}
END_TEST

static int one_call(void *userdata)
{
    struct fixture *f = userdata;
    outcall_docker *d = NULL;
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    json_t *reply = NULL;
    OC_FREE char *path = NULL;
    o.docker_host = f->socket;
    OC_JSON json_t *body = json_object();
    int r = body ? outcall_docker_new(&d, &o, &err) : OUTCALL_E_NO_MEMORY;
    if (r == 0)
        r = oc_docker_path(&path, &err, "/%s", "info");
    if (r == 0)
        r = oc_docker_ok(d, "POST", path, body, 0, NULL, &reply, &err);
    if (r == 0)
        r = outcall_docker_ping(d, &err);
    json_decref(reply);
    d = outcall_docker_free(d);
    return r;
}

START_TEST(calls_survive_any_failing_allocation)
{
    struct fixture f;
    fixture_begin(&f, "{" ENGINE_20_10 "," INFO, 5000);
    ck_assert_int_gt(failmalloc_loop(one_call, &f), 5);
    fixture_end(&f);
}
END_TEST

/* The engine's connection must not leak into children. libcurl's own wake-up pair is all that may: it leads
 * nowhere. */
START_TEST(the_connection_is_close_on_exec)
{
    struct fixture f;
    size_t ours = 0;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[{\"body\":{}}]}", 5000);
    fixture_ok(&f, oc_docker_ok(f.docker, "GET", "/x", NULL, 0, NULL, NULL, &f.err));
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage sa;
        char path[128];
        socklen_t len = sizeof(sa);
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || getpeername(fd, (struct sockaddr *)&sa, &len) < 0 || len <= sizeof(sa.ss_family))
            continue;
        memcpy(path, (const char *)&sa + sizeof(sa.ss_family),
               OC_MIN(sizeof(path), sizeof(sa) - sizeof(sa.ss_family)));
        if (strcmp(path, f.socket) != 0)
            continue;
        ours++;
        ck_assert_int_ne(flags & FD_CLOEXEC, 0);
    }
    ck_assert_uint_eq(ours, 1);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN("docker", options_are_checked, good_options_are_taken, versions_are_chosen,
          every_engine_finds_its_version, no_common_version_is_said,
          a_complaint_about_the_version_makes_it_ask_again, a_pinned_version_is_never_asked_for,
          an_engine_that_comes_and_goes_is_found_again, a_hung_ping_is_bounded, any_status_is_an_answer,
          broken_answers_are_refused, sizes_are_bounded, heads_are_bounded, times_are_bounded,
          quit_ends_every_call, a_dead_kept_connection_does_no_harm, connections_are_kept,
          bodies_arrive_as_they_were_sent, raw_requests, paths_are_escaped,
          proxies_of_the_environment_are_not_used, the_peer_is_the_engines_process, threads_share_a_handle,
          calls_survive_any_failing_allocation, the_connection_is_close_on_exec)
