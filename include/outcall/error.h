/* outcall/error.h - how every call of the library says what went wrong. Since 0.1.0. */
#ifndef OUTCALL_ERROR_H
#define OUTCALL_ERROR_H
#include "common.h"
OUTCALL_BEGIN_DECLS

/* One list, three uses: the enum, the name, the text. Codes are ABI: never renumber, only append. */
#define OUTCALL_CODE_MAP(XX)                                   \
    XX(1, INVALID, "invalid argument")                         \
    XX(2, NO_MEMORY, "out of memory")                          \
    XX(3, NOT_FOUND, "no such object")                         \
    XX(4, EXISTS, "object already exists")                     \
    XX(5, BUSY, "object is in use")                            \
    XX(6, DENIED, "denied by policy or deny list")             \
    XX(7, UNREACHABLE, "peer cannot be reached")               \
    XX(8, TIMEOUT, "time limit reached")                       \
    XX(9, PROTOCOL, "peer broke the protocol")                 \
    XX(10, REMOTE, "peer answered with an error")              \
    XX(11, SYNTAX, "malformed text")                           \
    XX(12, TYPE, "wrong type")                                 \
    XX(13, UNDECLARED, "reference to an undeclared name")      \
    XX(14, LIMIT, "a size, depth or cost limit was reached")   \
    XX(15, SYSTEM, "system call failed")                       \
    XX(16, CLOSED, "connection is closed")                     \
    XX(17, UNSUPPORTED, "not supported by this build or peer") \
    XX(18, INTERNAL, "internal error")

enum outcall_code {
    OUTCALL_OK = 0,
#define OUTCALL_XX(n, name, text) OUTCALL_E_##name = -(n),
    OUTCALL_CODE_MAP(OUTCALL_XX)
#undef OUTCALL_XX
        OUTCALL_E_FORCE_INT = INT32_MIN
};

/* The object or rule behind a failure, finer than the code: what the host API writes into "code", and the
 * HTTP status that goes with it. Append only. Source: spec section 6. */
#define OUTCALL_KIND_MAP(XX)                                      \
    XX(1, INVALID_REQUEST, "invalid_request", 400)                \
    XX(2, MOUNT_INVALID, "mount_invalid", 400)                    \
    XX(3, MOUNT_DENIED, "mount_denied", 403)                      \
    XX(4, POLICY_DENIED, "policy_denied", 403)                    \
    XX(5, NOT_MANAGED, "not_managed", 403)                        \
    XX(6, FORBIDDEN, "forbidden", 403)                            \
    XX(7, CONTAINER_NOT_FOUND, "container_not_found", 404)        \
    XX(8, NETWORK_NOT_FOUND, "network_not_found", 404)            \
    XX(9, IMAGE_NOT_FOUND, "image_not_found", 404)                \
    XX(10, AGENT_SOCKET_NOT_FOUND, "agent_socket_not_found", 404) \
    XX(11, SHIM_NOT_FOUND, "shim_not_found", 404)                 \
    XX(12, RULE_NOT_FOUND, "rule_not_found", 404)                 \
    XX(13, REQUEST_NOT_FOUND, "request_not_found", 404)           \
    XX(14, NOT_FOUND, "not_found", 404)                           \
    XX(15, CONFLICT, "conflict", 409)                             \
    XX(16, CONTAINER_RUNNING, "container_running", 409)           \
    XX(17, NETWORK_IN_USE, "network_in_use", 409)                 \
    XX(18, TOO_LARGE, "too_large", 413)                           \
    XX(19, RULES_INVALID, "rules_invalid", 422)                   \
    XX(20, INTERNAL, "internal", 500)                             \
    XX(21, DOCKER_ERROR, "docker_error", 502)                     \
    XX(22, DOCKER_UNREACHABLE, "docker_unreachable", 503)         \
    XX(23, NOT_READY, "not_ready", 503)                           \
    XX(24, DOCKER_TIMEOUT, "docker_timeout", 504)                 \
    XX(25, UNAUTHORIZED, "unauthorized", 401)                     \
    XX(26, RATE_LIMITED, "rate_limited", 429)                     \
    XX(27, TARGET_INVALID, "target_invalid", 422)

enum outcall_kind {
    OUTCALL_KIND_NONE = 0, /* derived from the code where one is needed */
#define OUTCALL_XX(n, name, text, status) OUTCALL_KIND_##name = (n),
    OUTCALL_KIND_MAP(OUTCALL_XX)
#undef OUTCALL_XX
        OUTCALL_KIND_FORCE_INT = INT32_MAX
};

#define OUTCALL_ERROR_TEXT \
    1024 /* bytes, NUL included; a longer text is cut at a character and ends in "..." */
#define OUTCALL_ERROR_SOURCE 256

/* Caller-owned, no allocation, nothing to free. Start from OUTCALL_ERROR_INIT. The library fills it only when
 * a call fails, and the first failure wins: a filled object is never overwritten (outcall_error_clear makes
 * it usable again). Every `err` argument of the library may be NULL. */
typedef struct outcall_error {
    int code;                          /* enum outcall_code, 0 = empty */
    int kind;                          /* enum outcall_kind, 0 = no finer word than the code */
    int sys_errno;                     /* errno for OUTCALL_E_SYSTEM and _UNREACHABLE, else 0 */
    int status;                        /* HTTP status of an answer that says no, else 0 */
    int line, column;                  /* 1-based; 0 = unknown */
    uint32_t reserved[6];              /* zero */
    char source[OUTCALL_ERROR_SOURCE]; /* file, rule id, mount source or URL path; "" if none */
    char text[OUTCALL_ERROR_TEXT];     /* one line of UTF-8, no newline, no secrets */
} outcall_error;
#define OUTCALL_ERROR_INIT                         \
    {                                              \
        0, 0, 0, 0, 0, 0, {0, 0, 0, 0, 0, 0}, {0}, \
        {                                          \
            0                                      \
        }                                          \
    }

/* The code's stable name in lower case with hyphens ("not-found"); "ok" for 0, "unknown" for a code this
 * library does not know. Static storage, never NULL, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_code_name(int code);

/* The code in words ("no such object"). Static storage, never NULL, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_code_string(int code);

/* The host API's word for a kind ("mount_denied"); "internal" for 0 and for one this library does not know.
 * Static storage, never NULL, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_kind_name(int kind);

/* The HTTP status that goes with a kind; 500 for 0 and for one this library does not know. Any thread.
 * Since 0.1.0. */
OUTCALL_API int outcall_kind_status(int kind);

/* Writes the error as one line: "source:line:column: text", without the parts that are empty, and the code's
 * words where there is no text. Works like snprintf: at most size bytes with the NUL, returns the length it
 * would have taken. err may be NULL ("ok"). Any thread. Since 0.1.0. */
OUTCALL_API int outcall_error_format(const outcall_error *err, char *buf, size_t size);

/* Empties the object so that it can be filled again. NULL is allowed. Since 0.1.0. */
OUTCALL_API void outcall_error_clear(outcall_error *err);

OUTCALL_END_DECLS
#endif
