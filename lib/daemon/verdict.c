/* Where decisions are recorded, whoever asked for them: one event each, and one log record. */
#include "core/log.h"
#include "daemon/daemon.h"

static const char *or_none(const char *s)
{
    return s ? s : "-";
}

void oc_daemon_record(void *userdata, const outcall_decision *d)
{
    const outcall_daemon *daemon = userdata;
    const outcall_verdict *v = d->v;
    int level = d->failure || v->rule_error ? OUTCALL_LOG_WARN : OUTCALL_LOG_INFO;
    oc_log(daemon->log, level, "verdict",
           "%s %s: container %s, agent %s, target \"%s\", rule %s%s%s, generation %llu, %llu us",
           d->allowed ? "allowed" : "blocked", d->action_type, or_none(d->container), or_none(d->agent),
           or_none(d->target), or_none(v->rule_id), v->rule_error ? " (it could not be evaluated)" : "",
           d->failure ? " (the rules could not be asked)" : "", (unsigned long long)d->generation,
           (unsigned long long)d->duration_us);
    if (daemon->api)
        outcall_host_api_verdict(daemon->api, d);
}
