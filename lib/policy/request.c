#include "policy/request.h"

#include "policy/load.h"
#include <string.h>

static const char *const words[] = {"pending", "approved", "rejected"};

const char *outcall_request_status_name(int status)
{
    return status >= 0 && (size_t)status < OC_ARRAY_SIZE(words) ? words[status] : "unknown";
}

int oc_request_status_parse(const char *word, int *ret)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(words); i++) {
        if (!oc_streq(word, words[i]))
            continue;
        *ret = (int)i;
        return 0;
    }
    return OUTCALL_E_NOT_FOUND;
}

bool oc_request_id_valid(const char *id, size_t len)
{
    if (len != OC_REQUEST_ID_SIZE - 1 || !oc_starts_with(id, OC_REQUEST_PREFIX))
        return false;
    size_t prefix = strlen(OC_REQUEST_PREFIX);
    return strspn(id + prefix, "0123456789abcdef") >= len - prefix;
}

bool oc_request_agent_valid(const char *agent)
{
    size_t len = strlen(agent);
    return len <= OC_REQUEST_AGENT_MAX && oc_keys_id(agent, len); /* what a rule may name */
}

bool oc_request_reason_valid(const char *reason)
{
    size_t len = strlen(reason);
    return len <= OC_REQUEST_REASON_MAX && oc_utf8_valid(reason, len) && !oc_has_control(reason, len);
}

outcall_request *outcall_request_free(outcall_request *r)
{
    if (!r)
        return NULL;
    free(r->reason);
    free(r->text);
    free(r->active);
    oc_strings_done(&r->rules);
    oc_strings_done(&r->allows);
    free(r);
    return NULL;
}

void outcall_request_free_many(outcall_request **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)outcall_request_free(v[i]);
    free(v);
}

const char *outcall_request_id(const outcall_request *r)
{
    return r->id;
}

const char *outcall_request_agent(const outcall_request *r)
{
    return r->agent;
}

const char *outcall_request_created_at(const outcall_request *r)
{
    return r->created_at;
}

int outcall_request_status(const outcall_request *r)
{
    return r->status;
}

const char *outcall_request_reason(const outcall_request *r)
{
    return r->reason;
}

const char *outcall_request_text(const outcall_request *r)
{
    return r->text;
}

const char *outcall_request_active_text(const outcall_request *r)
{
    return r->active;
}

const char *outcall_request_rule(const outcall_request *r, size_t i)
{
    return i < r->rules.n ? r->rules.v[i] : NULL;
}

const char *outcall_request_allows(const outcall_request *r, size_t i)
{
    return i < r->allows.n ? r->allows.v[i] : NULL;
}
