/* Attestation against containers made by hand: a process in a mount namespace and a root of its own. */
#include "base/base.h"
#include "base/fd.h"
#include "outcall/mounts.h"
#include "support/failmalloc.h"
#include "support/mountns.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define ROOT "/mnt/root"

/* What was approved, and what build_approved() mounts. */
static outcall_expected_mount approved[] = {
    {.target = "/data"},
    {.target = "/data/sub dir", .read_only = 1},
    {.target = "/file"},
    {.target = "/run/outcall", .read_only = 1},
    {.target = "/tmp", .is_tmpfs = 1},
};
#define APPROVED_N OC_ARRAY_SIZE(approved)

static void identify(outcall_expected_mount *x, const char *source)
{
    struct stat st;
    ck_assert_int_eq(stat(source, &st), 0);
    x->dev = st.st_dev;
    x->ino = st.st_ino;
}

static bool setup(void)
{
    if (!mountns_enter())
        return false;
    const char *const dirs[] = {
        "/mnt/src",  "/mnt/src/sub dir",  "/mnt/sub",  "/mnt/agent",  "/mnt/other", ROOT,        ROOT "/data",
        ROOT "/run", ROOT "/run/outcall", ROOT "/tmp", ROOT "/extra", ROOT "/etc",  ROOT "/proc"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(dirs); i++)
        make_dir(dirs[i]);
    make_file("/mnt/file");
    make_file("/mnt/hosts");
    make_file(ROOT "/file");
    make_file(ROOT "/etc/hosts");
    make_link("/run", ROOT "/var_run");
    make_link("/../../extra", ROOT "/elsewhere");
    identify(&approved[0], "/mnt/src");
    identify(&approved[1], "/mnt/sub");
    identify(&approved[2], "/mnt/file");
    identify(&approved[3], "/mnt/agent");
    return true;
}

static void build_approved(void)
{
    make_bind("/mnt/src", ROOT "/data");
    make_bind("/mnt/sub", ROOT "/data/sub dir");
    make_read_only(ROOT "/data/sub dir");
    make_bind("/mnt/file", ROOT "/file");
    make_bind("/mnt/agent", ROOT "/run/outcall");
    make_read_only(ROOT "/run/outcall");
    mountns_tmpfs(ROOT "/tmp");
    make_bind("/mnt/hosts", ROOT "/etc/hosts");
}

static pid_t start(void (*build)(void))
{
    int ready[2];
    char byte = 0;
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
        ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        make_bind(ROOT, ROOT);
        build_approved();
        build();
        ck_assert_int_eq(chroot(ROOT), 0);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(write(ready[1], "x", 1), 1);
        for (;;)
            (void)pause();
    }
    oc_close(ready[1]);
    ck_assert_msg(read(ready[0], &byte, 1) == 1, "the container could not be built");
    oc_close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void attest(void (*build)(void), size_t n, int code, const char *where)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int fds = count_fds();
    pid_t pid = start(build);
    int r = outcall_mounts_attest(pid, approved, n, &err);
    ck_assert_msg(r == code, "%d: %s", r, err.text);
    ck_assert_int_eq(err.kind, code ? OUTCALL_KIND_MOUNT_DENIED : OUTCALL_KIND_NONE);
    ck_assert_str_eq(err.source, where);
    ck_assert_int_eq(count_fds(), fds);
    end(pid);
}

static void nothing(void)
{
}

START_TEST(what_was_approved_passes)
{
    if (setup())
        attest(nothing, APPROVED_N, 0, "");
}
END_TEST

START_TEST(what_was_not_approved_is_named)
{
    if (!setup())
        return;
    attest(nothing, APPROVED_N - 1, 0, ""); /* an engine's own tmpfs may lie at /tmp */
    attest(nothing, APPROVED_N - 2, OUTCALL_E_DENIED, "/run/outcall");
}
END_TEST

static void miss_one(void)
{
    ck_assert_int_eq(umount2(ROOT "/file", MNT_DETACH), 0);
}

START_TEST(a_missing_mount)
{
    if (setup())
        attest(miss_one, APPROVED_N, OUTCALL_E_DENIED, "/file");
}
END_TEST

static void swap_one(void)
{
    ck_assert_int_eq(umount2(ROOT "/run/outcall", MNT_DETACH), 0);
    make_bind("/mnt/other", ROOT "/run/outcall");
    make_read_only(ROOT "/run/outcall");
}

START_TEST(t09_another_object)
{
    if (setup())
        attest(swap_one, APPROVED_N, OUTCALL_E_DENIED, "/run/outcall");
}
END_TEST

static void write_one(void)
{
    ck_assert_int_eq(umount2(ROOT "/run/outcall", MNT_DETACH), 0);
    make_bind("/mnt/agent", ROOT "/run/outcall");
}

START_TEST(not_read_only)
{
    if (setup())
        attest(write_one, APPROVED_N, OUTCALL_E_DENIED, "/run/outcall");
}
END_TEST

static void add_one(void)
{
    make_bind("/mnt/other", ROOT "/extra");
}

START_TEST(one_too_many)
{
    if (setup())
        attest(add_one, APPROVED_N, OUTCALL_E_DENIED, "/extra");
}
END_TEST

static void cover_one(void)
{
    make_bind("/mnt/src", ROOT "/data");
}

START_TEST(one_on_top_of_another)
{
    if (setup())
        attest(cover_one, APPROVED_N, OUTCALL_E_DENIED, "/data/sub dir"); /* hidden by the one on top */
}
END_TEST

static void cover_same(void)
{
    make_bind("/mnt/file", ROOT "/file");
}

START_TEST(the_same_one_twice)
{
    if (setup())
        attest(cover_same, APPROVED_N, OUTCALL_E_DENIED, "/file");
}
END_TEST

static void host_tmpfs(void)
{
    ck_assert_int_eq(umount2(ROOT "/tmp", MNT_DETACH), 0);
    make_bind("/mnt", ROOT "/tmp");
}

static void tmpfs_is_none(void)
{
    ck_assert_int_eq(umount2(ROOT "/tmp", MNT_DETACH), 0);
    make_bind("/mnt/other", ROOT "/tmp");
}

START_TEST(a_tmpfs_must_be_its_own)
{
    if (!setup())
        return;
    attest(host_tmpfs, APPROVED_N, OUTCALL_E_DENIED, "/tmp");
    attest(tmpfs_is_none, APPROVED_N, OUTCALL_E_DENIED, "/tmp");
}
END_TEST

static void host_proc(void)
{
    make_bind("/proc", ROOT "/proc");
}

START_TEST(the_hosts_proc_is_refused)
{
    if (setup())
        attest(host_proc, APPROVED_N, OUTCALL_E_DENIED, "/proc");
}
END_TEST

static void hosts_directory(void)
{
    ck_assert_int_eq(umount2(ROOT "/etc/hosts", MNT_DETACH), 0);
    ck_assert_int_eq(unlink(ROOT "/etc/hosts"), 0);
    make_dir(ROOT "/etc/hosts");
    make_dir("/mnt/other/hosts");
    make_bind("/mnt/other/hosts", ROOT "/etc/hosts");
}

START_TEST(engine_files_must_be_files)
{
    if (setup())
        attest(hosts_directory, APPROVED_N, OUTCALL_E_DENIED, "/etc/hosts");
}
END_TEST

static void extra_is_approved(void)
{
    make_bind("/mnt/other", ROOT "/extra");
}

START_TEST(t13_symlinks_of_the_image)
{
    outcall_expected_mount v[APPROVED_N + 1];
    outcall_error err = OUTCALL_ERROR_INIT;
    if (!setup())
        return;
    memcpy(v, approved, sizeof(approved));
    v[APPROVED_N] = (outcall_expected_mount){.target = "/elsewhere"};
    identify(&v[APPROVED_N], "/mnt/other");
    pid_t pid = start(extra_is_approved);
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, NULL), 0);
    outcall_expected_mount again[APPROVED_N + 2];
    memcpy(again, v, sizeof(v));
    again[APPROVED_N + 1] = v[APPROVED_N];
    again[APPROVED_N + 1].target = "/extra";
    ck_assert_int_eq(outcall_mounts_attest(pid, again, APPROVED_N + 2, NULL), OUTCALL_E_DENIED);
    v[3].target = "/var_run/outcall"; /* the caller's mount lies where ours should */
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, &err), OUTCALL_E_DENIED);
    ck_assert_str_eq(err.source, "/var_run/outcall");
    v[3].target = "/run/outcall";
    v[APPROVED_N] = v[3];
    v[APPROVED_N].target = "/var_run/outcall";
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, NULL), OUTCALL_E_DENIED);
    v[APPROVED_N].target = "/etc"; /* not a mount at all */
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, NULL), OUTCALL_E_DENIED);
    v[APPROVED_N].target = "/none";
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, NULL), OUTCALL_E_DENIED);
    v[APPROVED_N].target = "none";
    ck_assert_int_eq(outcall_mounts_attest(pid, v, APPROVED_N + 1, NULL), OUTCALL_E_INVALID);
    end(pid);
}
END_TEST

START_TEST(a_process_that_is_gone_is_no_difference)
{
    if (!setup())
        return;
    pid_t pid = start(nothing);
    siginfo_t info;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0); /* a zombie now */
    ck_assert_int_eq(outcall_mounts_attest(pid, approved, APPROVED_N, NULL), OUTCALL_E_CLOSED);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(outcall_mounts_attest(pid, approved, APPROVED_N, NULL), OUTCALL_E_CLOSED);
    ck_assert_int_eq(outcall_mounts_attest(0, approved, APPROVED_N, NULL), OUTCALL_E_CLOSED);
    ck_assert_int_eq(outcall_mounts_same_namespace(pid, NULL), OUTCALL_E_CLOSED);
    ck_assert_int_eq(outcall_mounts_same_namespace(0, NULL), OUTCALL_E_CLOSED);
}
END_TEST

START_TEST(a_process_that_is_dying_is_no_difference)
{
    if (!setup())
        return;
    for (int i = 0; i < 100; i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        pid_t pid = start(nothing);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        int r = outcall_mounts_attest(pid, approved, APPROVED_N, &err);
        ck_assert_msg(r == 0 || r == OUTCALL_E_CLOSED, "%d: %s", r, err.text);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    }
}
END_TEST

START_TEST(the_hosts_root_is_refused)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_mounts_attest(getpid(), NULL, 0, &err), OUTCALL_E_DENIED);
    ck_assert_str_eq(err.source, "/");
    ck_assert_int_eq(outcall_mounts_same_namespace(getpid(), NULL), 1);
    ck_assert_int_eq(outcall_mounts_attest(getpid(), NULL, 1, NULL), OUTCALL_E_INVALID);
    if (!setup())
        return;
    pid_t pid = start(nothing);
    ck_assert_int_eq(outcall_mounts_same_namespace(pid, NULL), 0);
    end(pid);
}
END_TEST

static int attest_once(void *userdata)
{
    return outcall_mounts_attest(*(pid_t *)userdata, approved, APPROVED_N, NULL);
}

START_TEST(every_allocation_may_fail)
{
    if (!setup())
        return;
    pid_t pid = start(nothing);
    int fds = count_fds();
    ck_assert_int_ge(failmalloc_loop(attest_once, &pid), 8);
    ck_assert_int_eq(count_fds(), fds);
    end(pid);
}
END_TEST

UNIT_MAIN("mounts_attest", what_was_approved_passes, what_was_not_approved_is_named, a_missing_mount,
          t09_another_object, not_read_only, one_too_many, one_on_top_of_another, the_same_one_twice,
          a_tmpfs_must_be_its_own, the_hosts_proc_is_refused, engine_files_must_be_files,
          t13_symlinks_of_the_image, a_process_that_is_gone_is_no_difference,
          a_process_that_is_dying_is_no_difference, the_hosts_root_is_refused, every_allocation_may_fail)
