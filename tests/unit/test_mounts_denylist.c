/* Threats T01 to T05, T10, T12 against the deny list. */
#include "base/base.h"
#include "base/fd.h"
#include "mounts/walk.h"
#include "outcall/mounts.h"
#include "support/failmalloc.h"
#include "support/mountns.h"
#include "unit.h"
#include <signal.h>
#include <sys/wait.h>

static const char *const ours[] = {"/mnt/oc", "/mnt/etc/config.yaml", "/mnt/rules", "/mnt/later/sock"};

/* /mnt/oc        the runtime directory: host.sock, sub/, state
 * /mnt/etc       config.yaml
 * /mnt/rules     -> /mnt/real/rules.d
 * /mnt/later     empty: the socket is not there yet
 * /mnt/free      what may be mounted: file, dir/, editor.sock
 * /run           docker.sock, containerd/, user/1000 (a tmpfs of its own: bus, podman/) */
static bool setup(void)
{
    if (!mountns_enter())
        return false;
    const char *const dirs[] = {
        "/mnt/oc",    "/mnt/oc/sub", "/mnt/etc",      "/mnt/real", "/mnt/real/rules.d",
        "/mnt/later", "/mnt/free",   "/mnt/free/dir", "/mnt/a",    "/mnt/b"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(dirs); i++)
        make_dir(dirs[i]);
    make_socket("/mnt/oc/host.sock");
    make_file("/mnt/oc/sub/state");
    make_file("/mnt/etc/config.yaml");
    make_link("/mnt/real/rules.d", "/mnt/rules");
    make_file("/mnt/free/file");
    make_socket("/mnt/free/editor.sock");
    mountns_tmpfs("/run");
    make_socket("/run/docker.sock");
    make_dir("/run/containerd");
    make_socket("/run/containerd/containerd.sock");
    make_dir("/run/user");
    make_dir("/run/user/1000");
    mountns_tmpfs("/run/user/1000");
    make_socket("/run/user/1000/bus");
    make_dir("/run/user/1000/podman");
    make_dir("/run/user/1000/podman/deep");
    return true;
}

static outcall_denylist *list_new(size_t max_n, unsigned max_depth)
{
    outcall_denylist *l = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_denylist_options o = OUTCALL_DENYLIST_OPTIONS_INIT;
    o.paths = ours;
    o.n_paths = OC_ARRAY_SIZE(ours);
    o.max_walk_n = max_n;
    o.max_walk_depth = max_depth;
    ck_assert_msg(outcall_denylist_new(&l, &o, &err) == 0, "%s", err.text);
    return l;
}

static void check_with(const outcall_denylist *l, const char *source, int code, const char *text)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_mount m = {source, "/data", 1};
    int pin = -1, fds = count_fds();
    int r = outcall_denylist_check(l, &m, &pin, &err);
    ck_assert_msg(r == code, "\"%s\" gave %d (\"%s\"), expected %d", source, r, err.text, code);
    if (r == 0) {
        struct stat pinned, st;
        ck_assert_int_eq(fstat(pin, &pinned), 0);
        ck_assert_int_eq(stat(source, &st), 0);
        ck_assert_uint_eq(pinned.st_ino, st.st_ino);
        ck_assert_uint_eq(pinned.st_dev, st.st_dev);
        ck_assert_int_eq(fcntl(pin, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(pin, F_GETFL) & O_PATH, O_PATH);
        ck_assert_int_eq(close(pin), 0);
    } else {
        ck_assert_int_eq(pin, -1);
        ck_assert_int_eq(err.code, code);
        if (text)
            ck_assert_str_eq(err.text, text);
    }
    ck_assert_int_eq(count_fds(), fds);
}

static void check(const char *source, int code, const char *text)
{
    outcall_denylist *l = list_new(0, 0);
    check_with(l, source, code, text);
    ck_assert_ptr_null(outcall_denylist_unref(l));
}

static void allowed(const char *source)
{
    check(source, 0, NULL);
}

static void listed(const char *source)
{
    char text[OUTCALL_ERROR_TEXT];
    snprintf(text, sizeof(text), "bind mount denied: \"%s\" is on the deny list", source);
    check(source, OUTCALL_E_DENIED, text);
}

static void exposes(const char *source, const char *path)
{
    char text[OUTCALL_ERROR_TEXT];
    snprintf(text, sizeof(text), "bind mount denied: \"%s\" exposes protected path \"%s\"", source, path);
    check(source, OUTCALL_E_DENIED, text);
}

START_TEST(ordinary_sources_are_allowed)
{
    if (!setup())
        return;
    allowed("/mnt/free");
    allowed("/mnt/free/file");
    allowed("/mnt/free/dir");
    allowed("/mnt/a/../free//dir/.");
    make_link("/mnt/free", "/mnt/link");
    allowed("/mnt/link");
    allowed("/proc/self/root/mnt/free");
}
END_TEST

START_TEST(protected_objects_are_refused)
{
    if (!setup())
        return;
    listed("/mnt/oc");
    listed("/mnt/oc/sub");
    listed("/mnt/oc/sub/state");
    listed("/mnt/oc/host.sock");
    listed("/mnt/etc/config.yaml");
    listed("/mnt/rules");
    listed("/mnt/real/rules.d");
    listed("/run/docker.sock");
    listed("/run/containerd");
    listed("/run/containerd/containerd.sock");
    listed("/run/user");
    listed("/run/user/1000");
    listed("/run/user/1000/podman");
    listed("/proc");
    listed("/sys/kernel");
    listed("/dev/shm");
    listed("/dev/null");
}
END_TEST

START_TEST(t01_symlinks)
{
    if (!setup())
        return;
    make_link("/mnt/oc/host.sock", "/mnt/a/1");
    make_link("/mnt/oc", "/mnt/a/2");
    make_link("../a/2", "/mnt/b/3");
    make_link("/run", "/mnt/b/4");
    listed("/mnt/a/1");
    listed("/mnt/a/2");
    listed("/mnt/b/3");
    listed("/mnt/b/3/sub");
    check("/mnt/b/4", OUTCALL_E_DENIED, NULL);
    make_link("/mnt/nothing", "/mnt/b/5");
    check("/mnt/b/5", OUTCALL_E_NOT_FOUND, "bind mount source \"/mnt/b/5\" does not exist");
    make_link("/mnt/b/6", "/mnt/b/6");
    check("/mnt/b/6", OUTCALL_E_DENIED, NULL);
}
END_TEST

START_TEST(t02_ancestors_and_odd_spelling)
{
    if (!setup())
        return;
    exposes("/", "/mnt/oc");
    exposes("/mnt", "/mnt/oc");
    exposes("/mnt/", "/mnt/oc");
    exposes("/mnt/free/..", "/mnt/oc");
    exposes("//mnt//a/..", "/mnt/oc");
    exposes("/mnt/etc", "/mnt/etc/config.yaml");
    exposes("/proc/self/root", "/mnt/oc");
    exposes("/proc/self/root/mnt", "/mnt/oc");
    exposes("/run", "/run/docker.sock");
    listed("/mnt/free/../oc");
    listed("/mnt/oc/.");
    listed("/proc/self/root/mnt/oc/host.sock");
    listed("/proc/thread-self/root/run/docker.sock");
    listed("/run/../proc/1");
    char by_fd[64];
    int fd = open("/mnt/oc", O_PATH | O_CLOEXEC);
    snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
    listed(by_fd);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(chdir("/mnt/oc"), 0);
    listed("/proc/self/cwd");
    listed("/proc/self/cwd/sub");
}
END_TEST

START_TEST(t03_hard_links)
{
    if (!setup())
        return;
    ck_assert_int_eq(link("/mnt/oc/host.sock", "/mnt/a/innocent"), 0);
    listed("/mnt/a/innocent");
    exposes("/mnt/a", "/mnt/a/innocent");
    ck_assert_int_eq(link("/mnt/etc/config.yaml", "/mnt/b/notes"), 0);
    listed("/mnt/b/notes");
    exposes("/mnt/b", "/mnt/etc/config.yaml");
    ck_assert_int_eq(unlink("/mnt/b/notes"), 0);
    ck_assert_int_eq(link("/mnt/oc/sub/state", "/mnt/b/notes"), 0);
    listed("/mnt/b/notes");
    exposes("/mnt/b", "/mnt/oc");
    ck_assert_int_eq(unlink("/mnt/b/notes"), 0);
    ck_assert_int_eq(link("/mnt/free/file", "/mnt/b/notes"), 0);
    allowed("/mnt/b/notes");
    allowed("/mnt/b");
}
END_TEST

START_TEST(a_socket_is_never_a_source)
{
    if (!setup())
        return;
    listed("/mnt/free/editor.sock");
    make_file("/mnt/a/point");
    make_bind("/mnt/oc/host.sock", "/mnt/a/point");
    listed("/mnt/a/point");
    ck_assert_int_eq(mkfifo("/mnt/a/fifo", 0600), 0);
    listed("/mnt/a/fifo");
    ck_assert_int_eq(mknod("/mnt/a/null", S_IFCHR | 0600, 0x103), 0);
    listed("/mnt/a/null");
    allowed("/mnt/b");
}
END_TEST

START_TEST(t04_bind_aliases)
{
    if (!setup())
        return;
    make_dir("/mnt/alias");
    make_bind("/mnt/oc", "/mnt/alias");
    listed("/mnt/alias");
    listed("/mnt/alias/sub");
    listed("/mnt/alias/sub/state");
    make_read_only("/mnt/alias");
    listed("/mnt/alias");
    listed("/mnt/alias/host.sock");
    make_bind("/mnt/oc/sub", "/mnt/a"); /* no parent of this one is protected */
    listed("/mnt/a");
    listed("/mnt/a/state");
    make_file("/mnt/b/file");
    make_bind("/mnt/oc/sub/state", "/mnt/b/file");
    listed("/mnt/b/file");
}
END_TEST

START_TEST(t04_aliases_of_ancestors)
{
    if (!setup())
        return;
    make_dir("/mnt/alias");
    make_bind("/mnt", "/mnt/alias");
    exposes("/mnt/alias", "/mnt/oc");
    exposes("/mnt/alias/etc", "/mnt/etc/config.yaml");
    listed("/mnt/alias/oc");
    exposes("/mnt/alias/later", "/mnt/later/sock");
    allowed("/mnt/alias/free");
}
END_TEST

/* The protected path leads through a bind mount; what it shows also lies somewhere else. */
START_TEST(t04_protected_path_is_an_alias_itself)
{
    if (!setup())
        return;
    make_dir("/mnt/b/x");
    make_dir("/mnt/b/x/y");
    make_bind("/mnt/b/x", "/mnt/later");
    exposes("/mnt/b/x", "/mnt/later/sock");
    exposes("/mnt/b", "/mnt/later/sock");
    allowed("/mnt/b/x/y");
    make_socket("/mnt/later/sock");
    exposes("/mnt/b/x", "/mnt/later/sock");
    make_bind("/mnt/b/x/y", "/mnt/oc");
    listed("/mnt/b/x/y");
    exposes("/mnt/b", "/mnt/oc");
}
END_TEST

START_TEST(t04_file_systems_below_protected_directories)
{
    if (!setup())
        return;
    make_bind("/run/user/1000/podman", "/mnt/a");
    listed("/mnt/a");
    listed("/mnt/a/deep");
    ck_assert_int_eq(mount("proc", "/mnt/b", "proc", 0, NULL), 0);
    listed("/mnt/b");
    listed("/mnt/b/sys");
    make_file("/mnt/ns");
    make_bind("/proc/self/ns/net", "/mnt/ns");
    listed("/mnt/ns");
}
END_TEST

START_TEST(t05_sockets_below)
{
    if (!setup())
        return;
    make_dir("/mnt/a/1");
    make_dir("/mnt/a/1/2");
    make_dir("/mnt/a/1/2/3");
    make_socket("/mnt/a/1/2/3/own.sock");
    allowed("/mnt/a");
    ck_assert_int_eq(link("/mnt/oc/host.sock", "/mnt/a/1/2/3/x"), 0);
    exposes("/mnt/a", "/mnt/a/1/2/3/x");
    ck_assert_int_eq(unlink("/mnt/a/1/2/3/x"), 0);
    make_link("/mnt/oc", "/mnt/a/1/2/3/x"); /* leads nowhere in a container */
    allowed("/mnt/a");
}
END_TEST

/* Staging is not recursive: it shows what the mount hides from us. */
START_TEST(t05_sockets_hidden_beneath_a_mount)
{
    if (!setup())
        return;
    make_dir("/mnt/a/cover");
    ck_assert_int_eq(link("/mnt/oc/host.sock", "/mnt/a/cover/x"), 0);
    mountns_tmpfs("/mnt/a/cover");
    make_socket("/mnt/a/cover/y");
    exposes("/mnt/a", "/mnt/a/cover/x");
}
END_TEST

static int count_entry(void *userdata, const char *rel, const struct statx *st)
{
    ++*(int *)userdata;
    return strcmp(rel, "stop") == 0 ? (int)st->stx_nlink : 0;
}

START_TEST(the_walk_itself)
{
    if (!setup())
        return;
    int seen = 0;
    enum oc_walk_limit limit;
    struct oc_walk w = {100, 5, count_entry, &seen};
    make_dir("/mnt/a/mounted");
    mountns_tmpfs("/mnt/a/mounted");
    make_file("/mnt/a/mounted/x");
    make_link("/mnt/oc", "/mnt/a/link");
    OC_CLOSE int fd = open("/mnt/a", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(oc_walk(fd, &w, &limit), 0);
    ck_assert_int_eq(seen, 1); /* the link, but neither what it leads to nor what is mounted */
    make_file("/mnt/a/stop");
    ck_assert_int_eq(oc_walk(fd, &w, &limit), 1);
    OC_CLOSE int file = open("/mnt/a/stop", O_PATH | O_CLOEXEC);
    ck_assert_int_lt(oc_walk(file, &w, &limit), 0);
}
END_TEST

START_TEST(walk_limits)
{
    if (!setup())
        return;
    for (int i = 0; i < 9; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/mnt/a/f%d", i);
        make_file(path);
    }
    make_dir("/mnt/b/1");
    make_dir("/mnt/b/1/2");
    outcall_denylist *l = list_new(9, 3);
    check_with(l, "/mnt/a", 0, NULL);
    check_with(l, "/mnt/b", 0, NULL);
    make_dir("/mnt/b/1/2/3"); /* an empty one at the deepest level is still seen to be empty */
    check_with(l, "/mnt/b", 0, NULL);
    make_file("/mnt/b/1/2/3/4");
    check_with(l, "/mnt/b", OUTCALL_E_DENIED,
               "bind mount denied: \"/mnt/b\" cannot be searched: more than 3 levels below \"/mnt/b\"");
    make_file("/mnt/a/one-more");
    check_with(l, "/mnt/a", OUTCALL_E_DENIED,
               "bind mount denied: \"/mnt/a\" cannot be searched: more than 9 entries below \"/mnt/a\"");
    (void)outcall_denylist_unref(l);
}
END_TEST

START_TEST(paths_that_do_not_exist_yet)
{
    if (!setup())
        return;
    outcall_denylist *l = list_new(0, 0);
    check_with(l, "/mnt/later", OUTCALL_E_DENIED,
               "bind mount denied: \"/mnt/later\" exposes protected path \"/mnt/later/sock\"");
    make_dir("/mnt/later/sock");
    make_dir("/mnt/later/sock/x");
    check_with(l, "/mnt/later/sock", OUTCALL_E_DENIED, NULL);
    check_with(l, "/mnt/later/sock/x", OUTCALL_E_DENIED,
               "bind mount denied: \"/mnt/later/sock/x\" is on the deny list");
    (void)outcall_denylist_unref(l);
}
END_TEST

/* Who may write the directory a symlink lies in decides where it leads. */
START_TEST(directories_of_symlinks_on_the_way)
{
    if (!setup())
        return;
    make_dir("/mnt/a/links");
    make_dir("/mnt/b/target");
    ck_assert_int_eq(unlink("/mnt/rules"), 0);
    make_link("/mnt/a/links/rules", "/mnt/rules");
    make_link("../../b/target", "/mnt/a/links/rules");
    exposes("/mnt/a/links", "/mnt/rules");
    exposes("/mnt/a", "/mnt/rules");
    listed("/mnt/b/target");
    exposes("/mnt/b", "/mnt/rules");
    allowed("/mnt/real");
}
END_TEST

START_TEST(t10_missing_sources)
{
    if (!setup())
        return;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_mount m = {"/mnt/nothing/here", "/data", 0};
    int pin = -1;
    outcall_denylist *l = list_new(0, 0);
    ck_assert_int_eq(outcall_denylist_check(l, &m, &pin, &err), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_INVALID);
    ck_assert_str_eq(err.source, "/mnt/nothing/here");
    ck_assert_str_eq(err.text, "bind mount source \"/mnt/nothing/here\" does not exist");
    check_with(l, "/mnt/free/nothing", OUTCALL_E_NOT_FOUND,
               "bind mount source \"/mnt/free/nothing\" does not exist");
    ck_assert_int_eq(access("/mnt/free/nothing", F_OK), -1);
    check_with(l, "/mnt/free/file/x", OUTCALL_E_DENIED, NULL);
    check_with(l, "volume", OUTCALL_E_INVALID, NULL);
    check_with(l, "", OUTCALL_E_INVALID, NULL);
    check_with(l, "/mnt/free\n", OUTCALL_E_INVALID, NULL);
    outcall_error_clear(&err);
    m.source = "/mnt/oc";
    ck_assert_int_eq(outcall_denylist_check(l, &m, &pin, &err), OUTCALL_E_DENIED);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_MOUNT_DENIED);
    ck_assert_str_eq(err.source, "/mnt/oc");
    ck_assert_int_eq(outcall_denylist_check(NULL, &m, &pin, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(pin, -1);
    (void)outcall_denylist_unref(l);
}
END_TEST

START_TEST(what_has_no_place_is_refused)
{
    if (!setup())
        return;
    char path[64];
    make_file("/mnt/a/gone");
    int fd = open("/mnt/a/gone", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(unlink("/mnt/a/gone"), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    check(path, OUTCALL_E_DENIED, NULL);
    make_file("/mnt/a/gone (deleted)"); /* the name a careless reader would take for it */
    check(path, OUTCALL_E_DENIED, NULL);
    allowed("/mnt/a/gone (deleted)");
    ck_assert_int_eq(close(fd), 0);

    make_dir("/mnt/a/lost");
    fd = open("/mnt/a/lost", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(rmdir("/mnt/a/lost"), 0);
    make_dir("/mnt/a/lost (deleted)");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    check(path, OUTCALL_E_DENIED, NULL);
    ck_assert_int_eq(close(fd), 0);

    int ready[2];
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) == 0 && write(ready[1], "x", 1) == 1)
            (void)pause(); /* until killed */
        _exit(1);
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    snprintf(path, sizeof(path), "/proc/%d/root/mnt/free", (int)child);
    check(path, OUTCALL_E_DENIED, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

/* An embedder may ask without root: then nothing can be cloned, and closed doors are closed to the source
 * too. */
START_TEST(without_privileges)
{
    if (!setup())
        return;
    ck_assert_int_eq(chmod("/mnt/real", 0700), 0);
    ck_assert_int_eq(chmod("/run/containerd", 0700), 0);
    ck_assert_int_eq(setresuid(65532, 65532, 65532), 0);
    allowed("/mnt/free");
    allowed("/mnt/free/file");
    listed("/mnt/oc/sub/state");
    exposes("/mnt", "/mnt/oc");
    exposes("/mnt/etc", "/mnt/etc/config.yaml");
    check("/mnt/real", OUTCALL_E_DENIED, NULL);
    check("/mnt/real/rules.d", OUTCALL_E_DENIED, NULL);
    listed("/run/containerd");
}
END_TEST

START_TEST(options_are_checked)
{
    outcall_denylist *l = NULL;
    const char *bad[] = {"relative"};
    const char *control[] = {"/a\nb"};
    outcall_denylist_options o = OUTCALL_DENYLIST_OPTIONS_INIT;
    ck_assert_int_eq(outcall_denylist_new(NULL, &o, NULL), OUTCALL_E_INVALID);
    o.version = 0;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.version = 2;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.version = 1;
    o.n_paths = 1;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.paths = bad;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.paths = control;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.n_paths = OUTCALL_DENYLIST_PATHS_MAX + 1;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.n_paths = 0;
    o.max_walk_n = OUTCALL_DENYLIST_WALK_N_MAX + 1;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    o.max_walk_n = 1;
    o.max_walk_depth = OUTCALL_DENYLIST_WALK_DEPTH_MAX + 1;
    ck_assert_int_eq(outcall_denylist_new(&l, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(l);
    ck_assert_int_eq(outcall_denylist_new(&l, NULL, NULL), 0);
    ck_assert_ptr_eq(outcall_denylist_ref(l), l);
    ck_assert_ptr_null(outcall_denylist_unref(l));
    ck_assert_ptr_null(outcall_denylist_unref(l));
    ck_assert_ptr_null(outcall_denylist_ref(NULL));
}
END_TEST

static int new_and_check(void *userdata)
{
    (void)userdata;
    outcall_denylist *l = NULL;
    outcall_denylist_options o = OUTCALL_DENYLIST_OPTIONS_INIT;
    o.paths = ours;
    o.n_paths = OC_ARRAY_SIZE(ours);
    int r = outcall_denylist_new(&l, &o, NULL);
    int pin = -1;
    if (r == 0)
        r = outcall_denylist_check(l, &(outcall_mount){"/mnt/free", "/x", 0}, &pin, NULL);
    bool fits = r == 0 ? pin >= 0 && close(pin) == 0 : pin == -1;
    (void)outcall_denylist_unref(l);
    return fits ? r : 1; /* Check's own assertions allocate */
}

START_TEST(every_allocation_may_fail)
{
    if (!setup())
        return;
    int fds = count_fds();
    ck_assert_int_gt(failmalloc_loop(new_and_check, NULL), 50);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

UNIT_MAIN("mounts_denylist", ordinary_sources_are_allowed, protected_objects_are_refused, t01_symlinks,
          t02_ancestors_and_odd_spelling, t03_hard_links, a_socket_is_never_a_source, t04_bind_aliases,
          t04_aliases_of_ancestors, t04_protected_path_is_an_alias_itself,
          t04_file_systems_below_protected_directories, t05_sockets_below, t05_sockets_hidden_beneath_a_mount,
          the_walk_itself, walk_limits, paths_that_do_not_exist_yet, directories_of_symlinks_on_the_way,
          t10_missing_sources, what_has_no_place_is_refused, without_privileges, options_are_checked,
          every_allocation_may_fail)
