/* Stages: threat T09, and what a restart of the daemon finds. */
#include "base/base.h"
#include "base/fd.h"
#include "outcall/mounts.h"
#include "support/failmalloc.h"
#include "support/mountns.h"
#include "unit.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

static bool setup(void)
{
    if (!mountns_enter())
        return false;
    const char *const dirs[] = {"/mnt/run", "/mnt/src", "/mnt/src/below", "/mnt/other"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(dirs); i++)
        make_dir(dirs[i]);
    make_file("/mnt/src/marker");
    make_file("/mnt/file");
    return true;
}

static outcall_stage *stage_new(const char *name)
{
    outcall_stage *s = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(outcall_stage_new(&s, "/mnt/run/stage", name, &err) == 0, "%s", err.text);
    return s;
}

static const char *stage(outcall_stage *s, const char *source, int read_only)
{
    const char *path = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_CLOSE int pin = open(source, O_PATH | O_CLOEXEC);
    ck_assert_msg(outcall_stage_add(s, pin, read_only, &path, &err) == 0, "%s", err.text);
    return path;
}

static bool same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static size_t count_mounts(void)
{
    size_t n = 0, len;
    OC_FREE char *text = NULL;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 22, &text, &len), 0);
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

START_TEST(what_is_pinned_is_mounted)
{
    if (!setup())
        return;
    size_t mounts = count_mounts();
    mountns_tmpfs("/mnt/src/below");
    make_file("/mnt/src/below/hidden");
    outcall_stage *s = stage_new("c1");
    const char *dir = stage(s, "/mnt/src", 0);
    const char *file = stage(s, "/mnt/file", 1);
    ck_assert_str_eq(dir, "/mnt/run/stage/c1/0");
    ck_assert_str_eq(file, "/mnt/run/stage/c1/1");
    ck_assert(same(dir, "/mnt/src"));
    ck_assert(same(file, "/mnt/file"));
    ck_assert(exists("/mnt/run/stage/c1/0/marker"));
    ck_assert(!exists("/mnt/run/stage/c1/0/below/hidden")); /* not recursive */
    struct statvfs v;
    ck_assert_int_eq(statvfs(dir, &v), 0);
    ck_assert_uint_eq(v.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV), ST_NOSUID | ST_NODEV);
    ck_assert_int_eq(statvfs(file, &v), 0);
    ck_assert_uint_eq(v.f_flag & ST_RDONLY, ST_RDONLY);
    ck_assert_int_lt(open(file, O_WRONLY | O_CLOEXEC), 0);

    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
    ck_assert(!exists("/mnt/run/stage/c1"));
    ck_assert(exists("/mnt/src/marker"));
    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0); /* once more is fine */
    ck_assert_ptr_null(outcall_stage_free(s));
    ck_assert_uint_eq(count_mounts(), mounts + 1);
}
END_TEST

START_TEST(mounts_do_not_spread)
{
    if (!setup())
        return;
    ck_assert_int_eq(mount(NULL, "/mnt", NULL, MS_SHARED, NULL), 0);
    outcall_stage *s = stage_new("c1");
    (void)stage(s, "/mnt/src", 0);
    mountns_tmpfs("/mnt/src/below");
    make_file("/mnt/src/below/late");
    ck_assert(!exists("/mnt/run/stage/c1/0/below/late"));
    OC_FREE char *text = NULL;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 22, &text, NULL), 0);
    char *line = strstr(text, "/mnt/run/stage/c1/0 ");
    ck_assert_ptr_nonnull(line);
    *strchr(line, '\n') = '\0';
    ck_assert_ptr_null(strstr(line, "shared:"));
    ck_assert_ptr_null(strstr(line, "master:"));
    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
    (void)outcall_stage_free(s);
}
END_TEST

START_TEST(stages_survive_their_maker)
{
    if (!setup())
        return;
    outcall_expected_mount x = {.target = "/data", .is_tmpfs = 1};
    outcall_stage *s = stage_new("c1");
    (void)stage(s, "/mnt/src", 0);
    (void)stage(s, "/mnt/file", 1);
    (void)outcall_stage_free(s);
    s = NULL;
    ck_assert_int_eq(rename("/mnt/src", "/mnt/moved"), 0); /* T09: the name means something else now */
    ck_assert_int_eq(rename("/mnt/other", "/mnt/src"), 0);
    ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/stage", "c1", NULL), OUTCALL_E_EXISTS);
    ck_assert_int_eq(outcall_stage_open(&s, "/mnt/run/stage", "c2", NULL), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_stage_open(&s, "/mnt/run/nostage", "c1", NULL), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_stage_open(&s, "/mnt/run/stage", "c1", NULL), 0);
    ck_assert_int_eq(outcall_stage_expect(s, "/mnt/run/stage/c1/0", &x, NULL), 0);
    struct stat st;
    ck_assert_int_eq(stat("/mnt/moved", &st), 0);
    ck_assert_uint_eq(x.ino, st.st_ino);
    ck_assert_uint_eq(x.dev, st.st_dev);
    ck_assert_int_eq(x.read_only, 0);
    ck_assert_int_eq(x.is_tmpfs, 0);
    ck_assert_str_eq(x.target, "/data");
    ck_assert_int_eq(outcall_stage_expect(s, "/mnt/run/stage/c1/1", &x, NULL), 0);
    ck_assert_int_eq(x.read_only, 1);
    static const char *const foreign[] = {
        "/mnt/run/stage/c1/2",  "/mnt/run/stage/c1", "/mnt/run/stage/c1/../c1/0",
        "/mnt/run/stage/c1/00", "/mnt/src",          "0",
        "/mnt/run/stage/c11/0"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(foreign); i++)
        ck_assert_msg(outcall_stage_expect(s, foreign[i], &x, NULL) == OUTCALL_E_NOT_FOUND, "%s", foreign[i]);
    ck_assert_str_eq(stage(s, "/mnt/file", 0), "/mnt/run/stage/c1/2");
    ck_assert_int_eq(umount2("/mnt/run/stage/c1/0", MNT_DETACH), 0);
    ck_assert_int_eq(outcall_stage_expect(s, "/mnt/run/stage/c1/0", &x, NULL), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
    (void)outcall_stage_free(s);
}
END_TEST

START_TEST(unsafe_stage_directories_are_refused)
{
    if (!setup())
        return;
    outcall_stage *s = NULL;
    static const char *const names[] = {"", ".", "..", "a/b", "../x", ".x", "a b", "-x", "\xc3\xa4"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(names); i++)
        ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/stage", names[i], NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_stage_new(&s, "relative", "c1", NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/no/parent", "c1", NULL), OUTCALL_E_SYSTEM);
    make_dir("/mnt/run/open"); /* 0755 */
    ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/open", "c1", NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(mkdir("/mnt/run/real", 0700), 0);
    make_link("/mnt/run/real", "/mnt/run/link");
    ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/link", "c1", NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(chown("/mnt/run/real", 65532, 65532), 0);
    ck_assert_int_eq(outcall_stage_new(&s, "/mnt/run/real", "c1", NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(outcall_stage_supported("/mnt/run/real", NULL), OUTCALL_E_DENIED);
    ck_assert_ptr_null(s);
    ck_assert_ptr_null(outcall_stage_free(NULL));
}
END_TEST

START_TEST(only_so_many_and_only_files_and_directories)
{
    if (!setup())
        return;
    outcall_stage *s = stage_new("c1");
    const char *path = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    make_socket("/mnt/sock");
    OC_CLOSE int sock = open("/mnt/sock", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(outcall_stage_add(s, sock, 0, &path, &err), OUTCALL_E_DENIED);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_DENIED);
    ck_assert_int_eq(outcall_stage_add(s, -1, 0, &path, NULL), OUTCALL_E_SYSTEM);
    ck_assert_ptr_null(path);
    ck_assert(!exists("/mnt/run/stage/c1/0"));
    for (int i = 0; i < OUTCALL_MOUNTS_MAX; i++)
        (void)stage(s, "/mnt/file", 0);
    OC_CLOSE int file = open("/mnt/file", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(outcall_stage_add(s, file, 0, &path, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
    (void)outcall_stage_free(s);
}
END_TEST

START_TEST(removal_spares_what_is_not_ours)
{
    if (!setup())
        return;
    outcall_stage *s = stage_new("c1");
    (void)stage(s, "/mnt/src", 0);
    make_dir("/mnt/run/stage/c1/foreign");
    make_bind("/mnt/other", "/mnt/run/stage/c1/0"); /* stacked on ours */
    ck_assert_int_eq(outcall_stage_remove(s, NULL), OUTCALL_E_BUSY);
    ck_assert(exists("/mnt/run/stage/c1/foreign"));
    ck_assert(exists("/mnt/src/marker"));
    ck_assert_int_eq(rmdir("/mnt/run/stage/c1/foreign"), 0);
    make_dir("/mnt/run/stage/c1/3"); /* a mount point never mounted on, with something in it */
    make_file("/mnt/run/stage/c1/3/x");
    ck_assert_int_eq(outcall_stage_remove(s, NULL), OUTCALL_E_SYSTEM);
    ck_assert(exists("/mnt/run/stage/c1/3/x"));
    ck_assert_int_eq(unlink("/mnt/run/stage/c1/3/x"), 0);
    ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
    ck_assert(!exists("/mnt/run/stage/c1"));
    (void)outcall_stage_free(s);
}
END_TEST

static int keep_second(const char *container, void *userdata)
{
    ++*(int *)userdata;
    return strcmp(container, "c2") == 0;
}

static void count_log(int level, const char *target, const char *msg, void *userdata)
{
    (void)msg;
    if (level == OUTCALL_LOG_WARN && strcmp(target, "mounts") == 0)
        ++*(int *)userdata;
}

START_TEST(orphans_are_cleaned_up)
{
    if (!setup())
        return;
    int asked = 0, warned = 0;
    ck_assert_int_eq(outcall_stage_cleanup("/mnt/run/stage", keep_second, &asked, NULL, NULL), 0);
    for (int i = 1; i <= 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "c%d", i);
        outcall_stage *s = stage_new(name);
        (void)stage(s, "/mnt/src", 1);
        (void)outcall_stage_free(s);
    }
    make_file("/mnt/run/stage/c4/foreign");
    make_file("/mnt/run/stage/not-a-stage");
    outcall_log *log = NULL;
    ck_assert_int_eq(outcall_log_new(&log, count_log, &warned), 0);
    ck_assert_int_eq(outcall_stage_cleanup("/mnt/run/stage", keep_second, &asked, log, NULL), 2);
    ck_assert_int_eq(asked, 5);
    ck_assert_int_eq(warned, 2);
    (void)outcall_log_unref(log);
    ck_assert(!exists("/mnt/run/stage/c1"));
    ck_assert(same("/mnt/run/stage/c2/0", "/mnt/src"));
    ck_assert(!exists("/mnt/run/stage/c3"));
    ck_assert(exists("/mnt/run/stage/c4/foreign"));
    ck_assert(!exists("/mnt/run/stage/c4/0"));
    ck_assert(exists("/mnt/src/marker"));
    ck_assert_int_eq(outcall_stage_cleanup("/mnt/run/stage", NULL, NULL, NULL, NULL), OUTCALL_E_INVALID);
}
END_TEST

START_TEST(support_is_tried)
{
    if (!setup())
        return;
    size_t mounts = count_mounts();
    int fds = count_fds();
    ck_assert_int_eq(outcall_stage_supported("/mnt/run/stage", NULL), 0);
    ck_assert_uint_eq(count_mounts(), mounts);
    ck_assert_int_eq(count_fds(), fds);
    ck_assert_int_eq(rmdir("/mnt/run/stage"), 0); /* nothing is left in it */
    ck_assert_int_eq(chmod("/mnt/run", 0777), 0);
    ck_assert_int_eq(setresuid(65532, 65532, 65532), 0);
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_stage_supported("/mnt/run/stage", &err), OUTCALL_E_UNSUPPORTED);
    ck_assert_int_eq(rmdir("/mnt/run/stage"), 0);
}
END_TEST

/* T09: /mnt/swap is now a symlink to a protected directory, now an ordinary one, as fast as it goes. */
static atomic_bool stop;

static void *swap(void *userdata)
{
    (void)userdata;
    while (!atomic_load(&stop)) {
        (void)renameat2(AT_FDCWD, "/mnt/swap", AT_FDCWD, "/mnt/swapped", RENAME_EXCHANGE);
        (void)sched_yield();
    }
    return NULL;
}

START_TEST(t09_swapped_sources)
{
    if (!setup())
        return;
    static const char *const paths[] = {"/mnt/secret"};
    make_dir("/mnt/secret");
    make_dir("/mnt/swap");
    make_link("/mnt/secret", "/mnt/swapped");
    struct stat free_dir, staged;
    ck_assert_int_eq(stat("/mnt/swap", &free_dir), 0);
    outcall_denylist *l = NULL;
    outcall_denylist_options o = OUTCALL_DENYLIST_OPTIONS_INIT;
    o.paths = paths;
    o.n_paths = 1;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
    int allowed = 0, denied = 0;
    for (int i = 0; i < 3000 && (i < 300 || allowed < 20 || denied < 20); i++) {
        outcall_mount m = {"/mnt/swap", "/data", 0};
        outcall_error err = OUTCALL_ERROR_INIT;
        OC_CLOSE int pin = -1;
        int r = outcall_denylist_check(l, &m, &pin, &err);
        if (r < 0) {
            ck_assert_msg(r == OUTCALL_E_DENIED, "%s", err.text);
            denied++;
            continue;
        }
        const char *path = NULL;
        outcall_stage *s = stage_new("c1");
        ck_assert_int_eq(outcall_stage_add(s, pin, 0, &path, NULL), 0);
        ck_assert_int_eq(stat(path, &staged), 0);
        ck_assert_uint_eq(staged.st_ino, free_dir.st_ino);
        ck_assert_uint_eq(staged.st_dev, free_dir.st_dev);
        ck_assert_int_eq(outcall_stage_remove(s, NULL), 0);
        (void)outcall_stage_free(s);
        allowed++;
    }
    atomic_store(&stop, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_gt(allowed, 0);
    ck_assert_int_gt(denied, 0);
    (void)outcall_denylist_unref(l);
}
END_TEST

static int make_and_remove(void *userdata)
{
    int pin = *(int *)userdata;
    const char *path;
    outcall_stage *s = NULL;
    int r = outcall_stage_new(&s, "/mnt/run/stage", "c1", NULL);
    if (r == 0)
        r = outcall_stage_add(s, pin, 1, &path, NULL);
    if (s && outcall_stage_remove(s, NULL) < 0)
        r = OUTCALL_E_INTERNAL;
    (void)outcall_stage_free(s);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    if (!setup())
        return;
    int fds = count_fds();
    OC_CLOSE int pin = open("/mnt/src", O_PATH | O_CLOEXEC);
    size_t mounts = count_mounts();
    ck_assert_int_ge(failmalloc_loop(make_and_remove, &pin), 3);
    ck_assert_uint_eq(count_mounts(), mounts);
    ck_assert_int_eq(count_fds(), fds + 1);
    ck_assert_int_eq(rmdir("/mnt/run/stage"), 0);
}
END_TEST

UNIT_MAIN("mounts_stage", what_is_pinned_is_mounted, mounts_do_not_spread, stages_survive_their_maker,
          unsafe_stage_directories_are_refused, only_so_many_and_only_files_and_directories,
          removal_spares_what_is_not_ours, orphans_are_cleaned_up, support_is_tried, t09_swapped_sources,
          every_allocation_may_fail)
