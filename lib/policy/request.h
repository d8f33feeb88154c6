/* policy/request.h - one rule request: its fields, its form on disk, and the text that would become active.
 */
#ifndef POLICY_REQUEST_H
#define POLICY_REQUEST_H
#include "base/str.h"
#include "outcall/requests.h"
#include "yaml/yaml.h"
#include <string.h>

#define OC_REQUEST_PREFIX     "rr-"
#define OC_REQUEST_ID_SIZE    16 /* the prefix, 12 hexadecimal digits, NUL */
#define OC_REQUEST_AGENT_MAX  128
#define OC_REQUEST_REASON_MAX 1024
#define OC_REQUEST_TEXT_MAX   ((size_t)4 << 20)  /* of each text; spec section 10: a rule file */
#define OC_REQUEST_FILE_MAX   ((size_t)12 << 20) /* both texts and the line before them */
#define OC_REQUEST_PRIORITY_MIN \
    101 /* after the operator's own rules, whose priority is 100 unless they say */

struct outcall_request {
    char id[OC_REQUEST_ID_SIZE];
    char agent[OC_REQUEST_AGENT_MAX + 1];
    char created_at[32];
    uint64_t number; /* in the order of submission */
    int status;
    char *reason, *text, *active;    /* active: as oc_request_active made it from text */
    struct oc_strings rules, allows; /* from active; not on disk */
};

bool oc_request_id_valid(const char *id, size_t len);
bool oc_request_agent_valid(const char *agent);
bool oc_request_reason_valid(const char *reason);
/* OUTCALL_E_NOT_FOUND. */
OC_NODISCARD int oc_request_status_parse(const char *word, int *ret);

/* The form on disk: a line of JSON and, after it, the two texts as they are. *ret: new. OUTCALL_E_NO_MEMORY,
 * _LIMIT. */
OC_NODISCARD int oc_request_entry_encode(const outcall_request *r, char **ret, size_t *ret_len);
/* *ret: new, outcall_request_free. OUTCALL_E_SYNTAX: anything but what oc_request_entry_encode wrote;
 * _NO_MEMORY. Fills allows too. */
OC_NODISCARD int oc_request_entry_decode(const char *data, size_t len, outcall_request **ret,
                                         outcall_error *err);

/* The text that would become active: the same rules, definitions and tests, each rule for this agent alone
 * and with a priority, each test about this agent unless it names one. Nothing but the tree that lib/yaml
 * reads gets into it, and it is read again to see that it says the same. What is no rule file need not be
 * refused here: see oc_request_check. *ret: new, free(). OUTCALL_E_SYNTAX, _LIMIT (with place), _INVALID (no
 * rules), _NO_MEMORY. */
OC_NODISCARD int oc_request_active(const char *agent, const char *yaml, size_t len, char **ret,
                                   outcall_error *err);
/* Fills rules and allows from active. OUTCALL_E_SYNTAX: active is no rule file; _LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_request_summarize(outcall_request *r, outcall_error *err);

/* Holds a rule file to what a load holds it to, as oc_request_active makes it, which is *ret_active: new,
 * free(). in_force: NULL, or the set whose rules' ids are taken. Errors of outcall_requests_submit. */
OC_NODISCARD int oc_request_check(const char *agent, const char *yaml, size_t len, outcall_policy *in_force,
                                  char **ret_active, outcall_error *err);

#endif
