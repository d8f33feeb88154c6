/* outcall/policy.h - rules in YAML files, and what they say about one request. Usable on its own: no daemon,
 * no Docker. Since 0.1.0.
 *
 *     outcall_policy *policy = NULL;
 *     outcall_context *context = NULL;
 *     outcall_verdict verdict = OUTCALL_VERDICT_INIT;
 *     outcall_error err = OUTCALL_ERROR_INIT;
 *     if (outcall_policy_load_dir(&policy, "/etc/outcall/rules.d", NULL, &err) < 0 ||
 *         outcall_context_new(&context) < 0 ||
 *         outcall_context_string(context, "network.hostname", "github.com", 10) < 0 ||
 *         outcall_policy_decide(policy, context, &verdict, &err) < 0 || verdict.action != OUTCALL_ALLOW)
 *         ... blocked: verdict.rule_id, verdict.reason
 *
 * A rule file:
 *
 *     version: "1"
 *     definitions:
 *       github: network.hostname == "github.com"
 *     rules:
 *       - id: github-read                  [A-Za-z0-9][A-Za-z0-9_.-]{0,127}, unique in the whole set
 *         condition: $github && http.method == "GET"
 *         action: allow                    or block
 *         priority: 50                     -2147483648 to 2147483647, lower first; 100 when absent
 *         description: for the operator    at most 1024 bytes
 *         reason: for the agent            shown on a block, at most 1024 bytes
 *         agents: [builder]                names it applies to; all when absent
 *         log: true                        record a verdict of this rule
 *         egress: {mode: direct_ip, ports: [443], allow_private_ips: false}      allow rules only
 *     tests:
 *       - name: reading is fine
 *         context: {network: {hostname: github.com}, http: {method: GET}}
 *         expect: allow
 *         rule: github-read                optional: the rule that has to decide
 *
 * Priority, then file name, then position; the first rule whose condition is true decides; none: block. A
 * condition that cannot be evaluated blocks in a block rule and does not match in an allow rule.
 *
 * The context, dotted names; absent parts are "", 0, [] or {}:
 *     network.hostname network.ip network.port(int) network.protocol
 *     http.method http.path http.host http.headers(map of strings) http.body_size(int)
 *     dns.query dns.record_type
 *     docker.image docker.command[] docker.volumes[] docker.env_keys[] docker.capabilities[]
 *     run.tool run.args[] run.flags[] run.cwd run.context(map of strings to anything)
 *     agent.name agent.container_id agent.image agent.labels(map of strings)
 * Source: spec section 10. */
#ifndef OUTCALL_POLICY_H
#define OUTCALL_POLICY_H
#include "cel.h"
#include "log.h"
OUTCALL_BEGIN_DECLS

/* One loaded set of rules: immutable, reference counted, usable by all threads at once. */
typedef struct outcall_policy outcall_policy;
/* One request's facts; one thread at a time, reused from request to request. */
typedef struct outcall_context outcall_context;
/* The one cell that changes: holds the set in force and swaps it at once. Usable by all threads. */
typedef struct outcall_policy_slot outcall_policy_slot;

/* Zero is the safe value. Append only. */
enum outcall_action { OUTCALL_BLOCK = 0, OUTCALL_ALLOW = 1, OUTCALL_ACTION_FORCE_INT = INT32_MAX };
enum outcall_egress {
    OUTCALL_EGRESS_PROXY = 0,
    OUTCALL_EGRESS_DIRECT_IP = 1,
    OUTCALL_EGRESS_FORCE_INT = INT32_MAX
};

/* What the rules say. Pointers are borrowed from the policy. Start from OUTCALL_VERDICT_INIT. */
typedef struct outcall_verdict {
    int action;            /* enum outcall_action */
    const char *rule_id;   /* the rule that decided; NULL: none matched, which blocks */
    const char *file;      /* its file, without the directory; NULL with rule_id */
    const char *reason;    /* safe to show to an agent; NULL: none */
    int rule_error;        /* 1: a block rule could not be evaluated, and blocks */
    int egress;            /* enum outcall_egress */
    int allow_private_ips; /* 1 or 0 */
    const uint16_t *ports; /* n_ports of them, NULL with 0: no restriction */
    size_t n_ports;
    int log;              /* 1: the rule asks for a record */
    unsigned errors_n;    /* rules that could not be evaluated on the way, this one included */
    uint32_t reserved[3]; /* zero */
} outcall_verdict;
#define OUTCALL_VERDICT_INIT                                                        \
    {                                                                               \
        OUTCALL_BLOCK, NULL, NULL, NULL, 0, OUTCALL_EGRESS_PROXY, 0, NULL, 0, 0, 0, \
        {                                                                           \
            0, 0, 0                                                                 \
        }                                                                           \
    }

/* A refusal or, with warning 1, something to look at that is no refusal. problem: source, line, column, text;
 * borrowed for the call. Called on the loading thread. */
typedef void (*outcall_policy_problem_fn)(void *userdata, const outcall_error *problem, int warning);

/* What to load: exactly one of dir and text. Everything is borrowed for the call, but for log, which the set
 * keeps by reference. */
typedef struct outcall_policy_options {
    unsigned version;
    const char *dir;  /* every *.yaml and *.yml in it that does not begin with ".", by name in byte order; all
                         of them have to be regular files, not symlinks; NULL: text */
    const char *name; /* what text is called in errors and verdicts; NULL: "rules.yaml" */
    const char *text;
    size_t text_len;
    outcall_policy_problem_fn problem; /* told every refusal of a set, up to 100, where err gets the first;
                                          and every warning, up to 1000. NULL: not told */
    void *userdata;
    outcall_log *log;          /* evaluation errors of rules go there, target "policy"; NULL: nowhere */
    unsigned tests_timeout_ms; /* for all tests together (60 000) [600 000] */
    size_t expanded_max_bytes; /* of all conditions and definitions, $names written out (64 MiB) [64 MiB] */
    int guarded; /* 1: each file of dir must be root's or this process's user's, and no other's to write */
} outcall_policy_options;
#define OUTCALL_POLICY_OPTIONS_INIT                       \
    {                                                     \
        1, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 0 \
    }

/* Loads a set: all or nothing, the tests in the files included. A directory that is missing or has no rules
 * is an empty set, which blocks everything, with a warning. *ret: new, outcall_policy_unref.
 * err->source, line and column name file (without the directory) and place; the text begins with the rule's
 * id where there is one: `rule "x": ...`. OUTCALL_E_SYNTAX: malformed YAML or CEL, unknown or repeated key,
 * wrong value; _TYPE: a condition that does not type-check, a field of a test with another type; _UNDECLARED:
 * an unknown variable, function, field or $name; _EXISTS: an id is used twice; _LIMIT: a file over 4 MiB, a
 * set over 64 MiB or 100 000 rules, nesting, aliases, a definition that grows beyond 64 KiB; _DENIED: a test
 * came out otherwise than it says, or a file is not guarded; _TIMEOUT: the tests take too long; _INVALID: an
 * argument, or an entry of the directory that is named like a rule file and is no regular file, or whose name
 * is not printable; _SYSTEM: reading (sys_errno); _NO_MEMORY. Reads files. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_load(outcall_policy **ret,
                                                      const outcall_policy_options *opts, outcall_error *err);
/* The same with dir and log alone. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_load_dir(outcall_policy **ret, const char *dir,
                                                          outcall_log *log, outcall_error *err);
/* The same with name, text and log alone; len bytes, not kept. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_load_text(outcall_policy **ret, const char *name,
                                                           const char *yaml, size_t len, outcall_log *log,
                                                           outcall_error *err);
/* One more owner. NULL is allowed; returns p. Any thread. Since 0.1.0. */
OUTCALL_API outcall_policy *outcall_policy_ref(outcall_policy *p);
/* One owner less; the last one frees it. NULL is allowed; returns NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_policy *outcall_policy_unref(outcall_policy *p);
/* How many rules and files there are, and warnings of the load. 0 for NULL. Since 0.1.0. */
OUTCALL_API size_t outcall_policy_rules_n(const outcall_policy *p);
OUTCALL_API size_t outcall_policy_files_n(const outcall_policy *p);
OUTCALL_API size_t outcall_policy_warnings_n(const outcall_policy *p);
/* Warning i as one line, borrowed from p; NULL when there is none. Since 0.1.0. */
OUTCALL_API const char *outcall_policy_warning_at(const outcall_policy *p, size_t i);

/* One rule. Pointers are borrowed from the policy; text that was not given is NULL. */
typedef struct outcall_rule_info {
    const char *id, *file;
    int line; /* where the rule begins, 1-based */
    int action, priority;
    const char *condition; /* as written in the file */
    const char *description, *reason;
    const char *const *agents; /* n_agents names; NULL with 0: all */
    size_t n_agents;
    int log, egress, allow_private_ips;
    const uint16_t *ports;
    size_t n_ports;
    uint64_t hits, errors; /* decided by it; could not be evaluated; since the set was loaded */
    uint32_t reserved[4];  /* zero */
} outcall_rule_info;
/* Rule i in the order of evaluation. 0, or OUTCALL_E_NOT_FOUND, _INVALID. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_rule_at(const outcall_policy *p, size_t i,
                                                         outcall_rule_info *ret);
/* The rule of that id. Errors as above. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_rule_find(const outcall_policy *p, const char *id,
                                                           outcall_rule_info *ret);

/* A rule file in the project's own layout: the same rules, tests and comments, two spaces of indentation,
 * keys in the order of the example above. The text need not load as a set (unknown $names, types), but has to
 * be a rule file by its keys. *ret: new, free(); *ret_len bytes without the NUL. Formatting twice gives the
 * same as once. Errors as for outcall_policy_load, and OUTCALL_E_INTERNAL: what came out would not say the
 * same, so nothing does. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_format(const char *name, const char *yaml, size_t len,
                                                        char **ret, size_t *ret_len, outcall_error *err);

/* A new context in which everything is absent: yours, outcall_context_free. OUTCALL_E_INVALID, _NO_MEMORY.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_context_new(outcall_context **ret);
/* NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_context *outcall_context_free(outcall_context *c);
/* Everything absent again; memory is kept for the next request. Since 0.1.0. */
OUTCALL_API void outcall_context_reset(outcall_context *c);
/* How long one decision may take, milliseconds, 1 to 60 000 (10 000 at first; chosen here): then what is left
 * is blocked. OUTCALL_E_INVALID. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_context_timeout_ms(outcall_context *c, unsigned ms);
/* Set a field by its dotted name; text is copied, UTF-8. Setting again replaces; pair adds to a map or
 * replaces the value of that key, and never fits run.context's nested values (see outcall_context_json).
 * OUTCALL_E_INVALID: an argument, no UTF-8; _NOT_FOUND: no such field; _TYPE: the field is of another type;
 * _LIMIT: more than 4 MiB in all; _NO_MEMORY. Nothing changes on failure. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_context_string(outcall_context *c, const char *field, const char *s,
                                                         size_t len);
OUTCALL_API OUTCALL_NODISCARD int outcall_context_int(outcall_context *c, const char *field, int64_t v);
OUTCALL_API OUTCALL_NODISCARD int outcall_context_strings(outcall_context *c, const char *field,
                                                          const char *const *v, size_t n);
OUTCALL_API OUTCALL_NODISCARD int outcall_context_pair(outcall_context *c, const char *map, const char *key,
                                                       const char *value);
/* Sets every field that the JSON object names: {"network": {"hostname": "x", "port": 443}, ...}. Unknown
 * members are OUTCALL_E_UNDECLARED with the nearest known name, wrong types _TYPE, malformed text _SYNTAX.
 * The context is as before on failure. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_context_json(outcall_context *c, const char *json, size_t len,
                                                       outcall_error *err);

/* What the rules say. *ret is OUTCALL_VERDICT_INIT before anything else, and stays so, which blocks, on any
 * failure: OUTCALL_E_INVALID: an argument is NULL; _TIMEOUT: the context's time is up; _NO_MEMORY. A rule
 * that cannot be evaluated is no failure of the call. Takes no lock, allocates nothing in the common case,
 * does not block. One thread per context; the policy may be shared. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_decide(const outcall_policy *p, outcall_context *c,
                                                        outcall_verdict *ret, outcall_error *err);
/* Why, as a JSON object: {"decision": "allow"|"block", "matched_rule": id or null, "file", "reason",
 * "rule_error": bool, "matched": {"condition", "parts": [{"text", "value": bool or null, then with
 * "error"}]} or null, "nearest": [{"rule", "file", "line", "action", "true_parts", "parts_n", "false": the
 * first sub-expression that was not true, "error": text or null}]}, the nearest five of the rules before the
 * verdict. *ret_json: new, free(). Costs a look at every rule: not for the path of requests. Errors as above.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_explain(const outcall_policy *p, outcall_context *c,
                                                         char **ret_json, outcall_error *err);
/* One expression against a context, with the variables and functions that a rule has: *ret 1 or 0. Errors as
 * outcall_cel_compile and outcall_cel_run. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_context_test(outcall_context *c, const char *expr, size_t len,
                                                       int *ret, outcall_error *err);

/* One decision as it is recorded. Borrowed for the call; never holds values of the environment, headers or
 * bodies. */
typedef struct outcall_decision {
    const char *container;    /* its full name; NULL: not known */
    const char *agent;        /* agent.name; NULL: not known */
    const char *action_type;  /* "container_create", "tool_exec", ...; required */
    const char *target;       /* what it is about: an image, a program, a host; NULL: none */
    const outcall_verdict *v; /* required; its rule may be NULL */
    int allowed;              /* what became of it: a create that no rule matches is allowed */
    int failure;          /* enum outcall_code: the rules could not be asked, which blocks; 0: they were */
    uint64_t generation;  /* of the set that was asked */
    uint64_t duration_us; /* of the evaluation, microseconds */
    uint32_t reserved[4]; /* zero */
} outcall_decision;
/* Where decisions are recorded. On the thread that decided, so it must not block. */
typedef void (*outcall_decision_fn)(void *userdata, const outcall_decision *decision);

/* A cell with a set in it; generation 1. take: owned by the slot on success, may be NULL (an empty set, which
 * blocks). *ret: yours, outcall_policy_slot_free. OUTCALL_E_INVALID, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_policy_slot_new(outcall_policy_slot **ret, outcall_policy *take);
/* NULL is allowed; returns NULL. No thread may still use it; sets that were got stay valid. Since 0.1.0. */
OUTCALL_API outcall_policy_slot *outcall_policy_slot_free(outcall_policy_slot *s);
/* The set in force: a new reference, outcall_policy_unref; and its generation, when ret_generation is not
 * NULL. Never NULL unless s is. Any thread, never waits. Since 0.1.0. */
OUTCALL_API outcall_policy *outcall_policy_slot_get(outcall_policy_slot *s, uint64_t *ret_generation);
/* Puts a set in force, one generation on, and returns that generation. take is owned by the slot; NULL is the
 * empty set. Any thread; waits for slot_get calls under way (some instructions), not for decisions. Since
 * 0.1.0. */
OUTCALL_API uint64_t outcall_policy_slot_swap(outcall_policy_slot *s, outcall_policy *take);

OUTCALL_DEFINE_CLEANUP(outcall_policy, outcall_policy_unref)
OUTCALL_DEFINE_CLEANUP(outcall_context, outcall_context_free)
OUTCALL_DEFINE_CLEANUP(outcall_policy_slot, outcall_policy_slot_free)
OUTCALL_END_DECLS
#endif
