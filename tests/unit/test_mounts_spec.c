#include "base/base.h"
#include "mounts/target.h"
#include "outcall/mounts.h"
#include "unit.h"

static void good(const char *spec, const char *source, const char *target, int read_only)
{
    char buf[256];
    outcall_mount m;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(outcall_mount_parse(spec, strlen(spec), &m, buf, sizeof(buf), &err) == 0, "%s: %s", spec,
                  err.text);
    ck_assert_str_eq(m.source, source);
    ck_assert_str_eq(m.target, target);
    ck_assert_int_eq(m.read_only, read_only);
    ck_assert_int_eq(outcall_mount_is_volume(&m), source[0] != '/');
}

static void bad_bytes(const char *spec, size_t len, int code, const char *part)
{
    char buf[OUTCALL_MOUNT_SPEC_MAX + 8];
    const outcall_mount untouched = {"s", "t", 7};
    outcall_mount m = untouched;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_mount_parse(spec, len, &m, buf, sizeof(buf), &err);
    ck_assert_msg(r == code, "\"%.*s\" gave %d: %s", (int)len, spec, r, err.text);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_INVALID);
    ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
    ck_assert_ptr_eq(m.source, untouched.source);
    ck_assert_ptr_eq(m.target, untouched.target);
    ck_assert_int_eq(m.read_only, untouched.read_only);
}

static void bad(const char *spec, const char *part)
{
    bad_bytes(spec, strlen(spec), OUTCALL_E_INVALID, part);
}

START_TEST(specs_are_taken_apart)
{
    good("/a:/b", "/a", "/b", 0);
    good("/a:/b:ro", "/a", "/b", 1);
    good("/a:/b:rw", "/a", "/b", 0);
    good("/a/../b//c:/d", "/a/../b//c", "/d", 0);
    good("/:/b", "/", "/b", 0);
    good("/with space,comma=x:/b:ro", "/with space,comma=x", "/b", 1);
    good("/\xc3\xa4:/\xe2\x82\xac", "/\xc3\xa4", "/\xe2\x82\xac", 0);
    good("volume:/b", "volume", "/b", 0);
    good("0_.-x:/b:ro", "0_.-x", "/b", 1);
}
END_TEST

START_TEST(bad_specs_are_refused_by_name)
{
    bad("", "target is missing");
    bad("/a", "target is missing");
    bad(":/b", "source is empty");
    bad("/a:", "target must be an absolute path");
    bad("/a:b", "target must be an absolute path");
    bad("a/b:/c", "source must be an absolute path or a volume name");
    bad("./a:/c", "source must be an absolute path or a volume name");
    bad("..:/c", "source must be");
    bad("~/a:/c", "source must be");
    bad("_v:/c", "source must be");
    bad("\xc3\xa4:/c", "source must be");
    bad("/a:/b:ro:rw", "more than three parts");
    bad("/a:/b:", "option \"\" is not an option");
    bad("/a:/b:ro,", "option \"ro,\" is not an option");
    bad("/a:/b:RO", "option \"RO\" is not an option");
    bad("/a:/b: ro", "is not an option");
    bad("/a:/b:z", "option \"z\" is not an option");
    bad("/a:/b:rshared", "is not an option");
    bad("/a:/b:ro,ro", "option \"ro,ro\" is given twice");
    bad("/a:/b:rw,rw", "is given twice");
    bad("/a:/b:ro,rw", "both ro and rw");
    bad("/a:/b:ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro,ro",
        "options are too long");
    bad("/a\n:/b", "control characters");
    bad("/a:/b\x7f", "control characters");
    bad("/a\xff:/b", "not valid UTF-8");
    bad("/a\xc0\xaf:/b", "not valid UTF-8");
    bad_bytes("/a\0:/b", 6, OUTCALL_E_INVALID, "control characters");
}
END_TEST

START_TEST(lengths_are_bounded)
{
    static char spec[OUTCALL_MOUNT_SPEC_MAX + 2];
    char buf[8];
    outcall_mount m;
    memset(spec, 'v', 128);
    memcpy(spec + 128, ":/b", 4);
    char wide[256];
    ck_assert_int_eq(outcall_mount_parse(spec, 131, &m, wide, sizeof(wide), NULL), 0);
    ck_assert_int_eq(outcall_mount_parse(spec, 131, &m, wide, 132, NULL), 0);
    ck_assert_int_eq(outcall_mount_parse(spec, 131, &m, wide, 131, NULL), OUTCALL_E_LIMIT);
    memset(spec, 'v', 129);
    memcpy(spec + 129, ":/b", 4);
    bad(spec, "source must be");
    memset(spec, 'a', sizeof(spec));
    spec[0] = '/';
    memcpy(spec + 4095, ":/b", 4);
    char large[5000];
    ck_assert_int_eq(outcall_mount_parse(spec, 4098, &m, large, sizeof(large), NULL), 0);
    memcpy(spec + 4095, "a:/b", 5);
    bad(spec, "source is too long");
    memset(spec, 'a', sizeof(spec));
    spec[0] = spec[3] = '/';
    spec[2] = ':';
    bad_bytes(spec, 3 + 4096, OUTCALL_E_INVALID, "target is too long");
    bad_bytes(spec, OUTCALL_MOUNT_SPEC_MAX, OUTCALL_E_INVALID, "target is too long");
    bad_bytes(spec, OUTCALL_MOUNT_SPEC_MAX + 1, OUTCALL_E_LIMIT, "longer than");
    ck_assert_int_eq(outcall_mount_parse("/a:/b", 5, &m, buf, 6, NULL), 0);
    ck_assert_int_eq(outcall_mount_parse("/a:/b", 5, &m, buf, 5, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_mount_parse("/a:/b", 5, &m, NULL, 6, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_mount_parse(NULL, 5, &m, buf, 6, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_mount_parse("/a:/b", 5, NULL, buf, 6, NULL), OUTCALL_E_INVALID);
}
END_TEST

static int targets(const char *a, const char *b, outcall_error *err)
{
    outcall_mount v[2] = {{"/x", a, 0}, {"/y", b, 0}};
    return outcall_mounts_check_targets(v, b ? 2 : 1, err);
}

static void target(const char *path, int code, int kind)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = targets(path, NULL, &err);
    ck_assert_msg(r == code, "\"%s\" gave %d: %s", path, r, err.text);
    ck_assert_int_eq(err.kind, kind);
}

START_TEST(t13_targets_of_ours_are_refused)
{
    static const char *const refused[] = {"/",
                                          "/run",
                                          "/run/outcall",
                                          "/run/outcall/agent.sock",
                                          "/usr",
                                          "/usr/local",
                                          "/usr/local/bin",
                                          "/usr/local/bin/outcall",
                                          "/etc",
                                          "/etc/resolv.conf",
                                          "/etc/hosts",
                                          "/etc/hostname",
                                          "/proc",
                                          "/proc/sys",
                                          "/sys",
                                          "/sys/fs/cgroup",
                                          "/dev",
                                          "/dev/shm"};
    static const char *const allowed[] = {"/data",    "/run/outcallx", "/run/x",   "/usr/local/bin/outcall2",
                                          "/etc/x",   "/procx",        "/devel",   "/system",
                                          "/var/run", "/home/a b",     "/usr/bin", "/etc/hosts.d",
                                          "/r"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(refused); i++)
        target(refused[i], OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED);
    for (size_t i = 0; i < OC_ARRAY_SIZE(allowed); i++)
        target(allowed[i], 0, OUTCALL_KIND_NONE);
    ck_assert_ptr_null(oc_target_conflict("/data"));
    ck_assert_str_eq(oc_target_conflict("/etc"), "/etc/resolv.conf");
}
END_TEST

START_TEST(malformed_targets_are_refused)
{
    static const char *const refused[] = {"",        "data",    "/data/",   "//data",        "/data//x",
                                          "/data/.", "/./data", "/data/..", "/data/../proc", "/da\nta",
                                          "/\xff"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(refused); i++)
        target(refused[i], OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID);
    target(NULL, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID);
}
END_TEST

START_TEST(targets_are_looked_at_together)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(targets("/a", "/b", &err), 0);
    ck_assert_int_eq(targets("/a", "/a/b", &err), 0);
    ck_assert_int_eq(targets("/a", "/a", &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, "mount target \"/a\" is given twice");
    ck_assert_str_eq(err.source, "/a");

    char names[OUTCALL_MOUNTS_MAX + 1][16];
    outcall_mount v[OUTCALL_MOUNTS_MAX + 1];
    for (size_t i = 0; i < OC_ARRAY_SIZE(v); i++) {
        snprintf(names[i], sizeof(names[i]), "/t%zu", i);
        v[i] = (outcall_mount){"/x", names[i], 0};
    }
    ck_assert_int_eq(outcall_mounts_check_targets(v, OUTCALL_MOUNTS_MAX, NULL), 0);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_mounts_check_targets(v, OUTCALL_MOUNTS_MAX + 1, &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, "too many mounts: 65 (at most 64)");
    ck_assert_int_eq(outcall_mounts_check_targets(NULL, 0, NULL), 0);
    ck_assert_int_eq(outcall_mounts_check_targets(NULL, 1, NULL), OUTCALL_E_INVALID);
}
END_TEST

UNIT_MAIN("mounts_spec", specs_are_taken_apart, bad_specs_are_refused_by_name, lengths_are_bounded,
          t13_targets_of_ours_are_refused, malformed_targets_are_refused, targets_are_looked_at_together)
