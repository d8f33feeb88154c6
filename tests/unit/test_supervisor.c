/* What stands between outcalld and its supervisor: readiness, sockets handed in, log records, signals. */
#include "../../cli/footprint.h"
#include "../../cli/installed.h"
#include "../../cli/logsink.h"
#include "../../cli/notify.h"
#include "../../cli/signals.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "outcall/log.h"
#include "unit/unit.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/outcall-supervisor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int bind_socket(int type, const char *name, size_t len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(len, sizeof(a.sun_path));
    memcpy(a.sun_path, name, len);
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    return fd;
}

static void expect_state(int fd, const char *state)
{
    char buf[64] = "";
    ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
    ck_assert_int_eq((int)n, (int)strlen(state));
    ck_assert_str_eq(buf, state);
}

START_TEST(readiness)
{
    char path[128], abstract[64];
    make_dir();
    snprintf(path, sizeof(path), "%s/notify", dir);
    int fd = bind_socket(SOCK_DGRAM, path, strlen(path));
    ck_assert_int_eq(notify(path, "READY=1"), 0);
    expect_state(fd, "READY=1");
    close(fd);
    ck_assert_int_eq(notify(path, "READY=1"), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_int_eq(unlink(path) | rmdir(dir), 0);
    snprintf(abstract, sizeof(abstract), "@outcall-test-%d", getpid());
    abstract[0] = '\0';
    fd = bind_socket(SOCK_DGRAM, abstract, 1 + strlen(abstract + 1));
    abstract[0] = '@';
    ck_assert_int_eq(notify(abstract, "STOPPING=1"), 0);
    expect_state(fd, "STOPPING=1");
    close(fd);
    ck_assert_int_eq(notify(NULL, "x"), 0);
    ck_assert_int_eq(notify("", "x"), 0);
    ck_assert_int_eq(notify("relative", "x"), -1);
    char big[128];
    memset(big, 'a', sizeof(big) - 1);
    big[0] = '/';
    big[sizeof(big) - 1] = '\0';
    ck_assert_int_eq(notify(big, "x"), -1);
}
END_TEST

/* In a child, where descriptor 3 is ours to choose. */
static int handed_in(int fd, const char *pid, const char *fds)
{
    char own[16];
    const char *why = NULL;
    pid_t child = fork();
    if (child == 0) {
        snprintf(own, sizeof(own), "%d", getpid());
        (void)close(3);
        if (fd >= 0 && dup2(fd, 3) != 3)
            _exit(99);
        int r = notify_listen_fd(pid ? pid : own, fds, &why);
        bool cloexec = r < 0 || (fcntl(r, F_GETFD) & FD_CLOEXEC);
        _exit(cloexec ? r + 10 : 98);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status) - 10;
}

START_TEST(a_socket_handed_in)
{
    char path[128];
    make_dir();
    snprintf(path, sizeof(path), "%s/s", dir);
    int plain = bind_socket(SOCK_STREAM, path, strlen(path));
    ck_assert_int_eq(handed_in(plain, NULL, "1"), -2); /* not listening yet */
    ck_assert_int_eq(listen(plain, 1), 0);
    ck_assert_int_eq(handed_in(plain, NULL, "1"), 3);
    ck_assert_int_eq(handed_in(plain, "1", "1"), -1);
    ck_assert_int_eq(handed_in(plain, "", "1"), -1);
    ck_assert_int_eq(handed_in(plain, NULL, NULL), -1);
    ck_assert_int_eq(handed_in(plain, NULL, "0"), -1);
    ck_assert_int_eq(handed_in(plain, NULL, "2"), -2);
    ck_assert_int_eq(handed_in(plain, NULL, "x"), -2);
    ck_assert_int_eq(handed_in(-1, NULL, "1"), -2);
    ck_assert_int_eq(unlink(path), 0);
    int datagram = bind_socket(SOCK_DGRAM, path, strlen(path));
    ck_assert_int_eq(handed_in(datagram, NULL, "1"), -2);
    int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(listen(inet, 1), 0);
    ck_assert_int_eq(handed_in(inet, NULL, "1"), -2);
    close(plain);
    close(datagram);
    close(inet);
    ck_assert_int_eq(unlink(path) | rmdir(dir), 0);
}
END_TEST

static const char *record(const struct logsink *like, int level, const char *msg)
{
    static char text[1024];
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    struct logsink sink = *like;
    sink.fd = fds[1];
    logsink_write(level, "docker", msg, &sink);
    ssize_t n = read(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_gt((int)n, 0);
    text[n] = '\0';
    return text;
}

START_TEST(log_records)
{
    const struct logsink text = {0}, journal = {.journal = true}, json = {.json = true};
    const char *r = record(&text, OUTCALL_LOG_INFO, "hello \xc2\x9b");
    ck_assert_uint_eq(strcspn(r, "Z"), 23);
    ck_assert_str_eq(r + 23, "Z info  docker: hello \\xc2\\x9b\n");
    ck_assert_str_eq(record(&journal, OUTCALL_LOG_ERROR, "x"), "<3>docker: x\n");
    ck_assert_str_eq(record(&journal, OUTCALL_LOG_WARN, "x"), "<4>docker: x\n");
    ck_assert_str_eq(record(&journal, 99, "x"), "<7>docker: x\n");
    r = record(&json, OUTCALL_LOG_WARN, "a \"b\" \xc3\xa9");
    ck_assert_str_eq(strchr(r, ','),
                     ",\"level\":\"warn\",\"target\":\"docker\",\"message\":\"a \\\"b\\\" \\u00E9\"}\n");
    r = record(&json, OUTCALL_LOG_WARN, "bad \xff\"");
    ck_assert_str_eq(strchr(r, ','),
                     ",\"level\":\"warn\",\"target\":\"docker\",\"message\":\"bad \\u00ff\\u0022\"}\n");
}
END_TEST

START_TEST(the_journal_is_recognised)
{
    char text[64];
    int fds[2];
    struct stat st;
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(fstat(fds[1], &st), 0);
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    ck_assert(logsink_is_journal(fds[1], text));
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    ck_assert(!logsink_is_journal(fds[1], text));
    ck_assert(!logsink_is_journal(fds[1], NULL));
    ck_assert(!logsink_is_journal(fds[1], "1"));
    ck_assert(!logsink_is_journal(fds[1], ":"));
    ck_assert(!logsink_is_journal(-1, text));
    close(fds[0]);
    close(fds[1]);
}
END_TEST

struct heard {
    atomic_int hangups, stops;
    int wake[2];
};

static void on_hangup(void *userdata)
{
    struct heard *h = userdata;
    atomic_fetch_add(&h->hangups, 1);
    ck_assert_int_eq((int)write(h->wake[1], "h", 1), 1);
}

static void on_stop(void *userdata)
{
    struct heard *h = userdata;
    atomic_fetch_add(&h->stops, 1);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void on_tick(void *userdata)
{
    const struct heard *h = userdata;
    ck_assert_int_eq((int)write(h->wake[1], "t", 1), 1);
}

START_TEST(time_passes_between_signals)
{
    struct heard h = {0};
    char c = 0;
    struct signals s = {
        .on_hangup = on_hangup, .on_stop = on_stop, .on_tick = on_tick, .tick_ms = 1, .userdata = &h};
    ck_assert_int_eq(pipe2(h.wake, O_CLOEXEC), 0);
    ck_assert_int_eq(signals_open(&s), 0);
    ck_assert_int_eq(signals_start(&s), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(readable(h.wake[0], 10000));
        ck_assert_int_eq((int)read(h.wake[0], &c, 1), 1);
        ck_assert_int_eq(c, 't');
    }
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert(readable(s.stop_fd, 10000));
    signals_close(&s);
    close(h.wake[0]);
    close(h.wake[1]);
}
END_TEST

START_TEST(signals_become_descriptors)
{
    struct heard h = {0};
    struct signals s = {.on_hangup = on_hangup, .on_stop = on_stop, .userdata = &h};
    ck_assert_int_eq(pipe2(h.wake, O_CLOEXEC), 0);
    ck_assert_int_eq(signals_open(&s), 0);
    ck_assert_int_eq(signals_start(&s), 0);
    ck_assert(!readable(s.stop_fd, 0));
    ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
    ck_assert(readable(h.wake[0], 10000));
    ck_assert(!readable(s.stop_fd, 0));
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert(readable(s.stop_fd, 10000));
    ck_assert_int_eq(kill(getpid(), SIGINT), 0); /* impatience changes nothing */
    ck_assert_int_eq(kill(getpid(), SIGPIPE), 0);
    ck_assert_int_eq(atomic_load(&h.hangups), 1);
    signals_close(&s);
    ck_assert_int_eq(atomic_load(&h.stops), 1);
    signals_close(&s);
    close(h.wake[0]);
    close(h.wake[1]);
}
END_TEST

/* Pages of files that are mapped in: the third number of proc(5)'s statm. */
static uint64_t resident_file_pages(void)
{
    char text[128] = "";
    uint64_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
    ck_assert_int_eq(fclose(f), 0);
    const char *third = strchr(strchr(text, ' ') + 1, ' ') + 1;
    ck_assert_int_eq(oc_parse_u64(third, strcspn(third, " "), 0, UINT64_MAX, &pages), 0);
    return pages;
}

/* Red zones are bytes like any other here. */
__attribute__((no_sanitize("address"))) static int touch_all(struct dl_phdr_info *object, size_t size,
                                                             void *sum)
{
    const volatile unsigned char *base =
        (const void *)object->dlpi_addr; /* NOLINT(performance-no-int-to-ptr) */
    (void)size;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        for (size_t at = 0; p->p_type == PT_LOAD && !(p->p_flags & PF_W) && at < p->p_filesz; at += 4096)
            *(unsigned *)sum += base[p->p_vaddr + at];
    }
    return 0;
}

START_TEST(memory_is_given_back)
{
    static char variable[] = "as it was";
    unsigned before = 0, after = 0;
    variable[0] = 'A';
    footprint_limit();
    (void)dl_iterate_phdr(touch_all, &before);
    uint64_t touched = resident_file_pages();
    footprint_trim();
    ck_assert_uint_lt(resident_file_pages(), touched / 2);
    (void)dl_iterate_phdr(touch_all, &after); /* it all comes back as it was */
    ck_assert_uint_eq(after, before);
    ck_assert_str_eq(variable, "As it was");
}
END_TEST

START_TEST(the_shim_of_another_prefix)
{
    static const char *const dirs[] = {"sbin", "libexec", "libexec/outcall"};
    char path[128], self[128], shim[128], found[PATH_MAX];
    make_dir();
    for (size_t i = 0; i < OC_ARRAY_SIZE(dirs); i++) {
        (void)oc_format(path, sizeof(path), "%s/%s", dir, dirs[i]);
        ck_assert_int_eq(mkdir(path, 0755), 0);
    }
    (void)oc_format(path, sizeof(path), "%s/sbin/outcalld", dir);
    (void)oc_format(self, sizeof(self), "%s/self", dir);
    (void)oc_format(shim, sizeof(shim), "%s/libexec/outcall/outcall-agent", dir);
    ck_assert_int_eq(symlink(path, self), 0);
    ck_assert(!installed_shim(self, found, sizeof(found)));
    oc_close(open(shim, O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
    ck_assert(installed_shim(self, found, sizeof(found)));
    ck_assert_str_eq(found, shim);
    ck_assert(!installed_shim(self, found, strlen(shim)));
    ck_assert(installed_shim(self, found, strlen(shim) + 1));
    ck_assert(!installed_shim(shim, found, sizeof(found))); /* is no symlink */
    ck_assert_int_eq(unlink(shim), 0);
    ck_assert_int_eq(unlink(self), 0);
    for (size_t i = OC_ARRAY_SIZE(dirs); i-- > 0;) {
        (void)oc_format(path, sizeof(path), "%s/%s", dir, dirs[i]);
        ck_assert_int_eq(rmdir(path), 0);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

UNIT_MAIN("supervisor", readiness, a_socket_handed_in, log_records, the_journal_is_recognised,
          time_passes_between_signals, signals_become_descriptors, memory_is_given_back,
          the_shim_of_another_prefix)
