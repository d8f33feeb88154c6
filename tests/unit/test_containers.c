/* lib/containers without an engine: what a spec may say, what Docker is told, which names are remembered. */
#include "base/str.h"
#include "containers/approved.h"
#include "containers/body.h"
#include "containers/identify.h"
#include "containers/info.h"
#include "containers/names.h"
#include "containers/spec.h"
#include "support/failmalloc.h"
#include "unit.h"
#include "json/json.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static outcall_container_spec minimal(void)
{
    outcall_container_spec s = OUTCALL_CONTAINER_SPEC_INIT;
    s.image = "busybox:1";
    return s;
}

static void refused(const outcall_container_spec *s, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_container_spec out = OUTCALL_CONTAINER_SPEC_INIT;
    ck_assert_int_eq(oc_spec_complete(s, &out, &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, text);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_INVALID_REQUEST);
    ck_assert_ptr_null(out.image);
}

START_TEST(spec_fills_defaults)
{
    outcall_container_spec in = minimal(), s;
    ck_assert_int_eq(oc_spec_complete(&in, &s, NULL), 0);
    ck_assert_str_eq(s.user, "65532:65532");
    ck_assert_str_eq(s.network, "outcall-default");
    ck_assert_uint_eq(s.memory_bytes, 536870912);
    ck_assert_uint_eq(s.tmp_size_bytes, 67108864);
    ck_assert_uint_eq(s.cpu_shares, 1024);
    ck_assert_uint_eq(s.pids_max, 256);
    ck_assert_uint_eq(s.nano_cpus, 0);
}
END_TEST

START_TEST(spec_refuses_by_name)
{
    outcall_container_spec s = minimal();
    s.image = NULL;
    refused(&s, "image: required field is missing");
    s = minimal();
    s.image = "";
    refused(&s, "image: expected 1 to 512 bytes");
    s = minimal();
    s.image = "a\nb";
    refused(&s, "image: control characters are not allowed");
    s = minimal();
    s.image = "\xff";
    refused(&s, "image: not valid UTF-8");
    s = minimal();
    s.workdir = "relative";
    refused(&s, "working_dir: expected an absolute path without \".\" and \"..\"");
    s = minimal();
    s.workdir = "/a/../b";
    refused(&s, "working_dir: expected an absolute path without \".\" and \"..\"");
    s = minimal();
    s.n_cmd = 1025;
    refused(&s, "cmd: expected at most 1024 elements, got 1025");
    s = minimal();
    s.version = 2;
    refused(&s, "spec version 2: expected 1 to 1");
}
END_TEST

START_TEST(spec_user)
{
    static const char *const bad[] = {"0:0",  "0:1",   "1:0",          "root",        "1",
                                      "1:",   ":1",    "1:1:1",        "-1:1",        "1 :1",
                                      "+1:1", "65532", "4294967295:1", "1:4294967296"};
    static const char *const good[] = {"1:1", "65532:65532", "4294967294:4294967294"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        outcall_container_spec s = minimal();
        char text[256];
        s.user = bad[i];
        (void)oc_format(text, sizeof(text),
                        "user: expected UID:GID, both numbers from 1 to 4294967294, got \"%s\"", bad[i]);
        refused(&s, text);
    }
    for (size_t i = 0; i < OC_ARRAY_SIZE(good); i++) {
        outcall_container_spec s = minimal(), out;
        s.user = good[i];
        ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
    }
}
END_TEST

START_TEST(spec_numbers_at_their_bounds)
{
    outcall_container_spec s = minimal(), out;
    s.memory_bytes = 6291455;
    refused(&s, "memory_limit: expected at least 6291456 bytes");
    s.memory_bytes = 6291456;
    ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
    s.memory_bytes = (uint64_t)INT64_MAX + 1;
    refused(&s, "memory_limit: expected at least 6291456 bytes");
    s = minimal();
    s.cpu_shares = 1;
    refused(&s, "cpu_shares: expected 2 to 262144, got 1");
    s.cpu_shares = 262145;
    refused(&s, "cpu_shares: expected 2 to 262144, got 262145");
    s.cpu_shares = 262144;
    ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
    s = minimal();
    s.pids_max = 4194305;
    refused(&s, "pids_limit: expected 1 to 4194304, got 4194305");
    s = minimal();
    s.nano_cpus = 9999999;
    refused(&s, "cpus: expected at least 0.01");
    s.nano_cpus = 10000000;
    ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
    s = minimal();
    s.tmp_size_bytes = 4095;
    refused(&s, "tmp_size: expected at least 4096 bytes");
}
END_TEST

START_TEST(spec_environment_and_labels)
{
    static const char *const proxies[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
                                          "http_proxy", "https_proxy", "no_proxy"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(proxies); i++) {
        char pair[64], text[128];
        const char *env[] = {"A=b", pair};
        outcall_container_spec s = minimal();
        (void)oc_format(pair, sizeof(pair), "%s=x", proxies[i]);
        (void)oc_format(text, sizeof(text), "env[1]: %s is set by outcall and cannot be given", proxies[i]);
        s.env = env;
        s.n_env = 2;
        refused(&s, text);
    }
    const char *twice[] = {"A=1", "AB=2", "A=3"}, *none[] = {"=x"}, *no_value[] = {"A"},
               *fine[] = {"A=1\n2", "AB=", "Http_Proxy=x"};
    outcall_container_spec s = minimal(), out;
    s.env = twice;
    s.n_env = 3;
    refused(&s, "env[2]: \"A\" is given twice");
    s.env = none;
    s.n_env = 1;
    refused(&s, "env[0]: expected KEY=value");
    s.env = no_value;
    refused(&s, "env[0]: expected KEY=value");
    s.env = fine;
    s.n_env = 3;
    ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
    const char *managed[] = {"managed-by=me"}, *instance[] = {"outcall.instance=/tmp"}, *own[] = {"team=a"};
    s = minimal();
    s.n_labels = 1;
    s.labels = managed;
    refused(&s, "labels[0]: \"managed-by\" is set by outcall and cannot be given");
    s.labels = instance;
    refused(&s, "labels[0]: \"outcall.instance\" is set by outcall and cannot be given");
    s.labels = own;
    ck_assert_int_eq(oc_spec_complete(&s, &out, NULL), 0);
}
END_TEST

static json_t *golden(const char *file)
{
    json_error_t e;
    char path[256];
    (void)oc_format(path, sizeof(path), TEST_DATA "/containers/%s", file);
    json_t *j = json_load_file(path, 0, &e);
    ck_assert_msg(j != NULL, "%s: %s", path, e.text);
    return j;
}

/* Byte for byte, so that a new member is noticed as much as a changed one. */
static void same_json(const json_t *got, const char *file)
{
    OC_JSON json_t *want = golden(file);
    char *a = json_dumps(got, JSON_INDENT(2) | JSON_SORT_KEYS),
         *b = json_dumps(want, JSON_INDENT(2) | JSON_SORT_KEYS);
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    size_t from = n < 40 ? 0 : n - 40; /* both in full are more than Check prints */
    ck_assert_msg(!a[n] && !b[n], "%s: got \"%.80s\", expected \"%.80s\"", file, a + from, b + from);
    free(a);
    free(b);
}

static const struct oc_body_mount all_mounts[] = {
    {OC_MOUNT_BIND, "/run/outcall/agents/outcall-agent-a", "/run/outcall", true, 64769, 11},
    {OC_MOUNT_BIND, "/run/outcall/stage/outcall-agent-a/0", "/usr/local/bin/outcall", true, 64769, 12},
    {OC_MOUNT_BIND, "/run/outcall/stage/outcall-agent-a/1", "/workspace", false, 65024, UINT64_MAX},
    {OC_MOUNT_VOLUME, "cache", "/cache", false, 0, 0},
    {OC_MOUNT_TMPFS, NULL, "/data", false, 0, 0},
};

static int build_full(void *userdata)
{
    static const char *const env[] = {"A=1", "B=two words"}, *const cmd[] = {"-c", "echo \"$A\"\n"},
                             *const ep[] = {"/bin/sh"}, *const labels[] = {"team=blue=green"};
    outcall_container_spec in = minimal(), s;
    OC_JSON json_t *j = NULL;
    in.env = env;
    in.n_env = 2;
    in.cmd = cmd;
    in.n_cmd = 2;
    in.entrypoint = ep;
    in.n_entrypoint = 1;
    in.labels = labels;
    in.n_labels = 1;
    in.workdir = "/workspace";
    in.user = "1000:1001";
    in.memory_bytes = 268435456;
    in.cpu_shares = 512;
    in.nano_cpus = 1500000000;
    in.pids_max = 64;
    in.interactive = in.tty = 1;
    if (oc_spec_complete(&in, &s, NULL) < 0)
        return OUTCALL_E_INTERNAL;
    struct oc_body b = {.spec = &s,
                        .name = "outcall-agent-a",
                        .instance = "/run/outcall",
                        .image_id = "sha256:1111",
                        .network_name = "outcall-default",
                        .network_id = "2222",
                        .dns_address = "10.200.0.1",
                        .proxy_address = "10.200.0.1:3128",
                        .created_at = "2026-01-02T03:04:05Z",
                        .mounts = all_mounts,
                        .n_mounts = OC_ARRAY_SIZE(all_mounts)};
    int r = oc_body_build(&b, &j, NULL);
    if (r == 0 && userdata)
        same_json(j, userdata);
    return r;
}

START_TEST(body_is_the_golden_one)
{
    char file[] = "body-full.json";
    ck_assert_int_eq(build_full(file), 0);
}
END_TEST

START_TEST(body_minimal_is_the_golden_one)
{
    outcall_container_spec in = minimal(), s;
    OC_JSON json_t *j = NULL;
    ck_assert_int_eq(oc_spec_complete(&in, &s, NULL), 0);
    struct oc_body b = {.spec = &s,
                        .name = "outcall-agent-a3f7b201",
                        .instance = "/run/outcall",
                        .image_id = "sha256:1111",
                        .network_name = "outcall-default",
                        .network_id = "2222",
                        .dns_address = "10.200.0.1",
                        .created_at = "2026-01-02T03:04:05Z",
                        .mounts = all_mounts,
                        .n_mounts = 2};
    ck_assert_int_eq(oc_body_build(&b, &j, NULL), 0);
    same_json(j, "body-minimal.json");
}
END_TEST

START_TEST(body_survives_every_failing_allocation)
{
    ck_assert_int_gt(failmalloc_loop(build_full, NULL), 100);
}
END_TEST

static void with_state_dir(void (*fn)(const char *dir))
{
    char dir[] = "/tmp/outcall-unit-XXXXXX", file[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fn(dir);
    (void)oc_format(file, sizeof(file), "%s/containers", dir);
    (void)unlink(file);
    ck_assert_int_eq(rmdir(dir), 0);
}

static void names_survive(const char *dir)
{
    struct oc_names *n = NULL;
    ck_assert_int_eq(oc_names_new(&n, dir, NULL), 0);
    ck_assert(!oc_names_has(n, "outcall-agent-a"));
    ck_assert_int_eq(oc_names_add(n, "outcall-agent-a"), 0);
    ck_assert_int_eq(oc_names_add(n, "outcall-agent-a"), 0);
    ck_assert(oc_names_has(n, "outcall-agent-a"));
    (void)oc_names_free(n);
    ck_assert_int_eq(oc_names_new(&n, dir, NULL), 0);
    ck_assert(oc_names_has(n, "outcall-agent-a"));
    ck_assert(!oc_names_has(n, "outcall-agent-b"));
    (void)oc_names_free(n);
}

static void names_are_bounded(const char *dir)
{
    struct oc_names *n = NULL;
    char name[OC_NAME_SIZE];
    ck_assert_int_eq(oc_names_new(&n, dir, NULL), 0);
    for (int i = 0; i <= 2 * OC_NAMES_MAX; i++) {
        (void)oc_format(name, sizeof(name), "outcall-agent-%d", i);
        ck_assert_int_eq(oc_names_add(n, name), 0);
    }
    ck_assert(!oc_names_has(n, "outcall-agent-10000"));
    ck_assert(oc_names_has(n, "outcall-agent-10001"));
    ck_assert(oc_names_has(n, name));
    (void)oc_names_free(n);
    struct stat st;
    char file[64];
    (void)oc_format(file, sizeof(file), "%s/containers", dir);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_lt(st.st_size, (off_t)2 * 21 * OC_NAMES_MAX);
    ck_assert_int_eq(oc_names_new(&n, dir, NULL), 0);
    ck_assert(oc_names_has(n, name));
    ck_assert(!oc_names_has(n, "outcall-agent-0"));
    (void)oc_names_free(n);
}

static void names_pass_over_damage(const char *dir)
{
    struct oc_names *n = NULL;
    char file[64];
    static const char text[] =
        "outcall-agent-a\n\n../../etc/passwd\noutcall-agent-\noutcall-agent-UPPER\n\xff\xfe\noutcall-agent-b";
    (void)oc_format(file, sizeof(file), "%s/containers", dir);
    FILE *f = fopen(file, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, sizeof(text) - 1, f), sizeof(text) - 1);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(oc_names_new(&n, dir, NULL), 0);
    ck_assert(oc_names_has(n, "outcall-agent-a"));
    ck_assert(oc_names_has(n, "outcall-agent-b"));
    ck_assert(!oc_names_has(n, "../../etc/passwd"));
    ck_assert(!oc_names_has(n, "outcall-agent-UPPER"));
    (void)oc_names_free(n);
}

START_TEST(names)
{
    with_state_dir(names_survive);
    with_state_dir(names_are_bounded);
    with_state_dir(names_pass_over_damage);
}
END_TEST

START_TEST(names_refuse_an_unsafe_directory)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    struct oc_names *n = NULL;
    char dir[] = "/tmp/outcall-unit-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(oc_names_new(&n, dir, &err), OUTCALL_E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "can be written by other users"));
    ck_assert_ptr_null(n);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static int approved_round(void *userdata)
{
    OC_CLEANUP(oc_approved_done) struct oc_approved a = {.n = 0};
    OC_FREE char *text = oc_approved_text(all_mounts, OC_ARRAY_SIZE(all_mounts));
    (void)userdata;
    return text ? oc_approved_parse(text, &a, NULL) : OUTCALL_E_NO_MEMORY;
}

START_TEST(approved_mounts_come_back_from_their_label)
{
    struct oc_approved a = {.n = 0};
    OC_FREE char *text = oc_approved_text(all_mounts, OC_ARRAY_SIZE(all_mounts));
    ck_assert_int_eq(oc_approved_parse(text, &a, NULL), 0);
    ck_assert_uint_eq(a.n, OC_ARRAY_SIZE(all_mounts) + 1); /* and /tmp */
    for (size_t i = 0; i < OC_ARRAY_SIZE(all_mounts); i++) {
        const struct oc_body_mount *want = &all_mounts[i];
        int k = oc_approved_find(&a, want->target);
        ck_assert_int_ge(k, 0);
        ck_assert_int_eq(a.v[k].is_tmpfs, want->type == OC_MOUNT_TMPFS);
        ck_assert_int_eq(a.v[k].read_only, want->read_only);
        ck_assert(a.v[k].dev == want->dev && a.v[k].ino == want->ino);
        ck_assert_int_eq(a.volume[k] != NULL, want->type == OC_MOUNT_VOLUME);
        if (a.volume[k])
            ck_assert_str_eq(a.volume[k], want->source);
    }
    ck_assert_int_eq(a.v[oc_approved_find(&a, "/tmp")].is_tmpfs, 1);
    ck_assert_int_eq(oc_approved_find(&a, "/elsewhere"), -1);
    oc_approved_done(&a);
    /* A mount of the caller's at /tmp takes the place of ours. */
    const struct oc_body_mount own = {OC_MOUNT_BIND, "/x", "/tmp", false, 1, 2};
    OC_FREE char *at_tmp = oc_approved_text(&own, 1);
    ck_assert_str_eq(at_tmp, "{\"/tmp\":\"bind:1:2:rw\"}");
    ck_assert_int_gt(failmalloc_loop(approved_round, NULL), 5);
}
END_TEST

START_TEST(approved_takes_no_other_label)
{
    static const char *const bad[] = {"",
                                      "0:64769:11",
                                      "[]",
                                      "{\"/a\":1}",
                                      "{\"/a\":\"\"}",
                                      "{\"/a\":\"tmpfs:ro\"}",
                                      "{\"/a\":\"bind\"}",
                                      "{\"/a\":\"bind:1:2\"}",
                                      "{\"/a\":\"bind:1:2:xx\"}",
                                      "{\"/a\":\"bind:1:2:ro:x\"}",
                                      "{\"/a\":\"bind:-1:2:ro\"}",
                                      "{\"/a\":\"bind:1:18446744073709551616:ro\"}",
                                      "{\"/a\":\"volume:ro\"}",
                                      "{\"/a\":\"volume:ro:\"}",
                                      "{\"/a\":\"volume:x:v\"}",
                                      "{\"/a\":\"volume:ro:v:w\"}",
                                      "{\"a\":\"tmpfs\"}",
                                      "{\"/a/../b\":\"tmpfs\"}",
                                      "{\"/a\":\"tmpfs\",\"/a\":\"bind:1:2:rw\"}",
                                      "{\"/a\":\"tmpfs\"} x"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        OC_CLEANUP(oc_approved_done) struct oc_approved a = {.n = 0};
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_msg(oc_approved_parse(bad[i], &a, &err) == OUTCALL_E_DENIED, "%s", bad[i]);
        ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_DENIED);
    }
}
END_TEST

static int labels_round(void *userdata)
{
    OC_CLEANUP(oc_strings_done) struct oc_strings labels = {0};
    return oc_asked_labels(userdata, &labels, NULL);
}

/* of: our label's text; expected: NULL for none. */
static void asked(const char *of, int code, const char *expected)
{
    OC_JSON json_t *j =
        json_pack("{s:{s:{s:s, s:s, s:i}}}", "Config", "Labels", "team", "a=b", "image", "x", "n", 1);
    OC_CLEANUP(oc_strings_done) struct oc_strings labels = {0};
    if (of)
        (void)json_object_set_new(json_object_get(json_object_get(j, "Config"), "Labels"), "outcall.labels",
                                  json_string(of));
    ck_assert_int_eq(oc_asked_labels(j, &labels, NULL), code);
    ck_assert_uint_eq(labels.n, expected ? 1 : 0);
    if (expected) {
        ck_assert_str_eq(labels.v[0], expected);
        ck_assert_int_ge(failmalloc_loop(labels_round, j), 3);
    }
}

/* An image can have any label; what an agent may do depends on those that were asked for. */
START_TEST(labels_are_those_that_were_asked_for)
{
    asked("[\"team\"]", 0, "team=a=b");
    asked("[1, null, \"gone\", \"n\", \"team\"]", 0, "team=a=b");
    asked("[]", 0, NULL);
    asked(NULL, 0, NULL);
    asked("team", OUTCALL_E_SYNTAX, NULL);
    asked("", OUTCALL_E_SYNTAX, NULL);
}
END_TEST

static int info_round(void *userdata)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *i = NULL;
    return oc_info_from_inspect(userdata, true, &i, NULL);
}

START_TEST(info_keeps_no_environment_value)
{
    OC_JSON json_t *j = golden("inspect.json");
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *i = NULL;
    outcall_mount m;
    const char *type = NULL;
    ck_assert_int_eq(oc_info_from_inspect(j, true, &i, NULL), 0);
    ck_assert_str_eq(outcall_container_info_name(i), "outcall-agent-a");
    ck_assert_str_eq(outcall_container_info_image(i), "busybox:1");
    ck_assert_str_eq(outcall_container_info_network(i), "outcall-default");
    ck_assert_str_eq(outcall_container_info_ip_address(i), "10.200.0.2");
    ck_assert_str_eq(outcall_container_info_env_name(i, 0), "SECRET");
    ck_assert_str_eq(outcall_container_info_env_name(i, 1), "EMPTY");
    ck_assert_ptr_null(outcall_container_info_env_name(i, 2));
    ck_assert_int_eq(outcall_container_info_exit_code(i), 137);
    ck_assert_int_eq(outcall_container_info_oom_killed(i), 1);
    ck_assert_int_eq(outcall_container_info_mount(i, 0, &m, &type), 0);
    ck_assert_str_eq(type, "bind");
    ck_assert_str_eq(m.target, "/run/outcall");
    ck_assert_int_eq(m.read_only, 1);
    ck_assert_int_eq(outcall_container_info_mount(i, 1, &m, &type), OUTCALL_E_NOT_FOUND);
    ck_assert_int_gt(failmalloc_loop(info_round, j), 10);
}
END_TEST

UNIT_MAIN("containers", spec_fills_defaults, spec_refuses_by_name, spec_user, spec_numbers_at_their_bounds,
          spec_environment_and_labels, body_is_the_golden_one, body_minimal_is_the_golden_one,
          body_survives_every_failing_allocation, names, approved_mounts_come_back_from_their_label,
          approved_takes_no_other_label, labels_are_those_that_were_asked_for,
          names_refuse_an_unsafe_directory, info_keeps_no_environment_value)
