/* lib/base: descriptors, whole files, directories that must be safe. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

static char dir[32], path[512];
static int dir_fd;

static const char *in_dir(const char *name)
{
    ck_assert_int_eq(oc_format(path, sizeof(path), "%s/%s", dir, name), 0);
    return path;
}

static void begin(void)
{
    memcpy(dir, "/tmp/outcall-unit-XXXXXX", 25);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir_fd, 0);
}

static void end(void)
{
    oc_close(dir_fd);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else is left in it */
}

START_TEST(a_file_is_replaced_as_a_whole)
{
    char *data = NULL;
    size_t len = 0;
    struct stat st;
    begin();
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "f", "one", 3, 0600), 0);
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "f", "a\0b", 3, 0600), 0);
    ck_assert_int_eq(oc_read_file(dir_fd, "f", 3, &data, &len), 0);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(data, "a\0b\0", 4);
    free(data);
    ck_assert_int_eq(stat(in_dir("f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    data = NULL;
    ck_assert_int_eq(oc_read_file(dir_fd, "f", 2, &data, &len), OUTCALL_E_LIMIT);
    ck_assert_int_eq(oc_read_file(dir_fd, "g", 2, &data, &len), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(data);
    /* a symlink is replaced, not followed */
    ck_assert_int_eq(symlink("/etc/passwd", in_dir("l")), 0);
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "l", "x", 1, 0600), 0);
    ck_assert_int_eq(lstat(in_dir("l"), &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_int_eq(unlink(in_dir("l")), 0);
    ck_assert_int_eq(unlink(in_dir("f")), 0);
    end();
}
END_TEST

START_TEST(what_cannot_be_replaced_stays_and_leaves_nothing)
{
    char longest[NAME_MAX + 1];
    begin();
    ck_assert_int_eq(mkdir(in_dir("d"), 0700), 0);
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "d", "x", 1, 0600), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, EISDIR);
    memset(longest, 'x', NAME_MAX);
    longest[NAME_MAX] = '\0';
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, longest, "x", 1, 0600), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_int_eq(oc_write_file_atomic(-1, "f", "x", 1, 0600), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(rmdir(in_dir("d")), 0);
    end();
}
END_TEST

START_TEST(safe_directories)
{
    const char *why = "unset";
    int fd = -1;
    begin();
    ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), false, 0700, &fd, &why), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(why);
    ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), true, 0700, &fd, &why), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    oc_close(fd);
    fd = -1;
    ck_assert_int_eq(oc_open_safe_dir(in_dir("a/b"), true, 0700, &fd, &why),
                     OUTCALL_E_SYSTEM); /* only the last part */
    ck_assert_int_eq(symlink("new", in_dir("link")), 0);
    ck_assert_int_eq(oc_open_safe_dir(in_dir("link"), true, 0700, &fd, &why), OUTCALL_E_DENIED);
    ck_assert_str_eq(why, "is a symlink");
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "file", "", 0, 0600), 0);
    ck_assert_int_eq(oc_open_safe_dir(in_dir("file"), true, 0700, &fd, &why), OUTCALL_E_DENIED);
    ck_assert_str_eq(why, "is not a directory");
    ck_assert_int_eq(chmod(in_dir("new"), 0720), 0);
    ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), false, 0, &fd, &why), OUTCALL_E_DENIED);
    ck_assert_str_eq(why, "can be written by other users");
    ck_assert_int_eq(chmod(in_dir("new"), 01702), 0); /* sticky does not help */
    ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), false, 0, &fd, &why), OUTCALL_E_DENIED);
    ck_assert_int_eq(chmod(in_dir("new"), 0755), 0);
    ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), true, 0, &fd, &why), 0);
    oc_close(oc_take_fd(&fd));
    if (geteuid() == 0) { /* only root can give things away */
        ck_assert_int_eq(chown(in_dir("new"), 12345, 12345), 0);
        ck_assert_int_eq(oc_open_safe_dir(in_dir("new"), false, 0, &fd, &why), OUTCALL_E_DENIED);
        ck_assert_str_eq(why, "belongs to another user");
    }
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(unlink(in_dir("link")), 0);
    ck_assert_int_eq(unlink(in_dir("file")), 0);
    ck_assert_int_eq(rmdir(in_dir("new")), 0);
    end();
}
END_TEST

START_TEST(parents)
{
    char longest[PATH_MAX + 2];
    struct stat st;
    begin();
    ck_assert_int_eq(oc_make_parents(in_dir("a/b/c")), 0);
    ck_assert_int_eq(oc_make_parents(in_dir("a/b/c")), 0);
    ck_assert_int_eq(stat(in_dir("a/b/c"), &st), -1);
    ck_assert_int_eq(stat(in_dir("a/b"), &st), 0);
    ck_assert_int_eq(oc_make_parents("/"), 0);
    ck_assert_int_eq(oc_make_parents(""), 0);
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "file", "", 0, 0600), 0);
    ck_assert_int_eq(oc_make_parents(in_dir("file/b/c")), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, ENOTDIR);
    memset(longest, 'a', sizeof(longest));
    longest[PATH_MAX + 1] = '\0';
    ck_assert_int_eq(oc_make_parents(longest), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_int_eq(unlink(in_dir("file")), 0);
    ck_assert_int_eq(rmdir(in_dir("a/b")), 0);
    ck_assert_int_eq(rmdir(in_dir("a")), 0);
    end();
}
END_TEST

static int read_large(void *userdata)
{
    OC_FREE char *data = NULL;
    size_t len = 0;
    (void)userdata;
    return oc_read_file(dir_fd, "f", (size_t)1 << 20, &data, &len);
}

START_TEST(reading_survives_failing_allocations)
{
    static char large[200000];
    begin();
    ck_assert_int_eq(oc_write_file_atomic(dir_fd, "f", large, sizeof(large), 0600), 0);
    ck_assert_int_gt(failmalloc_loop(read_large, NULL), 5);
    ck_assert_int_eq(unlink(in_dir("f")), 0);
    end();
}
END_TEST

START_TEST(descriptors)
{
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(oc_poll1(fds[0], POLLIN, oc_deadline(1)), 0);
    ck_assert_int_eq(oc_write_all(fds[1], "abc", 3), 0);
    ck_assert_int_eq(oc_poll1(fds[0], POLLIN, OC_NEVER), POLLIN);
    oc_close(oc_take_fd(&fds[1]));
    ck_assert_int_eq(fds[1], -1);
    char *data = NULL;
    size_t len = 0;
    ck_assert_int_eq(oc_read_all(fds[0], 10, &data, &len), 0);
    ck_assert_str_eq(data, "abc");
    free(data);
    errno = 77;
    oc_close(-1);
    oc_close(fds[0]);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(oc_write_all(-1, "x", 1), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(oc_read_all(-1, 10, &data, &len), OUTCALL_E_SYSTEM);
}
END_TEST

UNIT_MAIN("base-files", a_file_is_replaced_as_a_whole, what_cannot_be_replaced_stays_and_leaves_nothing,
          safe_directories, parents, reading_survives_failing_allocations, descriptors)
