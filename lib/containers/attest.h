/* containers/attest.h - is what runs what was approved? Mounts by identity, networks by id. */
#ifndef CONTAINERS_ATTEST_H
#define CONTAINERS_ATTEST_H
#include "containers/manager.h"
#include "json/json.h"

/* Compares a running container (the engine's inspect) with what this installation would have given it: every
 * bind comes from its stage, its agent directory or is the shim, and lies inside as the same object.
 * agent_dir: where the container's agent socket is. *ret_attested: false when it could not be looked at (it
 * ended meanwhile; no root; another namespace), which is no failure. OUTCALL_E_DENIED (MOUNT_DENIED): it
 * differs. */
OC_NODISCARD int oc_attest(outcall_containers *m, const char *name, const char *agent_dir,
                           const json_t *inspect, bool *ret_attested, outcall_error *err);

/* Can mounts be pinned and looked at here? Needs root, a stage, and an engine that shares this process's
 * mount and pid namespaces, as far as the peer of its socket shows: otherwise a path or a pid means something
 * else to it (threats, T11). why: filled when not. */
bool oc_can_stage(outcall_containers *m, outcall_error *why);

#endif
