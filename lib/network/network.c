#include "outcall/network.h"
#include "base/buf.h"
#include "base/name.h"
#include "base/str.h"
#include "core/error.h"
#include "docker/engine.h"
#include "network/info.h"
#include "network/subnet.h"
#include <pthread.h>
#include <string.h>

#define DEFAULT_BLOCK   "10.200.0.0/16"
#define DEFAULT_BRIDGE  "outcall0"
#define BLOCK_BITS_MIN  8
#define BLOCK_BITS_MAX  24
#define SUBNET_BITS_MIN 8
#define SUBNET_BITS_MAX 30

struct outcall_networks {
    outcall_docker *docker;
    struct oc_cidr block;
    pthread_mutex_t
        lock; /* one change at a time: Docker takes two networks of one name, and addresses are picked */
};

int outcall_networks_new(outcall_networks **ret, outcall_docker *docker, const char *subnet_block,
                         outcall_error *err)
{
    const char *block = subnet_block ? subnet_block : DEFAULT_BLOCK;
    struct oc_cidr c;
    if (!ret || !docker)
        return oc_fail(err, OUTCALL_E_INVALID, "ret and docker are required");
    if (oc_cidr_parse(block, strlen(block), &c) < 0 || c.bits < BLOCK_BITS_MIN || c.bits > BLOCK_BITS_MAX)
        return oc_fail(err, OUTCALL_E_INVALID,
                       "subnet block: expected an IPv4 network of /%d to /%d, got \"%s\"", BLOCK_BITS_MIN,
                       BLOCK_BITS_MAX, block);
    outcall_networks *m = calloc(1, sizeof(*m));
    if (!m)
        return oc_no_memory(err);
    m->docker = docker;
    m->block = c;
    (void)pthread_mutex_init(&m->lock, NULL);
    *ret = m;
    return 0;
}

outcall_networks *outcall_networks_free(outcall_networks *m)
{
    if (m)
        (void)pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}

static int full_name(const char *text, char name[OC_NAME_SIZE], outcall_error *err)
{
    if (text && oc_name_parse(OC_NETWORK_PREFIX, text, name) == 0)
        return 0;
    return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                        "name: expected [a-z0-9][a-z0-9_.-]{0,62}, with or without \"" OC_NETWORK_PREFIX
                        "\" before it, got \"%s\"",
                        text ? text : "");
}

/* Exactly this name; Docker also answers to an id or its beginning, and has been seen with two of one name.
 * *ret NULL when there is none. */
static int inspect(outcall_networks *m, const char *name, json_t **ret, outcall_error *err)
{
    OC_FREE char *path = NULL;
    OC_JSON json_t *reply = NULL;
    int status = 0;
    *ret = NULL;
    int r = oc_docker_path(&path, err, "/networks/%s", name);
    if (r == 0)
        r = oc_docker_call(m->docker, "GET", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    if (status == 404 || (status == 200 && !oc_streq(oc_json_string(reply, "Name", ""), name)))
        return 0;
    if (status != 200)
        return oc_docker_fail(err, status, reply);
    *ret = oc_take_ptr(&reply);
    return 0;
}

static int not_managed(const char *name, outcall_error *err)
{
    return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_NOT_MANAGED,
                        "network \"%s\" is not managed by outcall", name);
}

int outcall_networks_get(outcall_networks *m, const char *text, outcall_network_info **ret,
                         outcall_error *err)
{
    OC_JSON json_t *network = NULL;
    char name[OC_NAME_SIZE];
    int r = full_name(text, name, err);
    if (r == 0)
        r = inspect(m, name, &network, err);
    if (r < 0)
        return r;
    if (!network)
        return oc_fail_kind(err, OUTCALL_E_NOT_FOUND, OUTCALL_KIND_NETWORK_NOT_FOUND,
                            "network \"%s\" does not exist", name);
    return oc_network_is_managed(network) ? oc_network_info_new(network, ret, err) : not_managed(name, err);
}

static int list_all(outcall_networks *m, json_t **ret, outcall_error *err)
{
    int r = oc_docker_ok(m->docker, "GET", "/networks", NULL, 0, NULL, ret, err);
    if (r == 0 && !json_is_array(*ret))
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine's list of networks is no list");
    return r;
}

static int by_name(const void *a, const void *b)
{
    const outcall_network_info *const *x = a, *const *y = b;
    return strcmp(outcall_network_info_name(*x), outcall_network_info_name(*y));
}

/* The list lacks the attached containers, so each one is looked at. */
int outcall_networks_list(outcall_networks *m, outcall_network_info ***ret, size_t *ret_n, outcall_error *err)
{
    OC_JSON json_t *all = NULL;
    int r = list_all(m, &all, err);
    if (r < 0)
        return r;
    size_t n = 0;
    outcall_network_info **v = oc_new_array(json_array_size(all), sizeof(outcall_network_info *));
    if (!v)
        return oc_no_memory(err);
    for (size_t i = 0; i < json_array_size(all) && r == 0; i++) {
        const json_t *network = json_array_get(all, i);
        outcall_error e = OUTCALL_ERROR_INIT;
        if (!oc_network_is_managed(network))
            continue;
        r = outcall_networks_get(m, oc_json_string(network, "Name", ""), &v[n], &e);
        if (r == 0)
            n++;
        else if (r == OUTCALL_E_NOT_FOUND)
            r = 0; /* gone since the list was made */
        else if (err && err->code == 0)
            *err = e;
    }
    if (r < 0) {
        outcall_network_info_free_many(v, n);
        return r;
    }
    qsort(v, n, sizeof(outcall_network_info *), by_name);
    *ret = v;
    *ret_n = n;
    return 0;
}

/* FNV-1a: short, stable, and all it has to do is to fill eight digits. */
static void bridge_name(const char *name, char bridge[16])
{
    uint32_t hash = 2166136261U;
    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619U;
    if (strcmp(name, OC_DEFAULT_NETWORK) == 0)
        (void)oc_format(bridge, 16, "%s", DEFAULT_BRIDGE);
    else
        (void)oc_format(bridge, 16, "oc-%08x", hash);
}

struct addresses {
    struct oc_cidr subnet;
    uint32_t gateway;
    char subnet_text[OC_CIDR_SIZE], gateway_text[OC_IPV4_SIZE];
};

static int parse_gateway(const char *gateway, struct addresses *a, outcall_error *err)
{
    uint32_t last = a->subnet.addr | ~oc_cidr_mask(a->subnet.bits);
    a->gateway = a->subnet.addr + 1;
    if (gateway &&
        (oc_ipv4_parse(gateway, strlen(gateway), &a->gateway) < 0 ||
         !oc_cidr_contains(a->subnet, a->gateway) || a->gateway == a->subnet.addr || a->gateway == last))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                            "gateway: expected an address of a host in %s, got \"%s\"", a->subnet_text,
                            gateway);
    oc_ipv4_format(a->gateway, a->gateway_text);
    return 0;
}

static int parse_subnet(const char *subnet, struct addresses *a, outcall_error *err)
{
    if (oc_cidr_parse(subnet, strlen(subnet), &a->subnet) < 0 || a->subnet.bits < SUBNET_BITS_MIN ||
        a->subnet.bits > SUBNET_BITS_MAX)
        return oc_fail_kind(
            err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
            "subnet: expected an IPv4 network of /%d to /%d such as 10.200.7.0/24, got \"%s\"",
            SUBNET_BITS_MIN, SUBNET_BITS_MAX, subnet);
    oc_cidr_format(a->subnet, a->subnet_text);
    return 0;
}

static int pick_subnet(outcall_networks *m, const char *name, const struct oc_taken_list *taken,
                       struct addresses *a, outcall_error *err)
{
    bool is_default = strcmp(name, OC_DEFAULT_NETWORK) == 0;
    int r =
        oc_subnet_pick(taken, m->block, is_default || m->block.bits == BLOCK_BITS_MAX ? 0 : 1, &a->subnet);
    if (r < 0) {
        char block[OC_CIDR_SIZE];
        oc_cidr_format(m->block, block);
        return oc_fail_kind(err, OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT, "no free /24 is left in %s", block);
    }
    oc_cidr_format(a->subnet, a->subnet_text);
    return 0;
}

/* The subnet that was asked for, or the next free one; nobody else may be in it. */
static int choose(outcall_networks *m, const char *name, const char *subnet, const char *gateway,
                  struct addresses *a, outcall_error *err)
{
    OC_CLEANUP(oc_taken_done) struct oc_taken_list taken = {NULL, 0, 0};
    OC_JSON json_t *all = NULL;
    int r = subnet ? parse_subnet(subnet, a, err) : 0;
    if (r == 0 && subnet)
        r = parse_gateway(gateway, a, err);
    if (r == 0)
        r = list_all(m, &all, err);
    if (r == 0 && oc_taken_by_docker(&taken, all) < 0)
        r = oc_no_memory(err);
    if (r == 0)
        r = oc_taken_by_host(&taken, err);
    if (r < 0)
        return r;
    if (!subnet) {
        r = pick_subnet(m, name, &taken, a, err);
        return r < 0 ? r : parse_gateway(gateway, a, err);
    }
    const struct oc_taken *who = oc_taken_find(&taken, a->subnet);
    return who ? oc_fail_kind(err, OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT, "subnet %s overlaps %s",
                              a->subnet_text, who->by)
               : 0;
}

static json_t *create_body(const char *name, const struct addresses *a)
{
    char bridge[16];
    bridge_name(name, bridge);
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:{s:s, s:[{s:s, s:s}]}, s:{s:s, s:s}, s:{s:s}}",
                     "Name", name, "Driver", "bridge", "CheckDuplicate", 1, "Internal", 1, "EnableIPv6", 0,
                     "Attachable", 0, "Ingress", 0, "IPAM", "Driver", "default", "Config", "Subnet",
                     a->subnet_text, "Gateway", a->gateway_text, "Options", OC_BRIDGE_OPTION, bridge,
                     OC_ICC_OPTION, "false", "Labels", "managed-by", "outcalld");
}

static int create_new(outcall_networks *m, const char *name, const char *subnet, const char *gateway,
                      outcall_error *err)
{
    struct addresses a = {.gateway = 0};
    int r = choose(m, name, subnet, gateway, &a, err);
    if (r < 0)
        return r;
    OC_JSON json_t *body = create_body(name, &a);
    return body ? oc_docker_ok(m->docker, "POST", "/networks/create", body, 0, NULL, NULL, err)
                : oc_no_memory(err);
}

/* It is there already: is it ours, and what was asked for? */
static int check_existing(const char *name, const json_t *network, const char *subnet, const char *gateway,
                          outcall_error *err)
{
    if (!oc_network_is_managed(network))
        return oc_fail_kind(err, OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT,
                            "network \"%s\" exists and is not managed by outcall", name);
    const json_t *pool = json_array_get(oc_json_get(network, "IPAM.Config"), 0);
    const char *has_subnet = oc_json_string(pool, "Subnet", ""),
               *has_gateway = oc_json_string(pool, "Gateway", "");
    size_t gateway_n = strcspn(has_gateway, "/"); /* some engines write the prefix length behind it */
    if ((subnet && strcmp(subnet, has_subnet) != 0) ||
        (gateway && (strlen(gateway) != gateway_n || strncmp(gateway, has_gateway, gateway_n) != 0)))
        return oc_fail_kind(err, OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT,
                            "network \"%s\" exists with subnet %s and gateway %s", name, has_subnet,
                            has_gateway);
    return 0;
}

static int create_locked(outcall_networks *m, const char *name, const char *subnet, const char *gateway,
                         int *created, json_t **ret, outcall_error *err)
{
    int r = inspect(m, name, ret, err);
    if (r < 0)
        return r;
    *created = *ret == NULL;
    if (*ret)
        return check_existing(name, *ret, subnet, gateway, err);
    r = create_new(m, name, subnet, gateway, err);
    if (r == 0)
        r = inspect(m, name, ret, err);
    if (r == 0 && (!*ret || !oc_network_is_managed(*ret)))
        return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                            "the engine created network \"%s\" and does not know it", name);
    return r;
}

int outcall_networks_create(outcall_networks *m, const char *text, const char *subnet, const char *gateway,
                            int *ret_created, outcall_network_info **ret, outcall_error *err)
{
    OC_JSON json_t *network = NULL;
    struct addresses a = {.gateway = 0};
    char name[OC_NAME_SIZE];
    int created = 0;
    int r = full_name(text, name, err);
    if (r == 0 && subnet) /* what is malformed is refused whether the network exists or not */
        r = parse_subnet(subnet, &a, err);
    if (r == 0 && subnet)
        r = parse_gateway(gateway, &a, err);
    else if (r == 0 && gateway && oc_ipv4_parse(gateway, strlen(gateway), &a.gateway) < 0)
        r = oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST,
                         "gateway: expected an IPv4 address, got \"%s\"", gateway);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&m->lock);
    r = create_locked(m, name, subnet, gateway, &created, &network, err);
    (void)pthread_mutex_unlock(&m->lock);
    if (r == 0)
        r = oc_network_info_new(network, ret, err);
    if (r == 0 && ret_created)
        *ret_created = created;
    return r;
}

static int in_use(const char *name, const json_t *network, outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf who = OC_BUF_INIT;
    const char *id = NULL;
    const json_t *c = NULL;
    int r = 0;
    json_object_foreach((json_t *)json_object_get(network, "Containers"), id, c)
    {
        if (r == 0)
            r = oc_buf_printf(&who, "%s%s", who.len ? ", " : "", oc_json_string(c, "Name", id));
    }
    if (r < 0)
        return oc_no_memory(err);
    return who.len == 0 ? 0
                        : oc_fail_kind(err, OUTCALL_E_BUSY, OUTCALL_KIND_NETWORK_IN_USE,
                                       "network \"%s\" is in use by %s", name, who.data);
}

static int destroy_locked(outcall_networks *m, const char *name, int *destroyed, outcall_error *err)
{
    OC_JSON json_t *network = NULL;
    OC_JSON json_t *reply = NULL;
    OC_FREE char *path = NULL;
    int status = 0;
    int r = inspect(m, name, &network, err);
    if (r < 0 || !network)
        return r;
    if (!oc_network_is_managed(network))
        return not_managed(name, err);
    r = in_use(name, network, err);
    if (r == 0)
        r = oc_docker_path(&path, err, "/networks/%s", oc_json_string(network, "Id", ""));
    if (r == 0)
        r = oc_docker_call(m->docker, "DELETE", path, NULL, 0, &status, &reply, err);
    if (r < 0)
        return r;
    if (status == 403 && strstr(oc_json_string(reply, "message", ""), "active endpoints"))
        return oc_fail_kind(err, OUTCALL_E_BUSY, OUTCALL_KIND_NETWORK_IN_USE,
                            "network \"%s\" has just come into use", name);
    *destroyed = status != 404;
    return status == 404 || (status >= 200 && status < 300) ? 0 : oc_docker_fail(err, status, reply);
}

int outcall_networks_destroy(outcall_networks *m, const char *text, int *ret_destroyed, outcall_error *err)
{
    char name[OC_NAME_SIZE];
    int destroyed = 0;
    int r = full_name(text, name, err);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&m->lock);
    r = destroy_locked(m, name, &destroyed, err);
    (void)pthread_mutex_unlock(&m->lock);
    if (r == 0 && ret_destroyed)
        *ret_destroyed = destroyed;
    return r;
}
