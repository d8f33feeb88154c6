/* fake-agent [OPTION...] SOCKET - a scripted daemon on an agent socket, for tests of the shim.
 *
 * By itself it does what a good daemon does: it gives tokens and wants them back, and allows every question
 * in which no word begins with "deny". Each request is one JSON line in the log.
 *   --log FILE             method, path, number of the connection, whether the token was good, body; what a
 *                          connection said beyond requests counts as one more
 *   --answer WHERE FILE    the bytes of FILE, whatever they are, for checkin, check, heartbeat or requests
 *   --trickle MS           answers that come from files go out byte by byte, MS between them
 *   --do WHERE WHAT        hang: no answer ever; close: hangs up instead; kill: dies; stop: SIGSTOP, then
 *                          answers; late: dies right after the answer
 *   --busy N               the first N questions get 429 with "Retry-After: 1"
 *   --refuse TEXT          check-ins are refused with 403 and TEXT
 *   --heartbeat-secs N     what a check-in says (1)
 *   --flap MS              the socket's file goes away and comes back every MS
 * It ends with the process that started it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/json.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNS_MAX 512
#define FILE_MAX  ((size_t)64 * 1024 * 1024)

enum { CHECKIN, CHECK, HEARTBEAT, REQUESTS, WHERES };
static const char *const wheres[WHERES] = {"checkin", "check", "heartbeat", "requests"};
static const char *const paths[WHERES] = {"/v1/checkin", "/v1/permissions/check", "/v1/heartbeat",
                                          "/v1/requests/rules"};

struct script {
    char *answer; /* NULL: what a good daemon says */
    size_t len;
    const char *act;
};

struct conn {
    int fd, number;
    bool dead;
    struct oc_buf in, out;
    uint64_t next_ms; /* when the next byte of a trickle is due */
    bool trickles;
};

static struct fake {
    struct script scripts[WHERES];
    char path[108];
    const char *refuse;
    int listen_fd, log_fd, made;
    uint32_t trickle_ms, busy, heartbeat_s, flap_ms;
    uint64_t flap_at_ms;
    struct conn conns[CONNS_MAX];
    size_t conns_n;
    char tokens[1024][64];
    size_t tokens_n;
} fake = {.listen_fd = -1, .log_fd = -1, .heartbeat_s = 1};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "fake-agent: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(int r)
{
    if (r < 0)
        die("out of bounds");
}

static void open_socket(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    must(oc_format(a.sun_path, sizeof(a.sun_path), "%s", fake.path));
    fake.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fake.listen_fd < 0 || bind(fake.listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        chmod(fake.path, 0666) < 0 || listen(fake.listen_fd, 512) < 0)
        die(fake.path);
}

static void close_socket(void)
{
    oc_close(oc_take_fd(&fake.listen_fd));
    (void)unlink(fake.path);
}

/* --- answers ------------------------------------------------------------------------------------------- */

static void answer(struct conn *c, int status, const char *headers, const char *body)
{
    must(oc_buf_printf(&c->out,
                       "HTTP/1.1 %d x\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                       status, headers, strlen(body), body));
}

static void refuse(struct conn *c, int status, const char *headers, const char *text)
{
    OC_FREE char *body = oc_asprintf("{\"success\":false,\"error\":\"%s\",\"code\":\"forbidden\"}", text);
    answer(c, status, headers, body ? body : "");
}

static void check_in(struct conn *c)
{
    char hex[33], *token = fake.tokens[fake.tokens_n++ % 1024];
    must(oc_random_hex(hex, sizeof(hex)));
    must(oc_format(token, sizeof(fake.tokens[0]), "tok-%s", hex));
    OC_FREE char *body = oc_asprintf("{\"success\":true,\"data\":{\"container_id\":\"%064d\",\"name\":"
                                     "\"outcall-agent-fake\",\"session_token\":"
                                     "\"%s\",\"context_keys\":[],\"heartbeat_secs\":%u}}",
                                     1, token, fake.heartbeat_s);
    answer(c, 200, "", body ? body : "");
}

static bool denies(const json_t *check)
{
    const json_t *args = oc_json_get(check, "metadata.args"), *word = NULL;
    size_t i = 0;
    bool found = oc_starts_with(oc_json_string(check, "target", ""), "deny");
    json_array_foreach(args, i, word) found |=
        json_is_string(word) && oc_starts_with(json_string_value(word), "deny");
    return found;
}

static void decide(struct conn *c, const json_t *check)
{
    if (fake.busy > 0) {
        fake.busy--;
        refuse(c, 429, "Retry-After: 1\r\n", "too many requests");
    } else if (denies(check)) {
        answer(c, 200, "",
               "{\"success\":true,\"data\":{\"allowed\":false,\"matched_rule\":\"no-deny\",\"reason\":"
               "\"not here\"}}");
    } else {
        answer(c, 200, "",
               "{\"success\":true,\"data\":{\"allowed\":true,\"matched_rule\":\"yes\",\"reason\":null}}");
    }
}

static bool token_ok(const char *head)
{
    static const char name[] = "\r\nAuthorization: Bearer ";
    const char *p = strcasestr(head, name);
    for (size_t i = 0; p && i < OC_MIN(fake.tokens_n, (size_t)1024); i++)
        if (oc_starts_with(p + sizeof(name) - 1, fake.tokens[i]))
            return true;
    return false;
}

static void say(struct conn *c, int where, bool good_token, const json_t *body)
{
    const struct script *s = where < WHERES ? &fake.scripts[where] : NULL;
    if (s && s->answer) {
        must(oc_buf_add(&c->out, s->answer, s->len));
        c->trickles = fake.trickle_ms > 0;
    } else if (where == WHERES) {
        refuse(c, 404, "", "no such path");
    } else if (where == CHECKIN && fake.refuse) {
        refuse(c, 403, "", fake.refuse);
    } else if (where == CHECKIN) {
        check_in(c);
    } else if (!good_token) {
        refuse(c, 401, "", "unknown token");
    } else if (where == CHECK) {
        decide(c, body);
    } else if (where == REQUESTS) {
        answer(c, 200, "",
               "{\"success\":true,\"data\":{\"id\":\"rr-0123456789ab\",\"status\":\"pending\",\"reason\":"
               "null}}");
    } else {
        answer(c, 200, "", "{\"success\":true,\"data\":{}}");
    }
}

/* --- requests ------------------------------------------------------------------------------------------ */

static void write_log(const struct conn *c, const char *method, const char *path, bool good_token,
                      json_t *body)
{
    OC_JSON json_t *j = json_object();
    size_t len = 0;
    bool bad = oc_json_set(j, "method", json_string(method)) | oc_json_set(j, "path", json_string(path)) |
               oc_json_set(j, "connection", json_integer(c->number)) |
               oc_json_set(j, "token", json_boolean(good_token)) |
               oc_json_set(j, "body", body ? json_incref(body) : json_null());
    OC_FREE char *text = bad ? NULL : oc_json_dump(j, &len);
    if (!text)
        die("log");
    text[len] = '\n';
    if (fake.log_fd >= 0 && oc_write_all(fake.log_fd, text, len + 1) < 0)
        die("log");
}

static int where_of(const char *path)
{
    int where = 0;
    while (where < WHERES && !oc_starts_with(path, paths[where]))
        where++;
    return where;
}

static void act(struct conn *c, const char *what, bool before)
{
    if (!what)
        return;
    if (before && oc_streq(what, "close"))
        c->dead = true;
    if (before && oc_streq(what, "kill"))
        (void)raise(SIGKILL);
    if (before && oc_streq(what, "stop"))
        (void)raise(SIGSTOP);
    if (!before && oc_streq(what, "late") && write(c->fd, c->out.data, c->out.len) >= 0)
        (void)raise(SIGKILL);
}

/* One whole request at the front of c->in: handled and dropped. */
static bool handle(struct conn *c)
{
    char method[16] = "", path[256] = "";
    const char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    size_t head_len = (size_t)(end - c->in.data) + 4;
    OC_FREE char *head = strndup(c->in.data, head_len);
    const char *p = head ? strcasestr(head, "\r\nContent-Length: ") : NULL;
    uint64_t body_len = 0;
    if (p && oc_parse_u64(p + 18, strcspn(p + 18, "\r"), 0, FILE_MAX, &body_len) < 0)
        die("content-length");
    if (!head || c->in.len < head_len + body_len)
        return false;
    size_t m = strcspn(head, " "), n = strcspn(head + m + 1, " ");
    must(oc_copy(method, sizeof(method), head, m));
    must(oc_copy(path, sizeof(path), head + m + 1, n));
    OC_JSON json_t *body = NULL;
    if (body_len && oc_json_load(c->in.data + head_len, (size_t)body_len, &body, NULL) < 0)
        body = NULL;
    bool good_token = token_ok(head);
    int where = where_of(path);
    const char *what = where < WHERES ? fake.scripts[where].act : NULL;
    write_log(c, method, path, good_token, body);
    oc_buf_drop(&c->in, head_len + (size_t)body_len);
    act(c, what, true);
    if (!oc_streq(what, "hang") && !c->dead)
        say(c, where, good_token, body);
    act(c, what, false);
    return !c->dead;
}

/* --- connections --------------------------------------------------------------------------------------- */

static void receive(struct conn *c)
{
    char buf[65536];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        c->dead = true;
    if (n > 0)
        must(oc_buf_add(&c->in, buf, (size_t)n));
    while (n > 0 && handle(c))
        ;
}

static void transmit(struct conn *c)
{
    size_t n = c->out.len;
    if (c->trickles) {
        if (oc_now_ms() < c->next_ms)
            return;
        c->next_ms = oc_deadline(fake.trickle_ms);
        n = 1;
    }
    ssize_t sent = send(c->fd, c->out.data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        oc_buf_drop(&c->out, (size_t)sent);
    else if (errno != EAGAIN && errno != EINTR)
        c->dead = true;
}

static void take_connections(void)
{
    int fd = -1;
    while (fake.listen_fd >= 0 && fake.conns_n < CONNS_MAX &&
           (fd = accept4(fake.listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        fake.conns[fake.conns_n++] = (struct conn){.fd = fd, .number = ++fake.made};
}

static void drop_dead(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake.conns_n; i++) {
        struct conn *c = &fake.conns[i];
        if (!c->dead) {
            fake.conns[kept++] = *c;
            continue;
        }
        if (c->in.len > 0)
            write_log(c, "", "bytes that are no request", false, NULL);
        oc_close(c->fd);
        oc_buf_done(&c->in);
        oc_buf_done(&c->out);
    }
    fake.conns_n = kept;
}

static void flap(void)
{
    if (fake.flap_ms == 0 || oc_now_ms() < fake.flap_at_ms)
        return;
    fake.flap_at_ms = oc_deadline(fake.flap_ms);
    if (fake.listen_fd >= 0)
        close_socket();
    else
        open_socket();
}

static void turn(void)
{
    static struct pollfd fds[CONNS_MAX + 1];
    bool trickles = false;
    fds[0] = (struct pollfd){.fd = fake.listen_fd, .events = POLLIN};
    for (size_t i = 0; i < fake.conns_n; i++) {
        struct conn *c = &fake.conns[i];
        bool due = c->out.len > 0;
        trickles |= due && c->trickles;
        fds[i + 1] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        if (due && !c->trickles)
            fds[i + 1].events |= POLLOUT;
    }
    size_t n = fake.conns_n;
    if (poll(fds, n + 1, trickles || fake.flap_ms ? 1 : -1) < 0 && errno != EINTR)
        die("poll");
    for (size_t i = 0; i < n; i++) {
        if (fds[i + 1].revents & (POLLIN | POLLHUP | POLLERR))
            receive(&fake.conns[i]);
        if (fake.conns[i].out.len > 0 && !fake.conns[i].dead)
            transmit(&fake.conns[i]);
    }
    drop_dead();
    take_connections();
    flap();
}

/* --- the command line ---------------------------------------------------------------------------------- */

static struct script *script(const char *where)
{
    for (int i = 0; i < WHERES; i++)
        if (oc_streq(wheres[i], where))
            return &fake.scripts[i];
    die(where);
}

static uint32_t number(const char *s)
{
    uint32_t n = 0;
    must(oc_parse_u32(s, strlen(s), 0, 1000000, &n));
    return n;
}

static int read_option(char **a)
{
    if (oc_streq(a[0], "--answer")) {
        struct script *s = script(a[1]);
        must(oc_read_file(AT_FDCWD, a[2], FILE_MAX, &s->answer, &s->len));
        return 3;
    }
    if (oc_streq(a[0], "--do")) {
        script(a[1])->act = a[2];
        return 3;
    }
    if (oc_streq(a[0], "--log")) {
        fake.log_fd = open(a[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        must(fake.log_fd);
    } else if (oc_streq(a[0], "--refuse")) {
        fake.refuse = a[1];
    } else if (oc_streq(a[0], "--trickle")) {
        fake.trickle_ms = number(a[1]);
    } else if (oc_streq(a[0], "--busy")) {
        fake.busy = number(a[1]);
    } else if (oc_streq(a[0], "--heartbeat-secs")) {
        fake.heartbeat_s = number(a[1]);
    } else if (oc_streq(a[0], "--flap")) {
        fake.flap_ms = number(a[1]);
    } else {
        die(a[0]);
    }
    return 2;
}

int main(int argc, char **argv)
{
    int i = 1;
    while (i + 2 < argc)
        i += read_option(argv + i);
    if (i + 1 != argc)
        die("usage: fake-agent [OPTION...] SOCKET");
    must(oc_format(fake.path, sizeof(fake.path), "%s", argv[i]));
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        die("prctl");
    open_socket();
    for (;;)
        turn();
}
