/* agent_server/worker.h - rule requests, which wait for the disk, on a thread of their own. */
#ifndef AGENT_SERVER_WORKER_H
#define AGENT_SERVER_WORKER_H
#include "base/base.h"
#include "outcall/requests.h"

#define OC_WORKER_QUEUE_MAX 64

struct oc_worker;

struct oc_job {
    struct oc_job *next;
    void *owner; /* of the answer: oc_worker_forget */
    void *call;  /* who waits; NULL: nobody any more */
    char agent[128];
    char id[16]; /* a question about this request, or "" and: */
    char *text;  /* a rule file; freed with the job */
    size_t len;
    int result; /* what the store said */
    outcall_error err;
    outcall_request *request; /* on success */
};

/* wake_fd: an eventfd, borrowed, written to when a job is done. */
OC_NODISCARD int oc_worker_new(struct oc_worker **ret, outcall_requests *store, int wake_fd,
                               outcall_error *err);
/* Ends the thread after the job it is at; what is queued is dropped. */
struct oc_worker *oc_worker_free(struct oc_worker *w);
/* take_job: the worker's on success. OUTCALL_E_BUSY: too many wait. */
OC_NODISCARD int oc_worker_add(struct oc_worker *w, struct oc_job *take_job);
/* The next job that is done, or NULL; the caller's, oc_job_free. */
struct oc_job *oc_worker_take(struct oc_worker *w);
/* Calls fn for the call of each job of this owner, which nobody waits for from now on. */
void oc_worker_forget(struct oc_worker *w, const void *owner, void (*fn)(void *call));
void oc_job_free(struct oc_job *job);

#endif
