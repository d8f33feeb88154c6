/* containers/adopt.h - bringing what is known of a container in line with what the engine says. */
#ifndef CONTAINERS_ADOPT_H
#define CONTAINERS_ADOPT_H
#include "containers/manager.h"

/* Looks at one name again: opens its socket and attests it when it exists, kills it when it differs, removes
 * it when it was never started, forgets it when it is gone. Waits for the reservation. 0, or why nothing
 * could be concluded, which is logged too. */
int oc_refresh(outcall_containers *m, const char *name);

/* The same for a name that the caller has reserved. id, *attested: what was known of it, then what is. On
 * failure they are as they were, and nothing was touched. */
OC_NODISCARD int oc_look(outcall_containers *m, const char *name, char id[OUTCALL_CONTAINER_ID_LEN + 1],
                         bool *attested, outcall_error *err);

/* The container is gone: its sessions, its socket and its stage go too. The name must be reserved by the
 * caller. */
void oc_forget(outcall_containers *m, const char *name);

/* SIGKILL for a container whose guarantee is gone, and an error in the log. */
void oc_quarantine(outcall_containers *m, const char *name, const char *id, const outcall_error *why);

/* Tells the embedder (on_event) and the log. detail: "" for none. */
void oc_event(outcall_containers *m, const char *action, const char *name, const char *id,
              const char *detail);

#endif
