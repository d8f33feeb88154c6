/* Create, in the ten steps of spec section 3. A plan collects what each step found or made; one function
 * takes all of it back. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/rand.h"
#include "base/str.h"
#include "containers/admission.h"
#include "containers/adopt.h"
#include "containers/attest.h"
#include "containers/body.h"
#include "containers/engine_calls.h"
#include "containers/helpers.h"
#include "containers/identify.h"
#include "containers/info.h"
#include "containers/volumes.h"
#include "core/error.h"
#include "core/log.h"
#include "docker/engine.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TURN_MAX_MS 120000U /* to wait for others' creates; each of those is bounded too */
#define NAME_DRAWS  4       /* the first and three more (S008-EC-009) */
#define MOUNTS_MAX  256

struct plan {
    outcall_container_spec spec; /* completed */
    char name[OC_NAME_SIZE];
    char network_name[OC_NAME_SIZE];
    int pins[OC_SPEC_MOUNTS_MAX]; /* of the bind mounts, in the spec's order; -1 for volumes */
    bool new_volume[OC_SPEC_MOUNTS_MAX];
    char agent_dir[PATH_MAX]; /* the directory that holds its socket */
    int shim_fd;              /* O_PATH: exactly what was checked */
    bool admitted;            /* the rules were asked, and nothing spoke against it */
    json_t *image;            /* the engine's inspect */
    outcall_network_info *network;
    outcall_stage *stage;
    struct oc_body_mount mounts[MOUNTS_MAX];
    size_t n_mounts;
    char id[OUTCALL_CONTAINER_ID_LEN + 1]; /* "" = the engine has not been asked to create */
    bool create_sent;
    bool agent_open;
    char created_at[OC_RFC3339_SIZE];
    json_t *inspect; /* after the start */
    bool attested;
    outcall_container_info *info; /* made before the answer can be lost to a lack of memory */
};

/* Step 2: what needs no engine. Not one Docker call has been made when this is over (S008-EC-001). */
static int check_mounts(outcall_containers *m, struct plan *p, outcall_error *err)
{
    const outcall_container_spec *s = &p->spec;
    int r = outcall_mounts_check_targets(s->mounts, s->n_mounts, err);
    for (size_t i = 0; i < s->n_mounts && r == 0; i++) {
        if (!outcall_mount_is_volume(&s->mounts[i]))
            r = outcall_denylist_check(m->denylist, &s->mounts[i], &p->pins[i], err);
    }
    return r;
}

/* Step 3. */
static int open_helpers(outcall_containers *m, struct plan *p, outcall_error *err)
{
    p->agent_open = true; /* also after a failure: the hook may have got half-way */
    if (m->hooks.stopped) /* what an earlier container of this name may have left open is not for this one */
        m->hooks.stopped(m->hooks.userdata, p->name);
    return oc_agent_open(m, p->name, p->agent_dir, err);
}

/* Step 4. */
static int admit(outcall_containers *m, struct plan *p, outcall_error *err)
{
    const struct oc_admission a = {.spec = &p->spec, .name = p->name, .pins = p->pins};
    int r = p->admitted ? 0 : oc_admit(m, &a, err);
    p->admitted = r == 0;
    return r;
}

/* Step 5. */
static int find_network(outcall_containers *m, struct plan *p, outcall_error *err)
{
    return outcall_networks_get(m->networks, p->network_name, &p->network, err);
}

/* Step 6. */
static int find_image(outcall_containers *m, struct plan *p, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    int r = oc_docker_path(&path, err, "/images/%s/json", p->spec.image);
    if (r == 0)
        r = oc_docker_call(m->docker, "GET", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    if (status == 404)
        return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_IMAGE_NOT_FOUND,
                            "image \"%s\" not found locally — pull it first", p->spec.image);
    if (status != 200)
        return oc_docker_fail(err, status, reply);
    if (!oc_json_string(reply, "Id", "")[0])
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine described image \"%s\" without an Id", p->spec.image);
    p->image = oc_take_ptr(&reply);
    return 0;
}

static int plan_mount(struct plan *p, struct oc_body_mount mount, outcall_error *err)
{
    if (p->n_mounts == MOUNTS_MAX)
        return oc_fail_kind(err, OUTCALL_E_LIMIT, OUTCALL_KIND_MOUNT_INVALID, "more than %d mounts",
                            MOUNTS_MAX);
    p->mounts[p->n_mounts++] = mount;
    return 0;
}

/* A bind of exactly this object: fd is what was checked, source how the engine is told to find it. */
static int plan_bind(struct plan *p, int fd, const char *source, const char *target, bool read_only,
                     outcall_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return oc_fail_errno(err, "\"%s\"", source);
    struct oc_body_mount mount = {.type = OC_MOUNT_BIND,
                                  .source = source,
                                  .target = target,
                                  .read_only = read_only,
                                  .dev = st.st_dev,
                                  .ino = st.st_ino};
    return plan_mount(p, mount, err);
}

static bool is_target(const struct plan *p, const char *target)
{
    for (size_t i = 0; i < p->n_mounts; i++)
        if (strcmp(p->mounts[i].target, target) == 0)
            return true;
    return false;
}

/* An image's VOLUME would become an anonymous volume, which is a writable place without a ceiling. */
static int cover_image_volumes(struct plan *p, outcall_error *err)
{
    const char *target = NULL;
    const json_t *value = NULL;
    int r = 0;
    json_object_foreach((json_t *)oc_json_get(p->image, "Config.Volumes"), target, value)
    {
        outcall_mount mount = {.source = "volume", .target = target, .read_only = 0};
        if (r == 0 && strcmp(target, "/tmp") != 0 && !is_target(p, target)) {
            r = outcall_mounts_check_targets(&mount, 1, err);
            if (r == 0)
                r = plan_mount(p, (struct oc_body_mount){.type = OC_MOUNT_TMPFS, .target = target}, err);
        }
    }
    return r;
}

static int stage_bind(struct plan *p, int pin, const char *target, bool read_only, outcall_error *err)
{
    const char *staged = NULL;
    int r = outcall_stage_add(p->stage, pin, read_only, &staged, err);
    return r < 0 ? r : plan_bind(p, pin, staged, target, read_only, err);
}

/* The socket's directory, and the shim: staged too, so that a package that replaces it on the host changes
 * nothing for this container. Where the engine cannot see the stage, by its own path. */
static int plan_helpers(outcall_containers *m, struct plan *p, outcall_error *err)
{
    const char *dir = p->agent_dir;
    OC_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return oc_fail_errno(err, "agent socket directory \"%s\"", dir);
    int r = plan_bind(p, fd, dir, OC_AGENT_DIR_TARGET, true, err);
    if (r == 0 && p->stage)
        return stage_bind(p, p->shim_fd, OC_SHIM_TARGET, true, err);
    return r < 0 ? r : plan_bind(p, p->shim_fd, m->shim_path, OC_SHIM_TARGET, true, err);
}

static int plan_asked(outcall_containers *m, struct plan *p, size_t i, const outcall_error *no_stage,
                      outcall_error *err)
{
    const outcall_mount *mount = &p->spec.mounts[i];
    struct oc_body_mount volume = {.type = OC_MOUNT_VOLUME,
                                   .source = mount->source,
                                   .target = mount->target,
                                   .read_only = mount->read_only};
    if (!outcall_mount_is_volume(mount) && !p->stage)
        return oc_fail_kind(err, OUTCALL_E_UNSUPPORTED, OUTCALL_KIND_MOUNT_DENIED,
                            "bind mount denied: \"%s\" cannot be pinned here: %s", mount->source,
                            no_stage->text);
    if (!outcall_mount_is_volume(mount))
        return stage_bind(p, p->pins[i], mount->target, mount->read_only, err);
    int r = oc_volume_ready(m, mount->source, &p->new_volume[i], err);
    return r < 0 ? r : plan_mount(p, volume, err);
}

/* Step 7: named volumes, and the stage: what was checked is what will be mounted, whatever happens to its
 * name. */
static int stage_mounts(outcall_containers *m, struct plan *p, outcall_error *err)
{
    outcall_error no_stage = OUTCALL_ERROR_INIT;
    int r = 0;
    if (oc_can_stage(m, &no_stage))
        r = outcall_stage_new(&p->stage, m->stage_dir, p->name, err);
    if (r == 0)
        r = plan_helpers(m, p, err);
    for (size_t i = 0; i < p->spec.n_mounts && r == 0; i++)
        r = plan_asked(m, p, i, &no_stage, err);
    return r < 0 ? r : cover_image_volumes(p, err);
}

static int build_body(outcall_containers *m, struct plan *p, json_t **ret, outcall_error *err)
{
    struct oc_body b = {
        .spec = &p->spec,
        .name = p->name,
        .instance = m->instance,
        .image_id = oc_json_string(p->image, "Id", ""),
        .network_name = p->network_name,
        .network_id = outcall_network_info_id(p->network),
        .dns_address = m->dns_address ? m->dns_address : outcall_network_info_gateway(p->network),
        .proxy_address = m->proxy_address,
        .created_at = p->created_at,
        .mounts = p->mounts,
        .n_mounts = p->n_mounts,
    };
    return oc_body_build(&b, ret, err);
}

/* Step 8. */
static int create(outcall_containers *m, struct plan *p, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *body = NULL;
    OC_JSON json_t *reply = NULL;
    int r = build_body(m, p, &body, err);
    if (r == 0)
        r = oc_docker_path(&path, err, "/containers/create?name=%s", p->name);
    if (r < 0)
        return r;
    p->create_sent = true;
    r = oc_docker_ok(m->docker, "POST", path, body, 0, NULL, &reply, err);
    if (r == OUTCALL_E_REMOTE && err && strstr(err->text, "container name") &&
        strstr(err->text, "already in use"))
        err->kind = OUTCALL_KIND_CONFLICT; /* Podman answers 500 where Docker answers 409 */
    if (r < 0)
        return r;
    const char *id = oc_json_string(reply, "Id", "");
    if (strlen(id) != OUTCALL_CONTAINER_ID_LEN || oc_copy(p->id, sizeof(p->id), id, strlen(id)) < 0)
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine created \"%s\" without an Id", p->name);
    return 0;
}

/* Step 9. */
static int start(outcall_containers *m, struct plan *p, outcall_error *err)
{
    OC_FREE char *path = NULL;
    int r = oc_docker_path(&path, err, "/containers/%s/start", p->id);
    if (r == 0)
        r = oc_docker_ok(m->docker, "POST", path, NULL, 0, NULL, NULL, err);
    return r < 0 ? r : oc_inspect_id(m, p->id, &p->inspect, err);
}

/* Steps 10 and 11. */
static int attest_and_register(outcall_containers *m, struct plan *p, outcall_error *err)
{
    int r = oc_attest(m, p->name, p->agent_dir, p->inspect, &p->attested, err);
    if (r == 0)
        r = oc_info_from_inspect(p->inspect, p->attested, &p->info, err);
    if (r < 0)
        return r;
    if (oc_fault("create.attested"))
        return oc_fail(err, OUTCALL_E_INTERNAL, "fault: create.attested");
    if (oc_names_add(m->names, p->name) < 0)
        oc_log(m->log, OUTCALL_LOG_WARN, OC_TARGET_LOG, "the name \"%s\" could not be remembered", p->name);
    oc_identify(m, p->name, p->inspect);
    oc_view_put(&m->view, p->info);
    return 0;
}

/* The engine was asked to create and its answer is not known: whoever carries our name and our moment of
 * creation is what it made. */
static int find_created(outcall_containers *m, struct plan *p, outcall_error *err)
{
    OC_JSON json_t *j = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    int r = oc_inspect(m, p->name, &j, &e);
    if (r == OUTCALL_E_NOT_FOUND || r == OUTCALL_E_DENIED)
        return 0; /* nothing, or somebody else's: the name was taken */
    if (r < 0)
        return oc_fail(err, r, "%s", e.text);
    const char *at = json_string_value(json_object_get(oc_json_get(j, "Config.Labels"), OC_LABEL_CREATED));
    if (oc_streq(at, p->created_at) && oc_streq(oc_json_string(j, "State.Status", ""), "created"))
        (void)oc_format(p->id, sizeof(p->id), "%s", oc_json_string(j, "Id", ""));
    return 0;
}

static void undo_engine(outcall_containers *m, struct plan *p, outcall_error *err)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    bool removed = false;
    int r = 0;
    if (!p->id[0] && p->create_sent && err && err->code != OUTCALL_E_REMOTE)
        r = find_created(m, p, &e);
    if (r == 0 && p->id[0])
        r = oc_delete(m, p->id, true, &removed, &e);
    if (r < 0)
        oc_error_append(err, "and the clean-up failed: %s", e.text);
    for (size_t i = 0; i < p->spec.n_mounts; i++) {
        outcall_error_clear(&e);
        if (p->new_volume[i] && oc_volume_delete(m, p->spec.mounts[i].source, &e) < 0)
            oc_error_append(err, "and the clean-up failed: %s", e.text);
    }
}

/* Takes everything back; whatever cannot be is added to err. */
static void undo(outcall_containers *m, struct plan *p, outcall_error *err)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    undo_engine(m, p, err);
    if (p->stage && outcall_stage_remove(p->stage, &e) < 0)
        oc_error_append(err, "and the clean-up failed: %s", e.text);
    if (p->agent_open && m->hooks.close)
        m->hooks.close(m->hooks.userdata, p->name);
}

static void plan_done(struct plan *p)
{
    for (size_t i = 0; i < OC_SPEC_MOUNTS_MAX; i++)
        oc_close(p->pins[i]);
    oc_close(p->shim_fd);
    json_decref(p->image);
    json_decref(p->inspect);
    (void)outcall_container_info_free(p->info);
    (void)outcall_network_info_free(p->network);
    (void)outcall_stage_free(p->stage);
}

typedef int (*step_fn)(outcall_containers *m, struct plan *p, outcall_error *err);

static const struct {
    const char *fault; /* the place right after the step */
    step_fn run;
} steps[] = {
    {"create.helpers", open_helpers}, {"create.admitted", admit},           {"create.network", find_network},
    {"create.image", find_image},     {"create.staged", stage_mounts},      {"create.created", create},
    {"create.started", start},        {"create.done", attest_and_register},
};

static int run_steps(outcall_containers *m, struct plan *p, outcall_error *err)
{
    int r = 0;
    for (size_t i = 0; i < OC_ARRAY_SIZE(steps) && r == 0; i++) {
        r = steps[i].run(m, p, err);
        if (r == 0 && oc_fault(steps[i].fault))
            r = oc_fail(err, OUTCALL_E_INTERNAL, "fault: %s", steps[i].fault);
    }
    return r;
}

/* The name is one of ours already. Nothing of what belongs to it may be touched: the engine is asked without
 * stage and socket, for its own words of refusal (S008-EC-013). Should it create after all, because the
 * container has just gone, that one is removed unstarted. */
static int provoke_conflict(outcall_containers *m, struct plan *p, outcall_error *err)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    bool removed = false;
    int r = find_network(m, p, err);
    if (r == 0)
        r = find_image(m, p, err);
    if (r == 0)
        r = create(m, p, err);
    if (r < 0) {
        undo_engine(m, p, err);
        return r;
    }
    r = oc_delete(m, p->id, true, &removed, &e);
    return oc_fail_kind(err, OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT,
                        "container \"%s\" is just being removed%s%s", p->name, r < 0 ? "; " : "", e.text);
}

/* One try with one name, which is reserved for its whole length. */
static int create_named(outcall_containers *m, struct plan *p, outcall_error *err)
{
    char id[OUTCALL_CONTAINER_ID_LEN + 1]; /* of the container that has the name */
    int r = oc_reserve(m, p->name, id);
    if (r < 0)
        return oc_no_memory(err);
    bool attested = oc_is_attested(m, p->name);
    /* As long as not every container has been found again, the name may be that of one that lives. */
    bool unsure = !id[0] && !oc_is_complete(m);
    /* These ask the engine before there are helpers. The rules come before the engine all the same. */
    if (unsure || id[0])
        r = admit(m, p, err);
    if (r == 0 && unsure)
        r = oc_look(m, p->name, id, &attested, err);
    if (r == 0 && id[0]) {
        r = provoke_conflict(m, p, err);
    } else if (r == 0) {
        r = run_steps(m, p, err);
        if (r < 0)
            undo(m, p, err);
        attested = p->attested;
        (void)oc_format(id, sizeof(id), "%s", r == 0 ? p->id : "");
    }
    if (oc_release(m, p->name, id, attested))
        (void)oc_refresh(m, p->name);
    return r;
}

static int prepare(outcall_containers *m, const outcall_container_spec *spec, struct plan *p,
                   outcall_error *err)
{
    for (size_t i = 0; i < OC_SPEC_MOUNTS_MAX; i++)
        p->pins[i] = -1;
    p->shim_fd = -1;
    oc_rfc3339(time(NULL), p->created_at);
    int r = oc_spec_complete(spec, &p->spec, err);
    if (r == 0 && p->spec.name)
        r = oc_container_name(p->spec.name, p->name, err);
    if (r == 0 && oc_name_parse(OC_NETWORK_PREFIX, p->spec.network, p->network_name) < 0)
        r = oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                         "network: expected [a-z0-9][a-z0-9_.-]{0,62}, with or without \"" OC_NETWORK_PREFIX
                         "\" before it, got \"%s\"",
                         p->spec.network);
    if (r == 0)
        r = check_mounts(m, p, err);
    if (r == 0) /* the half of step 3 that leaves no trace */
        r = oc_shim_open(m->shim_path, &p->shim_fd, err);
    return r;
}

/* What needs the engine waits for its turn. A name is taken inside only, so that whoever has one gets on. */
static int create_in_turn(outcall_containers *m, struct plan *p, outcall_error *err)
{
    int r = oc_gate_enter(&m->creates, oc_deadline(TURN_MAX_MS));
    if (r < 0)
        return oc_fail_kind(err, r, OUTCALL_KIND_DOCKER_TIMEOUT,
                            "the creates before that of \"%s\" did not end within %u s", p->name,
                            TURN_MAX_MS / 1000);
    r = create_named(m, p, err);
    oc_gate_leave(&m->creates);
    return r;
}

static int draw_name(struct plan *p, outcall_error *err)
{
    char hex[9];
    int r = oc_random_hex(hex, sizeof(hex));
    if (r < 0)
        return oc_fail_code(err, r, "no randomness for a name");
    return oc_format(p->name, sizeof(p->name), OC_CONTAINER_PREFIX "%s", hex);
}

/* One try from the beginning, so that nothing of an earlier one is left in the plan. */
static int create_once(outcall_containers *m, const outcall_container_spec *spec,
                       outcall_container_info **ret, outcall_error *err)
{
    OC_CLEANUP(plan_done) struct plan p = {.n_mounts = 0};
    int r = prepare(m, spec, &p, err);
    if (r == 0 && !spec->name)
        r = draw_name(&p, err);
    if (r == 0 && oc_fault("create.checked"))
        r = oc_fail(err, OUTCALL_E_INTERNAL, "fault: create.checked");
    if (r == 0)
        r = create_in_turn(m, &p, err);
    if (r < 0)
        return r;
    oc_event(m, "created", p.name, p.id, p.spec.image);
    *ret = oc_take_ptr(&p.info);
    return 0;
}

int outcall_containers_create(outcall_containers *m, const outcall_container_spec *spec,
                              outcall_container_info **ret, outcall_error *err)
{
    outcall_error local = OUTCALL_ERROR_INIT;
    outcall_error *e = err ? err : &local; /* the steps decide by what is in it */
    if (!m || !spec || !ret)
        return oc_fail(err, OUTCALL_E_INVALID, "m, spec and ret are required");
    for (int draw = 1;; draw++) {
        int r = create_once(m, spec, ret, e);
        bool taken = r < 0 && e->kind == OUTCALL_KIND_CONFLICT && !spec->name;
        if (!taken || draw == NAME_DRAWS)
            return r;
        outcall_error_clear(e);
    }
}
