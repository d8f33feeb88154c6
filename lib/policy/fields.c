#include "policy/fields.h"
#include "core/error.h"
#include <string.h>

#define FIELD(part, member, type)           \
    {                                       \
        part "." member, part, member, type \
    }

const struct oc_field oc_fields[OC_FIELDS_N] = {
    FIELD("network", "hostname", OC_FIELD_STRING),   FIELD("network", "ip", OC_FIELD_STRING),
    FIELD("network", "port", OC_FIELD_INT),          FIELD("network", "protocol", OC_FIELD_STRING),
    FIELD("http", "method", OC_FIELD_STRING),        FIELD("http", "path", OC_FIELD_STRING),
    FIELD("http", "host", OC_FIELD_STRING),          FIELD("http", "headers", OC_FIELD_STRING_MAP),
    FIELD("http", "body_size", OC_FIELD_INT),        FIELD("dns", "query", OC_FIELD_STRING),
    FIELD("dns", "record_type", OC_FIELD_STRING),    FIELD("docker", "image", OC_FIELD_STRING),
    FIELD("docker", "command", OC_FIELD_STRINGS),    FIELD("docker", "volumes", OC_FIELD_STRINGS),
    FIELD("docker", "env_keys", OC_FIELD_STRINGS),   FIELD("docker", "capabilities", OC_FIELD_STRINGS),
    FIELD("run", "tool", OC_FIELD_STRING),           FIELD("run", "args", OC_FIELD_STRINGS),
    FIELD("run", "flags", OC_FIELD_STRINGS),         FIELD("run", "cwd", OC_FIELD_STRING),
    FIELD("run", "context", OC_FIELD_ANY_MAP),       FIELD("agent", "name", OC_FIELD_STRING),
    FIELD("agent", "container_id", OC_FIELD_STRING), FIELD("agent", "image", OC_FIELD_STRING),
    FIELD("agent", "labels", OC_FIELD_STRING_MAP),
};

int oc_field_find(const char *name, size_t len)
{
    for (int i = 0; i < OC_FIELDS_N; i++)
        if (strlen(oc_fields[i].name) == len && memcmp(oc_fields[i].name, name, len) == 0)
            return i;
    return OC_FIELD_NOWHERE;
}

int oc_fields_env(outcall_cel_env **ret, outcall_error *err)
{
    static const char *const types[] = {[OC_FIELD_STRING] = "string",
                                        [OC_FIELD_INT] = "int",
                                        [OC_FIELD_STRINGS] = "list(string)",
                                        [OC_FIELD_STRING_MAP] = "map(string, string)",
                                        [OC_FIELD_ANY_MAP] = "map(string, dyn)"};
    outcall_cel_env *env = NULL;
    int r = outcall_cel_env_new(&env);
    if (r < 0)
        return oc_fail_code(err, r, "environment of the rules");
    for (int i = 0; i < OC_FIELDS_N && r == 0; i++)
        r = outcall_cel_env_declare(env, oc_fields[i].name, types[oc_fields[i].type], err);
    if (r < 0) {
        (void)outcall_cel_env_unref(env);
        return r;
    }
    *ret = env;
    return 0;
}
