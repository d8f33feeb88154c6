#include "policy/labels.h"
#include "base/base.h"
#include <string.h>

int oc_context_labels(outcall_context *c, const char *const *labels, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        size_t len = strcspn(labels[i], "=");
        OC_FREE char *key = strndup(labels[i], len);
        const char *value = labels[i] + len + (labels[i][len] == '=');
        r = key ? outcall_context_pair(c, "agent.labels", key, value) : OUTCALL_E_NO_MEMORY;
    }
    return r;
}
