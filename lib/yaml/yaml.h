/* yaml/yaml.h - one strict YAML document as a small tree that knows where each part stands. The only user of
 * libyaml. Everything that makes YAML surprising is refused: repeated keys, anchors, aliases, tags,
 * directives, several documents, keys that are no scalars. */
#ifndef YAML_YAML_H
#define YAML_YAML_H
#include "base/base.h"

#define OC_YAML_SIZE_MAX  ((size_t)4 << 20) /* bytes of one document; spec section 10 */
#define OC_YAML_DEPTH_MAX 16                /* sequences and mappings within each other */
#define OC_YAML_NODES_MAX 1048576           /* keys are counted too */

enum oc_yaml_type { OC_YAML_SCALAR, OC_YAML_SEQUENCE, OC_YAML_MAPPING };

typedef struct oc_yaml oc_yaml;
struct oc_yaml {
    enum oc_yaml_type type;
    int line, column;  /* 1-based, in characters */
    uint32_t from, to; /* characters before it and up to its end; not the end of a block sequence or mapping,
                          which is where the next thing begins */
    bool plain; /* a scalar without quotes and not a block: the only kind that can mean more than text */
    char *text; /* of a scalar: UTF-8 without NUL; else NULL */
    size_t len;
    oc_yaml *key;   /* in a mapping: the scalar this value belongs to; else NULL */
    oc_yaml *first; /* of a sequence or mapping: its elements or values in file order */
    oc_yaml *next;
    size_t n; /* elements or values */
};

/* *ret: new, oc_yaml_free(); NULL for a document without content. OUTCALL_E_SYNTAX, _LIMIT (size, depth,
 * nodes), both with line and column; _NO_MEMORY. err->source is left for the caller, who knows the name. */
OC_NODISCARD int oc_yaml_load(const char *data, size_t len, oc_yaml **ret, outcall_error *err);
oc_yaml *oc_yaml_free(oc_yaml *node); /* the node and everything below it; not its neighbours */
static inline void oc_yaml_freep(oc_yaml **node)
{
    (void)oc_yaml_free(*node);
}

/* The value of a key, or NULL; NULL for anything that is no mapping. Borrowed from the tree. */
const oc_yaml *oc_yaml_get(const oc_yaml *mapping, const char *key);
/* "a mapping", "a sequence", "text", for error messages. */
const char *oc_yaml_type_name(const oc_yaml *node);
bool oc_yaml_is_null(const oc_yaml *node); /* nothing, ~ or null, unquoted */
/* Unquoted true or false and no other spelling. OUTCALL_E_TYPE. */
OC_NODISCARD int oc_yaml_bool(const oc_yaml *node, bool *ret);

/* Fails with the node's place. */
int oc_yaml_fail(outcall_error *err, int code, const oc_yaml *node, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
