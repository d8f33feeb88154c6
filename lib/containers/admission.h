/* containers/admission.h - step 4 of a create: what the operator's rules say about it. */
#ifndef CONTAINERS_ADMISSION_H
#define CONTAINERS_ADMISSION_H
#include "containers/manager.h"

/* One create, as the rules see it. */
struct oc_admission {
    const outcall_container_spec *spec; /* completed */
    const char *name;                   /* full */
    const int *pins;                    /* what each bind mount of the spec is, -1 for volumes */
};

/* Asks the rules with the docker.* and agent.* context, and records what they say. 0: nothing speaks against
 * it, or there are no rules to ask. Only a block rule refuses, or one that cannot be evaluated; and
 * everything that keeps the rules from being asked. Kind POLICY_DENIED; _NO_MEMORY. Makes no call to the
 * engine. */
OC_NODISCARD int oc_admit(outcall_containers *m, const struct oc_admission *a, outcall_error *err);

#endif
