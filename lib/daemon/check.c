#include "core/error.h"
#include "daemon/config.h"
#include "daemon/rules.h"

int outcall_daemon_check(const outcall_daemon_options *opts, outcall_daemon_report *ret, outcall_error *err)
{
    OC_CLEANUP(oc_config_done) struct oc_config config = {.socket_group = (gid_t)-1};
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *policy = NULL;
    outcall_daemon_report report = {0};
    bool exists = false;
    int r = oc_config_from(opts, &config, err);
    if (r == 0)
        r = oc_rules_load(config.rules_dir, opts->log, &policy, &exists, err);
    if (r < 0)
        return r;
    report.rules_dir_exists = exists;
    report.rule_files_n = outcall_policy_files_n(policy);
    report.rules_n = outcall_policy_rules_n(policy);
    report.warnings_n = outcall_policy_warnings_n(policy);
    if (ret)
        *ret = report;
    return 0;
}
