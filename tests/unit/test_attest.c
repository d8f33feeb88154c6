/* What attestation concludes from the engine's description alone, before any mount is looked at: the
 * container of these tests has ended, so what passes is neither refused nor attested. */
#include "base/str.h"
#include "containers/approved.h"
#include "containers/attest.h"
#include "containers/body.h"
#include "containers/spec.h"
#include "unit.h"

#define NAME      "outcall-agent-a"
#define AGENT_DIR "/run/oc/agents/" NAME
#define STAGE     "/run/oc/stage/" NAME
#define SHIM      "/usr/libexec/outcall/outcall-agent"

enum { AGENT, HELPER, WORK }; /* the mounts, in their order */

static const struct oc_body_mount mounts[] = {
    {OC_MOUNT_BIND, AGENT_DIR, "/run/outcall", true, 1, 10},
    {OC_MOUNT_BIND, STAGE "/0", "/usr/local/bin/outcall", true, 1, 11},
    {OC_MOUNT_BIND, STAGE "/1", "/work", false, 1, 12},
};

/* The engine's other list of the same mounts. */
static json_t *listed_mounts(void)
{
    json_t *a = json_array();
    for (size_t i = 0; i < OC_ARRAY_SIZE(mounts); i++)
        ck_assert_int_eq(json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:b}", "Type", "bind", "Source",
                                                            mounts[i].source, "Destination", mounts[i].target,
                                                            "RW", !mounts[i].read_only)),
                         0);
    return a;
}

/* What the engine says of a container that it was told to make as outcall tells it. */
static json_t *inspect_new(void)
{
    outcall_container_spec in = OUTCALL_CONTAINER_SPEC_INIT, spec;
    OC_JSON json_t *body = NULL;
    in.image = "busybox";
    ck_assert_int_eq(oc_spec_complete(&in, &spec, NULL), 0);
    struct oc_body b = {.spec = &spec,
                        .name = NAME,
                        .instance = "/run/oc",
                        .image_id = "sha256:1",
                        .network_name = "outcall-default",
                        .network_id = "2",
                        .dns_address = "10.200.0.1",
                        .created_at = "2026-01-02T03:04:05Z",
                        .mounts = mounts,
                        .n_mounts = OC_ARRAY_SIZE(mounts)};
    ck_assert_int_eq(oc_body_build(&b, &body, NULL), 0);
    json_t *j = json_pack("{s:{s:O}, s:O, s:o, s:{s:i}, s:{s:{s:{}}}}", "Config", "Labels",
                          json_object_get(body, "Labels"), "HostConfig", json_object_get(body, "HostConfig"),
                          "Mounts", listed_mounts(), "State", "Pid", 0, "NetworkSettings", "Networks",
                          "outcall-default");
    ck_assert_ptr_nonnull(j);
    return j;
}

static json_t *at(const json_t *j, const char *path)
{
    json_t *found = (json_t *)oc_json_get(j, path);
    ck_assert_ptr_nonnull(found);
    return found;
}

static void set(json_t *object, const char *key, json_t *take_value)
{
    ck_assert_int_eq(json_object_set_new(object, key, take_value), 0);
}

static int attest(const json_t *inspect, outcall_error *err)
{
    OC_CLEANUP(outcall_docker_freep) outcall_docker *docker = NULL; /* asked only what kind of engine it is */
    ck_assert_int_eq(outcall_docker_new(&docker, NULL, NULL), 0);
    outcall_containers m = {
        .docker = docker, .stage_dir = (char[]){"/run/oc/stage"}, .shim_path = (char[]){SHIM}};
    bool attested = true;
    outcall_error_clear(err);
    int r = oc_attest(&m, NAME, AGENT_DIR, inspect, &attested, err);
    ck_assert(!attested);
    return r;
}

static void refused(json_t *take_inspect, int kind)
{
    OC_JSON json_t *inspect = take_inspect;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(attest(inspect, &err), OUTCALL_E_DENIED);
    ck_assert_int_eq(err.kind, kind);
    ck_assert_ptr_nonnull(strstr(err.text, "is not what was approved"));
}

/* The same with another source for one mount, in both lists. */
static json_t *with_source(size_t i, const char *source)
{
    json_t *j = inspect_new();
    set(json_array_get(at(j, "HostConfig.Mounts"), i), "Source", json_string(source));
    set(json_array_get(at(j, "Mounts"), i), "Source", json_string(source));
    return j;
}

static json_t *without_mount(size_t i)
{
    json_t *j = inspect_new();
    ck_assert_int_eq(json_array_remove(at(j, "HostConfig.Mounts"), i), 0);
    ck_assert_int_eq(json_array_remove(at(j, "Mounts"), i), 0);
    return j;
}

static json_t *writable(size_t i)
{
    json_t *j = inspect_new();
    set(json_array_get(at(j, "HostConfig.Mounts"), i), "ReadOnly", json_false());
    set(json_array_get(at(j, "Mounts"), i), "RW", json_true());
    return j;
}

START_TEST(what_was_made_here_passes)
{
    OC_JSON json_t *j = inspect_new();
    OC_JSON json_t *by_path = with_source(HELPER, SHIM); /* where nothing can be staged */
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(attest(j, &err) == 0, "%s", err.text);
    ck_assert_msg(attest(by_path, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(t08_binds_and_volumes_from)
{
    json_t *j = inspect_new();
    set(at(j, "HostConfig"), "Binds", json_pack("[s]", "/etc:/mnt"));
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
    j = inspect_new(); /* Podman's words for what was approved: from Docker they mean that it was asked so */
    set(at(j, "HostConfig"), "Binds", json_pack("[s]", STAGE "/1:/work:rw"));
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
    j = inspect_new();
    set(at(j, "HostConfig"), "VolumesFrom", json_pack("[s]", "donor"));
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
}
END_TEST

START_TEST(a_bind_comes_from_the_stage_or_is_a_helper)
{
    static const char *const bad[] = {"/etc",
                                      "/",
                                      "",
                                      "relative",
                                      STAGE,
                                      STAGE "/../outcall-agent-b/0",
                                      STAGE "x/0",
                                      "/run/oc/stage/outcall-agent-b/0",
                                      "/run/oc/stage",
                                      AGENT_DIR,
                                      SHIM};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        refused(with_source(WORK, bad[i]), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_source(AGENT, "/run/oc/agents/outcall-agent-b"), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_source(AGENT, STAGE "/2"), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_source(HELPER, "/bin/sh"), OUTCALL_KIND_MOUNT_DENIED);
}
END_TEST

START_TEST(every_bind_needs_its_identity)
{
    static const char *const bad[] = {
        "", "x", "0:1", "0:1:10 1:1:11", "0:1:10 1:1:11 2:1:", "0:1:10 1:1:11 3:1:12"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        json_t *j = inspect_new();
        set(at(j, "Config.Labels"), OC_LABEL_MOUNTS, json_string(bad[i]));
        refused(j, OUTCALL_KIND_MOUNT_DENIED);
    }
    json_t *j = inspect_new();
    ck_assert_int_eq(json_object_del(at(j, "Config.Labels"), OC_LABEL_MOUNTS), 0);
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
}
END_TEST

/* Approved, mounted, and all in order but for one of our own: with a label like that nobody made it here. */
static json_t *labelled_without(size_t i, const char *label)
{
    json_t *j = label ? inspect_new() : without_mount(i);
    struct oc_body_mount others[2];
    for (size_t k = 0, n = 0; k < OC_ARRAY_SIZE(mounts); k++)
        if (k != i)
            others[n++] = mounts[k];
    OC_FREE char *text = oc_approved_text(others, OC_ARRAY_SIZE(others));
    ck_assert_ptr_nonnull(text);
    if (label)
        set(json_array_get(at(j, "Mounts"), i), "RW", json_true());
    set(at(j, "Config.Labels"), OC_LABEL_MOUNTS, json_string(label ? label : text));
    return j;
}

#define ALL_BUT_AGENT \
    "\"/usr/local/bin/outcall\":\"bind:1:11:ro\",\"/work\":\"bind:1:12:rw\",\"/tmp\":\"tmpfs\"}"
#define ALL_BUT_HELPER "\"/run/outcall\":\"bind:1:10:ro\",\"/work\":\"bind:1:12:rw\",\"/tmp\":\"tmpfs\"}"

START_TEST(our_helpers_must_be_there)
{
    refused(labelled_without(AGENT, NULL), OUTCALL_KIND_MOUNT_DENIED);
    refused(labelled_without(HELPER, NULL), OUTCALL_KIND_MOUNT_DENIED);
    refused(labelled_without(AGENT, "{\"/run/outcall\":\"bind:1:10:rw\"," ALL_BUT_AGENT),
            OUTCALL_KIND_MOUNT_DENIED);
    refused(labelled_without(HELPER, "{\"/usr/local/bin/outcall\":\"bind:1:11:rw\"," ALL_BUT_HELPER),
            OUTCALL_KIND_MOUNT_DENIED);
    refused(without_mount(AGENT), OUTCALL_KIND_MOUNT_DENIED);
    refused(without_mount(HELPER), OUTCALL_KIND_MOUNT_DENIED);
    refused(writable(AGENT), OUTCALL_KIND_MOUNT_DENIED);
    refused(writable(HELPER), OUTCALL_KIND_MOUNT_DENIED);
}
END_TEST

START_TEST(t16_exactly_one_network)
{
    json_t *j = inspect_new();
    set(at(j, "NetworkSettings.Networks"), "bridge", json_object());
    refused(j, OUTCALL_KIND_FORBIDDEN);
    j = inspect_new();
    set(at(j, "NetworkSettings"), "Networks", json_pack("{s:{}}", "outcall-other"));
    refused(j, OUTCALL_KIND_FORBIDDEN);
}
END_TEST

static json_t *with_declared(size_t i, const char *key, json_t *take_value)
{
    json_t *j = inspect_new();
    set(json_array_get(at(j, "Mounts"), i), key, take_value);
    return j;
}

START_TEST(what_the_engine_declares_was_approved)
{
    refused(with_declared(WORK, "Destination", json_string("/elsewhere")), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_declared(WORK, "Type", json_string("volume")), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_declared(WORK, "Type", json_string("tmpfs")), OUTCALL_KIND_MOUNT_DENIED);
    refused(with_declared(AGENT, "RW", json_true()), OUTCALL_KIND_MOUNT_DENIED);
    json_t *j = inspect_new(); /* one too many, and one too few */
    ck_assert_int_eq(
        json_array_append_new(at(j, "Mounts"), json_pack("{s:s, s:s, s:s}", "Type", "bind", "Source",
                                                         STAGE "/2", "Destination", "/more")),
        0);
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
    j = inspect_new();
    ck_assert_int_eq(json_array_remove(at(j, "Mounts"), WORK), 0);
    refused(j, OUTCALL_KIND_MOUNT_DENIED);
}
END_TEST

UNIT_MAIN("attest", what_was_made_here_passes, what_the_engine_declares_was_approved,
          t08_binds_and_volumes_from, a_bind_comes_from_the_stage_or_is_a_helper,
          every_bind_needs_its_identity, our_helpers_must_be_there, t16_exactly_one_network)
