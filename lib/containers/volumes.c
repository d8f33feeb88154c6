#include "containers/volumes.h"
#include "base/str.h"
#include "core/error.h"
#include "docker/engine.h"

static int denied(outcall_error *err, const char *name, const char *why)
{
    int r = oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED, "volume mount denied: \"%s\" %s",
                         name, why);
    oc_error_at(err, name, 0, 0);
    return r;
}

static int judge(const json_t *volume, const char *name, outcall_error *err)
{
    const json_t *options = json_object_get(volume, "Options");
    if (!oc_streq(oc_json_string(volume, "Driver", ""), "local"))
        return denied(err, name, "is not of driver \"local\"");
    if (options && !json_is_null(options) && (!json_is_object(options) || json_object_size(options) > 0))
        return denied(err, name, "has driver options");
    if (!oc_streq(oc_json_string(volume, "Name", ""), name))
        return denied(err, name, "is not what the engine answered with");
    return 0;
}

static int create(outcall_containers *m, const char *name, outcall_error *err)
{
    OC_JSON json_t *body = json_pack("{s:s, s:s, s:{}, s:{s:s}}", "Name", name, "Driver", "local",
                                     "DriverOpts", "Labels", OC_LABEL_MANAGED, OC_LABEL_MANAGED_BY);
    OC_JSON json_t *reply = NULL;
    if (!body)
        return oc_no_memory(err);
    int r = oc_docker_ok(m->docker, "POST", "/volumes/create", body, 0, NULL, &reply, err);
    /* Somebody may have made one of that name in between: what counts is what there is now. */
    return r < 0 ? r : judge(reply, name, err);
}

int oc_volume_ready(outcall_containers *m, const char *name, bool *ret_new, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/volumes/%s", name);
    if (r == 0)
        r = oc_docker_call(m->docker, "GET", path, NULL, 0, &status, &reply, err);
    *ret_new = false;
    if (r < 0)
        return r;
    if (status == 404) {
        r = create(m, name, err);
        /* Refused: nothing was made. Of another kind than asked for: somebody else was faster, and it is
         * theirs. */
        *ret_new = r != OUTCALL_E_REMOTE && r != OUTCALL_E_DENIED;
        return r;
    }
    return status == 200 ? judge(reply, name, err) : oc_docker_fail(err, status, reply);
}

int oc_volume_delete(outcall_containers *m, const char *name, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/volumes/%s", name);
    if (r == 0)
        r = oc_docker_call(m->docker, "DELETE", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    return (status >= 200 && status < 300) || status == 404 ? 0 : oc_docker_fail(err, status, reply);
}
