#include "containers/adopt.h"
#include "base/str.h"
#include "containers/attest.h"
#include "containers/engine_calls.h"
#include "containers/helpers.h"
#include "containers/identify.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include <limits.h>
#include <string.h>

void oc_event(outcall_containers *m, const char *action, const char *name, const char *id, const char *detail)
{
    oc_log(m->log, OUTCALL_LOG_INFO, OC_TARGET_LOG, "\"%s\" (%.12s): %s%s%s", name, id, action,
           detail[0] ? ": " : "", detail);
    if (m->on_event)
        m->on_event(m->event_userdata, action, name, id, detail);
}

void oc_quarantine(outcall_containers *m, const char *name, const char *id, const outcall_error *why)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, why, "killing \"%s\" (%.12s)", name, id);
    if (m->hooks.stopped && oc_name_is(OC_CONTAINER_PREFIX, name))
        m->hooks.stopped(m->hooks.userdata, name);
    if (oc_kill(m, id, &e) < 0)
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "\"%s\" (%.12s) could not be killed", name,
                     id);
    if (m->on_event)
        m->on_event(m->event_userdata, "quarantine", name, id, why->text);
}

void oc_forget(outcall_containers *m, const char *name)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    OC_CLEANUP(outcall_stage_freep) outcall_stage *stage = NULL;
    if (m->hooks.close)
        m->hooks.close(m->hooks.userdata, name);
    if (!m->stage_dir)
        return;
    int r = outcall_stage_open(&stage, m->stage_dir, name, &e);
    if (r == OUTCALL_E_NOT_FOUND)
        return;
    if (r < 0 || outcall_stage_remove(stage, &e) < 0)
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "the stage of \"%s\" is left behind",
                     name);
}

/* It runs: attest it, and let its requests be answered. */
static bool adopt_running(outcall_containers *m, const char *name, const char *dir, const json_t *inspect)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    bool attested = false;
    const char *id = oc_json_string(inspect, "Id", "");
    int r = oc_attest(m, name, dir, inspect, &attested, &e);
    if (r == OUTCALL_E_DENIED)
        oc_quarantine(m, name, id, &e);
    else if (r < 0)
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "\"%s\" could not be attested", name);
    else
        oc_identify(m, name, inspect);
    return attested;
}

/* A container that was created and never started, while nobody is making it: a crash was faster. */
static bool remove_leftover(outcall_containers *m, const char *name, const char *id)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    bool removed = false;
    if (oc_delete(m, id, true, &removed, &e) < 0) {
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "half-made \"%s\" could not be removed",
                     name);
        return false;
    }
    oc_forget(m, name);
    oc_event(m, "leftover-removed", name, id, "it was created and never started");
    return true;
}

int oc_look(outcall_containers *m, const char *name, char id[OUTCALL_CONTAINER_ID_LEN + 1], bool *attested,
            outcall_error *err)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    OC_JSON json_t *inspect = NULL;
    char path[PATH_MAX], dir[PATH_MAX];
    int r = oc_inspect(m, name, &inspect, &e);
    if (r == OUTCALL_E_NOT_FOUND || r == OUTCALL_E_DENIED) {
        oc_forget(m, name);
        id[0] = '\0';
        return 0;
    }
    if (r < 0) { /* nothing is concluded */
        if (err && err->code == 0)
            *err = e;
        return r;
    }
    const char *found = oc_json_string(inspect, "Id", "");
    (void)oc_format(id, OUTCALL_CONTAINER_ID_LEN + 1, "%s", found);
    if (oc_streq(oc_json_string(inspect, "State.Status", ""), "created")) {
        if (remove_leftover(m, name, found))
            id[0] = '\0';
        return 0;
    }
    if (oc_agent_socket_open(m, name, path, dir, &e) < 0)
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "\"%s\" has no way to ask", name);
    else if (oc_json_bool(inspect, "State.Running", false))
        *attested = adopt_running(m, name, dir, inspect);
    else if (m->hooks.stopped)
        m->hooks.stopped(m->hooks.userdata, name);
    return 0;
}

int oc_refresh(outcall_containers *m, const char *name)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    char id[OUTCALL_CONTAINER_ID_LEN + 1];
    bool attested = false;
    int r = 0;
    do {
        outcall_error_clear(&e);
        r = oc_reserve(m, name, id);
        if (r < 0) {
            oc_log(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, "no memory to look at \"%s\"", name);
            return r;
        }
        attested = false;
        r = oc_look(m, name, id, &attested, &e);
    } while (oc_release(m, name, id, attested));
    if (r < 0) /* the next connection to the engine looks again */
        oc_log_error(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &e, "\"%s\" could not be inspected", name);
    return r;
}

/* Everything with our prefix. One of ours goes into names; one without our label is only worth a warning. */
static int find_by_prefix(outcall_containers *m, struct oc_strings *names, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    /* Not "^/...": a container that the engine leaves out would be swept away as gone, and only Docker's
     * names begin with a slash for its filter. */
    int r = oc_docker_path(&path, err, "/containers/json?all=1&filters=%s",
                           "{\"name\":[\"" OC_CONTAINER_PREFIX "\"]}");
    if (r == 0)
        r = oc_docker_ok(m->docker, "GET", path, NULL, 0, NULL, &reply, err);
    if (r == 0 && !json_is_array(reply))
        r = oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                         "the engine's list of containers is no list");
    for (size_t i = 0; r == 0 && i < json_array_size(reply); i++) {
        const json_t *c = json_array_get(reply, i);
        const char *name = oc_listed_name(c);
        if (!name)
            continue;
        if (oc_is_ours(m, json_object_get(c, "Labels")))
            r = oc_strings_add(names, name, strlen(name));
        else if (!json_object_get(json_object_get(c, "Labels"), OC_LABEL_MANAGED))
            oc_log(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG,
                   "\"%s\" has our prefix but not our label: ignored", name);
    }
    return r == OUTCALL_E_NO_MEMORY ? oc_no_memory(err) : r;
}

static int keep_stage(const char *name, void *userdata)
{
    return oc_is_known(userdata, name);
}

static int keep_socket(void *userdata, const char *name)
{
    return oc_is_known(userdata, name);
}

static void sweep(outcall_containers *m)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    if (m->stage_dir && outcall_stage_cleanup(m->stage_dir, keep_stage, m, m->log, &e) < 0)
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &e, "stages could not be cleaned up");
    if (m->hooks.sweep)
        m->hooks.sweep(m->hooks.userdata, keep_socket, m);
}

int outcall_containers_adopt(outcall_containers *m, size_t *ret_n, outcall_error *err)
{
    OC_CLEANUP(oc_strings_done) struct oc_strings found = {0};
    OC_CLEANUP(oc_strings_done) struct oc_strings known = {0};
    outcall_error no_stage = OUTCALL_ERROR_INIT, no_pids = OUTCALL_ERROR_INIT;
    oc_set_complete(m, false); /* there was a gap, or there will be one */
    int r = find_by_prefix(m, &found, err);
    if (r == 0 && oc_known_names(m, &known) < 0)
        r = oc_no_memory(err);
    if (r < 0)
        return r;
    if (m->stage_dir && !oc_can_stage(m, &no_stage)) /* without one the caller knows */
        oc_log_error(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, &no_stage,
                     "bind mounts are refused and nothing is attested");
    if (!oc_engine_shares_pids(m, &no_pids))
        oc_log_error(m->log, OUTCALL_LOG_ERROR, OC_TARGET_LOG, &no_pids, "all agents are refused");
    bool all = true;
    for (size_t i = 0; i < found.n; i++) {
        if (oc_names_add(m->names, found.v[i]) < 0)
            oc_log(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "the name \"%s\" could not be remembered",
                   found.v[i]);
        all = oc_refresh(m, found.v[i]) == 0 && all;
    }
    for (size_t i = 0; i < known.n; i++)
        if (!oc_strings_has(&found, known.v[i]))
            all = oc_refresh(m, known.v[i]) == 0 && all;
    if (all) /* else what is not in the table may live all the same */
        sweep(m);
    oc_set_complete(m, all);
    if (ret_n)
        *ret_n = found.n;
    return 0;
}
