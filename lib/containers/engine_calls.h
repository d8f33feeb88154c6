/* containers/engine_calls.h - the few things this folder asks the engine about containers, each with its
 * checks. */
#ifndef CONTAINERS_ENGINE_CALLS_H
#define CONTAINERS_ENGINE_CALLS_H
#include "containers/manager.h"
#include "json/json.h"

/* What lies behind a name: inspected, and ours (label, instance, exact name). *ret: new, the engine's answer;
 * its "Id" is what every later call acts on. OUTCALL_E_NOT_FOUND (CONTAINER_NOT_FOUND), _DENIED
 * (NOT_MANAGED), as of the engine. */
OC_NODISCARD int oc_inspect(outcall_containers *m, const char *name, json_t **ret, outcall_error *err);
/* The same by id, without a judgement whose it is. OUTCALL_E_NOT_FOUND when there is none. */
OC_NODISCARD int oc_inspect_id(outcall_containers *m, const char *id, json_t **ret, outcall_error *err);

/* Do these labels say: managed, and by this instance? */
bool oc_is_ours(const outcall_containers *m, const json_t *labels);

/* All containers that carry our labels and prefix, running or not. *ret: new, a list as GET /containers/json
 * gives it. */
OC_NODISCARD int oc_list_ours(outcall_containers *m, json_t **ret, outcall_error *err);
/* The name of one of its elements without the slash; NULL when it has none of ours. */
const char *oc_listed_name(const json_t *listed);

/* Removes by id, with anonymous volumes; *ret_removed false when it was gone already. Waits while the engine
 * says that a removal is under way. */
OC_NODISCARD int oc_delete(outcall_containers *m, const char *id, bool force, bool *ret_removed,
                           outcall_error *err);
/* SIGKILL by id; not running or gone is success. */
OC_NODISCARD int oc_kill(outcall_containers *m, const char *id, outcall_error *err);

#endif
