#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "core/error.h"
#include "core/log.h"
#include "daemon/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_NAME "outcalld.lock"
#define PID_TEXT  32

/* A directory of ours: made when missing, refused when others could change it, with exactly this mode. */
static int open_dir(const char *setting, const char *path, mode_t mode, int *ret_fd, outcall_error *err)
{
    const char *why = NULL;
    OC_CLOSE int fd = -1;
    int r = oc_make_parents(path);
    if (r == 0)
        r = oc_open_safe_dir(path, true, mode, &fd, &why);
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, r, "%s: \"%s\" %s", setting, path, why);
    if (r < 0)
        return oc_fail_code(err, r, "%s: cannot open \"%s\"", setting, path);
    if (fchmod(fd, mode) < 0)
        return oc_fail_errno(err, "%s: cannot set the mode of \"%s\"", setting, path);
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

static int busy(int lock_fd, const char *dir, outcall_error *err)
{
    OC_FREE char *text = NULL;
    size_t len = 0;
    uint64_t pid = 0;
    if (oc_read_all(lock_fd, PID_TEXT, &text, &len) < 0 || len < 2 ||
        oc_parse_u64(text, len - 1, 1, INT32_MAX, &pid) < 0)
        return oc_fail(err, OUTCALL_E_BUSY, "another outcalld uses the runtime directory \"%s\"", dir);
    return oc_fail(err, OUTCALL_E_BUSY, "another outcalld (pid %d) uses the runtime directory \"%s\"",
                   (int)pid, dir);
}

/* The kernel gives the lock back when the process is gone, however it went: there is no stale lock to guess
 * about. */
static int lock(int dir_fd, const char *dir, int *ret_fd, outcall_error *err)
{
    char text[PID_TEXT];
    OC_CLOSE int fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return oc_fail_errno(err, "cannot open the lock file in \"%s\"", dir);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? busy(fd, dir, err) : oc_fail_errno(err, "cannot lock \"%s\"", dir);
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || oc_write_all(fd, text, strlen(text)) < 0)
        return oc_fail_errno(err, "cannot write the lock file in \"%s\"", dir);
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

static int open_stage(outcall_daemon *d, outcall_error *err)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    d->stage_dir = oc_asprintf("%s/stage", d->config.runtime_dir);
    if (!d->stage_dir)
        return oc_no_memory(err);
    int r = outcall_stage_supported(d->stage_dir, &e);
    if (r == 0)
        return 0;
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    oc_log_error(d->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &e,
                 "bind mounts will be refused and nothing attested");
    free(d->stage_dir);
    d->stage_dir = NULL;
    return 0;
}

int oc_daemon_open_dirs(outcall_daemon *d, outcall_error *err)
{
    OC_CLOSE int runtime = -1;
    OC_CLOSE int state = -1;
    int r = open_dir("runtime-dir", d->config.runtime_dir, 0755, &runtime, err);
    if (r == 0)
        r = lock(runtime, d->config.runtime_dir, &d->lock_fd, err);
    if (r == 0)
        r = open_dir("state-dir", d->config.state_dir, 0700, &state, err);
    if (r < 0)
        return r;
    d->agents_dir = oc_asprintf("%s/agents", d->config.runtime_dir);
    return d->agents_dir ? open_stage(d, err) : oc_no_memory(err);
}
