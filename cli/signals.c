#include "signals.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void raise_fd(int fd)
{
    const uint64_t one = 1;
    (void)!write(fd, &one, sizeof(one)); /* an eventfd that is raised already stays so */
}

static void *wait_for_signals(void *userdata)
{
    struct signals *s = userdata;
    int stopping = 0;
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->quit_fd, .events = POLLIN}};
    for (;;) {
        struct signalfd_siginfo info;
        int ready = poll(fds, 2, s->on_tick ? s->tick_ms : -1);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready == 0 && s->on_tick)
            s->on_tick(s->userdata);
        if (fds[1].revents)
            return NULL;
        if (!fds[0].revents || read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        if (info.ssi_signo == SIGHUP && !stopping) {
            s->on_hangup(s->userdata);
        } else if (info.ssi_signo != SIGHUP && !stopping) {
            stopping = 1;
            s->on_stop(s->userdata);
            raise_fd(s->stop_fd);
        }
    }
    raise_fd(s->stop_fd); /* who cannot hear SIGTERM any more must not go on */
    return NULL;
}

int signals_open(struct signals *s)
{
    sigset_t set;
    s->signal_fd = s->stop_fd = s->quit_fd = -1;
    s->started = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->signal_fd < 0 || s->stop_fd < 0 || s->quit_fd < 0 ? -1 : 0;
}

int signals_start(struct signals *s)
{
    int e = pthread_create(&s->thread, NULL, wait_for_signals, s);
    errno = e;
    if (e != 0)
        return -1;
    s->started = 1;
    return 0;
}

void signals_close(struct signals *s)
{
    if (s->started) {
        raise_fd(s->quit_fd);
        (void)pthread_join(s->thread, NULL);
    }
    s->started = 0;
    int *const fds[] = {&s->signal_fd, &s->stop_fd, &s->quit_fd};
    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
        *fds[i] = -1;
    }
}
