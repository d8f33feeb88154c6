/* containers/identify.h - who a container is, for those that answer its agent. */
#ifndef CONTAINERS_IDENTIFY_H
#define CONTAINERS_IDENTIFY_H
#include "containers/manager.h"
#include "json/json.h"

/* Does the engine live in this process's pid namespace, as far as the peer of its socket shows? Else the pids
 * that it names, and those of its containers' processes, mean nothing here (threats, T23). false only where
 * that is certain, with why filled. */
bool oc_engine_shares_pids(outcall_containers *m, outcall_error *why);

/* Tells the hooks who the container is, from the engine's inspect. Where its processes cannot be told from
 * others', nobody is it: its agent is refused, which the log says. Nothing happens for one that has ended. */
void oc_identify(outcall_containers *m, const char *name, const json_t *inspect);

/* The labels it was created with, without the image's and ours: "KEY=value" each. *ret: oc_strings_done,
 * whatever happened. A container that does not say which they are, one of an older version, has none. Errors:
 * what it says cannot be read (those of oc_json_load), OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_asked_labels(const json_t *inspect, struct oc_strings *ret, outcall_error *err);

#endif
