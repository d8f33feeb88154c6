#include "base/fd.h"
#include "base/path.h"
#include "core/error.h"
#include "core/log.h"
#include "policy/request_store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PREFIX    "agent-"
#define SUFFIX    ".yaml"
#define NAME_SIZE (sizeof(PREFIX) + OC_REQUEST_ID_SIZE + sizeof(SUFFIX))

static void name_of(const char *id, char name[NAME_SIZE])
{
    (void)oc_format(name, NAME_SIZE, "%s%s%s", PREFIX, id, SUFFIX);
}

/* The id in "agent-<id>.yaml" followed by rest; false: it is no such name. */
static bool parse_name(const char *name, char id[OC_REQUEST_ID_SIZE], const char **ret_rest)
{
    size_t prefix = strlen(PREFIX), n = OC_REQUEST_ID_SIZE - 1;
    if (!oc_starts_with(name, PREFIX) || strlen(name) < prefix + n + strlen(SUFFIX) ||
        !oc_starts_with(name + prefix + n, SUFFIX))
        return false;
    (void)oc_copy(id, OC_REQUEST_ID_SIZE, name + prefix, n);
    *ret_rest = name + prefix + n + strlen(SUFFIX);
    return oc_request_id_valid(id, n);
}

/* *ret_fd: -1 when the directory is missing and must not be made. */
static int open_rules(outcall_requests *s, bool create, int *ret_fd, outcall_error *err)
{
    const char *why = NULL;
    int r = oc_open_safe_dir(s->rules_dir, create, 0755, ret_fd, &why);
    if (r == OUTCALL_E_SYSTEM && errno == ENOENT && !create)
        return 0;
    if (r == OUTCALL_E_DENIED)
        return oc_fail(err, OUTCALL_E_INVALID, "directory of rules \"%s\" %s", s->rules_dir, why);
    return r < 0 ? oc_fail_code(err, r, "directory of rules \"%s\"", s->rules_dir) : 0;
}

int oc_requests_place(outcall_requests *s, const outcall_request *r, outcall_error *err)
{
    char name[NAME_SIZE];
    OC_CLOSE int fd = -1;
    name_of(r->id, name);
    int e = open_rules(s, true, &fd, err);
    if (e < 0)
        return e;
    e = oc_write_file_atomic(fd, name, r->active, strlen(r->active), 0600);
    return e < 0 ? oc_fail_code(err, e, "rules of request %s cannot be stored", r->id) : 0;
}

int oc_requests_remove(outcall_requests *s, const char *id, outcall_error *err)
{
    char name[NAME_SIZE];
    OC_CLOSE int fd = -1;
    name_of(id, name);
    int r = open_rules(s, false, &fd, err);
    if (r < 0 || fd < 0)
        return r;
    if ((unlinkat(fd, name, 0) < 0 && errno != ENOENT) || fsync(fd) < 0)
        return oc_fail_errno(err, "rules of request %s cannot be removed", id);
    return 0;
}

/* What is left of an approval that did not come to its end: its request is not marked. The rules of requests
 * that are not known here any more stay. */
static bool is_left_over(outcall_requests *s, const char *name)
{
    char id[OC_REQUEST_ID_SIZE];
    const char *rest = NULL;
    if (name[0] == '.' && parse_name(name + 1, id, &rest))
        return rest[0] == '.' && strlen(rest + 1) == 16 && strspn(rest + 1, "0123456789abcdef") == 16;
    if (!parse_name(name, id, &rest) || *rest)
        return false;
    const struct oc_request_entry *e = oc_requests_find(s, id);
    return e && e->status != OUTCALL_REQUEST_APPROVED;
}

static int clean(outcall_requests *s, int dir_fd, const char *name, outcall_error *err)
{
    if (!is_left_over(s, name))
        return 0;
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return oc_fail_errno(
            err, "\"%s\" in the directory of rules, which nobody approved, cannot be removed", name);
    oc_log(s->log, OUTCALL_LOG_WARN, OC_REQUESTS_LOG,
           "removed \"%s\" from the directory of rules: its approval was interrupted", name);
    (void)oc_fault(OC_FAULT_OPEN);
    return 0;
}

int oc_requests_clean_rules(outcall_requests *s, outcall_error *err)
{
    OC_CLOSE int fd = -1;
    int r = open_rules(s, false, &fd, err);
    if (r < 0 || fd < 0)
        return r;
    int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (!dir) {
        oc_close(own_fd);
        return errno == ENOMEM ? oc_no_memory(err) : oc_fail_errno(err, "the directory of rules");
    }
    const struct dirent *e = NULL;
    for (errno = 0; r == 0 && (e = readdir(dir)); errno = 0) /* NOLINT(concurrency-mt-unsafe): ours alone */
        r = clean(s, fd, e->d_name, err);
    if (r == 0 && errno != 0)
        r = oc_fail_errno(err, "the directory of rules");
    (void)closedir(dir);
    if (r == 0 && fsync(fd) < 0)
        r = oc_fail_errno(err, "the directory of rules");
    return r;
}
