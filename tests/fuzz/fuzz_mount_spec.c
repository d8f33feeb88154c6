/* Mount texts of callers: whatever comes in, what comes out is a source and a target that say what they are.
 */
#include "outcall/mounts.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buf[OUTCALL_MOUNT_SPEC_MAX + 1];
    outcall_mount m = {NULL, NULL, 7};
    outcall_error err = OUTCALL_ERROR_INIT;
    if (outcall_mount_parse((const char *)data, size, &m, buf, sizeof(buf), &err) < 0) {
        if (m.source || m.target || m.read_only != 7 || err.code == 0 ||
            err.kind != OUTCALL_KIND_MOUNT_INVALID)
            abort();
        return 0;
    }
    if (m.source[0] == '\0' || m.target[0] != '/' || strchr(m.source, ':') || strchr(m.target, ':') ||
        (m.read_only != 0 && m.read_only != 1) || outcall_mount_is_volume(&m) != (m.source[0] != '/'))
        abort();
    if (outcall_mounts_check_targets(&m, 1, NULL) == 0 &&
        (strstr(m.target, "//") || strstr(m.target, "/../")))
        abort();
    return 0;
}
