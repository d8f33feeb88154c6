/* Whose is it? Containers and volumes as a scripted engine describes them, also one that lies. */
#include "containers/manager.h"
#include "containers/volumes.h"
#include "outcall/mounts.h"
#include "outcall/network.h"
#include "support/engine_fixture.h"
#include "unit.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OURS   "{\"managed-by\":\"outcalld\",\"outcall.instance\":\"/run/oc\"}"
#define SCRIPT "{" ENGINE_20_10 ",\"rules\":[%s]}"

struct world {
    struct fixture f;
    outcall_networks *networks;
    outcall_denylist *denylist;
    outcall_containers *m;
};

static int no_socket(void *userdata, const char *name, char *ret_path, size_t size, outcall_error *err)
{
    (void)userdata;
    (void)name;
    (void)ret_path;
    (void)size;
    (void)err;
    return OUTCALL_E_INTERNAL;
}

static void begin(struct world *w)
{
    outcall_agent_hooks hooks = {.open = no_socket};
    outcall_containers_options o = OUTCALL_CONTAINERS_OPTIONS_INIT;
    memset(w, 0, sizeof(*w));
    fixture_begin(&w->f, "{" ENGINE_20_10 ",\"rules\":[]}", 0);
    fixture_ok(&w->f, outcall_networks_new(&w->networks, w->f.docker, NULL, &w->f.err));
    const char *protect[] = {w->f.socket};
    outcall_denylist_options deny = OUTCALL_DENYLIST_OPTIONS_INIT;
    deny.paths = protect;
    deny.n_paths = 1;
    fixture_ok(&w->f, outcall_denylist_new(&w->denylist, &deny, &w->f.err));
    o.docker = w->f.docker;
    o.networks = w->networks;
    o.denylist = w->denylist;
    o.instance = "/run/oc";
    o.shim_path = "/nowhere";
    o.hooks = &hooks;
    fixture_ok(&w->f, outcall_containers_new(&w->m, &o, &w->f.err));
}

static void end(struct world *w)
{
    (void)outcall_containers_free(w->m);
    (void)outcall_denylist_unref(w->denylist);
    (void)outcall_networks_free(w->networks);
    fixture_end(&w->f);
}

/* From here on the engine follows these rules. */
static void engine_says(struct world *w, const char *rules)
{
    char script[4096];
    ck_assert_int_eq(oc_format(script, sizeof(script), SCRIPT, rules), 0);
    ck_assert(fake_engine_script(w->f.engine, script));
}

/* The engine describes whatever it is asked for as this. */
static void engine_describes(struct world *w, const char *id, const char *name, const char *labels)
{
    char rules[2048];
    ck_assert_int_eq(
        oc_format(rules, sizeof(rules),
                  "{\"method\":\"GET\",\"path\":\"/containers/[^/]+/json\",\"body\":{\"Id\":\"%s\","
                  "\"Name\":\"%s\",\"State\":{\"Running\":false,\"Status\":\"exited\"},"
                  "\"Config\":{\"Labels\":%s}}},"
                  "{\"method\":\"POST\",\"path\":\"/containers/[^/]+/stop\",\"status\":204},"
                  "{\"method\":\"DELETE\",\"status\":204}",
                  id, name, labels),
        0);
    engine_says(w, rules);
}

static int inspect(struct world *w)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *info = NULL;
    return outcall_containers_inspect(w->m, "a", &info, &w->f.err);
}

START_TEST(t19_only_ours)
{
    static const char *const foreign[] = {"{}",
                                          "null",
                                          "{\"managed-by\":\"outcalld\"}",
                                          "{\"outcall.instance\":\"/run/oc\"}",
                                          "{\"managed-by\":\"me\",\"outcall.instance\":\"/run/oc\"}",
                                          "{\"managed-by\":\"outcalld\",\"outcall.instance\":\"/run/oc2\"}",
                                          "{\"Managed-By\":\"outcalld\",\"outcall.instance\":\"/run/oc\"}"};
    struct world w;
    begin(&w);
    engine_describes(&w, ID, "/outcall-agent-a", OURS);
    fixture_ok(&w.f, inspect(&w));
    for (size_t i = 0; i < OC_ARRAY_SIZE(foreign); i++) {
        engine_describes(&w, ID, "/outcall-agent-a", foreign[i]);
        fixture_failed(&w.f, inspect(&w), OUTCALL_E_DENIED, OUTCALL_KIND_NOT_MANAGED,
                       "container \"outcall-agent-a\" is not managed by outcall");
    }
    /* The engine also answers to an id, or the beginning of one. */
    engine_describes(&w, ID, "/outcall-agent-ab", OURS);
    fixture_failed(&w.f, inspect(&w), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_CONTAINER_NOT_FOUND,
                   "container \"outcall-agent-a\" does not exist");
    engine_describes(&w, "0123", "/outcall-agent-a", OURS);
    fixture_failed(&w.f, inspect(&w), OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR, "without an Id");
    end(&w);
}
END_TEST

START_TEST(t19_lists_are_judged)
{
    outcall_container_info **list = NULL;
    size_t n = 0;
    struct world w;
    begin(&w);
#define ENTRY(name, labels) \
    "{\"Id\":\"" ID "\",\"Names\":[\"" name "\"],\"State\":\"running\",\"Labels\":" labels "}"
    engine_says(&w, "{\"path\":\"/containers/json\",\"body\":[" ENTRY("/outcall-agent-b", "{}") "," ENTRY(
                        "/outcall-agent-a",
                        OURS) "," ENTRY("/postgres", OURS) "," ENTRY("/outcall-agent-", OURS) ",7,{},null]}");
    fixture_ok(&w.f, outcall_containers_list(w.m, &list, &n, &w.f.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(outcall_container_info_name(list[0]), "outcall-agent-a");
    outcall_container_info_free_many(list, n);
    end(&w);
}
END_TEST

START_TEST(t19_calls_go_to_the_id)
{
    int done = 0;
    struct world w;
    begin(&w);
    engine_describes(&w, ID, "/outcall-agent-a", OURS);
    fixture_ok(&w.f, outcall_containers_stop(w.m, "a", 0, &done, &w.f.err));
    ck_assert_int_eq(done, 1);
    ck_assert_uint_eq(fake_engine_count(w.f.engine, "POST", "/containers/" ID "/stop"), 1);
    ck_assert_uint_eq(fake_engine_count(w.f.engine, "POST", NULL), 1);
    done = 0;
    fixture_ok(&w.f, outcall_containers_remove(w.m, "a", 0, &done, &w.f.err));
    ck_assert_int_eq(done, 1);
    ck_assert_uint_eq(fake_engine_count(w.f.engine, "DELETE", "/containers/" ID "?"), 1);
    ck_assert_uint_eq(fake_engine_count(w.f.engine, "DELETE", NULL), 1);
    end(&w);
}
END_TEST

static int volume(struct world *w, const char *rules, bool *ret_new)
{
    engine_says(w, rules);
    return oc_volume_ready(w->m, "cache", ret_new, &w->f.err);
}

#define VOLUME(driver, options) "{\"Name\":\"cache\",\"Driver\":\"" driver "\",\"Options\":" options "}"
#define IS(volume)              "{\"method\":\"GET\",\"path\":\"/volumes/cache\",\"body\":" volume "}"
#define MAKES(volume)                                                              \
    "{\"method\":\"GET\",\"path\":\"/volumes/cache\",\"status\":404,\"body\":{}}," \
    "{\"method\":\"POST\",\"path\":\"/volumes/create\",\"status\":201,\"body\":" volume "}"

START_TEST(t06_volumes_are_local_and_plain)
{
    bool made = true;
    struct world w;
    begin(&w);
    fixture_ok(&w.f, volume(&w, IS(VOLUME("local", "null")), &made));
    fixture_ok(&w.f, volume(&w, IS(VOLUME("local", "{}")), &made));
    ck_assert(!made);
    fixture_failed(&w.f, volume(&w, IS(VOLUME("nfs", "null")), &made), OUTCALL_E_DENIED,
                   OUTCALL_KIND_MOUNT_DENIED, "volume mount denied: \"cache\" is not of driver \"local\"");
    fixture_failed(&w.f, volume(&w, IS(VOLUME("local", "{\"o\":\"bind\"}")), &made), OUTCALL_E_DENIED,
                   OUTCALL_KIND_MOUNT_DENIED, "volume mount denied: \"cache\" has driver options");
    fixture_failed(&w.f, volume(&w, IS(VOLUME("local", "\"o=bind\"")), &made), OUTCALL_E_DENIED,
                   OUTCALL_KIND_MOUNT_DENIED, "has driver options");
    fixture_failed(&w.f, volume(&w, IS("{\"Name\":\"other\",\"Driver\":\"local\"}"), &made), OUTCALL_E_DENIED,
                   OUTCALL_KIND_MOUNT_DENIED, "is not what the engine answered with");
    end(&w);
}
END_TEST

START_TEST(t06_a_volume_made_in_between)
{
    bool made = false;
    struct world w;
    begin(&w);
    fixture_ok(&w.f, volume(&w, MAKES(VOLUME("local", "{}")), &made));
    ck_assert(made);
    fixture_failed(&w.f, volume(&w, MAKES(VOLUME("local", "{\"o\":\"bind\"}")), &made), OUTCALL_E_DENIED,
                   OUTCALL_KIND_MOUNT_DENIED, "has driver options");
    end(&w);
}
END_TEST

UNIT_MAIN("ownership", t19_only_ours, t19_lists_are_judged, t19_calls_go_to_the_id,
          t06_volumes_are_local_and_plain, t06_a_volume_made_in_between)
