#include "base/fd.h"
#include "base/path.h"
#include "core/error.h"
#include "daemon/config.h"
#include "yaml/yaml.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_rule_file(const char *name)
{
    size_t len = strlen(name);
    if (name[0] == '.')
        return false;
    return (len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
           (len > 4 && strcmp(name + len - 4, ".yml") == 0);
}

static int filter(const struct dirent *e)
{
    return is_rule_file(e->d_name);
}

/* By bytes: the order must not depend on a locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int check_file(int dir_fd, const char *name, size_t *total, outcall_error *err)
{
    OC_FREE char *text = NULL;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    struct stat st;
    size_t len = 0;
    OC_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return oc_fail_errno(err, "cannot be read");
    if (!S_ISREG(st.st_mode))
        return oc_fail(err, OUTCALL_E_DENIED, "is not a regular file");
    int r = oc_read_all(fd, OC_CONFIG_RULE_FILE_MAX, &text, &len);
    if (r == OUTCALL_E_LIMIT)
        return oc_fail(err, r, "larger than %zu bytes", OC_CONFIG_RULE_FILE_MAX);
    if (r < 0)
        return oc_fail_code(err, r, "cannot be read");
    *total += len;
    if (*total > OC_CONFIG_RULE_SET_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "all rule files together are larger than %zu bytes",
                       OC_CONFIG_RULE_SET_MAX);
    return oc_yaml_load(text, len, &root, err);
}

static int check_files(const char *dir, int dir_fd, size_t *ret_n, outcall_error *err)
{
    struct dirent **list = NULL;
    int n = scandirat(dir_fd, ".", &list, filter, by_name);
    if (n < 0 && errno == ENOMEM)
        return oc_no_memory(err);
    if (n < 0)
        return oc_fail_errno(err, "rules-dir: cannot read \"%.256s\"", dir);
    int r = 0;
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        char path[OUTCALL_ERROR_SOURCE];
        if (r == 0)
            r = check_file(dir_fd, list[i]->d_name, &total, err);
        if (r < 0 && oc_format(path, sizeof(path), "%s/%s", dir, list[i]->d_name) == 0)
            oc_error_at(err, path, 0, 0);
        free(list[i]);
    }
    free(list);
    if (r == 0)
        *ret_n = (size_t)n;
    return r;
}

int outcall_daemon_check(const outcall_daemon_options *opts, outcall_daemon_report *ret, outcall_error *err)
{
    OC_CLEANUP(oc_config_done) struct oc_config config = {.socket_group = (gid_t)-1};
    outcall_daemon_report report = {0};
    OC_CLOSE int fd = -1;
    const char *why = NULL;
    int r = oc_config_from(opts, &config, err);
    if (r < 0)
        return r;
    r = oc_open_safe_dir(config.rules_dir, false, 0, &fd, &why);
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, r, "rules-dir: \"%s\" %s", config.rules_dir, why);
    if (r < 0 && errno != ENOENT)
        return oc_fail_code(err, r, "rules-dir: cannot open \"%s\"", config.rules_dir);
    report.rules_dir_exists = fd >= 0;
    r = fd >= 0 ? check_files(config.rules_dir, fd, &report.rule_files_n, err) : 0;
    if (r == 0 && ret)
        *ret = report;
    return r;
}
