/* The host API's router without a socket over a scripted engine: each endpoint's answer, the status of each
 * kind of failure, and a failing allocation at every place. What it refuses: test_host_api_fields.c. */
#include "host_api/event_log.h"
#include "outcall/host_api.h"
#include "support/failmalloc.h"
#include "support/manager_fixture.h"
#include "unit.h"
#include "json/json.h"
#include <poll.h>

#define RULE(method, path, rest) "{\"method\":\"" method "\",\"path\":\"" path "\"," rest "},"
#define SAYS(status, text)       "\"status\":" status ",\"body\":{\"message\":\"" text "\"}"

struct api {
    struct manager t;
    outcall_host_api *h;
    int status;
    char *body; /* of the last answer */
    json_t *json;
};

static size_t seven(void *userdata)
{
    (void)userdata;
    return 7;
}

static void forget(struct api *a)
{
    json_decref(a->json);
    a->json = NULL;
    free(a->body);
    a->body = NULL;
}

static void api_begin(struct api *a, const char *rules)
{
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    memset(a, 0, sizeof(*a));
    manager_begin(&a->t);
    manager_script(&a->t, rules);
    o.docker = a->t.f.docker;
    o.containers = a->t.containers;
    o.networks = a->t.networks;
    o.agent_sockets_n = seven;
    ck_assert_int_eq(outcall_host_api_new(&a->h, &o, NULL), 0);
}

static void api_end(struct api *a)
{
    forget(a);
    (void)outcall_host_api_free(a->h);
    manager_end(&a->t);
}

/* Asks; lines: the answer is no JSON document. */
static void ask(struct api *a, const char *method, const char *target, const char *body, bool lines)
{
    size_t len = 0;
    forget(a);
    ck_assert_int_eq(outcall_host_api_handle(a->h, method, target, body, body ? strlen(body) : 0, &a->status,
                                             &a->body, &len, NULL),
                     0);
    ck_assert_uint_eq(strlen(a->body), len);
    if (!lines)
        ck_assert_int_eq(oc_json_load(a->body, len, &a->json, NULL), 0);
}

static void data_is(struct api *a, const char *expected)
{
    OC_FREE char *data = json_dumps(json_object_get(a->json, "data"), JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_msg(a->status == 200, "%d %s", a->status, a->body);
    ck_assert(oc_json_bool(a->json, "success", false));
    ck_assert_str_eq(data, expected);
}

static void fails(struct api *a, int status, const char *code, const char *error)
{
    ck_assert_msg(a->status == status, "%d %s", a->status, a->body);
    ck_assert(!oc_json_bool(a->json, "success", true));
    ck_assert_str_eq(oc_json_string(a->json, "code", ""), code);
    ck_assert_msg(strstr(oc_json_string(a->json, "error", ""), error), "%s", a->body);
}

#define LISTED                                                                                           \
    "{\"Id\":\"" ID_A                                                                                    \
    "\",\"Names\":[\"/outcall-agent-a\"],\"State\":\"running\",\"Labels\":{\"managed-by\":\"outcalld\"," \
    "\"outcall.instance\":\"/run/"                                                                       \
    "unit\",\"outcall.image\":\"busybox:1\",\"outcall.network\":\"outcall-default\"}}"

START_TEST(containers)
{
    struct api a;
    api_begin(&a, "");
    OC_FREE char *inspect = manager_inspect(&a.t, "outcall-agent-a", ID_A, "running", "");
    OC_FREE char *rules = oc_asprintf("{\"path\":\"/containers/outcall-agent-a/json\",\"body\":%s}," RULE(
                                          "GET", "/containers/json", "\"body\":[" LISTED "]"),
                                      inspect);
    ask(&a, "POST", "/api/v1/container/create",
        "{\"image\":\"busybox:1\",\"name\":\"a\",\"cpus\":1,\"labels\":{\"k\":\"\"},"
        "\"env\":[\"A=\"],\"cmd\":[],\"tmp_size\":4096,\"memory_limit\":6291456,\"tty\":false}",
        false);
    data_is(&a, "{\"attested\":false,\"container_id\":\"" ID_A
                "\",\"created\":true,\"name\":\"outcall-agent-a\"}");
    manager_script(&a.t, rules);
    ask(&a, "GET", "/api/v1/containers", NULL, false);
    data_is(&a, "[{\"attested\":false,\"created\":\"\",\"id\":\"" ID_A
                "\",\"image\":\"busybox:1\",\"name\":\"outcall-agent-a\","
                "\"network\":\"outcall-default\",\"state\":\"running\"}]");
    ask(&a, "GET", "/api/v1/container?name=outcall-agent-a", NULL, false);
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_null(strstr(a.body, "SECRET=1"));
    ck_assert_ptr_nonnull(strstr(a.body, "SECRET=<redacted>"));
    ask(&a, "POST", "/api/v1/container/remove", "{\"name\":\"a\"}", false);
    fails(&a, 409, "container_running",
          "container \"outcall-agent-a\" is still running — stop it first or use force");
    ask(&a, "POST", "/api/v1/container/stop", "{\"name\":\"a\",\"timeout\":0}", false);
    data_is(&a, "{\"name\":\"outcall-agent-a\",\"stopped\":true}");
    ask(&a, "POST", "/api/v1/container/remove", "{\"name\":\"a\",\"force\":true}", false);
    data_is(&a, "{\"name\":\"outcall-agent-a\",\"removed\":true}");
    manager_script(&a.t, "");
    ask(&a, "POST", "/api/v1/container/remove", "{\"name\":\"a\"}", false);
    data_is(&a, "{\"name\":\"outcall-agent-a\",\"removed\":false}");
    ask(&a, "POST", "/api/v1/container/remove", "{\"name\":\"b\"}", false);
    fails(&a, 404, "container_not_found", "container \"outcall-agent-b\" does not exist");
    ask(&a, "GET", "/api/v1/containers", NULL, false);
    data_is(&a, "[]");
    api_end(&a);
}
END_TEST

START_TEST(streams)
{
    struct api a;
    api_begin(&a, "");
    OC_FREE char *inspect = manager_inspect(&a.t, "outcall-agent-a", ID_A, "exited", "");
    OC_FREE char *rules =
        oc_asprintf("{\"path\":\"/containers/(outcall-agent-a|" ID_A
                    ")/json\",\"body\":%s}," RULE("GET", "/containers/.*/logs", "\"chunks\":[]"),
                    inspect);
    manager_script(&a.t, rules);
    ask(&a, "GET", "/api/v1/container/wait?name=a", NULL, false);
    data_is(&a, "{\"exit_code\":3,\"oom_killed\":false}");
    ask(&a, "GET", "/api/v1/container/logs?name=a&tail=0&follow=1", NULL, true);
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(a.body, "");
    ck_assert_uint_eq(fake_engine_count(a.t.f.engine, "GET", "follow=0&tail=0"), 1); /* nobody could end it */
    ask(&a, "GET", "/api/v1/events?follow=1", NULL, true);
    ck_assert_str_eq(a.body, "");
    outcall_host_api_event(a.h, "container", "start", "x", NULL, "d");
    outcall_host_api_event(a.h, "container", "start", "\xff", NULL, NULL); /* no text: counted as lost */
    ask(&a, "GET", "/api/v1/events", NULL, true);
    ck_assert_ptr_nonnull(strstr(a.body, "\"type\":\"container\",\"action\":\"start\",\"name\":\"x\""));
    ck_assert_ptr_eq(strchr(a.body, '\n') + 1, a.body + strlen(a.body));
    ask(&a, "GET", "/metrics", NULL, true);
    ck_assert_ptr_nonnull(strstr(a.body, "outcall_events_lost_total 1\n"));
    ck_assert_ptr_nonnull(strstr(a.body, "outcall_agent_sockets 7\n"));
    ask(&a, "GET", "/api/v1/status", NULL, false);
    ck_assert_int_eq(oc_json_i64(a.json, "data.sockets", 0), 7);
    ck_assert_str_eq(oc_json_string(a.json, "data.docker.state", ""), "reachable");
    api_end(&a);
}
END_TEST

START_TEST(a_stream_that_breaks_says_so_in_its_last_line)
{
    struct api a;
    api_begin(
        &a, RULE("POST", "/images/create",
                 "\"chunks\":[\"{\\\"status\\\":\\\"one\\\"}\\n\",\"{\\\"error\\\":\\\"no disk\\\"}\\n\"]"));
    ask(&a, "POST", "/api/v1/container/pull?progress=1", "{\"image\":\"busybox\"}", true);
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.body, "\"status\":\"one\""));
    ck_assert_ptr_nonnull(
        strstr(a.body, "{\"success\":false,\"error\":\"no disk\",\"code\":\"docker_error\"}\n"));
    ask(&a, "POST", "/api/v1/container/pull", "{\"image\":\"busybox\"}", false);
    fails(&a, 502, "docker_error", "no disk");
    api_end(&a);
}
END_TEST

START_TEST(networks)
{
    struct api a;
    api_begin(&a, "");
    ask(&a, "POST", "/api/v1/network/create", "{\"name\":\"default\"}", false);
    data_is(&a, "{\"created\":false,\"name\":\"outcall-default\",\"network_id\":\"n1\",\"subnet\":\"10.200.0."
                "0/24\"}");
    ask(&a, "GET", "/api/v1/network?name=outcall-default", NULL, false);
    ck_assert(oc_json_bool(a.json, "data.exists", false));
    ask(&a, "GET", "/api/v1/network?name=none", NULL, false);
    data_is(&a, "{\"exists\":false,\"name\":\"outcall-none\"}");
    ask(&a, "GET", "/api/v1/networks", NULL, false);
    ck_assert_uint_eq(json_array_size(json_object_get(a.json, "data")), 1);
    ask(&a, "POST", "/api/v1/network/destroy", "{\"name\":\"none\"}", false);
    data_is(&a, "{\"destroyed\":false,\"name\":\"outcall-none\"}");
    api_end(&a);
}
END_TEST

static const struct kind_case {
    const char *rules, *method, *target, *body;
    int status;
    const char *code, *error;
} kinds[] = {
    {"", "POST", "/api/v1/container/create", "{\"image\":\"none\"}", 404, "image_not_found",
     "image \"none\" not found locally — pull it first"},
    {"", "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\",\"network\":\"none\"}", 404,
     "network_not_found", "network \"outcall-none\" does not exist"},
    {"", "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\",\"volumes\":[\"/proc:/x\"]}", 403,
     "mount_denied", "bind mount denied: \"/proc\" is on the deny list"},
    {"", "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\",\"volumes\":[\"x\"]}", 400,
     "mount_invalid", "target is missing"},
    {RULE("GET", "/networks/.*", "\"body\":{\"Name\":\"outcall-default\"}"), "POST",
     "/api/v1/container/create", "{\"image\":\"busybox:1\"}", 403, "not_managed",
     "network \"outcall-default\" is not managed by outcall"},
    {RULE("POST", "/containers/create", SAYS("409", "Conflict. Taken")), "POST", "/api/v1/container/create",
     "{\"image\":\"busybox:1\",\"name\":\"a\"}", 409, "conflict", "Conflict. Taken"},
    {RULE("POST", "/containers/create", SAYS("500", "broken")), "POST", "/api/v1/container/create",
     "{\"image\":\"busybox:1\"}", 502, "docker_error", "broken"},
    {RULE("GET", "/containers/.*", "\"body\":\"{\""), "GET", "/api/v1/container?name=a", NULL, 502,
     "docker_error", ""},
    {RULE("GET", "/containers/.*", "\"hang\":\"before\""), "GET", "/api/v1/container?name=a", NULL, 504,
     "docker_timeout", ""},
    {RULE("GET", "/containers/json", "\"body\":7"), "GET", "/api/v1/containers", NULL, 502, "docker_error",
     "no list"},
    {RULE("GET", "/networks", "\"body\":\"x\""), "GET", "/api/v1/networks", NULL, 502, "docker_error", ""},
    {RULE("GET", "/networks/.*",
          "\"body\":{\"Name\":\"outcall-a\",\"Driver\":\"bridge\",\"Internal\":true,\"Labels\":{\"managed-"
          "by\":\"outcalld\"},"
          "\"Containers\":{\"x\":{\"Name\":\"outcall-agent-a\"}}}"),
     "POST", "/api/v1/network/destroy", "{\"name\":\"a\"}", 409, "network_in_use",
     "network \"outcall-a\" is in use by outcall-agent-a"},
    {"", "POST", "/api/v1/network/create", "{\"name\":\"a\",\"subnet\":\"10.200.0.0/25\"}", 409, "conflict",
     "subnet 10.200.0.0/25 overlaps Docker network \"outcall-default\""},
    {"", "GET", "/nowhere", NULL, 404, "not_found", "no such endpoint: GET /nowhere"},
};

START_TEST(kinds_have_their_status)
{
    const struct kind_case *k = &kinds[_i];
    struct api a;
    api_begin(&a, k->rules);
    ask(&a, k->method, k->target, k->body, false);
    fails(&a, k->status, k->code, k->error);
    api_end(&a);
}
END_TEST

START_TEST(helpers_and_engine_have_their_status)
{
    struct api a;
    api_begin(&a, "");
    ck_assert_int_eq(chmod(a.t.shim, 0600), 0);
    ask(&a, "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\"}", false);
    fails(&a, 404, "shim_not_found", "shim");
    ck_assert_int_eq(chmod(a.t.shim, 0755), 0);
    oc_close(oc_take_fd(&a.t.listen_fd));
    ask(&a, "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\"}", false);
    fails(&a, 404, "agent_socket_not_found", "agent socket not found at");
    a.t.f.engine = fake_engine_free(a.t.f.engine);
    ask(&a, "GET", "/api/v1/containers", NULL, false);
    fails(&a, 503, "docker_unreachable", a.t.f.socket);
    ask(&a, "GET", "/api/v1/status", NULL, false);
    ck_assert_str_eq(oc_json_string(a.json, "data.docker.state", ""), "unreachable");
    api_end(&a);
}
END_TEST

START_TEST(arguments_that_are_missing)
{
    struct api a;
    int status = 0;
    char *body = NULL;
    outcall_host_api *h = NULL;
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    api_begin(&a, "");
    ck_assert_int_eq(outcall_host_api_handle(NULL, "GET", "/", NULL, 0, &status, &body, NULL, NULL),
                     OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_host_api_handle(a.h, NULL, "/", NULL, 0, &status, &body, NULL, NULL),
                     OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_host_api_handle(a.h, "GET", NULL, NULL, 0, &status, &body, NULL, NULL),
                     OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_host_api_handle(a.h, "GET", "/", NULL, 0, &status, NULL, NULL, NULL),
                     OUTCALL_E_INVALID);
    ck_assert_ptr_null(body);
    ck_assert_int_eq(outcall_host_api_new(&h, &o, NULL), OUTCALL_E_INVALID);
    o.docker = a.t.f.docker;
    o.containers = a.t.containers;
    o.networks = a.t.networks;
    o.version = 2;
    ck_assert_int_eq(outcall_host_api_new(&h, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(h);
    api_end(&a);
}
END_TEST

struct round {
    struct api *a;
    const char *method, *target, *body;
    int status;
};

static int one_round(void *userdata)
{
    struct round *r = userdata;
    OC_FREE char *body = NULL;
    size_t len = 0;
    int status = 0;
    int code = outcall_host_api_handle(r->a->h, r->method, r->target, r->body, r->body ? strlen(r->body) : 0,
                                       &status, &body, &len, NULL);
    if (code < 0 || status == r->status)
        return code;
    ck_assert_msg(status == 500 && strstr(body, "out of memory"), "%s: %d %s", r->target, status, body);
    return OUTCALL_E_NO_MEMORY;
}

/* Without strings of 14, 30, 62 ... bytes: there jansson 2.14 writes past its buffer when that cannot grow.
 */
#define SMALL_NETWORK                                                                                  \
    "{\"Name\":\"outcall-default\",\"Id\":\"n1\",\"Driver\":\"bridge\",\"Internal\":true,\"Labels\":{" \
    "\"managed-by\":"                                                                                  \
    "\"outcalld\"}}"

START_TEST(every_allocation_may_fail)
{
    struct api a;
    api_begin(&a, "");
    OC_FREE char *inspect = manager_inspect(&a.t, "outcall-agent-a", ID_A, "exited", "");
    OC_FREE char *rules =
        oc_asprintf("{\"path\":\"/containers/outcall-agent-a/json\",\"body\":%s}," RULE(
                        "GET", "/containers/json", "\"body\":[" LISTED "]")
                        RULE("GET", "/networks/outcall-none", SAYS("404", "gone"))
                            RULE("GET", "/networks/.*", "\"body\":" SMALL_NETWORK)
                                RULE("GET", "/networks", "\"body\":[" SMALL_NETWORK "]")
                                    RULE("GET", "/networks/outcall-default", "\"body\":" SMALL_NETWORK),
                    inspect);
    manager_script(&a.t, rules);
    struct round rounds[] = {
        {&a, "GET", "/api/v1/containers", NULL, 200},
        {&a, "GET", "/api/v1/container?name=a", NULL, 200},
        {&a, "GET", "/api/v1/status", NULL, 200},
        {&a, "GET", "/metrics", NULL, 200},
        {&a, "GET", "/api/v1/networks", NULL, 200},
        {&a, "POST", "/api/v1/network/create", "{\"name\":\"default\"}", 200},
        {&a, "POST", "/api/v1/network/destroy", "{\"name\":\"none\"}", 200},
        {&a, "POST", "/api/v1/container/remove", "{\"name\":\"a\"}", 200},
        {&a, "POST", "/api/v1/container/create", "{\"image\":\"busybox:1\",\"volumes\":[\"/proc:/x\"]}", 403},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(rounds); i++)
        ck_assert_int_gt(failmalloc_loop(one_round, &rounds[i]), 1);
    int closed = atomic_load(&a.t.closed), made = 0;
    struct round create = {&a, "POST", "/api/v1/container/create",
                           "{\"image\":\"busybox:1\",\"labels\":{\"a\":\"b\"},\"env\":[\"A=b\"]}", 200};
    bool fired = true;
    for (long nth = 1; fired;
         nth++) { /* one that fails may go through all the same: a name that is not remembered */
        failmalloc_arm(nth);
        int r = one_round(&create);
        fired = failmalloc_fired();
        failmalloc_arm(0);
        ck_assert(r == 0 || (fired && r == OUTCALL_E_NO_MEMORY));
        made += outcall_containers_count(a.t.containers) > (size_t)made;
        ck_assert_uint_eq(outcall_containers_count(a.t.containers), (size_t)made);
    }
    ck_assert_int_gt(made, 0);
    ck_assert_int_eq(atomic_load(&a.t.opened) - made, atomic_load(&a.t.closed) - closed);
    api_end(&a);
}
END_TEST

START_TEST(events_wait_for_their_followers)
{
    struct oc_event_log *l = NULL;
    uint64_t seq = 0, lost = 0;
    int fds[3];
    char text[32];
    ck_assert_int_eq(oc_event_log_new(&l), 0);
    ck_assert_ptr_null(oc_event_log_get(l, &seq, &lost));
    for (size_t i = 0; i < OC_ARRAY_SIZE(fds); i++)
        ck_assert_int_eq(oc_event_log_follow(l, &fds[i]), 0);
    oc_event_log_unfollow(l, fds[1]);
    for (int i = 1; i <= OC_EVENTS_KEPT + 10; i++) {
        (void)oc_format(text, sizeof(text), "%d", i);
        oc_event_log_add(l, strdup(text));
    }
    struct pollfd p = {.fd = fds[2], .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 0), 1);
    char *first = oc_event_log_get(l, &seq, &lost);
    ck_assert_str_eq(first, "11"); /* who begins has lost nothing */
    ck_assert_uint_eq(lost, 0);
    free(first);
    seq = 2;
    first = oc_event_log_get(l, &seq, &lost);
    ck_assert_str_eq(first, "11");
    ck_assert_uint_eq(lost, 9);
    ck_assert_uint_eq(seq, 12);
    free(first);
    oc_event_log_unfollow(l, fds[0]);
    oc_event_log_unfollow(l, fds[2]);
    (void)oc_event_log_free(l);
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {containers,
                                  streams,
                                  a_stream_that_breaks_says_so_in_its_last_line,
                                  networks,
                                  helpers_and_engine_have_their_status,
                                  arguments_that_are_missing,
                                  every_allocation_may_fail,
                                  events_wait_for_their_followers};
    const struct unit_loop loops[] = {{kinds_have_their_status, OC_ARRAY_SIZE(kinds)}};
    return unit_run("host-api", plain, OC_ARRAY_SIZE(plain), loops, OC_ARRAY_SIZE(loops));
}
