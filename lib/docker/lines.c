#include "base/buf.h"
#include "core/error.h"
#include "docker/engine.h"
#include <string.h>

struct oc_docker_lines {
    struct oc_buf line; /* the part of a line that has come so far */
    int (*on_value)(void *userdata, const json_t *value);
    void *userdata;
};

int oc_docker_lines_new(struct oc_docker_lines **ret, size_t max,
                        int (*on_value)(void *userdata, const json_t *value), void *userdata)
{
    struct oc_docker_lines *l = calloc(1, sizeof(*l));
    if (!l)
        return OUTCALL_E_NO_MEMORY;
    l->line.max = max;
    l->on_value = on_value;
    l->userdata = userdata;
    *ret = l;
    return 0;
}

struct oc_docker_lines *oc_docker_lines_free(struct oc_docker_lines *l)
{
    if (l)
        oc_buf_done(&l->line);
    free(l);
    return NULL;
}

static int deliver(const struct oc_docker_lines *l, const char *line, size_t len, outcall_error *err)
{
    OC_JSON json_t *value = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return 0;
    int r = oc_json_load(line, len, &value, &why);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (r < 0)
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine sent a malformed line: %s", why.text);
    return l->on_value(l->userdata, value);
}

static int keep(struct oc_docker_lines *l, const char *data, size_t len, outcall_error *err)
{
    int r = oc_buf_add(&l->line, data, len);
    if (r == OUTCALL_E_LIMIT)
        return oc_fail_kind(err, r, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine sent a line of more than %zu bytes", l->line.max);
    return r < 0 ? oc_no_memory(err) : 0;
}

int oc_docker_lines_feed(struct oc_docker_lines *l, const char *data, size_t len, outcall_error *err)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        int r = keep(l, data, n, err);
        if (r < 0 || !end)
            return r;
        r = deliver(l, l->line.data, l->line.len, err);
        oc_buf_clear(&l->line);
        if (r != 0)
            return r;
        data += n + 1;
        len -= n + 1;
    }
    return 0;
}

int oc_docker_lines_finish(struct oc_docker_lines *l, outcall_error *err)
{
    int r = l->line.len > 0 ? deliver(l, l->line.data, l->line.len, err) : 0;
    oc_buf_clear(&l->line);
    return r;
}
