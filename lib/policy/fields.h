/* policy/fields.h - the facts a rule can ask for: one table, in the order of their slots. */
#ifndef POLICY_FIELDS_H
#define POLICY_FIELDS_H
#include "base/base.h"
#include "outcall/cel.h"

enum oc_field_type {
    OC_FIELD_STRING,
    OC_FIELD_INT,
    OC_FIELD_STRINGS,
    OC_FIELD_STRING_MAP, /* of strings to strings */
    OC_FIELD_ANY_MAP     /* of strings to anything */
};

struct oc_field {
    const char *name;   /* "network.hostname" */
    const char *part;   /* "network" */
    const char *member; /* "hostname" */
    enum oc_field_type type;
};

#define OC_FIELDS_N      25
#define OC_FIELD_AGENT   21 /* agent.name */
#define OC_FIELD_NOWHERE (-1)

extern const struct oc_field oc_fields[OC_FIELDS_N];

/* The slot, or OC_FIELD_NOWHERE. */
int oc_field_find(const char *name, size_t len);
/* A new environment that declares them: slot i is field i. OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_fields_env(outcall_cel_env **ret, outcall_error *err);

#endif
