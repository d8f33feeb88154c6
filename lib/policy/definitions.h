/* policy/definitions.h - a file's $names, and expressions with them written out. */
#ifndef POLICY_DEFINITIONS_H
#define POLICY_DEFINITIONS_H
#include "base/buf.h"
#include "yaml/yaml.h"

#define OC_EXPANDED_MAX    ((size_t)64 << 10) /* bytes of an expression with its $names written out */
#define OC_DEFINITIONS_MAX 32                 /* definitions within each other */

enum oc_definition_state { OC_DEFINITION_NEW, OC_DEFINITION_ACTIVE, OC_DEFINITION_READY, OC_DEFINITION_BAD };

struct oc_definition {
    const oc_yaml *node; /* its key is the name */
    struct oc_buf text;  /* written out, when READY */
    enum oc_definition_state state;
    bool used;
};

/* Looks at a definition that was written out. Fails with a place. */
typedef int (*oc_definition_check)(void *userdata, const struct oc_definition *def, outcall_error *err);

struct oc_definitions {
    const char *data; /* the file, for places */
    size_t len;
    oc_definition_check check; /* NULL: none */
    void *userdata;
    struct oc_definition *v; /* by name */
    size_t n;
    struct oc_buf text; /* of the last expression */
    size_t bytes;       /* of all that was written out */
    bool told;          /* the error names its definition */
};

/* node: the mapping; NULL: none. check and userdata may be set afterwards. Everything is borrowed until
 * oc_definitions_done().
 * OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_definitions_init(struct oc_definitions *d, const char *data, size_t len,
                                     const oc_yaml *node);
void oc_definitions_done(struct oc_definitions *d);
/* A letter or "_", then letters, digits and "_", at most 64. */
bool oc_definition_name(const char *s, size_t len);
struct oc_definition *oc_definition_find(const struct oc_definitions *d, const char *name, size_t len);

/* Writes out one definition, and those it uses, each checked once: whoever uses it later finds it ready, or
 * bad. Fails with the name and the place of the one that is wrong: OUTCALL_E_UNDECLARED, _SYNTAX (it leads
 * back to itself), _LIMIT, _NO_MEMORY; 1: one that it uses was refused earlier. */
OC_NODISCARD int oc_definition_expand(struct oc_definitions *d, struct oc_definition *def,
                                      outcall_error *err);
/* An expression, borrowed until the next call. As above. */
OC_NODISCARD int oc_expand(struct oc_definitions *d, const oc_yaml *node, const char **ret, size_t *ret_len,
                           outcall_error *err);
/* Line and column in the file of byte `at` of what oc_expand() made of node. Within a definition, which was
 * right by itself, that is where it is used. */
void oc_expanded_place(const struct oc_definitions *d, const oc_yaml *node, size_t at, int *ret_line,
                       int *ret_column);

#endif
