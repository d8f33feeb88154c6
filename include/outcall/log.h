/* outcall/log.h - where the library's messages go: a sink the caller gives, never a global. Since 0.1.0. */
#ifndef OUTCALL_LOG_H
#define OUTCALL_LOG_H
#include "error.h"
OUTCALL_BEGIN_DECLS

enum outcall_log_level {
    OUTCALL_LOG_ERROR,
    OUTCALL_LOG_WARN,
    OUTCALL_LOG_INFO,
    OUTCALL_LOG_DEBUG,
    OUTCALL_LOG_TRACE
};

/* One message. target: the subsystem's stable name ("docker", "mounts", "containers"), static storage. msg:
 * one line without a newline, UTF-8, borrowed for the call. Called on the thread that logs, from several
 * threads at once; must not call back into the handle that logs. */
typedef void (*outcall_log_fn)(int level, const char *target, const char *msg, void *userdata);

/* A sink and a filter, shared by reference and handed to other handles. */
typedef struct outcall_log outcall_log;

/* Makes a log that hands messages up to level "info" to fn. fn: required. userdata: borrowed until the last
 * reference is gone. *ret: new, one reference. Errors: E_INVALID (ret or fn is NULL), E_NO_MEMORY. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_log_new(outcall_log **ret, outcall_log_fn fn, void *userdata);

/* Sets what passes: "LEVEL" or "LEVEL,TARGET=LEVEL,...", LEVEL out of error, warn, info, debug, trace; at
 * most 16 targets of at most 31 bytes. Call it before the log is shared: it is not synchronised. Errors:
 * E_INVALID (NULL, unknown level, empty or overlong target, too many); the old filter then stays. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_log_set_filter(outcall_log *log, const char *spec);

/* Would a message of this level and target pass? 1 or 0; 0 for NULL. Any thread. Since 0.1.0. */
OUTCALL_API int outcall_log_enabled(const outcall_log *log, int level, const char *target);

/* One more reference; NULL stays NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_log *outcall_log_ref(outcall_log *log);

/* Gives one reference back; the last one frees. NULL is allowed. Returns NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_log *outcall_log_unref(outcall_log *log);

/* "error", "warn", "info", "debug", "trace"; "unknown" otherwise. Static storage, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_log_level_name(int level);

OUTCALL_DEFINE_CLEANUP(outcall_log, outcall_log_unref)
OUTCALL_END_DECLS
#endif
