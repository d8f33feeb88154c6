/* The agents' sockets: made, taken over, removed, and served in their thousands. */
#include "support/agent_server_fixture.h"
#include "support/failmalloc.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NOT_READY "{\"success\":false,\"error\":\"the agent API is not ready\",\"code\":\"not_ready\"}"

static void start_server(unsigned max_connections)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    o.agents_dir = f.agents;
    o.max_connections = max_connections;
    ck_assert_msg(outcall_agent_server_new(&f.server, &o, &err) == 0, "%s", err.text);
    start_driver();
}

static int post(oc_http *h, const char *target, const char *body, int status, const char *expected)
{
    struct oc_http_request req = {.method = "POST",
                                  .target = target,
                                  .body = body,
                                  .body_len = strlen(body),
                                  .deadline_ms = oc_deadline(BOUND_MS),
                                  .body_max = 4096};
    struct oc_http_response res = {0};
    int r = oc_http_exchange(h, &req, &res, NULL);
    if (r == 0) {
        ck_assert_int_eq(res.status, status);
        ck_assert_str_eq(res.body, expected);
        oc_http_response_done(&res);
    }
    return r;
}

static void served(const char *path)
{
    oc_http *h = connect_to(path);
    ck_assert_int_eq(post(h, "/v1/checkin", "{}", 503, NOT_READY), 0);
    (void)oc_http_free(h);
}

static int connect_error(const char *path)
{
    oc_http *h = NULL;
    int r = oc_http_connect(&h, path, oc_deadline(BOUND_MS), NULL);
    int why = errno;
    h = oc_http_free(h);
    return r == 0 ? 0 : why;
}

START_TEST(not_ready)
{
    char path[108], again[108];
    struct stat st;
    make_dir();
    mode_t old = umask(077);
    start_server(0);
    open_agent("outcall-agent-a", path);
    (void)umask(old);
    OC_FREE char *expected = oc_asprintf("%s/outcall-agent-a/agent.sock", f.agents);
    ck_assert_str_eq(path, expected);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 07777, 0666);
    strrchr(expected, '/')[0] = '\0';
    ck_assert_int_eq(stat(expected, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(stat(f.agents, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);

    oc_http *h = connect_to(path);
    ck_assert_int_eq(post(h, "/v1/checkin", "{}", 503, NOT_READY), 0);
    ck_assert_int_eq(post(h, "/anything?a=b", "not json", 503, NOT_READY), 0);
    ck_assert_int_eq(post(h, "/%00", "", 400,
                          "{\"success\":false,\"error\":\"NUL in the request target\",\"code\":"
                          "\"invalid_request\"}"),
                     0);
    OC_FREE char *big = calloc(1, 65538);
    memset(big, 'x', 65537);
    ck_assert_int_eq(
        post(h, "/v1/checkin", big, 413,
             "{\"success\":false,\"error\":\"the request body is too large\",\"code\":\"too_large\"}"),
        0);
    big[65536] = '\0';
    ck_assert_int_eq(post(h, "/v1/checkin", big, 503, NOT_READY), 0); /* the connection stays usable */

    open_agent("outcall-agent-a", again); /* it stands: nothing changes */
    ck_assert_str_eq(again, path);
    ck_assert_int_eq(post(h, "/", "", 503, NOT_READY), 0);
    ck_assert_int_eq(unlink(path), 0);
    open_agent("outcall-agent-a", again); /* it does not: the old connection ends, the path works */
    ck_assert_str_eq(again, path);
    ck_assert_int_eq(post(h, "/", "", 503, NOT_READY), OUTCALL_E_CLOSED);
    (void)oc_http_free(h);
    served(path);
    ck_assert_uint_eq(outcall_agent_server_count(f.server), 1);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    ck_assert_uint_eq(outcall_agent_server_count(f.server), 0);
    ck_assert_int_eq(connect_error(path), ENOENT);
    end();
}
END_TEST

/* S008-EC-010: what a stopped or killed daemon leaves is taken over at the same path. */
START_TEST(restart)
{
    char path[108];
    struct stat before, after;
    make_dir();
    start_server(0);
    open_agent("outcall-agent-a", path);
    OC_FREE char *dir = oc_asprintf("%s/outcall-agent-a", f.agents);
    ck_assert_int_eq(stat(dir, &before), 0);
    stop_server();
    ck_assert_int_eq(connect_error(path), ECONNREFUSED); /* the file stays, nobody listens */
    OC_FREE char *leftover = oc_asprintf("%s/.sock.0123456789abcdef", dir);
    ck_assert_int_eq(mknod(leftover, S_IFSOCK | 0600, 0), 0); /* killed between bind and rename */
    start_server(0);
    open_agent("outcall-agent-a", path);
    ck_assert_int_eq(stat(dir, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino); /* it is what the container's mount shows */
    served(path);
    outcall_agent_server_close(f.server, "outcall-agent-a");
    outcall_agent_server_close(f.server, "outcall-agent-a");
    end();
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = {"",        ".", "..",  "a/b", "../a", "/a",
                                      ".hidden", "A", "a b", "a\n", "-a",   "\xc3\xa4"};
    char path[108];
    char name[130];
    make_dir();
    start_server(0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(outcall_agent_server_open(f.server, bad[i], path, sizeof(path), NULL) ==
                          OUTCALL_E_INVALID,
                      "%s", bad[i]);
        outcall_agent_server_close(f.server, bad[i]); /* removes nothing, least of all above */
    }
    memset(name, 'n', sizeof(name));
    name[128] = '\0';
    ck_assert_int_eq(outcall_agent_server_open(f.server, name, NULL, 0, NULL), OUTCALL_E_INVALID);
    name[127] = '\0';
    ck_assert_int_eq(outcall_agent_server_open(f.server, name, path, sizeof(path), NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(outcall_agent_server_open(f.server, name, NULL, 0, NULL), 0);
    outcall_agent_server_close(f.server, name);
    ck_assert_int_eq(outcall_agent_server_open(f.server, NULL, NULL, 0, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_agent_server_open(NULL, "a", NULL, 0, NULL), OUTCALL_E_INVALID);
    outcall_agent_server_close(f.server, NULL);
    outcall_agent_server_close(NULL, "a");
    end();
}
END_TEST

static int new_in(const char *dir)
{
    outcall_agent_server *s = NULL;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    o.agents_dir = dir;
    int r = outcall_agent_server_new(&s, &o, NULL);
    s = outcall_agent_server_free(s);
    return r;
}

/* T35: a place that somebody else could fill is not used. */
START_TEST(unsafe_places)
{
    make_dir();
    OC_FREE char *other = oc_asprintf("%s/other", f.dir);
    OC_FREE char *own = oc_asprintf("%s/a", f.agents);
    ck_assert_int_eq(new_in(NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(new_in("relative"), OUTCALL_E_INVALID);
    ck_assert_int_eq(new_in("/nonexistent/agents"), OUTCALL_E_SYSTEM);
    ck_assert_int_eq(mkdir(other, 0755), 0);
    ck_assert_int_eq(symlink(other, f.agents), 0);
    ck_assert_int_eq(new_in(f.agents), OUTCALL_E_DENIED);
    ck_assert_int_eq(unlink(f.agents), 0);
    ck_assert_int_eq(mkdir(f.agents, 0755), 0);
    ck_assert_int_eq(chmod(f.agents, 0777), 0);
    ck_assert_int_eq(new_in(f.agents), OUTCALL_E_DENIED);
    ck_assert_int_eq(chmod(f.agents, 0755), 0);

    start_server(0);
    ck_assert_int_eq(symlink(other, own), 0);
    ck_assert_int_eq(outcall_agent_server_open(f.server, "a", NULL, 0, NULL), OUTCALL_E_DENIED);
    outcall_agent_server_close(f.server, "a");
    ck_assert_int_eq(unlink(own), 0);
    ck_assert_int_eq(mkdir(own, 0755), 0);
    ck_assert_int_eq(chmod(own, 0777), 0);
    ck_assert_int_eq(outcall_agent_server_open(f.server, "a", NULL, 0, NULL), OUTCALL_E_DENIED);
    ck_assert_int_eq(rmdir(own), 0);
    ck_assert_int_eq(rmdir(other), 0);
    ck_assert_uint_eq(outcall_agent_server_count(f.server), 0);
    end();
}
END_TEST

static int count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

/* Any number of containers: each answers, and nothing is left. */
START_TEST(a_thousand)
{
    char path[108], name[32];
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    make_dir();
    start_server(0);
    int before = count_fds();
    for (int i = 0; i < 1000; i++) {
        (void)oc_format(name, sizeof(name), "agent-%d", i);
        open_agent(name, path);
    }
    ck_assert_uint_eq(outcall_agent_server_count(f.server), 1000);
    for (int i = 0; i < 1000; i++) {
        (void)oc_format(path, sizeof(path), "%s/agent-%d/agent.sock", f.agents, i);
        served(path);
    }
    for (int i = 0; i < 1000; i++) {
        (void)oc_format(name, sizeof(name), "agent-%d", i);
        outcall_agent_server_close(f.server, name);
    }
    ck_assert_int_eq(count_fds(), before);
    end();
}
END_TEST

/* T25: who opens more than its share waits; the others do not notice. */
START_TEST(flood)
{
    char path[108], other[108];
    oc_http *held[4]; /* of one, three are for sessions */
    make_dir();
    start_server(1);
    open_agent("greedy", path);
    open_agent("other", other);
    for (int i = 0; i < 4; i++) {
        held[i] = connect_to(path);
        ck_assert_int_eq(post(held[i], "/", "", 503, NOT_READY), 0);
    }
    oc_http *more = connect_to(path);
    struct oc_http_request req = {
        .method = "GET", .target = "/", .deadline_ms = oc_deadline(100), .body_max = 4096};
    struct oc_http_response res = {0};
    ck_assert_int_eq(oc_http_exchange(more, &req, &res, NULL), OUTCALL_E_TIMEOUT);
    served(other);
    (void)oc_http_free(more);
    for (int i = 0; i < 4; i++)
        held[i] = oc_http_free(held[i]);
    served(path);
    outcall_agent_server_close(f.server, "greedy");
    outcall_agent_server_close(f.server, "other");
    end();
}
END_TEST

static void *reopen(void *userdata)
{
    const char *name = userdata;
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(outcall_agent_server_open(f.server, name, NULL, 0, NULL), 0);
        if (i % 3 == 0)
            outcall_agent_server_close(f.server, name);
    }
    outcall_agent_server_close(f.server, name);
    return NULL;
}

/* Opening and closing from other threads while requests are served. */
START_TEST(threads)
{
    static char who[2][8] = {"one", "two"};
    pthread_t t[2];
    char path[108];
    make_dir();
    start_server(0);
    open_agent("steady", path);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, reopen, who[i]), 0);
    for (int i = 0; i < 200; i++)
        served(path);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    outcall_agent_server_close(f.server, "steady");
    end();
}
END_TEST

/* A silent connection costs a look each second, not a busy loop. */
START_TEST(idle_is_quiet)
{
    char path[108];
    make_dir();
    start_server(0);
    open_agent("a", path);
    oc_http *h = connect_to(path);
    ck_assert_int_eq(post(h, "/", "", 503, NOT_READY), 0);
    stop_driver();
    int runs = 0;
    for (uint64_t end_at = oc_deadline(300); oc_deadline_left(end_at) > 0; runs++) {
        int64_t t = outcall_agent_server_timeout_ms(f.server);
        uint64_t left = (uint64_t)oc_deadline_left(end_at);
        ck_assert_int_ge(t, 0); /* there is a connection, which can time out */
        ck_assert_int_ge(
            oc_poll1(outcall_agent_server_fd(f.server), POLLIN, oc_deadline(OC_MIN((uint64_t)t, left))), 0);
        ck_assert_int_eq(outcall_agent_server_process(f.server, NULL), 0);
    }
    ck_assert_int_lt(runs, 10);
    (void)oc_http_free(h);
    start_driver();
    outcall_agent_server_close(f.server, "a");
    end();
}
END_TEST

static int try_open(void *userdata)
{
    outcall_agent_server *s = NULL;
    outcall_agent_server_options o = OUTCALL_AGENT_SERVER_OPTIONS_INIT;
    (void)userdata;
    o.agents_dir = f.agents;
    int r = outcall_agent_server_new(&s, &o, NULL);
    if (r == 0)
        r = outcall_agent_server_open(s, "a", NULL, 0, NULL);
    s = outcall_agent_server_free(s);
    return r;
}

START_TEST(out_of_memory)
{
    make_dir();
    ck_assert_int_gt(failmalloc_loop(try_open, NULL), 4);
    start_server(0);
    outcall_agent_server_close(f.server, "a");
    end();
}
END_TEST

UNIT_MAIN("agent_server", not_ready, restart, names, unsafe_places, a_thousand, flood, threads, idle_is_quiet,
          out_of_memory)
