/* The host client against a server that answers what its path says. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/server.h"
#include "outcall/host_client.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static struct fixture {
    char dir[64], path[96];
    oc_http_server *server;
    outcall_host_client *client;
} f;

static const struct {
    const char *path;
    int status;
    const char *body;
} answers[] = {
    {"/ok", 200, "{\"success\":true,\"data\":{\"name\":\"a\",\"n\":[1,2.5,null]},\"more\":1}"},
    {"/list", 200, "{\"success\":true,\"data\":[]}"},
    {"/none", 200, "{\"success\":true}"},
    {"/denied", 403,
     "{\"success\":false,\"error\":\"bind mount denied: \\\"/x\\\"\",\"code\":\"mount_denied\"}"},
    {"/new-code", 418, "{\"success\":false,\"error\":\"no\",\"code\":\"from_the_future\"}"},
    {"/html", 431, "<html>too long</html>"},
    {"/false", 200, "{\"success\":false,\"error\":\"odd\",\"code\":\"internal\"}"},
    {"/garbage", 200, "<html>"},
    {"/no-success", 200, "{\"data\":1}"},
    {"/twice", 200, "{\"success\":true,\"data\":1,\"data\":2}"},
};

static void handle(void *userdata, oc_http_call *call)
{
    size_t len = 0;
    const char *path = oc_http_call_path(call);
    const char *body = oc_http_call_body(call, &len);
    (void)userdata;
    if (strcmp(path, "/echo") == 0) {
        char *s = oc_asprintf("{\"success\":true,\"data\":[\"%s\",\"%s\",%s]}", oc_http_call_method(call),
                              oc_http_call_query(call, "q"), len ? body : "null");
        oc_http_reply(call, 200, s, strlen(s), 0);
        return;
    }
    if (strcmp(path, "/stream") == 0 || strcmp(path, "/cut") == 0) {
        int r = oc_http_stream_begin(call, 200, "application/x-ndjson");
        for (int i = 0; r == 0 && i < 3; i++)
            r = oc_http_stream_write(call, "{}\n", 3);
        if (path[1] == 'c')
            oc_http_stream_cut(call);
        return;
    }
    if (strcmp(path, "/hang") == 0) /* until the client gave up */
        ck_assert_int_eq(oc_poll1(oc_http_call_hangup_fd(call), POLLIN, oc_deadline(10000)), POLLIN);
    for (size_t i = 0; i < OC_ARRAY_SIZE(answers); i++)
        if (strcmp(answers[i].path, path) == 0)
            oc_http_reply(call, answers[i].status, strdup(answers[i].body), strlen(answers[i].body), 0);
}

static void begin(uint64_t timeout_ms, size_t max_answer)
{
    int fd = -1;
    memset(&f, 0, sizeof(f));
    (void)oc_format(f.dir, sizeof(f.dir), "/tmp/outcall-host-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f.dir));
    (void)oc_format(f.path, sizeof(f.path), "%s/host.sock", f.dir);
    ck_assert_int_eq(oc_http_listen_unix(f.path, 0600, (gid_t)-1, 16, &fd, NULL), 0);
    struct oc_http_server_options so = {
        .listen_fd = fd, .threaded = true, .max_body = 1000, .handle = handle};
    ck_assert_int_eq(oc_http_server_new(&f.server, &so, NULL), 0);
    outcall_host_client_options o = OUTCALL_HOST_CLIENT_OPTIONS_INIT;
    o.socket_path = f.path;
    o.timeout_ms = timeout_ms;
    o.max_answer = max_answer;
    ck_assert_int_eq(outcall_host_client_new(&f.client, &o, NULL), 0);
}

static void end(void)
{
    f.client = outcall_host_client_free(f.client);
    f.server = oc_http_server_free(f.server);
    (void)unlink(f.path);
    ck_assert_int_eq(rmdir(f.dir), 0);
}

static void good(const char *method, const char *path, const char *json, const char *expected)
{
    char *body = NULL;
    size_t len = 0;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(outcall_host_client_call(f.client, method, path, json, &body, &len, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(body, expected);
    ck_assert_uint_eq(len, strlen(expected));
    free(body);
}

static void bad(const char *path, int code, int status, int kind, const char *text)
{
    char *body = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_host_client_call(f.client, "GET", path, NULL, &body, NULL, &err), code);
    ck_assert_int_eq(err.code, code);
    ck_assert_int_eq(err.status, status);
    ck_assert_int_eq(err.kind, kind);
    if (text)
        ck_assert_str_eq(err.text, text);
    ck_assert_ptr_null(body);
}

START_TEST(calls)
{
    begin(0, 0);
    good("GET", "/ok", NULL, "{\"name\":\"a\",\"n\":[1,2.5,null]}");
    good("GET", "/list", NULL, "[]");
    good("GET", "/none", NULL, "null");
    good("POST", "/echo?q=%C3%A4", "{\"a\":1}", "[\"POST\",\"\xc3\xa4\",{\"a\":1}]");
    ck_assert_int_eq(outcall_host_client_call(f.client, "GET", "/ok", NULL, NULL, NULL, NULL), 0);
    end();
}
END_TEST

START_TEST(failures)
{
    begin(0, 0);
    bad("/denied", OUTCALL_E_REMOTE, 403, OUTCALL_KIND_MOUNT_DENIED, "bind mount denied: \"/x\"");
    bad("/new-code", OUTCALL_E_REMOTE, 418, OUTCALL_KIND_NONE, "no");
    bad("/html", OUTCALL_E_REMOTE, 431, OUTCALL_KIND_NONE, "outcalld answered with HTTP status 431");
    bad("/false", OUTCALL_E_REMOTE, 200, OUTCALL_KIND_INTERNAL, "odd");
    bad("/garbage", OUTCALL_E_PROTOCOL, 0, 0, NULL);
    bad("/no-success", OUTCALL_E_PROTOCOL, 0, 0, NULL);
    bad("/twice", OUTCALL_E_PROTOCOL, 0, 0, NULL);
    bad("/cut", OUTCALL_E_CLOSED, 0, 0, NULL);
    bad("no-slash", OUTCALL_E_INVALID, 0, 0, NULL);
    ck_assert_int_eq(outcall_host_client_call(f.client, NULL, "/", NULL, NULL, NULL, NULL),
                     OUTCALL_E_INVALID);
    end();
    begin(0, 20);
    bad("/ok", OUTCALL_E_LIMIT, 0, 0, NULL);
    end();
}
END_TEST

START_TEST(no_daemon)
{
    char expected[256];
    outcall_error err = OUTCALL_ERROR_INIT;
    begin(0, 0);
    oc_http_server_stop(f.server, 0);
    (void)oc_format(expected, sizeof(expected), "cannot connect to outcalld at %s — is it running?", f.path);
    ck_assert_int_eq(outcall_host_client_call(f.client, "GET", "/ok", NULL, NULL, NULL, &err),
                     OUTCALL_E_UNREACHABLE);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED);
    ck_assert_int_eq(unlink(f.path), 0);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_host_client_call(f.client, "GET", "/ok", NULL, NULL, NULL, &err),
                     OUTCALL_E_UNREACHABLE);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.sys_errno, ENOENT);
    end();
}
END_TEST

START_TEST(timeout)
{
    begin(50, 0);
    bad("/hang", OUTCALL_E_TIMEOUT, 0, 0, NULL);
    end();
}
END_TEST

static int collect(void *userdata, const char *data, size_t len)
{
    return oc_buf_add(userdata, data, len);
}

static int enough(void *userdata, const char *data, size_t len)
{
    (void)userdata;
    (void)data;
    (void)len;
    return 9;
}

START_TEST(streams)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin(0, 0);
    ck_assert_int_eq(outcall_host_client_stream(f.client, "GET", "/stream", NULL, collect, &b, &err), 0);
    ck_assert_str_eq(b.data, "{}\n{}\n{}\n");
    ck_assert_int_eq(outcall_host_client_stream(f.client, "GET", "/cut", NULL, collect, &b, NULL),
                     OUTCALL_E_CLOSED);
    ck_assert_int_eq(outcall_host_client_stream(f.client, "GET", "/stream", NULL, enough, NULL, NULL), 9);
    ck_assert_int_eq(outcall_host_client_stream(f.client, "GET", "/denied", NULL, collect, &b, &err),
                     OUTCALL_E_REMOTE);
    ck_assert_int_eq(err.status, 403);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_DENIED);
    ck_assert_int_eq(outcall_host_client_stream(f.client, "GET", "/stream", NULL, NULL, NULL, NULL),
                     OUTCALL_E_INVALID);
    end();
}
END_TEST

START_TEST(options)
{
    outcall_host_client *c = NULL;
    outcall_host_client_options o = OUTCALL_HOST_CLIENT_OPTIONS_INIT;
    char path[120];
    ck_assert_int_eq(outcall_host_client_new(&c, NULL, NULL), 0);
    c = outcall_host_client_free(c);
    ck_assert_ptr_null(outcall_host_client_free(NULL));
    ck_assert_int_eq(outcall_host_client_new(NULL, &o, NULL), OUTCALL_E_INVALID);
    o.version = 2;
    ck_assert_int_eq(outcall_host_client_new(&c, &o, NULL), OUTCALL_E_INVALID);
    o.version = 1;
    o.socket_path = "";
    ck_assert_int_eq(outcall_host_client_new(&c, &o, NULL), OUTCALL_E_INVALID);
    memset(path, 'x', sizeof(path));
    path[108] = '\0';
    o.socket_path = path;
    ck_assert_int_eq(outcall_host_client_new(&c, &o, NULL), OUTCALL_E_INVALID);
    path[107] = '\0';
    ck_assert_int_eq(outcall_host_client_new(&c, &o, NULL), 0);
    c = outcall_host_client_free(c);
}
END_TEST

static int try_new(void *userdata)
{
    outcall_host_client *c = NULL;
    (void)userdata;
    int r = outcall_host_client_new(&c, NULL, NULL);
    c = outcall_host_client_free(c);
    return r;
}

START_TEST(out_of_memory)
{
    ck_assert_int_gt(failmalloc_loop(try_new, NULL), 1);
}
END_TEST

UNIT_MAIN("host_client", calls, failures, no_daemon, timeout, streams, options, out_of_memory)
