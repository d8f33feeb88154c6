#include "base/name.h"
#include "base/str.h"
#include "core/error.h"
#include "host_api/api.h"

struct network_request {
    const char *name, *subnet, *gateway;
};

static const struct oc_json_field create_fields[] = {
    {"name", OC_JSON_STRING, offsetof(struct network_request, name), true, 1, 128},
    {"subnet", OC_JSON_STRING, offsetof(struct network_request, subnet), false, 1, 32},
    {"gateway", OC_JSON_STRING, offsetof(struct network_request, gateway), false, 1, 32},
};

static int create(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_network_info_freep) outcall_network_info *info = NULL;
    OC_JSON json_t *json = NULL;
    struct network_request n = {NULL, NULL, NULL};
    int created = 0;
    int r = oc_request_decode(q, create_fields, OC_ARRAY_SIZE(create_fields), &n, &json, err);
    if (r == 0)
        r = outcall_networks_create(h->networks, n.name, n.subnet, n.gateway, &created, &info, err);
    if (r == 0)
        *ret = json_pack("{s:s, s:s, s:s, s:b}", "network_id", outcall_network_info_id(info), "name",
                         outcall_network_info_name(info), "subnet", outcall_network_info_subnet(info),
                         "created", created);
    return r;
}

static int destroy(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_JSON json_t *json = NULL;
    struct network_request n = {NULL, NULL, NULL};
    char full[OC_NAME_SIZE] = "";
    int destroyed = 0;
    int r = oc_request_decode(q, create_fields, 1, &n, &json, err);
    if (r == 0)
        r = outcall_networks_destroy(h->networks, n.name, &destroyed, err);
    if (r == 0)
        r = oc_name_parse(OC_NETWORK_PREFIX, n.name, full);
    if (r == 0)
        *ret = json_pack("{s:s, s:b}", "name", full, "destroyed", destroyed);
    return r;
}

static json_t *network_json(const outcall_network_info *i)
{
    OC_JSON json_t *containers = json_array();
    const char *name = NULL, *address = NULL;
    for (size_t k = 0; containers && outcall_network_info_container(i, k, &name, &address) == 0; k++)
        if (oc_json_add(containers, json_pack("{s:s, s:s}", "name", name, "ipv4_address", address)))
            return NULL;
    return json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:O}", "exists", 1, "network_id",
                     outcall_network_info_id(i), "name", outcall_network_info_name(i), "subnet",
                     outcall_network_info_subnet(i), "gateway", outcall_network_info_gateway(i), "bridge",
                     outcall_network_info_bridge(i), "containers", containers);
}

static int list(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    outcall_network_info **v = NULL;
    size_t n = 0;
    (void)q;
    int r = outcall_networks_list(h->networks, &v, &n, err);
    if (r < 0)
        return r;
    OC_JSON json_t *a = json_array();
    bool bad = !a;
    for (size_t i = 0; i < n && !bad; i++)
        bad = oc_json_add(a, network_json(v[i]));
    outcall_network_info_free_many(v, n);
    if (bad)
        return oc_no_memory(err);
    *ret = oc_take_ptr(&a);
    return 0;
}

/* Absence is an answer here, not an error: the question was whether it exists. */
static int status(outcall_host_api *h, struct oc_request *q, json_t **ret, outcall_error *err)
{
    OC_CLEANUP(outcall_network_info_freep) outcall_network_info *info = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    char full[OC_NAME_SIZE] = "";
    const char *name = NULL;
    int r = oc_query_required(q, "name", &name, err);
    if (r < 0)
        return r;
    r = outcall_networks_get(h->networks, name, &info, &e);
    if (r == OUTCALL_E_NOT_FOUND && oc_name_parse(OC_NETWORK_PREFIX, name, full) == 0) {
        *ret = json_pack("{s:b, s:s}", "exists", 0, "name", full);
        return 0;
    }
    if (r < 0) {
        *err = e;
        return r;
    }
    *ret = network_json(info);
    return 0;
}

const struct oc_route oc_network_routes[] = {
    {"POST", "/api/v1/network/create", create, {NULL}, true},
    {"POST", "/api/v1/network/destroy", destroy, {NULL}, true},
    {"GET", "/api/v1/networks", list, {NULL}, false},
    {"GET", "/api/v1/network", status, {"name"}, false},
    {NULL, NULL, NULL, {NULL}, false},
};
