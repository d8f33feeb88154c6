/* cel/macro.h - has, all, exists, exists_one, map, filter: calls that are not calls. */
#ifndef CEL_MACRO_H
#define CEL_MACRO_H
#include "cel/parse.h"

/* has(args) */
OC_NODISCARD int oc_cel_expand_has(struct oc_cel_parser *p, size_t pos, const struct oc_cel_node_list *args,
                                   struct oc_cel_node **ret);
/* args[0].name(args[1] ...): expanded when name and number of arguments are those of a macro. */
OC_NODISCARD int oc_cel_expand_macro(struct oc_cel_parser *p, size_t pos, struct oc_cel_text name,
                                     const struct oc_cel_node_list *args, struct oc_cel_node **ret,
                                     bool *ret_expanded);

#endif
