#include "network/info.h"
#include "base/name.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

struct outcall_network_info {
    char *id, *name, *subnet, *gateway, *bridge;
    struct oc_strings names, addresses; /* of the attached containers, in the same order */
};

bool oc_network_is_managed(const json_t *network)
{
    char full[OC_NAME_SIZE];
    const char *name = oc_json_string(network, "Name", "");
    const char *label = json_string_value(json_object_get(json_object_get(network, "Labels"), "managed-by"));
    return oc_starts_with(name, OC_NETWORK_PREFIX) && oc_name_parse(OC_NETWORK_PREFIX, name, full) == 0 &&
           oc_streq(oc_json_string(network, "Driver", ""), "bridge") && oc_streq(label, "outcalld") &&
           oc_json_bool(network, "Internal", false);
}

static int add_containers(outcall_network_info *i, const json_t *containers)
{
    const char *id = NULL;
    const json_t *c = NULL;
    int r = 0;
    json_object_foreach((json_t *)containers, id, c)
    {
        const char *name = oc_json_string(c, "Name", id), *address = oc_json_string(c, "IPv4Address", "");
        if (r == 0)
            r = oc_strings_add(&i->names, name, strlen(name));
        if (r == 0)
            r = oc_strings_add(&i->addresses, address, strcspn(address, "/"));
    }
    return r;
}

int oc_network_info_new(const json_t *network, outcall_network_info **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_network_info_freep) outcall_network_info *i = calloc(1, sizeof(*i));
    const json_t *pool = json_array_get(oc_json_get(network, "IPAM.Config"), 0);
    const char *bridge =
        json_string_value(json_object_get(json_object_get(network, "Options"), OC_BRIDGE_OPTION));
    if (!i || oc_dup(&i->id, oc_json_string(network, "Id", "")) < 0 ||
        oc_dup(&i->name, oc_json_string(network, "Name", "")) < 0 ||
        oc_dup(&i->subnet, oc_json_string(pool, "Subnet", "")) < 0 ||
        oc_dup(&i->gateway, oc_json_string(pool, "Gateway", "")) < 0 ||
        oc_dup(&i->bridge, bridge ? bridge : "") < 0 ||
        add_containers(i, json_object_get(network, "Containers")) < 0)
        return oc_no_memory(err);
    i->gateway[strcspn(i->gateway, "/")] = '\0'; /* some engines write the prefix length behind it */
    *ret = oc_take_ptr(&i);
    return 0;
}

outcall_network_info *outcall_network_info_free(outcall_network_info *i)
{
    if (!i)
        return NULL;
    free(i->id);
    free(i->name);
    free(i->subnet);
    free(i->gateway);
    free(i->bridge);
    oc_strings_done(&i->names);
    oc_strings_done(&i->addresses);
    free(i);
    return NULL;
}

void outcall_network_info_free_many(outcall_network_info **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)outcall_network_info_free(v[i]);
    free(v);
}

const char *outcall_network_info_id(const outcall_network_info *i)
{
    return i->id;
}

const char *outcall_network_info_name(const outcall_network_info *i)
{
    return i->name;
}

const char *outcall_network_info_subnet(const outcall_network_info *i)
{
    return i->subnet;
}

const char *outcall_network_info_gateway(const outcall_network_info *i)
{
    return i->gateway;
}

const char *outcall_network_info_bridge(const outcall_network_info *i)
{
    return i->bridge;
}

int outcall_network_info_container(const outcall_network_info *i, size_t n, const char **ret_name,
                                   const char **ret_address)
{
    if (n >= i->names.n)
        return OUTCALL_E_NOT_FOUND;
    *ret_name = i->names.v[n];
    *ret_address = i->addresses.v[n];
    return 0;
}
