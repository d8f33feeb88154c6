#include "docker/transport.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "docker/transfer.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/timerfd.h>

struct oc_transport {
    char path[OC_DOCKER_SOCKET_SIZE];
    pthread_mutex_t lock;
    struct oc_transfer *idle[OC_DOCKER_IDLE_MAX]; /* a stack: the warmest connection goes out first */
    size_t idle_n;
    int quit_fd; /* a timer that is never read: readable from the moment on at which all is over */
};

int oc_transport_new(struct oc_transport **ret, const char *path, outcall_error *err)
{
    struct oc_transport *t = calloc(1, sizeof(*t));
    if (!t)
        return oc_no_memory(err);
    int r = oc_copy(t->path, sizeof(t->path), path, strlen(path));
    t->quit_fd = r == 0 ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) : -1;
    if (r == 0 && t->quit_fd < 0)
        r = OUTCALL_E_SYSTEM;
    if (r == 0 && pthread_mutex_init(&t->lock, NULL) != 0)
        r = OUTCALL_E_NO_MEMORY;
    if (r < 0) {
        (void)oc_fail_code(err, r, "docker socket %s", path);
        oc_close(t->quit_fd);
        free(t);
        return r;
    }
    /* The first handle at once: a libcurl that cannot start should not wait for the first request. */
    r = oc_transfer_new(&t->idle[0], t->path, t->quit_fd, err);
    if (r < 0) {
        (void)oc_transport_free(t);
        return r;
    }
    t->idle_n = 1;
    *ret = t;
    return 0;
}

struct oc_transport *oc_transport_free(struct oc_transport *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->idle_n; i++)
        (void)oc_transfer_free(t->idle[i]);
    (void)pthread_mutex_destroy(&t->lock);
    oc_close(t->quit_fd);
    free(t);
    return NULL;
}

int oc_transport_quit(struct oc_transport *t, uint64_t after_ms)
{
    /* A zero value would disarm the timer. */
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(after_ms / 1000), .tv_nsec = (long)(after_ms % 1000) * 1000000L + 1}};
    return timerfd_settime(t->quit_fd, 0, &at, NULL) < 0 ? OUTCALL_E_SYSTEM : 0;
}

static int take(struct oc_transport *t, struct oc_transfer **ret, outcall_error *err)
{
    struct oc_transfer *idle = NULL;
    (void)pthread_mutex_lock(&t->lock);
    if (t->idle_n > 0)
        idle = t->idle[--t->idle_n];
    (void)pthread_mutex_unlock(&t->lock);
    if (!idle)
        return oc_transfer_new(ret, t->path, t->quit_fd, err);
    *ret = idle;
    return 0;
}

static void give_back(struct oc_transport *t, struct oc_transfer *transfer)
{
    (void)pthread_mutex_lock(&t->lock);
    if (t->idle_n < OC_DOCKER_IDLE_MAX) {
        t->idle[t->idle_n++] = transfer;
        transfer = NULL;
    }
    (void)pthread_mutex_unlock(&t->lock);
    (void)oc_transfer_free(transfer);
}

int oc_transport_run(struct oc_transport *t, const struct oc_exchange *x, struct oc_answer *ret,
                     outcall_error *err)
{
    struct oc_transfer *transfer = NULL;
    int r = take(t, &transfer, err);
    if (r < 0)
        return r;
    r = oc_transfer_run(transfer, x, ret, err);
    if (r == 0)
        give_back(t, transfer);
    else
        (void)oc_transfer_free(transfer);
    return r;
}

int oc_transport_connect(const struct oc_transport *t, uint64_t deadline_ms, int *ret_fd, outcall_error *err)
{
    int r = oc_socket_connect(t->path, deadline_ms, ret_fd);
    if (r == OUTCALL_E_SYSTEM)
        return oc_socket_unreachable(err, t->path, errno, NULL);
    if (r < 0)
        return oc_fail_kind(err, r, OUTCALL_KIND_DOCKER_TIMEOUT,
                            "the Docker Engine at %s did not answer in time", t->path);
    return 0;
}
