#include "support/agent_load.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/str.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 64

static _Noreturn void give_up(const char *what, const outcall_error *err)
{
    fprintf(stderr, "agent load: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static outcall_agent_client *check_in(const char *path, outcall_session *session)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_client *c = NULL;
    outcall_agent_client_options o = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    o.socket_path = path;
    if (outcall_agent_client_new(&c, &o, &err) < 0 || outcall_agent_client_checkin(c, session, &err) < 0)
        give_up("check-in", &err);
    return c;
}

outcall_agent_client *agent_load_client(const char *path)
{
    outcall_session session;
    return check_in(path, &session);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void agent_load_sort(double took[], size_t n)
{
    qsort(took, n, sizeof(took[0]), ascending);
}

void agent_load_ask(outcall_agent_client *c, size_t n, double took[])
{
    static const outcall_pair metadata[] = {{"method", "GET"}};
    static const outcall_check check = {
        OUTCALL_NETWORK_CALL, "https://api.example.com/v1/models", NULL, 0, NULL, metadata, 1};
    for (size_t i = 0; i < n; i++) {
        outcall_reply reply;
        outcall_error err = OUTCALL_ERROR_INIT;
        uint64_t start = oc_now_ns();
        if (outcall_agent_client_check(c, &check, &reply, &err) < 0 || !reply.allowed)
            give_up("check", &err);
        took[i] = (double)(oc_now_ns() - start) / 1000;
    }
    agent_load_sort(took, n);
}

static _Noreturn void flood(const struct sockaddr_un *addr, socklen_t len, const char *question)
{
    static char sink[65536 + 1];
    struct pollfd fds[CONNECTIONS];
    bool limited = false;
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = (struct pollfd){socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                 i % 2 ? POLLIN : POLLIN | POLLOUT, 0};
        if (fds[i].fd < 0 || connect(fds[i].fd, (const struct sockaddr *)addr, len) < 0)
            give_up("flood", NULL);
    }
    printf("floods %d\n", (int)getpid());
    (void)fflush(stdout);
    for (;;) {
        (void)poll(fds, CONNECTIONS, 1);
        for (int i = 0; i < CONNECTIONS; i++) {
            ssize_t n = fds[i].revents & POLLIN ? recv(fds[i].fd, sink, sizeof(sink) - 1, MSG_DONTWAIT) : 0;
            sink[OC_MAX(n, 0)] = '\0';
            if (!limited && strstr(sink, " 429 ")) {
                limited = puts("limited") >= 0;
                (void)fflush(stdout);
            }
            (void)!send(fds[i].fd, i % 2 ? "x" : question, i % 2 ? 1 : strlen(question),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
}

void agent_load_flood(const char *path)
{
    static const char body[] =
        "{\"action_type\":\"network_call\",\"target\":\"https://api.example.com/v1/\"}";
    char question[512];
    outcall_session session;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)check_in(path, &session); /* it is kept: that is what keeps the session */
    (void)oc_format(question, sizeof(question),
                    "POST /v1/permissions/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    session.token, sizeof(body) - 1, body);
    (void)oc_copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path));
    flood(&addr, sizeof(addr), question);
}

void agent_load_flood_nobody(void)
{
    static char question[384];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* A name of the kernel's choice: unix(7), autobind. */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr.sun_family)) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0 || listen(fd, CONNECTIONS) < 0)
        give_up("a socket of nobody", NULL);
    memset(question, 'x', sizeof(question) - 1);
    flood(&addr, len, question);
}
