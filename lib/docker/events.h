/* docker/events.h - the engine's event stream. */
#ifndef DOCKER_EVENTS_H
#define DOCKER_EVENTS_H
#include "docker/engine.h"

#define OC_DOCKER_EVENT_MAX ((size_t)256 << 10) /* bytes of one event: labels are the long part */

struct oc_docker_events {
    const json_t *filters; /* {"label":["managed-by=outcalld"],"type":["container"]}; NULL = none; borrowed */
    uint64_t since_ns;     /* wall clock; events of this moment and later are sent again; 0 = only new ones */
    int stop_fd;           /* -1, or readable = end */
    void (*on_open)(void *userdata); /* the engine listens to us from here on; NULL = not interesting */
    /* One event (borrowed). Non-zero ends the stream with that value. */
    int (*on_event)(void *userdata, const json_t *event, uint64_t time_ns);
    void *userdata;
};

/* Follows the stream until it ends: what on_event returned; OUTCALL_E_CLOSED (stop_fd); OUTCALL_E_UNREACHABLE
 * when the engine goes away or ends the stream, and what oc_docker_follow and oc_docker_lines_feed fail with.
 * Never 0. *ret_last_ns (may be NULL) is the time of the latest event, since_ns when there was none, and is
 * written after a failure too: give it back as since_ns to lose nothing. The last event then comes a second
 * time. */
OC_NODISCARD int oc_docker_events(outcall_docker *d, const struct oc_docker_events *e, uint64_t *ret_last_ns,
                                  outcall_error *err);

#endif
