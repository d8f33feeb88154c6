#include "mounts/place.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int oc_statx(int dir_fd, const char *name, struct statx *ret)
{
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
    if (statx(dir_fd, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, ret) < 0)
        return OUTCALL_E_SYSTEM;
    unsigned need = STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID;
    return (ret->stx_mask & need) == need ? 0 : OUTCALL_E_UNSUPPORTED;
}

struct oc_id oc_statx_id(const struct statx *st)
{
    return (struct oc_id){makedev(st->stx_dev_major, st->stx_dev_minor), st->stx_ino};
}

static int read_path(int fd, char *buf, size_t size)
{
    char link[64];
    (void)oc_format(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
    ssize_t n = readlink(link, buf, size);
    if (n < 0)
        return OUTCALL_E_SYSTEM;
    if ((size_t)n >= size || n == 0 || buf[0] != '/')
        return OUTCALL_E_BUSY;
    buf[n] = '\0';
    return 0;
}

/* The text alone proves nothing: " (deleted)" may be part of a name, and another mount may cover the place.
 */
static int path_leads_to(const char *path, const struct statx *st)
{
    struct statx again;
    OC_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? OUTCALL_E_BUSY : OUTCALL_E_SYSTEM;
    int r = oc_statx(fd, "", &again);
    if (r < 0)
        return r;
    bool same = oc_id_equal(oc_statx_id(&again), oc_statx_id(st)) && again.stx_mnt_id == st->stx_mnt_id;
    return same ? 0 : OUTCALL_E_BUSY;
}

int oc_place_look(int fd, struct oc_place *ret)
{
    char path[PATH_MAX];
    struct statx st;
    int r = oc_statx(fd, "", &st);
    if (r == 0)
        r = read_path(fd, path, sizeof(path));
    if (r == 0)
        r = path_leads_to(path, &st);
    if (r < 0)
        return r;
    struct oc_place p = {oc_statx_id(&st), st.stx_mode, st.stx_nlink, st.stx_mnt_id, NULL, 0, NULL, NULL};
    r = oc_dup(&p.path, path);
    if (r == 0)
        *ret = p;
    return r;
}

char *oc_fs_path(const struct oc_mount_entry *m, const char *path)
{
    const char *below = m->point[1] == '\0' ? path : path + strlen(m->point);
    if (strcmp(below, "/") == 0)
        below = "";
    if (strcmp(m->root, "/") != 0)
        return oc_asprintf("%s%s", m->root, below);
    return oc_asprintf("%s", *below ? below : "/");
}

int oc_place_settle(struct oc_place *p, const struct oc_mountinfo *mounts)
{
    static const char deleted[] = "//deleted";
    const struct oc_mount_entry *m = oc_mountinfo_find(mounts, p->mnt_id);
    if (!m || !oc_path_contains(m->point, p->path))
        return OUTCALL_E_BUSY;
    size_t n = strlen(m->root);
    if (n >= sizeof(deleted) && strcmp(m->root + n - (sizeof(deleted) - 1), deleted) == 0)
        return OUTCALL_E_BUSY; /* a mount of something deleted has no place */
    char *fs_path = oc_fs_path(m, p->path);
    if (!fs_path)
        return OUTCALL_E_NO_MEMORY;
    free(p->fs_path);
    p->fs_path = fs_path;
    p->fs = m->dev;
    p->fstype = m->fstype;
    return 0;
}

void oc_place_done(struct oc_place *p)
{
    free(p->path);
    free(p->fs_path);
    *p = (struct oc_place){0};
}

bool oc_place_contains(const struct oc_place *a, const struct oc_place *b)
{
    return a->fs == b->fs && oc_path_contains(a->fs_path, b->fs_path);
}
