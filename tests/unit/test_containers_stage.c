/* A create's stage over a scripted engine: whatever fails, no directory and no mount of it is left, and that
 * of a container that lives is never touched. Needs root; in a mount namespace of its own. */
#include "support/manager_fixture.h"
#include "support/mountns.h"
#include "unit.h"

#define RULE(method, path, rest) "{\"method\":\"" method "\",\"path\":\"" path "\"," rest "},"
#define STAGE                    "/mnt/stage"

static const char *const failing[] = {
    RULE("GET", "/networks/.*", "\"status\":404"),
    RULE("GET", "/images/.*", "\"status\":404"),
    RULE("GET", "/images/.*",
         "\"body\":{\"Id\":\"x\",\"Config\":{\"Volumes\":{\"/run\":{}}}}"), /* with two mounts staged */
    RULE("POST", "/containers/create", "\"status\":409"),
    RULE("POST", "/containers/create", "\"raw\":\"x\""),
    RULE("POST", "/containers/.*/start", "\"status\":500"),
    RULE("POST", "/containers/.*/start", "\"status\":500") RULE("DELETE", "/containers/.*", "\"status\":500"),
    RULE("GET", "/containers/.*/json", "\"status\":500"),
    RULE("GET", "/containers/.*/json", "\"body\":{\"Id\":\"" ID_A "\"}"),
};

static size_t staged(void)
{
    OC_FREE char *table = NULL;
    size_t len = 0, n = 0;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, "/proc/self/mountinfo", (size_t)1 << 20, &table, &len), 0);
    for (const char *p = strstr(table, " " STAGE "/"); p; p = strstr(p + 1, " " STAGE "/"))
        n++;
    return n;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int create(struct manager *t, outcall_mount *mounts, size_t n)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *info = NULL;
    outcall_container_spec s = OUTCALL_CONTAINER_SPEC_INIT;
    s.image = "busybox:1";
    s.name = "a";
    s.mounts = mounts;
    s.n_mounts = n;
    return outcall_containers_create(t->containers, &s, &info, &t->f.err);
}

START_TEST(nothing_staged_is_left)
{
    struct manager t;
    outcall_mount mounts[] = {{"/mnt/src", "/w", 0}, {"/mnt/src/file", "/f", 1}};
    if (!mountns_enter())
        return;
    make_dir("/mnt/src");
    make_file("/mnt/src/file");
    manager_begin_with(&t, STAGE, NULL);
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    for (size_t i = 0; i < OC_ARRAY_SIZE(failing); i++) {
        manager_script(&t, failing[i]);
        ck_assert_msg(create(&t, mounts, 2) < 0, "%s", failing[i]);
        ck_assert_msg(staged() == 0 && !exists(STAGE "/outcall-agent-a"), "%s", failing[i]);
        outcall_error_clear(&t.f.err);
    }
    ck_assert(exists("/mnt/src/file")); /* nothing was deleted through a mount */
    manager_end(&t);
}
END_TEST

START_TEST(a_living_containers_stage_stays)
{
    struct manager t;
    outcall_mount mounts[] = {{"/mnt/src", "/w", 0}};
    if (!mountns_enter())
        return;
    make_dir("/mnt/src");
    manager_begin_with(&t, STAGE, NULL);
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    OC_FREE char *living = manager_inspect(&t, "outcall-agent-a", ID_A, "exited", "");
    OC_FREE char *found =
        oc_asprintf("{\"path\":\"/containers/(outcall-agent-a|" ID_A ")/json\",\"body\":%s},", living);
    outcall_stage *s = NULL;
    const char *path = NULL;
    OC_CLOSE int pin = open("/mnt/src", O_PATH | O_CLOEXEC);
    fixture_ok(&t.f,
               outcall_stage_new(&s, STAGE, "outcall-agent-a", &t.f.err)); /* as an earlier process left it */
    fixture_ok(&t.f, outcall_stage_add(s, pin, 0, &path, &t.f.err));
    (void)outcall_stage_free(s);
    OC_FREE char *listed = oc_asprintf(
        "%s{\"path\":\"/containers/json\",\"body\":[{\"Id\":\"" ID_A
        "\",\"Names\":[\"/outcall-agent-a\"],\"Labels\":{\"managed-by\":\"outcalld\","
        "\"outcall.instance\":\"/run/unit\"}}]}," RULE("POST", "/containers/create", "\"status\":409"),
        found);
    manager_script(&t, listed);
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_int_lt(create(&t, mounts, 1), 0);
    outcall_error_clear(&t.f.err);
    ck_assert_uint_eq(staged(), 1);
    ck_assert_int_eq(atomic_load(&t.closed), 0);
    manager_script(&t, RULE("GET", "/containers/.*/json", "\"raw\":\"x\"")); /* the engine lost its mind */
    ck_assert_int_lt(create(&t, mounts, 1), 0);
    outcall_error_clear(&t.f.err);
    ck_assert_uint_eq(staged(), 1);
    int removed = 0;
    manager_script(&t, listed);
    fixture_ok(&t.f, outcall_containers_remove(t.containers, "a", 0, &removed, &t.f.err));
    ck_assert_int_eq(removed, 1);
    ck_assert_uint_eq(staged(), 0);
    manager_end(&t);
}
END_TEST

START_TEST(orphans_are_swept_and_only_they)
{
    struct manager t;
    outcall_stage *s = NULL;
    const char *path = NULL;
    if (!mountns_enter())
        return;
    make_dir("/mnt/src");
    manager_begin_with(&t, STAGE, NULL);
    OC_CLOSE int pin = open("/mnt/src", O_PATH | O_CLOEXEC);
    fixture_ok(&t.f, outcall_stage_new(&s, STAGE, "outcall-agent-orphan", &t.f.err));
    fixture_ok(&t.f, outcall_stage_add(s, pin, 0, &path, &t.f.err));
    (void)outcall_stage_free(s);
    manager_script(&t, RULE("GET", "/containers/json", "\"status\":500"));
    ck_assert_int_lt(outcall_containers_adopt(t.containers, NULL, &t.f.err), 0);
    outcall_error_clear(&t.f.err);
    ck_assert_uint_eq(staged(), 1); /* nobody knows what lives */
    manager_script(&t, "");
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    ck_assert_uint_eq(staged(), 0);
    ck_assert(exists("/mnt/src"));
    manager_end(&t);
}
END_TEST

UNIT_MAIN("containers-stage", nothing_staged_is_left, a_living_containers_stage_stays,
          orphans_are_swept_and_only_they)
