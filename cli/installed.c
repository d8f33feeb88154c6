#include "installed.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Only the directory is resolved: a shim that is a symlink itself is refused by the library, and must be. */
bool installed_shim(const char *program, char *buf, size_t size)
{
    char path[PATH_MAX], dir[PATH_MAX];
    ssize_t n = readlink(program, dir, sizeof(dir) - 1);
    if (n <= 0)
        return false;
    dir[n] = '\0';
    char *slash = strrchr(dir, '/');
    if (!slash)
        return false;
    *slash = '\0';
    n = snprintf(path, sizeof(path), "%s/%s", dir, OUTCALL_LIBEXEC_BESIDE);
    if (n < 0 || (size_t)n >= sizeof(path) || !realpath(path, dir))
        return false;
    n = snprintf(buf, size, "%s/outcall-agent", dir);
    return n > 0 && (size_t)n < size && access(buf, F_OK) == 0;
}
