#include "containers/manager.h"
#include "base/str.h"
#include "core/error.h"
#include "docker/engine.h"
#include <string.h>
#include <unistd.h>

#define CREATES_MAX           64
#define POLICY_TIMEOUT_MS     5000U
#define POLICY_TIMEOUT_MAX_MS 60000U

/* A create keeps a processor busy most of its time, in the engine, in runc and in the kernel: more of them at
 * once end no sooner, and whoever asks for something else meanwhile waits behind all of them. */
static unsigned creates_max(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n <= CREATES_MAX ? (unsigned)n : n > 0 ? CREATES_MAX : 1;
}

static int check_options(const outcall_containers_options *o, outcall_error *err)
{
    const char *missing = !o->docker                           ? "docker"
                          : !o->networks                       ? "networks"
                          : !o->denylist                       ? "denylist"
                          : !o->instance || !o->instance[0]    ? "instance"
                          : !o->shim_path                      ? "shim_path"
                          : !o->agent_socket_path && !o->hooks ? "hooks or agent_socket_path"
                          : o->hooks && !o->agent_socket_path && !o->hooks->open ? "hooks->open"
                                                                                 : NULL;
    if (o->version < 1 || o->version > OUTCALL_CONTAINERS_OPTIONS_VERSION)
        return oc_fail(err, OUTCALL_E_INVALID, "options version %u: expected 1 to %d", o->version,
                       OUTCALL_CONTAINERS_OPTIONS_VERSION);
    if (missing)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: required option is missing", missing);
    if (o->policy_timeout_ms > POLICY_TIMEOUT_MAX_MS)
        return oc_fail(err, OUTCALL_E_INVALID, "policy_timeout_ms: expected at most %u",
                       POLICY_TIMEOUT_MAX_MS);
    if (!outcall_denylist_has(o->denylist, oc_docker_socket_path(o->docker)))
        return oc_fail(err, OUTCALL_E_INVALID, "denylist: the engine's socket \"%s\" is not on it",
                       oc_docker_socket_path(o->docker));
    return 0;
}

int outcall_containers_new(outcall_containers **ret, const outcall_containers_options *opts,
                           outcall_error *err)
{
    if (!ret || !opts)
        return oc_fail(err, OUTCALL_E_INVALID, "ret and opts are required");
    int r = check_options(opts, err);
    if (r < 0)
        return r;
    outcall_containers *m = calloc(1, sizeof(*m));
    if (!m)
        return oc_no_memory(err);
    oc_view_init(&m->view);
    oc_gate_init(&m->creates, creates_max());
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_cond_init(&m->released, NULL);
    m->docker = opts->docker;
    m->networks = opts->networks;
    m->denylist = outcall_denylist_ref(opts->denylist);
    m->log = outcall_log_ref(opts->log);
    if (opts->hooks)
        m->hooks = *opts->hooks;
    m->on_event = opts->on_event;
    m->event_userdata = opts->event_userdata;
    m->policy = opts->policy;
    m->policy_timeout_ms = opts->policy_timeout_ms ? opts->policy_timeout_ms : POLICY_TIMEOUT_MS;
    m->on_decision = opts->on_decision;
    m->decision_userdata = opts->decision_userdata;
    if (oc_dup(&m->stage_dir, opts->stage_dir) < 0 || oc_dup(&m->instance, opts->instance) < 0 ||
        oc_dup(&m->shim_path, opts->shim_path) < 0 ||
        oc_dup(&m->agent_socket_path, opts->agent_socket_path) < 0 ||
        oc_dup(&m->proxy_address, opts->proxy_address) < 0 || oc_dup(&m->dns_address, opts->dns_address) < 0)
        r = oc_no_memory(err);
    if (r == 0)
        r = oc_names_new(&m->names, opts->state_dir, err);
    if (r < 0) {
        (void)outcall_containers_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

outcall_containers *outcall_containers_free(outcall_containers *m)
{
    if (!m)
        return NULL;
    struct oc_entry *e = NULL, *next = NULL;
    HASH_ITER(hh, m->table, e, next)
    {
        HASH_DEL(m->table, e);
        free(e);
    }
    (void)oc_names_free(m->names);
    oc_gate_done(&m->creates);
    oc_view_done(&m->view);
    (void)outcall_denylist_unref(m->denylist);
    (void)outcall_log_unref(m->log);
    free(m->stage_dir);
    free(m->instance);
    free(m->shim_path);
    free(m->agent_socket_path);
    free(m->proxy_address);
    free(m->dns_address);
    (void)pthread_cond_destroy(&m->released);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}

static struct oc_entry *find(outcall_containers *m, const char *name)
{
    struct oc_entry *e = NULL;
    HASH_FIND_STR(m->table, name, e);
    return e;
}

static struct oc_entry *find_or_add(outcall_containers *m, const char *name)
{
    struct oc_entry *e = find(m, name);
    if (e || strlen(name) >= sizeof(e->name))
        return e; /* a name that is too long is none of ours */
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    (void)oc_format(e->name, sizeof(e->name), "%s", name);
    HASH_ADD_STR(m->table, name, e);
    if (!e->hh.tbl) {
        free(e);
        return NULL;
    }
    return e;
}

static void take(struct oc_entry *e, char ret_id[OUTCALL_CONTAINER_ID_LEN + 1])
{
    e->reserved = true;
    e->missed = false;
    memcpy(ret_id, e->id, sizeof(e->id));
}

int oc_reserve(outcall_containers *m, const char *name, char ret_id[OUTCALL_CONTAINER_ID_LEN + 1])
{
    (void)pthread_mutex_lock(&m->lock);
    struct oc_entry *e = find_or_add(m, name);
    while (e && e->reserved) {
        (void)pthread_cond_wait(&m->released, &m->lock);
        e = find_or_add(m, name); /* it may have been forgotten meanwhile */
    }
    if (e)
        take(e, ret_id);
    (void)pthread_mutex_unlock(&m->lock);
    return e ? 0 : OUTCALL_E_NO_MEMORY;
}

bool oc_try_reserve(outcall_containers *m, const char *name, bool tell,
                    char ret_id[OUTCALL_CONTAINER_ID_LEN + 1])
{
    (void)pthread_mutex_lock(&m->lock);
    struct oc_entry *e = find_or_add(m, name);
    bool mine = e && !e->reserved;
    if (mine)
        take(e, ret_id);
    else if (e && (tell || e->id[0]))
        e->missed = true;
    (void)pthread_mutex_unlock(&m->lock);
    return mine;
}

bool oc_release(outcall_containers *m, const char *name, const char *id, bool attested)
{
    bool missed = false;
    (void)pthread_mutex_lock(&m->lock);
    struct oc_entry *e = find(m, name);
    if (e) {
        missed = e->missed;
        e->reserved = false;
        e->attested = attested;
        (void)oc_format(e->id, sizeof(e->id), "%s", id);
        if (!e->id[0]) {
            HASH_DEL(m->table, e);
            free(e);
        }
    }
    (void)pthread_cond_broadcast(&m->released);
    (void)pthread_mutex_unlock(&m->lock);
    return missed;
}

bool oc_is_attested(outcall_containers *m, const char *name)
{
    (void)pthread_mutex_lock(&m->lock);
    struct oc_entry *e = find(m, name);
    bool attested = e && e->attested;
    (void)pthread_mutex_unlock(&m->lock);
    return attested;
}

bool oc_is_being_made(outcall_containers *m, const char *name)
{
    (void)pthread_mutex_lock(&m->lock);
    struct oc_entry *e = find(m, name);
    bool being_made = e && e->reserved && !e->id[0];
    (void)pthread_mutex_unlock(&m->lock);
    return being_made;
}

bool oc_is_known(outcall_containers *m, const char *name)
{
    (void)pthread_mutex_lock(&m->lock);
    bool known = find(m, name) != NULL;
    (void)pthread_mutex_unlock(&m->lock);
    return known;
}

bool oc_is_complete(outcall_containers *m)
{
    (void)pthread_mutex_lock(&m->lock);
    bool complete = m->complete;
    (void)pthread_mutex_unlock(&m->lock);
    return complete;
}

void oc_set_complete(outcall_containers *m, bool complete)
{
    (void)pthread_mutex_lock(&m->lock);
    m->complete = complete;
    (void)pthread_mutex_unlock(&m->lock);
}

bool oc_name_of(outcall_containers *m, const char *id, char ret[OC_NAME_SIZE])
{
    bool found = false;
    (void)pthread_mutex_lock(&m->lock);
    for (struct oc_entry *e = m->table; e && !found; e = e->hh.next) {
        found = e->id[0] && strcmp(e->id, id) == 0;
        if (found)
            (void)oc_format(ret, OC_NAME_SIZE, "%s", e->name);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return found;
}

int oc_known_names(outcall_containers *m, struct oc_strings *ret)
{
    int r = 0;
    (void)pthread_mutex_lock(&m->lock);
    for (struct oc_entry *e = m->table; e && r == 0; e = e->hh.next)
        r = oc_strings_add(ret, e->name, strlen(e->name));
    (void)pthread_mutex_unlock(&m->lock);
    return r;
}

size_t outcall_containers_count(outcall_containers *m)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&m->lock);
    for (struct oc_entry *e = m->table; e; e = e->hh.next)
        n += e->id[0] != '\0';
    (void)pthread_mutex_unlock(&m->lock);
    return n;
}

int oc_container_name(const char *text, char ret[OC_NAME_SIZE], outcall_error *err)
{
    if (text && oc_name_parse(OC_CONTAINER_PREFIX, text, ret) == 0)
        return 0;
    return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                        "name: expected [a-z0-9][a-z0-9_.-]{0,62}, with or without \"" OC_CONTAINER_PREFIX
                        "\" before it, got \"%s\"",
                        text ? text : "");
}
