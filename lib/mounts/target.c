#include "mounts/target.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/mounts.h"
#include <string.h>

/* Spec section 4. A mount over one of these, or over a directory above it, would replace what the daemon
 * put there. */
static const char *const kept[] = {"/run/outcall", "/usr/local/bin/outcall", "/etc/resolv.conf", "/etc/hosts",
                                   "/etc/hostname"};
/* Nothing may be mounted inside these either. */
static const char *const closed[] = {"/proc", "/sys", "/dev", "/run/outcall"};

const char *oc_target_conflict(const char *target)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(kept); i++)
        if (oc_path_contains(target, kept[i]))
            return kept[i];
    for (size_t i = 0; i < OC_ARRAY_SIZE(closed); i++)
        if (oc_path_contains(target, closed[i]) || oc_path_contains(closed[i], target))
            return closed[i];
    return NULL;
}

static int check_text(const char *target, outcall_error *err)
{
    if (!target)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID, "mount has no target");
    size_t len = strlen(target);
    if (!oc_utf8_valid(target, len) || oc_has_control(target, len))
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                            "mount target is not UTF-8 without control characters");
    if (oc_path_is_clean(target))
        return 0;
    int r = oc_fail_kind(
        err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
        "mount target \"%s\" must be an absolute path without \"//\", \".\", \"..\" or a slash at its "
        "end",
        target);
    oc_error_at(err, target, 0, 0);
    return r;
}

static int check_one(const outcall_mount *mounts, size_t i, outcall_error *err)
{
    const char *target = mounts[i].target;
    int r = check_text(target, err);
    if (r < 0)
        return r;
    const char *conflict = oc_target_conflict(target);
    if (conflict)
        r = oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                         "mount denied: target \"%s\" conflicts with \"%s\", which outcall keeps for itself",
                         target, conflict);
    for (size_t k = 0; r == 0 && k < i; k++)
        if (oc_streq(mounts[k].target, target))
            r = oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                             "mount target \"%s\" is given twice", target);
    oc_error_at(r < 0 ? err : NULL, target, 0, 0);
    return r;
}

int outcall_mounts_check_targets(const outcall_mount *mounts, size_t n, outcall_error *err)
{
    if (n > OUTCALL_MOUNTS_MAX)
        return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_MOUNT_INVALID,
                            "too many mounts: %zu (at most %d)", n, OUTCALL_MOUNTS_MAX);
    if (n > 0 && !mounts)
        return oc_fail(err, OUTCALL_E_INVALID, "outcall_mounts_check_targets: NULL argument");
    for (size_t i = 0; i < n; i++) {
        int r = check_one(mounts, i, err);
        if (r < 0)
            return r;
    }
    return 0;
}
