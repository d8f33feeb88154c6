/* outcall/common.h - visibility, attributes, and the vocabulary every other header uses.
 * Includes nothing of ours. Since 0.1.0.
 *
 * Three words for ownership, in names and comments:
 *   new             the result is yours; free it with the function named beside it
 *   borrowed until  the pointer stays somebody else's; the comment says until when
 *   take_           the library owns the argument once the call succeeded; on failure it is still yours
 *
 * Return values: 0 or a count on success, a negative enum outcall_code on failure. Results are written only
 * on success. Every options struct begins with `unsigned version`, its ..._INIT macro sets it, the library
 * accepts any version from 1 to its own, and fields are only ever appended. */
#ifndef OUTCALL_COMMON_H
#define OUTCALL_COMMON_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
    #define OUTCALL_BEGIN_DECLS extern "C" {
    #define OUTCALL_END_DECLS   }
#else
    #define OUTCALL_BEGIN_DECLS
    #define OUTCALL_END_DECLS
#endif

#if defined(__GNUC__) || defined(__clang__)
    #define OUTCALL_API          __attribute__((visibility("default")))
    #define OUTCALL_NODISCARD    __attribute__((warn_unused_result))
    #define OUTCALL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
    #define OUTCALL_API
    #define OUTCALL_NODISCARD
    #define OUTCALL_PRINTF(f, a)
#endif

/* OUTCALL_DEFINE_CLEANUP(outcall_docker, outcall_docker_free) defines the inline helper
 * outcall_docker_freep() for __attribute__((cleanup(outcall_docker_freep))). */
#define OUTCALL_DEFINE_CLEANUP(type, fn)                                                      \
    static inline void fn##p(type **p) /* NOLINT(bugprone-macro-parentheses): it is a type */ \
    {                                                                                         \
        if (*p)                                                                               \
            (void)fn(*p);                                                                     \
        *p = NULL;                                                                            \
    }
#endif
