#include "base/path.h"
#include "base/fd.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool oc_path_is_clean(const char *path)
{
    size_t len = strlen(path);
    if (path[0] != '/' || len >= PATH_MAX)
        return false;
    if (len == 1)
        return true;
    for (const char *p = path; *p;) {
        p++; /* the slash */
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
    }
    return true;
}

bool oc_path_contains(const char *a, const char *b)
{
    size_t n = strlen(a);
    if (n == 1)
        return true;
    return strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '/');
}

const char *oc_unsafe_owner(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to another user";
    return st->st_mode & (S_IWGRP | S_IWOTH) ? "can be written by other users" : NULL;
}

int oc_open_safe_dir(const char *path, bool create, mode_t mode, int *ret_fd, const char **ret_why)
{
    struct stat st;
    *ret_why = NULL;
    if (create && mkdir(path, mode) < 0 && errno != EEXIST)
        return OUTCALL_E_SYSTEM;
    OC_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        *ret_why = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? "is a symlink" : "is not a directory";
    else if (fd < 0 || fstat(fd, &st) < 0)
        return OUTCALL_E_SYSTEM;
    else
        *ret_why = oc_unsafe_owner(&st);
    if (*ret_why)
        return OUTCALL_E_DENIED;
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

int oc_make_parents(const char *path)
{
    char part[PATH_MAX];
    if (oc_copy(part, sizeof(part), path, strlen(path)) < 0) {
        errno = ENAMETOOLONG;
        return OUTCALL_E_SYSTEM;
    }
    for (char *p = part[0] ? part + 1 : part; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return OUTCALL_E_SYSTEM;
        *p = '/';
    }
    return 0;
}
