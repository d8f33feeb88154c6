#include "docker/transfer.h"
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/version.h"
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define POLL_MAX_MS 60000 /* libcurl wants an int; a longer wait is taken in steps */

struct oc_transfer {
    CURLM *multi;
    CURL *easy;
    const char *path; /* borrowed */
    int quit_fd;
    /* Of the exchange under way: */
    const struct oc_exchange *x;
    struct oc_answer *answer;
    uint64_t idle_at_ms; /* when the silence becomes too long; OC_NEVER before the head is complete */
    size_t head_bytes;
    bool head_done;
    int verdict; /* what a callback decided; 0 = nothing */
};

static int connect_until(int fd, const struct sockaddr_un *sa, uint64_t deadline_ms)
{
    for (;;) {
        int left = oc_deadline_left(deadline_ms);
        if (left == 0)
            return OUTCALL_E_TIMEOUT;
        /* A full backlog makes a non-blocking connect fail with EAGAIN and leaves nothing to poll for; a
         * blocking one waits, bounded by the send timeout. 0 means for ever. */
        struct timeval tv = {.tv_sec = left < 0 ? 0 : left / 1000,
                             .tv_usec = left < 0 ? 0 : left % 1000 * 1000};
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
            return OUTCALL_E_SYSTEM;
        if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return OUTCALL_E_SYSTEM;
    }
}

int oc_socket_connect(const char *path, uint64_t deadline_ms, int *ret_fd)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (oc_copy(sa.sun_path, sizeof(sa.sun_path), path, strlen(path)) < 0) {
        errno = ENAMETOOLONG;
        return OUTCALL_E_SYSTEM;
    }
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return OUTCALL_E_SYSTEM;
    int r = connect_until(fd, &sa, deadline_ms);
    if (r == 0)
        *ret_fd = oc_take_fd(&fd);
    return r;
}

int oc_socket_unreachable(outcall_error *err, const char *path, int saved_errno, const char *why)
{
    char words[128];
    int r = oc_fail_kind(err, OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE,
                         "cannot reach the Docker Engine at %s: %s", path,
                         saved_errno ? strerror_r(saved_errno, words, sizeof(words)) : why);
    if (err && err->code == OUTCALL_E_UNREACHABLE && err->sys_errno == 0)
        err->sys_errno = saved_errno;
    return r;
}

/* libcurl's own socket would be inherited by children. */
static curl_socket_t open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)userdata;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int current_status(struct oc_transfer *t)
{
    long status = 0;
    return curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? (int)status : 0;
}

static bool is_ok(int status)
{
    return status >= 200 && status <= 299;
}

static void noticed_life(struct oc_transfer *t)
{
    t->idle_at_ms = oc_deadline(t->x->idle_ms);
}

/* One header line, line end included; the empty one ends the head. */
static size_t take_header(char *data, size_t size, size_t n, void *userdata)
{
    struct oc_transfer *t = userdata;
    size_t len = size * n;
    t->head_bytes += len;
    if (t->head_bytes > OC_DOCKER_HEAD_MAX) { /* libcurl itself bounds lines, not their number */
        t->verdict = OUTCALL_E_LIMIT;
        return 0;
    }
    bool end = len <= 2 && (data[0] == '\r' || data[0] == '\n');
    int status = current_status(t);
    if (!end || status < 200 || t->head_done)
        return len;
    t->answer->status = status;
    t->head_done = true;
    noticed_life(t);
    if (is_ok(status) && t->x->on_open)
        t->x->on_open(t->x->userdata);
    return len;
}

static size_t take_body(char *data, size_t size, size_t n, void *userdata)
{
    struct oc_transfer *t = userdata;
    size_t len = size * n;
    noticed_life(t);
    if (t->x->on_data && is_ok(t->answer->status))
        t->verdict = t->x->on_data(t->x->userdata, data, len);
    else
        t->verdict = oc_buf_add(&t->answer->body, data, len);
    return t->verdict == 0 ? len : 0;
}

int oc_transfer_new(struct oc_transfer **ret, const char *path, int quit_fd, outcall_error *err)
{
    /* Counted by libcurl, thread-safe since its 7.84; the flag asks for nothing beyond HTTP. */
    CURLcode started = curl_global_init(CURL_GLOBAL_NOTHING);
    if (started != CURLE_OK)
        return oc_fail(err, OUTCALL_E_SYSTEM, "libcurl cannot start: %s", curl_easy_strerror(started));
    struct oc_transfer *t = calloc(1, sizeof(*t));
    if (!t) {
        curl_global_cleanup();
        return oc_no_memory(err);
    }
    t->path = path;
    t->quit_fd = quit_fd;
    t->multi = curl_multi_init();
    t->easy = curl_easy_init();
    if (!t->multi || !t->easy) {
        (void)oc_transfer_free(t);
        return oc_no_memory(err);
    }
    (void)curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 1L);
    *ret = t;
    return 0;
}

struct oc_transfer *oc_transfer_free(struct oc_transfer *t)
{
    if (!t)
        return NULL;
    curl_easy_cleanup(t->easy);
    if (t->multi)
        (void)curl_multi_cleanup(t->multi);
    curl_global_cleanup();
    free(t);
    return NULL;
}

/* Failures add up in *bad: an option that is not set could mean a proxy, a redirect or no bound at all. */
#define SET(option, value) (bad |= curl_easy_setopt(e, (option), (value)) != CURLE_OK)

static bool set_safety(CURL *e, struct oc_transfer *t)
{
    bool bad = false;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_UNIX_SOCKET_PATH, t->path);
    SET(CURLOPT_USERAGENT, "outcall/" OUTCALL_VERSION_STRING);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, t);
    return !bad;
}

static bool set_request(CURL *e, const struct oc_exchange *x, const char *url, struct curl_slist *headers)
{
    bool bad = false;
    bool reads = strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
    bool sends = x->body || strcmp(x->method, "POST") == 0 || strcmp(x->method, "PUT") == 0;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, headers);
    if (sends) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(x->body ? x->body_len : 0));
        SET(CURLOPT_POSTFIELDS, x->body ? x->body : "");
    }
    if (strcmp(x->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else
        SET(CURLOPT_CUSTOMREQUEST, x->method);
    /* On a kept connection that died libcurl sends the request again, whatever it is. Whatever changes
     * something therefore gets a connection of its own: a container is never asked for twice. */
    SET(CURLOPT_FRESH_CONNECT, reads ? 0L : 1L);
    return !bad;
}

static struct curl_slist *make_headers(const struct oc_exchange *x)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    struct curl_slist *more =
        list ? curl_slist_append(list, x->body ? "Content-Type: application/json" : "Content-Type:") : NULL;
    if (!more)
        curl_slist_free_all(list);
    return more;
}

/* Milliseconds until the next bound is reached; 0 = one is. *ret_why: which. */
static int time_left(const struct oc_transfer *t, const char **ret_why)
{
    uint64_t at = OC_MIN(t->x->deadline_ms, t->head_done ? t->idle_at_ms : t->x->head_deadline_ms);
    *ret_why = t->head_done && at == t->idle_at_ms ? "went silent" : "did not answer in time";
    int left = oc_deadline_left(at);
    return left < 0 ? POLL_MAX_MS : OC_MIN(left, POLL_MAX_MS);
}

static int timed_out(const struct oc_transfer *t, const char *why, outcall_error *err)
{
    return oc_fail_kind(err, OUTCALL_E_TIMEOUT, OUTCALL_KIND_DOCKER_TIMEOUT, "the Docker Engine at %s %s",
                        t->path, why);
}

static int last_errno(const struct oc_transfer *t)
{
    long saved = 0;
    return curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &saved) == CURLE_OK ? (int)saved : 0;
}

/* What libcurl's result means here. */
static int judge(struct oc_transfer *t, CURLcode code, outcall_error *err)
{
    if (t->verdict == OUTCALL_E_LIMIT && !(t->x->on_data && is_ok(t->answer->status)))
        return oc_fail_kind(err, OUTCALL_E_LIMIT, OUTCALL_KIND_DOCKER_ERROR,
                            "the Docker Engine's answer to %s %s is larger than %zu bytes", t->x->method,
                            t->x->target, t->head_done ? t->x->body_max : OC_DOCKER_HEAD_MAX);
    if (t->verdict == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (t->verdict != 0)
        return t->verdict;
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return oc_no_memory(err);
    case CURLE_COULDNT_CONNECT:
        return oc_socket_unreachable(err, t->path, last_errno(t), "no connection");
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (!t->head_done)
            return oc_socket_unreachable(err, t->path, 0, "the connection was lost before an answer came");
        break;
    default:
        break;
    }
    t->answer->cut = t->head_done;
    return oc_fail_kind(err, OUTCALL_E_PROTOCOL, OUTCALL_KIND_DOCKER_ERROR,
                        "the Docker Engine's answer to %s %s is %s (%s)", t->x->method, t->x->target,
                        t->head_done ? "cut off" : "malformed", curl_easy_strerror(code));
}

static bool finished(struct oc_transfer *t, CURLcode *ret)
{
    int left = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(t->multi, &left));)
        if (m->msg == CURLMSG_DONE) {
            *ret = m->data.result;
            return true;
        }
    return false;
}

static int drive(struct oc_transfer *t, outcall_error *err)
{
    struct curl_waitfd stop[2] = {{.fd = t->quit_fd, .events = CURL_WAIT_POLLIN},
                                  {.fd = t->x->stop_fd, .events = CURL_WAIT_POLLIN}};
    const unsigned stop_n = t->x->stop_fd >= 0 ? 2 : 1;
    for (;;) {
        int running = 0;
        CURLcode code = CURLE_OK;
        const char *why = NULL;
        if (curl_multi_perform(t->multi, &running) != CURLM_OK)
            return oc_no_memory(err);
        if (finished(t, &code))
            return judge(t, code, err);
        int left = time_left(t, &why);
        if (left == 0)
            return timed_out(t, why, err);
        stop[0].revents = stop[1].revents = 0;
        if (curl_multi_poll(t->multi, stop, stop_n, left, NULL) != CURLM_OK)
            return oc_no_memory(err);
        if (stop[0].revents || stop[1].revents)
            return oc_fail(err, OUTCALL_E_CLOSED, "stopped while waiting for the Docker Engine");
    }
}

int oc_transfer_run(struct oc_transfer *t, const struct oc_exchange *x, struct oc_answer *ret,
                    outcall_error *err)
{
    t->x = x;
    t->answer = ret;
    t->idle_at_ms = OC_NEVER;
    t->head_bytes = 0;
    t->head_done = false;
    t->verdict = 0;
    ret->body.max = x->body_max;
    OC_FREE char *url = oc_asprintf("http://docker%s", x->target);
    struct curl_slist *headers = make_headers(x);
    int r = 0;
    curl_easy_reset(t->easy);
    if (oc_poll1(t->quit_fd, POLLIN, 0) != 0)
        r = oc_fail(err, OUTCALL_E_CLOSED, "no more calls to the Docker Engine: it was told to quit");
    else if (!url || !headers || !set_safety(t->easy, t) || !set_request(t->easy, x, url, headers) ||
             curl_multi_add_handle(t->multi, t->easy) != CURLM_OK)
        r = oc_no_memory(err);
    if (r == 0) {
        r = drive(t, err);
        (void)curl_multi_remove_handle(t->multi, t->easy);
    }
    curl_slist_free_all(headers);
    return r;
}
