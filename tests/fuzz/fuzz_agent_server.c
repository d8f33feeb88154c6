/* The agent API against any bytes of a client, in two pieces: nothing of a rule but its id and reason leaves,
 * and no answer says yes unless the question names what the one rule allows. The first byte says where the
 * input is cut; "@T" in it becomes the token of a session. */
#include "agent_server/listener.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "http/server.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS 64

static const char rules[] = "version: \"1\"\n"
                            "rules:\n"
                            "  - id: yes\n"
                            "    condition: run.tool == \"yes\" && \"conditionmark\" != run.cwd\n"
                            "    description: descriptionmark\n"
                            "    action: allow\n"
                            "  - id: no\n"
                            "    condition: run.tool == \"no\" || run.args[3] == \"conditionmark\"\n"
                            "    description: descriptionmark\n"
                            "    reason: because\n"
                            "    action: block\n";
static const char *const secrets[] = {"conditionmark", "descriptionmark", "filemark", "run.tool"};

static struct fixture {
    struct oc_agent_shared shared;
    struct oc_agent_listener l;
    char token[OC_TOKEN_SIZE];
    struct sockaddr_un addr;
    socklen_t len;
} f;

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

static void free_peer(void *peer)
{
    struct oc_agent_peer *p = peer;
    p->l->holding -= p->holds;
    outcall_peer_done(&p->peer);
    free(p);
}

static char *error_body(void *userdata, int status, const char *text)
{
    (void)userdata;
    return oc_agent_error_body(status == 413 ? OUTCALL_KIND_TOO_LARGE : OUTCALL_KIND_INVALID_REQUEST, text);
}

static void start(void)
{
    outcall_policy *policy = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct oc_http_server_options o = {.listen_fd = fd,
                                       .max_body = OUTCALL_AGENT_BODY_MAX,
                                       .accept = accept_self,
                                       .peer_free = free_peer,
                                       .handle = oc_agent_handle,
                                       .error_body = error_body,
                                       .userdata = &f.l};
    f.addr.sun_family = AF_UNIX;
    f.len = sizeof(f.addr);
    /* an autobound abstract address: no file, no name to collide with */
    if (bind(fd, (struct sockaddr *)&f.addr, sizeof(sa_family_t)) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&f.addr, &f.len) < 0 ||
        oc_http_server_new(&f.l.http, &o, NULL) < 0 ||
        outcall_policy_load_text(&policy, "filemark.yaml", rules, strlen(rules), NULL, NULL) < 0 ||
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
}

/* What was answered: text, cut to the room there is. */
static size_t run(int fd, char *answer, size_t n, size_t room)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct pollfd p = {.fd = oc_http_server_fd(f.l.http), .events = POLLIN};
        if (poll(&p, 1, 0) == 0 && oc_http_server_timeout_ms(f.l.http) != 0)
            break;
        oc_http_server_run(f.l.http);
        for (ssize_t got = 1; got > 0 && n<room; n += got> 0 ? (size_t)got : 0)
            got = recv(fd, answer + n, room - n, MSG_DONTWAIT);
    }
    return n;
}

static bool has(const char *s, size_t n, const char *what)
{
    return n > 0 && memmem(s, n, what, strlen(what)) != NULL;
}

static size_t with_token(const uint8_t *data, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (i + 1 < size && data[i] == '@' && data[i + 1] == 'T') {
            memcpy(out + n, f.token, OC_TOKEN_SIZE - 1);
            n += OC_TOKEN_SIZE - 1;
            i++;
        } else {
            out[n++] = (char)data[i];
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char sent[4096 * OC_TOKEN_SIZE], answer[65536];
    if (!f.l.http)
        start();
    if (size < 1 || size > 4096)
        return 0;
    f.l.check_rate = (struct oc_rate){.limit = 1000, .window_ms = 1000};
    size_t n = with_token(data + 1, size - 1, sent), cut = OC_MIN((size_t)data[0] * 4, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&f.addr, f.len) < 0)
        abort();
    size_t got = 0;
    if (send(fd, sent, cut, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)cut) {
        got = run(fd, answer, got, sizeof(answer));
        if (send(fd, sent + cut, n - cut, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            got = run(fd, answer, got, sizeof(answer));
    }
    (void)shutdown(fd, SHUT_WR);
    got = run(fd, answer, got, sizeof(answer));
    for (size_t i = 0; i < OC_ARRAY_SIZE(secrets); i++)
        if (has(answer, got, secrets[i]) && !has(sent, n, secrets[i]))
            abort();
    if (has(answer, got, "\"allowed\":true") && !has(sent, n, "yes") && !has(sent, n, "\\")) /* or escaped */
        abort();
    oc_close(fd);
    (void)run(-1, answer, sizeof(answer), sizeof(answer));
    return 0;
}
