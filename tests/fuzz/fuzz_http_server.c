/* A driven server against any bytes, in two pieces: whatever comes, each handler call is well-formed and each
 * connection ends. The first byte says where the input is cut. */
#include "base/fd.h"
#include "base/str.h"
#include "http/server.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 512U
#define ROUNDS   64

struct server {
    oc_http_server *http;
    struct sockaddr_un addr;
    socklen_t len;
};

static int look(void *userdata, const char *name, const char *value)
{
    (void)userdata;
    if (!oc_utf8_valid(name, strlen(name)) || !oc_utf8_valid(value, strlen(value)))
        abort();
    return 0;
}

static void handle(void *userdata, oc_http_call *call)
{
    size_t len = 0;
    const char *path = oc_http_call_path(call);
    (void)userdata;
    if (path[0] != '/' || oc_has_control(path, strlen(path)) || !oc_utf8_valid(path, strlen(path)))
        abort();
    if (!oc_http_call_body(call, &len) || len > BODY_MAX || oc_http_call_query_each(call, look, NULL) != 0)
        abort();
    (void)oc_http_call_header(call, "X");
    oc_http_reply(call, 200, strdup("{}"), 2, 0);
}

static void start(struct server *s)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct oc_http_server_options o = {.listen_fd = fd, .max_body = BODY_MAX, .handle = handle};
    s->addr.sun_family = AF_UNIX;
    s->len = sizeof(s->addr);
    /* an autobound abstract address: no file, no name to collide with */
    if (bind(fd, (struct sockaddr *)&s->addr, sizeof(sa_family_t)) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&s->addr, &s->len) < 0 ||
        oc_http_server_new(&s->http, &o, NULL) < 0)
        abort();
}

static void run(struct server *s, int fd)
{
    char sink[4096];
    for (int i = 0; i < ROUNDS; i++) {
        struct pollfd p = {.fd = oc_http_server_fd(s->http), .events = POLLIN};
        if (poll(&p, 1, 0) == 0 && oc_http_server_timeout_ms(s->http) != 0)
            break;
        oc_http_server_run(s->http);
        while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server s;
    if (!s.http)
        start(&s);
    if (size < 1 || size > 30000)
        return 0;
    size_t cut = OC_MIN((size_t)data[0], size - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&s.addr, s.len) < 0)
        abort();
    (void)send(fd, data + 1, cut, MSG_NOSIGNAL);
    run(&s, fd);
    (void)send(fd, data + 1 + cut, size - 1 - cut, MSG_NOSIGNAL);
    run(&s, fd);
    oc_close(fd);
    run(&s, -1);
    if (oc_http_server_connections(s.http) != 0)
        abort();
    return 0;
}
