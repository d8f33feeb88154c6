#include "support/fake_engine.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "docker/api_version.h"
#include "support/fake_echo.h"
#include "json/json.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX     ((size_t)4 << 20)
#define CONNECTIONS_MAX 256
#define METHOD_SIZE     16
#define TARGET_SIZE     16384

/* Unit programs make allocations fail on purpose; those of the engine they talk to should not. */
extern void failmalloc_exempt(void) __attribute__((weak));

struct connection {
    struct fake_engine *engine;
    pthread_t thread;
    int fd;
    bool used, waiting, done;
};

struct fake_engine {
    char path[108];
    int listen_fd, stop_fd[2], log_fd;
    pthread_t acceptor;
    pthread_mutex_t lock;     /* of all below */
    json_t *script, *created; /* created: the last container that was asked for */
    struct oc_buf requests;
    size_t accepted_n;
    struct connection connections[CONNECTIONS_MAX];
};

struct request {
    struct oc_buf bytes;
    char method[METHOD_SIZE], target[TARGET_SIZE];
    const char *path;  /* in target, after the version */
    char version[16];  /* "" = none */
    const char *query; /* "" = none */
    const char *body;
    size_t body_len, total;
};

static void lock(struct fake_engine *f)
{
    (void)pthread_mutex_lock(&f->lock);
}

static void unlock(struct fake_engine *f)
{
    (void)pthread_mutex_unlock(&f->lock);
}

/* Waits for the end of the engine, of the peer, or of the time. */
static void linger(const struct connection *c, int timeout_ms)
{
    struct pollfd p[] = {{.fd = c->engine->stop_fd[0], .events = POLLIN}, {.fd = c->fd, .events = POLLRDHUP}};
    (void)poll(p, 2, timeout_ms);
}

static bool send_all(const struct connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* "METHOD TARGET ...": the first two words of a line, whole or not at all. */
static bool method_and_target(const char *line, char method[METHOD_SIZE], char target[TARGET_SIZE])
{
    size_t n = strcspn(line, " \r\n");
    if (n == 0 || line[n] != ' ' || oc_copy(method, METHOD_SIZE, line, n) < 0)
        return false;
    line += n + 1;
    n = strcspn(line, " \r\n");
    return n > 0 && oc_copy(target, TARGET_SIZE, line, n) == 0;
}

/* "/v1.41/containers/json?all=1" into its parts. */
static void split_target(struct request *q)
{
    char *query = strchr(q->target, '?');
    q->query = query ? query + 1 : "";
    q->path = q->target;
    if (q->target[0] == '/' && q->target[1] == 'v' && q->target[2] >= '0' && q->target[2] <= '9') {
        size_t n = strcspn(q->target + 1, "/") + 1;
        (void)oc_copy(q->version, sizeof(q->version), q->target + 2, n - 2);
        q->path = q->target + n;
    }
}

/* 1: a whole request is there; 0: more is needed; -1: nonsense. */
static int parse_request(struct request *q)
{
    char *head_end = q->bytes.len ? memmem(q->bytes.data, q->bytes.len, "\r\n\r\n", 4) : NULL;
    if (!head_end)
        return 0;
    size_t head = (size_t)(head_end - q->bytes.data) + 4;
    uint64_t length = 0;
    const char *header = strcasestr(q->bytes.data, "\r\ncontent-length: ");
    if (header && header < head_end) {
        header += strlen("\r\ncontent-length: ");
        if (oc_parse_u64(header, strcspn(header, "\r"), 0, REQUEST_MAX, &length) < 0)
            return -1;
    }
    if (q->bytes.len < head + length)
        return 0;
    if (!method_and_target(q->bytes.data, q->method, q->target))
        return -1;
    split_target(q);
    q->body = q->bytes.data + head;
    q->body_len = (size_t)length;
    q->total = head + (size_t)length;
    return 1;
}

static int read_request(struct connection *c, struct request *q)
{
    char chunk[16384];
    for (;;) {
        int r = parse_request(q);
        if (r != 0)
            return r;
        struct pollfd p[] = {{.fd = c->engine->stop_fd[0], .events = POLLIN},
                             {.fd = c->fd, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (p[0].revents)
            return -1;
        if (!p[1].revents)
            continue;
        ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
        if (n <= 0 || oc_buf_add(&q->bytes, chunk, (size_t)n) < 0)
            return -1;
    }
}

static void record(struct fake_engine *f, const struct request *q)
{
    json_t *created = fake_echo_note(q->method, q->path, q->query, q->body, q->body_len);
    lock(f);
    if (created) {
        json_decref(f->created);
        f->created = created;
    }
    size_t before = f->requests.len;
    (void)!oc_buf_printf(&f->requests, "%s %s%s%.*s\n", q->method, q->target, q->body_len ? " " : "",
                         (int)q->body_len, q->body);
    if (f->log_fd >= 0)
        (void)!oc_write_all(f->log_fd, f->requests.data + before, f->requests.len - before);
    unlock(f);
}

static bool rule_fits(const json_t *rule, const struct request *q)
{
    const char *method = oc_json_string(rule, "method", NULL);
    const char *pattern = oc_json_string(rule, "path", NULL);
    const char *query = oc_json_string(rule, "query", NULL);
    char path[sizeof(q->target)], anchored[1024];
    regex_t re;
    if (oc_json_i64(rule, "times", 1) <= 0 || (method && strcmp(method, q->method) != 0) ||
        (query && !strstr(q->query, query)))
        return false;
    if (!pattern)
        return strcmp(q->path, "/version") != 0 && strcmp(q->path, "/_ping") != 0;
    (void)oc_copy(path, sizeof(path), q->path, strcspn(q->path, "?"));
    if (oc_format(anchored, sizeof(anchored), "^(%s)$", pattern) < 0 ||
        regcomp(&re, anchored, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool fits = regexec(&re, path, 0, NULL, 0) == 0;
    regfree(&re);
    return fits;
}

/* A copy of the rule that answers, or NULL. */
static json_t *find_rule(struct fake_engine *f, const struct request *q)
{
    json_t *found = NULL, *rule = NULL;
    size_t i = 0;
    lock(f);
    json_array_foreach(json_object_get(f->script, "rules"), i, rule)
    {
        if (!rule_fits(rule, q))
            continue;
        found = json_deep_copy(rule);
        json_t *body = json_incref(json_object_get(found, "body"));
        fake_echo_fill(&body, f->created);
        (void)json_object_set_new(found, "body", body);
        if (json_object_get(rule, "times"))
            (void)json_object_set_new(rule, "times", json_integer(oc_json_i64(rule, "times", 1) - 1));
        break;
    }
    unlock(f);
    return found;
}

static void text_of(struct fake_engine *f, const char *field, char *buf, size_t size)
{
    lock(f);
    const char *s = oc_json_string(f->script, field, "");
    (void)oc_copy(buf, size, s, strlen(s));
    unlock(f);
}

static uint32_t order_of(const char *version)
{
    uint32_t order = 0;
    return oc_api_version_parse(version, &order) == 0 ? order : 0;
}

/* What an engine does by itself: its version, and the refusal of others. */
static json_t *built_in(struct fake_engine *f, const struct request *q)
{
    char api[16], min[16], server[64], why[256] = "";
    text_of(f, "api", api, sizeof(api));
    text_of(f, "min_api", min, sizeof(min));
    text_of(f, "server", server, sizeof(server));
    lock(f);
    bool podman = oc_json_bool(f->script, "podman", false);
    unlock(f);
    if (!api[0])
        return NULL;
    if (q->version[0] && order_of(q->version) > order_of(api))
        (void)oc_format(why, sizeof(why), "client version %s is too new. Maximum supported API version is %s",
                        q->version, api);
    if (q->version[0] && order_of(q->version) < order_of(min))
        (void)oc_format(
            why, sizeof(why),
            "client version %s is too old. Minimum supported API version is %s, please upgrade your "
            "client to a newer version",
            q->version, min);
    if (why[0])
        return json_pack("{s:i,s:{s:s}}", "status", 400, "body", "message",
                         podman ? "given version is not supported" : why);
    return NULL;
}

static json_t *built_in_late(struct fake_engine *f, const struct request *q)
{
    char api[16], min[16], server[64];
    text_of(f, "api", api, sizeof(api));
    text_of(f, "min_api", min, sizeof(min));
    text_of(f, "server", server, sizeof(server));
    if (api[0] && strcmp(q->path, "/_ping") == 0)
        return json_pack("{s:s}", "body", "OK");
    if (!api[0] || strcmp(q->path, "/version") != 0)
        return json_pack("{s:i,s:{s:s}}", "status", 404, "body", "message", "page not found");
    json_t *version = json_pack("{s:s,s:s,s:s,s:s}", "Version", server[0] ? server : "0.0.0", "ApiVersion",
                                api, "Os", "linux", "Arch", "amd64");
    if (min[0])
        (void)json_object_set_new(version, "MinAPIVersion", json_string(min));
    lock(f);
    if (oc_json_bool(f->script, "podman", false))
        (void)json_object_set_new(version, "Components",
                                  json_pack("[{s:s,s:s}]", "Name", "Podman Engine", "Version", server));
    unlock(f);
    return json_pack("{s:o}", "body", version);
}

static int add_body(const json_t *rule, struct oc_buf *body)
{
    const json_t *value = json_object_get(rule, "body");
    OC_FREE char *text = value && !json_is_string(value) ? oc_json_dump(value, NULL) : NULL;
    const char *s = text ? text : value ? json_string_value(value) : "";
    int r = 0;
    for (int64_t i = oc_json_i64(rule, "repeat", 1); i > 0 && r == 0; i--)
        r = oc_buf_str(body, s);
    return r;
}

static void add_head(const json_t *rule, const char *framing, struct oc_buf *head)
{
    const char *name = NULL;
    const json_t *value = NULL;
    json_t *headers = json_object_get(rule, "headers");
    (void)!oc_buf_printf(head, "HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\nServer: fake\r\n%s",
                         (int)oc_json_i64(rule, "status", 200), framing);
    json_object_foreach(headers, name, value)
    {
        (void)!oc_buf_printf(head, "%s: %s\r\n", name, json_string_value(value));
    }
    (void)!oc_buf_str(head, "\r\n");
}

/* true: the connection can take another request. */
static bool send_chunks(const struct connection *c, const json_t *rule)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf head = {.max = REQUEST_MAX};
    const char *hang = oc_json_string(rule, "hang", "");
    json_t *chunk = NULL;
    size_t i = 0;
    add_head(rule, "Transfer-Encoding: chunked\r\n", &head);
    if (!send_all(c, head.data, head.len))
        return false;
    if (strcmp(hang, "after") == 0)
        linger(c, -1);
    json_array_foreach(json_object_get(rule, "chunks"), i, chunk)
    {
        char size[32];
        const char *s = json_string_value(chunk);
        (void)oc_format(size, sizeof(size), "%zx\r\n", json_string_length(chunk));
        if (!send_all(c, size, strlen(size)) || !send_all(c, s, json_string_length(chunk)) ||
            !send_all(c, "\r\n", 2))
            return false;
    }
    if (strcmp(hang, "end") == 0)
        linger(c, -1);
    if (hang[0] || json_object_get(rule, "cut_after"))
        return false;
    return send_all(c, "0\r\n\r\n", 5);
}

static bool answer(const struct connection *c, const struct request *q, const json_t *rule)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf head = {.max = REQUEST_MAX}, body = {.max = (size_t)1 << 30};
    const char *hang = oc_json_string(rule, "hang", "");
    const char *raw = oc_json_string(rule, "raw", NULL);
    int64_t wait_ms = oc_json_i64(rule, "wait_ms", 0), cut_after = oc_json_i64(rule, "cut_after", -1);
    char framing[64];
    if (strcmp(hang, "before") == 0)
        linger(c, -1);
    if (wait_ms > 0)
        linger(c, (int)wait_ms);
    if (strcmp(hang, "before") == 0)
        return false;
    if (raw) {
        (void)send_all(c, raw, strlen(raw));
        return false;
    }
    if (json_object_get(rule, "chunks"))
        return send_chunks(c, rule);
    if (add_body(rule, &body) < 0)
        return false;
    (void)oc_format(framing, sizeof(framing), "Content-Length: %zu\r\n", body.len);
    int64_t status = oc_json_i64(rule, "status", 200);
    add_head(rule, status == 204 || status == 304 ? "" : framing, &head);
    if (!send_all(c, head.data, head.len))
        return false;
    if (strcmp(hang, "after") == 0)
        linger(c, -1);
    if (strcmp(q->method, "HEAD") == 0 || body.len == 0)
        return !hang[0];
    size_t n = cut_after >= 0 ? OC_MIN((size_t)cut_after, body.len) : body.len;
    if (!send_all(c, body.data, n))
        return false;
    if (strcmp(hang, "end") == 0)
        linger(c, -1);
    return !hang[0] && cut_after < 0;
}

static bool serve_one(struct connection *c, struct request *q)
{
    lock(c->engine);
    c->waiting = true;
    unlock(c->engine);
    int r = read_request(c, q);
    lock(c->engine);
    c->waiting = false;
    unlock(c->engine);
    if (r < 0)
        return false;
    record(c->engine, q);
    json_t *rule = built_in(c->engine, q);
    if (!rule)
        rule = find_rule(c->engine, q);
    if (!rule)
        rule = built_in_late(c->engine, q);
    bool more = answer(c, q, rule);
    json_decref(rule);
    oc_buf_drop(&q->bytes, q->total);
    q->version[0] = '\0';
    return more;
}

static void *serve(void *userdata)
{
    struct connection *c = userdata;
    struct request *q = NULL;
    if (failmalloc_exempt)
        failmalloc_exempt();
    q = calloc(1, sizeof(*q));
    if (q) {
        q->bytes.max = REQUEST_MAX;
        while (serve_one(c, q))
            ;
        oc_buf_done(&q->bytes);
    }
    free(q);
    lock(c->engine);
    (void)shutdown(c->fd, SHUT_RDWR);
    oc_close(c->fd);
    c->fd = -1;
    c->done = true;
    unlock(c->engine);
    return NULL;
}

/* A free place; threads that are through are joined on the way. Called with the lock held. */
static struct connection *find_place(struct fake_engine *f)
{
    struct connection *place = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &f->connections[i];
        if (c->used && c->done) {
            (void)pthread_join(c->thread, NULL);
            c->used = false;
        }
        if (!c->used && !place)
            place = c;
    }
    return place;
}

static void start_connection(struct fake_engine *f, int fd)
{
    lock(f);
    struct connection *c = find_place(f);
    f->accepted_n++;
    if (c)
        *c = (struct connection){.engine = f, .fd = fd, .used = true};
    if (!c || pthread_create(&c->thread, NULL, serve, c) != 0) {
        oc_close(fd);
        if (c)
            c->used = false;
    }
    unlock(f);
}

static void *accept_all(void *userdata)
{
    struct fake_engine *f = userdata;
    if (failmalloc_exempt)
        failmalloc_exempt();
    for (;;) {
        struct pollfd p[] = {{.fd = f->stop_fd[0], .events = POLLIN}, {.fd = f->listen_fd, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (p[0].revents)
            return NULL;
        int fd = p[1].revents ? accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            start_connection(f, fd);
    }
}

static int listen_on(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    OC_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || oc_copy(sa.sun_path, sizeof(sa.sun_path), path, strlen(path)) < 0 ||
        bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, SOMAXCONN) < 0)
        return -1;
    return oc_take_fd(&fd);
}

bool fake_engine_script(struct fake_engine *f, const char *script)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    json_t *j = NULL;
    if (oc_json_load(script, strlen(script), &j, &err) < 0) {
        fprintf(stderr, "fake engine: %s\n", err.text);
        return false;
    }
    if (json_is_array(j))
        j = json_pack("{s:o}", "rules", j);
    lock(f);
    json_decref(f->script);
    f->script = j;
    unlock(f);
    return true;
}

struct fake_engine *fake_engine_new(const char *socket_path, const char *script, const char *log_path)
{
    struct fake_engine *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->listen_fd = f->log_fd = f->stop_fd[0] = f->stop_fd[1] = -1;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)oc_copy(f->path, sizeof(f->path), socket_path, strlen(socket_path));
    bool ok = fake_engine_script(f, script) && pipe2(f->stop_fd, O_CLOEXEC) == 0;
    if (ok && log_path)
        ok = (f->log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0;
    ok = ok && (f->listen_fd = listen_on(socket_path)) >= 0;
    if (ok && pthread_create(&f->acceptor, NULL, accept_all, f) == 0)
        return f;
    fprintf(stderr, "fake engine at %s: %s\n", socket_path, strerror(errno));
    oc_close(f->listen_fd);
    oc_close(f->log_fd);
    oc_close(f->stop_fd[0]);
    oc_close(f->stop_fd[1]);
    json_decref(f->script);
    free(f);
    return NULL;
}

struct fake_engine *fake_engine_free(struct fake_engine *f)
{
    if (!f)
        return NULL;
    (void)unlink(f->path);
    oc_close(f->stop_fd[1]); /* its other end becomes readable for every thread at once */
    (void)pthread_join(f->acceptor, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (f->connections[i].used)
            (void)pthread_join(f->connections[i].thread, NULL);
    oc_close(f->listen_fd);
    oc_close(f->log_fd);
    oc_close(f->stop_fd[0]);
    json_decref(f->script);
    json_decref(f->created);
    oc_buf_done(&f->requests);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}

size_t fake_engine_count(struct fake_engine *f, const char *method, const char *text)
{
    size_t n = 0;
    char m[METHOD_SIZE], target[TARGET_SIZE];
    char *all = fake_engine_requests(f);
    for (const char *line = all; line && *line;) {
        if (method_and_target(line, m, target) && (!method || strcmp(m, method) == 0) &&
            (!text || strstr(target, text)))
            n++;
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : NULL;
    }
    free(all);
    return n;
}

char *fake_engine_requests(struct fake_engine *f)
{
    lock(f);
    char *copy = strdup(f->requests.data ? f->requests.data : "");
    unlock(f);
    return copy;
}

size_t fake_engine_connections(struct fake_engine *f)
{
    lock(f);
    size_t n = f->accepted_n;
    unlock(f);
    return n;
}

size_t fake_engine_open(struct fake_engine *f)
{
    size_t n = 0;
    lock(f);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        n += f->connections[i].used && !f->connections[i].done;
    unlock(f);
    return n;
}

void fake_engine_drop(struct fake_engine *f)
{
    lock(f);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (f->connections[i].used && !f->connections[i].done && f->connections[i].waiting)
            (void)shutdown(f->connections[i].fd, SHUT_RDWR);
    unlock(f);
}
