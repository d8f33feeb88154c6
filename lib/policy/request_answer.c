#include "core/error.h"
#include "core/log.h"
#include "policy/request_store.h"

static int busy(outcall_error *err, const char *id, int status)
{
    return oc_fail_kind(err, OUTCALL_E_BUSY, OUTCALL_KIND_CONFLICT, "request \"%s\" was %s already", id,
                        outcall_request_status_name(status));
}

static int fault(const char *place, outcall_error *err)
{
    return oc_fault(place) ? oc_fail(err, OUTCALL_E_INTERNAL, "fault point %s", place) : 0;
}

static int reload(outcall_requests *s, size_t *ret_n, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = s->reload(s->userdata, ret_n, &why);
    if (r >= 0)
        return 0;
    (void)oc_fail_kind(err, r, why.kind, "%s", why.code ? why.text : outcall_code_string(r));
    oc_error_at(err, why.source, why.line, why.column);
    return r;
}

/* The rules go again, and what is in force is what was before. A file that would not go is no reason to leave
 * its rules in force unsaid: the error tells, and the next start removes it. */
static void take_back(outcall_requests *s, const char *id, bool loaded, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    size_t n = 0;
    int r = oc_requests_remove(s, id, &why);
    (void)oc_fault(OC_FAULT_REMOVED);
    if (r == 0 && loaded)
        r = reload(s, &n, &why);
    (void)oc_fault(OC_FAULT_RESTORED);
    if (r == 0)
        return;
    oc_error_append(err, "and taking its rules back failed: %s", why.text);
    oc_log_error(s->log, OUTCALL_LOG_ERROR, OC_REQUESTS_LOG, &why,
                 "the rules of request %s, which is not approved, could not be taken back", id);
}

/* Marks it on the disk, then in the index. A mark that may or may not have got there is put back. */
static int mark(outcall_requests *s, outcall_request *r, int status, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    r->status = status;
    int e = oc_requests_write(s, r, err);
    if (e == 0) {
        oc_requests_find(s, r->id)->status = status;
        (void)oc_fault(OC_FAULT_ANSWERED);
        return 0;
    }
    r->status = OUTCALL_REQUEST_PENDING;
    free(r->reason);
    r->reason = NULL;
    if (oc_requests_write(s, r, &why) < 0)
        oc_error_append(err, "and it could not be marked pending again: %s", why.text);
    return e;
}

static int approve(outcall_requests *s, outcall_request *r, size_t *ret_n, outcall_error *err)
{
    int e = fault(OC_FAULT_APPROVE, err);
    if (e < 0)
        return e;
    e = oc_requests_place(s, r, err);
    if (e == 0)
        e = fault(OC_FAULT_PLACED, err);
    bool loaded = e == 0;
    if (e == 0)
        e = reload(s, ret_n, err);
    if (e == 0)
        e = fault(OC_FAULT_LOADED, err);
    if (e == 0)
        e = mark(s, r, OUTCALL_REQUEST_APPROVED, err);
    if (e < 0)
        take_back(s, r->id, loaded, err);
    return e;
}

static size_t rules_in_force(const outcall_requests *s)
{
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *p = s->in_force ? outcall_policy_slot_get(s->in_force, NULL) : NULL;
    return outcall_policy_rules_n(p);
}

/* The pending request of that id. 1: it has that answer already. */
static int find(outcall_requests *s, const char *id, int answer, outcall_request **ret, outcall_error *err)
{
    const struct oc_request_entry *e = oc_requests_find(s, id);
    if (!e)
        return oc_requests_not_found(err, id);
    if (e->status == answer)
        return 1;
    return e->status == OUTCALL_REQUEST_PENDING ? oc_requests_read(s, id, ret, err)
                                                : busy(err, id, e->status);
}

int outcall_requests_approve(outcall_requests *s, const char *id, size_t *ret_rules_n, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    size_t n = 0;
    if (!s || !id)
        return oc_fail(err, OUTCALL_E_INVALID, "s and id are required");
    (void)pthread_mutex_lock(&s->lock);
    int r = find(s, id, OUTCALL_REQUEST_APPROVED, &request, err);
    if (r == 1)
        n = rules_in_force(s);
    else if (request)
        r = approve(s, request, &n, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (r < 0)
        return r;
    if (request)
        oc_log(s->log, OUTCALL_LOG_INFO, OC_REQUESTS_LOG, "request %s of %s is approved", id, request->agent);
    if (ret_rules_n)
        *ret_rules_n = n;
    return 0;
}

static int reject(outcall_requests *s, outcall_request *r, const char *reason, outcall_error *err)
{
    int e = fault(OC_FAULT_REJECT, err);
    if (e == 0 && oc_dup(&r->reason, reason) < 0)
        e = oc_no_memory(err);
    return e < 0 ? e : mark(s, r, OUTCALL_REQUEST_REJECTED, err);
}

int outcall_requests_reject(outcall_requests *s, const char *id, const char *reason, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    if (!s || !id)
        return oc_fail(err, OUTCALL_E_INVALID, "s and id are required");
    if (reason && !oc_request_reason_valid(reason))
        return oc_fail(err, OUTCALL_E_INVALID, "reason: expected one line of UTF-8 of at most %d bytes",
                       OC_REQUEST_REASON_MAX);
    (void)pthread_mutex_lock(&s->lock);
    int r = find(s, id, OUTCALL_REQUEST_REJECTED, &request, err);
    if (request)
        r = reject(s, request, reason, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (r < 0)
        return r;
    if (request)
        oc_log(s->log, OUTCALL_LOG_INFO, OC_REQUESTS_LOG, "request %s of %s is rejected", id, request->agent);
    return 0;
}
