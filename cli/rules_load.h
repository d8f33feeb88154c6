/* rules_load.h - a set of rules from a directory or one file, with everything that is wrong with it. */
#ifndef CLI_RULES_LOAD_H
#define CLI_RULES_LOAD_H
#include "cli.h"
#include "outcall/policy.h"

struct problems {
    json_t *list;    /* new; of objects with file, line, column (numbers or null), message, warning */
    size_t errors_n; /* of them no warnings */
    bool bad;        /* out of memory */
};

/* Adds to the list, which is made when it is NULL. file: as the operator named it. */
void problems_add(struct problems *p, const char *file, const outcall_error *e, bool warning);
/* "file:line:column: message" for each. */
void problems_print(const struct problems *p, FILE *f);
void problems_done(struct problems *p);

/* *ret: new, outcall_policy_unref; NULL after a refusal, which is in p. EXIT_DONE; or EXIT_FAILED, which is
 * told, when there is nothing to load. */
int rules_load(struct cli *c, const char *path, struct problems *p, outcall_policy **ret);

#endif
