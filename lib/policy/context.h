/* policy/context.h - one request's facts, as the parts of the folder see them. */
#ifndef POLICY_CONTEXT_H
#define POLICY_CONTEXT_H
#include "cel/arena.h"
#include "cel/code.h"
#include "outcall/policy.h"
#include "policy/fields.h"
#include "yaml/yaml.h"

#define OC_CONTEXT_BYTES_MAX ((size_t)4 << 20)

struct outcall_context {
    outcall_cel_eval *eval;    /* reads slots */
    struct oc_cel_arena arena; /* what the values point to */
    oc_cel_value values[OC_FIELDS_N];
    const oc_cel_value *slots[OC_FIELDS_N];
    size_t room[OC_FIELDS_N]; /* pairs that a map's memory holds; 0: not to be written to */
    unsigned timeout_ms;
    outcall_error err; /* of the last evaluation; here, since it is large */
};

/* Some fields at once: read first, then set, so that a failure changes nothing. */
struct oc_context_update {
    oc_cel_value v[OC_FIELDS_N];
    bool set[OC_FIELDS_N];
};
/* OUTCALL_E_LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_context_commit(struct outcall_context *c, const struct oc_context_update *u);
/* What to do after fields were set: forgets what no field holds any more, when it is time for that.
 * OUTCALL_E_LIMIT: the fields hold more than OC_CONTEXT_BYTES_MAX; _NO_MEMORY; then the caller puts the old
 * values back. */
OC_NODISCARD int oc_context_settle(struct outcall_context *c);

/* The slot of member `name` of part `part` ("network"); or OUTCALL_E_UNDECLARED with the nearest known one,
 * and no place. part NULL: is name a part at all? Then 0. */
OC_NODISCARD int oc_context_member(const char *part, const char *name, outcall_error *err);
/* "an integer", "a list of text" ... */
const char *oc_field_type_words(enum oc_field_type type);

/* Sets every field that the mapping names. Fails with the node's place. As before on failure. */
OC_NODISCARD int oc_context_yaml(struct outcall_context *c, const oc_yaml *node, outcall_error *err);

#endif
