/* containers/view.h - what the list shows, kept from the engine's last list and its events since, so that
 * asking often costs the engine nothing. Only a list is ever answered from it: whoever acts on a container
 * asks the engine first. Thread-safe.
 *
 * It is good for VIEW_FRESH_MS after the engine was last asked; then one caller asks again, and the others
 * are served from it for VIEW_STALE_MS at most. Without the engine's events it is never good. */
#ifndef CONTAINERS_VIEW_H
#define CONTAINERS_VIEW_H
#include "outcall/container.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define OC_VIEW_FRESH_MS 1000U
#define OC_VIEW_STALE_MS 2000U

struct oc_view {
    pthread_mutex_t lock;
    outcall_container_info **v;
    size_t n, cap;
    bool connected; /* the engine's events arrive */
    bool valid;
    bool asking;      /* somebody is about to bring a fresh list */
    uint64_t changes; /* counts; a list that was asked for before one of them is not taken */
    uint64_t asked_ms;
};

/* What oc_view_get gives when the engine must be asked; goes back with oc_view_fill or oc_view_fail. */
struct oc_view_ticket {
    uint64_t changes;
    bool asking;
};

void oc_view_init(struct oc_view *w);
void oc_view_done(struct oc_view *w);

/* True: *ret and *ret_n are a copy, owned by the caller (outcall_container_info_free_many), in no order.
 * False: ask the engine. */
bool oc_view_get(struct oc_view *w, outcall_container_info ***ret, size_t *ret_n,
                 struct oc_view_ticket *ret_t);
/* The engine's answer; v stays the caller's. */
void oc_view_fill(struct oc_view *w, const struct oc_view_ticket *t, outcall_container_info *const *v,
                  size_t n);
void oc_view_fail(struct oc_view *w, const struct oc_view_ticket *t);

/* The engine's events begin or are lost. */
void oc_view_connected(struct oc_view *w, bool connected);
/* One of them, about a container of ours. being_made: by this process, which will put it. */
void oc_view_event(struct oc_view *w, const char *action, const char *id, bool being_made);

/* Our own acts, noted before they are answered. */
void oc_view_put(struct oc_view *w, const outcall_container_info *i);
void oc_view_drop(struct oc_view *w, const char *id);
void oc_view_stopped(struct oc_view *w, const char *id);

#endif
