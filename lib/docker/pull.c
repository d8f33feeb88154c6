#include "base/str.h"
#include "core/error.h"
#include "docker/engine.h"
#include "docker/image.h"
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define SILENCE_MS \
    300000U         /* registries are slow to answer; unpacking a large layer says something more often */
#define ID_SIZE 128 /* "sha256:" and 64 hex digits, with room to grow */

struct pull {
    struct oc_docker_lines *lines;
    outcall_progress_fn fn;
    void *userdata;
    outcall_error *err;
};

static uint64_t count(const json_t *value, const char *path)
{
    int64_t n = oc_json_i64(value, path, 0);
    return n > 0 ? (uint64_t)n : 0;
}

/* A failure after the 200 comes as one more line. */
static int on_value(void *userdata, const json_t *value)
{
    struct pull *p = userdata;
    const char *message = oc_json_string(value, "errorDetail.message", oc_json_string(value, "error", NULL));
    if (message)
        return oc_fail_kind(p->err, OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "%s",
                            message[0] ? message : "the Docker Engine could not pull the image");
    if (!p->fn)
        return 0;
    int r = p->fn(p->userdata, oc_json_string(value, "id", ""), oc_json_string(value, "status", ""),
                  count(value, "progressDetail.current"), count(value, "progressDetail.total"));
    return r == 0 ? 0 : oc_fail(p->err, OUTCALL_E_CLOSED, "the pull was given up");
}

static int on_data(void *userdata, const char *data, size_t len)
{
    struct pull *p = userdata;
    return oc_docker_lines_feed(p->lines, data, len, p->err);
}

/* The id behind a reference; "" when the engine has none. */
static int find_id(outcall_docker *d, const char *image, char ret[ID_SIZE], outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    ret[0] = '\0';
    int r = oc_docker_path(&path, err, "/images/%s/json", image);
    if (r == 0)
        r = oc_docker_call(d, "GET", path, NULL, 0, &status, &reply, err);
    if (r < 0 || status == 404)
        return r;
    if (status != 200)
        return oc_docker_fail(err, status, reply);
    const char *id = oc_json_string(reply, "Id", "");
    if (id[0] == '\0' || oc_copy(ret, ID_SIZE, id, strlen(id)) < 0)
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine names no id for image \"%s\"", image);
    return 0;
}

static int fetch(outcall_docker *d, const struct oc_image_ref *ref, struct pull *p)
{
    OC_FREE char *path = NULL;
    int r = oc_docker_path(&path, p->err, "/images/create?fromImage=%s&tag=%s", ref->name,
                           oc_image_ref_version(ref));
    if (r < 0)
        return r;
    const struct oc_docker_stream s = {.method = "POST",
                                       .path = path,
                                       .on_data = on_data,
                                       .userdata = p,
                                       .stop_fd = -1,
                                       .headers_ms = SILENCE_MS,
                                       .idle_ms = SILENCE_MS};
    r = oc_docker_follow(d, &s, p->err);
    return r == 0 ? oc_docker_lines_finish(p->lines, p->err) : r;
}

static int pull(outcall_docker *d, const struct oc_image_ref *ref, struct pull *p, int *ret_pulled)
{
    char image[OC_IMAGE_TEXT_SIZE], before[ID_SIZE] = "", after[ID_SIZE] = "";
    oc_image_ref_format(ref, image);
    int r = find_id(d, image, before, p->err);
    if (r == 0)
        r = fetch(d, ref, p);
    if (r == 0)
        r = find_id(d, image, after, p->err);
    if (r < 0)
        return r;
    if (after[0] == '\0')
        return oc_fail_kind(p->err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine reports no failure but has no image \"%s\"", image);
    if (ret_pulled)
        *ret_pulled = strcmp(before, after) != 0;
    return 0;
}

int outcall_image_pull(outcall_docker *d, const char *image, outcall_progress_fn fn, void *userdata,
                       int *ret_pulled, outcall_error *err)
{
    struct oc_image_ref ref;
    struct pull p = {.fn = fn, .userdata = userdata, .err = err};
    if (!d || !image)
        return oc_fail(err, OUTCALL_E_INVALID, "docker or image is NULL");
    int r = oc_image_ref_parse(image, &ref, err);
    if (r < 0)
        return r;
    if (oc_docker_lines_new(&p.lines, LINE_MAX_BYTES, on_value, &p) < 0)
        return oc_no_memory(err);
    r = pull(d, &ref, &p, ret_pulled);
    p.lines = oc_docker_lines_free(p.lines);
    return r;
}
