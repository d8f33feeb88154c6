#include "watch.h"
#include "base/clock.h"
#include "text.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)128 * 1024) /* a heartbeat takes under 16 KiB of it */

struct beat { /* the thread's own: main may have left every frame while it still runs */
    outcall_agent_client *client;
    unsigned interval_s;
    int lost_fd;
};

static void *send_heartbeats(void *userdata)
{
    const struct beat *b = userdata;
    const uint64_t one = 1;
    const struct timespec interval = {.tv_sec = (time_t)b->interval_s};
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = 0;
    /* Too many requests is an answer: the daemon is there. */
    while (r == 0 || r == OUTCALL_E_BUSY) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL); /* every signal is blocked here */
        outcall_error_clear(&err);
        r = outcall_agent_client_heartbeat(b->client, &err);
    }
    (void)!write(b->lost_fd, &one, sizeof(one)); /* a fresh eventfd takes it */
    text_debug("heartbeat: %s", err.text);
    return NULL;
}

/* 0 or an errno. */
static int start_thread(struct beat *b)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, old;
    (void)mallopt(M_ARENA_MAX, 1); /* no second heap for it */
    (void)sigfillset(&all);
    int r = pthread_attr_init(&attr);
    if (r == 0)
        r = pthread_attr_setstacksize(&attr, STACK_SIZE);
    if (r == 0)
        r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (r == 0)
        r = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (r != 0)
        return r;
    r = pthread_create(&thread, &attr, send_heartbeats, b);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

int watch_begin(struct watch *w, outcall_agent_client *client, unsigned heartbeat_s)
{
    struct beat *b = malloc(sizeof(*b)); /* never freed: see there */
    if (!b)
        return OUTCALL_E_NO_MEMORY;
    w->daemon_fd = outcall_agent_client_fd(client);
    w->lost_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *b = (struct beat){.client = client, .interval_s = heartbeat_s, .lost_fd = w->lost_fd};
    errno = w->lost_fd < 0 ? errno : start_thread(b);
    return errno == 0 ? 0 : OUTCALL_E_SYSTEM;
}

/* Nothing is to be read from the first connection while nothing is asked on it: hang-up or bytes, either is
 * the end. */
bool watch_lost(const struct watch *w)
{
    struct pollfd fds[] = {{.fd = w->daemon_fd, .events = POLLIN | POLLRDHUP},
                           {.fd = w->lost_fd, .events = POLLIN}};
    return poll(fds, OC_ARRAY_SIZE(fds), 0) != 0;
}

static void pass_on(const struct child *c, int signal_fd)
{
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo != SIGCHLD && c->pid > 0)
            (void)kill(c->pid, (int)info.ssi_signo);
}

static int exit_status(int status)
{
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == EXIT_DAEMON ? EXIT_BLOCKED : WEXITSTATUS(status);
}

static bool end_all(struct child *c)
{
    bool any = false;
    if (!child_end_all(c, &any))
        (void)text_fail(0, "something the command started could not be killed");
    return any;
}

int watch_run(const struct watch *w, struct child *c, const struct signals *s)
{
    struct pollfd fds[] = {{.fd = w->daemon_fd, .events = POLLIN | POLLRDHUP},
                           {.fd = w->lost_fd, .events = POLLIN},
                           {.fd = s->fd, .events = POLLIN}};
    for (;;) {
        int status = 0;
        bool broken = poll(fds, OC_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR;
        pass_on(c, s->fd);
        if (child_reap(c, &status)) {
            if (end_all(c))
                (void)text_fail(0, "what the command left running was ended with it");
            return exit_status(status);
        }
        if (broken || watch_lost(w)) {
            (void)end_all(c);
            return text_fail(EXIT_DAEMON, TEXT_UNREACHABLE);
        }
    }
}
