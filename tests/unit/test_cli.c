/* The whole command but its process, against a client that answers what the test says. */
#include "../../cli/cli.h"
#include "outcall/host_client.h"
#include "unit/unit.h"

static struct {
    const char *body;  /* of a call, or the bytes of a stream */
    size_t piece;      /* a stream arrives in pieces of this size; 0 = whole */
    const char *error; /* not NULL: the call fails with it */
    char method[8], path[512], json[2048], socket[128];
    uint64_t timeout_ms;
    int calls;
} stub;

struct outcall_host_client {
    int unused;
};

int outcall_host_client_new(outcall_host_client **ret, const outcall_host_client_options *opts,
                            outcall_error *err)
{
    (void)err;
    snprintf(stub.socket, sizeof(stub.socket), "%s", opts->socket_path ? opts->socket_path : "-");
    stub.timeout_ms = opts->timeout_ms;
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : OUTCALL_E_NO_MEMORY;
}

outcall_host_client *outcall_host_client_free(outcall_host_client *c)
{
    free(c);
    return NULL;
}

static int begin(const char *method, const char *path, const char *json, outcall_error *err)
{
    stub.calls++;
    snprintf(stub.method, sizeof(stub.method), "%s", method);
    snprintf(stub.path, sizeof(stub.path), "%s", path);
    snprintf(stub.json, sizeof(stub.json), "%s", json ? json : "-");
    if (!stub.error)
        return 0;
    err->code = OUTCALL_E_REMOTE;
    snprintf(err->text, sizeof(err->text), "%s", stub.error);
    return OUTCALL_E_REMOTE;
}

int outcall_host_client_call(outcall_host_client *c, const char *method, const char *path,
                             const char *json_or_null, char **ret_body, size_t *ret_len, outcall_error *err)
{
    (void)c;
    int r = begin(method, path, json_or_null, err);
    if (r < 0)
        return r;
    *ret_body = strdup(stub.body);
    *ret_len = strlen(stub.body);
    return 0;
}

int outcall_host_client_stream(outcall_host_client *c, const char *method, const char *path,
                               const char *json_or_null,
                               int (*on_data)(void *userdata, const char *data, size_t len), void *userdata,
                               outcall_error *err)
{
    (void)c;
    int r = begin(method, path, json_or_null, err);
    size_t len = strlen(stub.body);
    for (size_t at = 0; at < len && r == 0;) {
        size_t n = stub.piece && stub.piece < len - at ? stub.piece : len - at;
        r = on_data(userdata, stub.body + at, n);
        at += n;
    }
    return r;
}

static char *out, *err;
static bool terminal;

static int run_with(const char *env_socket, char **argv, int argc)
{
    size_t n_out = 0, n_err = 0;
    free(out);
    free(err);
    FILE *fo = open_memstream(&out, &n_out), *fe = open_memstream(&err, &n_err);
    ck_assert(fo && fe);
    int status = cli_run(argc, argv, env_socket, fo, fe, terminal);
    ck_assert_int_eq(fclose(fo) | fclose(fe), 0);
    return status;
}

/* Words are separated by one space. */
static int run(const char *body, const char *line)
{
    static char copy[1024];
    char name[] = "outcall", *argv[64] = {name};
    int argc = 1;
    const char *error = stub.error;
    size_t piece = stub.piece;
    memset(&stub, 0, sizeof(stub));
    stub.body = body;
    stub.error = error;
    stub.piece = piece;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *p = copy, *word; (word = strsep(&p, " ")) != NULL;)
        if (*word)
            argv[argc++] = word;
    return run_with(NULL, argv, argc);
}

START_TEST(sentences)
{
    static const struct {
        const char *line, *body, *method, *path, *json, *out;
    } cases[] = {
        {"container create --image i", "{\"name\":\"outcall-agent-a3f7b201\",\"created\":true}", "POST",
         "/api/v1/container/create", "{\"image\":\"i\"}",
         "Container \"outcall-agent-a3f7b201\" created and started.\n"},
        {"container create --image i --network n --name s --user 1:2 --memory 256m --cpu-shares 2 --cpus 1.5 "
         "--pids 9 --tmp-size 1k --env A=b --env C=d --volume /a:/b --workdir /w --entrypoint e -- x --y",
         "{\"name\":\"s\"}", "POST", "/api/v1/container/create",
         "{\"image\":\"i\",\"network\":\"n\",\"name\":\"s\",\"user\":\"1:2\",\"memory_limit\":268435456,"
         "\"cpu_shares\":2,\"cpus\":1.5,\"pids_limit\":9,\"tmp_size\":1024,\"env\":[\"A=b\",\"C=d\"],"
         "\"cmd\":[\"x\",\"--y\"],\"entrypoint\":[\"e\"],\"working_dir\":\"/w\",\"volumes\":[\"/a:/b\"]}",
         "Container \"s\" created and started.\n"},
        {"container create s --image=i", "{\"name\":\"s\"}", "POST", "/api/v1/container/create",
         "{\"image\":\"i\",\"name\":\"s\"}", "Container \"s\" created and started.\n"},
        {"container stop --name a", "{\"name\":\"a\",\"stopped\":true}", "POST", "/api/v1/container/stop",
         "{\"name\":\"a\"}", "Container \"a\" stopped.\n"},
        {"container stop a --timeout 0", "{\"name\":\"a\",\"stopped\":false}", "POST",
         "/api/v1/container/stop", "{\"name\":\"a\",\"timeout\":0}", "Container \"a\" was not running.\n"},
        {"container remove a", "{\"name\":\"a\",\"removed\":true}", "POST", "/api/v1/container/remove",
         "{\"name\":\"a\"}", "Container \"a\" removed.\n"},
        {"container remove -f a", "{\"name\":\"a\",\"removed\":false}", "POST", "/api/v1/container/remove",
         "{\"name\":\"a\",\"force\":true}", "Container \"a\" was already removed.\n"},
        {"container list", "[]", "GET", "/api/v1/containers", "-", "No agent containers found.\n"},
        {"container list",
         "[{\"name\":\"outcall-agent-a\",\"image\":\"i\",\"state\":\"running\","
         "\"network\":\"outcall-default\",\"created\":\"2026\"}]",
         "GET", "/api/v1/containers", "-",
         "NAME                     IMAGE            STATE    NETWORK          CREATED\n"
         "outcall-agent-a          i                running  outcall-default  2026\n"},
        {"container inspect a/../b?c", "{\"name\":\"a\",\"state\":\"x\"}", "GET",
         "/api/v1/container?name=a%2F..%2Fb%3Fc", "-", "name:  a\nstate: x\n"},
        {"container wait a", "{\"exit_code\":137,\"oom_killed\":true}", "GET",
         "/api/v1/container/wait?name=a", "-", "137\n"},
        {"network create staging --subnet 10.0.0.0/24 --gateway 10.0.0.1",
         "{\"name\":\"outcall-staging\",\"subnet\":\"10.200.1.0/24\",\"created\":true}", "POST",
         "/api/v1/network/create",
         "{\"name\":\"staging\",\"subnet\":\"10.0.0.0/24\",\"gateway\":\"10.0.0.1\"}",
         "Network \"outcall-staging\" created (10.200.1.0/24).\n"},
        {"network create staging",
         "{\"name\":\"outcall-staging\",\"subnet\":\"10.200.1.0/24\",\"created\":false}", "POST",
         "/api/v1/network/create", "{\"name\":\"staging\"}",
         "Network \"outcall-staging\" already exists (10.200.1.0/24).\n"},
        {"network destroy staging", "{\"name\":\"outcall-staging\",\"destroyed\":true}", "POST",
         "/api/v1/network/destroy", "{\"name\":\"staging\"}", "Network \"outcall-staging\" destroyed.\n"},
        {"network destroy staging", "{\"name\":\"outcall-staging\",\"destroyed\":false}", "POST",
         "/api/v1/network/destroy", "{\"name\":\"staging\"}", "Network \"outcall-staging\" did not exist.\n"},
        {"network list", "[]", "GET", "/api/v1/networks", "-", "No networks found.\n"},
        {"network status staging", "{\"exists\":true}", "GET", "/api/v1/network?name=staging", "-",
         "exists: true\n"},
        {"status", "{\"version\":\"0.1.0\"}", "GET", "/api/v1/status", "-", "version: 0.1.0\n"},
        {"--json status", "{\"version\":\"0.1.0\"}", "GET", "/api/v1/status", "-",
         "{\"version\":\"0.1.0\"}\n"},
        {"container stop a --json", "{\"name\":\"a\"}", "POST", "/api/v1/container/stop", "{\"name\":\"a\"}",
         "{\"name\":\"a\"}\n"},
        {"rules list", "[]", "GET", "/api/v1/rules", "-", "No rules are loaded: everything is blocked.\n"},
        {"rules list",
         "[{\"id\":\"a\",\"action\":\"allow\",\"priority\":-5,\"agents\":[\"x\",\"y\"],\"hits\":7,"
         "\"errors\":0,\"file\":\"f.yaml\"},{\"id\":\"b\\u001b\",\"action\":\"block\",\"priority\":100,"
         "\"agents\":[],\"hits\":0,\"errors\":1,\"file\":\"f.yaml\"}]",
         "GET", "/api/v1/rules", "-",
         "ID                       ACTION  PRIORITY  AGENTS   HITS   ERRORS  FILE\n"
         "a                        allow   -5        x, y     7      0       f.yaml\n"
         "b\\x1b                    block   100       all      0      1       f.yaml\n"},
        {"rules show a/b", "{\"id\":\"a\",\"condition\":\"x &&\\n  y\\u001b\\n\",\"reason\":null}", "GET",
         "/api/v1/rule/a%2Fb", "-", "id:     a\nreason: -\ncondition:\n  x &&\n    y\\x1b\n"},
        {"rules reload",
         "{\"files_loaded\":2,\"rules_loaded\":7,\"generation\":3,\"warnings\":[\"a.yaml: odd\\u0007\"]}",
         "POST", "/api/v1/rules/reload", "-",
         "warning: a.yaml: odd\\x07\nRules reloaded: 7 from 2 files, generation 3.\n"},
        {"--json rules list", "[]", "GET", "/api/v1/rules", "-", "[]\n"},
        {"requests list", "[]", "GET", "/api/v1/requests/rules", "-", "No rule requests found.\n"},
        {"requests list --status all",
         "[{\"id\":\"rr-0123456789ab\",\"agent\":\"x\",\"status\":\"pending\",\"created_at\":\"2026\","
         "\"rules\":[\"a\",\"b\"]}]",
         "GET", "/api/v1/requests/rules?status=all", "-",
         "ID                AGENT            STATUS    CREATED               RULES\n"
         "rr-0123456789ab   x                pending   2026                  a, b\n"},
        {"requests show rr-1",
         "{\"id\":\"rr-1\",\"agent\":\"x\",\"status\":\"rejected\",\"created_at\":\"2026\",\"reason\":\"no\","
         "\"allows\":[\"rule \\\"a\\\" allows: true\"],\"text\":\"t\",\"active_text\":\"a: |\\n\\n  "
         "b\\u001b[2J\\r\\nStatus:  approved\\n\"}",
         "GET", "/api/v1/requests/rules/rr-1", "-",
         "Request: rr-1\nAgent:   x\nStatus:  rejected\nCreated: 2026\nReason:  no\n\nWhat it newly "
         "allows:\n  rule \"a\" allows: true\n\nWhat becomes active when it is approved:\n  | a: |\n\n  |   "
         "b\\x1b[2J\\x0d\n  | Status:  approved\n"},
        {"requests approve rr-1", "{\"id\":\"rr-1\",\"rules_loaded\":9,\"allows\":[]}", "GET",
         "/api/v1/requests/rules/rr-1", "-",
         "Request \"rr-1\" approved.\nRules in force: 9.\n\nIn force for its agent from now on:\n  "
         "nothing\n"},
        {"--json requests approve rr-1", "{\"id\":\"rr-1\"}", "POST", "/api/v1/requests/rules/rr-1/approve",
         "-", "{\"id\":\"rr-1\"}\n"},
        {"requests reject rr-1 --reason too-wide", "{\"id\":\"rr-1\"}", "POST",
         "/api/v1/requests/rules/rr-1/reject", "{\"reason\":\"too-wide\"}", "Request \"rr-1\" rejected.\n"},
        {"requests reject rr-1", "{\"id\":\"rr-1\"}", "POST", "/api/v1/requests/rules/rr-1/reject", "{}",
         "Request \"rr-1\" rejected.\n"},
        {"rules test --expr 1<2", "", "", "", "", "true\n"},
        {"rules test --expr size(run.args)==1&&network.port==443 --context "
         "{\"run\":{\"args\":[\"a\"]},\"network\":{\"port\":443}}",
         "", "", "", "", "true\n"},
        {"--json rules test --expr 1>2", "", "", "", "", "{\"result\":false}\n"},
        {"container stop a", "{\"name\":\"a\\u001b[2J\",\"stopped\":true}", "POST", "/api/v1/container/stop",
         "{\"name\":\"a\"}", "Container \"a\\x1b[2J\" stopped.\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = run(cases[i].body, cases[i].line);
        ck_assert_msg(status == 0, "%s: %d %s", cases[i].line, status, err);
        ck_assert_str_eq(stub.method, cases[i].method);
        ck_assert_str_eq(stub.path, cases[i].path);
        ck_assert_str_eq(stub.json, cases[i].json);
        ck_assert_str_eq(out, cases[i].out);
        ck_assert_str_eq(err, "");
    }
}
END_TEST

START_TEST(wrong_usage)
{
    static const struct {
        const char *line, *err;
    } cases[] = {
        {"", "outcall: a command is missing; see outcall --help\n"},
        {"--nope", "outcall: unknown option --nope\n"},
        {"--jsno status", "outcall: unknown option --jsno; did you mean --json?\n"},
        {"contaner list", "outcall: unknown command \"contaner\"; did you mean \"container\"?\n"},
        {"container lits", "outcall: unknown command \"container lits\"; did you mean \"container list\"?\n"},
        {"container", "outcall: container: a command is missing; see outcall container --help\n"},
        {"frobnicate", "outcall: unknown command \"frobnicate\"; see outcall --help\n"},
        {"container create", "outcall: --image is required\n"},
        {"container create --image i --memory x",
         "outcall: --memory: expected a size such as 256m, got \"x\"\n"},
        {"container create --image i a b", "outcall: unexpected argument \"b\"; the container's command "
                                           "follows \"--\"\n"},
        {"container stop", "outcall: a name is missing\n"},
        {"container stop a b", "outcall: unexpected argument \"b\"\n"},
        {"container stop a -- b", "outcall: unexpected argument \"b\"\n"},
        {"container stop a --name b", "outcall: two names given: \"b\" and \"a\"\n"},
        {"container stop a --timeout 301", "outcall: --timeout: expected a number from 0 to 300, got "
                                           "\"301\"\n"},
        {"container list a", "outcall: unexpected argument \"a\"\n"},
        {"container logs", "outcall: a name is missing\n"},
        {"container pull", "outcall: an image is missing\n"},
        {"container inspect", "outcall: a name is missing\n"},
        {"container stop \xff", "outcall: an argument is not valid UTF-8\n"},
        {"container pull \xff", "outcall: an argument is not valid UTF-8\n"},
        {"network create", "outcall: a name is missing\n"},
        {"rules show", "outcall: an id is missing\n"},
        {"rules show a b", "outcall: unexpected argument \"b\"\n"},
        {"rules list a", "outcall: unexpected argument \"a\"\n"},
        {"rules chekc", "outcall: unknown command \"rules chekc\"; did you mean \"rules check\"?\n"},
        {"rules check", "outcall: a directory or file is missing\n"},
        {"rules test", "outcall: --expr or --rules is required\n"},
        {"rules test --expr a --rules b", "outcall: --expr and --rules do not go together\n"},
        {"rules test --expr a --explain", "outcall: --explain goes with --rules\n"},
        {"rules fmt", "outcall: a file is missing; \"-\" is standard input\n"},
        {"rules fmt --check --write a", "outcall: --check and --write do not go together\n"},
        {"rules fmt --write -", "outcall: --write: standard input is no file\n"},
        {"requests show", "outcall: an id is missing\n"},
        {"requests approve", "outcall: an id is missing\n"},
        {"requests reject --reason x", "outcall: an id is missing\n"},
        {"requests reject rr-1 --reason \xff", "outcall: an argument is not valid UTF-8\n"},
        {"status --version", "outcall: unknown option --version\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = run("{}", cases[i].line);
        ck_assert_msg(status == EXIT_USAGE, "%s: %d", cases[i].line, status);
        ck_assert_str_eq(err, cases[i].err);
        ck_assert_str_eq(out, "");
        ck_assert_int_eq(stub.calls, 0);
    }
}
END_TEST

START_TEST(failures_are_told)
{
    stub.error = "cannot connect to outcalld at /run/outcall/host.sock \xe2\x80\x94 is it running?";
    ck_assert_int_eq(run("{}", "status"), EXIT_FAILED);
    ck_assert_str_eq(err, "outcall: cannot connect to outcalld at /run/outcall/host.sock \xe2\x80\x94 is it "
                          "running?\n");
    stub.error = "evil \x1b[2J";
    ck_assert_int_eq(run("{}", "--json container list"), EXIT_FAILED);
    ck_assert_str_eq(err, "outcall: evil \\x1b[2J\n");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(run("", "container logs a"), EXIT_FAILED);
    stub.error = NULL;
    ck_assert_int_eq(run("nonsense", "status"), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(err, "malformed"));
    ck_assert_int_eq(run("{}", "container list"), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(err, "malformed"));
}
END_TEST

START_TEST(where_the_daemon_is)
{
    char name[] = "outcall", status[] = "status", opt[] = "--socket", path[] = "/flag";
    char *plain[] = {name, status}, *flag[] = {name, opt, path, status};
    stub.body = "{}";
    ck_assert_int_eq(run_with(NULL, plain, 2), 0);
    ck_assert_str_eq(stub.socket, "-");
    ck_assert_int_eq(run_with("", plain, 2), 0);
    ck_assert_str_eq(stub.socket, "-");
    ck_assert_int_eq(run_with("/env", plain, 2), 0);
    ck_assert_str_eq(stub.socket, "/env");
    ck_assert_int_eq(run_with("/env", flag, 4), 0);
    ck_assert_str_eq(stub.socket, "/flag");
}
END_TEST

START_TEST(how_long_the_daemon_may_take)
{
    ck_assert_int_eq(run("[]", "container list"), 0);
    ck_assert_uint_eq(stub.timeout_ms, 0);
    ck_assert_int_eq(run("{}", "container stop a --timeout 300"), 0);
    ck_assert_uint_gt(stub.timeout_ms, 300000);
    ck_assert_int_eq(run("{\"exit_code\":0}", "container wait a"), 0);
    ck_assert(stub.timeout_ms == UINT64_MAX);
    ck_assert_int_eq(run("", "events -f"), 0);
    ck_assert(stub.timeout_ms == UINT64_MAX);
}
END_TEST

static void check_help(const struct command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char line[64];
        ck_assert_int_eq(run("", "help"), 0);
        ck_assert_ptr_nonnull(strstr(out, commands[i].summary));
        snprintf(line, sizeof(line), "%s %s --nonsense --help", commands[i].group, commands[i].name);
        ck_assert_int_eq(run("", line), 0);
        for (size_t o = 0; o < commands[i].n_opts; o++)
            ck_assert_ptr_nonnull(strstr(out, commands[i].opts[o].help));
        ck_assert(!commands[i].details || strstr(out, commands[i].details));
    }
}

START_TEST(help_and_version)
{
    ck_assert_int_eq(run("", "--version"), 0);
    ck_assert_str_eq(out, "outcall 0.1.0\n");
    check_help(container_commands, container_commands_n);
    check_help(network_commands, network_commands_n);
    check_help(rules_commands, rules_commands_n);
    check_help(requests_commands, requests_commands_n);
    ck_assert_int_eq(run("", "network -h"), 0);
    ck_assert_ptr_nonnull(strstr(out, "network destroy"));
    ck_assert_ptr_null(strstr(out, "container create"));
    ck_assert_int_eq(run("{\"name\":\"x\"}", "container create --image i -- x --help"), 0);
    ck_assert_str_eq(out, "Container \"x\" created and started.\n");
    ck_assert_int_eq(stub.calls, 1);
}
END_TEST

START_TEST(logs)
{
    static const char lines[] = "{\"stream\":\"stdout\",\"data\":\"aGkK\"}\n"
                                "{\"stream\":\"stderr\",\"data\":\"b2g=\"}\n\n"
                                "{\"stream\":\"stdout\",\"data\":\"\"}\n"
                                "{\"stream\":\"stdout\",\"data\":\"eA==\"}\n";
    for (stub.piece = 0; stub.piece < 50; stub.piece++) {
        ck_assert_int_eq(run(lines, "container logs -f --tail 5 a"), 0);
        ck_assert_str_eq(stub.path, "/api/v1/container/logs?name=a&follow=1&tail=5");
        ck_assert_str_eq(out, "hi\nx");
        ck_assert_str_eq(err, "oh");
    }
    stub.piece = 0;
    static const char *const bad[] = {"{}\n",
                                      "x\n",
                                      "{\"stream\":\"stdout\",\"data\":\"a\"}\n",
                                      "{\"stream\":\"stdout\",\"data\":\"a===\"}\n",
                                      "{\"stream\":\"stdout\",\"data\":\"ab=c\"}\n",
                                      "{\"stream\":\"stdout\",\"data\":\"ab==abcd\"}\n",
                                      "{\"stream\":\"stdout\",\"data\":\"a b=\"}\n",
                                      "{\"stream\":\"stdout\"}\n",
                                      "{\"stream\":\"stdout\",\"data\":\"aGkK\"}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(run(bad[i], "container logs a"), EXIT_FAILED);
        ck_assert_str_eq(out, "");
    }
    ck_assert_int_eq(run("{\"success\":false,\"error\":\"gone\"}\n", "--json container logs a"), EXIT_FAILED);
    ck_assert_str_eq(err, "outcall: gone\n");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(run("{\"stream\":\"stdout\",\"data\":\"aGkK\"}\n", "--json container logs a"), 0);
    ck_assert_str_eq(out, "{\"stream\":\"stdout\",\"data\":\"aGkK\"}\n");
}
END_TEST

START_TEST(pull)
{
    static const char progress[] = "{\"layer\":\"l1\",\"status\":\"Downloading\",\"current\":1,\"total\":4}\n"
                                   "{\"layer\":\"l2\\u001b\",\"status\":\"Done\"}\n"
                                   "{\"success\":true,\"data\":{\"image\":\"i:latest\",\"pulled\":true}}\n";
    ck_assert_int_eq(run(progress, "container pull i"), 0);
    ck_assert_str_eq(stub.path, "/api/v1/container/pull?progress=1");
    ck_assert_str_eq(stub.json, "{\"image\":\"i\"}");
    ck_assert_str_eq(out, "Image \"i:latest\" pulled.\n");
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(
        run("{\"success\":true,\"data\":{\"image\":\"i\",\"pulled\":false}}\n", "container pull --image i"),
        0);
    ck_assert_str_eq(out, "Image \"i\" is up to date.\n");
    ck_assert_int_eq(run("{\"success\":false,\"error\":\"manifest unknown\",\"code\":\"docker_error\"}\n",
                         "container pull i"),
                     EXIT_FAILED);
    ck_assert_str_eq(err, "outcall: manifest unknown\n");
    ck_assert_int_eq(run("{\"layer\":\"l\"}\n", "container pull i"), EXIT_FAILED);
    ck_assert_str_eq(err, "outcall: the daemon's answer ended before the result\n");
    ck_assert_int_eq(run(progress, "--json container pull i"), 0);
    ck_assert_str_eq(out, "{\"image\":\"i:latest\",\"pulled\":true}\n");
    terminal = true;
    ck_assert_int_eq(run(progress, "container pull i"), 0);
    ck_assert_str_eq(err, "l1: Downloading  25%\r\x1b[Kl2\\x1b: Done\r\x1b[K");
    terminal = false;
}
END_TEST

START_TEST(events)
{
    ck_assert_int_eq(run("{\"a\":1}\n{\"b\":\"\x7f\"}\n", "events -f"), 0);
    ck_assert_str_eq(stub.path, "/api/v1/events?follow=1");
    ck_assert_str_eq(out, "{\"a\":1}\n{\"b\":\"\\x7f\"}\n");
    ck_assert_int_eq(run("{\"a\":1}\n{\"success\":false,\"error\":\"gone\"}\n", "events"), EXIT_FAILED);
    ck_assert_str_eq(out, "{\"a\":1}\n");
    ck_assert_str_eq(err, "outcall: gone\n");
    ck_assert_int_eq(run("{\"a\":1}\n", "events"), 0);
    ck_assert_str_eq(stub.path, "/api/v1/events");
}
END_TEST

START_TEST(a_line_has_a_maximum)
{
    size_t size = ((size_t)1 << 20) + 16;
    char *big = malloc(size);
    ck_assert_ptr_nonnull(big);
    memset(big, 'x', size - 1);
    big[size - 1] = '\0';
    ck_assert_int_eq(run(big, "events"), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(err, "more than 1048576 bytes"));
    free(big);
}
END_TEST

START_TEST(a_full_disk_is_a_failure)
{
    char name[] = "outcall", word[] = "--help", *argv[] = {name, word};
    FILE *full = fopen("/dev/full", "we"), *quiet = fopen("/dev/null", "we");
    ck_assert(full && quiet);
    ck_assert_int_eq(cli_run(2, argv, NULL, full, quiet, false), EXIT_FAILED);
    ck_assert_int_eq(fclose(quiet), 0);
    (void)fclose(full); /* fails too: the text is still in its buffer */
}
END_TEST

UNIT_MAIN("cli", sentences, wrong_usage, failures_are_told, where_the_daemon_is, how_long_the_daemon_may_take,
          help_and_version, logs, pull, events, a_line_has_a_maximum, a_full_disk_is_a_failure)
