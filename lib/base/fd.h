/* base/fd.h - descriptors and whole files. Every descriptor is born close-on-exec; EINTR is handled here. */
#ifndef BASE_FD_H
#define BASE_FD_H
#include "base/base.h"
#include <sys/stat.h>

void oc_close(int fd); /* -1 is allowed; keeps errno */
static inline void oc_closep(int *fd)
{
    oc_close(*fd);
}
#define OC_CLOSE OC_CLEANUP(oc_closep)

/* Everything up to end of file: new, NUL-terminated, free(). OUTCALL_E_SYSTEM (errno), _LIMIT (more than
 * max), _NO_MEMORY. */
OC_NODISCARD int oc_read_all(int fd, size_t max, char **ret, size_t *ret_len);
OC_NODISCARD int oc_read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len);
OC_NODISCARD int oc_write_all(int fd, const void *data, size_t len);

/* Replaces a file as a whole: written beside it, fsync, rename, fsync of the directory. OUTCALL_E_SYSTEM with
 * errno. */
OC_NODISCARD int oc_write_file_atomic(int dir_fd, const char *name, const void *data, size_t len,
                                      mode_t mode);

/* poll() for one descriptor until deadline_ms: the revents, 0 when time is up, OUTCALL_E_SYSTEM. */
OC_NODISCARD int oc_poll1(int fd, short events, uint64_t deadline_ms);

#endif
