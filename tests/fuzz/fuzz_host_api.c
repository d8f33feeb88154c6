/* The host API's router with an engine that answers what the input says. Input: "METHOD TARGET\n", the body,
 * and after each
 * "\n~" one answer of the engine: a digit for the status, then its body; the last one answers everything that
 * comes after. */
#include "base/fd.h"
#include "base/str.h"
#include "core/error.h"
#include "outcall/host_api.h"
#include "json/json.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world {
    char dir[32], engine[48], agent[48];
    int engine_fd, agent_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *answer[ANSWERS_MAX]; /* of the input under way */
    size_t len[ANSWERS_MAX], n, next;
    outcall_docker *docker;
    outcall_networks *networks;
    outcall_denylist *denylist;
    char requests_dir[48], rules_dir[48];
    outcall_policy_slot *policy;
    outcall_requests *requests;
} w;

/* What the endpoints about rules talk about: one of each kind. */
static const char rules[] = "version: \"1\"\nrules:\n"
                            "  - {id: one, condition: docker.image == \"evil\", action: block, reason: no}\n"
                            "  - {id: two, condition: 'docker.command[0] == \"x\"', action: block}\n"
                            "  - {id: three, condition: 'run.tool in [\"ls\", \"cat\"]', action: allow}\n";

static outcall_policy *load_rules(void)
{
    outcall_policy *p = NULL;
    if (outcall_policy_load_text(&p, "a.yaml", rules, strlen(rules), NULL, NULL) < 0)
        abort();
    return p;
}

static int reload(void *userdata, outcall_policy **ret, uint64_t *ret_generation, outcall_error *err)
{
    (void)userdata;
    (void)err;
    *ret = load_rules();
    *ret_generation = outcall_policy_slot_swap(w.policy, outcall_policy_ref(*ret));
    return 0;
}

static int no_reload(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    (void)userdata;
    *ret_rules_n = 0;
    return oc_fail(err, OUTCALL_E_DENIED, "not here");
}

static void begin_rules(void)
{
    outcall_requests_options o = OUTCALL_REQUESTS_OPTIONS_INIT;
    (void)oc_format(w.requests_dir, sizeof(w.requests_dir), "%s/requests", w.dir);
    (void)oc_format(w.rules_dir, sizeof(w.rules_dir), "%s/rules", w.dir);
    o.dir = w.requests_dir;
    o.rules_dir = w.rules_dir;
    o.reload = no_reload;
    if (outcall_policy_slot_new(&w.policy, load_rules()) < 0 ||
        outcall_requests_new(&w.requests, &o, NULL) < 0)
        abort();
}

static const int statuses[] = {200, 201, 204, 304, 400, 404, 409, 500, 503, 101};

static void say(int fd, int status, const char *body, size_t len)
{
    char head[128];
    (void)oc_format(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                    status, len);
    if (send(fd, head, strlen(head), MSG_NOSIGNAL) > 0 && len > 0)
        (void)!send(fd, body, len, MSG_NOSIGNAL);
}

static void answer(int fd)
{
    static const char version[] =
        "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}";
    char request[65536];
    ssize_t n = recv(fd, request, sizeof(request) - 1, 0);
    if (n <= 0)
        return;
    request[n] = '\0';
    if (oc_starts_with(request, "GET /version ")) {
        say(fd, 200, version, strlen(version));
        return;
    }
    (void)pthread_mutex_lock(&w.lock);
    if (w.n > 0) {
        size_t i = OC_MIN(w.next, w.n - 1);
        w.next++;
        bool digit = w.len[i] > 0 && w.answer[i][0] >= '0' && w.answer[i][0] <= '9';
        say(fd, digit ? statuses[w.answer[i][0] - '0'] : 200, w.answer[i] + digit, w.len[i] - digit);
    }
    (void)pthread_mutex_unlock(&w.lock);
}

static void *serve(void *arg)
{
    int fd = -1;
    (void)arg;
    while ((fd = accept4(w.engine_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR ||
           errno == ECONNABORTED) {
        answer(fd);
        oc_close(fd);
    }
    return NULL;
}

static int listen_on(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || oc_copy(sa.sun_path, sizeof(sa.sun_path), path, strlen(path)) < 0 ||
        bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 64) < 0)
        abort();
    return fd;
}

static void tidy(void)
{
    (void)shutdown(w.engine_fd, SHUT_RDWR); /* accept() ends */
    (void)pthread_join(w.thread, NULL);
    (void)outcall_networks_free(w.networks);
    (void)outcall_denylist_unref(w.denylist);
    (void)outcall_docker_free(w.docker);
    oc_close(w.engine_fd);
    oc_close(w.agent_fd);
    (void)outcall_requests_free(w.requests);
    (void)outcall_policy_slot_free(w.policy);
    (void)rmdir(w.requests_dir);
    (void)rmdir(w.rules_dir);
    (void)unlink(w.engine);
    (void)unlink(w.agent);
    (void)rmdir(w.dir);
}

static void begin(void)
{
    outcall_docker_options o = OUTCALL_DOCKER_OPTIONS_INIT;
    memcpy(w.dir, "/tmp/outcall-fuzz-XXXXXX", 25);
    if (!mkdtemp(w.dir))
        abort();
    (void)oc_format(w.engine, sizeof(w.engine), "%s/engine.sock", w.dir);
    (void)oc_format(w.agent, sizeof(w.agent), "%s/agent.sock", w.dir);
    w.engine_fd = listen_on(w.engine);
    w.agent_fd = listen_on(w.agent);
    (void)pthread_mutex_init(&w.lock, NULL);
    const char *protect[] = {w.engine};
    outcall_denylist_options deny = OUTCALL_DENYLIST_OPTIONS_INIT;
    deny.paths = protect;
    deny.n_paths = 1;
    o.docker_host = w.engine;
    o.timeout_ms = 2000;
    if (outcall_docker_new(&w.docker, &o, NULL) < 0 ||
        outcall_networks_new(&w.networks, w.docker, NULL, NULL) < 0 ||
        outcall_denylist_new(&w.denylist, &deny, NULL) < 0 ||
        pthread_create(&w.thread, NULL, serve, NULL) != 0 || atexit(tidy) != 0)
        abort();
    begin_rules();
}

static int open_agent(void *userdata, const char *name, char *ret_path, size_t size, outcall_error *err)
{
    (void)userdata;
    (void)name;
    (void)err;
    return oc_format(ret_path, size, "%s", w.agent);
}

static void ask(const char *method, const char *target, const char *body, size_t len)
{
    static const outcall_agent_hooks hooks = {open_agent, NULL, NULL, NULL, NULL, NULL};
    outcall_containers_options c = OUTCALL_CONTAINERS_OPTIONS_INIT;
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    OC_CLEANUP(outcall_containers_freep) outcall_containers *containers = NULL;
    OC_CLEANUP(outcall_host_api_freep) outcall_host_api *h = NULL;
    OC_FREE char *text = NULL;
    int status = 0;
    size_t n = 0;
    c.docker = w.docker;
    c.networks = w.networks;
    c.denylist = w.denylist;
    c.instance = "/run/fuzz";
    c.shim_path = "/usr/bin/true";
    c.hooks = &hooks;
    c.policy = w.policy;
    if (outcall_containers_new(&containers, &c, NULL) < 0)
        abort();
    o.docker = w.docker;
    o.containers = containers;
    o.networks = w.networks;
    o.policy = w.policy;
    o.reload = reload;
    o.requests = w.requests;
    if (outcall_host_api_new(&h, &o, NULL) < 0 ||
        outcall_host_api_handle(h, method, target, body, len, &status, &text, &n, NULL) < 0)
        abort();
    if (status < 200 || status > 599 || strlen(text) != n || !oc_utf8_valid(text, n))
        abort();
    OC_JSON json_t *j = NULL;
    if (status >= 400 && (oc_json_load(text, n, &j, NULL) < 0 || oc_json_bool(j, "success", true) ||
                          !oc_json_string(j, "error", "")[0] || !oc_json_string(j, "code", "")[0]))
        abort();
}

/* Takes the answers from the end of the text. Returns where they begin. */
static size_t split_answers(char *text, size_t len)
{
    size_t at = 0, end = len;
    (void)pthread_mutex_lock(&w.lock);
    w.n = w.next = 0;
    for (char *p = memmem(text, len, "\n~", 2); p && w.n < ANSWERS_MAX;
         p = memmem(p, len - (size_t)(p - text), "\n~", 2)) {
        if (w.n == 0)
            end = (size_t)(p - text);
        else
            w.len[w.n - 1] = (size_t)(p - w.answer[w.n - 1]);
        p += 2;
        at = (size_t)(p - text);
        w.answer[w.n] = p;
        w.len[w.n++] = len - at;
    }
    (void)pthread_mutex_unlock(&w.lock);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!w.docker)
        begin();
    char *text = calloc(1, size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    size_t end = split_answers(text, size);
    char *space = memchr(text, ' ', end), *line = memchr(text, '\n', end);
    if (space && line && space < line) {
        *space = *line = '\0';
        ask(text, space + 1, line + 1, end - (size_t)(line + 1 - text));
    }
    (void)pthread_mutex_lock(&w.lock);
    w.n = 0;
    (void)pthread_mutex_unlock(&w.lock);
    free(text);
    return 0;
}
