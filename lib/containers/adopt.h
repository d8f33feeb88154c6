/* containers/adopt.h - bringing what is known of a container in line with what the engine says. */
#ifndef CONTAINERS_ADOPT_H
#define CONTAINERS_ADOPT_H
#include "containers/manager.h"

/* Looks at one name again: opens its socket and attests it when it exists, kills it when it differs, removes
 * it when it was never started, forgets it when it is gone. Waits for the reservation. Failures are logged:
 * there is nobody to tell. */
void oc_refresh(outcall_containers *m, const char *name);

/* The container is gone: its sessions, its socket and its stage go too. The name must be reserved by the
 * caller. */
void oc_forget(outcall_containers *m, const char *name);

/* SIGKILL for a container whose guarantee is gone, and an error in the log. */
void oc_quarantine(outcall_containers *m, const char *name, const char *id, const outcall_error *why);

/* Tells the embedder (on_event) and the log. detail: "" for none. */
void oc_event(outcall_containers *m, const char *action, const char *name, const char *id,
              const char *detail);

#endif
