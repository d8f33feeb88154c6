/* checkin.h - the first thing the shim does, and today the only one. */
#ifndef SHIM_CHECKIN_H
#define SHIM_CHECKIN_H
#include "base/base.h"

/* Connects and checks in. 0: the daemon accepted. Negative: *err holds the one line to print; nothing may
 * run. */
OC_NODISCARD int shim_checkin(const char *socket_path, uint64_t timeout_ms, outcall_error *err);

#endif
