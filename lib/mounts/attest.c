#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "mounts/place.h"
#include "mounts/runtime.h"
#include "mounts/target.h"
#include "outcall/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPECTED_MAX  256 /* a container's mounts, its tmpfs over image volumes, and ours */
#define LOOK_UP_TRIES 64  /* openat2(2): EAGAIN while anything is renamed anywhere */

struct attest {
    int proc_fd; /* /proc/<pid>: stays with that process, though the number may come back */
    int root_fd;
    struct oc_mountinfo inside, host;
    bool *accounted; /* for each of inside */
    outcall_error *err;
};

static void attest_done(struct attest *a)
{
    oc_close(a->proc_fd);
    oc_close(a->root_fd);
    oc_mountinfo_done(&a->inside);
    oc_mountinfo_done(&a->host);
    free(a->accounted);
}

static int gone(const struct attest *a)
{
    return oc_fail(a->err, OUTCALL_E_CLOSED, "the container's process is gone");
}

static bool means_gone(int error)
{
    return error == ENOENT || error == ESRCH || error == EINVAL; /* EINVAL: mountinfo of a zombie */
}

/* A process loses its root before its mounts are taken apart. So a difference that is only the taking apart
 * is always seen as such here. */
static bool is_alive(const struct attest *a)
{
    char path[2];
    return readlinkat(a->proc_fd, "root", path, sizeof(path)) >= 0;
}

OC_PRINTF(3, 4) static int differs(const struct attest *a, const char *where, const char *fmt, ...)
{
    char what[OUTCALL_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (!is_alive(a))
        return gone(a);
    int r = oc_fail_kind(a->err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                         "the container's mounts are not what was approved: \"%s\" %s", where, what);
    oc_error_at(a->err, where, 0, 0);
    return r;
}

static int attest_open(struct attest *a, pid_t pid)
{
    char path[32];
    (void)oc_format(path, sizeof(path), "/proc/%ld", (long)pid);
    a->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->proc_fd < 0)
        return means_gone(errno) ? gone(a) : oc_fail_errno(a->err, "cannot open %s", path);
    int r = oc_mountinfo_read(a->proc_fd, &a->inside);
    if (r == OUTCALL_E_SYSTEM && means_gone(errno))
        return gone(a);
    if (r < 0)
        return oc_fail_code(a->err, r, "cannot read %s/mountinfo", path);
    a->root_fd = openat(a->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->root_fd < 0)
        return means_gone(errno) ? gone(a) : oc_fail_errno(a->err, "cannot open %s/root", path);
    OC_CLOSE int self = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    r = self < 0 ? OUTCALL_E_SYSTEM : oc_mountinfo_read(self, &a->host);
    if (r < 0)
        return oc_fail_code(a->err, r, "cannot read /proc/thread-self/mountinfo");
    a->accounted = oc_new_array(a->inside.n, sizeof(bool));
    return a->accounted ? 0 : oc_no_memory(a->err);
}

/* As the container would see it: symlinks of its image lead no further than its root. */
static int look_inside(const struct attest *a, const char *target)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    for (int i = 0; i < LOOK_UP_TRIES; i++) {
        fd = syscall(SYS_openat2, a->root_fd, target, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return (int)fd;
}

static int look_failed(const struct attest *a, const char *target)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES)
        return differs(a, target, "is not there");
    return oc_fail_errno(a->err, "cannot look at \"%s\" in the container", target);
}

static const struct oc_mount_entry *entry_of(const struct attest *a, const struct statx *st)
{
    if ((st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && !(st->stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return NULL;
    return oc_mountinfo_find(&a->inside, st->stx_mnt_id);
}

/* An image's symlink may have led the engine elsewhere. That place must be one a caller could have asked for.
 */
static int check_point(const struct attest *a, const outcall_expected_mount *x,
                       const struct oc_mount_entry *e)
{
    const char *conflict = oc_streq(e->point, x->target) ? NULL : oc_target_conflict(e->point);
    return conflict
               ? differs(a, x->target, "leads to \"%s\", which conflicts with \"%s\"", e->point, conflict)
               : 0;
}

static int check_tmpfs(const struct attest *a, const outcall_expected_mount *x,
                       const struct oc_mount_entry *e)
{
    if (!oc_streq(e->fstype, "tmpfs") || !oc_streq(e->root, "/"))
        return differs(a, x->target, "is no tmpfs but %s of %s", e->root, e->fstype);
    return oc_runtime_is_of_host(&a->host, e->dev) ? differs(a, x->target, "is a tmpfs of the host") : 0;
}

static int check_expected(struct attest *a, const outcall_expected_mount *x)
{
    struct statx st;
    OC_CLOSE int fd = look_inside(a, x->target);
    if (fd < 0)
        return look_failed(a, x->target);
    int r = oc_statx(fd, "", &st);
    if (r < 0)
        return oc_fail_code(a->err, r, "cannot look at \"%s\" in the container", x->target);
    const struct oc_mount_entry *e = entry_of(a, &st);
    if (!e || oc_streq(e->point, "/"))
        return differs(a, x->target, "is not a mount");
    if (a->accounted[e - a->inside.v])
        return differs(a, x->target, "is the same mount as another target");
    a->accounted[e - a->inside.v] = true;
    r = check_point(a, x, e);
    if (r == 0 && x->is_tmpfs)
        r = check_tmpfs(a, x, e);
    if (r < 0)
        return r;
    if (!x->is_tmpfs && !oc_id_equal(oc_statx_id(&st), (struct oc_id){x->dev, x->ino}))
        return differs(a, x->target, "is another object (%s of %s)", e->root, e->fstype);
    return x->read_only && !e->read_only ? differs(a, x->target, "is not read-only") : 0;
}

static int check_file(const struct attest *a, const struct oc_mount_entry *e)
{
    struct statx st;
    OC_CLOSE int fd = look_inside(a, e->point);
    if (fd < 0)
        return look_failed(a, e->point);
    int r = oc_statx(fd, "", &st);
    if (r < 0)
        return oc_fail_code(a->err, r, "cannot look at \"%s\" in the container", e->point);
    return S_ISREG(st.stx_mode) ? 0 : differs(a, e->point, "is not a regular file");
}

static int check_rest(const struct attest *a)
{
    for (size_t i = 0; i < a->inside.n; i++) {
        const struct oc_mount_entry *e = &a->inside.v[i];
        enum oc_runtime_answer answer = OC_RUNTIME_YES;
        int r = 0;
        if (!a->accounted[i])
            answer = oc_runtime_mounts(e, &a->inside, &a->host);
        if (answer == OC_RUNTIME_NO)
            r = differs(a, e->point, "was not approved (%s of %s)", e->root, e->fstype);
        else if (answer == OC_RUNTIME_FILE)
            r = check_file(a, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_root(const struct attest *a)
{
    struct stat theirs, own;
    if (fstat(a->root_fd, &theirs) < 0 || stat("/", &own) < 0)
        return oc_fail_errno(a->err, "cannot compare the container's root with the host's");
    bool same = theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino;
    return same ? differs(a, "/", "is the host's root") : 0;
}

static int check_arguments(const outcall_expected_mount *v, size_t n, outcall_error *err)
{
    if (n > EXPECTED_MAX || (n > 0 && !v))
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_mounts_attest: bad list of mounts (at most %d)",
                       EXPECTED_MAX);
    for (size_t i = 0; i < n; i++)
        if (!v[i].target || v[i].target[0] != '/')
            return oc_fail(err, OUTCALL_E_INVALID, "outcall_mounts_attest: a target is not absolute");
    return 0;
}

int outcall_mounts_attest(pid_t init_pid, const outcall_expected_mount *v, size_t n, outcall_error *err)
{
    OC_CLEANUP(attest_done)
    struct attest a = {-1, -1, OC_MOUNTINFO_INIT, OC_MOUNTINFO_INIT, NULL, err};
    int r = check_arguments(v, n, err);
    if (r < 0)
        return r;
    if (init_pid <= 0)
        return gone(&a);
    r = attest_open(&a, init_pid);
    if (r == 0)
        r = check_root(&a);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = check_expected(&a, &v[i]);
    return r < 0 ? r : check_rest(&a);
}
