#include "mounts/snapshot.h"
#include "base/fd.h"
#include "base/path.h"
#include "mounts/protected.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* what the kernel follows, path_resolution(7) */

void oc_snapshot_done(struct oc_snapshot *s)
{
    for (size_t i = 0; i < s->n; i++)
        oc_place_done(&s->v[i].place);
    free(s->v);
    oc_mountinfo_done(&s->mounts);
    *s = (struct oc_snapshot)OC_SNAPSHOT_INIT;
}

static int add_mark(struct oc_snapshot *s, const struct oc_mark *m)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct oc_mark *v = reallocarray(s->v, cap, sizeof(*v));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = *m;
    return 0;
}

static int mark(struct oc_snapshot *s, const char *name, bool ours, enum oc_mark_role role, int fd)
{
    struct oc_mark m = {.name = name, .role = role, .ours = ours};
    struct statx st;
    int r = oc_statx(fd, "", &st);
    if (r < 0)
        return r;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].role == role && oc_id_equal(s->v[i].place.id, oc_statx_id(&st)))
            return 0;
    r = oc_place_look(fd, &m.place);
    if (r == 0)
        r = add_mark(s, &m);
    if (r < 0)
        oc_place_done(&m.place);
    return r;
}

/* A path being resolved by hand, since the kernel does not tell through which directories it went. */
struct journey {
    int fd; /* where we are */
    unsigned links;
    char rest[PATH_MAX]; /* what is left to go */
};

/* The next name of rest into name; false: arrived. */
static bool next_name(struct journey *j, char *name, size_t size)
{
    for (;;) {
        char *p = j->rest + strspn(j->rest, "/");
        size_t n = strcspn(p, "/");
        if (n == 0)
            return false;
        int r = oc_copy(name, size, p, n);
        memmove(j->rest, p + n, strlen(p + n) + 1);
        if (r == 0 && !oc_streq(name, "."))
            return true;
    }
}

static int follow(struct journey *j, int link_fd)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);
    if (n <= 0)
        return OUTCALL_E_SYSTEM;
    target[n] = '\0';
    if (++j->links > LINKS_MAX || oc_format(rest, sizeof(rest), "%s/%s", target, j->rest) < 0) {
        errno = ELOOP;
        return OUTCALL_E_SYSTEM;
    }
    memcpy(j->rest, rest, sizeof(j->rest));
    if (target[0] != '/')
        return 0;
    oc_close(j->fd);
    j->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return j->fd < 0 ? OUTCALL_E_SYSTEM : 0;
}

static int travel_one(struct journey *j, const char *name)
{
    struct stat st;
    OC_CLOSE int next = openat(j->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || fstat(next, &st) < 0)
        return OUTCALL_E_SYSTEM;
    if (S_ISLNK(st.st_mode))
        return follow(j, next);
    oc_close(j->fd);
    j->fd = oc_take_fd(&next);
    return 0;
}

/* There is no such object, or no way for us to reach it: then there is nothing to compare with, but the
 * directories on the way stay marked, and a source behind a door we cannot open cannot be opened as a
 * source either. */
static bool is_out_of_reach(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP ||
           error == ENAMETOOLONG || error == ESTALE || error == ENXIO || error == ENODEV;
}

static int resolve(struct oc_snapshot *s, const char *path, bool ours)
{
    char name[PATH_MAX]; /* one that is too long for the kernel is its own to refuse */
    struct journey j = {.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    int r = j.fd < 0 ? OUTCALL_E_SYSTEM : oc_copy(j.rest, sizeof(j.rest), path, strlen(path));
    bool arrived = false;
    while (r == 0 && !arrived) {
        arrived = !next_name(&j, name, sizeof(name));
        r = mark(s, path, ours, arrived ? OC_MARK_OBJECT : OC_MARK_PASSED, j.fd);
        if (r < 0 || arrived)
            break;
        r = travel_one(&j, name);
        if (r == OUTCALL_E_SYSTEM && is_out_of_reach(errno)) {
            r = 0;
            break;
        }
    }
    oc_close(j.fd);
    return r;
}

/* Engines and login managers mount file systems of their own below their directories (a tmpfs for each
 * user, an overlay for each container). An alias of one made elsewhere has no parent that is protected.
 * Bind mounts below ours are not meant: the stage is full of ordinary directories. */
static int mark_inside(struct oc_snapshot *s, const struct oc_mark *object)
{
    for (size_t i = 0; i < s->mounts.n; i++) {
        const struct oc_mount_entry *e = &s->mounts.v[i];
        if (!oc_streq(e->root, "/") || !(oc_streq(e->fstype, "tmpfs") || oc_streq(e->fstype, "overlay")) ||
            !oc_path_contains(object->place.path, e->point))
            continue;
        struct oc_mark m = {.name = object->name, .role = OC_MARK_INSIDE};
        m.place.fs = e->dev;
        m.place.fs_path = oc_asprintf("/");
        if (!m.place.fs_path)
            return OUTCALL_E_NO_MEMORY;
        int r = add_mark(s, &m);
        if (r < 0) {
            oc_place_done(&m.place);
            return r;
        }
    }
    return 0;
}

static int settle(struct oc_snapshot *s, const char **ret_name)
{
    OC_CLOSE int self = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = self < 0 ? OUTCALL_E_SYSTEM : oc_mountinfo_read(self, &s->mounts);
    for (size_t i = 0, n = s->n; r == 0 && i < n; i++) {
        struct oc_mark m = s->v[i];
        *ret_name = m.name;
        r = oc_place_settle(&s->v[i].place, &s->mounts);
        m.place = s->v[i].place;
        if (r == 0 && m.role == OC_MARK_OBJECT && !m.ours)
            r = mark_inside(s, &m);
    }
    return r;
}

int oc_snapshot_take(const struct oc_strings *names, size_t ours_n, struct oc_snapshot *ret,
                     const char **ret_name)
{
    OC_CLEANUP(oc_snapshot_done) struct oc_snapshot s = OC_SNAPSHOT_INIT;
    int r = 0;
    *ret_name = NULL;
    for (size_t i = 0; r == 0 && i < names->n; i++) {
        *ret_name = names->v[i];
        r = resolve(&s, names->v[i], i < ours_n);
    }
    if (r == 0)
        *ret_name = NULL;
    if (r == 0)
        r = settle(&s, ret_name);
    if (r < 0)
        return r;
    *ret = s;
    s = (struct oc_snapshot)OC_SNAPSHOT_INIT;
    return 0;
}
