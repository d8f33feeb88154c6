/* cel/type.h - types as the check knows them: the letters of their kinds, outermost first. "s" is string,
 * "ls" list(string), "msl*" map(string, list(dyn)). What would be longer is dyn at its end. */
#ifndef CEL_TYPE_H
#define CEL_TYPE_H
#include "base/base.h"

#define OC_CEL_TYPE_SIZE 24
#define OC_CEL_TYPE_TEXT 256

struct oc_cel_type {
    char s[OC_CEL_TYPE_SIZE];
};

/* Of a kind; lists and maps of dyn. */
struct oc_cel_type oc_cel_type_of_kind(uint32_t kind);
struct oc_cel_type oc_cel_type_list(const struct oc_cel_type *elem);
struct oc_cel_type oc_cel_type_map(char key, const struct oc_cel_type *value);
/* The elements of a list, or the values of a map; dyn for all else. */
struct oc_cel_type oc_cel_type_inner(const struct oc_cel_type *t);

/* A type as outcall_cel_env_declare has it, at *s; *s behind it. */
OC_NODISCARD bool oc_cel_type_parse(const char **s, struct oc_cel_type *ret);
/* The type at *letters; *letters behind it. */
struct oc_cel_type oc_cel_type_take(const char **letters);
const char *oc_cel_type_text(const struct oc_cel_type *t, char buf[OC_CEL_TYPE_TEXT]);

/* What both are: where they differ, dyn. */
struct oc_cel_type oc_cel_type_join(const struct oc_cel_type *a, const struct oc_cel_type *b);
/* May the one stand where the other is wanted? dyn always may. */
bool oc_cel_type_fits(const struct oc_cel_type *wanted, const struct oc_cel_type *t);
/* May two values be equal? As above, and numbers may. */
bool oc_cel_type_comparable(const struct oc_cel_type *a, const struct oc_cel_type *b);

#endif
