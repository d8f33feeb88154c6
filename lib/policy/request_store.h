/* policy/request_store.h - the store behind outcall/requests.h. One file an entry, <id>.request; in memory
 * only what finds it. An entry is written beside its place, synced, renamed, and the directory synced;
 * approved rules the same way. What a crash can leave, and what the next outcall_requests_new does about it:
 *
 *   a temporary file, here or in the rules directory      removed
 *   the rules of a request that is not marked approved    removed: approving it again ends in the same place
 *   an entry too many                                     the next submit drops an old answered one
 */
#ifndef POLICY_REQUEST_STORE_H
#define POLICY_REQUEST_STORE_H
#include "base/fault.h"
#include "policy/request.h"
#include <pthread.h>

#define OC_REQUESTS_LOG "requests"

/* Places where a test build can die or fail (base/fault.h), besides file.written and file.renamed in between;
 * tests/unit/test_requests_crash.c goes through all of them. */
#define OC_FAULT_OPEN     "requests.open"    /* something that a crash left is gone, the store not open yet */
#define OC_FAULT_SUBMIT   "requests.submit"  /* nothing written yet */
#define OC_FAULT_STORED   "requests.stored"  /* the entry is in place, none dropped for it */
#define OC_FAULT_DROPPED  "requests.dropped" /* an old entry is gone */
#define OC_FAULT_APPROVE  "requests.approve" /* nothing written yet */
#define OC_FAULT_PLACED   "requests.placed"  /* the rules are in place, not loaded */
#define OC_FAULT_LOADED   "requests.loaded"  /* the rules are loaded, the entry still says pending */
#define OC_FAULT_REMOVED  "requests.removed" /* the rules were refused and are gone, the rest not loaded */
#define OC_FAULT_RESTORED "requests.restored" /* the rules are gone and the rest is loaded */
#define OC_FAULT_REJECT   "requests.reject"   /* nothing written yet */
#define OC_FAULT_ANSWERED "requests.answered" /* the entry says approved or rejected */

struct oc_request_entry {
    char id[OC_REQUEST_ID_SIZE];
    char agent[OC_REQUEST_AGENT_MAX + 1];
    uint64_t number;
    int status;
};

struct outcall_requests {
    pthread_mutex_t lock; /* all below, and the files */
    int dir_fd;
    char *rules_dir;
    outcall_requests_reload_fn reload;
    void *userdata;
    outcall_policy_slot *in_force;
    outcall_log *log;
    unsigned pending_max, total_max;
    size_t file_max_bytes;
    struct oc_request_entry *v; /* by number */
    size_t n, cap;
    uint64_t next; /* number */
};

/* store.lock is held for all of these. */

/* NULL: there is none. */
struct oc_request_entry *oc_requests_find(outcall_requests *s, const char *id);
OC_NODISCARD int oc_requests_add(outcall_requests *s, const outcall_request *r);
void oc_requests_drop(outcall_requests *s, struct oc_request_entry *e);
int oc_requests_not_found(outcall_error *err, const char *id);

/* request_dir.c */

/* *ret: new. An entry that is no longer what it was is set aside and forgotten: OUTCALL_E_NOT_FOUND; _SYSTEM,
 * _NO_MEMORY. */
OC_NODISCARD int oc_requests_read(outcall_requests *s, const char *id, outcall_request **ret,
                                  outcall_error *err);
OC_NODISCARD int oc_requests_write(outcall_requests *s, const outcall_request *r, outcall_error *err);
/* The file goes; false: it would not, which is logged. */
bool oc_requests_unlink(outcall_requests *s, const char *id);
/* Finishes what a crash interrupted, and fills the index. */
OC_NODISCARD int oc_requests_scan(outcall_requests *s, outcall_error *err);

/* request_rules.c: the file that an approved request becomes. */
OC_NODISCARD int oc_requests_place(outcall_requests *s, const outcall_request *r, outcall_error *err);
/* It is gone, for sure; 0 also when there was none. */
OC_NODISCARD int oc_requests_remove(outcall_requests *s, const char *id, outcall_error *err);
/* Removes what a crash left in the rules directory. */
OC_NODISCARD int oc_requests_clean_rules(outcall_requests *s, outcall_error *err);

#endif
