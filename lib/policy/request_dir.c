#include "base/fd.h"
#include "core/error.h"
#include "core/log.h"
#include "policy/request_store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SUFFIX      ".request"
#define DAMAGED     ".damaged"
#define NAME_SIZE   (OC_REQUEST_ID_SIZE + sizeof(SUFFIX))
#define TEMP_DIGITS 16 /* oc_write_file_atomic: .<name>.<16 hexadecimal digits> */

static void name_of(const char *id, char name[NAME_SIZE])
{
    (void)oc_format(name, NAME_SIZE, "%s%s", id, SUFFIX);
}

static bool is_entry(const char *name, size_t len)
{
    size_t id = OC_REQUEST_ID_SIZE - 1;
    return len == id + strlen(SUFFIX) && oc_request_id_valid(name, id) &&
           memcmp(name + id, SUFFIX, strlen(SUFFIX)) == 0;
}

static bool is_temporary(const char *name)
{
    size_t len = strlen(name), tail = 1 + TEMP_DIGITS;
    if (name[0] != '.' || len < 1 + tail || name[len - tail] != '.' ||
        strspn(name + len - TEMP_DIGITS, "0123456789abcdef") != TEMP_DIGITS)
        return false;
    return is_entry(name + 1, len - 1 - tail);
}

/* A regular file and nothing else: looked at before it is opened, since to open a device can do something,
 * and again after. errno ENOTSUP: it is something else. */
static int open_regular(int dir_fd, const char *name, int *ret_fd)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return OUTCALL_E_SYSTEM;
    errno = ENOTSUP;
    if (!S_ISREG(st.st_mode))
        return OUTCALL_E_SYSTEM;
    OC_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return OUTCALL_E_SYSTEM;
    errno = ENOTSUP;
    if (!S_ISREG(st.st_mode))
        return OUTCALL_E_SYSTEM;
    *ret_fd = oc_take_fd(&fd);
    return 0;
}

/* OUTCALL_E_SYNTAX: it is damaged. What the system cannot do at the moment is no damage. */
static int load(outcall_requests *s, const char *id, outcall_request **ret, outcall_error *err)
{
    char name[NAME_SIZE];
    OC_CLOSE int fd = -1;
    OC_FREE char *data = NULL;
    size_t len = 0;
    name_of(id, name);
    int r = open_regular(s->dir_fd, name, &fd);
    if (r == 0)
        r = oc_read_all(fd, OC_REQUEST_FILE_MAX, &data, &len);
    if (r == OUTCALL_E_SYSTEM && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return oc_fail_errno(err, "request %s", id);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (r < 0)
        return r == OUTCALL_E_LIMIT ? oc_fail(err, OUTCALL_E_SYNTAX, "larger than any request")
               : errno == ENOTSUP   ? oc_fail(err, OUTCALL_E_SYNTAX, "no regular file")
                                    : oc_fail(err, OUTCALL_E_SYNTAX, "it cannot be read (errno %d)", errno);
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    r = oc_request_entry_decode(data, len, &request, err);
    if (r == 0 && strcmp(request->id, id) != 0)
        r = oc_fail(err, OUTCALL_E_SYNTAX, "it is the entry of request %s", request->id);
    if (r == 0)
        *ret = oc_take_ptr(&request);
    return r;
}

static void set_aside(outcall_requests *s, const char *id, const outcall_error *why)
{
    char name[NAME_SIZE], aside[NAME_SIZE + sizeof(DAMAGED)];
    name_of(id, name);
    (void)oc_format(aside, sizeof(aside), "%s%s", name, DAMAGED);
    int r = renameat(s->dir_fd, name, s->dir_fd, aside);
    oc_log_error(s->log, OUTCALL_LOG_WARN, OC_REQUESTS_LOG, why, "request %s is damaged and %s", id,
                 r == 0 ? "set aside" : "left out");
}

int oc_requests_read(outcall_requests *s, const char *id, outcall_request **ret, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = load(s, id, ret, &why);
    if (r == OUTCALL_E_SYNTAX) {
        struct oc_request_entry *e = oc_requests_find(s, id);
        set_aside(s, id, &why);
        if (e)
            oc_requests_drop(s, e);
        return oc_requests_not_found(err, id);
    }
    return r < 0 ? oc_fail(err, r, "%s", why.text) : 0;
}

int oc_requests_write(outcall_requests *s, const outcall_request *r, outcall_error *err)
{
    char name[NAME_SIZE];
    OC_FREE char *data = NULL;
    size_t len = 0;
    name_of(r->id, name);
    int e = oc_request_entry_encode(r, &data, &len);
    if (e == 0)
        e = oc_write_file_atomic(s->dir_fd, name, data, len, 0600);
    return e == 0                     ? 0
           : e == OUTCALL_E_NO_MEMORY ? oc_no_memory(err)
                                      : oc_fail_code(err, e, "request %s cannot be stored", r->id);
}

bool oc_requests_unlink(outcall_requests *s, const char *id)
{
    char name[NAME_SIZE];
    name_of(id, name);
    if (unlinkat(s->dir_fd, name, 0) == 0 || errno == ENOENT)
        return true;
    oc_log(s->log, OUTCALL_LOG_WARN, OC_REQUESTS_LOG, "request %s cannot be removed (errno %d)", id, errno);
    return false;
}

static int scan_one(outcall_requests *s, const char *name, outcall_error *err)
{
    OC_CLEANUP(outcall_request_freep) outcall_request *r = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    char id[OC_REQUEST_ID_SIZE];
    if (is_temporary(name)) {
        (void)unlinkat(s->dir_fd, name, 0);
        (void)oc_fault(OC_FAULT_OPEN);
        return 0;
    }
    if (!is_entry(name, strlen(name)))
        return 0; /* somebody else's, or set aside */
    (void)oc_copy(id, sizeof(id), name, sizeof(id) - 1);
    int e = load(s, id, &r, &why);
    if (e == 0)
        return oc_requests_add(s, r) < 0 ? oc_no_memory(err) : 0;
    if (e != OUTCALL_E_SYNTAX)
        return oc_fail(err, e, "%s", why.text);
    set_aside(s, id, &why);
    (void)oc_fault(OC_FAULT_OPEN);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct oc_request_entry *x = a, *y = b;
    return x->number != y->number ? (x->number < y->number ? -1 : 1) : strcmp(x->id, y->id);
}

int oc_requests_scan(outcall_requests *s, outcall_error *err)
{
    OC_CLOSE int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return errno == ENOMEM ? oc_no_memory(err) : oc_fail_errno(err, "the directory of requests");
    (void)oc_take_fd(&fd);
    const struct dirent *e = NULL;
    int r = 0;
    for (errno = 0; r == 0 && (e = readdir(dir)); errno = 0) /* NOLINT(concurrency-mt-unsafe): ours alone */
        r = scan_one(s, e->d_name, err);
    if (r == 0 && errno != 0)
        r = oc_fail_errno(err, "the directory of requests");
    (void)closedir(dir);
    if (r == 0 && s->n > 0)
        qsort(s->v, s->n, sizeof(*s->v), compare);
    return r;
}
