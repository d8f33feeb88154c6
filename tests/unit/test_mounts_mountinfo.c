#include "base/base.h"
#include "base/fd.h"
#include "mounts/mountinfo.h"
#include "mounts/place.h"
#include "mounts/runtime.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <fcntl.h>
#include <sys/sysmacros.h>

static void load(const char *name, struct oc_mountinfo *ret)
{
    OC_FREE char *text = NULL;
    size_t len;
    char path[512];
    snprintf(path, sizeof(path), "%s/mounts/%s.mountinfo", TEST_DATA, name);
    ck_assert_msg(oc_read_file(AT_FDCWD, path, 1 << 20, &text, &len) == 0, "%s", path);
    ck_assert_int_eq(oc_mountinfo_parse(text, len, ret), 0);
}

static int parse(const char *text, struct oc_mountinfo *ret)
{
    return oc_mountinfo_parse(text, strlen(text), ret);
}

START_TEST(lines_are_taken_apart)
{
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    ck_assert_int_eq(
        parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
              "103 96 254:16 /src /data/sub\\040dir\\134x ro,relatime shared:1 master:2 - ext4 /dev/vda rw\n"
              "5 1 0:4 net:[4026532394] /run/netns/x rw - nsfs nsfs rw\n"
              "6 1 0:4 / /x rw - tmpfs  ro",
              &m),
        0);
    ck_assert_uint_eq(m.n, 4);
    ck_assert_uint_eq(m.v[0].id, 36);
    ck_assert_str_eq(m.v[0].root, "/mnt1");
    ck_assert_str_eq(m.v[0].point, "/mnt2");
    ck_assert_str_eq(m.v[0].fstype, "ext3");
    ck_assert(!m.v[0].read_only);
    ck_assert_str_eq(m.v[1].point, "/data/sub dir\\x");
    ck_assert_uint_eq(m.v[1].dev, makedev(254, 16));
    ck_assert(m.v[1].read_only);
    ck_assert_str_eq(m.v[2].root, "net:[4026532394]");
    ck_assert(m.v[3].read_only);
    ck_assert_ptr_eq(oc_mountinfo_find(&m, 5), &m.v[2]);
    ck_assert_ptr_null(oc_mountinfo_find(&m, 7));
    oc_mountinfo_done(&m);
    ck_assert_int_eq(parse("", &m), 0);
    ck_assert_uint_eq(m.n, 0);
    oc_mountinfo_done(&m);
}
END_TEST

START_TEST(malformed_tables_are_refused)
{
    static const char *const bad[] = {
        "\n",
        "36\n",
        "x 35 98:0 / /mnt rw - ext3 d rw\n",
        "36 -1 98:0 / /mnt rw - ext3 d rw\n",
        "36 35 98 / /mnt rw - ext3 d rw\n",
        "36 35 98:x / /mnt rw - ext3 d rw\n",
        "36 35 98:0  /mnt rw - ext3 d rw\n",
        "36 35 98:0 / mnt rw - ext3 d rw\n",
        "36 35 98:0 / /mnt rw ext3 d rw\n",
        "36 35 98:0 / /mnt rw - ext3 d\n",
        "36 35 98:0 / /mnt rw -  d rw\n",
        "36 35 98:0 / /mnt rw - ext3 d rw x\n",
        "36 35 98:0 / /mnt\\ rw - ext3 d rw\n",
        "36 35 98:0 / /mnt\\04 rw - ext3 d rw\n",
        "36 35 98:0 / /mnt\\048 rw - ext3 d rw\n",
        "36 35 98:0 / /mnt\\000 rw - ext3 d rw\n",
        "36 35 98:0 / /mnt\\777 rw - ext3 d rw\n",
        "36 35 98:0 / /mnt rw - ext3 d rw\n\n",
        "18446744073709551616 35 98:0 / /mnt rw - ext3 d rw\n",
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        struct oc_mountinfo m = {NULL, NULL, 77};
        ck_assert_msg(parse(bad[i], &m) == OUTCALL_E_PROTOCOL, "%s", bad[i]);
        ck_assert_uint_eq(m.n, 77);
    }
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    ck_assert_int_eq(oc_mountinfo_parse("36 35 98:0 / /m\0t rw - ext3 d rw\n", 34, &m), OUTCALL_E_PROTOCOL);
}
END_TEST

START_TEST(too_many_lines_are_refused)
{
    size_t n = OC_MOUNTINFO_N_MAX + 1;
    OC_FREE char *text = malloc(n);
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    memset(text, '\n', n);
    ck_assert_int_eq(oc_mountinfo_parse(text, n - 1, &m), OUTCALL_E_PROTOCOL);
    ck_assert_int_eq(oc_mountinfo_parse(text, n, &m), OUTCALL_E_LIMIT);
}
END_TEST

START_TEST(our_own_table_is_read)
{
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    struct oc_place p = {0};
    OC_CLOSE int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    OC_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(oc_place_look(root, &p), 0);
    ck_assert_int_eq(oc_mountinfo_read(self, &m), 0);
    ck_assert_int_eq(oc_place_settle(&p, &m), 0);
    ck_assert_str_eq(p.path, "/");
    ck_assert(oc_place_contains(&p, &p));
    oc_place_done(&p);
    oc_mountinfo_done(&m);
    ck_assert_int_eq(oc_mountinfo_read(root, &m), OUTCALL_E_SYSTEM);
}
END_TEST

START_TEST(paths_within_a_file_system)
{
    static const struct {
        const char *root, *point, *path, *expect;
    } cases[] = {
        {"/", "/", "/", "/"},          {"/", "/", "/a/b", "/a/b"},       {"/", "/run", "/run", "/"},
        {"/", "/run", "/run/x", "/x"}, {"/sub", "/mnt", "/mnt", "/sub"}, {"/sub", "/mnt", "/mnt/a", "/sub/a"},
        {"/sub", "/", "/", "/sub"},    {"/sub", "/", "/a", "/sub/a"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        struct oc_mount_entry e = {.root = cases[i].root, .point = cases[i].point};
        OC_FREE char *got = oc_fs_path(&e, cases[i].path);
        ck_assert_str_eq(got, cases[i].expect);
    }
}
END_TEST

static int parse_once(void *userdata)
{
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    int r = parse(userdata, &m);
    oc_mountinfo_done(&m);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    static char text[] = "36 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw\n";
    ck_assert_int_eq(failmalloc_loop(parse_once, text), 3);
}
END_TEST

/* Tables of real containers: which of the mounts does the closed list not know? */
static void check_real(const char *name, const char *const *foreign, size_t n)
{
    struct oc_mountinfo m = OC_MOUNTINFO_INIT, host = OC_MOUNTINFO_INIT;
    size_t seen = 0;
    load(name, &m);
    load("host", &host);
    for (size_t i = 0; i < m.n; i++) {
        if (oc_runtime_mounts(&m.v[i], &m, &host) != OC_RUNTIME_NO)
            continue;
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known = known || strcmp(foreign[k], m.v[i].point) == 0;
        ck_assert_msg(known, "%s: %s", name, m.v[i].point);
        seen++;
    }
    ck_assert_uint_eq(seen, n);
    oc_mountinfo_done(&m);
    oc_mountinfo_done(&host);
}

START_TEST(real_containers_hold_what_was_asked_for_and_known_mounts)
{
    static const char *const asked[] = {"/data",  "/data2/file", "/data2/vol",    "/run/outcall",
                                        "/run/x", "/vol",        "/data/sub dir", "/usr/local/bin/outcall"};
    static const char *const podman[] = {"/vol", "/data", "/run/outcall"};
    check_real("docker-20.10-cgroup-v1", asked, OC_ARRAY_SIZE(asked));
    check_real("docker-20.10-tty", NULL, 0);
    check_real("podman-4.3", podman, OC_ARRAY_SIZE(podman));
}
END_TEST

#define OWN                                                                                                 \
    "1 0 0:90 / / ro - overlay overlay rw\n2 1 0:91 / /proc rw - proc proc rw\n3 1 0:92 / /dev rw - tmpfs " \
    "tmpfs rw\n"                                                                                            \
    "4 1 0:93 / /sys ro - sysfs sysfs ro\n5 3 0:94 / /dev/pts rw - devpts devpts rw\n"

static enum oc_runtime_answer ask(const char *line)
{
    char text[1024];
    struct oc_mountinfo m = OC_MOUNTINFO_INIT, host = OC_MOUNTINFO_INIT;
    snprintf(text, sizeof(text), "%s%s\n", OWN, line);
    ck_assert_int_eq(parse(text, &m), 0);
    ck_assert_int_eq(
        parse("20 1 254:0 / / rw - ext4 /dev/vda rw\n21 1 0:21 / /proc rw - proc proc rw\n"
              "22 1 0:22 / /sys rw - sysfs sysfs rw\n23 1 0:23 / /run rw - tmpfs tmpfs rw\n"
              "24 1 0:24 / /dev/shm rw - tmpfs tmpfs rw\n25 1 0:25 / /dev/pts rw - devpts devpts rw\n"
              "26 1 0:26 / /srv/c/userdata/shm rw - tmpfs shm rw\n",
              &host),
        0);
    enum oc_runtime_answer r = oc_runtime_mounts(&m.v[m.n - 1], &m, &host);
    oc_mountinfo_done(&m);
    oc_mountinfo_done(&host);
    return r;
}

START_TEST(the_closed_list_is_closed)
{
    static const char *const refused[] = {
        "9 1 0:21 / /proc rw - proc proc rw", /* the host's */
        "9 1 0:22 / /sys ro - sysfs sysfs ro",
        "9 1 0:23 / /dev rw - tmpfs tmpfs rw",
        "9 1 0:6 / /dev rw - devtmpfs devtmpfs rw",
        "9 1 0:24 / /dev/shm rw - tmpfs tmpfs rw",
        "9 1 0:25 / /dev/pts rw - devpts devpts rw",
        "9 1 0:25 /0 /dev/console rw - devpts devpts rw",
        "9 1 0:6 /sda /dev/sda rw - devtmpfs devtmpfs rw",
        "9 1 0:6 /kmsg /dev/null rw - devtmpfs devtmpfs rw",
        "9 1 0:91 /sys /proc/sys rw - proc proc rw",  /* not read-only */
        "9 1 0:91 /sys /proc/acpi ro - proc proc rw", /* another piece of it */
        "9 1 0:21 /sys /proc/sys ro - proc proc rw",
        "9 1 254:0 /etc /proc/acpi ro - ext4 /dev/vda rw",
        "9 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw", /* writable */
        "9 1 254:0 / /sys/fs/cgroup ro - ext4 /dev/vda rw",
        "9 1 0:31 / /sys/kernel/debug rw - debugfs debugfs rw",
        "9 1 254:0 /etc/shadow /etc/hosts rw - ext4 /dev/vda rw",
        "9 1 254:0 /srv/hosts /etc/passwd rw - ext4 /dev/vda rw",
        "9 1 254:0 /usr/bin/tini /sbin/docker-init rw - ext4 /dev/vda rw",
        "9 1 254:0 /usr/bin/tini /usr/sbin/docker-init rw - ext4 /dev/vda rw",
        "9 1 254:0 /usr/bin/tini /usr/sbin/init ro - ext4 /dev/vda rw",
        "9 1 0:23 / /run rw - tmpfs tmpfs rw",
        "9 1 0:23 /docker.sock /run/docker.sock rw - tmpfs tmpfs rw",
        "9 1 0:99 / /srv rw - tmpfs tmpfs rw",
        "9 1 254:0 / /host rw - ext4 /dev/vda rw",
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(refused); i++)
        ck_assert_msg(ask(refused[i]) == OC_RUNTIME_NO, "%s", refused[i]);
    ck_assert_int_eq(ask("9 1 0:26 / /dev/shm rw - tmpfs shm rw"), OC_RUNTIME_YES);
    ck_assert_int_eq(ask("9 1 0:94 /0 /dev/console rw - devpts devpts rw"), OC_RUNTIME_YES);
    ck_assert_int_eq(ask("9 1 0:30 / /sys/fs/cgroup ro - cgroup2 cgroup rw"), OC_RUNTIME_YES);
    ck_assert_int_eq(ask("9 1 0:6 /null /proc/kcore rw - devtmpfs devtmpfs rw"), OC_RUNTIME_YES);
    ck_assert_int_eq(ask("9 1 254:0 /c/hosts /etc/hosts rw - ext4 /dev/vda rw"), OC_RUNTIME_FILE);
    ck_assert_int_eq(ask("9 1 254:0 /usr/bin/tini /sbin/docker-init ro - ext4 /dev/vda rw"), OC_RUNTIME_FILE);
    ck_assert_int_eq(ask("9 1 254:0 /usr/bin/tini /usr/sbin/docker-init ro - ext4 /dev/vda rw"),
                     OC_RUNTIME_FILE);
    ck_assert_int_eq(ask("9 1 254:0 /usr/bin/tini /usr/bin/docker-init ro - ext4 /dev/vda rw"),
                     OC_RUNTIME_FILE);
}
END_TEST

UNIT_MAIN("mounts_mountinfo", lines_are_taken_apart, malformed_tables_are_refused, too_many_lines_are_refused,
          our_own_table_is_read, paths_within_a_file_system, every_allocation_may_fail,
          real_containers_hold_what_was_asked_for_and_known_mounts, the_closed_list_is_closed)
