#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rand.h"
#include "core/error.h"
#include "core/log.h"
#include "policy/request_store.h"
#include <string.h>

#define PENDING_DEFAULT 64 /* spec section 2 */
#define PENDING_MAX     1024
#define TOTAL_DEFAULT   1024
#define TOTAL_MAX       65536
#define FILE_DEFAULT    ((size_t)64 << 10)
#define DRAWS_MAX       8 /* of an id; the second is needed once in 2^38 requests of a full store */

static int check_options(const outcall_requests_options *o, outcall_error *err)
{
    if (o->version != 1)
        return oc_fail(err, OUTCALL_E_INVALID, "options version %u: expected 1", o->version);
    const char *missing = !o->dir ? "dir" : !o->rules_dir ? "rules_dir" : !o->reload ? "reload" : NULL;
    if (missing)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: required option is missing", missing);
    if (!oc_path_is_clean(o->dir) || !oc_path_is_clean(o->rules_dir))
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected an absolute path without . and ..",
                       oc_path_is_clean(o->dir) ? "rules_dir" : "dir");
    if (o->pending_max > PENDING_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "pending_max: expected at most %d", PENDING_MAX);
    if (o->total_max > TOTAL_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "total_max: expected at most %d", TOTAL_MAX);
    if (o->file_max_bytes > OC_REQUEST_TEXT_MAX)
        return oc_fail(err, OUTCALL_E_INVALID, "file_max_bytes: expected at most %zu", OC_REQUEST_TEXT_MAX);
    return 0;
}

static int open_store(outcall_requests *s, const char *dir, outcall_error *err)
{
    const char *why = NULL;
    int r = oc_open_safe_dir(dir, true, 0700, &s->dir_fd, &why);
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, OUTCALL_E_INVALID, "directory of requests \"%s\" %s", dir, why);
    if (r < 0)
        return oc_fail_code(err, r, "directory of requests \"%s\"", dir);
    r = oc_requests_scan(s, err);
    return r < 0 ? r : oc_requests_clean_rules(s, err);
}

int outcall_requests_new(outcall_requests **ret, const outcall_requests_options *opts, outcall_error *err)
{
    if (!ret || !opts)
        return oc_fail(err, OUTCALL_E_INVALID, "ret and opts are required");
    int r = check_options(opts, err);
    if (r < 0)
        return r;
    OC_CLEANUP(outcall_requests_freep) outcall_requests *s = calloc(1, sizeof(*s));
    if (!s)
        return oc_no_memory(err);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->dir_fd = -1;
    s->reload = opts->reload;
    s->userdata = opts->userdata;
    s->in_force = opts->in_force;
    s->log = outcall_log_ref(opts->log);
    s->pending_max = opts->pending_max ? opts->pending_max : PENDING_DEFAULT;
    s->total_max = opts->total_max ? opts->total_max : TOTAL_DEFAULT;
    s->file_max_bytes = opts->file_max_bytes ? opts->file_max_bytes : FILE_DEFAULT;
    s->next = 1;
    if (oc_dup(&s->rules_dir, opts->rules_dir) < 0)
        return oc_no_memory(err);
    r = open_store(s, opts->dir, err);
    if (r == 0)
        *ret = oc_take_ptr(&s);
    return r;
}

outcall_requests *outcall_requests_free(outcall_requests *s)
{
    if (!s)
        return NULL;
    oc_close(s->dir_fd);
    free(s->rules_dir);
    free(s->v);
    (void)outcall_log_unref(s->log);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

struct oc_request_entry *oc_requests_find(outcall_requests *s, const char *id)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].id, id) == 0)
            return &s->v[i];
    return NULL;
}

int oc_requests_add(outcall_requests *s, const outcall_request *r)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct oc_request_entry *v = reallocarray(s->v, cap, sizeof(*v));
        if (!v)
            return OUTCALL_E_NO_MEMORY;
        s->v = v;
        s->cap = cap;
    }
    struct oc_request_entry *e = &s->v[s->n++];
    memcpy(e->id, r->id, sizeof(e->id));
    memcpy(e->agent, r->agent, sizeof(e->agent));
    e->number = r->number;
    e->status = r->status;
    s->next = OC_MAX(s->next, r->number + 1);
    return 0;
}

void oc_requests_drop(outcall_requests *s, struct oc_request_entry *e)
{
    size_t after = s->n - (size_t)(e - s->v) - 1;
    memmove(e, e + 1, after * sizeof(*e));
    s->n--;
}

int oc_requests_not_found(outcall_error *err, const char *id)
{
    char shown[OC_SHOWN_SIZE];
    return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_REQUEST_NOT_FOUND,
                        "request \"%s\" does not exist", oc_shown(shown, id));
}

static size_t count(const outcall_requests *s, int status, const char *agent)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].status == status && (!agent || strcmp(s->v[i].agent, agent) == 0);
    return n;
}

static int check_room(const outcall_requests *s, const char *agent, outcall_error *err)
{
    if (count(s, OUTCALL_REQUEST_PENDING, agent) >= s->pending_max)
        return oc_fail(err, OUTCALL_E_LIMIT, "%u requests of this agent are pending already", s->pending_max);
    if (count(s, OUTCALL_REQUEST_PENDING, NULL) >= s->total_max)
        return oc_fail(err, OUTCALL_E_LIMIT, "%u requests are pending already, which is all that are kept",
                       s->total_max);
    return 0;
}

/* The oldest answered ones go until no more are kept than may be. One whose file would not go stays. */
static void make_room(outcall_requests *s)
{
    for (size_t i = 0; i < s->n && s->n > s->total_max;) {
        if (s->v[i].status != OUTCALL_REQUEST_PENDING && oc_requests_unlink(s, s->v[i].id)) {
            oc_requests_drop(s, &s->v[i]);
            (void)oc_fault(OC_FAULT_DROPPED);
        } else {
            i++;
        }
    }
}

static int name_it(outcall_requests *s, outcall_request *r, outcall_error *err)
{
    char hex[OC_REQUEST_ID_SIZE - sizeof(OC_REQUEST_PREFIX) + 1];
    for (int i = 0; i < DRAWS_MAX; i++) {
        if (oc_random_hex(hex, sizeof(hex)) < 0)
            return oc_fail_errno(err, "an id for the request");
        (void)oc_format(r->id, sizeof(r->id), "%s%s", OC_REQUEST_PREFIX, hex);
        if (!oc_requests_find(s, r->id))
            return 0;
    }
    return oc_fail(err, OUTCALL_E_INTERNAL, "no id for the request: %d were taken", DRAWS_MAX);
}

static int store(outcall_requests *s, outcall_request *r, outcall_error *err)
{
    int e = check_room(s, r->agent, err);
    if (e == 0)
        e = name_it(s, r, err);
    if (e == 0 && oc_fault(OC_FAULT_SUBMIT))
        e = oc_fail(err, OUTCALL_E_INTERNAL, "fault point %s", OC_FAULT_SUBMIT);
    if (e < 0)
        return e;
    r->number = s->next;
    if (oc_requests_add(s, r) < 0)
        return oc_no_memory(err);
    e = oc_requests_write(s, r, err);
    if (e < 0) { /* it may be in place all the same, if only the directory could not be synced */
        (void)oc_requests_unlink(s, r->id);
        s->n--;
        return e;
    }
    (void)oc_fault(OC_FAULT_STORED);
    make_room(s);
    return 0;
}

static int prepare(outcall_requests *s, const char *agent, const char *yaml, size_t len, outcall_request *r,
                   outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *in_force = s->in_force ? outcall_policy_slot_get(s->in_force, NULL) : NULL;
    if (len > s->file_max_bytes)
        return oc_fail_kind(err, OUTCALL_E_LIMIT, OUTCALL_KIND_TOO_LARGE,
                            "the rule file has more than %zu bytes", s->file_max_bytes);
    int e = oc_request_check(agent, yaml, len, in_force, &r->active, err);
    if (e < 0) {
        if (err && err->kind == OUTCALL_KIND_NONE && e != OUTCALL_E_NO_MEMORY)
            err->kind = OUTCALL_KIND_RULES_INVALID;
        return e;
    }
    (void)oc_copy(r->agent, sizeof(r->agent), agent, strlen(agent));
    oc_rfc3339(time(NULL), r->created_at);
    r->text = strndup(yaml, len);
    return r->text ? oc_request_summarize(r, err) : oc_no_memory(err);
}

int outcall_requests_submit(outcall_requests *s, const char *agent, const char *yaml, size_t len,
                            outcall_request **ret, outcall_error *err)
{
    if (!s || !agent || !yaml || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "s, agent, yaml and ret are required");
    if (!oc_request_agent_valid(agent))
        return oc_fail(err, OUTCALL_E_INVALID,
                       "agent: expected 1 to %d of [A-Za-z0-9_.-], the first a letter or digit",
                       OC_REQUEST_AGENT_MAX);
    (void)pthread_mutex_lock(&s->lock);
    int e = check_room(s, agent, err); /* once more later; a full store costs no work */
    (void)pthread_mutex_unlock(&s->lock);
    if (e < 0)
        return e;
    OC_CLEANUP(outcall_request_freep) outcall_request *r = calloc(1, sizeof(*r));
    if (!r)
        return oc_no_memory(err);
    e = prepare(s, agent, yaml, len, r, err);
    if (e < 0)
        return e;
    (void)pthread_mutex_lock(&s->lock);
    e = store(s, r, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (e < 0)
        return e;
    oc_log(s->log, OUTCALL_LOG_INFO, OC_REQUESTS_LOG, "%s asks for rules: request %s", agent, r->id);
    *ret = oc_take_ptr(&r);
    return 0;
}

int outcall_requests_get(outcall_requests *s, const char *id, const char *agent, outcall_request **ret,
                         outcall_error *err)
{
    if (!s || !id || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "s, id and ret are required");
    (void)pthread_mutex_lock(&s->lock);
    const struct oc_request_entry *e = oc_requests_find(s, id);
    bool shown = e && (!agent || strcmp(e->agent, agent) == 0);
    int r = shown ? oc_requests_read(s, id, ret, err) : oc_requests_not_found(err, id);
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

/* An entry that turns out to be damaged is gone from the index, and another stands in its place. */
static int list(outcall_requests *s, int status, outcall_request **v, size_t *ret_n, outcall_error *err)
{
    for (size_t i = 0; i < s->n;) {
        size_t before = s->n;
        char id[OC_REQUEST_ID_SIZE];
        memcpy(id, s->v[i].id, sizeof(id));
        bool wanted = status < 0 || s->v[i].status == status;
        outcall_error why = OUTCALL_ERROR_INIT;
        int r = wanted ? oc_requests_read(s, id, &v[*ret_n], &why) : 0;
        if (r < 0 && s->n == before)
            return oc_fail(err, r, "%s", why.text);
        *ret_n += wanted && r == 0;
        i += s->n == before;
    }
    return 0;
}

int outcall_requests_list(outcall_requests *s, int status, outcall_request ***ret, outcall_error *err)
{
    if (!s || !ret || status < -1 || status > OUTCALL_REQUEST_REJECTED)
        return oc_fail(err, OUTCALL_E_INVALID, "s and ret are required, and a status");
    size_t n = 0;
    (void)pthread_mutex_lock(&s->lock);
    outcall_request **v = oc_new_array(s->n, sizeof(void *));
    int r = v ? list(s, status, v, &n, err) : oc_no_memory(err);
    (void)pthread_mutex_unlock(&s->lock);
    if (r < 0) {
        outcall_request_free_many(v, v ? n : 0);
        return r;
    }
    *ret = v;
    return (int)n;
}
