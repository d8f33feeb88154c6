/* Docker's multiplexed log in pieces whose size the first byte chooses: no byte appears that was not sent,
 * and what comes out of a stream does not depend on the pieces. */
#include "base/buf.h"
#include "docker/engine.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add(void *userdata, int stream, const char *data, size_t len)
{
    struct oc_buf *out = userdata;
    if ((stream != 1 && stream != 2) || len == 0 || oc_buf_add(&out[stream - 1], data, len) < 0)
        abort();
    return 0;
}

static int feed(const char *data, size_t size, size_t piece, int tty, struct oc_buf out[2])
{
    struct oc_docker_demux m = {.tty = tty};
    int r = 0;
    for (size_t at = 0; at < size && r == 0; at += piece)
        r = oc_docker_demux_feed(&m, data + at, OC_MIN(piece, size - at), add, out, NULL);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oc_buf pieces[2] = {{0}}, whole[2] = {{0}};
    if (size < 1)
        return 0;
    const char *bytes = (const char *)data + 1;
    int tty = data[0] >= 128;
    size_t piece = data[0] & 127U ? data[0] & 127U : size;
    if (feed(bytes, size - 1, piece, tty, pieces) != feed(bytes, size - 1, size, tty, whole))
        abort();
    for (int i = 0; i < 2; i++) {
        if (pieces[i].len != whole[i].len || whole[i].len > size ||
            (whole[i].len > 0 && memcmp(pieces[i].data, whole[i].data, whole[i].len) != 0))
            abort();
        oc_buf_done(&pieces[i]);
        oc_buf_done(&whole[i]);
    }
    return 0;
}
