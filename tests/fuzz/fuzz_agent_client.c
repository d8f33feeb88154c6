/* The agent's client against a server that says anything, in pieces of any size. The first byte: how many
 * bytes a read gives at most. The second: how much of the rest is the answer to the check-in, in steps of
 * sixteen bytes; with 0 the check-in is answered properly. What follows is the answer to a question.
 *
 * A yes needs the status 200 and the letters of two JSON trues behind it; and the question after that one,
 * which the server says nothing to, never has an answer. */
#include "base/fd.h"
#include "base/str.h"
#include "outcall/agent_client.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

#define INPUT_MAX 60000U

static const char session[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 147\r\n\r\n"
    "{\"success\":true,\"data\":{\"container_id\":\"c\",\"name\":\"n\",\"session_token\":"
    "\"tok-0123456789abcdef0123456789abcdef\",\"context_keys\":[],\"heartbeat_secs\":5}}";

static size_t piece; /* the most that one read gives */
static struct {
    int fd;
    const void *data; /* said when the next request comes; NULL: nothing */
    size_t len;
} server;

/* The server answers at the moment it is asked: head and body come in one message. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    size_t len = m->msg_iov[0].iov_len + m->msg_iov[1].iov_len;
    ssize_t n = __real_sendmsg(fd, m, flags);
    if (n == (ssize_t)len && server.data && oc_write_all(server.fd, server.data, server.len) < 0)
        abort();
    server.data = NULL;
    return n;
}

/* Where nothing is left the server has hung up: there is nobody to wait for. */
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n = __real_recv(fd, buf, OC_MIN(piece, len), flags);
    return n < 0 && errno == EAGAIN && !(flags & MSG_PEEK) ? 0 : n;
}

/* The least a yes can be made of, looked for without a parser; a chunk's line may stand between any two
 * letters. */
static bool could_be_yes(const uint8_t *data, size_t size)
{
    static const char letters[] = "truetrue";
    const uint8_t *at = memmem(data, size, " 200", 4);
    size_t n = 0;
    if (!at)
        return false;
    for (; at < data + size && n < sizeof(letters) - 1; at++)
        n += *at == (uint8_t)letters[n];
    return n == sizeof(letters) - 1;
}

static int ask(outcall_agent_client *c, outcall_reply *ret)
{
    static const outcall_check check = {OUTCALL_TOOL_EXEC, "git", NULL, 0, NULL, NULL, 0};
    *ret = (outcall_reply){1, "r", "r"};
    int r = outcall_agent_client_check(c, &check, ret, NULL);
    if (r < 0 && (ret->allowed || ret->rule_id[0] || ret->reason[0]))
        abort();
    return r;
}

static void says(const void *data, size_t len)
{
    server.data = data;
    server.len = len;
}

static void converse(outcall_agent_client *c, const uint8_t *data, size_t size, size_t first)
{
    outcall_session s;
    outcall_reply reply;
    if (first == 0)
        says(session, sizeof(session) - 1);
    else
        says(data, first);
    int r = outcall_agent_client_checkin(c, &s, NULL);
    if (first == 0 && r < 0)
        abort();
    says(data + first, size - first);
    r = ask(c, &reply);
    if (r == 0 && reply.allowed && !could_be_yes(data + first, size - first))
        abort();
    says(NULL, 0);
    if (ask(c, &reply) >= 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcall_agent_client *c = NULL;
    int sv[2];
    if (size < 2 || size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return 0;
    if (outcall_agent_client_from_fd(&c, sv[0], 0, NULL) < 0)
        abort();
    server.fd = sv[1];
    piece = data[0] ? data[0] : INPUT_MAX;
    size_t first = (size_t)data[1] * 16;
    converse(c, data + 2, size - 2, OC_MIN(first, size - 2));
    c = outcall_agent_client_free(c);
    oc_close(sv[1]);
    return 0;
}
