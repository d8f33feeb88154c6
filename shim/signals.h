/* signals.h - what the shim does with signals before the verdict and after it, and what the child finds. */
#ifndef SHIM_SIGNALS_H
#define SHIM_SIGNALS_H
#include "base/base.h"
#include <signal.h>

#define SIGNALS_KEPT 3

struct signals {
    sigset_t set;  /* those that are passed on; never one that was ignored from the start */
    sigset_t mask; /* as inherited */
    struct sigaction kept[SIGNALS_KEPT]; /* as inherited: SIGCHLD, SIGPIPE, SIGTTOU */
    int fd;                              /* signalfd of set and SIGCHLD; -1 before signals_hold */
};

/* Before the verdict: a signal that would be passed on ends the shim with 128 + its number. Nothing was
 * started then, so there is nothing else to end. 0 or OUTCALL_E_SYSTEM. */
OC_NODISCARD int signals_begin(struct signals *s);
/* After it: signals wait in s->fd. None is lost between the two. 0 or OUTCALL_E_SYSTEM. */
OC_NODISCARD int signals_hold(struct signals *s);
/* In the child, before exec: as the shim found them. System calls only. */
void signals_restore(const struct signals *s);

#endif
