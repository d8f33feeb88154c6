/* containers/volumes.h - named volumes and image VOLUMEs: what may lie behind a mount that is no host path.
 */
#ifndef CONTAINERS_VOLUMES_H
#define CONTAINERS_VOLUMES_H
#include "containers/manager.h"
#include "json/json.h"

/* An existing volume must be of driver "local" without any option; one that does not exist is created so, and
 * *ret_new says it. OUTCALL_E_DENIED (MOUNT_DENIED): options such as o=bind can expose any host path. */
OC_NODISCARD int oc_volume_ready(outcall_containers *m, const char *name, bool *ret_new, outcall_error *err);
/* Takes back one that oc_volume_ready made. */
OC_NODISCARD int oc_volume_delete(outcall_containers *m, const char *name, outcall_error *err);

#endif
