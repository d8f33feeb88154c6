/* The daemon and its rules, without a socket or an engine: what refuses to start, what a reload changes and
 * what it leaves alone, and what is recorded. */
#include "base/fd.h"
#include "base/str.h"
#include "daemon/daemon.h"
#include "unit.h"
#include "json/json.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE(id) "version: \"1\"\nrules:\n  - {id: " id ", condition: \"true\", action: block}\n"
#define BAD      "version: \"1\"\nrules:\n  - {id: bad, condition: netwrok.port == 1, action: allow}\n"
#define FAILING  RULE("x") "tests:\n  - {name: no, context: {}, expect: allow}\n"

struct world {
    char dir[64], run[96], state[96], rules[96], shim[96], engine[96], host[96], log[8192];
    outcall_log *sink;
    outcall_daemon *d;
    outcall_error err;
};

static void on_log(int level, const char *target, const char *msg, void *userdata)
{
    struct world *t = userdata;
    size_t n = strlen(t->log);
    (void)oc_format(t->log + n, sizeof(t->log) - n, "%s %s: %s\n", outcall_log_level_name(level), target,
                    msg);
}

static void write_file(const char *dir, const char *name, const char *data)
{
    char path[160];
    (void)oc_format(path, sizeof(path), "%s/%s", dir, name);
    OC_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_write_all(fd, data, strlen(data)), 0);
}

static void begin(struct world *t)
{
    memset(t, 0, sizeof(*t));
    (void)oc_format(t->dir, sizeof(t->dir), "/tmp/outcall-daemon-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t->dir));
    (void)oc_format(t->run, sizeof(t->run), "%s/run", t->dir);
    (void)oc_format(t->state, sizeof(t->state), "%s/state", t->dir);
    (void)oc_format(t->rules, sizeof(t->rules), "%s/rules", t->dir);
    (void)oc_format(t->shim, sizeof(t->shim), "%s/shim", t->dir);
    (void)oc_format(t->engine, sizeof(t->engine), "unix://%s/engine.sock", t->dir);
    ck_assert_int_eq(mkdir(t->rules, 0755), 0);
    write_file(t->dir, "shim", "");
    ck_assert_int_eq(outcall_log_new(&t->sink, on_log, t), 0);
    ck_assert_int_eq(outcall_log_set_filter(t->sink, "debug"), 0);
}

static int start(struct world *t)
{
    outcall_daemon_options o = OUTCALL_DAEMON_OPTIONS_INIT;
    o.runtime_dir = t->run;
    o.state_dir = t->state;
    o.rules_dir = t->rules;
    o.shim_path = t->shim;
    o.docker_host = t->engine;
    o.log = t->sink;
    outcall_error_clear(&t->err);
    return outcall_daemon_new(&t->d, &o, &t->err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct world *t)
{
    (void)outcall_daemon_free(t->d);
    (void)outcall_log_unref(t->sink);
    ck_assert_int_eq(nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void logged(const struct world *t, const char *text)
{
    ck_assert_msg(strstr(t->log, text), "\"%s\" is not in\n%s", text, t->log);
}

/* The rule that blocks everything now, and the set's number. */
static void in_force(struct world *t, const char *rule, uint64_t generation)
{
    uint64_t number = 0;
    outcall_rule_info info = {.id = "none"};
    outcall_policy *p = outcall_policy_slot_get(t->d->policy, &number);
    int r = outcall_policy_rule_at(p, 0, &info);
    ck_assert_int_eq(r, rule ? 0 : OUTCALL_E_NOT_FOUND);
    ck_assert_str_eq(info.id, rule ? rule : "none");
    ck_assert_uint_eq(number, generation);
    (void)outcall_policy_unref(p);
}

static char *ask(struct world *t, const char *method, const char *target)
{
    char *body = NULL;
    size_t len = 0;
    int status = 0;
    ck_assert_int_eq(outcall_host_api_handle(t->d->api, method, target, NULL, 0, &status, &body, &len, NULL),
                     0);
    return body;
}

static const struct bad {
    const char *text;
    int code, line, column;
    const char *error;
} bad[] = {
    {BAD, OUTCALL_E_UNDECLARED, 3, 26, "rule \"bad\": "},
    {FAILING, OUTCALL_E_DENIED, 5, 0, ""},
    {"version: \"1\"\nrules: [\n", OUTCALL_E_SYNTAX, 3, 0, ""},
    {"version: \"2\"\n", OUTCALL_E_SYNTAX, 1, 0, ""},
    {"", OUTCALL_E_SYNTAX, 1, 0, "the file is empty"},
};

static void says_where(const struct world *t, const struct bad *b)
{
    ck_assert_int_eq(t->err.code, b->code);
    ck_assert_int_eq(t->err.kind, OUTCALL_KIND_RULES_INVALID);
    ck_assert_str_eq(t->err.source, "b.yaml");
    ck_assert_int_eq(t->err.line, b->line);
    ck_assert_int_ge(t->err.column, b->column);
    ck_assert_msg(strstr(t->err.text, b->error), "%s", t->err.text);
}

START_TEST(a_bad_set_is_no_start)
{
    struct world t;
    begin(&t);
    write_file(t.rules, "a.yaml", RULE("good"));
    write_file(t.rules, "b.yaml", bad[_i].text);
    ck_assert_int_eq(start(&t), bad[_i].code);
    ck_assert_ptr_null(t.d);
    says_where(&t, &bad[_i]);
    end(&t);
}
END_TEST

START_TEST(every_refusal_is_logged)
{
    struct world t;
    begin(&t);
    write_file(t.rules, "b.yaml", BAD);
    write_file(t.rules, "c.yaml", "version: \"1\"\nfrob: 1\n");
    ck_assert_int_eq(start(&t), OUTCALL_E_UNDECLARED);
    logged(&t, "error rules: also refused: c.yaml:2:1: ");
    ck_assert_ptr_null(strstr(t.log, "b.yaml")); /* the first one is the caller's */
    end(&t);
}
END_TEST

START_TEST(no_rules_are_a_warning)
{
    struct world t;
    begin(&t);
    ck_assert_int_eq(start(&t), 0);
    logged(&t, "warn rules: ");
    logged(&t, "everything is blocked");
    in_force(&t, NULL, 2);
    t.d = outcall_daemon_free(t.d);
    t.log[0] = '\0';
    ck_assert_int_eq(rmdir(t.rules), 0);
    ck_assert_int_eq(start(&t), 0);
    logged(&t, "warn rules: ");
    logged(&t, "does not exist");
    ck_assert_int_eq(mkdir(t.rules, 0777), 0);
    ck_assert_int_eq(chmod(t.rules, 0777), 0);
    ck_assert_int_eq(outcall_daemon_reload(t.d, &t.err), OUTCALL_E_DENIED);
    ck_assert_ptr_nonnull(strstr(t.err.text, "can be written by other users"));
    in_force(&t, NULL, 2);
    end(&t);
}
END_TEST

START_TEST(a_reload_swaps)
{
    struct world t;
    begin(&t);
    write_file(t.rules, "a.yaml", RULE("one"));
    ck_assert_int_eq(start(&t), 0);
    in_force(&t, "one", 2);
    write_file(t.rules, "a.yaml", RULE("two"));
    in_force(&t, "one", 2);
    ck_assert_int_eq(outcall_daemon_reload(t.d, NULL), 0);
    in_force(&t, "two", 3);
    logged(&t, "info daemon: rules reloaded (signal): generation 3, 1 rules from 1 files");
    OC_FREE char *body = ask(&t, "POST", "/api/v1/rules/reload");
    ck_assert_ptr_nonnull(strstr(body, "\"generation\":4"));
    OC_FREE char *events = ask(&t, "GET", "/api/v1/events");
    const char *first = strstr(events, "\"cause\":\"signal\",\"generation\":3");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(strstr(first, "\"cause\":\"api\",\"generation\":4"));
    end(&t);
}
END_TEST

START_TEST(a_reload_that_fails_leaves_the_old_set)
{
    struct world t;
    char line[64];
    begin(&t);
    write_file(t.rules, "a.yaml", RULE("good"));
    ck_assert_int_eq(start(&t), 0);
    write_file(t.rules, "a.yaml", RULE("better"));
    write_file(t.rules, "b.yaml", bad[_i].text);
    ck_assert_int_eq(outcall_daemon_reload(t.d, &t.err), bad[_i].code);
    says_where(&t, &bad[_i]);
    in_force(&t, "good", 2);
    logged(&t, "error daemon: the rules stay as they were (signal): b.yaml:");
    OC_FREE char *body = ask(&t, "POST", "/api/v1/rules/reload");
    (void)oc_format(line, sizeof(line), "\"b.yaml:%d:", bad[_i].line);
    ck_assert_msg(strstr(body, line) && strstr(body, "rules_invalid"), "%s", body);
    in_force(&t, "good", 2);
    OC_FREE char *events = ask(&t, "GET", "/api/v1/events");
    ck_assert_ptr_nonnull(
        strstr(events, "\"action\":\"reload-failed\",\"cause\":\"signal\",\"generation\":2"));
    ck_assert_ptr_null(strstr(events, "\"reloaded\""));
    end(&t);
}
END_TEST

static const struct record {
    outcall_verdict v;
    int allowed, failure;
    const char *line;
} records[] = {
    {.allowed = 1, .line = "info verdict: allowed tool_exec: container c, agent -, target \"ls\", rule -, "},
    {.v = {.rule_id = "x", .log = 1},
     .line = "info verdict: blocked tool_exec: container c, agent -, target \"ls\", rule x, "},
    {.v = {.rule_id = "x", .rule_error = 1},
     .line = "warn verdict: blocked tool_exec: container c, agent -, target \"ls\", rule x (it could not be "
             "evaluated), "},
    {.failure = OUTCALL_E_TIMEOUT,
     .line = "warn verdict: blocked tool_exec: container c, agent -, target \"ls\", rule - (the rules could "
             "not be asked), "
             "generation 5, 9 us\n"},
};

START_TEST(decisions_are_recorded)
{
    const struct record *r = &records[_i];
    outcall_decision d = {.container = "c",
                          .action_type = "tool_exec",
                          .target = "ls",
                          .v = &r->v,
                          .allowed = r->allowed,
                          .failure = r->failure,
                          .generation = 5,
                          .duration_us = 9};
    struct world t;
    begin(&t);
    ck_assert_int_eq(start(&t), 0);
    oc_daemon_record(t.d, &d);
    logged(&t, r->line);
    OC_FREE char *events = ask(&t, "GET", "/api/v1/events");
    ck_assert_ptr_nonnull(strstr(events, r->allowed ? "\"decision\":\"allow\"" : "\"decision\":\"block\""));
    end(&t);
}
END_TEST

START_TEST(requests_survive)
{
    static const char yaml[] = "version: \"1\"\nrules:\n  - {id: wish, condition: \"true\", action: allow}\n";
    struct world t;
    outcall_request *request = NULL;
    char id[32], path[160];
    size_t n = 0;
    begin(&t);
    write_file(t.rules, "a.yaml", RULE("one"));
    ck_assert_int_eq(start(&t), 0);
    ck_assert_int_eq(outcall_requests_submit(t.d->requests, "builder", yaml, strlen(yaml), &request, NULL),
                     0);
    (void)oc_format(id, sizeof(id), "%s", outcall_request_id(request));
    request = outcall_request_free(request);
    ck_assert_int_eq(
        outcall_requests_submit(t.d->requests, "builder", RULE("one"), strlen(RULE("one")), &request, NULL),
        OUTCALL_E_EXISTS); /* it knows what is in force */
    t.d = outcall_daemon_free(t.d);
    /* What a crash in the middle of an approval leaves: rules that nobody approved, and bad ones at that. */
    (void)oc_format(path, sizeof(path), "agent-%s.yaml", id);
    write_file(t.rules, path, BAD);
    ck_assert_int_eq(start(&t), 0);
    in_force(&t, "one", 2);
    ck_assert_int_eq(outcall_requests_approve(t.d->requests, id, &n, &t.err), 0);
    ck_assert_uint_eq(n, 2);
    in_force(&t, "one", 3);
    logged(&t, "rules reloaded (request): generation 3");
    (void)oc_format(path, sizeof(path), "%s/requests", t.state);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    end(&t);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {every_refusal_is_logged, no_rules_are_a_warning, a_reload_swaps,
                                requests_survive};
    const struct unit_loop loops[] = {{a_bad_set_is_no_start, OC_ARRAY_SIZE(bad)},
                                      {a_reload_that_fails_leaves_the_old_set, OC_ARRAY_SIZE(bad)},
                                      {decisions_are_recorded, OC_ARRAY_SIZE(records)}};
    return unit_run("daemon_rules", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
