/* inotify knows objects, not names: a directory that was replaced is watched where it went. So every
 * directory above the rules is watched for its next component, and all of it is set up anew when one of those
 * moves. */
#include "daemon/rule_watch.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define RETRY_MS   1000U /* when watches could not be set up */
#define EVENTS_MAX 16384 /* bytes of events that are read at once */
#define TARGET_LOG "daemon"

#define ENTRIES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define SELF    (IN_DELETE_SELF | IN_MOVE_SELF)

enum { CHANGED = 1, MOVED = 2 }; /* the rules may be others; the watches may be on the wrong directories */

/* One directory of the path. */
struct level {
    size_t len;  /* of its own path */
    char *child; /* the next component; NULL: these are the rules themselves */
    int wd;      /* -1: is not there */
};

struct oc_rule_watch {
    char *dir;
    outcall_log *log;
    int fd; /* inotify, -1: could not be set up */
    struct level *levels;
    size_t n;
};

static bool is_rule_file(const char *name)
{
    size_t len = strlen(name);
    if (name[0] == '.')
        return false;
    return (len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
           (len > 4 && strcmp(name + len - 4, ".yml") == 0);
}

/* "/", "/etc", "/etc/outcall" and so on; the last one is the directory itself. */
static int split(oc_rule_watch *w)
{
    const char *next = w->dir;
    size_t parts = 1;
    for (const char *p = w->dir; *p; p++)
        parts += *p == '/';
    w->levels = oc_new_array(parts, sizeof(*w->levels));
    if (!w->levels)
        return OUTCALL_E_NO_MEMORY;
    while ((next = strchr(next, '/'))) {
        size_t before = (size_t)(next - w->dir), len = strcspn(++next, "/");
        struct level *level = &w->levels[w->n++];
        level->len = before > 0 ? before : 1;
        level->wd = -1;
        level->child = strndup(next, len);
        if (!level->child)
            return OUTCALL_E_NO_MEMORY;
    }
    w->levels[w->n++] = (struct level){.len = strlen(w->dir), .wd = -1};
    return 0;
}

static int watch(oc_rule_watch *w, struct level *level)
{
    char path[PATH_MAX];
    uint32_t mask = level->child ? ENTRIES | SELF | IN_ONLYDIR
                                 : ENTRIES | SELF | IN_CLOSE_WRITE | IN_ONLYDIR | IN_DONT_FOLLOW;
    if (oc_copy(path, sizeof(path), w->dir, level->len) < 0)
        return OUTCALL_E_LIMIT;
    level->wd = inotify_add_watch(w->fd, path, mask);
    if (level->wd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        return 0;
    return OUTCALL_E_SYSTEM;
}

/* All watches anew, on whatever the path names now. After a failure there are none. */
static int arm(oc_rule_watch *w, outcall_error *err)
{
    oc_close(w->fd);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int r = w->fd < 0 ? OUTCALL_E_SYSTEM : 0;
    for (size_t i = 0; i < w->n && r == 0; i++)
        r = watch(w, &w->levels[i]);
    if (r == 0)
        return 0;
    r = oc_fail_code(err, r, "cannot watch \"%s\" for changes", w->dir);
    oc_close(oc_take_fd(&w->fd));
    return r;
}

int oc_rule_watch_new(oc_rule_watch **ret, const char *dir, outcall_log *log, outcall_error *err)
{
    oc_rule_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return oc_no_memory(err);
    w->fd = -1;
    w->log = outcall_log_ref(log);
    w->dir = strdup(dir);
    int r = w->dir ? split(w) : OUTCALL_E_NO_MEMORY;
    r = r < 0 ? oc_no_memory(err) : arm(w, err);
    if (r < 0) {
        (void)oc_rule_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

oc_rule_watch *oc_rule_watch_free(oc_rule_watch *w)
{
    if (!w)
        return NULL;
    for (size_t i = 0; i < w->n; i++)
        free(w->levels[i].child);
    free(w->levels);
    oc_close(w->fd);
    (void)outcall_log_unref(w->log);
    free(w->dir);
    free(w);
    return NULL;
}

/* A file that was just made and is still empty will be written, and closed after that. */
static bool is_unwritten(const oc_rule_watch *w, const struct inotify_event *e)
{
    struct stat st;
    OC_FREE char *path = oc_asprintf("%s/%s", w->dir, e->name);
    return path && (e->mask & IN_CREATE) && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int judge(const oc_rule_watch *w, const struct inotify_event *e)
{
    int what = 0;
    if (e->mask & IN_Q_OVERFLOW)
        return CHANGED | MOVED;
    for (size_t i = 0; i < w->n; i++) {
        const struct level *level = &w->levels[i];
        if (level->wd != e->wd)
            continue;
        bool named = level->child && e->len > 0 && strcmp(e->name, level->child) == 0;
        if (named || (e->mask & (SELF | IN_UNMOUNT | IN_IGNORED)))
            what |= CHANGED | MOVED;
        else if (!level->child && e->len > 0 && is_rule_file(e->name) && !is_unwritten(w, e))
            what |= CHANGED;
    }
    return what;
}

/* Takes everything that has been told. */
static int drain(oc_rule_watch *w)
{
    _Alignas(struct inotify_event) char buf[EVENTS_MAX];
    ssize_t n = 0;
    int what = 0;
    while ((n = read(w->fd, buf, sizeof(buf))) > 0) {
        const struct inotify_event *e = NULL;
        for (char *p = buf; p < buf + n; p += sizeof(*e) + e->len) {
            e = (const struct inotify_event *)p;
            what |= judge(w, e);
        }
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? what : CHANGED | MOVED;
}

struct burst {
    uint64_t first_ms, last_ms; /* its first and its last event */
    bool open;
};

static uint64_t end_of(const struct burst *b)
{
    return b->open ? OC_MIN(b->first_ms + OC_RULE_WATCH_BURST_MS, b->last_ms + OC_RULE_WATCH_QUIET_MS)
                   : OC_NEVER;
}

static void extend(struct burst *b)
{
    b->last_ms = oc_now_ms();
    if (!b->open)
        b->first_ms = b->last_ms;
    b->open = true;
}

/* Watches first and reports then: what changes in between is seen by one of both. */
static void follow(oc_rule_watch *w, struct burst *b, uint64_t *retry_ms)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    bool again = *retry_ms != OC_NEVER;
    *retry_ms = OC_NEVER;
    if (arm(w, &err) == 0) {
        extend(b);
        return;
    }
    *retry_ms = oc_deadline(RETRY_MS);
    if (!again)
        oc_log_error(w->log, OUTCALL_LOG_ERROR, TARGET_LOG, &err, "changes of the rules go unnoticed");
}

int oc_rule_watch_run(oc_rule_watch *w, int stop_fd, void (*changed)(void *userdata), void *userdata,
                      outcall_error *err)
{
    struct burst burst = {0, 0, false};
    uint64_t retry_ms = OC_NEVER;
    for (;;) {
        struct pollfd p[] = {{.fd = w->fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
        if (poll(p, 2, oc_deadline_left(OC_MIN(end_of(&burst), retry_ms))) < 0 && errno != EINTR)
            return oc_fail_errno(err, "poll");
        if (p[1].revents)
            return 0;
        int what = p[0].revents ? drain(w) : 0;
        if (what & CHANGED)
            extend(&burst);
        if ((what & MOVED) || oc_now_ms() >= retry_ms)
            follow(w, &burst, &retry_ms);
        if (oc_now_ms() < end_of(&burst))
            continue;
        burst.open = false;
        changed(userdata);
    }
}
