/* daemon/rules.h - loading the rules directory: the one way, for the start, for --check-config and for every
 * reload. */
#ifndef DAEMON_RULES_H
#define DAEMON_RULES_H
#include "base/base.h"
#include "outcall/policy.h"

/* Loads the set in dir, which has to be safe: no symlink, ours, writable for nobody else. A missing one is an
 * empty set. log: gets warnings, and every refusal but the first, which is err's. *ret: new. *ret_exists (may
 * be NULL): is there such a directory? Errors as outcall_policy_load; kind RULES_INVALID when it is the rules
 * that are wrong, or OUTCALL_E_DENIED, _SYSTEM naming the setting when it is the directory. */
OC_NODISCARD int oc_rules_load(const char *dir, outcall_log *log, outcall_policy **ret, bool *ret_exists,
                               outcall_error *err);

#endif
