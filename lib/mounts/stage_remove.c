#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include "mounts/stage.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define STACKED_MAX 64 /* mounts on top of each other at one mount point */

/* rmdir and unlink refuse a mount point (EBUSY), so nothing is ever deleted through a mount. Lazy: a
 * process that has its working directory in there must not keep the stage alive. */
int oc_stage_remove_point(int dir_fd, const char *name)
{
    char path[64];
    if (oc_format(path, sizeof(path), "/proc/thread-self/fd/%d/%s", dir_fd, name) < 0) {
        errno = ENAMETOOLONG;
        return OUTCALL_E_SYSTEM;
    }
    for (int i = 0; i < STACKED_MAX && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
        ;
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR || unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
        return errno == ENOENT ? 0 : OUTCALL_E_SYSTEM;
    return 0;
}

static int remove_points(int dir_fd)
{
    char name[16];
    for (unsigned i = 0; i < OUTCALL_MOUNTS_MAX; i++) {
        (void)oc_format(name, sizeof(name), "%u", i);
        int r = oc_stage_remove_point(dir_fd, name);
        if (r < 0)
            return r;
    }
    return 0;
}

int outcall_stage_remove(outcall_stage *s, outcall_error *err)
{
    if (!s)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_stage_remove: NULL argument");
    if (remove_points(s->dir_fd) < 0)
        return oc_fail_errno(err, "cannot remove a mount of stage \"%s\"", s->path);
    if (unlinkat(s->parent_fd, s->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return oc_fail(err, OUTCALL_E_BUSY, "stage \"%s\" holds something that is not of outcall", s->path);
    return oc_fail_errno(err, "cannot remove stage \"%s\"", s->path);
}

static int list_stages(int parent_fd, struct oc_strings *ret)
{
    OC_CLOSE int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return OUTCALL_E_SYSTEM;
    (void)oc_take_fd(&fd);
    int r = 0;
    const struct dirent *e;
    for (errno = 0; r == 0 && (e = readdir(dir)); errno = 0)
        if (oc_stage_name_is_valid(e->d_name))
            r = oc_strings_add(ret, e->d_name, strlen(e->d_name));
    if (r == 0 && errno != 0)
        r = OUTCALL_E_SYSTEM;
    int saved = errno;
    (void)closedir(dir);
    errno = saved;
    return r;
}

static int remove_stage(const char *stage_dir, const char *name, outcall_error *err)
{
    OC_CLEANUP(outcall_stage_freep) outcall_stage *s = NULL;
    int r = outcall_stage_open(&s, stage_dir, name, err);
    return r < 0 ? r : outcall_stage_remove(s, err);
}

int outcall_stage_cleanup(const char *stage_dir, outcall_stage_keep_fn keep, void *userdata, outcall_log *log,
                          outcall_error *err)
{
    struct stat st;
    OC_CLOSE int fd = -1;
    OC_CLEANUP(oc_strings_done) struct oc_strings names = {0};
    if (!stage_dir || !keep)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_stage_cleanup: NULL argument");
    if (lstat(stage_dir, &st) < 0 && errno == ENOENT)
        return 0;
    int r = oc_stage_open_parent(stage_dir, false, &fd, err);
    if (r < 0)
        return r;
    r = list_stages(fd, &names);
    if (r < 0)
        return oc_fail_code(err, r, "cannot read stage directory \"%s\"", stage_dir);
    int removed = 0;
    for (size_t i = 0; i < names.n; i++) {
        outcall_error why = OUTCALL_ERROR_INIT;
        if (keep(names.v[i], userdata))
            continue;
        r = remove_stage(stage_dir, names.v[i], &why);
        if (r < 0)
            oc_log_error(log, OUTCALL_LOG_WARN, "mounts", &why, "cannot remove the stage of \"%s\"",
                         names.v[i]);
        else
            removed++;
    }
    return removed;
}
