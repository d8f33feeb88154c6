/* Create's ten steps over a scripted engine: in which order it is asked, and what is taken back when a step
 * fails. */
#include "base/clock.h"
#include "support/manager_fixture.h"
#include "unit.h"

#define EMPTY_LABEL "\"Config\":{\"Labels\":{\"outcall.mounts\":\"{}\"}}"
#define NETWORK     "GET /networks/outcall-default\n"
#define IMAGE       "GET /images/busybox%3A1/json\n"
#define CREATE      "POST /containers/create?name=outcall-agent-a\n"
#define START       "POST /containers/" ID_A "/start\n"
#define INSPECT     "GET /containers/" ID_A "/json\n"
#define DELETE      "DELETE /containers/" ID_A "?v=1&force=1\n"
#define FIND        "GET /containers/outcall-agent-a/json\n"

/* The calls to the engine so far, one a line, without version and body; new. */
static char *calls(struct manager *t)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_FREE char *all = fake_engine_requests(t->f.engine);
    char *save = NULL;
    for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        static const char version[] = " /v1.41";
        int method = (int)strcspn(line, " "); /* "METHOD TARGET BODY" */
        const char *target = line + method;
        if (!oc_starts_with(target, version) || strstr(target, "/containers/json"))
            continue;
        target += strlen(version);
        ck_assert_int_eq(oc_buf_printf(&b, "%.*s %.*s\n", method, line, (int)strcspn(target, " "), target),
                         0);
    }
    char *text = oc_buf_take(&b, NULL);
    ck_assert_ptr_nonnull(text);
    return text;
}

static void calls_are(struct manager *t, const char *expected)
{
    OC_FREE char *got = calls(t);
    ck_assert_str_eq(got, expected);
}

static outcall_container_spec spec_of(const char *name)
{
    outcall_container_spec s = OUTCALL_CONTAINER_SPEC_INIT;
    s.image = "busybox:1";
    s.name = name;
    return s;
}

static int create(struct manager *t, const outcall_container_spec *s)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *info = NULL;
    int r = outcall_containers_create(t->containers, s, &info, &t->f.err);
    ck_assert_int_eq(r == 0, info != NULL);
    return r;
}

START_TEST(asks_in_the_order_of_the_steps)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    fixture_ok(&t.f, create(&t, &s));
    calls_are(&t, NETWORK IMAGE CREATE START INSPECT);
    ck_assert_int_eq(atomic_load(&t.opened), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
    manager_end(&t);
}
END_TEST

START_TEST(a_denied_mount_costs_no_call) /* S008-EC-001 */
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    outcall_mount mounts[] = {{"cache", "/cache", 0}, {t.f.socket, "/s", 1}};
    s.mounts = mounts;
    s.n_mounts = 2;
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, t.f.socket);
    ck_assert_uint_eq(manager_calls(&t), 0);
    ck_assert_int_eq(atomic_load(&t.opened), 0);
    mounts[1].source = t.f.dir; /* its directory */
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                   "exposes protected path");
    ck_assert_uint_eq(manager_calls(&t), 0);
    manager_end(&t);
}
END_TEST

#define RULE(method, path, rest) "{\"method\":\"" method "\",\"path\":\"" path "\"," rest "},"
#define SAYS(status, text)       "\"status\":" status ",\"body\":{\"message\":\"" text "\"}"

static const struct failure {
    const char *rule; /* what the engine does otherwise */
    int code, kind;
    const char *text, *calls;
} failures[] = {
    {RULE("GET", "/networks/.*", SAYS("404", "gone")), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_NETWORK_NOT_FOUND,
     "network \"outcall-default\" does not exist", NETWORK},
    {RULE("GET", "/networks/.*", "\"body\":{\"Name\":\"outcall-default\",\"Driver\":\"bridge\"}"),
     OUTCALL_E_DENIED, OUTCALL_KIND_NOT_MANAGED, "network \"outcall-default\" is not managed by outcall",
     NETWORK},
    {RULE("GET", "/networks/.*", SAYS("500", "sick")), OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "sick",
     NETWORK},
    {RULE("GET", "/networks/.*", "\"body\":[]"), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_NETWORK_NOT_FOUND,
     "network \"outcall-default\" does not exist", NETWORK},
    {RULE("GET", "/images/.*", SAYS("404", "gone")), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_IMAGE_NOT_FOUND,
     "image \"busybox:1\" not found locally — pull it first", NETWORK IMAGE},
    {RULE("GET", "/images/.*", "\"body\":{\"Id\":7}"), OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
     "without an Id", NETWORK IMAGE},
    {RULE("GET", "/images/.*", "\"body\":{\"Id\":\"x\",\"Config\":{\"Volumes\":{\"/run\":{}}}}"),
     OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "/run", NETWORK IMAGE},
    {RULE("GET", "/images/.*", "\"body\":\"{\""), OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR, "",
     NETWORK IMAGE},
    {RULE("POST", "/containers/create", SAYS("409", "Conflict. The name is taken")), OUTCALL_E_REMOTE,
     OUTCALL_KIND_CONFLICT, "Conflict. The name is taken", NETWORK IMAGE CREATE},
    {RULE("POST", "/containers/create", SAYS("500", "no room")), OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR,
     "no room", NETWORK IMAGE CREATE},
    {RULE("POST", "/containers/create", "\"status\":201,\"body\":{\"Id\":\"short\"}"), OUTCALL_E_PROTOCOL,
     OUTCALL_KIND_DOCKER_ERROR, "without an Id", NETWORK IMAGE CREATE FIND},
    {RULE("POST", "/containers/.*/start", SAYS("500", "runc is sick")), OUTCALL_E_REMOTE,
     OUTCALL_KIND_DOCKER_ERROR, "runc is sick", NETWORK IMAGE CREATE START DELETE},
    {RULE("GET", "/containers/.*/json", SAYS("500", "sick")), OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR,
     "sick", NETWORK IMAGE CREATE START INSPECT DELETE},
    {RULE("GET", "/containers/.*/json", SAYS("404", "gone")), OUTCALL_E_NOT_FOUND,
     OUTCALL_KIND_CONTAINER_NOT_FOUND, "does not exist", NETWORK IMAGE CREATE START INSPECT DELETE},
    {RULE("GET", "/containers/.*/json",
          "\"body\":{\"Id\":\"" ID_A "\"," EMPTY_LABEL ",\"HostConfig\":{\"Binds\":[\"/:/host\"]}}"),
     OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "Binds or VolumesFrom",
     NETWORK IMAGE CREATE START INSPECT DELETE},
    {RULE("GET", "/containers/.*/json", "\"body\":{\"Id\":\"" ID_A "\"," EMPTY_LABEL "}"), OUTCALL_E_DENIED,
     OUTCALL_KIND_MOUNT_DENIED, "it lacks", NETWORK IMAGE CREATE START INSPECT DELETE},
    {RULE("GET", "/containers/.*/json", "\"body\":{\"Id\":\"" ID_A "\"}"), OUTCALL_E_DENIED,
     OUTCALL_KIND_MOUNT_DENIED, "there is no label", NETWORK IMAGE CREATE START INSPECT DELETE},
};

START_TEST(a_step_that_fails_leaves_nothing)
{
    const struct failure *f = &failures[_i];
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    manager_script(&t, f->rule);
    fixture_failed(&t.f, create(&t, &s), f->code, f->kind, f->text);
    calls_are(&t, f->calls);
    ck_assert_int_eq(atomic_load(&t.opened), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 1);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 0);
    manager_script(&t, ""); /* and the name is free again */
    fixture_ok(&t.f, create(&t, &s));
    manager_end(&t);
}
END_TEST

START_TEST(the_engines_socket_must_be_denied)
{
    struct manager t;
    outcall_containers *m = NULL;
    OC_CLEANUP(outcall_denylist_unrefp) outcall_denylist *without = NULL;
    outcall_containers_options o = OUTCALL_CONTAINERS_OPTIONS_INIT;
    manager_begin(&t);
    fixture_ok(&t.f, outcall_denylist_new(&without, NULL, &t.f.err));
    o.docker = t.f.docker;
    o.networks = t.networks;
    o.denylist = without;
    o.instance = "/run/unit";
    o.shim_path = t.shim;
    o.agent_socket_path = t.socket;
    fixture_failed(&t.f, outcall_containers_new(&m, &o, &t.f.err), OUTCALL_E_INVALID, 0, "is not on it");
    ck_assert_ptr_null(m);
    ck_assert(outcall_denylist_has(t.denylist, t.f.socket));
    ck_assert(!outcall_denylist_has(without, t.f.socket));
    ck_assert(outcall_denylist_has(without, "/var/run/docker.sock"));
    manager_end(&t);
}
END_TEST

START_TEST(helpers_that_are_missing_cost_no_call)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    atomic_store(&t.fail_open, 1);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_SYSTEM, 0,
                   "agent socket of \"outcall-agent-a\" could not be opened");
    ck_assert_int_eq(atomic_load(&t.closed), 1); /* it may have got half-way */
    atomic_store(&t.fail_open, 0);
    ck_assert_int_eq(chmod(t.shim, 0644), 0);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_INVALID, OUTCALL_KIND_SHIM_NOT_FOUND,
                   "is not executable for everybody");
    ck_assert_int_eq(unlink(t.shim), 0);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_SHIM_NOT_FOUND,
                   "shim binary not found at");
    ck_assert_int_eq(symlink("/bin/true", t.shim), 0);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_INVALID, OUTCALL_KIND_SHIM_NOT_FOUND, "is a symlink");
    ck_assert_int_eq(unlink(t.shim), 0);
    int shim = open(t.shim, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert_int_eq(fchmod(shim, 0755), 0);
    oc_close(shim);
    oc_close(t.listen_fd); /* the file is there, nobody listens */
    t.listen_fd = -1;
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_NOT_FOUND, OUTCALL_KIND_AGENT_SOCKET_NOT_FOUND,
                   "agent socket not found at");
    ck_assert_int_eq(atomic_load(&t.opened), atomic_load(&t.closed));
    ck_assert_uint_eq(manager_calls(&t), 0);
    manager_end(&t);
}
END_TEST

START_TEST(a_clean_up_that_fails_is_told_too)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    manager_script(&t, RULE("POST", "/containers/.*/start", SAYS("500", "start broke"))
                           RULE("DELETE", "/containers/.*", SAYS("500", "delete broke")));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR,
                   "start broke; and the clean-up failed: delete broke");
    ck_assert_int_eq(atomic_load(&t.closed), 1);
    manager_end(&t);
}
END_TEST

START_TEST(a_known_name_is_not_touched) /* S008-EC-013 */
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    fixture_ok(&t.f, create(&t, &s));
    manager_script(&t, RULE("POST", "/containers/create", SAYS("409", "Conflict. Already in use")));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_REMOTE, OUTCALL_KIND_CONFLICT, "Conflict. Already in use");
    ck_assert_int_eq(atomic_load(&t.opened), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "DELETE", NULL), 0);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
    /* It has just gone, and the engine makes another one: that one goes, unstarted. */
    manager_script(&t, RULE("POST", "/containers/create", "\"status\":201,\"body\":{\"Id\":\"" ID_B "\"}")
                           RULE("DELETE", "/containers/" ID_B, "\"status\":204"));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT, "is just being removed");
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "DELETE", ID_B), 1);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "POST", ID_B "/start"), 0);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    manager_end(&t);
}
END_TEST

/* After a restart, before the engine could be asked which containers live: the name may be that of one that
 * does. */
START_TEST(before_the_adoption_a_name_is_looked_at_first)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin_with(&t, NULL, NULL);
    fake_engine_free(t.f.engine);
    t.f.engine = NULL;
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE, "");
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    fixture_engine(&t.f, "{" ENGINE_20_10 ",\"rules\":[]}");
    OC_FREE char *living = manager_inspect(&t, "outcall-agent-a", ID_B, "running", "");
    OC_FREE char *rule = oc_asprintf("{\"path\":\"/containers/outcall-agent-a/json\",\"body\":%s}," RULE(
                                         "POST", "/containers/create", SAYS("409", "Conflict. In use")),
                                     living);
    manager_script(&t, rule);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_REMOTE, OUTCALL_KIND_CONFLICT, "Conflict. In use");
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "DELETE", NULL), 0);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1); /* found again on the way */
    manager_end(&t);
}
END_TEST

START_TEST(before_the_adoption_a_free_name_is_free)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin_with(&t, NULL, NULL);
    fixture_ok(&t.f, create(&t, &s));
    calls_are(&t, FIND NETWORK IMAGE CREATE START INSPECT);
    manager_end(&t);
}
END_TEST

START_TEST(generated_names_are_drawn_again) /* S008-EC-009 */
{
    struct manager t;
    outcall_container_spec s = spec_of(NULL);
    manager_begin(&t);
    manager_script(
        &t, "{\"method\":\"POST\",\"path\":\"/containers/create\",\"times\":3," SAYS("409", "Conflict") "},");
    fixture_ok(&t.f, create(&t, &s));
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "POST", "/containers/create"), 4);
    ck_assert_int_eq(atomic_load(&t.opened), 4);
    ck_assert_int_eq(atomic_load(&t.closed), 3);
    manager_script(&t, RULE("POST", "/containers/create", SAYS("409", "Conflict")));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_REMOTE, OUTCALL_KIND_CONFLICT, "Conflict");
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "POST", "/containers/create"), 8);
    ck_assert_int_eq(atomic_load(&t.opened), 8);
    ck_assert_int_eq(atomic_load(&t.closed), 7);
    manager_end(&t);
}
END_TEST

/* The engine makes the container and its answer is lost. The moment of creation is in its labels to the
 * second, so a round in which the second turned is repeated. Returns whether it did not. */
static bool lose_answer(struct manager *t, const char *status, bool same_moment, const char *broken)
{
    char now[OC_RFC3339_SIZE], label[64];
    outcall_container_spec s = spec_of("a");
    oc_rfc3339(time(NULL), now);
    (void)oc_format(label, sizeof(label), ",\"outcall.created-at\":\"%s\"",
                    same_moment ? now : "2001-01-01T00:00:00Z");
    OC_FREE char *made = manager_inspect(t, "outcall-agent-a", ID_A, status, label);
    OC_FREE char *rules = oc_asprintf("{\"method\":\"POST\",\"path\":\"/containers/create\",%s},"
                                      "{\"path\":\"/containers/outcall-agent-a/json\",\"body\":%s},",
                                      broken, made);
    manager_script(t, rules);
    int r = create(t, &s);
    ck_assert(r == OUTCALL_E_PROTOCOL || r == OUTCALL_E_UNREACHABLE || r == OUTCALL_E_TIMEOUT);
    outcall_error_clear(&t->f.err);
    OC_FREE char *all = fake_engine_requests(t->f.engine);
    return strstr(all, now) != NULL;
}

static size_t deletes_after_loss(const char *status, bool same_moment, const char *broken)
{
    struct manager t;
    size_t n = 0;
    bool clear = false;
    for (int i = 0; i < 5 && !clear; i++) {
        manager_begin(&t);
        clear = lose_answer(&t, status, same_moment, broken);
        n = fake_engine_count(t.f.engine, "DELETE", ID_A);
        ck_assert_int_eq(atomic_load(&t.closed), atomic_load(&t.opened));
        manager_end(&t);
    }
    ck_assert(clear);
    return n;
}

START_TEST(a_create_whose_answer_is_lost_is_taken_back)
{
    static const char cut[] = "\"status\":201,\"body\":{\"Id\":\"" ID_A "\"},\"cut_after\":10";
    ck_assert_uint_eq(deletes_after_loss("created", true, cut), 1);
    ck_assert_uint_eq(deletes_after_loss("created", true, "\"hang\":\"before\""), 1);
    ck_assert_uint_eq(deletes_after_loss("created", true, "\"raw\":\"garbage\""), 1);
    ck_assert_uint_eq(deletes_after_loss("created", false, cut), 0); /* somebody else's */
    ck_assert_uint_eq(deletes_after_loss("running", true, cut), 0);
}
END_TEST

/* The same when the name was known: nobody else would take that container back. */
START_TEST(a_conflict_whose_answer_is_lost_is_taken_back)
{
    struct manager t;
    bool clear = false;
    for (int i = 0; i < 5 && !clear; i++) {
        outcall_container_spec s = spec_of("a");
        manager_begin(&t);
        fixture_ok(&t.f, create(&t, &s));
        clear = lose_answer(&t, "created", true, "\"status\":201,\"body\":\"{\"");
        ck_assert(!clear || fake_engine_count(t.f.engine, "DELETE", ID_A) == 1);
        ck_assert_int_eq(atomic_load(&t.closed), 0);
        manager_end(&t);
    }
    ck_assert(clear);
}
END_TEST

static const struct volume_case {
    const char *rules;
    int code;
    const char *text;
    size_t posts, deletes;
} volume_cases[] = {
    {RULE("GET", "/volumes/cache", "\"body\":{\"Name\":\"cache\",\"Driver\":\"local\"}"), 0, "", 0, 0},
    {RULE("POST", "/volumes/create",
          "\"status\":201,\"body\":{\"Name\":\"cache\",\"Driver\":\"local\",\"Options\":null}"),
     0, "", 1, 0},
    {RULE("GET", "/volumes/cache", "\"body\":{\"Name\":\"cache\",\"Driver\":\"nfs\"}"), OUTCALL_E_DENIED,
     "is not of driver \"local\"", 0, 0},
    {RULE("GET", "/volumes/cache",
          "\"body\":{\"Name\":\"cache\",\"Driver\":\"local\",\"Options\":{\"o\":\"bind\"}}"),
     OUTCALL_E_DENIED, "has driver options", 0, 0},
    {RULE("GET", "/volumes/cache", "\"body\":{\"Name\":\"other\",\"Driver\":\"local\"}"), OUTCALL_E_DENIED,
     "is not what the engine answered with", 0, 0},
    /* made by somebody else between the look and the create: refused, and still theirs */
    {RULE("POST", "/volumes/create",
          "\"status\":201,\"body\":{\"Name\":\"cache\",\"Driver\":\"local\",\"Options\":{\"o\":\"bind\"}}"),
     OUTCALL_E_DENIED, "has driver options", 1, 0},
    {RULE("POST", "/volumes/create", SAYS("500", "no room")), OUTCALL_E_REMOTE, "no room", 1, 0},
    /* ours, and the create fails later */
    {RULE("POST", "/volumes/create", "\"status\":201,\"body\":{\"Name\":\"cache\",\"Driver\":\"local\"}")
         RULE("POST", "/containers/.*/start", SAYS("500", "start broke"))
             RULE("DELETE", "/volumes/cache", "\"status\":204"),
     OUTCALL_E_REMOTE, "start broke", 1, 1},
    /* the answer is lost: it may be there */
    {RULE("POST", "/volumes/create", "\"status\":201,\"body\":\"{\""), OUTCALL_E_PROTOCOL, "", 1, 1},
};

START_TEST(volumes)
{
    const struct volume_case *c = &volume_cases[_i];
    struct manager t;
    outcall_container_spec s = spec_of("a");
    outcall_mount mount = {"cache", "/cache", 0};
    manager_begin(&t);
    s.mounts = &mount;
    s.n_mounts = 1;
    manager_script(&t, c->rules);
    int r = create(&t, &s);
    ck_assert_msg(r == c->code, "%d: %s", r, t.f.err.text);
    ck_assert_msg(strstr(t.f.err.text, c->text), "%s", t.f.err.text);
    ck_assert_ptr_null(strstr(t.f.err.text, "clean-up"));
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "POST", "/volumes/create"), c->posts);
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "DELETE", "/volumes/cache"), c->deletes);
    manager_end(&t);
}
END_TEST

START_TEST(odd_images_are_refused_or_not_found)
{
    static const char *const images[] = {"..", ".", "a/../b", "x?force=1", "x#y", "%2e%2e", "\xc3\xa9"};
    struct manager t;
    manager_begin(&t);
    for (size_t i = 0; i < OC_ARRAY_SIZE(images); i++) {
        outcall_container_spec s = spec_of("a");
        s.image = images[i];
        int r = create(&t, &s);
        ck_assert_msg(r == OUTCALL_E_INVALID || r == OUTCALL_E_NOT_FOUND, "%s: %s", images[i], t.f.err.text);
        ck_assert_msg(strstr(t.f.err.text, "image"), "%s: %s", images[i], t.f.err.text);
        outcall_error_clear(&t.f.err);
    }
    ck_assert_uint_eq(fake_engine_count(t.f.engine, "POST", NULL), 0);
    ck_assert_int_eq(atomic_load(&t.opened), atomic_load(&t.closed));
    manager_end(&t);
}
END_TEST

int main(void)
{
    const TTest *const plain[] = {asks_in_the_order_of_the_steps,
                                  a_denied_mount_costs_no_call,
                                  the_engines_socket_must_be_denied,
                                  helpers_that_are_missing_cost_no_call,
                                  a_clean_up_that_fails_is_told_too,
                                  a_known_name_is_not_touched,
                                  before_the_adoption_a_name_is_looked_at_first,
                                  before_the_adoption_a_free_name_is_free,
                                  generated_names_are_drawn_again,
                                  a_create_whose_answer_is_lost_is_taken_back,
                                  a_conflict_whose_answer_is_lost_is_taken_back,
                                  odd_images_are_refused_or_not_found};
    const struct unit_loop loops[] = {{a_step_that_fails_leaves_nothing, OC_ARRAY_SIZE(failures)},
                                      {volumes, OC_ARRAY_SIZE(volume_cases)}};
    return unit_run("containers-create", plain, OC_ARRAY_SIZE(plain), loops, OC_ARRAY_SIZE(loops));
}
