#include "containers/view.h"
#include "base/base.h"
#include "base/clock.h"
#include "containers/info.h"
#include <string.h>

void oc_view_init(struct oc_view *w)
{
    *w = (struct oc_view){.valid = false};
    (void)pthread_mutex_init(&w->lock, NULL);
}

void oc_view_done(struct oc_view *w)
{
    outcall_container_info_free_many(w->v, w->n);
    (void)pthread_mutex_destroy(&w->lock);
}

/* Its place, or n. */
static size_t find(const struct oc_view *w, const char *id)
{
    size_t i = 0;
    while (i < w->n && strcmp(outcall_container_info_id(w->v[i]), id) != 0)
        i++;
    return i;
}

static int append(struct oc_view *w, const outcall_container_info *i)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        outcall_container_info **v = reallocarray(w->v, cap, sizeof(outcall_container_info *));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        w->v = v;
        w->cap = cap;
    }
    int r = oc_info_copy(i, &w->v[w->n]);
    w->n += r == 0;
    return r;
}

static void clear(struct oc_view *w)
{
    outcall_container_info_free_many(w->v, w->n);
    w->v = NULL;
    w->n = w->cap = 0;
    w->valid = false;
}

static int copy_all(const struct oc_view *w, outcall_container_info ***ret, size_t *ret_n)
{
    outcall_container_info **v = oc_new_array(w->n, sizeof(outcall_container_info *));
    if (!v)
        return OUTCALL_E_NO_MEMORY;
    for (size_t i = 0; i < w->n; i++)
        if (oc_info_copy(w->v[i], &v[i]) < 0) {
            outcall_container_info_free_many(v, i);
            return OUTCALL_E_NO_MEMORY;
        }
    *ret = v;
    *ret_n = w->n;
    return 0;
}

bool oc_view_get(struct oc_view *w, outcall_container_info ***ret, size_t *ret_n,
                 struct oc_view_ticket *ret_t)
{
    (void)pthread_mutex_lock(&w->lock);
    uint64_t age = oc_now_ms() - w->asked_ms;
    bool good =
        w->valid && age < (w->asking ? OC_VIEW_STALE_MS : OC_VIEW_FRESH_MS) && copy_all(w, ret, ret_n) == 0;
    if (!good) {
        *ret_t = (struct oc_view_ticket){.changes = w->changes, .asking = !w->asking};
        w->asking = true;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return good;
}

void oc_view_fill(struct oc_view *w, const struct oc_view_ticket *t, outcall_container_info *const *v,
                  size_t n)
{
    int r = 0;
    (void)pthread_mutex_lock(&w->lock);
    if (t->asking)
        w->asking = false;
    if (w->connected && w->changes == t->changes) {
        clear(w);
        for (size_t i = 0; i < n && r == 0; i++)
            r = append(w, v[i]);
        w->valid = r == 0;
    }
    w->asked_ms = oc_now_ms(); /* it answers; what it missed of the changes came as events */
    (void)pthread_mutex_unlock(&w->lock);
}

void oc_view_fail(struct oc_view *w, const struct oc_view_ticket *t)
{
    (void)pthread_mutex_lock(&w->lock);
    if (t->asking)
        w->asking = false;
    clear(w);
    (void)pthread_mutex_unlock(&w->lock);
}

void oc_view_connected(struct oc_view *w, bool connected)
{
    (void)pthread_mutex_lock(&w->lock);
    w->connected = connected;
    w->changes++;
    clear(w);
    (void)pthread_mutex_unlock(&w->lock);
}

static void remove_at(struct oc_view *w, size_t i)
{
    (void)outcall_container_info_free(w->v[i]);
    w->v[i] = w->v[--w->n];
}

static void set_state(struct oc_view *w, size_t i, const char *state)
{
    if (oc_info_set_state(w->v[i], state) < 0)
        w->valid = false;
}

void oc_view_event(struct oc_view *w, const char *action, const char *id, bool being_made)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t i = find(w, id);
    bool known = i < w->n;
    w->changes++;
    if (strcmp(action, "destroy") == 0) {
        if (known)
            remove_at(w, i);
    } else if (strcmp(action, "start") == 0 && (known || being_made)) {
        if (known)
            set_state(w, i, "running");
    } else if (strcmp(action, "die") == 0 && known) {
        set_state(w, i, "exited");
    } else if (strcmp(action, "start") == 0 || strcmp(action, "die") == 0 || strcmp(action, "rename") == 0) {
        w->valid = false; /* something new, or what was put a moment later than its end */
    }
    (void)pthread_mutex_unlock(&w->lock);
}

void oc_view_put(struct oc_view *w, const outcall_container_info *i)
{
    (void)pthread_mutex_lock(&w->lock);
    w->changes++;
    /* One that is there already came from the engine, and later than what the maker knows. */
    if (w->valid && find(w, outcall_container_info_id(i)) == w->n && append(w, i) < 0)
        w->valid = false;
    (void)pthread_mutex_unlock(&w->lock);
}

void oc_view_drop(struct oc_view *w, const char *id)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t i = find(w, id);
    w->changes++;
    if (i < w->n)
        remove_at(w, i);
    (void)pthread_mutex_unlock(&w->lock);
}

void oc_view_stopped(struct oc_view *w, const char *id)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t i = find(w, id);
    w->changes++;
    /* Its event may still be on the way, and another start behind it. */
    if (i < w->n && strcmp(outcall_container_info_state(w->v[i]), "exited") != 0)
        w->valid = false;
    (void)pthread_mutex_unlock(&w->lock);
}
