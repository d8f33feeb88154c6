#include "base/fd.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/rand.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void oc_close(int fd)
{
    if (fd < 0)
        return;
    int saved = errno;
    (void)close(fd); /* on Linux the descriptor is gone whatever close() says */
    errno = saved;
}

int oc_read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = {.max = max};
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return OUTCALL_E_SYSTEM;
        if (n == 0)
            break;
        int r = oc_buf_add(&b, chunk, (size_t)n);
        if (r < 0)
            return r;
    }
    char *data = oc_buf_take(&b, ret_len);
    if (!data)
        return OUTCALL_E_NO_MEMORY;
    *ret = data;
    return 0;
}

int oc_read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len)
{
    OC_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? OUTCALL_E_SYSTEM : oc_read_all(fd, max, ret, ret_len);
}

int oc_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return OUTCALL_E_SYSTEM;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_and_rename(int dir_fd, const char *temp, const char *name, const void *data, size_t len,
                            mode_t mode)
{
    OC_CLOSE int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 || oc_write_all(fd, data, len) < 0 || fsync(fd) < 0)
        return OUTCALL_E_SYSTEM;
    errno = EIO;
    if (oc_fault("file.written") || renameat(dir_fd, temp, dir_fd, name) < 0)
        return OUTCALL_E_SYSTEM;
    errno = EIO;
    return oc_fault("file.renamed") ? OUTCALL_E_SYSTEM : 0;
}

int oc_write_file_atomic(int dir_fd, const char *name, const void *data, size_t len, mode_t mode)
{
    char hex[17], temp[NAME_MAX + 1];
    int r = oc_random_hex(hex, sizeof(hex));
    if (r < 0)
        return r;
    if (oc_format(temp, sizeof(temp), ".%s.%s", name, hex) < 0) {
        errno = ENAMETOOLONG;
        return OUTCALL_E_SYSTEM;
    }
    r = write_and_rename(dir_fd, temp, name, data, len, mode);
    if (r < 0) {
        int saved = errno;
        (void)unlinkat(dir_fd, temp, 0);
        errno = saved;
        return r;
    }
    OC_CLOSE int dir = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 || fsync(dir) < 0 ? OUTCALL_E_SYSTEM : 0;
}

int oc_poll1(int fd, short events, uint64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int n = poll(&p, 1, oc_deadline_left(deadline_ms));
        if (n < 0 && errno != EINTR)
            return OUTCALL_E_SYSTEM;
        if (n >= 0)
            return n == 0 ? 0 : p.revents;
    }
}
