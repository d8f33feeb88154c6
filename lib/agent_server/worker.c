#include "agent_server/worker.h"
#include "base/str.h"
#include "core/error.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct oc_worker {
    outcall_requests *store;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t changed;
    struct oc_job *queue, *under_way, *done;
    size_t n; /* in the queue */
    bool stop;
};

void oc_job_free(struct oc_job *job)
{
    if (!job)
        return;
    (void)outcall_request_free(job->request);
    free(job->text);
    free(job);
}

static void append(struct oc_job **list, struct oc_job *job)
{
    while (*list)
        list = &(*list)->next;
    job->next = NULL;
    *list = job;
}

static struct oc_job *take_first(struct oc_job **list)
{
    struct oc_job *job = *list;
    if (job) {
        *list = job->next;
        job->next = NULL;
    }
    return job;
}

static void work(struct oc_worker *w, struct oc_job *job)
{
    if (job->id[0] != '\0')
        job->result = outcall_requests_get(w->store, job->id, job->agent, &job->request, &job->err);
    else
        job->result =
            outcall_requests_submit(w->store, job->agent, job->text, job->len, &job->request, &job->err);
}

static void *run(void *userdata)
{
    struct oc_worker *w = userdata;
    uint64_t one = 1;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        w->under_way = take_first(&w->queue);
        if (!w->under_way) {
            (void)pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        w->n--;
        (void)pthread_mutex_unlock(&w->lock);
        work(w, w->under_way);
        (void)pthread_mutex_lock(&w->lock);
        append(&w->done, w->under_way);
        w->under_way = NULL;
        ssize_t n = write(w->wake_fd, &one, sizeof(one));
        (void)n; /* only EAGAIN is possible: then it is readable already */
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int start_thread(struct oc_worker *w)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

int oc_worker_new(struct oc_worker **ret, outcall_requests *store, int wake_fd, outcall_error *err)
{
    struct oc_worker *w = calloc(1, sizeof(*w));
    if (!w)
        return oc_no_memory(err);
    w->store = store;
    w->wake_fd = wake_fd;
    if (pthread_mutex_init(&w->lock, NULL) != 0) {
        free(w);
        return oc_no_memory(err);
    }
    int r = pthread_cond_init(&w->changed, NULL);
    if (r == 0) {
        r = start_thread(w);
        if (r == 0) {
            *ret = w;
            return 0;
        }
        (void)pthread_cond_destroy(&w->changed);
    }
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    errno = r;
    return oc_fail_errno(err, "agent server: thread");
}

static void free_list(struct oc_job *list)
{
    while (list) {
        struct oc_job *next = list->next;
        oc_job_free(list);
        list = next;
    }
}

struct oc_worker *oc_worker_free(struct oc_worker *w)
{
    if (!w)
        return NULL;
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    free_list(w->queue);
    free_list(w->done);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

int oc_worker_add(struct oc_worker *w, struct oc_job *take_job)
{
    (void)pthread_mutex_lock(&w->lock);
    bool room = w->n < OC_WORKER_QUEUE_MAX;
    if (room) {
        append(&w->queue, take_job);
        w->n++;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return room ? 0 : OUTCALL_E_BUSY;
}

struct oc_job *oc_worker_take(struct oc_worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    struct oc_job *job = take_first(&w->done);
    (void)pthread_mutex_unlock(&w->lock);
    return job;
}

static void forget(struct oc_job *job, const void *owner, void (*fn)(void *call))
{
    for (; job; job = job->next)
        if (job->owner == owner && job->call) {
            fn(job->call);
            job->call = NULL;
        }
}

void oc_worker_forget(struct oc_worker *w, const void *owner, void (*fn)(void *call))
{
    (void)pthread_mutex_lock(&w->lock);
    forget(w->queue, owner, fn);
    forget(w->under_way, owner, fn);
    forget(w->done, owner, fn);
    (void)pthread_mutex_unlock(&w->lock);
}
