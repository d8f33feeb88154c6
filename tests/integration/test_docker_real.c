/* The engine client and the networks against a real engine, given as OUTCALL_TEST_DOCKER. Everything made
 * here carries a random name and is removed again. */
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "docker/events.h"
#include "outcall/network.h"
#include "unit/unit.h"
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define BLOCK   "198.19.0.0/16" /* for benchmarks only (RFC 2544) */
#define THREADS 8

static outcall_docker *docker;
static char suffix[17];

static void ok(int r, const outcall_error *err)
{
    ck_assert_msg(r == 0, "%d: %s", r, err->text);
}

static void begin(void)
{
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    o.docker_host = getenv("OUTCALL_TEST_DOCKER");
    ok(outcall_docker_new(&docker, &o, &err), &err);
    ok(oc_random_hex(suffix, sizeof(suffix)), &err);
}

static void end(void)
{
    docker = outcall_docker_free(docker);
}

START_TEST(the_engine_is_known_after_a_ping)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    struct oc_docker_state state;
    pid_t pid = 0;
    begin();
    ok(outcall_docker_ping(docker, &err), &err);
    oc_docker_state(docker, &state);
    ck_assert(state.reachable);
    ck_assert_str_ne(state.server_version, "");
    ck_assert(oc_starts_with(state.api_version, "1."));
    ok(oc_docker_peer(docker, &pid, &err), &err);
    ck_assert_int_gt(pid, 0);
    end();
}
END_TEST

/* The engine takes the escaped slash of a reference for part of the name, and its own words come back. */
START_TEST(the_engines_words_come_back)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *path = NULL;
    begin();
    ok(oc_docker_path(&path, &err, "/images/%s/json", "localhost:1/no/such:image"), &err);
    int r = oc_docker_ok(docker, "GET", path, NULL, 0, NULL, NULL, &err);
    ck_assert_int_eq(r, OUTCALL_E_REMOTE);
    ck_assert_int_eq(err.status, 404);
    ck_assert_msg(strcasestr(err.text, "no such image") && strstr(err.text, "localhost:1/no/such:image"),
                  "%s", err.text);
    outcall_error_clear(&err);
    int pulled = -1;
    r = outcall_image_pull(docker, "localhost:1/no/such:image", NULL, NULL, &pulled, &err);
    ck_assert_int_eq(r, OUTCALL_E_REMOTE);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_DOCKER_ERROR);
    ck_assert_msg(strstr(err.text, "localhost:1"), "%s", err.text);
    ck_assert_int_eq(pulled, -1);
    end();
}
END_TEST

struct watch {
    int stop_fd, open_fd, seen;
    uint64_t since_ns, last_ns;
    int result;
};

static int on_event(void *userdata, const json_t *event, uint64_t time_ns)
{
    struct watch *w = userdata;
    ck_assert_uint_gt(time_ns, 0);
    ck_assert_str_eq(oc_json_string(event, "Type", ""), "volume");
    w->seen++;
    return w->seen == 2 ? 5 : 0;
}

static void on_open(void *userdata)
{
    struct watch *w = userdata;
    ck_assert_int_eq((int)write(w->open_fd, "x", 1), 1);
}

static void *watch(void *userdata)
{
    struct watch *w = userdata;
    OC_JSON json_t *filters =
        json_pack("{s:[s],s:[s,s],s:[s]}", "type", "volume", "event", "create", "destroy", "volume", suffix);
    struct oc_docker_events e = {.filters = filters,
                                 .since_ns = w->since_ns,
                                 .stop_fd = w->stop_fd,
                                 .on_open = on_open,
                                 .on_event = on_event,
                                 .userdata = w};
    w->result = oc_docker_events(docker, &e, &w->last_ns, NULL);
    return NULL;
}

static void make_and_remove_volume(void)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *path = NULL;
    OC_JSON json_t *body = json_pack("{s:s}", "Name", suffix);
    ok(oc_docker_ok(docker, "POST", "/volumes/create", body, 0, NULL, NULL, &err), &err);
    ok(oc_docker_path(&path, &err, "/volumes/%s", suffix), &err);
    ok(oc_docker_ok(docker, "DELETE", path, NULL, 0, NULL, NULL, &err), &err);
}

START_TEST(events_arrive_are_replayed_and_stop)
{
    int stop[2], opened[2];
    char c = 0;
    pthread_t thread;
    begin();
    ck_assert_int_eq(pipe2(stop, O_CLOEXEC) + pipe2(opened, O_CLOEXEC), 0);
    struct watch w = {.stop_fd = stop[0], .open_fd = opened[1]};
    uint64_t before_ns = (uint64_t)time(NULL) * 1000000000U;
    ck_assert_int_eq(pthread_create(&thread, NULL, watch, &w), 0);
    ck_assert_int_eq((int)read(opened[0], &c, 1), 1);
    make_and_remove_volume();
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(w.result, 5);
    /* Whoever comes back after a loss gets them again. */
    struct watch late = {.stop_fd = -1, .open_fd = opened[1], .since_ns = before_ns};
    (void)watch(&late);
    ck_assert_int_eq(late.result, 5);
    ck_assert_uint_eq(late.last_ns, w.last_ns);
    /* And with nothing to hear, the stream ends on demand. */
    struct watch idle = {.stop_fd = stop[0], .open_fd = opened[1]};
    ck_assert_int_eq((int)write(stop[1], "x", 1), 1);
    (void)watch(&idle);
    ck_assert_int_eq(idle.result, OUTCALL_E_CLOSED);
    ck_assert_int_eq(close(stop[0]) + close(stop[1]) + close(opened[0]) + close(opened[1]), 0);
    end();
}
END_TEST

struct race {
    outcall_networks *networks;
    int result, created;
    pthread_barrier_t *start;
};

static void *race(void *userdata)
{
    struct race *r = userdata;
    outcall_network_info *info = NULL;
    (void)pthread_barrier_wait(r->start);
    r->result = outcall_networks_create(r->networks, suffix, NULL, NULL, &r->created, &info, NULL);
    (void)outcall_network_info_free(info);
    return NULL;
}

START_TEST(creates_that_race_make_one_network)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_networks *networks = NULL;
    pthread_barrier_t start;
    pthread_t threads[THREADS];
    struct race races[THREADS];
    int created = 0, destroyed = 0;
    begin();
    ok(outcall_networks_new(&networks, docker, BLOCK, &err), &err);
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        races[i] = (struct race){.networks = networks, .start = &start};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &races[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(races[i].result, 0);
        created += races[i].created;
    }
    ck_assert_int_eq(created, 1);
    ok(outcall_networks_destroy(networks, suffix, &destroyed, &err), &err);
    ck_assert_int_eq(destroyed, 1);
    ok(outcall_networks_destroy(networks, suffix, &destroyed, &err), &err);
    ck_assert_int_eq(destroyed, 0);
    (void)pthread_barrier_destroy(&start);
    (void)outcall_networks_free(networks);
    end();
}
END_TEST

static int run_all(void)
{
    const TTest *const all[] = {the_engine_is_known_after_a_ping, the_engines_words_come_back,
                                events_arrive_are_replayed_and_stop, creates_that_race_make_one_network};
    Suite *suite = suite_create("docker-real");
    TCase *tcase = tcase_create("docker-real");
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < OC_ARRAY_SIZE(all); i++)
        tcase_add_test(tcase, all[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

int main(void)
{
    if (!getenv("OUTCALL_TEST_DOCKER")) {
        printf("skipped: OUTCALL_TEST_DOCKER names no engine\n");
        return getenv("OUTCALL_TESTS_MUST_WORK") ? 1 : 77;
    }
    return run_all();
}
