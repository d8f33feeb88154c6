/* What happens to our containers without us: the engine's events, followed for ever. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "containers/adopt.h"
#include "containers/engine_calls.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include "docker/events.h"
#include <poll.h>
#include <string.h>

#define RETRY_MIN_MS 100U
#define RETRY_MAX_MS 2000U

struct watch {
    outcall_containers *m;
    bool connected;
};

/* In Docker's words; Podman has one of its own. */
static const char *action_of(const json_t *event)
{
    const char *action = oc_json_string(event, "Action", "");
    return strcmp(action, "remove") == 0 ? "destroy" : action;
}

static const char *attribute(const json_t *event, const char *key)
{
    return json_string_value(json_object_get(oc_json_get(event, "Actor.Attributes"), key));
}

/* Looks again unless somebody is at it, who then does (tell: also one who is just making it). The events
 * behind this one must not wait. */
static void look_again(outcall_containers *m, const char *name, bool tell)
{
    char known[OUTCALL_CONTAINER_ID_LEN + 1];
    if (!oc_try_reserve(m, name, tell, known))
        return;
    (void)oc_release(m, name, known, oc_is_attested(m, name));
    (void)oc_refresh(m, name);
}

static void on_start(outcall_containers *m, const char *name, const char *id)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    oc_event(m, "start", name, id, "");
    if (oc_name_is(OC_CONTAINER_PREFIX, name)) {
        look_again(m, name, false); /* whoever makes it attests it */
        return;
    }
    /* Renamed, and started again: nobody could attest it. */
    (void)oc_fail_kind(&why, OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN,
                       "container \"%s\" was started under a name that is none of outcall's", name);
    oc_quarantine(m, name, id, &why);
}

/* The sessions of this very container end. One that is just being made or removed is looked at by whoever
 * does that. */
static void on_die(outcall_containers *m, const char *name, const char *id, const json_t *event)
{
    char known[OUTCALL_CONTAINER_ID_LEN + 1];
    const char *code = attribute(event, "exitCode");
    oc_event(m, "die", name, id, code ? code : "");
    if (!oc_try_reserve(m, name, true, known))
        return;
    if (m->hooks.stopped && strcmp(known, id) == 0)
        m->hooks.stopped(m->hooks.userdata, name);
    (void)oc_release(m, name, known, oc_is_attested(m, name));
}

static void on_destroy(outcall_containers *m, const char *name, const char *id)
{
    char known[OUTCALL_CONTAINER_ID_LEN + 1];
    if (!oc_try_reserve(m, name, true, known))
        return; /* whoever removes it tidies up */
    bool mine = strcmp(known, id) == 0;
    (void)oc_release(m, name, known, oc_is_attested(m, name));
    if (mine) {
        oc_event(m, "destroy", name, id, "behind our back");
        (void)oc_refresh(m, name);
    }
}

/* Renamed: its name is its socket, its stage and how a restarted daemon finds it again. */
static void on_rename(outcall_containers *m, const char *name, const char *id, const json_t *event)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    const char *old = attribute(event, "oldName");
    char known[OC_NAME_SIZE] = "";
    (void)oc_name_of(m, id, known); /* Podman does not say what it was called */
    old = old ? old + (old[0] == '/') : known;
    (void)oc_fail_kind(&why, OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN,
                       "container \"%s\" was renamed to \"%s\"", old, name);
    oc_quarantine(m, old, id, &why);
    if (oc_name_is(OC_CONTAINER_PREFIX, old))
        look_again(m, old, true);
}

/* Was it let in without more rights than the container has? What cannot be found out counts as no, but on
 * Podman, which forgets such a process as soon as it has ended. */
static int check_exec(outcall_containers *m, const char *name, const char *exec_id, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *exec = NULL;
    struct oc_docker_state engine;
    int status = 0;
    int r = oc_docker_path(&path, err, "/exec/%s/json", exec_id);
    if (r == 0)
        r = oc_docker_call(m->docker, "GET", path, NULL, 0, &status, &exec, err);
    if (r < 0)
        return r;
    oc_docker_state(m->docker, &engine);
    if (status == 404 && engine.is_podman)
        return 0;
    if (status != 200)
        return oc_docker_fail(err, status, exec);
    return !oc_json_bool(exec, "ProcessConfig.privileged", !engine.is_podman)
               ? 0
               : oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_FORBIDDEN,
                              "a privileged process was started in container \"%s\"", name);
}

/* A process that was let into a container from outside is harmless as long as it is held by the same walls.
 */
static void on_exec(outcall_containers *m, const char *name, const char *id, const json_t *event)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    const char *exec_id = attribute(event, "execID");
    oc_event(m, "exec", name, id, "");
    if (check_exec(m, name, exec_id ? exec_id : "", &e) < 0)
        oc_quarantine(m, name, id, &e);
}

static void on_container(outcall_containers *m, const json_t *event)
{
    const char *action = action_of(event), *id = oc_json_string(event, "Actor.ID", "");
    const char *name = attribute(event, "name");
    if (!name || !oc_is_ours(m, oc_json_get(event, "Actor.Attributes")))
        return;
    oc_view_event(&m->view, action, id, oc_is_being_made(m, name));
    if (strcmp(action, "create") == 0) {
        look_again(m, name, false); /* one that nobody is making any more: its maker had given up */
    } else if (strcmp(action, "start") == 0) {
        on_start(m, name, id);
    } else if (strcmp(action, "rename") == 0) {
        on_rename(m, name, id, event);
    } else if (!oc_name_is(OC_CONTAINER_PREFIX, name)) {
        return; /* renamed behind our back, and killed for that */
    } else if (strcmp(action, "die") == 0) {
        on_die(m, name, id, event);
    } else if (strcmp(action, "destroy") == 0) {
        on_destroy(m, name, id);
    } else if (strcmp(action, "update") == 0) {
        oc_log(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "the limits of \"%s\" were changed behind our back",
               name);
        oc_event(m, "update", name, id, "");
    } else if (oc_starts_with(action, "exec_create")) {
        on_exec(m, name, id, event);
    }
}

static int on_event(void *userdata, const json_t *event, uint64_t time_ns)
{
    struct watch *w = userdata;
    (void)time_ns;
    const char *type = oc_json_string(event, "Type", "");
    if (strcmp(type, "container") == 0) {
        on_container(w->m, event);
    } else if (strcmp(type, "network") == 0) {
        char name[OC_NAME_SIZE];
        const char *container = attribute(event, "container"); /* Podman: the actor itself */
        const char *id = container ? container : oc_json_string(event, "Actor.ID", "");
        if (id && oc_name_of(w->m, id, name))
            look_again(w->m, name, true); /* attests its networks too */
    }
    return 0;
}

/* Subscribed: whatever happens from here on comes as an event, so this is the moment to look at everything.
 */
static void on_open(void *userdata)
{
    struct watch *w = userdata;
    outcall_error e = OUTCALL_ERROR_INIT;
    w->connected = true;
    oc_view_connected(&w->m->view, true);
    if (w->m->on_event)
        w->m->on_event(w->m->event_userdata, "engine-connected", "", "", "");
    if (outcall_containers_adopt(w->m, NULL, &e) < 0)
        oc_log_error(w->m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &e, "containers could not be adopted");
}

static json_t *filters(void)
{
    return json_pack("{s:[s, s], s:[s, s, s, s, s, s, s, s, s]}", "type", "container", "network", "event",
                     "create", "start", "die", "destroy", "remove", "rename", "update", "exec_create",
                     "connect");
}

int outcall_containers_watch(outcall_containers *m, int stop_fd, outcall_error *err)
{
    OC_JSON json_t *filter = filters();
    struct watch w = {.m = m};
    uint64_t since_ns = 0, wait_ms = RETRY_MIN_MS;
    if (!filter)
        return oc_no_memory(err);
    for (;;) {
        outcall_error e = OUTCALL_ERROR_INIT;
        struct oc_docker_events events = {.filters = filter,
                                          .since_ns = since_ns,
                                          .stop_fd = stop_fd,
                                          .on_open = on_open,
                                          .on_event = on_event,
                                          .userdata = &w};
        w.connected = false;
        int r = oc_docker_events(m->docker, &events, &since_ns, &e);
        oc_view_connected(&m->view, false);
        if (r == OUTCALL_E_CLOSED)
            return 0;
        oc_log_error(m->log, w.connected ? OUTCALL_LOG_WARN : OUTCALL_LOG_DEBUG, OC_TARGET_LOG, &e,
                     "lost the engine's events");
        wait_ms = w.connected ? RETRY_MIN_MS : OC_MIN(wait_ms * 2, (uint64_t)RETRY_MAX_MS);
        int ready = oc_poll1(stop_fd, POLLIN, oc_deadline(wait_ms));
        if (ready != 0)
            return ready < 0 ? oc_fail_errno(err, "poll") : 0;
    }
}
