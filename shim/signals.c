#include "signals.h"
#include <sys/signalfd.h>
#include <unistd.h>

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM};

/* How the shim itself wants these. SIGCHLD: an inherited SIG_IGN would reap behind our back. SIGPIPE and
 * SIGTTOU: a line on stderr must not end or stop who watches the child. */
static const struct {
    int number;
    void (*handler)(int);
} kept[SIGNALS_KEPT] = {{SIGCHLD, SIG_DFL}, {SIGPIPE, SIG_IGN}, {SIGTTOU, SIG_IGN}};

static void end(int number)
{
    _exit(128 + number);
}

static int handle(int number, void (*handler)(int), struct sigaction *ret_old)
{
    struct sigaction a = {.sa_handler = handler};
    (void)sigfillset(&a.sa_mask);
    return sigaction(number, &a, ret_old) < 0 ? OUTCALL_E_SYSTEM : 0;
}

int signals_begin(struct signals *s)
{
    s->fd = -1;
    (void)sigemptyset(&s->set);
    for (size_t i = 0; i < SIGNALS_KEPT; i++)
        if (handle(kept[i].number, kept[i].handler, &s->kept[i]) < 0)
            return OUTCALL_E_SYSTEM;
    for (size_t i = 0; i < OC_ARRAY_SIZE(passed_on); i++) {
        struct sigaction old;
        if (sigaction(passed_on[i], NULL, &old) < 0)
            return OUTCALL_E_SYSTEM;
        if (old.sa_handler == SIG_IGN) /* nohup and the like */
            continue;
        (void)sigaddset(&s->set, passed_on[i]);
        if (handle(passed_on[i], end, NULL) < 0)
            return OUTCALL_E_SYSTEM;
    }
    return sigprocmask(SIG_UNBLOCK, &s->set, &s->mask) < 0 ? OUTCALL_E_SYSTEM : 0;
}

int signals_hold(struct signals *s)
{
    sigset_t all = s->set;
    (void)sigaddset(&all, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
        return OUTCALL_E_SYSTEM;
    for (size_t i = 0; i < OC_ARRAY_SIZE(passed_on); i++) /* the child must not run end() before its exec */
        if (sigismember(&s->set, passed_on[i]) == 1 && handle(passed_on[i], SIG_DFL, NULL) < 0)
            return OUTCALL_E_SYSTEM;
    s->fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->fd < 0 ? OUTCALL_E_SYSTEM : 0;
}

void signals_restore(const struct signals *s)
{
    for (size_t i = 0; i < SIGNALS_KEPT; i++)
        (void)sigaction(kept[i].number, &s->kept[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
}
