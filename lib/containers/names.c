#include "containers/names.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/name.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* One allocation failure must not end the process: a failed insert is seen by the missing table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define FILE_NAME "containers"
#define FILE_MAX  ((size_t)4 * OC_NAMES_MAX * OC_NAME_SIZE)

struct name {
    char text[OC_NAME_SIZE];
    UT_hash_handle hh;
};

struct oc_names {
    pthread_mutex_t lock;
    struct name *set; /* uthash keeps the order of insertion: the first is the oldest */
    int dir_fd;       /* -1 = memory only */
    size_t lines;     /* in the file; rewritten when they are twice what is kept */
};

static int insert(struct oc_names *n, const char *text, size_t len, bool *ret_new)
{
    struct name *found = NULL;
    *ret_new = false;
    HASH_FIND(hh, n->set, text, (unsigned)len, found);
    if (found)
        return 0;
    struct name *name = calloc(1, sizeof(*name));
    if (!name)
        return OUTCALL_E_NO_MEMORY;
    if (oc_copy(name->text, sizeof(name->text), text, len) < 0) {
        free(name);
        return OUTCALL_E_INVALID;
    }
    HASH_ADD_KEYPTR(hh, n->set, name->text, (unsigned)len, name);
    if (!name->hh.tbl) {
        free(name);
        return OUTCALL_E_NO_MEMORY;
    }
    if (HASH_COUNT(n->set) > OC_NAMES_MAX) {
        struct name *oldest = n->set;
        HASH_DEL(n->set, oldest);
        free(oldest);
    }
    *ret_new = true;
    return 0;
}

static int load(struct oc_names *n)
{
    OC_FREE char *data = NULL;
    size_t len = 0;
    int r = oc_read_file(n->dir_fd, FILE_NAME, FILE_MAX, &data, &len);
    if (r == OUTCALL_E_SYSTEM && errno == ENOENT)
        return 0;
    if (r < 0)
        return r;
    for (const char *p = data; *p;) {
        size_t line = strcspn(p, "\n");
        bool added = false;
        char full[OC_NAME_SIZE];
        if (oc_copy(full, sizeof(full), p, line) == 0 && oc_starts_with(full, OC_CONTAINER_PREFIX) &&
            oc_suffix_valid(full + strlen(OC_CONTAINER_PREFIX), line - strlen(OC_CONTAINER_PREFIX)))
            r = insert(n, full, line, &added);
        if (r < 0)
            return r;
        n->lines++;
        p += line + (p[line] == '\n');
    }
    return 0;
}

int oc_names_new(struct oc_names **ret, const char *state_dir, outcall_error *err)
{
    struct oc_names *n = calloc(1, sizeof(*n));
    if (!n)
        return oc_no_memory(err);
    (void)pthread_mutex_init(&n->lock, NULL);
    n->dir_fd = -1;
    const char *why = NULL;
    int r = state_dir ? oc_open_safe_dir(state_dir, true, 0700, &n->dir_fd, &why) : 0;
    if (r == OUTCALL_E_DENIED)
        r = oc_fail(err, r, "state directory \"%s\" %s", state_dir, why);
    else if (r < 0 || (state_dir && (r = load(n)) < 0))
        r = oc_fail_code(err, r, "state directory \"%s\"", state_dir);
    if (r < 0) {
        (void)oc_names_free(n);
        return r;
    }
    *ret = n;
    return 0;
}

struct oc_names *oc_names_free(struct oc_names *n)
{
    if (!n)
        return NULL;
    struct name *name = NULL, *next = NULL;
    HASH_ITER(hh, n->set, name, next)
    {
        HASH_DEL(n->set, name);
        free(name);
    }
    oc_close(n->dir_fd);
    (void)pthread_mutex_destroy(&n->lock);
    free(n);
    return NULL;
}

static int rewrite(struct oc_names *n)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    for (struct name *name = n->set; name; name = name->hh.next) {
        int r = oc_buf_printf(&b, "%s\n", name->text);
        if (r < 0)
            return r;
    }
    int r = oc_write_file_atomic(n->dir_fd, FILE_NAME, b.data ? b.data : "", b.len, 0600);
    if (r == 0)
        n->lines = HASH_COUNT(n->set);
    return r;
}

/* One line at the end, without waiting for the disk: what a power failure can cost is the words "was already
 * removed" for a container of the last seconds. */
static int append(struct oc_names *n, const char *text)
{
    char line[OC_NAME_SIZE + 2];
    OC_CLOSE int fd =
        openat(n->dir_fd, FILE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return OUTCALL_E_SYSTEM;
    int r = oc_format(line, sizeof(line), "%s\n", text);
    if (r == 0)
        r = oc_write_all(fd, line, strlen(line));
    n->lines += r == 0;
    return r;
}

int oc_names_add(struct oc_names *n, const char *text)
{
    bool added = false;
    (void)pthread_mutex_lock(&n->lock);
    int r = insert(n, text, strlen(text), &added);
    if (r == 0 && added && n->dir_fd >= 0)
        r = n->lines >= 2 * (size_t)OC_NAMES_MAX ? rewrite(n) : append(n, text);
    (void)pthread_mutex_unlock(&n->lock);
    return r;
}

bool oc_names_has(struct oc_names *n, const char *text)
{
    struct name *found = NULL;
    (void)pthread_mutex_lock(&n->lock);
    HASH_FIND_STR(n->set, text, found);
    (void)pthread_mutex_unlock(&n->lock);
    return found != NULL;
}
