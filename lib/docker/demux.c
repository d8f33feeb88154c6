#include "core/error.h"
#include "docker/engine.h"
#include <string.h>

/* Docker Engine API, ContainerAttach "Stream format": 0 stdin (written to stdout), 1 stdout, 2 stderr; 3 is
 * the engine's own complaint about the stream (stdcopy.Systemerr). */
static int map_stream(unsigned char type)
{
    static const int streams[] = {1, 1, 2, 2};
    return type < OC_ARRAY_SIZE(streams) ? streams[type] : 0;
}

static int take_header(struct oc_docker_demux *m, outcall_error *err)
{
    const unsigned char *h = m->header;
    m->stream = map_stream(h[0]);
    if (m->stream == 0 || h[1] != 0 || h[2] != 0 || h[3] != 0)
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine's log stream is malformed");
    m->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    m->have = 0;
    return 0;
}

int oc_docker_demux_feed(struct oc_docker_demux *m, const char *data, size_t len,
                         int (*fn)(void *userdata, int stream, const char *data, size_t len), void *userdata,
                         outcall_error *err)
{
    if (m->tty)
        return len > 0 ? fn(userdata, 1, data, len) : 0;
    while (len > 0) {
        size_t n = m->left > 0 ? OC_MIN(len, m->left) : OC_MIN(len, sizeof(m->header) - m->have);
        int r = 0;
        if (m->left > 0) {
            m->left -= (uint32_t)n;
            r = fn(userdata, m->stream, data, n);
        } else {
            memcpy(m->header + m->have, data, n);
            m->have += n;
            if (m->have == sizeof(m->header))
                r = take_header(m, err);
        }
        if (r != 0)
            return r;
        data += n;
        len -= n;
    }
    return 0;
}
