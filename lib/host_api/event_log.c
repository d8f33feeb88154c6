#include "host_api/event_log.h"
#include "base/fd.h"
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

struct follower {
    int fd;
    struct follower *next;
};

struct oc_event_log {
    pthread_mutex_t lock;
    char *lines[OC_EVENTS_KEPT]; /* number n is at n % OC_EVENTS_KEPT */
    uint64_t next;               /* number of the next event; the first is 1 */
    uint64_t lost;
    struct follower *followers;
};

int oc_event_log_new(struct oc_event_log **ret)
{
    struct oc_event_log *l = calloc(1, sizeof(*l));
    if (!l)
        return OUTCALL_E_NO_MEMORY;
    (void)pthread_mutex_init(&l->lock, NULL);
    l->next = 1;
    *ret = l;
    return 0;
}

struct oc_event_log *oc_event_log_free(struct oc_event_log *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < OC_EVENTS_KEPT; i++)
        free(l->lines[i]);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
    return NULL;
}

void oc_event_log_add(struct oc_event_log *l, char *take_line)
{
    (void)pthread_mutex_lock(&l->lock);
    if (take_line) {
        char **slot = &l->lines[l->next % OC_EVENTS_KEPT];
        free(*slot);
        *slot = take_line;
        l->next++;
    } else {
        l->lost++;
    }
    for (struct follower *f = l->followers; f; f = f->next)
        (void)eventfd_write(f->fd, 1); /* non-blocking: a full counter is readable all the same */
    (void)pthread_mutex_unlock(&l->lock);
}

char *oc_event_log_get(struct oc_event_log *l, uint64_t *seq, uint64_t *ret_lost)
{
    char *line = NULL;
    *ret_lost = 0;
    (void)pthread_mutex_lock(&l->lock);
    uint64_t oldest = l->next > OC_EVENTS_KEPT ? l->next - OC_EVENTS_KEPT : 1;
    uint64_t at = OC_MAX(*seq, oldest);
    if (at < l->next)
        line = strdup(l->lines[at % OC_EVENTS_KEPT]);
    if (line) {
        *ret_lost = *seq ? at - *seq : 0;
        *seq = at + 1;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return line;
}

int oc_event_log_follow(struct oc_event_log *l, int *ret_fd)
{
    struct follower *f = calloc(1, sizeof(*f));
    if (!f)
        return OUTCALL_E_NO_MEMORY;
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->fd < 0) {
        free(f);
        return OUTCALL_E_SYSTEM;
    }
    (void)pthread_mutex_lock(&l->lock);
    f->next = l->followers;
    l->followers = f;
    (void)pthread_mutex_unlock(&l->lock);
    *ret_fd = f->fd;
    return 0;
}

void oc_event_log_unfollow(struct oc_event_log *l, int take_fd)
{
    struct follower *found = NULL;
    (void)pthread_mutex_lock(&l->lock);
    for (struct follower **p = &l->followers; *p && !found; p = *p ? &(*p)->next : p) {
        if ((*p)->fd == take_fd) {
            found = *p;
            *p = found->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
    oc_close(take_fd);
    free(found);
}

uint64_t oc_event_log_lost(struct oc_event_log *l)
{
    (void)pthread_mutex_lock(&l->lock);
    uint64_t lost = l->lost;
    (void)pthread_mutex_unlock(&l->lock);
    return lost;
}
