/* signals.h - SIGTERM and SIGINT become a readable descriptor, SIGHUP a reload; a thread waits for them, so
 * that the daemon itself never sees a signal. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H
#include <pthread.h>

struct signals {
    int signal_fd, stop_fd, quit_fd; /* stop_fd: readable once the daemon is to stop */
    void (*on_hangup)(void *userdata);
    void (*on_stop)(void *userdata); /* once, before stop_fd becomes readable */
    void (*on_tick)(void *userdata); /* every tick_ms; NULL = never */
    int tick_ms;
    void *userdata;
    pthread_t thread;
    int started;
};

/* Blocks the signals (SIGPIPE is ignored). Call it before any thread exists. -1: errno. */
int signals_open(struct signals *s);
/* Starts to act on them. -1: errno. */
int signals_start(struct signals *s);
void signals_close(struct signals *s); /* any state but uninitialised; waits for the thread */

#endif
