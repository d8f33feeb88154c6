#include "containers/helpers.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int no_socket(outcall_error *err, const char *path)
{
    return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_AGENT_SOCKET_NOT_FOUND,
                        "agent socket not found at \"%s\"", path);
}

/* A file is not enough: somebody must listen. A full backlog (EAGAIN) is somebody. */
static int check_listening(const char *path, outcall_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (oc_copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path)) < 0)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_AGENT_SOCKET_NOT_FOUND,
                            "agent socket path \"%s\" is longer than %zu bytes", path,
                            sizeof(addr.sun_path) - 1);
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return oc_fail_errno(err, "agent socket \"%s\"", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EAGAIN &&
        errno != EINPROGRESS)
        return no_socket(err, path);
    return 0;
}

static int check_socket(const char *path, outcall_error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return no_socket(err, path);
    if (S_ISLNK(st.st_mode))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_AGENT_SOCKET_NOT_FOUND,
                            "agent socket \"%s\" is a symlink", path);
    if (!S_ISSOCK(st.st_mode))
        return no_socket(err, path);
    return check_listening(path, err);
}

/* A path that a library user fixed is not ours: its directory goes through the deny list like any other
 * source. */
static int check_fixed_dir(outcall_containers *m, const char *dir, outcall_error *err)
{
    outcall_mount mount = {.source = dir, .target = OC_AGENT_DIR_TARGET, .read_only = 1};
    OC_CLOSE int pin = -1;
    return outcall_denylist_check(m->denylist, &mount, &pin, err);
}

int oc_agent_socket_open(outcall_containers *m, const char *name, char path[PATH_MAX], char dir[PATH_MAX],
                         outcall_error *err)
{
    path[0] = '\0';
    int r = m->agent_socket_path ? oc_copy(path, PATH_MAX, m->agent_socket_path, strlen(m->agent_socket_path))
                                 : m->hooks.open(m->hooks.userdata, name, path, PATH_MAX, err);
    if (r < 0)
        return oc_fail(err, r, "agent socket of \"%s\" could not be opened", name);
    const char *slash = strrchr(path, '/');
    return oc_copy(dir, PATH_MAX, path, slash && slash > path ? (size_t)(slash - path) : 1);
}

int oc_agent_open(outcall_containers *m, const char *name, char dir[PATH_MAX], outcall_error *err)
{
    char path[PATH_MAX];
    int r = oc_agent_socket_open(m, name, path, dir, err);
    if (r == 0)
        r = check_socket(path, err);
    return r == 0 && m->agent_socket_path ? check_fixed_dir(m, dir, err) : r;
}

int oc_shim_open(const char *path, int *ret_fd, outcall_error *err)
{
    struct stat st;
    const char *why = NULL;
    OC_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_SHIM_NOT_FOUND,
                            "shim binary not found at \"%s\"", path);
    if (S_ISLNK(st.st_mode))
        why = "is a symlink";
    else if (!S_ISREG(st.st_mode))
        why = "is not a regular file";
    else if ((st.st_mode & 0111) != 0111)
        why = "is not executable for everybody";
    else if ((st.st_mode & 0022) != 0)
        why = "can be written by other users";
    if (why)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_SHIM_NOT_FOUND, "shim binary \"%s\" %s",
                            path, why);
    *ret_fd = oc_take_fd(&fd);
    return 0;
}
