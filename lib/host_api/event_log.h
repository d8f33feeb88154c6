/* host_api/event_log.h - the last events, and whoever follows them. Thread-safe. */
#ifndef HOST_API_EVENT_LOG_H
#define HOST_API_EVENT_LOG_H
#include "base/base.h"

#define OC_EVENTS_KEPT 512 /* a follower that falls further behind is told how many it lost */

struct oc_event_log;

OC_NODISCARD int oc_event_log_new(struct oc_event_log **ret);
struct oc_event_log *oc_event_log_free(struct oc_event_log *l); /* no follower may be left */

/* take_line: malloc'd text of one JSON value, NULL counts as a lost one. */
void oc_event_log_add(struct oc_event_log *l, char *take_line);

/* The event with number *seq or the oldest one kept after it: new text, free(); *seq becomes the number to
 * ask for next, *ret_lost how many were passed over. NULL when there is none yet, or no memory. */
char *oc_event_log_get(struct oc_event_log *l, uint64_t *seq, uint64_t *ret_lost);

/* A descriptor that becomes readable with each event; new, to be given back. OUTCALL_E_SYSTEM, _NO_MEMORY. */
OC_NODISCARD int oc_event_log_follow(struct oc_event_log *l, int *ret_fd);
void oc_event_log_unfollow(struct oc_event_log *l, int take_fd);
uint64_t oc_event_log_lost(struct oc_event_log *l); /* for lack of memory */

#endif
