/* What goes into the event stream, and the counters behind the metrics. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "host_api/api.h"
#include <time.h>

#define VERDICT_SIZE 400 /* bytes of a usual one */

static void add(outcall_host_api *h, json_t *take_event)
{
    OC_JSON json_t *event = take_event;
    oc_event_log_add(h->events, event ? oc_json_dump(event, NULL) : NULL);
}

static const char *now(char buf[OC_RFC3339_SIZE])
{
    oc_rfc3339(time(NULL), buf);
    return buf;
}

void outcall_host_api_event(outcall_host_api *h, const char *type, const char *action, const char *name,
                            const char *id, const char *detail)
{
    char time[OC_RFC3339_SIZE];
    add(h, json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "time", now(time), "type", type, "action", action,
                     "name", name, "id", id, "detail", detail));
}

static int add_member(struct oc_buf *b, const char *name, const char *value)
{
    int r = oc_buf_str(b, name);
    return r < 0 ? r : oc_json_append(b, value);
}

/* As text at once: there may be thousands of them in a second, and an agent waits for each. */
static int write_verdict(struct oc_buf *b, const outcall_decision *d)
{
    char time[OC_RFC3339_SIZE];
    const struct {
        const char *name, *value;
    } members[] = {
        {"{\"time\":", now(time)},
        {",\"type\":", "verdict"},
        {",\"container\":", d->container},
        {",\"agent\":", d->agent},
        {",\"action_type\":", d->action_type},
        {",\"target\":", d->target},
        {",\"decision\":", d->allowed ? "allow" : "block"},
        {",\"rule\":", d->v->rule_id},
        {",\"file\":", d->v->file},
        {",\"error\":", d->failure ? outcall_code_string(d->failure) : NULL},
    };
    int r = oc_buf_reserve(b, VERDICT_SIZE);
    for (size_t i = 0; i < OC_ARRAY_SIZE(members) && r == 0; i++)
        r = add_member(b, members[i].name, members[i].value);
    return r < 0 ? r
                 : oc_buf_printf(b, ",\"generation\":%llu,\"duration_us\":%llu}",
                                 (unsigned long long)d->generation, (unsigned long long)d->duration_us);
}

void outcall_host_api_verdict(outcall_host_api *h, const outcall_decision *d)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    (void)atomic_fetch_add(d->allowed ? &h->allowed : &h->blocked, 1);
    (void)atomic_fetch_add(&h->rule_errors, d->v->errors_n);
    char *line = write_verdict(&b, d) == 0 ? oc_buf_take(&b, NULL) : NULL;
    if (line)
        oc_utf8_repair(line);
    oc_event_log_add(h->events, line);
}

void outcall_host_api_reloaded(outcall_host_api *h, const char *cause, const outcall_policy *policy,
                               uint64_t generation, const outcall_error *err)
{
    char time[OC_RFC3339_SIZE], text[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    if (err) {
        (void)outcall_error_format(err, text, sizeof(text));
        oc_utf8_repair(text); /* a file may have any name */
    }
    (void)atomic_fetch_add(err ? &h->failed_reloads : &h->reloads, 1);
    add(h, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s?}", "time", now(time), "type", "rules",
                     "action", err ? "reload-failed" : "reloaded", "cause", cause, "generation",
                     (json_int_t)generation, "files", (json_int_t)outcall_policy_files_n(policy), "rules",
                     (json_int_t)outcall_policy_rules_n(policy), "error", err ? text : NULL));
}
