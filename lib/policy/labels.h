/* policy/labels.h - a container's labels, as rules see them. */
#ifndef POLICY_LABELS_H
#define POLICY_LABELS_H
#include "outcall/policy.h"

/* agent.labels from "KEY=value" each. Errors: those of outcall_context_pair. */
OUTCALL_NODISCARD int oc_context_labels(outcall_context *c, const char *const *labels, size_t n);

#endif
