/* The kernel's table of mounts, and the closed list that is applied to it. */
#include "mounts/mountinfo.h"
#include "mounts/runtime.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oc_mountinfo m = OC_MOUNTINFO_INIT;
    if (oc_mountinfo_parse((const char *)data, size, &m) < 0)
        return 0;
    for (size_t i = 0; i < m.n && i < 64; i++) {
        if (m.v[i].point[0] != '/' || m.v[i].root[0] == '\0' || !oc_mountinfo_find(&m, m.v[i].id))
            abort();
        enum oc_runtime_answer a = oc_runtime_mounts(&m.v[i], &m, &m);
        if (a == OC_RUNTIME_YES && strcmp(m.v[i].point, "/dev") == 0)
            abort(); /* its own file system is the host's here */
    }
    oc_mountinfo_done(&m);
    return 0;
}
