/* outcall/requests.h - rule files that agents ask for, kept until the operator answers. Since 0.1.0. */
#ifndef OUTCALL_REQUESTS_H
#define OUTCALL_REQUESTS_H
#include "policy.h"
OUTCALL_BEGIN_DECLS

/* A durable store of rule requests in one directory. Usable by all threads. */
typedef struct outcall_requests outcall_requests;
/* One request, as it was when it was read. */
typedef struct outcall_request outcall_request;

enum outcall_request_status {
    OUTCALL_REQUEST_PENDING = 0,
    OUTCALL_REQUEST_APPROVED = 1,
    OUTCALL_REQUEST_REJECTED = 2,
    OUTCALL_REQUEST_FORCE_INT = INT32_MAX
};

/* Makes the rules in force those of the rules directory. Called by outcall_requests_approve, on its thread,
 * after the file is in place; 0, or a negative OUTCALL_E_* with err filled, and then the file is taken away
 * and it is called once more. *ret_rules_n: how many rules are loaded. Must not call the store. */
typedef int (*outcall_requests_reload_fn)(void *userdata, size_t *ret_rules_n, outcall_error *err);

/* Everything is borrowed for the call but userdata (for the life of the store) and log (by reference). */
typedef struct outcall_requests_options {
    unsigned version;
    const char *dir;                   /* the store; made with mode 0700 when it is missing */
    const char *rules_dir;             /* where approved files go: agent-<id>.yaml, mode 0600 */
    outcall_requests_reload_fn reload; /* required */
    void *userdata;
    unsigned pending_max;  /* for each agent (64) [1024] */
    unsigned total_max;    /* entries kept, of all agents; the oldest answered ones go first (1024) [65536] */
    size_t file_max_bytes; /* of a rule file (64 KiB) [4 MiB] */
    outcall_log *log;      /* target "requests" */
    outcall_policy_slot *in_force; /* the rules in force: their ids are refused at submit. NULL: an id that is
                                      taken is found at approve, by the reload */
} outcall_requests_options;
#define OUTCALL_REQUESTS_OPTIONS_INIT                  \
    {                                                  \
        1, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL \
    }

/* Opens the store and finishes what a crash interrupted: temporary files go, and so do the rules of a request
 * that is not marked approved, so that approving it again is as good as once. For that reason open it before
 * the rules are loaded. An entry that cannot be read, or is no regular file, is renamed to <name>.damaged,
 * with a warning. Files of other names stay. *ret: yours, outcall_requests_free. OUTCALL_E_INVALID (also: a
 * directory that others can write, or a symlink), _SYSTEM, _NO_MEMORY. Reads and writes files. Since 0.1.0.
 */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_new(outcall_requests **ret,
                                                       const outcall_requests_options *opts,
                                                       outcall_error *err);
/* NULL is allowed; returns NULL. No call may be under way. Since 0.1.0. */
OUTCALL_API outcall_requests *outcall_requests_free(outcall_requests *s);

/* Keeps a rule file (len bytes of YAML) that agent asks for; agent: the container's name,
 * [A-Za-z0-9][A-Za-z0-9_.-]{0,127}. What would become active is made from it: the same definitions, rules and
 * tests in printable ASCII, without comments; `agents: [agent]` in each rule, in the place of its own;
 * priority 101 where there is none; and agent.name = agent in each test that does not set it. That text is
 * held to what a load holds it to, tests included, within a second and 1 MiB of conditions. A priority below
 * 101 is refused: the operator's own rules come first unless they say otherwise. Its ids must not be in force
 * (options: in_force); whether they are when it is approved, the reload finds out. *ret: new,
 * outcall_request_free. Returns when it is on the disk. OUTCALL_E_LIMIT: too long, or too many pending
 * requests (err->text says which); the errors of outcall_policy_load, with the place in this file, if there
 * is one; _DENIED: a test or the priority; _EXISTS: an id is in force; _INVALID: an argument, or no rule in
 * it; _SYSTEM; _NO_MEMORY. err->kind is OUTCALL_KIND_RULES_INVALID for what is wrong with the file. Validates
 * outside the store's lock. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_submit(outcall_requests *s, const char *agent,
                                                          const char *yaml, size_t len, outcall_request **ret,
                                                          outcall_error *err);
/* One request. agent: NULL, or only this agent's requests are found. *ret: new, outcall_request_free.
 * OUTCALL_E_NOT_FOUND (also for an id that is none, and an entry that is damaged by now), _INVALID, _SYSTEM,
 * _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_get(outcall_requests *s, const char *id, const char *agent,
                                                       outcall_request **ret, outcall_error *err);
/* All requests with that status (enum outcall_request_status; -1: all), oldest first. *ret: new, an array of
 * the returned number of requests, outcall_request_free_many. OUTCALL_E_INVALID, _SYSTEM, _NO_MEMORY. Since
 * 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_list(outcall_requests *s, int status,
                                                        outcall_request ***ret, outcall_error *err);
/* Puts the request's active text into the rules directory, which is made when it is missing, reloads, and
 * then marks it approved. Approving again changes nothing and succeeds. After a crash at any step,
 * outcall_requests_new and another call end in the same place as one call. *ret_rules_n: rules in force, may
 * be NULL; for one that was approved before, as in_force says (0 without it). OUTCALL_E_NOT_FOUND; _BUSY: it
 * was rejected; what reload said, and then it is still pending and nothing is in force; _INVALID (also: an
 * unsafe rules directory); _SYSTEM; _NO_MEMORY. The other calls wait meanwhile. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_approve(outcall_requests *s, const char *id,
                                                           size_t *ret_rules_n, outcall_error *err);
/* Marks it rejected, with a reason for the agent (may be NULL; at most 1024 bytes, UTF-8, one line).
 * Rejecting again changes nothing and succeeds. OUTCALL_E_NOT_FOUND; _BUSY: it was approved; _INVALID;
 * _SYSTEM; _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_requests_reject(outcall_requests *s, const char *id,
                                                          const char *reason, outcall_error *err);

/* NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_request *outcall_request_free(outcall_request *r);
/* n requests and the array; NULL is allowed with 0. Since 0.1.0. */
OUTCALL_API void outcall_request_free_many(outcall_request **v, size_t n);
/* "rr-" and 12 hexadecimal digits; the agent; when it was made, RFC 3339 in UTC. All borrowed from r. Since
 * 0.1.0. */
OUTCALL_API const char *outcall_request_id(const outcall_request *r);
OUTCALL_API const char *outcall_request_agent(const outcall_request *r);
OUTCALL_API const char *outcall_request_created_at(const outcall_request *r);
/* enum outcall_request_status, and its word: "pending", "approved", "rejected". Since 0.1.0. */
OUTCALL_API int outcall_request_status(const outcall_request *r);
OUTCALL_API const char *outcall_request_status_name(int status);
/* The reason of a rejection, or NULL. Since 0.1.0. */
OUTCALL_API const char *outcall_request_reason(const outcall_request *r);
/* What the agent sent, and what would become active (see outcall_requests_submit). The first can hold
 * anything that a terminal takes for more than text; the second is printable ASCII. NUL-terminated, borrowed
 * from r. Since 0.1.0. */
OUTCALL_API const char *outcall_request_text(const outcall_request *r);
OUTCALL_API const char *outcall_request_active_text(const outcall_request *r);
/* The id of its rule i, in the order of the file. Borrowed from r; NULL when there is none. Since 0.1.0. */
OUTCALL_API const char *outcall_request_rule(const outcall_request *r, size_t i);
/* What it newly allows, one line a rule that allows something, for a person: `rule "x" allows: <condition>`,
 * the $names written out (up to 4 KiB), and ` (egress: ...)` where it has that. Printable ASCII; everything
 * else is an escape. Line i, borrowed from r; NULL when there is none. Since 0.1.0. */
OUTCALL_API const char *outcall_request_allows(const outcall_request *r, size_t i);

OUTCALL_DEFINE_CLEANUP(outcall_requests, outcall_requests_free)
OUTCALL_DEFINE_CLEANUP(outcall_request, outcall_request_free)
OUTCALL_END_DECLS
#endif
