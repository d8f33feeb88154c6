/* Adoption and the engine's events over a scripted engine: what a daemon concludes from what it finds and is
 * told. */
#include "outcall/log.h"
#include "support/manager_fixture.h"
#include "unit.h"
#include <sys/eventfd.h>

#define RULE(method, path, rest) "{\"method\":\"" method "\",\"path\":\"" path "\"," rest "},"
#define OURS                     "\"managed-by\":\"outcalld\",\"outcall.instance\":\"/run/unit\""

struct warnings {
    char text[4096];
};

static void on_log(int level, const char *target, const char *message, void *userdata)
{
    struct warnings *w = userdata;
    size_t n = strlen(w->text);
    if (level <= OUTCALL_LOG_WARN)
        (void)oc_format(w->text + n, sizeof(w->text) - n, "%s: %s\n", target, message);
}

/* The engine lists and describes one container as the script says. */
static void engine_has(struct manager *t, const char *listed, const char *name, const char *inspect,
                       const char *more)
{
    OC_FREE char *rules = oc_asprintf("%s{\"path\":\"/containers/json\",\"body\":[%s]},"
                                      "{\"path\":\"/containers/%s/json\",%s},",
                                      more, listed, name, inspect);
    ck_assert_ptr_nonnull(rules);
    manager_script(t, rules);
}

#define LISTED(name, labels) "{\"Id\":\"" ID_A "\",\"Names\":[\"/" name "\"],\"Labels\":{" labels "}}"

static void engine_has_a(struct manager *t, const char *status, const char *more)
{
    OC_FREE char *inspect = manager_inspect(t, "outcall-agent-a", ID_A, status, "");
    OC_FREE char *body = oc_asprintf("\"body\":%s", inspect);
    engine_has(t, LISTED("outcall-agent-a", OURS), "outcall-agent-a", body, more);
}

START_TEST(a_half_made_container_is_removed)
{
    struct manager t;
    size_t n = 0;
    manager_begin_with(&t, NULL, NULL);
    engine_has_a(&t, "created", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, &n, &t.f.err));
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "DELETE", ID_A), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 1);
    ck_assert_int_eq(atomic_load(&t.opened), 0);
    ck_assert(manager_saw(&t, "leftover-removed outcall-agent-a;"));
    ck_assert_uint_eq(outcall_containers_count(t.containers), 0);
    manager_end(&t);
}
END_TEST

START_TEST(one_that_runs_and_one_that_ended_are_found_again)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    engine_has_a(&t, "running", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_eq(atomic_load(&t.opened), 1);
    ck_assert_int_eq(atomic_load(&t.stopped), 0);
    engine_has_a(&t, "exited", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_eq(atomic_load(&t.opened), 2);
    ck_assert_int_eq(atomic_load(&t.stopped), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    ck_assert_int_eq(atomic_load(&t.swept), 2);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
    manager_script(&t, ""); /* gone meanwhile */
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_eq(atomic_load(&t.closed), 1);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 0);
    manager_end(&t);
}
END_TEST

START_TEST(what_is_not_ours_is_left_alone)
{
    static const char *const others[] = {
        LISTED("outcall-agent-a", ""),
        LISTED("outcall-agent-a", "\"managed-by\":\"outcalld\""),
        LISTED("outcall-agent-a", "\"managed-by\":\"outcalld\",\"outcall.instance\":\"/run/other\""),
        LISTED("outcall-agent-A", OURS),
        LISTED("outcall-agent-", OURS),
        LISTED("x-outcall-agent-a", OURS),
        "7",
        "{}",
        "{\"Names\":7,\"Labels\":[]}",
        "{\"Names\":[null,{}],\"Labels\":{" OURS "}}"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(others); i++) {
        struct manager t;
        size_t n = 9;
        manager_begin_with(&t, NULL, NULL);
        engine_has(&t, others[i], "outcall-agent-a", "\"status\":500", "");
        fixture_ok(&t.f, outcall_containers_adopt(t.containers, &n, &t.f.err));
        ck_assert_uint_eq(n, 0);
        ck_assert_uint_eq(manager_calls(&t), 0);
        ck_assert_int_eq(atomic_load(&t.opened) + atomic_load(&t.closed), 0);
        manager_end(&t);
    }
}
END_TEST

START_TEST(our_prefix_without_our_label_is_worth_a_warning)
{
    struct manager t;
    struct warnings w = {""};
    outcall_log *log = NULL;
    outcall_containers_options o = OUTCALL_CONTAINERS_OPTIONS_INIT;
    manager_begin_with(&t, NULL, NULL);
    ck_assert_int_eq(outcall_log_new(&log, on_log, &w), 0);
    t.containers = outcall_containers_free(t.containers);
    o.docker = t.f.docker;
    o.networks = t.networks;
    o.denylist = t.denylist;
    o.instance = "/run/unit";
    o.shim_path = t.shim;
    o.agent_socket_path = t.socket;
    o.log = log;
    fixture_ok(&t.f, outcall_containers_new(&t.containers, &o, &t.f.err));
    engine_has(&t, LISTED("outcall-agent-x", ""), "outcall-agent-a", "\"status\":500", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_str_eq(w.text, "containers: \"outcall-agent-x\" has our prefix but not our label: ignored\n");
    (void)outcall_log_unref(log);
    manager_end(&t);
}
END_TEST

START_TEST(a_list_that_is_none_changes_nothing)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    manager_script(&t, RULE("GET", "/containers/json", "\"body\":{}"));
    fixture_failed(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err), OUTCALL_E_PROTOCOL,
                   OUTCALL_KIND_DOCKER_ERROR, "no list");
    ck_assert_int_eq(atomic_load(&t.swept), 0);
    manager_end(&t);
}
END_TEST

START_TEST(an_adoption_with_gaps_sweeps_nothing)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    engine_has(&t, LISTED("outcall-agent-a", OURS), "outcall-agent-a", "\"raw\":\"x\"", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_eq(atomic_load(&t.swept), 0);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    engine_has_a(&t, "running", "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_eq(atomic_load(&t.swept), 1);
    manager_end(&t);
}
END_TEST

struct watcher {
    struct manager *t;
    pthread_t thread;
    int stop_fd, result;
};

static void *watch(void *arg)
{
    struct watcher *w = arg;
    outcall_error err = OUTCALL_ERROR_INIT;
    w->result = outcall_containers_watch(w->t->containers, w->stop_fd, &err);
    return NULL;
}

/* Plays these events to a watch that knows container a; ends when until was seen, or an engine call of that
 * kind. */
static void play(struct manager *t, const char *events, const char *more, const char *until,
                 const char *method, const char *target)
{
    struct watcher w = {.t = t, .stop_fd = eventfd(0, EFD_CLOEXEC), .result = 1};
    OC_FREE char *rules = oc_asprintf("%s{\"path\":\"/events\",\"chunks\":[%s,"
                                      "\"{\\\"Type\\\":\\\"container\\\",\\\"Action\\\":\\\"update\\\","
                                      "\\\"Actor\\\":{\\\"ID\\\":\\\"last\\\",\\\"Attributes\\\":"
                                      "{\\\"name\\\":\\\"outcall-agent-last\\\",\\\"managed-by\\\":"
                                      "\\\"outcalld\\\",\\\"outcall.instance\\\":\\\"/run/unit\\\"}}}\\n\"],"
                                      "\"hang\":\"end\"},",
                                      more, events);
    engine_has_a(t, "running", rules);
    t->events[0] = '\0';
    ck_assert_int_eq(pthread_create(&w.thread, NULL, watch, &w), 0);
    ck_assert_msg(manager_wait(t, "update outcall-agent-last;"), "the watch hangs: %s", t->events);
    ck_assert_msg(!until || manager_saw(t, until), "not seen: %s in %s", until, t->events);
    ck_assert_msg(!method || fake_engine_count(t->f.engine, method, target) > 0, "no %s %s", method, target);
    ck_assert_int_eq(eventfd_write(w.stop_fd, 1), 0);
    ck_assert_int_eq(pthread_join(w.thread, NULL), 0);
    ck_assert_int_eq(w.result, 0);
    oc_close(w.stop_fd);
}

#define EVENT(action, id, name, more)                                                                       \
    "\"{\\\"Type\\\":\\\"container\\\",\\\"Action\\\":\\\"" action "\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"" id \
    "\\\",\\\"Attributes\\\":{\\\"name\\\":\\\"" name "\\\"," more                                          \
    "\\\"managed-by\\\":\\\"outcalld\\\",\\\"outcall.instance\\\":\\\"/run/unit\\\"}}}\\n\""
#define KILL RULE("POST", "/containers/" ID_B "/kill", "\"status\":204")

START_TEST(a_death_ends_the_sessions_of_that_container_only)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    play(&t, EVENT("die", ID_A, "outcall-agent-a", ""), "", "die outcall-agent-a;", NULL, NULL);
    ck_assert_int_eq(atomic_load(&t.stopped), 1);
    /* of an earlier container of that name: the one that lives now has other sessions */
    play(&t, EVENT("die", ID_B, "outcall-agent-a", ""), "", NULL, NULL, NULL);
    ck_assert_int_eq(atomic_load(&t.stopped), 1);
    manager_end(&t);
}
END_TEST

START_TEST(a_destroyed_container_is_looked_at)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    play(&t, EVENT("destroy", ID_B, "outcall-agent-a", ""), "", NULL, NULL, NULL);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, NULL, "/containers/outcall-agent-a/json"),
                      1); /* the adoption's */
    play(&t, EVENT("destroy", ID_A, "outcall-agent-a", ""), "", "destroy outcall-agent-a;", NULL, NULL);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, NULL, "/containers/outcall-agent-a/json"), 3);
    manager_end(&t);
}
END_TEST

START_TEST(a_renamed_container_is_killed)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    play(&t, EVENT("rename", ID_A, "innocent", "\\\"oldName\\\":\\\"/outcall-agent-a\\\","), "",
         "quarantine outcall-agent-a;", "POST", ID_A "/kill");
    manager_end(&t);
}
END_TEST

static const char long_name[] =
    "outcall-agent-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* Names that only somebody with the engine in hand can give. */
START_TEST(a_name_that_is_none_of_ours_is_never_adopted)
{
    static const char *const names[] = {"innocent",  "outcall-agent-A", long_name,
                                        "../../etc", "outcall-agent-",  ""};
    ck_assert_uint_ge(strlen(long_name), OC_NAME_SIZE);
    for (size_t i = 0; i < OC_ARRAY_SIZE(names); i++) {
        struct manager t;
        OC_FREE char *events = NULL;
        char one[2048];
        manager_begin_with(&t, NULL, NULL);
        (void)oc_format(one, sizeof(one), EVENT("%%s", ID_B, "%s", "\\\"oldName\\\":\\\"/%s\\\","), names[i],
                        names[i]);
        OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
        for (int round = 0; round < 2; round++) {
            static const char *const actions[] = {"rename", "start", "die", "destroy", "exec_create: sh"};
            for (size_t k = 0; k < OC_ARRAY_SIZE(actions); k++) {
                const char *at = strstr(one, "%s");
                ck_assert_int_eq(oc_buf_printf(&b, "%s%.*s%s%s", b.len ? "," : "", (int)(at - one), one,
                                               actions[k], at + 2),
                                 0);
            }
        }
        events = oc_buf_take(&b, NULL);
        int opened = 1; /* container a, by the adoption */
        play(&t, events, KILL, "quarantine", "POST", ID_B "/kill");
        ck_assert_int_eq(atomic_load(&t.opened), opened);
        ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
        fixture_ok(&t.f,
                   outcall_containers_adopt(t.containers, NULL, &t.f.err)); /* and nothing waits for ever */
        manager_end(&t);
    }
}
END_TEST

START_TEST(a_privileged_process_costs_the_container_its_life)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    play(&t, EVENT("exec_create: sh", ID_A, "outcall-agent-a", "\\\"execID\\\":\\\"e1\\\","),
         RULE("GET", "/exec/e1/json", "\"body\":{\"ProcessConfig\":{\"privileged\":false}}"),
         "exec outcall-agent-a;", "GET", "/exec/e1/json");
    ck_assert(!manager_saw(&t, "quarantine"));
    /* not to be found out: the same */
    play(&t, EVENT("exec_create: sh", ID_A, "outcall-agent-a", "\\\"execID\\\":\\\"e2\\\","),
         RULE("GET", "/exec/e2/json", "\"status\":404,\"body\":{\"message\":\"no such exec\"}"),
         "quarantine outcall-agent-a;", "POST", ID_A "/kill");
    play(&t, EVENT("exec_create: sh", ID_A, "outcall-agent-a", "\\\"execID\\\":\\\"e1\\\","),
         RULE("GET", "/exec/e1/json", "\"body\":{\"ProcessConfig\":{\"privileged\":true}}"),
         "quarantine outcall-agent-a;", "POST", ID_A "/kill");
    manager_end(&t);
}
END_TEST

START_TEST(a_second_network_is_noticed)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    OC_FREE char *two = manager_inspect(&t, "outcall-agent-a", ID_A, "running", "");
    char *networks = strstr(two, "{\"outcall-default\":{\"IPAddress\"");
    ck_assert_ptr_nonnull(networks);
    static const char other[] = "{\"other-network-x\""; /* as long as ours */
    for (size_t i = 0; other[i]; i++)
        networks[i] = other[i];
    OC_FREE char *rule =
        oc_asprintf("{\"path\":\"/containers/outcall-agent-a/json\",\"times\":9,\"body\":%s},", two);
    play(&t,
         "\"{\\\"Type\\\":\\\"network\\\",\\\"Action\\\":\\\"connect\\\",\\\"Actor\\\":{\\\"Attributes\\\":{"
         "\\\"container\\\":\\\"" ID_A "\\\"}}}\\n\"",
         rule, "quarantine outcall-agent-a;", "POST", ID_A "/kill");
    manager_end(&t);
}
END_TEST

START_TEST(events_that_make_no_sense_are_passed_over)
{
    struct manager t;
    manager_begin_with(&t, NULL, NULL);
    play(&t,
         "\"7\\n\",\"{}\\n\",\"[]\\n\",\"{\\\"Type\\\":7}\\n\",\"{\\\"Type\\\":\\\"container\\\"}\\n\","
         "\"{\\\"Type\\\":\\\"container\\\",\\\"Action\\\":\\\"die\\\",\\\"Actor\\\":7}\\n\","
         "\"{\\\"Type\\\":\\\"network\\\",\\\"Actor\\\":{\\\"Attributes\\\":{\\\"container\\\":\\\"\\\"}}}"
         "\\n\"," EVENT("rename", "", "", "") "," EVENT("exec_create", "", "outcall-agent-a",
                                                        "") "," EVENT("explode", ID_A, "outcall-agent-a", ""),
         "", NULL, NULL, NULL);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
    manager_end(&t);
}
END_TEST

UNIT_MAIN("containers-watch", a_half_made_container_is_removed,
          one_that_runs_and_one_that_ended_are_found_again, what_is_not_ours_is_left_alone,
          our_prefix_without_our_label_is_worth_a_warning, a_list_that_is_none_changes_nothing,
          an_adoption_with_gaps_sweeps_nothing, a_death_ends_the_sessions_of_that_container_only,
          a_destroyed_container_is_looked_at, a_renamed_container_is_killed,
          a_name_that_is_none_of_ours_is_never_adopted, a_privileged_process_costs_the_container_its_life,
          a_second_network_is_noticed, events_that_make_no_sense_are_passed_over)
