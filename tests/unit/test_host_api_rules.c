/* The host API's endpoints about rules and rule requests: what each answers, and each way to fail. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "outcall/host_api.h"
#include "support/failmalloc.h"
#include "support/manager_fixture.h"
#include "unit.h"
#include "json/json.h"
#include <ftw.h>
#include <unistd.h>

#define RULES                                                                             \
    "version: \"1\"\nrules:\n"                                                            \
    "  - id: read\n    condition: network.hostname == \"a.example\"\n    action: allow\n" \
    "    description: reading\n    agents: [builder]\n    log: true\n"                    \
    "    egress: {mode: direct_ip, ports: [443, 80], allow_private_ips: true}\n"          \
    "  - id: deny\n    condition: network.hostname == \"b.example\"\n    action: block\n" \
    "    priority: 7\n    reason: not that one\n"                                         \
    "  - id: sick\n    condition: docker.command[0] == \"x\"\n    action: block\n    priority: 200\n"
#define ASKED "version: \"1\"\nrules:\n  - {id: %s, condition: 'run.tool == \"ls\"', action: %s}\n"

struct api {
    struct manager t;
    outcall_host_api *h;
    outcall_requests *requests;
    char store[96], rules[96];
    int reloads, fail_reload;
    int status;
    char *body;
    json_t *json;
};

/* As the daemon's: everything in the directory, or nothing. */
static int load(struct api *a, outcall_policy **ret, uint64_t *ret_generation, outcall_error *err)
{
    outcall_policy *p = NULL;
    a->reloads++;
    if (a->fail_reload) {
        *err = (outcall_error){
            .code = a->fail_reload, .kind = OUTCALL_KIND_RULES_INVALID, .line = 3, .column = 5};
        (void)oc_format(err->source, sizeof(err->source), "a.yaml");
        (void)oc_format(err->text, sizeof(err->text), "rule \"x\": wrong");
        return a->fail_reload;
    }
    int r = outcall_policy_load_dir(&p, a->rules, NULL, err);
    if (r < 0)
        return r;
    *ret = outcall_policy_ref(p);
    *ret_generation = outcall_policy_slot_swap(a->t.policy, p);
    return 0;
}

static int reload(void *userdata, outcall_policy **ret, uint64_t *ret_generation, outcall_error *err)
{
    return load(userdata, ret, ret_generation, err);
}

static int reload_for_request(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    uint64_t generation = 0;
    int r = load(userdata, &p, &generation, err);
    *ret_rules_n = outcall_policy_rules_n(p);
    return r;
}

static void forget(struct api *a)
{
    json_decref(a->json);
    a->json = NULL;
    free(a->body);
    a->body = NULL;
}

static void write_rules(struct api *a, const char *name, const char *yaml)
{
    char path[192];
    (void)oc_format(path, sizeof(path), "%s/%s", a->rules, name);
    OC_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_write_all(fd, yaml, strlen(yaml)), 0);
}

static void begin(struct api *a)
{
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    outcall_requests_options q = OUTCALL_REQUESTS_OPTIONS_INIT;
    memset(a, 0, sizeof(*a));
    manager_begin(&a->t);
    (void)oc_format(a->store, sizeof(a->store), "%s/requests", a->t.f.dir);
    (void)oc_format(a->rules, sizeof(a->rules), "%s/rules", a->t.f.dir);
    ck_assert_int_eq(mkdir(a->rules, 0755), 0);
    write_rules(a, "a.yaml", RULES);
    q.dir = a->store;
    q.rules_dir = a->rules;
    q.reload = reload_for_request;
    q.userdata = a;
    fixture_ok(&a->t.f, outcall_requests_new(&a->requests, &q, &a->t.f.err));
    o.docker = a->t.f.docker;
    o.containers = a->t.containers;
    o.networks = a->t.networks;
    o.policy = a->t.policy;
    o.reload = reload;
    o.requests = a->requests;
    o.userdata = a;
    ck_assert_int_eq(outcall_host_api_new(&a->h, &o, NULL), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct api *a)
{
    forget(a);
    (void)outcall_host_api_free(a->h);
    (void)outcall_requests_free(a->requests);
    ck_assert_int_eq(nftw(a->store, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    ck_assert_int_eq(nftw(a->rules, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    manager_end(&a->t);
}

/* lines: the answer is no JSON document. */
static void ask_for(struct api *a, const char *method, const char *target, const char *body, bool lines)
{
    size_t len = 0;
    forget(a);
    ck_assert_int_eq(outcall_host_api_handle(a->h, method, target, body, body ? strlen(body) : 0, &a->status,
                                             &a->body, &len, NULL),
                     0);
    if (!lines)
        ck_assert_int_eq(oc_json_load(a->body, len, &a->json, NULL), 0);
}

static void ask(struct api *a, const char *method, const char *target, const char *body)
{
    ask_for(a, method, target, body, false);
}

static void data_is(struct api *a, const char *expected)
{
    OC_FREE char *data =
        json_dumps(json_object_get(a->json, "data"), JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    ck_assert_msg(a->status == 200, "%d %s", a->status, a->body);
    ck_assert_str_eq(data, expected);
}

static void fails(struct api *a, int status, const char *code, const char *error)
{
    ck_assert_msg(a->status == status, "%d %s", a->status, a->body);
    ck_assert_str_eq(oc_json_string(a->json, "code", ""), code);
    ck_assert_str_eq(oc_json_string(a->json, "error", ""), error);
}

static const char *text(const struct api *a, const char *path)
{
    return oc_json_string(a->json, path, "(none)");
}

#define READ                                                                                                \
    "{\"action\":\"allow\",\"agents\":[\"builder\"],\"condition\":\"network.hostname == "                   \
    "\\\"a.example\\\"\","                                                                                  \
    "\"description\":\"reading\",\"egress\":{\"allow_private_ips\":true,\"mode\":\"direct_ip\",\"ports\":[" \
    "443,80]},\"errors\":0,\"file\":\"a.yaml\",\"hits\":0,\"id\":\"read\",\"line\":3,\"log\":true,"         \
    "\"priority\":100,\"reason\":null}"
#define DENY                                                                                            \
    "{\"action\":\"block\",\"agents\":[],\"condition\":\"network.hostname == \\\"b.example\\\"\","      \
    "\"description\":null,\"egress\":null,\"errors\":0,\"file\":\"a.yaml\",\"hits\":0,\"id\":\"deny\"," \
    "\"line\":10,\"log\":false,\"priority\":7,\"reason\":\"not that one\"}"

START_TEST(rules_are_shown_in_their_order)
{
    struct api a;
    begin(&a);
    ask(&a, "GET", "/api/v1/rules", NULL);
    data_is(&a, "[]");
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    data_is(&a, "{\"files_loaded\":1,\"generation\":2,\"rules_loaded\":3,\"warnings\":[]}");
    ask(&a, "GET", "/api/v1/rules", NULL);
    const json_t *data = json_object_get(a.json, "data");
    ck_assert_uint_eq(json_array_size(data), 3);
    ck_assert_str_eq(oc_json_string(json_array_get(data, 0), "id", ""), "deny");
    ck_assert_str_eq(oc_json_string(json_array_get(data, 1), "id", ""), "read");
    ck_assert_str_eq(oc_json_string(json_array_get(data, 2), "id", ""), "sick");
    ask(&a, "GET", "/api/v1/rule/read", NULL);
    data_is(&a, READ);
    ask(&a, "GET", "/api/v1/rule/%64eny", NULL);
    data_is(&a, DENY);
    ask(&a, "GET", "/api/v1/rule/none", NULL);
    fails(&a, 404, "rule_not_found", "rule \"none\" does not exist");
    ask(&a, "GET", "/api/v1/rule/%ff", NULL);
    fails(&a, 404, "rule_not_found", "rule \"?\" does not exist");
    static const char *const nowhere[] = {"/api/v1/rule/", "/api/v1/rule", "/api/v1/rule/a/b",
                                          "/api/v1/rules/"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(nowhere); i++) {
        ask(&a, "GET", nowhere[i], NULL);
        ck_assert_str_eq(text(&a, "code"), "not_found");
    }
    end(&a);
}
END_TEST

START_TEST(a_reload_that_fails_says_where)
{
    struct api a;
    begin(&a);
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    write_rules(&a, "b.yaml",
                "version: \"1\"\nrules:\n  - id: read\n    condition: \"true\"\n    action: allow\n");
    a.fail_reload = OUTCALL_E_SYNTAX;
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    fails(&a, 422, "rules_invalid", "a.yaml:3:5: rule \"x\": wrong");
    a.fail_reload = 0;
    ask(&a, "GET", "/api/v1/status", NULL);
    ck_assert_int_eq(oc_json_i64(a.json, "data.rules.generation", 0), 2);
    ck_assert_int_eq(oc_json_i64(a.json, "data.rules.rules", 0), 3);
    ck_assert_int_eq(oc_json_i64(a.json, "data.rules.files", 0), 1);
    ask(&a, "POST", "/api/v1/rules/reload", "{}");
    fails(&a, 400, "invalid_request", "this endpoint takes no body");
    ck_assert_int_eq(a.reloads, 2);
    write_rules(&a, "b.yaml", "version: \"1\"\ndefinitions: {unused: \"true\"}\n");
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    const json_t *warnings = oc_json_get(a.json, "data.warnings");
    ck_assert_uint_eq(json_array_size(warnings), 1);
    ck_assert_str_eq(json_string_value(json_array_get(warnings, 0)),
                     "b.yaml:2:15: definition \"unused\" is not used");
    end(&a);
}
END_TEST

static const struct evaluation {
    const char *body, *data;
} asked[] = {
    {"{\"context\":{\"network\":{\"hostname\":\"a.example\"},\"agent\":{\"name\":\"builder\"}}}",
     "{\"decision\":\"allow\",\"error\":null,\"file\":\"a.yaml\",\"generation\":2,\"matched_rule\":\"read\","
     "\"reason\":null,\"rule_error\":false}"},
    {"{\"context\":{\"network\":{\"hostname\":\"b.example\"}},\"explain\":false}",
     "{\"decision\":\"block\",\"error\":null,\"file\":\"a.yaml\",\"generation\":2,\"matched_rule\":\"deny\","
     "\"reason\":\"not that one\",\"rule_error\":false}"},
    {"{\"context\":{}}", "{\"decision\":\"block\",\"error\":null,\"file\":\"a.yaml\",\"generation\":2,"
                         "\"matched_rule\":\"sick\",\"reason\":null,\"rule_error\":true}"},
    {"{\"context\":{\"docker\":{\"command\":[\"y\"]}}}",
     "{\"decision\":\"block\",\"error\":null,\"file\":null,\"generation\":2,\"matched_rule\":null,"
     "\"reason\":null,\"rule_error\":false}"},
};

START_TEST(what_the_rules_say)
{
    struct api a;
    begin(&a);
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    ask(&a, "POST", "/api/v1/rule/evaluate", asked[_i].body);
    data_is(&a, asked[_i].data);
    end(&a);
}
END_TEST

START_TEST(an_evaluation_is_explained)
{
    struct api a;
    begin(&a);
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    ask(&a, "POST", "/api/v1/rule/evaluate",
        "{\"context\":{\"network\":{\"hostname\":\"b.example\"}},\"explain\":true}");
    ck_assert_str_eq(text(&a, "data.decision"), "block");
    ck_assert_str_eq(text(&a, "data.explanation.matched_rule"), "deny");
    ck_assert_ptr_nonnull(oc_json_get(a.json, "data.explanation.matched.parts"));
    ask(&a, "GET", "/api/v1/rule/deny", NULL);
    ck_assert_int_ge(oc_json_i64(a.json, "data.hits", 0), 1);
    ask(&a, "POST", "/api/v1/rule/evaluate", "{\"context\":{}}");
    ask(&a, "GET", "/api/v1/status", NULL);
    ck_assert_int_eq(oc_json_i64(a.json, "data.rules.errors", 0), 1);
    end(&a);
}
END_TEST

static const struct test_case {
    const char *body, *data;
} tests[] = {
    {"{\"expression\":\"network.port == 443\",\"context\":{\"network\":{\"port\":443}}}",
     "{\"error\":null,\"result\":true}"},
    {"{\"expression\":\"network.port\\n == 443\"}", "{\"error\":null,\"result\":false}"},
    {"{\"expression\":\"docker.command[3] == \\\"\\\"\"}", NULL},
    {"{\"expression\":\"network.prot == 443\"}", NULL},
    {"{\"expression\":\"1 +\"}", NULL},
    {"{\"expression\":\"1\"}", NULL},
};

START_TEST(expressions)
{
    struct api a;
    begin(&a);
    ask(&a, "POST", "/api/v1/rule/test", tests[_i].body);
    if (tests[_i].data) {
        data_is(&a, tests[_i].data);
    } else {
        ck_assert_int_eq(a.status, 200);
        ck_assert(json_is_null(oc_json_get(a.json, "data.result")));
        ck_assert_msg(oc_starts_with(text(&a, "data.error"), "expression:"), "%s", a.body);
    }
    end(&a);
}
END_TEST

#define EVALUATE "/api/v1/rule/evaluate"
#define TEST     "/api/v1/rule/test"
#define NO_ID    "/api/v1/requests/rules/rr-000000000000"

static const struct refusal {
    const char *method, *target, *body;
    int status;
    const char *code, *error;
} refusals[] = {
    {"POST", EVALUATE, "{}", 400, "invalid_request", "context: required field is missing"},
    {"POST", EVALUATE, "{\"context\":[]}", 400, "invalid_request",
     "context: expected an object, got an array"},
    {"POST", EVALUATE, "{\"context\":{},\"explain\":1}", 400, "invalid_request",
     "explain: expected a boolean, got an integer"},
    {"POST", EVALUATE, "{\"context\":{},\"frob\":1}", 400, "invalid_request", "frob: unknown field"},
    {"POST", EVALUATE "?x=1", "{\"context\":{}}", 400, "invalid_request", "x: unknown argument"},
    {"POST", TEST, "{\"context\":{}}", 400, "invalid_request", "expression: required field is missing"},
    {"POST", TEST, "{\"expression\":\"\"}", 400, "invalid_request",
     "expression: expected 1 to 1048576 bytes, got 0"},
    {"POST", TEST, "{\"expression\":1}", 400, "invalid_request",
     "expression: expected a string, got an integer"},
    {"POST", TEST, "{\"expression\":\"true\",\"frob\":1}", 400, "invalid_request", "frob: unknown field"},
    {"GET", TEST, NULL, 404, "rule_not_found", "rule \"test\" does not exist"},
    {"GET", "/api/v1/rules?x=1", NULL, 400, "invalid_request", "x: unknown argument"},
    {"GET", "/api/v1/requests/rules?status=frob", NULL, 400, "invalid_request",
     "status: expected pending, approved, rejected or all, got \"frob\""},
    {"GET", NO_ID, NULL, 404, "request_not_found", "request \"rr-000000000000\" does not exist"},
    {"GET", "/api/v1/requests/rules/%2e%2e", NULL, 404, "request_not_found", "request \"..\" does not exist"},
    {"POST", NO_ID "/approve", NULL, 404, "request_not_found", "request \"rr-000000000000\" does not exist"},
    {"POST", NO_ID "/approve", "{}", 400, "invalid_request", "this endpoint takes no body"},
    {"POST", NO_ID "/reject", "{}", 404, "request_not_found", "request \"rr-000000000000\" does not exist"},
    {"POST", NO_ID "/frob", NULL, 404, "not_found", "no such endpoint: POST " NO_ID "/frob"},
};

START_TEST(what_is_refused)
{
    struct api a;
    begin(&a);
    ask(&a, refusals[_i].method, refusals[_i].target, refusals[_i].body);
    fails(&a, refusals[_i].status, refusals[_i].code, refusals[_i].error);
    ck_assert_int_eq(a.reloads, 0);
    end(&a);
}
END_TEST

/* What the context itself refuses: its own words, and 400. */
START_TEST(contexts_that_are_refused)
{
    static const char *const contexts[] = {"{\"netwrok\":{}}", "{\"network\":{\"prot\":1}}",
                                           "{\"network\":{\"port\":\"x\"}}", "{\"docker\":[]}"};
    struct api a;
    begin(&a);
    for (size_t i = 0; i < OC_ARRAY_SIZE(contexts); i++) {
        OC_FREE char *body = oc_asprintf("{\"context\":%s}", contexts[i]);
        ask(&a, "POST", EVALUATE, body);
        ck_assert_msg(a.status == 400, "%d %s", a.status, a.body);
        ck_assert_str_eq(text(&a, "code"), "invalid_request");
        ck_assert_uint_gt(strlen(text(&a, "error")), 10);
    }
    end(&a);
}
END_TEST

static void submit(struct api *a, const char *agent, const char *rule, const char *action, char id[32])
{
    outcall_request *request = NULL;
    OC_FREE char *yaml = oc_asprintf(ASKED, rule, action);
    fixture_ok(&a->t.f,
               outcall_requests_submit(a->requests, agent, yaml, strlen(yaml), &request, &a->t.f.err));
    (void)oc_format(id, 32, "%s", outcall_request_id(request));
    (void)outcall_request_free(request);
}

static void about(struct api *a, const char *method, const char *id, const char *verb, const char *body)
{
    char target[128];
    (void)oc_format(target, sizeof(target), "/api/v1/requests/rules/%s%s", id, verb);
    ask(a, method, target, body);
}

START_TEST(a_request_is_shown_and_approved)
{
    struct api a;
    char id[32], expected[256];
    begin(&a);
    submit(&a, "builder", "wish", "allow", id);
    ask(&a, "GET", "/api/v1/requests/rules", NULL);
    const json_t *first = json_array_get(json_object_get(a.json, "data"), 0);
    ck_assert_str_eq(oc_json_string(first, "id", ""), id);
    ck_assert_str_eq(oc_json_string(first, "agent", ""), "builder");
    ck_assert_str_eq(oc_json_string(first, "status", ""), "pending");
    ck_assert(json_is_null(json_object_get(first, "reason")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(first, "rules"), 0)), "wish");
    ck_assert_ptr_null(json_object_get(first, "text"));
    about(&a, "GET", id, "", NULL);
    ck_assert_ptr_nonnull(strstr(text(&a, "data.text"), "run.tool"));
    ck_assert_ptr_nonnull(strstr(text(&a, "data.active_text"), "builder"));
    ck_assert_uint_eq(json_array_size(oc_json_get(a.json, "data.allows")), 1);
    for (int twice = 0; twice < 2; twice++) {
        about(&a, "POST", id, "/approve", NULL);
        ck_assert_msg(a.status == 200, "%d %s", a.status, a.body);
        ck_assert_str_eq(text(&a, "data.id"), id);
    }
    ck_assert_int_eq(a.reloads, 1);
    (void)oc_format(expected, sizeof(expected), "agent-%s.yaml", id);
    ask(&a, "GET", "/api/v1/rule/wish", NULL);
    ck_assert_str_eq(text(&a, "data.file"), expected);
    ask(&a, "GET", "/api/v1/requests/rules", NULL);
    data_is(&a, "[]");
    ask(&a, "GET", "/api/v1/requests/rules?status=approved", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(a.json, "data")), 1);
    about(&a, "POST", id, "/reject", "{}");
    ck_assert_int_eq(a.status, 409);
    ck_assert_str_eq(text(&a, "code"), "conflict");
    ask_for(&a, "GET", "/api/v1/events", NULL, true);
    const char *event = strstr(a.body, "\"action\":\"request-approved\"");
    ck_assert_msg(event && !strstr(event + 20, "request-approved"), "%s", a.body); /* once */
    end(&a);
}
END_TEST

START_TEST(a_request_is_rejected)
{
    struct api a;
    char one[32], two[32];
    begin(&a);
    submit(&a, "builder", "wish", "allow", one);
    submit(&a, "builder", "other", "block", two);
    about(&a, "POST", one, "/reject", "{\"reason\":\"no, thanks\"}");
    ck_assert_str_eq(text(&a, "data.id"), one);
    about(&a, "POST", two, "/reject", NULL); /* a reason is a courtesy */
    ck_assert_int_eq(a.status, 200);
    ask(&a, "GET", "/api/v1/requests/rules?status=rejected", NULL);
    const json_t *data = json_object_get(a.json, "data");
    ck_assert_uint_eq(json_array_size(data), 2);
    ck_assert_str_eq(oc_json_string(json_array_get(data, 0), "reason", ""), "no, thanks");
    ck_assert(json_is_null(json_object_get(json_array_get(data, 1), "reason")));
    about(&a, "POST", one, "/approve", NULL);
    ck_assert_int_eq(a.status, 409);
    about(&a, "POST", two, "/reject", "{\"raeson\":\"x\"}");
    fails(&a, 400, "invalid_request", "raeson: unknown field");
    about(&a, "POST", two, "/reject", "{\"reason\":\"a\\nb\"}");
    fails(&a, 400, "invalid_request", "reason: control characters are not allowed");
    ask(&a, "GET", "/api/v1/requests/rules?status=all", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(a.json, "data")), 2);
    ck_assert_int_eq(a.reloads, 0);
    end(&a);
}
END_TEST

START_TEST(an_approval_that_does_not_load)
{
    struct api a;
    char id[32];
    begin(&a);
    submit(&a, "builder", "wish", "allow", id);
    a.fail_reload = OUTCALL_E_EXISTS;
    about(&a, "POST", id, "/approve", NULL);
    ck_assert_int_eq(a.status, 422);
    ck_assert_str_eq(text(&a, "code"), "rules_invalid");
    ck_assert(oc_starts_with(text(&a, "error"), "a.yaml:3:5: rule \"x\": wrong"));
    a.fail_reload = 0;
    about(&a, "GET", id, "", NULL);
    ck_assert_str_eq(text(&a, "data.status"), "pending");
    ask_for(&a, "GET", "/api/v1/events", NULL, true);
    ck_assert_ptr_null(strstr(a.body, "request-approved"));
    end(&a);
}
END_TEST

START_TEST(events_and_metrics)
{
    struct api a;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_decision d = {
        .container = "outcall-agent-a", .action_type = "tool_exec", .target = "ls", .v = &v};
    outcall_error err = {.code = OUTCALL_E_SYNTAX, .line = 2, .column = 1};
    begin(&a);
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    v.rule_id = "sick";
    v.file = "a.yaml";
    v.errors_n = 2;
    d.generation = 2;
    d.duration_us = 13;
    outcall_host_api_verdict(a.h, &d);
    d.allowed = 1;
    v = (outcall_verdict)OUTCALL_VERDICT_INIT;
    outcall_host_api_verdict(a.h, &d);
    d.allowed = 0;
    d.failure = OUTCALL_E_TIMEOUT;
    outcall_host_api_verdict(a.h, &d);
    (void)oc_format(err.source, sizeof(err.source), "b\xff.yaml");
    (void)oc_format(err.text, sizeof(err.text), "wrong");
    outcall_policy *p = outcall_policy_slot_get(a.t.policy, NULL);
    outcall_host_api_reloaded(a.h, "signal", p, 2, NULL);
    outcall_host_api_reloaded(a.h, "watch", p, 2, &err);
    (void)outcall_policy_unref(p);
    ask_for(&a, "GET", "/api/v1/events", NULL, true);
    static const char *const lines[] = {
        "\"type\":\"verdict\",\"container\":\"outcall-agent-a\",\"agent\":null,\"action_type\":\"tool_exec\","
        "\"target\":\"ls\",\"decision\":\"block\",\"rule\":\"sick\",\"file\":\"a.yaml\",\"error\":null,"
        "\"generation\":2,\"duration_us\":13}\n",
        "\"decision\":\"allow\",\"rule\":null,\"file\":null,\"error\":null,",
        "\"decision\":\"block\",\"rule\":null,\"file\":null,\"error\":\"time limit reached\",",
        "\"type\":\"rules\",\"action\":\"reloaded\",\"cause\":\"signal\",\"generation\":2,\"files\":1,"
        "\"rules\":"
        "3,\"error\":null}\n",
        "\"action\":\"reload-failed\",\"cause\":\"watch\",\"generation\":2,\"files\":1,\"rules\":3,\"error\":"
        "\"b?"
        ".yaml:2:1: wrong\"}\n",
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(lines); i++)
        ck_assert_msg(strstr(a.body, lines[i]), "%s\n%s", lines[i], a.body);
    ask_for(&a, "GET", "/metrics", NULL, true);
    static const char *const metrics[] = {"\noutcall_rules 3\n",
                                          "\noutcall_rule_files 1\n",
                                          "\noutcall_rules_generation 2\n",
                                          "\noutcall_rule_reloads_total{result=\"ok\"} 1\n",
                                          "\noutcall_rule_reloads_total{result=\"failed\"} 1\n",
                                          "\noutcall_verdicts_total{decision=\"allow\"} 1\n",
                                          "\noutcall_verdicts_total{decision=\"block\"} 2\n",
                                          "\noutcall_rule_errors_total 2\n"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(metrics); i++)
        ck_assert_msg(strstr(a.body, metrics[i]), "%s\n%s", metrics[i], a.body);
    end(&a);
}
END_TEST

START_TEST(an_api_without_rules)
{
    static const char *const calls[][2] = {{"GET", "/api/v1/rules"},          {"GET", "/api/v1/rule/x"},
                                           {"POST", "/api/v1/rules/reload"},  {"POST", EVALUATE},
                                           {"GET", "/api/v1/requests/rules"}, {"GET", NO_ID},
                                           {"POST", NO_ID "/approve"},        {"POST", NO_ID "/reject"}};
    struct api a;
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    begin(&a);
    (void)outcall_host_api_free(a.h);
    o.docker = a.t.f.docker;
    o.containers = a.t.containers;
    o.networks = a.t.networks;
    ck_assert_int_eq(outcall_host_api_new(&a.h, &o, NULL), 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(calls); i++) {
        ask(&a, calls[i][0], calls[i][1], NULL);
        ck_assert_msg(a.status == 503, "%s: %s", calls[i][1], a.body);
        ck_assert_str_eq(text(&a, "code"), "not_ready");
    }
    ask(&a, "GET", "/api/v1/status", NULL);
    ck_assert_int_eq(oc_json_i64(a.json, "data.rules.generation", 1), 0);
    ask_for(&a, "GET", "/metrics", NULL, true);
    ck_assert_int_eq(a.status, 200);
    outcall_host_api *h = NULL;
    o.policy = a.t.policy; /* and no way to load them */
    ck_assert_int_eq(outcall_host_api_new(&h, &o, NULL), OUTCALL_E_INVALID);
    o.reload = reload;
    o.policy_timeout_ms = 60001;
    ck_assert_int_eq(outcall_host_api_new(&h, &o, NULL), OUTCALL_E_INVALID);
    end(&a);
}
END_TEST

struct round {
    struct api *a;
    const char *method, *target, *body;
};

static int one_round(void *userdata)
{
    struct round *r = userdata;
    OC_FREE char *body = NULL;
    size_t len = 0;
    int status = 0;
    int code = outcall_host_api_handle(r->a->h, r->method, r->target, r->body, r->body ? strlen(r->body) : 0,
                                       &status, &body, &len, NULL);
    if (code < 0 || status == 200)
        return code;
    if (status != 500 || !strstr(body, "out of memory"))
        ck_abort_msg("%s: %d %s", r->target, status, body);
    return OUTCALL_E_NO_MEMORY;
}

START_TEST(every_allocation_may_fail)
{
    struct api a;
    char id[32], target[128];
    begin(&a);
    ask(&a, "POST", "/api/v1/rules/reload", NULL);
    submit(&a, "builder", "wish", "allow", id);
    (void)oc_format(target, sizeof(target), "/api/v1/requests/rules/%s", id);
    struct round rounds[] = {
        {&a, "GET", "/api/v1/rules", NULL},
        {&a, "GET", "/api/v1/rule/read", NULL},
        {&a, "POST", EVALUATE, "{\"context\":{\"network\":{\"hostname\":\"b.example\"}}}"},
        {&a, "POST", TEST, "{\"expression\":\"run.tool == \\\"x\\\"\",\"context\":{}}"},
        {&a, "GET", "/api/v1/requests/rules", NULL},
        {&a, "GET", target, NULL},
        {&a, "GET", "/api/v1/status", NULL},
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(rounds); i++)
        ck_assert_int_gt(failmalloc_loop(one_round, &rounds[i]), 1);
    end(&a);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {rules_are_shown_in_their_order,
                                a_reload_that_fails_says_where,
                                an_evaluation_is_explained,
                                contexts_that_are_refused,
                                a_request_is_shown_and_approved,
                                a_request_is_rejected,
                                an_approval_that_does_not_load,
                                events_and_metrics,
                                an_api_without_rules,
                                every_allocation_may_fail};
    const struct unit_loop loops[] = {{what_the_rules_say, OC_ARRAY_SIZE(asked)},
                                      {expressions, OC_ARRAY_SIZE(tests)},
                                      {what_is_refused, OC_ARRAY_SIZE(refusals)}};
    return unit_run("host_api_rules", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
