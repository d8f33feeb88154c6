#include "child.h"
#include "base/clock.h"
#include "base/str.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin" /* where there is no PATH */
#define END_MAX_MS   5000 /* for what the kernel is slow to let go; the rest takes a few milliseconds */
#define END_PAUSE_NS 1000000

/* 0, or an exit status with errno. */
static int look_at(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
        return EXIT_CANNOT;
    }
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? EXIT_CANNOT : 0;
}

static int found(const char *path, char **ret)
{
    int r = look_at(path);
    if (r == 0 && oc_dup(ret, path) < 0)
        r = EXIT_CANNOT;
    return r;
}

int child_find(const char *name, char **ret)
{
    char path[PATH_MAX];
    const char *dirs = getenv("PATH");
    int result = EXIT_NOT_FOUND, why = ENOENT;
    if (strchr(name, '/'))
        return found(name, ret);
    const char *p = dirs ? dirs : PATH_DEFAULT, *end = NULL;
    for (; p; p = end ? end + 1 : NULL) {
        end = strchr(p, ':');
        size_t len = end ? (size_t)(end - p) : strlen(p);
        if (len >= sizeof(path) || /* an empty directory is the current one */
            oc_format(path, sizeof(path), "%.*s%s%s", (int)len, p, len ? "/" : "./", name) < 0)
            continue;
        int r = found(path, ret);
        if (r == 0)
            return 0;
        if (r == EXIT_CANNOT && result == EXIT_NOT_FOUND) {
            result = r;
            why = errno;
        }
    }
    errno = why;
    return result;
}

/* What the child's first moments need; it shares the shim's memory until it runs something else. */
struct start {
    const char *path;
    char *const *argv;
    const struct signals *signals;
    pid_t parent;
    int tty;         /* -1: there is none */
    bool foreground; /* of which the shim's group has the foreground */
    volatile int error;
};

/* A process group, not a session: with autogroups on, the kernel takes 2 ms for a session (measured). */
static bool stand_alone(const struct start *s)
{
    return setpgid(0, 0) == 0 && (!s->foreground || tcsetpgrp(s->tty, getpid()) == 0);
}

/* System calls only. */
static _Noreturn void become(struct start *s)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && stand_alone(s)) {
        if (getppid() != s->parent) /* the shim died before it could be asked to take us along */
            _exit(EXIT_DAEMON);
        signals_restore(s->signals);
        (void)execve(s->path, s->argv, environ);
    }
    s->error = errno;
    _exit(EXIT_CANNOT);
}

/* vfork: half the time of fork, and become() is written for it. The shim is held until the child is another
 * program, so s->error is known then. */
static __attribute__((noinline)) pid_t split(struct start *s)
{
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (pid == 0)
        become(s); // NOLINT(clang-analyzer-unix.Vfork): it is system calls and one store
    return pid;
}

static void give_back(struct child *c)
{
    if (c->tty >= 0) {
        (void)tcsetpgrp(c->tty, getpgrp()); /* SIGTTOU is ignored */
        (void)close(c->tty);
    }
    c->tty = -1;
}

int child_start(struct child *c, const char *path, char *const *argv, const struct signals *s)
{
    struct start st = {.path = path, .argv = argv, .signals = s, .parent = getpid()};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return OUTCALL_E_SYSTEM;
    st.tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    st.foreground = st.tty >= 0 && tcgetpgrp(st.tty) == getpgrp();
    pid_t pid = split(&st);
    int why = pid < 0 ? errno : st.error;
    c->tty = st.foreground ? st.tty : -1;
    if (st.tty >= 0 && !st.foreground)
        (void)close(st.tty);
    if (pid > 0 && why == 0) {
        c->pid = c->group = pid;
        return 0;
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    give_back(c);
    errno = why;
    return OUTCALL_E_SYSTEM;
}

bool child_reap(struct child *c, int *ret_status)
{
    bool ended = false;
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == c->pid) {
            c->pid = 0;
            *ret_status = status;
            ended = true;
        }
    return ended;
}

/* Kills one child of ours; and its group at one blow, so that nothing in it can fork out of reach, where the
 * group holds nothing but descendants: the command's own, one that the child leads, and those of sessions
 * begun below. */
static void end_one(pid_t pid, pid_t group_of_child)
{
    pid_t group = getpgid(pid);
    bool ours = group == group_of_child || group == pid || getsid(pid) != getsid(0);
    if (group > 1 && group != getpgrp() && ours)
        (void)kill(-group, SIGKILL);
    (void)kill(pid, SIGKILL);
}

/* One round. Only our own children are named: they cannot vanish, and their numbers cannot be somebody
 * else's, before we reap them. What they leave becomes ours, for the next round. */
static void end_children(const struct child *c)
{
    OC_FREE pid_t *pids = NULL;
    siginfo_t info;
    size_t n = 0;
    if (getpid() == 1)
        (void)kill(-1, SIGKILL);
    /* A group with a child of ours in it is still the one we made; this needs no /proc. */
    if (c->group > 0 && waitid(P_PGID, (id_t)c->group, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        (void)kill(-c->group, SIGKILL);
    if (child_list(&pids, &n) < 0 && child_list_all(&pids, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        end_one(pids[i], c->group);
}

bool child_end_all(struct child *c, bool *ret_any)
{
    const struct timespec pause = {.tv_nsec = END_PAUSE_NS};
    uint64_t deadline = oc_deadline(END_MAX_MS);
    sigset_t ended;
    (void)sigemptyset(&ended);
    (void)sigaddset(&ended, SIGCHLD); /* blocked since signals_hold */
    *ret_any = false;
    for (;;) {
        pid_t pid = 0;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            break;
        *ret_any = true;
        if (oc_deadline_left(deadline) == 0)
            break;
        end_children(c);
        (void)sigtimedwait(&ended, NULL, &pause);
    }
    bool gone = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
    c->pid = 0;
    give_back(c);
    return gone;
}
