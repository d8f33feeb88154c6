#include "mounts/check.h"
#include "base/fd.h"
#include "mounts/protected.h"
#include "mounts/walk.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define CLIMB_MAX (PATH_MAX / 2) /* more parents than a path can have */

/* One check's working state. Functions return 0 to go on, OUTCALL_E_DENIED when ret holds a finding, or a
 * code. */
struct check {
    const struct oc_check *c;
    struct oc_snapshot snapshot;
    struct oc_place source;
    struct oc_verdict *ret;
};

static void check_done(struct check *k)
{
    oc_place_done(&k->source);
    oc_snapshot_done(&k->snapshot);
}

static int found(struct check *k, enum oc_finding finding, const char *path)
{
    k->ret->finding = finding;
    size_t n = strlen(path);
    (void)oc_copy(k->ret->path, sizeof(k->ret->path), path, OC_MIN(n, sizeof(k->ret->path) - 1));
    return OUTCALL_E_DENIED;
}

/* Holds one object on the way from the source up to the root against the protected objects. */
static int check_parent(struct check *k, struct oc_id id)
{
    for (size_t i = 0; i < k->snapshot.n; i++) {
        const struct oc_mark *m = &k->snapshot.v[i];
        if (m->role == OC_MARK_OBJECT && oc_id_equal(m->place.id, id))
            return found(k, OC_LISTED, m->name);
    }
    return 0;
}

/* The directory a file was found in; the file must still be there. */
static int open_parent(const struct oc_place *file, int *ret_fd)
{
    struct statx st;
    char dir[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    int r = oc_copy(dir, sizeof(dir), file->path, slash == file->path ? 1 : (size_t)(slash - file->path));
    if (r < 0)
        return r;
    OC_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    r = fd < 0 ? OUTCALL_E_SYSTEM : oc_statx(fd, slash + 1, &st);
    if (r < 0)
        return r;
    if (!oc_id_equal(oc_statx_id(&st), file->id))
        return OUTCALL_E_BUSY;
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

/* Climbs by descriptor, so that a directory renamed meanwhile cannot lead us astray. */
static int check_parents(struct check *k, int pin_fd)
{
    struct statx st, up_st;
    OC_CLOSE int fd = -1;
    int r = check_parent(k, k->source.id);
    if (r == 0 && !S_ISDIR(k->source.mode))
        r = open_parent(&k->source, &fd);
    else if (r == 0 && (fd = fcntl(pin_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        r = OUTCALL_E_SYSTEM;
    if (r == 0)
        r = oc_statx(fd, "", &st);
    for (int i = 0; r == 0 && i < CLIMB_MAX; i++) {
        r = check_parent(k, oc_statx_id(&st));
        int up = r < 0 ? -1 : openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r < 0)
            return r;
        oc_close(fd);
        fd = up;
        r = up < 0 ? OUTCALL_E_SYSTEM : oc_statx(up, "", &up_st);
        if (r == 0 && oc_id_equal(oc_statx_id(&up_st), oc_statx_id(&st)) && up_st.stx_mnt_id == st.stx_mnt_id)
            return 0;
        st = up_st;
    }
    return r < 0 ? r : OUTCALL_E_LIMIT;
}

/* Aliases: the same file system, seen through another mount, has other parents but the same places. */
static int check_place(struct check *k)
{
    if (oc_protected_fstype(k->source.fstype))
        return found(k, OC_LISTED, k->source.path);
    for (size_t i = 0; i < k->snapshot.n; i++) {
        const struct oc_mark *m = &k->snapshot.v[i];
        if (m->role != OC_MARK_PASSED && oc_place_contains(&m->place, &k->source))
            return found(k, OC_LISTED, m->name);
    }
    return 0;
}

static int check_exposure(struct check *k)
{
    for (size_t i = 0; i < k->snapshot.n; i++) {
        const struct oc_mark *m = &k->snapshot.v[i];
        if (m->role == OC_MARK_INSIDE)
            continue;
        /* By identity too: mounts of one network file system need not share a root. */
        bool passed = m->role == OC_MARK_PASSED && oc_id_equal(m->place.id, k->source.id);
        if (passed || (S_ISDIR(k->source.mode) && oc_place_contains(&k->source, &m->place)))
            return found(k, OC_EXPOSES, m->name);
    }
    return 0;
}

/* The names a walk of our own directories comes across, held against one hard link. */
struct link_search {
    struct oc_id id;
    bool found;
};

static int compare_link(void *userdata, const char *rel, const struct statx *st)
{
    struct link_search *s = userdata;
    (void)rel;
    if (S_ISDIR(st->stx_mode) || !oc_id_equal(oc_statx_id(st), s->id))
        return 0;
    s->found = true;
    return OUTCALL_E_DENIED;
}

/* A file with several names may have one of them in a directory of ours (not in those of engines, which are
 * closed to all but root and may hold millions of files). */
static int check_links(struct check *k, struct oc_id id, enum oc_finding finding)
{
    for (size_t i = 0; i < k->snapshot.n; i++) {
        const struct oc_mark *m = &k->snapshot.v[i];
        struct link_search s = {.id = id};
        enum oc_walk_limit limit;
        if (m->role != OC_MARK_OBJECT || !m->ours || !S_ISDIR(m->place.mode) || m->place.id.dev != id.dev)
            continue;
        OC_CLOSE int fd = open(m->place.path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct oc_walk w = {k->c->max_walk_n, k->c->max_walk_depth, compare_link, &s};
        int r = fd < 0 ? OUTCALL_E_SYSTEM : oc_walk(fd, &w, &limit);
        if (s.found)
            return found(k, finding, m->name);
        if (r == OUTCALL_E_LIMIT)
            return found(k, limit == OC_WALK_DEPTH ? OC_TOO_DEEP : OC_TOO_MANY, m->name);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_below(void *userdata, const char *rel, const struct statx *st)
{
    struct check *k = userdata;
    struct oc_id id = oc_statx_id(st);
    char path[PATH_MAX];
    for (size_t i = 0; i < k->snapshot.n; i++) {
        const struct oc_mark *m = &k->snapshot.v[i];
        if (m->role == OC_MARK_OBJECT && oc_id_equal(m->place.id, id))
            return found(k, OC_EXPOSES, m->name);
    }
    if (S_ISDIR(st->stx_mode) || st->stx_nlink < 2)
        return 0;
    if (!S_ISSOCK(st->stx_mode))
        return S_ISREG(st->stx_mode) ? check_links(k, id, OC_EXPOSES) : 0;
    /* Nobody gives a socket a second name but to reach it past a guard, and the first may lie anywhere. */
    if (oc_format(path, sizeof(path), "%s/%s", k->source.path[1] ? k->source.path : "", rel) < 0)
        return found(k, OC_EXPOSES, rel);
    return found(k, OC_EXPOSES, path);
}

/* A clone shows what the container will see: what lies hidden beneath a mount point comes to light, and
 * nothing is mounted in it. Without the privilege to clone nothing can be staged either; then the directory
 * itself has to do. */
static int check_tree(struct check *k, int pin_fd)
{
    enum oc_walk_limit limit;
    struct oc_walk w = {k->c->max_walk_n, k->c->max_walk_depth, check_below, k};
    OC_CLOSE int tree = open_tree(pin_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 && errno != EPERM)
        return OUTCALL_E_SYSTEM;
    int r = oc_walk(tree < 0 ? pin_fd : tree, &w, &limit);
    if (r != OUTCALL_E_LIMIT)
        return r;
    return found(k, limit == OC_WALK_DEPTH ? OC_TOO_DEEP : OC_TOO_MANY, "");
}

static int check_once(struct check *k, int pin_fd)
{
    const char *name = NULL;
    struct statx st;
    int r = oc_statx(pin_fd, "", &st);
    if (r < 0)
        return r;
    if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode))
        return found(k, OC_LISTED, "");
    r = oc_place_look(pin_fd, &k->source);
    if (r == 0)
        r = oc_snapshot_take(k->c->names, k->c->ours_n, &k->snapshot, &name);
    if (r < 0 && name)
        (void)oc_copy(k->ret->path, sizeof(k->ret->path), name, strlen(name));
    if (r == 0)
        r = oc_place_settle(&k->source, &k->snapshot.mounts);
    if (r == 0)
        r = check_parents(k, pin_fd);
    if (r == 0)
        r = check_place(k);
    if (r == 0)
        r = check_exposure(k);
    if (r == 0 && S_ISREG(k->source.mode) && k->source.nlink > 1)
        r = check_links(k, k->source.id, OC_LISTED);
    return r == 0 && S_ISDIR(k->source.mode) ? check_tree(k, pin_fd) : r;
}

void oc_check_source(const struct oc_check *c, int pin_fd, struct oc_verdict *ret)
{
    static const int tries = 4; /* mounts come and go on a busy host; a source that keeps moving is refused */
    int r = OUTCALL_E_BUSY;
    for (int i = 0; i < tries && r == OUTCALL_E_BUSY; i++) {
        OC_CLEANUP(check_done) struct check k = {.c = c, .snapshot = OC_SNAPSHOT_INIT, .ret = ret};
        *ret = (struct oc_verdict){.finding = OC_UNRESOLVED};
        r = check_once(&k, pin_fd);
        ret->error = errno;
    }
    if (r == 0)
        ret->finding = OC_ALLOWED;
    ret->code = r;
}
