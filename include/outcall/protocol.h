/* outcall/protocol.h - what agents and the daemon say to each other, encoded and decoded: JSON bodies of the
 * agent API (HTTP/1.1 on each container's own socket). Shared by server, client and shim. Since 0.1.0.
 *
 * Every answer is {"success":true,"data":{...}} or {"success":false,"error":"text","code":"word"}. Requests
 * are read strictly: an unknown, repeated or wrongly typed member is refused. Answers are read tolerantly
 * where that opens nothing: unknown members are skipped, so that an old shim survives a newer daemon; what is
 * missing or of the wrong type is not guessed. Source: spec section 8. */
#ifndef OUTCALL_PROTOCOL_H
#define OUTCALL_PROTOCOL_H
#include "error.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_AGENT_BODY_MAX     65536U /* bytes of one body, requests and answers */
#define OUTCALL_AGENT_TARGET_MAX   4096U  /* bytes of a target, a cwd or a metadata value */
#define OUTCALL_AGENT_ARGS_MAX     1024U  /* arguments of one check */
#define OUTCALL_AGENT_METADATA_MAX 64U    /* members beside args and cwd */
#define OUTCALL_AGENT_KEY_MAX      64U    /* bytes of a member's name: [A-Za-z0-9_.-] */

/* What an agent asks leave for. On the wire: "tool_exec", "shell_exec", "network_call", "file_access". Append
 * only. */
enum outcall_action_type {
    OUTCALL_TOOL_EXEC = 0,
    OUTCALL_SHELL_EXEC = 1,
    OUTCALL_NETWORK_CALL = 2,
    OUTCALL_FILE_ACCESS = 3,
    OUTCALL_ACTION_TYPE_FORCE_INT = INT32_MAX
};
/* The word on the wire; "unknown" for another number. Static storage, any thread. Since 0.1.0. */
OUTCALL_API const char *outcall_action_type_name(int action_type);
/* The number of a word, or OUTCALL_E_NOT_FOUND; _INVALID for NULL. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_action_type_by_name(const char *name);

typedef struct outcall_pair {
    const char *key, *value;
} outcall_pair;

/* One question. Every pointer is borrowed; text is UTF-8. target and cwd hold no control characters: a line
 * of a log shows them as they are. */
typedef struct outcall_check {
    int action_type;         /* enum outcall_action_type */
    const char *target;      /* tool, URL, host:port, address or path; 1 to OUTCALL_AGENT_TARGET_MAX bytes */
    const char *const *args; /* args_n of them, any text; metadata.args on the wire; NULL with 0 */
    size_t args_n;
    const char *cwd;              /* absolute; NULL: not said; metadata.cwd */
    const outcall_pair *metadata; /* metadata_n more, any text; no key twice, none "args" or "cwd" */
    size_t metadata_n;
} outcall_check;

/* The answer. Zeroed is blocked. */
typedef struct outcall_reply {
    int allowed;       /* 1 only for the JSON value true */
    char rule_id[129]; /* "" : no rule */
    char reason[1025]; /* "" : none; one line: control characters and line breaks of Unicode become spaces,
                          what is longer ends in "..." */
} outcall_reply;

/* What a check-in gives. On the wire it also has context_keys, the rules' variables that questions fill. */
typedef struct outcall_session {
    char container_id[65];
    char name[128];
    char token[64];       /* "tok-" and 32 hexadecimal digits */
    unsigned heartbeat_s; /* how often to send a heartbeat, 1 to 3600 */
} outcall_session;

/* A rule request's state as an agent sees it. */
typedef struct outcall_rule_request_state {
    char id[16];       /* "rr-" and 12 hexadecimal digits */
    char status[16];   /* "pending", "approved", "rejected" */
    char reason[1025]; /* of a rejection; "" : none */
} outcall_rule_request_state;

/* Bodies of requests. *ret: new, free(); *ret_len bytes without the NUL. OUTCALL_E_INVALID: an argument is
 * NULL, out of its range or no UTF-8, err->text names it; _LIMIT: more than OUTCALL_AGENT_BODY_MAX, as it
 * would go over the wire; _NO_MEMORY. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_check_encode(const outcall_check *c, char **ret, size_t *ret_len,
                                                       outcall_error *err);
/* hostname and version: one line of at most 255 bytes, or NULL; pid 0: not said. The daemon never trusts
 * them. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_checkin_encode(const char *hostname, pid_t pid, const char *version,
                                                         char **ret, size_t *ret_len, outcall_error *err);
/* yaml: the rule file, len bytes of UTF-8 without NUL, at least one. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_rule_request_encode(const char *yaml, size_t len, char **ret,
                                                              size_t *ret_len, outcall_error *err);

/* A decoded question: owns what the check points to. */
typedef struct outcall_decoded_check outcall_decoded_check;
/* Takes the bytes of one body and nothing after it; metadata may be absent. *ret: new,
 * outcall_decoded_check_free. OUTCALL_E_PROTOCOL: not exactly one well-formed question; err->text names the
 * member and what was expected; _LIMIT: a size above is passed, or JSON's nesting of 32; _INVALID: an
 * argument is NULL; _NO_MEMORY. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_check_decode(const char *json, size_t len,
                                                       outcall_decoded_check **ret, outcall_error *err);
/* Borrowed from d. NULL for NULL. Since 0.1.0. */
OUTCALL_API const outcall_check *outcall_decoded_check_get(const outcall_decoded_check *d);
/* NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_decoded_check *outcall_decoded_check_free(outcall_decoded_check *d);
/* 0: a well-formed check-in. Errors as above. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_checkin_decode(const char *json, size_t len, outcall_error *err);
/* *ret: new, free(): the rule file, NUL-terminated, *ret_len bytes. Errors as above. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_rule_request_decode(const char *json, size_t len, char **ret,
                                                              size_t *ret_len, outcall_error *err);

/* Bodies of answers, envelope included: the server's side. Members must be in their range and NUL-terminated;
 * reasons become one line, an empty one null. allowed is true on the wire for 1 only. Errors as for requests.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_reply_encode(const outcall_reply *r, char **ret, size_t *ret_len,
                                                       outcall_error *err);
OUTCALL_API OUTCALL_NODISCARD int outcall_session_encode(const outcall_session *s, char **ret,
                                                         size_t *ret_len, outcall_error *err);
OUTCALL_API OUTCALL_NODISCARD int outcall_rule_request_state_encode(const outcall_rule_request_state *s,
                                                                    char **ret, size_t *ret_len,
                                                                    outcall_error *err);

/* The client's side. *ret is zeroed, which is blocked, before anything else and on every failure:
 * OUTCALL_E_PROTOCOL: not exactly one well-formed answer of at most OUTCALL_AGENT_BODY_MAX bytes with every
 * member, err->text says why; _DENIED: {"success":false}, err->text is its error and err->kind its code where
 * that is known; _INVALID: an argument is NULL; _NO_MEMORY. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_reply_decode(const char *json, size_t len, outcall_reply *ret,
                                                       outcall_error *err);
OUTCALL_API OUTCALL_NODISCARD int outcall_session_decode(const char *json, size_t len, outcall_session *ret,
                                                         outcall_error *err);
OUTCALL_API OUTCALL_NODISCARD int outcall_rule_request_state_decode(const char *json, size_t len,
                                                                    outcall_rule_request_state *ret,
                                                                    outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_decoded_check, outcall_decoded_check_free)
OUTCALL_END_DECLS
#endif
