/* cel/overload.h - which functions and operators there are for which types. */
#ifndef CEL_OVERLOAD_H
#define CEL_OVERLOAD_H
#include "cel/program.h"

#define OC_CEL_WANTED_TEXT 256

struct oc_cel_overloads {
    const char *name;
    const struct oc_cel_func *standard;                 /* the first of them, or NULL */
    const struct oc_cel_custom *custom, *end_of_custom; /* those of one name among these */
    uint8_t style;
    const struct oc_cel_type *args; /* what it is called with, the receiver first */
    size_t n;                       /* may be larger than OC_CEL_ARGS_MAX: then there are no args beyond it */
};

/* Of a CALL that is resolved, or of an operator by its sign. args and n stay as they are. */
void oc_cel_overloads_of_call(struct oc_cel_overloads *o, const outcall_cel_env *env,
                              const struct oc_cel_node *node);
void oc_cel_overloads_of_operator(struct oc_cel_overloads *o, const char *sign);

/* The common type of all results that are possible. Or false: no overload takes the first *fitting arguments,
 * but one takes those before; 0 when none takes that many. */
bool oc_cel_overloads_match(const struct oc_cel_overloads *o, size_t *fitting, struct oc_cel_type *ret);
/* "int, uint or double": what argument i may be after those before it. */
void oc_cel_overloads_wanted(const struct oc_cel_overloads *o, size_t i, char buf[OC_CEL_WANTED_TEXT]);
/* "1 or 2": numbers of arguments, without the receivers; true for exactly one argument. */
bool oc_cel_overloads_counts(const struct oc_cel_overloads *o, size_t receivers,
                             char buf[OC_CEL_WANTED_TEXT]);

#endif
