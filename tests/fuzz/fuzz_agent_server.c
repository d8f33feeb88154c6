/* The agent API against any bytes of a client, written and read in any sizes, with a store of rule requests
 * and the thread that waits for it: every byte of the answers is on a list, and no answer says yes unless the
 * question names what the one rule allows.
 *
 * An input's first line says the sizes, each of its bytes two: so much is written, the server runs once, and
 * so much is read, in turns; "" is all at once. The rest is what is sent; "@T" in it becomes the token of a
 * session, "@R" the id of the agent's last request. */
#include "agent_server/listener.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/server.h"
#include "outcall/requests.h"
#include "support/agent_stream.h"
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS    64
#define TURNS_MAX 512 /* after that, all at once */
#define INPUT_MAX 8192
#define JOB_MS    20000 /* a rule request under the sanitizers, on a crowded machine */

static const char rules[] = "version: \"1\"\n"
                            "definitions:\n"
                            "  secretdef: run.tool == \"defmark\"\n"
                            "rules:\n"
                            "  - id: yes\n"
                            "    condition: run.tool == \"yes\" && \"conditionmark\" != run.cwd\n"
                            "    description: descriptionmark\n"
                            "    action: allow\n"
                            "  - id: no\n"
                            "    condition: run.tool == \"no\" || run.args[3] == \"conditionmark\"\n"
                            "    description: descriptionmark\n"
                            "    reason: because\n"
                            "    action: block\n"
                            "  - id: theirs\n"
                            "    agents: [other]\n"
                            "    condition: run.tool != \"\"\n"
                            "    reason: theirreason\n"
                            "    action: block\n";
static const char *const told_rules[] = {"yes", "no", NULL};
static const char *const told_reasons[] = {"because", NULL};

static struct fixture {
    struct oc_agent_shared shared;
    struct oc_agent_listener l;
    outcall_requests *store;
    char dir[64], requests[80], rules[80];
    int wake_fd;
    char token[OC_TOKEN_SIZE];
    struct sockaddr_un addr;
    socklen_t len;
    struct agent_known known;
} f;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

/* However this process ends, its child sees it and removes the directory. */
static void remove_at_end(void)
{
    int hold[2];
    if (pipe2(hold, O_CLOEXEC) < 0)
        abort();
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child > 0) {
        oc_close(hold[0]);
        return; /* the other end stays open until the end */
    }
    char c = 0;
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    oc_close(hold[1]);
    while (read(hold[0], &c, 1) > 0)
        ;
    _exit(nftw(f.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1);
}

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): before there are threads */
    const char *in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : tmp ? tmp : "/tmp"; /* syncs cost nothing */
    if (oc_format(f.dir, sizeof(f.dir), "%s/outcall-fuzz-XXXXXX", in) < 0 || !mkdtemp(f.dir))
        abort();
    (void)oc_format(f.requests, sizeof(f.requests), "%s/requests", f.dir);
    (void)oc_format(f.rules, sizeof(f.rules), "%s/rules", f.dir);
    remove_at_end();
}

static int reload(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    (void)userdata;
    (void)err;
    *ret_rules_n = 0;
    return 0;
}

static int accept_self(void *userdata, int fd, void **ret_peer)
{
    (void)userdata;
    (void)fd;
    struct oc_agent_peer *p = calloc(1, sizeof(*p));
    if (!p)
        return OUTCALL_E_NO_MEMORY;
    p->l = &f.l;
    p->peer.pid = getpid();
    p->peer.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    *ret_peer = p;
    return 0;
}

static void handle(void *userdata, oc_http_call *call)
{
    size_t len = 0;
    const char *body = oc_http_call_body(call, &len);
    agent_says(&f.known, body, len);
    oc_agent_handle(userdata, call);
}

static void start_store(void)
{
    outcall_requests_options o = OUTCALL_REQUESTS_OPTIONS_INIT;
    make_dir();
    o.dir = f.requests;
    o.rules_dir = f.rules;
    o.reload = reload;
    o.total_max = 16;
    o.in_force = f.shared.policy;
    f.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f.wake_fd < 0 || outcall_requests_new(&f.store, &o, NULL) < 0 ||
        oc_worker_new(&f.shared.worker, f.store, f.wake_fd, NULL) < 0)
        abort();
}

static void start_server(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct oc_http_server_options o = {.listen_fd = fd,
                                       .max_body = OUTCALL_AGENT_BODY_MAX,
                                       .accept = accept_self,
                                       .peer_free = oc_agent_peer_free,
                                       .handle = handle,
                                       .error_body = oc_agent_http_error,
                                       .userdata = &f.l};
    f.addr.sun_family = AF_UNIX;
    f.len = sizeof(f.addr);
    /* an autobound abstract address: no file, no name to collide with */
    if (bind(fd, (struct sockaddr *)&f.addr, sizeof(sa_family_t)) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&f.addr, &f.len) < 0 ||
        oc_http_server_new(&f.l.http, &o, NULL) < 0)
        abort();
}

static void start(void)
{
    outcall_policy *policy = NULL;
    if (outcall_policy_load_text(&policy, "filemark.yaml", rules, strlen(rules), NULL, NULL) < 0 ||
        outcall_policy_slot_new(&f.shared.policy, policy) < 0 || outcall_context_new(&f.shared.context) < 0 ||
        oc_session_new(&f.l.sessions, 1, f.token) < 0)
        abort();
    f.shared.heartbeat_s = 5;
    f.shared.max_holding = 64;
    f.l.shared = &f.shared;
    f.l.identified = true;
    (void)oc_copy(f.l.who.name, sizeof(f.l.who.name), "n", 1);
    (void)oc_copy(f.l.who.agent, sizeof(f.l.who.agent), "a", 1);
    (void)oc_copy(f.l.who.container_id, sizeof(f.l.who.container_id), "c1", 2);
    f.known.agent = "a";
    f.known.container_id = "c1";
    f.known.name = "n";
    f.known.rules = told_rules;
    f.known.reasons = told_reasons;
    f.known.heartbeat_s = 5;
    start_store();
    start_server();
}

/* The two ends of one input. */
struct talk {
    int fd;
    const char *sent;
    size_t len, written;
    char *answer;
    size_t got, room;
};

static void write_some(struct talk *t, size_t max)
{
    ssize_t n = t->written == t->len ? 0
                                     : send(t->fd, t->sent + t->written, OC_MIN(max, t->len - t->written),
                                            MSG_NOSIGNAL | MSG_DONTWAIT);
    t->written += n > 0 ? (size_t)n : 0;
}

static void read_some(struct talk *t, size_t max)
{
    size_t want = OC_MIN(max, t->room - t->got);
    ssize_t n = want > 0 ? recv(t->fd, t->answer + t->got, want, MSG_DONTWAIT) : 0;
    t->got += n > 0 ? (size_t)n : 0;
}

/* What the worker has finished, as outcall_agent_server_process does it. */
static void finish_jobs(void)
{
    uint64_t count = 0;
    struct oc_job *job = NULL;
    if (read(f.wake_fd, &count, sizeof(count)) < 0)
        return;
    while ((job = oc_worker_take(f.shared.worker))) {
        oc_agent_job_done(&f.l, job);
        oc_job_free(job);
    }
}

static bool is_busy(void)
{
    struct pollfd p[2] = {{.fd = oc_http_server_fd(f.l.http), .events = POLLIN},
                          {.fd = f.wake_fd, .events = POLLIN}};
    if (poll(p, 2, 0) > 0 || oc_http_server_timeout_ms(f.l.http) == 0)
        return true;
    return f.l.jobs > 0 && poll(p, 2, JOB_MS) > 0;
}

static void read_all(struct talk *t)
{
    for (size_t before = t->room + 1; t->fd >= 0 && before != t->got;) {
        before = t->got;
        read_some(t, t->room);
    }
}

/* Until the server has nothing more to do. */
static void settle(struct talk *t)
{
    for (int i = 0; i < ROUNDS && is_busy(); i++) {
        finish_jobs();
        oc_http_server_run(f.l.http);
        read_all(t);
    }
    read_all(t);
}

/* A size between 0 and 32768: powers of two, and one below them. */
static size_t size_of(uint8_t c)
{
    return ((size_t)1 << (c & 15)) - ((c >> 4) & 1);
}

static void take_turns(struct talk *t, const uint8_t *sizes, size_t n)
{
    for (size_t i = 0; n > 0 && i < TURNS_MAX && t->written < t->len; i += 2) {
        write_some(t, size_of(sizes[i % n]));
        finish_jobs();
        oc_http_server_run(f.l.http);
        read_some(t, size_of(sizes[(i + 1) % n]));
    }
    for (size_t before = t->len + 1; before != t->written && t->written < t->len;) {
        before = t->written;
        write_some(t, t->len);
        settle(t);
    }
    settle(t);
    (void)shutdown(t->fd, SHUT_WR);
    settle(t);
}

static size_t put(char *out, const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        out[n] = s[n];
    return n;
}

static size_t with_names(const uint8_t *data, size_t size, char *out)
{
    size_t n = 0, last = f.known.own_n + AGENT_OWN_MAX - 1;
    for (size_t i = 0; i < size; i++) {
        if (i + 1 < size && data[i] == '@' && data[i + 1] == 'T')
            n += put(out + n, (i++, f.token));
        else if (i + 1 < size && data[i] == '@' && data[i + 1] == 'R')
            n += put(out + n, (i++, f.known.own[last % AGENT_OWN_MAX]));
        else
            out[n++] = (char)data[i];
    }
    return n;
}

/* The operator answers, so that the store does not fill up. */
static void answer_requests(size_t before)
{
    for (; before < f.known.own_n; before++)
        if (outcall_requests_reject(f.store, f.known.own[before % AGENT_OWN_MAX], "because", NULL) < 0)
            abort();
}

static void check(const struct talk *t)
{
    struct agent_known *k = &f.known;
    size_t before = k->own_n;
    if (!agent_stream_ok(k, t->sent, t->written, t->answer, t->got, t->got == t->room)) {
        (void)fprintf(stderr, "%s: %s\n", k->wrong, k->shown);
        abort();
    }
    if (memmem(t->answer, t->got, "\"allowed\":true", 14) && !agent_has_said(&k->said, "yes", 3))
        abort();
    answer_requests(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char sent[INPUT_MAX * OC_TOKEN_SIZE], answer[1 << 18];
    struct talk t = {.fd = -1, .sent = sent, .answer = answer, .room = sizeof(answer)};
    if (!f.l.http)
        start();
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    if (!line || size > INPUT_MAX)
        return 0;
    f.l.check_rate = (struct oc_rate){.limit = 1000, .window_ms = 1000};
    f.l.request_rate = (struct oc_rate){.limit = 3, .window_ms = 60000};
    t.len = with_names(line + 1, size - (size_t)(line + 1 - data), sent);
    t.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t.fd < 0 || connect(t.fd, (struct sockaddr *)&f.addr, f.len) < 0)
        abort();
    take_turns(&t, data, (size_t)(line - data));
    check(&t);
    agent_forget(&f.known);
    oc_close(t.fd);
    t.fd = -1;
    settle(&t);
    if (f.l.jobs != 0 || oc_http_server_connections(f.l.http) != 0)
        abort();
    return 0;
}
