/* The engine's JSON lines in pieces whose sizes the input chooses: the first byte is the piece, 0 = all at
 * once. What comes out must not depend on the pieces. */
#include "base/buf.h"
#include "docker/engine.h"
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add_value(void *userdata, const json_t *value)
{
    char *text = oc_json_dump(value, NULL);
    if (!text || oc_buf_printf(userdata, "%s\n", text) < 0)
        abort();
    free(text);
    return 0;
}

static int feed(const char *data, size_t size, size_t piece, struct oc_buf *out)
{
    struct oc_docker_lines *l = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_docker_lines_new(&l, LINE_MAX_BYTES, add_value, out);
    for (size_t at = 0; at < size && r == 0; at += piece)
        r = oc_docker_lines_feed(l, data + at, OC_MIN(piece, size - at), &err);
    if (r == 0)
        r = oc_docker_lines_finish(l, &err);
    if (r != err.code)
        abort();
    (void)oc_docker_lines_free(l);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oc_buf pieces = {0}, whole = {0};
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t piece = data[0] ? data[0] : size;
    if (feed(text, size - 1, piece, &pieces) != feed(text, size - 1, size, &whole) ||
        pieces.len != whole.len || (whole.len > 0 && memcmp(pieces.data, whole.data, whole.len) != 0))
        abort();
    oc_buf_done(&pieces);
    oc_buf_done(&whole);
    return 0;
}
