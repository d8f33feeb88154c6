/* daemon/rule_watch.h - notices that the rule files changed, whoever changes them and however: in place, by
 * rename, the whole directory at once, or one that was not there before. */
#ifndef DAEMON_RULE_WATCH_H
#define DAEMON_RULE_WATCH_H
#include "base/base.h"
#include "outcall/log.h"

#define OC_RULE_WATCH_QUIET_MS 100U  /* a burst is over when nothing has happened for so long */
#define OC_RULE_WATCH_BURST_MS 2000U /* one that does not end is reported all the same */

typedef struct oc_rule_watch oc_rule_watch; /* one thread at a time */

/* Watches from now on; what happens before oc_rule_watch_run is kept. dir: clean and absolute; need not
 * exist. *ret: new. OUTCALL_E_SYSTEM (inotify: no more watches), _NO_MEMORY. */
OC_NODISCARD int oc_rule_watch_new(oc_rule_watch **ret, const char *dir, outcall_log *log,
                                   outcall_error *err);
oc_rule_watch *oc_rule_watch_free(oc_rule_watch *w);

/* Calls changed once after each burst of changes, until stop_fd is readable. 0 then. OUTCALL_E_SYSTEM. */
OC_NODISCARD int oc_rule_watch_run(oc_rule_watch *w, int stop_fd, void (*changed)(void *userdata),
                                   void *userdata, outcall_error *err);

#endif
