/* agents DIR - figures of the agent API: one JSON line each, with its goal. DIR is an empty directory of the
 * caller's. Needs root: the program enters a cgroup of its own, so as to be the container whose socket it
 * asks on. The server has a thread to itself; its share of the processor is what one core would give. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "outcall/agent_server.h"
#include "support/agent_load.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASKED   20000
#define SOCKETS 1000

static const char rules[] = "version: \"1\"\n"
                            "rules:\n"
                            "  - id: api\n"
                            "    condition: network.hostname == \"api.example.com\" && network.port == 443 "
                            "&& http.path.startsWith(\"/v1\")\n"
                            "    action: allow\n";

static struct {
    outcall_agent_server *server;
    atomic_bool stop;
    clockid_t clock; /* of the thread that drives the server */
    pthread_t thread;
} s;

static _Noreturn void give_up(const char *what, const outcall_error *err)
{
    fprintf(stderr, "agents: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static void figure(const char *name, const char *unit, double goal, const char *sense, double value)
{
    printf("{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.1f,\"goal\":\"%s %g\"}\n", name, unit, value, sense,
           goal);
    (void)fflush(stdout);
}

/* What a figure is to be seen beside. */
static void beside_it(const char *name, const char *unit, double value)
{
    printf("{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.1f,\"goal\":null}\n", name, unit, value);
    (void)fflush(stdout);
}

static void *drive(void *userdata)
{
    (void)userdata;
    while (!atomic_load(&s.stop)) {
        int64_t t = outcall_agent_server_timeout_ms(s.server);
        (void)!oc_poll1(outcall_agent_server_fd(s.server), POLLIN,
                        oc_deadline(t < 0 || t > 20 ? 20 : (uint64_t)t));
        if (outcall_agent_server_process(s.server, NULL) < 0)
            abort();
    }
    return NULL;
}

static void write_pid(const char *dir, pid_t pid)
{
    char path[256], number[32];
    (void)oc_format(path, sizeof(path), "%s/cgroup.procs", dir);
    (void)oc_format(number, sizeof(number), "%lld", (long long)pid);
    OC_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || oc_write_all(fd, number, strlen(number)) < 0)
        give_up(path, NULL);
}

/* Finds the cgroup's name through a child that enters it first: a process's own never sets it apart. */
static void enter_cgroup(const char *dir, outcall_identity *who)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    int hold[2];
    char c = 0;
    if (pipe2(hold, O_CLOEXEC) < 0)
        give_up("pipe", NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(hold[1]);
        _exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
    }
    write_pid(dir, child);
    if (outcall_cgroup_of(child, who->cgroup, sizeof(who->cgroup), &err) < 0)
        give_up("cgroup", &err);
    (void)close(hold[0]);
    (void)close(hold[1]);
    (void)waitpid(child, NULL, 0);
    write_pid(dir, getpid());
}

static const char *make_cgroup(char buf[128])
{
    static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids",
                                         "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(mounts); i++) {
        (void)oc_format(buf, 128, "%s/outcall-bench-%lld", mounts[i], (long long)getpid());
        if (mkdir(buf, 0755) == 0)
            return mounts[i];
    }
    give_up("no cgroup can be made", NULL);
}

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(s.clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Asks ASKED times, a tenth more to warm up; sorted microseconds into took, and the server's time for one. */
static double ask(const char *path, double took[ASKED])
{
    outcall_agent_client *c = agent_load_client(path);
    agent_load_ask(c, ASKED / 10, took);
    double cpu = cpu_ns();
    agent_load_ask(c, ASKED, took);
    (void)outcall_agent_client_free(c);
    return (cpu_ns() - cpu) / ASKED;
}

static void *echo(void *userdata)
{
    const int *fd = userdata;
    char buf[512];
    for (ssize_t n = 1; n > 0;) {
        n = oc_poll1(*fd, POLLIN, OC_NEVER) < 0 ? -1 : recv(*fd, buf, sizeof(buf), MSG_DONTWAIT);
        n = n > 0 ? send(*fd, buf, (size_t)n, MSG_NOSIGNAL) : n;
    }
    return NULL;
}

/* The p50 of as many bytes there and back between two threads: what no answer can be faster than here and
 * now. */
static double floor_of_all(void)
{
    static double took[ASKED];
    char buf[272] = "";
    int sv[2];
    pthread_t thread;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0 ||
        pthread_create(&thread, NULL, echo, &sv[1]) != 0)
        give_up("echo", NULL);
    for (int i = -ASKED / 10; i < ASKED; i++) {
        uint64_t start = oc_now_ns();
        if (send(sv[0], buf, sizeof(buf), MSG_NOSIGNAL) < 0 || oc_poll1(sv[0], POLLIN, OC_NEVER) < 0 ||
            recv(sv[0], buf, sizeof(buf), MSG_DONTWAIT) < 0)
            give_up("echo", NULL);
        took[i < 0 ? 0 : i] = (double)(oc_now_ns() - start) / 1000;
    }
    (void)shutdown(sv[0], SHUT_RDWR);
    (void)pthread_join(thread, NULL);
    (void)close(sv[0]);
    (void)close(sv[1]);
    agent_load_sort(took, ASKED);
    return took[ASKED / 2];
}

static double verdicts(const char *path)
{
    static double took[ASKED];
    double cpu = ask(path, took), p99 = took[(size_t)ASKED * 99 / 100];
    figure("verdict over an open connection, p50", "us", 25, "at most", took[ASKED / 2]);
    beside_it("the same bytes there and back between two threads, p50", "us", floor_of_all());
    figure("verdict over an open connection, p99", "us", 100, "at most", p99);
    figure("verdicts per second of one core", "1/s", 40000, "at least", 1e9 / cpu);
    return p99;
}

static cpu_set_t processor(unsigned nth)
{
    cpu_set_t all, one;
    unsigned cpu = 0, seen = 0;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) < 0)
        give_up("sched_getaffinity", NULL);
    for (unsigned i = 0; i < CPU_SETSIZE && seen <= nth; i++)
        if (CPU_ISSET(i, &all)) {
            cpu = i; /* the last one where there are fewer */
            seen++;
        }
    CPU_SET(cpu, &one);
    return one;
}

/* The server's thread and this one. */
static void stay_on(const cpu_set_t *where)
{
    if (sched_setaffinity(0, sizeof(*where), where) < 0 ||
        pthread_setaffinity_np(s.thread, sizeof(*where), where) != 0)
        give_up("sched_setaffinity", NULL);
}

/* The p99 while a child floods the socket, which is nobody's where it is NULL; where: NULL is anywhere. */
static double beside(const char *path, const char *flooded, const cpu_set_t *where)
{
    static double took[ASKED];
    pid_t child = fork();
    if (child < 0)
        give_up("fork", NULL);
    if (child == 0 &&
        ((where && sched_setaffinity(0, sizeof(*where), where) < 0) || !freopen("/dev/null", "w", stdout)))
        _exit(1);
    if (child == 0 && flooded)
        agent_load_flood(flooded);
    if (child == 0)
        agent_load_flood_nobody();
    (void)ask(path, took);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    return took[(size_t)ASKED * 99 / 100];
}

/* On a full machine a flood also takes the processor from who asks and who answers. What the server makes of
 * it is seen where the flood has a processor of its own, and where it has theirs: beside one that asks
 * nobody. */
static void fairness(const char *path, const char *greedy, double quiet)
{
    static double took[ASKED];
    cpu_set_t all, ours = processor(0), other = processor(1);
    figure("p99 while another container floods, times the quiet one", "", 2, "at most",
           beside(path, greedy, NULL) / quiet);
    if (sched_getaffinity(0, sizeof(all), &all) < 0)
        give_up("sched_getaffinity", NULL);
    stay_on(&ours);
    double cpu = ask(path, took);
    double alone = took[(size_t)ASKED * 99 / 100];
    beside_it("verdict, p50, asked and answered on one processor", "us", took[ASKED / 2]);
    beside_it("verdicts per second, asked and answered on one processor", "1/s", 1e9 / cpu);
    figure("p99 while the flood has a processor of its own, times the quiet one", "", 2, "at most",
           beside(path, greedy, &other) / alone);
    double control = beside(path, NULL, &ours);
    figure("the flood on our processor, times one of a socket that nobody serves", "", 2, "at most",
           beside(path, greedy, &ours) / control);
    stay_on(&all);
}

/* The second number of /proc/self/statm, proc(5). */
static double resident(void)
{
    OC_FREE char *text = NULL;
    size_t len = 0;
    uint64_t pages = 0;
    if (oc_read_file(AT_FDCWD, "/proc/self/statm", 4096, &text, &len) < 0)
        give_up("/proc/self/statm", NULL);
    const char *second = strchr(text, ' ') + 1;
    if (oc_parse_u64(second, strcspn(second, " "), 0, UINT64_MAX, &pages) < 0)
        give_up("/proc/self/statm", NULL);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void sockets(const outcall_identity *who)
{
    char name[32];
    (void)malloc_trim(0);
    double before = resident();
    for (int i = 0; i < SOCKETS; i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        (void)oc_format(name, sizeof(name), "agent-%d", i);
        if (outcall_agent_server_open(s.server, name, NULL, 0, &err) < 0 ||
            outcall_agent_server_identify(s.server, name, who, &err) < 0)
            give_up("open", &err);
    }
    figure("1000 containers' sockets, resident", "MiB", 4, "under", (resident() - before) / 1048576);
    for (int i = 0; i < SOCKETS; i++) {
        (void)oc_format(name, sizeof(name), "agent-%d", i);
        outcall_agent_server_close(s.server, name);
    }
}

static void start(const char *dir, outcall_policy_slot *slot)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    o.agents_dir = dir;
    o.policy = slot;
    o.check_rate_n = 1000000;
    o.check_rate_window_s = 1;
    if (outcall_agent_server_new(&s.server, &o, &err) < 0)
        give_up("server", &err);
    if (pthread_create(&s.thread, NULL, drive, NULL) != 0 || pthread_getcpuclockid(s.thread, &s.clock) != 0)
        give_up("thread", NULL);
}

int main(int argc, char **argv)
{
    outcall_identity who = {.container_id = "c1", .name = "bench", .agent = "bench"};
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy *policy = NULL;
    outcall_policy_slot *slot = NULL;
    struct rlimit files = {65536, 65536};
    char cgroup[128], path[256], greedy[256], agents[200];
    if (argc != 2)
        give_up("usage: agents DIR", &err);
    (void)setrlimit(RLIMIT_NOFILE, &files);
    const char *above = make_cgroup(cgroup);
    enter_cgroup(cgroup, &who);
    (void)oc_format(agents, sizeof(agents), "%s/agents", argv[1]);
    if (outcall_policy_load_text(&policy, NULL, rules, strlen(rules), NULL, &err) < 0 ||
        outcall_policy_slot_new(&slot, policy) < 0)
        give_up("rules", &err);
    start(agents, slot);
    if (outcall_agent_server_open(s.server, "bench", path, sizeof(path), &err) < 0 ||
        outcall_agent_server_identify(s.server, "bench", &who, &err) < 0)
        give_up("open", &err);
    double quiet = verdicts(path);
    if (outcall_agent_server_open(s.server, "greedy", greedy, sizeof(greedy), &err) < 0 ||
        outcall_agent_server_identify(s.server, "greedy", &who, &err) < 0)
        give_up("open", &err);
    fairness(path, greedy, quiet);
    outcall_agent_server_close(s.server, "greedy");
    outcall_agent_server_close(s.server, "bench");
    sockets(&who);
    atomic_store(&s.stop, true);
    (void)pthread_join(s.thread, NULL);
    s.server = outcall_agent_server_free(s.server);
    slot = outcall_policy_slot_free(slot);
    write_pid(above, getpid());
    (void)rmdir(cgroup);
    (void)rmdir(agents);
    return 0;
}
