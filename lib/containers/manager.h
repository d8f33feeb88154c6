/* containers/manager.h - the manager's inside: what it was given, and the table of containers it knows. */
#ifndef CONTAINERS_MANAGER_H
#define CONTAINERS_MANAGER_H
#include "base/name.h"
#include "containers/gate.h"
#include "containers/names.h"
#include "containers/view.h"
#include "outcall/container.h"
#include <pthread.h>

/* Without it uthash ends the process when memory is short. With it a failed insert leaves hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define OC_LABEL_MANAGED    "managed-by"
#define OC_LABEL_MANAGED_BY "outcalld"
#define OC_LABEL_INSTANCE   "outcall.instance"
#define OC_LABEL_NETWORK    "outcall.network"
#define OC_LABEL_IMAGE      "outcall.image"
#define OC_LABEL_CREATED    "outcall.created-at"
#define OC_LABEL_VERSION    "outcall.version"
#define OC_LABEL_AGENT      "outcall.agent"
#define OC_LABEL_MOUNTS     "outcall.mounts" /* what was approved: containers/approved.h */
#define OC_LABEL_LABELS \
    "outcall.labels" /* the keys of those that were asked for: not the image's, not ours */

#define OC_AGENT_DIR_TARGET "/run/outcall"
#define OC_SHIM_TARGET      "/usr/local/bin/outcall"
#define OC_TARGET_LOG       "containers" /* the log's word for this folder */

/* One name. It is reserved while somebody makes, removes or adopts the container behind it, and known (id
 * set) from the moment the engine has said that it exists. */
struct oc_entry {
    char name[OC_NAME_SIZE];
    char id[OUTCALL_CONTAINER_ID_LEN + 1]; /* "" = not made yet */
    bool reserved;
    bool attested;
    bool missed; /* an event came while it was reserved: look again when it is released */
    UT_hash_handle hh;
};

struct outcall_containers {
    outcall_docker *docker;
    outcall_networks *networks;
    outcall_denylist *denylist;
    outcall_log *log;
    char *stage_dir, *instance, *shim_path, *agent_socket_path, *proxy_address, *dns_address;
    outcall_agent_hooks hooks; /* all NULL without */
    outcall_container_event_fn on_event;
    void *event_userdata;
    outcall_policy_slot *policy; /* NULL: no rules are asked */
    uint64_t policy_timeout_ms;
    outcall_decision_fn on_decision;
    void *decision_userdata;
    struct oc_names *names; /* locks itself */
    struct oc_gate creates; /* locks itself */
    struct oc_view view;    /* locks itself */

    pthread_mutex_t lock; /* guards everything below; never held across a call to the engine */
    pthread_cond_t released;
    struct oc_entry *table;
    bool complete; /* every container of ours that the engine has is in the table */
};

/* Takes a name for oneself, waiting while somebody else has it; makes the entry when there is none. *ret_id:
 * the id of the container already known by that name, "" when there is none. */
OC_NODISCARD int oc_reserve(outcall_containers *m, const char *name,
                            char ret_id[OUTCALL_CONTAINER_ID_LEN + 1]);
/* The same without waiting: false when somebody has it, who is told that something was missed; with tell
 * false only when it is not about to be made (its maker looks at it anyway). */
bool oc_try_reserve(outcall_containers *m, const char *name, bool tell,
                    char ret_id[OUTCALL_CONTAINER_ID_LEN + 1]);
/* Gives it back. id: what is known now ("" forgets the entry). True when an event was missed meanwhile:
 * oc_refresh. */
bool oc_release(outcall_containers *m, const char *name, const char *id, bool attested);
/* Is somebody making a container of this name? */
bool oc_is_being_made(outcall_containers *m, const char *name);
bool oc_is_attested(outcall_containers *m, const char *name);
/* Is this name known or being made? What the clean-up of stages asks. */
bool oc_is_known(outcall_containers *m, const char *name);
/* Does the table have every container of ours? Not before the first adoption that went through. */
bool oc_is_complete(outcall_containers *m);
void oc_set_complete(outcall_containers *m, bool complete);
/* The name of the container with this id; false when there is none, or it is just being made. */
bool oc_name_of(outcall_containers *m, const char *id, char ret[OC_NAME_SIZE]);
/* The names known now: new array of owned strings. */
struct oc_strings;
OC_NODISCARD int oc_known_names(outcall_containers *m, struct oc_strings *ret);

/* "suffix" or full name to full name, or OUTCALL_E_INVALID with its text. */
OC_NODISCARD int oc_container_name(const char *text, char ret[OC_NAME_SIZE], outcall_error *err);

#endif
