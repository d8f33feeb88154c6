/* core/error.h - filling an outcall_error. Every function returns the code, so that `return oc_fail(...)`
 * reads well. First failure wins: a filled object is left alone. err may be NULL. */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H
#include "base/base.h"

int oc_fail(outcall_error *err, int code, const char *fmt, ...) OC_PRINTF(3, 4);
int oc_fail_kind(outcall_error *err, int code, int kind, const char *fmt, ...) OC_PRINTF(4, 5);
/* OUTCALL_E_SYSTEM with errno; the text becomes "<fmt>: <strerror>". */
int oc_fail_errno(outcall_error *err, const char *fmt, ...) OC_PRINTF(2, 3);
/* A code from lib/base, with errno when it is OUTCALL_E_SYSTEM: "<fmt>: <words of the code or errno>". */
int oc_fail_code(outcall_error *err, int code, const char *fmt, ...) OC_PRINTF(3, 4);
int oc_no_memory(outcall_error *err);
/* The kind of a word ("mount_denied"); OUTCALL_KIND_NONE for one that is none of ours. */
int oc_kind_by_name(const char *name);

#if defined(__clang_analyzer__) && \
    !defined(CORE_ERROR_C) /* it looks into one file at a time: that the code comes back, it must be told */
static inline int oc_returns(int given, int code)
{
    (void)given;
    return code;
}
    #define oc_fail(err, code, ...)            oc_returns(oc_fail(err, code, __VA_ARGS__), code)
    #define oc_fail_kind(err, code, kind, ...) oc_returns(oc_fail_kind(err, code, kind, __VA_ARGS__), code)
    #define oc_fail_errno(err, ...)            oc_returns(oc_fail_errno(err, __VA_ARGS__), OUTCALL_E_SYSTEM)
    #define oc_fail_code(err, code, ...)       oc_returns(oc_fail_code(err, code, __VA_ARGS__), code)
    #define oc_no_memory(err)                  oc_returns(oc_no_memory(err), OUTCALL_E_NO_MEMORY)
#endif

/* Sets err->source (cut to fit), line and column on a filled object; keeps what is there already. */
void oc_error_at(outcall_error *err, const char *source, int line, int column);
/* Adds "; <fmt>" to the text of a filled object: a second failure on the way out. */
void oc_error_append(outcall_error *err, const char *fmt, ...) OC_PRINTF(2, 3);

#endif
