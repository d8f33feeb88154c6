/* core/log.h - writing to an outcall_log. A NULL log is silent. */
#ifndef CORE_LOG_H
#define CORE_LOG_H
#include "base/base.h"
#include "outcall/log.h"

void oc_log(const outcall_log *log, int level, const char *target, const char *fmt, ...) OC_PRINTF(4, 5);
/* "<fmt>: <formatted error>" */
void oc_log_error(const outcall_log *log, int level, const char *target, const outcall_error *err,
                  const char *fmt, ...) OC_PRINTF(5, 6);

#endif
