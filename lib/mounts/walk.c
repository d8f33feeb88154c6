#include "mounts/walk.h"
#include "base/fd.h"
#include "base/str.h"
#include "outcall/mounts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

struct level {
    DIR *dir;
    size_t rel_len; /* of this directory's own path */
};

struct walker {
    const struct oc_walk *w;
    enum oc_walk_limit *limit;
    uint64_t mnt_id;
    size_t seen;
    unsigned depth; /* levels in use */
    struct level levels[OUTCALL_DENYLIST_WALK_DEPTH_MAX + 1];
    char rel[PATH_MAX];
};

static void walker_done(struct walker *k)
{
    while (k->depth > 0)
        (void)closedir(k->levels[--k->depth].dir);
}

static int over(struct walker *k, enum oc_walk_limit limit)
{
    *k->limit = limit;
    return OUTCALL_E_LIMIT;
}

/* One level for each directory that is open; the last of them may only be found empty. */
static int enter(struct walker *k, int parent_fd, const char *name)
{
    OC_CLOSE int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? OUTCALL_E_BUSY : OUTCALL_E_SYSTEM;
    DIR *dir = fdopendir(fd);
    if (!dir)
        return OUTCALL_E_SYSTEM;
    (void)oc_take_fd(&fd);
    k->levels[k->depth].dir = dir;
    k->levels[k->depth].rel_len = strlen(k->rel);
    k->depth++;
    return 0;
}

static int visit(struct walker *k, const char *name)
{
    struct statx st;
    struct level *l = &k->levels[k->depth - 1];
    if (k->depth > k->w->max_depth)
        return over(k, OC_WALK_DEPTH);
    if (k->seen++ >= k->w->max_n)
        return over(k, OC_WALK_ENTRIES);
    const char *slash = l->rel_len > 0 ? "/" : "";
    if (oc_format(k->rel + l->rel_len, sizeof(k->rel) - l->rel_len, "%s%s", slash, name) < 0)
        return over(k, OC_WALK_DEPTH);
    int r = oc_statx(dirfd(l->dir), name, &st);
    if (r == OUTCALL_E_SYSTEM && errno == ENOENT)
        return 0;
    if (r < 0 || st.stx_mnt_id != k->mnt_id)
        return r;
    r = k->w->fn(k->w->userdata, k->rel, &st);
    if (r != 0 || !S_ISDIR(st.stx_mode))
        return r;
    r = enter(k, dirfd(l->dir), name);
    return r == OUTCALL_E_SYSTEM && errno == ENOENT ? 0 : r;
}

static int step(struct walker *k)
{
    struct level *l = &k->levels[k->depth - 1];
    k->rel[l->rel_len] = '\0';
    errno = 0;
    const struct dirent *e = readdir(l->dir); /* NOLINT(concurrency-mt-unsafe): this stream is ours alone */
    if (e)
        return oc_streq(e->d_name, ".") || oc_streq(e->d_name, "..") ? 0 : visit(k, e->d_name);
    if (errno != 0 && errno != ENOENT) /* ENOENT: the directory itself was deleted */
        return OUTCALL_E_SYSTEM;
    (void)closedir(l->dir);
    k->depth--;
    return 0;
}

int oc_walk(int fd, const struct oc_walk *w, enum oc_walk_limit *ret_limit)
{
    OC_CLEANUP(walker_done) struct walker k = {.w = w, .limit = ret_limit};
    struct statx st;
    int r = oc_statx(fd, "", &st);
    if (r < 0)
        return r;
    k.mnt_id = st.stx_mnt_id;
    r = enter(&k, fd, ".");
    while (r == 0 && k.depth > 0)
        r = step(&k);
    return r;
}
