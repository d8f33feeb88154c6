/* The client's reader against any bytes. The first byte chooses what was asked: a bounded body or a stream,
 * and whether the peer hangs up behind its answer (else the deadline, which is over at once, ends it). */
#include "base/clock.h"
#include "base/fd.h"
#include "http/client.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int drop(void *userdata, const char *data, size_t len)
{
    *(size_t *)userdata += len;
    if (len > 0 && data[0] == '\a')
        return 1;
    return 0;
}

static void check(int r, const struct oc_http_response *res, size_t body_max)
{
    if (r == 0 && (res->status < 200 || res->status > 599))
        abort();
    if (r == 0 && res->body && (res->len > body_max || res->body[res->len] != '\0'))
        abort();
    if (r != 0 && (res->body || res->status))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int sv[2];
    size_t got = 0;
    oc_http *h = NULL;
    struct oc_http_response res = {0};
    if (size < 1 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return 0;
    bool stream = data[0] & 1;
    bool hangup = !(data[0] & 2);
    struct oc_http_request req = {.method = "GET",
                                  .target = "/",
                                  .deadline_ms = oc_deadline(hangup ? 2000 : 1),
                                  .body_max = 4096,
                                  .on_data = stream ? drop : NULL,
                                  .userdata = &got};
    if (oc_write_all(sv[1], data + 1, size - 1) < 0)
        abort();
    if (hangup)
        (void)shutdown(sv[1], SHUT_WR);
    if (oc_http_from_fd(&h, sv[0], NULL) < 0) {
        oc_close(sv[0]);
        oc_close(sv[1]);
        return 0;
    }
    check(oc_http_exchange(h, &req, &res, NULL), &res, req.body_max);
    oc_http_response_done(&res);
    h = oc_http_free(h);
    oc_close(sv[1]);
    return 0;
}
