#include "file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_READ ((size_t)64 << 20) /* far beyond every rule file; the library has its own limit */
#define CHUNK         ((size_t)64 << 10)

static int fail_errno(struct cli *c, const char *what, const char *path, int error)
{
    char text[128];
    return cli_fail(c, EXIT_FAILED, "%s \"%s\": %s", what, path, strerror_r(error, text, sizeof(text)));
}

static int no_memory(struct cli *c)
{
    return cli_fail(c, EXIT_FAILED, "out of memory");
}

static int read_stream(struct cli *c, FILE *f, const char *path, char **ret, size_t *ret_len)
{
    CLI_FREE char *data = NULL;
    size_t len = 0, n = 0;
    do {
        char *longer = len < SIZE_MAX_READ ? realloc(data, len + CHUNK + 1) : NULL;
        if (!longer)
            return len < SIZE_MAX_READ
                       ? no_memory(c)
                       : cli_fail(c, EXIT_FAILED, "\"%s\" has more than %zu bytes", path, SIZE_MAX_READ);
        data = longer;
        n = fread(data + len, 1, CHUNK, f);
        len += n;
    } while (n > 0);
    if (ferror(f))
        return fail_errno(c, "cannot read", path, errno);
    data[len] = '\0';
    *ret = data;
    data = NULL;
    *ret_len = len;
    return EXIT_DONE;
}

int file_read(struct cli *c, const char *path, char **ret, size_t *ret_len)
{
    if (strcmp(path, "-") == 0)
        return read_stream(c, stdin, path, ret, ret_len);
    FILE *f = fopen(path, "re");
    if (!f)
        return fail_errno(c, "cannot read", path, errno);
    int status = read_stream(c, f, path, ret, ret_len);
    (void)fclose(f);
    return status;
}

/* 0 or errno. */
static int write_beside(int fd, const struct stat *old, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return errno;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    /* The owner first: a change of owner may take bits of the mode away. */
    if (fchown(fd, old->st_uid, old->st_gid) < 0 && errno != EPERM)
        return errno;
    if (fchmod(fd, old->st_mode & 07777) < 0 || fsync(fd) < 0)
        return errno;
    return 0;
}

/* A symbolic link stays one: what it points at is replaced. */
int file_replace(struct cli *c, const char *path, const char *data, size_t len)
{
    CLI_FREE char *real = realpath(path, NULL), *temp = NULL;
    struct stat old;
    if (!real || stat(real, &old) < 0)
        return fail_errno(c, "cannot write", path, errno);
    if (!S_ISREG(old.st_mode))
        return cli_fail(c, EXIT_FAILED, "cannot write \"%s\": it is no regular file", path);
    const char *name = strrchr(real, '/') + 1; /* absolute, so there is one */
    if (asprintf(&temp, "%.*s.%s.XXXXXX", (int)(name - real), real, name) < 0) {
        temp = NULL;
        return no_memory(c);
    }
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return fail_errno(c, "cannot write", path, errno);
    int error = write_beside(fd, &old, data, len);
    if (close(fd) < 0 && error == 0)
        error = errno;
    if (error == 0 && rename(temp, real) < 0)
        error = errno;
    if (error == 0)
        return EXIT_DONE;
    (void)unlink(temp);
    return fail_errno(c, "cannot write", path, error);
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_join(const char *dir, const char *name)
{
    char *path = NULL;
    size_t len = strlen(dir);
    const char *slash = len > 0 && dir[len - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", dir, slash, name) < 0 ? NULL : path;
}

static int is_rule_file(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return e->d_name[0] != '.' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int file_list_rules(struct cli *c, const char *dir, char ***ret, size_t *ret_n)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_rule_file, by_bytes);
    if (n < 0)
        return fail_errno(c, "cannot read", dir, errno);
    char **paths = calloc((size_t)n + 1, sizeof(*paths));
    size_t count = 0;
    bool bad = !paths;
    for (int i = 0; i < n; i++) {
        struct stat st;
        char *path = bad ? NULL : file_join(dir, entries[i]->d_name);
        bad = bad || !path;
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            paths[count++] = path;
        else
            free(path);
        free(entries[i]);
    }
    free(entries);
    *ret = paths;
    *ret_n = count;
    return bad ? no_memory(c) : EXIT_DONE;
}
