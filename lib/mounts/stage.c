#include "mounts/stage.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/str.h"
#include "core/error.h"
#include "mounts/place.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STAGE_NAME_MAX 128
#define POINT_SIZE     16

bool oc_stage_name_is_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return n > 0 && n <= STAGE_NAME_MAX && name[n] == '\0' && !strchr("_.-", name[0]);
}

bool oc_stage_number(const char *name, unsigned *ret)
{
    uint32_t n;
    char again[POINT_SIZE];
    if (oc_parse_u32(name, strlen(name), 0, OUTCALL_MOUNTS_MAX - 1, &n) < 0)
        return false;
    (void)oc_format(again, sizeof(again), "%u", n);
    *ret = n;
    return oc_streq(again, name); /* "00" is none of ours */
}

int oc_stage_open_parent(const char *stage_dir, bool create, int *ret_fd, outcall_error *err)
{
    struct stat st;
    const char *why = NULL;
    OC_CLOSE int fd = -1;
    if (!oc_path_is_clean(stage_dir))
        return oc_fail(err, OUTCALL_E_INVALID, "stage directory \"%s\" is not a clean absolute path",
                       stage_dir);
    int r = oc_open_safe_dir(stage_dir, create, 0700, &fd, &why);
    if (r == 0 && fstat(fd, &st) < 0)
        r = OUTCALL_E_SYSTEM;
    if (r == 0 && (st.st_mode & 077) != 0) {
        why = "can be entered by other users";
        r = OUTCALL_E_DENIED;
    }
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, r, "stage directory \"%s\" %s", stage_dir, why);
    if (r < 0)
        return oc_fail_code(err, r, "cannot open stage directory \"%s\"", stage_dir);
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

outcall_stage *outcall_stage_free(outcall_stage *s)
{
    if (!s)
        return NULL;
    oc_close(s->parent_fd);
    oc_close(s->dir_fd);
    for (size_t i = 0; i < OC_ARRAY_SIZE(s->paths); i++)
        free(s->paths[i]);
    free(s->name);
    free(s->path);
    free(s);
    return NULL;
}

static int stage_alloc(outcall_stage **ret, const char *stage_dir, const char *container, outcall_error *err)
{
    if (!ret || !stage_dir || !container)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_stage: NULL argument");
    if (!oc_stage_name_is_valid(container))
        return oc_fail(err, OUTCALL_E_INVALID, "\"%s\" cannot name a stage", container);
    outcall_stage *s = calloc(1, sizeof(*s));
    if (!s)
        return oc_no_memory(err);
    s->parent_fd = s->dir_fd = -1;
    s->path = oc_asprintf("%s%s%s", stage_dir, stage_dir[1] ? "/" : "", container);
    if (!s->path || oc_dup(&s->name, container) < 0) {
        (void)outcall_stage_free(s);
        return oc_no_memory(err);
    }
    *ret = s;
    return 0;
}

static int open_dir(outcall_stage *s, outcall_error *err)
{
    s->dir_fd = openat(s->parent_fd, s->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dir_fd >= 0)
        return 0;
    if (errno == ENOENT)
        return oc_fail(err, OUTCALL_E_NOT_FOUND, "there is no stage \"%s\"", s->path);
    return oc_fail_errno(err, "cannot open stage \"%s\"", s->path);
}

int outcall_stage_new(outcall_stage **ret, const char *stage_dir, const char *container, outcall_error *err)
{
    OC_CLEANUP(outcall_stage_freep) outcall_stage *s = NULL;
    int r = stage_alloc(&s, stage_dir, container, err);
    if (r == 0)
        r = oc_stage_open_parent(stage_dir, true, &s->parent_fd, err);
    if (r < 0)
        return r;
    if (mkdirat(s->parent_fd, s->name, 0700) < 0) {
        if (errno == EEXIST)
            return oc_fail(err, OUTCALL_E_EXISTS, "there is a stage \"%s\" already", s->path);
        return oc_fail_errno(err, "cannot make stage \"%s\"", s->path);
    }
    r = open_dir(s, err);
    if (r < 0)
        (void)unlinkat(s->parent_fd, s->name, AT_REMOVEDIR);
    else
        *ret = oc_take_ptr(&s);
    return r;
}

/* Puts the next number after the highest that is in use. */
static int count_points(outcall_stage *s)
{
    OC_CLOSE int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return OUTCALL_E_SYSTEM;
    (void)oc_take_fd(&fd);
    const struct dirent *e;
    for (errno = 0; (e = readdir(dir)); errno = 0) {
        unsigned n;
        if (oc_stage_number(e->d_name, &n) && n >= s->next)
            s->next = n + 1;
    }
    int saved = errno;
    (void)closedir(dir);
    errno = saved;
    return saved ? OUTCALL_E_SYSTEM : 0;
}

int outcall_stage_open(outcall_stage **ret, const char *stage_dir, const char *container, outcall_error *err)
{
    struct stat st;
    OC_CLEANUP(outcall_stage_freep) outcall_stage *s = NULL;
    int r = stage_alloc(&s, stage_dir, container, err);
    if (r == 0 && lstat(stage_dir, &st) < 0 && errno == ENOENT)
        return oc_fail(err, OUTCALL_E_NOT_FOUND, "there is no stage \"%s\"", s->path);
    if (r == 0)
        r = oc_stage_open_parent(stage_dir, false, &s->parent_fd, err);
    if (r == 0)
        r = open_dir(s, err);
    if (r == 0 && count_points(s) < 0)
        r = oc_fail_errno(err, "cannot read stage \"%s\"", s->path);
    if (r == 0)
        *ret = oc_take_ptr(&s);
    return r;
}

static int make_point(int dir_fd, const char *name, bool is_dir)
{
    if (is_dir)
        return mkdirat(dir_fd, name, 0700) < 0 ? OUTCALL_E_SYSTEM : 0;
    OC_CLOSE int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? OUTCALL_E_SYSTEM : 0;
}

/* A clone of that one mount, beginning at the pinned object, made private twice: before it is attached it
 * leaves the source's peer group, so that nothing mounted below the source later appears in it; attaching
 * below a shared mount (/run often is) gives it a new group, which it leaves at once. */
static int attach(int pin_fd, bool read_only, int dir_fd, const char *name)
{
    struct mount_attr attr = {.attr_set =
                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
                              .propagation = MS_PRIVATE};
    struct mount_attr leave = {.propagation = MS_PRIVATE};
    OC_CLOSE int tree = open_tree(pin_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
        move_mount(tree, "", dir_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        mount_setattr(dir_fd, name, AT_SYMLINK_NOFOLLOW, &leave, sizeof(leave)) < 0)
        return errno == EPERM || errno == ENOSYS ? OUTCALL_E_UNSUPPORTED : OUTCALL_E_SYSTEM;
    return 0;
}

static int is_mount_of(int pin_fd, bool read_only, int dir_fd, const char *name)
{
    struct statx pin, point, dir;
    struct statvfs vfs;
    OC_CLOSE int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstatvfs(fd, &vfs) < 0)
        return OUTCALL_E_SYSTEM;
    int r = oc_statx(pin_fd, "", &pin);
    if (r == 0)
        r = oc_statx(fd, "", &point);
    if (r == 0)
        r = oc_statx(dir_fd, "", &dir);
    if (r != 0)
        return r;
    bool same = oc_id_equal(oc_statx_id(&pin), oc_statx_id(&point)) && point.stx_mnt_id != dir.stx_mnt_id &&
                (!read_only || (vfs.f_flag & ST_RDONLY));
    return same ? 0 : OUTCALL_E_DENIED;
}

static int add_point(outcall_stage *s, int pin_fd, bool is_dir, bool read_only, const char *name)
{
    int r = make_point(s->dir_fd, name, is_dir);
    if (r < 0)
        return r;
    r = attach(pin_fd, read_only, s->dir_fd, name);
    if (r == 0)
        r = is_mount_of(pin_fd, read_only, s->dir_fd, name);
    int saved = errno;
    if (r < 0 && oc_stage_remove_point(s->dir_fd, name) < 0)
        s->next++; /* it stays in the way; outcall_stage_remove tries again */
    errno = saved;
    return r;
}

static int stage_failed(const outcall_stage *s, int code, outcall_error *err)
{
    if (code == OUTCALL_E_DENIED)
        return oc_fail_kind(err, code, OUTCALL_KIND_MOUNT_DENIED,
                            "stage \"%s\": what got mounted is not what was checked", s->path);
    if (code == OUTCALL_E_UNSUPPORTED)
        return oc_fail(err, code, "stage \"%s\": mounting needs root (CAP_SYS_ADMIN) and Linux 5.12",
                       s->path);
    return oc_fail_code(err, code, "stage \"%s\": cannot mount", s->path);
}

int outcall_stage_add(outcall_stage *s, int pin_fd, int read_only, const char **ret_path, outcall_error *err)
{
    struct stat st;
    char name[POINT_SIZE];
    if (!s || !ret_path)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_stage_add: NULL argument");
    if (s->next >= OUTCALL_MOUNTS_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "stage \"%s\" holds %d mounts already", s->path,
                       OUTCALL_MOUNTS_MAX);
    if (fstat(pin_fd, &st) < 0)
        return oc_fail_errno(err, "stage \"%s\": cannot look at what is to be mounted", s->path);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                            "stage \"%s\": only files and directories can be mounted", s->path);
    (void)oc_format(name, sizeof(name), "%u", s->next);
    OC_FREE char *path = oc_asprintf("%s/%s", s->path, name);
    if (!path)
        return oc_no_memory(err);
    int r = add_point(s, pin_fd, S_ISDIR(st.st_mode), read_only != 0, name);
    if (r < 0)
        return stage_failed(s, r, err);
    *ret_path = path;
    s->paths[s->next++] = oc_take_ptr(&path);
    return 0;
}

int outcall_stage_expect(const outcall_stage *s, const char *path, outcall_expected_mount *ret,
                         outcall_error *err)
{
    unsigned n;
    struct statx st, dir;
    struct statvfs vfs;
    if (!s || !path || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_stage_expect: NULL argument");
    size_t len = strlen(s->path);
    const char *name = oc_path_contains(s->path, path) && path[len] == '/' ? path + len + 1 : "";
    OC_CLOSE int fd =
        oc_stage_number(name, &n) ? openat(s->dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0)
        return oc_fail(err, OUTCALL_E_NOT_FOUND, "\"%s\" is no mount of stage \"%s\"", path, s->path);
    int r = oc_statx(fd, "", &st);
    if (r == 0)
        r = oc_statx(s->dir_fd, "", &dir);
    if (r == 0 && fstatvfs(fd, &vfs) < 0)
        r = OUTCALL_E_SYSTEM;
    if (r != 0)
        return oc_fail_code(err, r, "cannot look at \"%s\"", path);
    if (st.stx_mnt_id == dir.stx_mnt_id)
        return oc_fail(err, OUTCALL_E_NOT_FOUND, "nothing is mounted at \"%s\"", path);
    ret->is_tmpfs = 0;
    ret->dev = oc_statx_id(&st).dev;
    ret->ino = oc_statx_id(&st).ino;
    ret->read_only = (vfs.f_flag & ST_RDONLY) != 0;
    return 0;
}

static int probe(outcall_stage *s, outcall_error *err)
{
    const char *path;
    int r = outcall_stage_add(s, s->parent_fd, 1, &path, err);
    int removed = outcall_stage_remove(s, r < 0 ? NULL : err);
    return r < 0 ? r : removed;
}

int outcall_stage_supported(const char *stage_dir, outcall_error *err)
{
    char hex[17], name[32];
    OC_CLEANUP(outcall_stage_freep) outcall_stage *s = NULL;
    int r = oc_random_hex(hex, sizeof(hex));
    if (r < 0)
        return oc_fail_code(err, r, "no randomness");
    (void)oc_format(name, sizeof(name), "probe-%s", hex);
    r = outcall_stage_new(&s, stage_dir, name, err);
    return r < 0 ? r : probe(s, err);
}
