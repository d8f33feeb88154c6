/* containers/body.h - the body of POST /containers/create, built from scratch: nothing of a caller's JSON is
 * in it. Source of every member: Docker Engine API, ContainerCreate. */
#ifndef CONTAINERS_BODY_H
#define CONTAINERS_BODY_H
#include "containers/spec.h"
#include "json/json.h"

enum oc_mount_type { OC_MOUNT_BIND, OC_MOUNT_VOLUME, OC_MOUNT_TMPFS };

struct oc_body_mount {
    enum oc_mount_type type;
    const char *source; /* absolute path, volume name, NULL for tmpfs */
    const char *target;
    bool read_only;
    dev_t dev; /* of a bind: what was approved; goes into a label, where nobody can change it afterwards */
    ino_t ino;
};

/* Everything is borrowed for the call. */
struct oc_body {
    const outcall_container_spec *spec; /* completed */
    const char *name;                   /* full */
    const char *instance;
    const char *image_id;     /* what is run; the spec's image is only a label */
    const char *network_name; /* full; label */
    const char *network_id;   /* what it is attached to */
    const char *dns_address;
    const char *proxy_address; /* NULL = none */
    const char *created_at;    /* RFC 3339 */
    const struct oc_body_mount *mounts;
    size_t n_mounts;
};

/* *ret: new. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_body_build(const struct oc_body *b, json_t **ret, outcall_error *err);

#endif
