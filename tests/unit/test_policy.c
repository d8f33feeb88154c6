#include "base/base.h"
#include "base/str.h"
#include "outcall/policy.h"
#include "support/failmalloc.h"
#include "unit/unit.h"

#define RULES                                                                      \
    "version: \"1\"\n"                                                             \
    "definitions:\n"                                                               \
    "  github: network.hostname == \"github.com\"\n"                               \
    "  reads: '[\"GET\", \"HEAD\"]'\n"                                             \
    "rules:\n"                                                                     \
    "  - id: github-read\n"                                                        \
    "    condition: $github && http.method in $reads\n"                            \
    "    action: allow\n"                                                          \
    "    egress: {mode: direct_ip, ports: [443, 8443], allow_private_ips: true}\n" \
    "  - id: no-delete\n"                                                          \
    "    condition: http.method == \"DELETE\"\n"                                   \
    "    action: block\n"                                                          \
    "    priority: -5\n"                                                           \
    "    reason: never delete\n"                                                   \
    "    description: |\n"                                                         \
    "      two\n"                                                                  \
    "      lines\n"                                                                \
    "    log: true\n"                                                              \
    "  - id: only-builder\n"                                                       \
    "    condition: run.tool == \"make\"\n"                                        \
    "    action: allow\n"                                                          \
    "    agents: [builder, tester]\n"                                              \
    "tests:\n"                                                                     \
    "  - name: reading is fine\n"                                                  \
    "    context: {network: {hostname: github.com}, http: {method: GET}}\n"        \
    "    expect: allow\n"                                                          \
    "    rule: github-read\n"                                                      \
    "  - name: nothing is blocked\n"                                               \
    "    expect: block\n"

static outcall_policy *load(const char *yaml)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_policy_load_text(&p, NULL, yaml, strlen(yaml), NULL, &err);
    ck_assert_msg(r == 0, "%s:%d:%d: %s", err.source, err.line, err.column, err.text);
    return p;
}

static outcall_context *context(const char *json)
{
    outcall_context *c = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_context_new(&c), 0);
    int r = outcall_context_json(c, json, strlen(json), &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return c;
}

/* "allow rule", "block rule" or "block". */
static void expect(const outcall_policy *p, const char *json, const char *wanted)
{
    char got[256];
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = context(json);
    ck_assert_msg(outcall_policy_decide(p, c, &v, &err) == 0, "%s", err.text);
    ck_assert_int_eq(oc_format(got, sizeof(got), "%s%s%s%s", v.action == OUTCALL_ALLOW ? "allow" : "block",
                               v.rule_id ? " " : "", v.rule_id ? v.rule_id : "",
                               v.rule_error ? " error" : ""),
                     0);
    ck_assert_str_eq(got, wanted);
}

START_TEST(first_match_decides)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load(RULES);
    ck_assert_uint_eq(outcall_policy_rules_n(p), 3);
    ck_assert_uint_eq(outcall_policy_files_n(p), 1);
    ck_assert_uint_eq(outcall_policy_warnings_n(p), 0);
    expect(p, "{}", "block");
    expect(p, "{\"network\":{\"hostname\":\"github.com\"},\"http\":{\"method\":\"HEAD\"}}",
           "allow github-read");
    expect(p, "{\"network\":{\"hostname\":\"github.com\"},\"http\":{\"method\":\"DELETE\"}}",
           "block no-delete");
    expect(p, "{\"run\":{\"tool\":\"make\"},\"agent\":{\"name\":\"builder\"}}", "allow only-builder");
    expect(p, "{\"run\":{\"tool\":\"make\"},\"agent\":{\"name\":\"build\"}}", "block");
    expect(p, "{\"run\":{\"tool\":\"make\"}}", "block");
}
END_TEST

START_TEST(rule_info)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load(RULES);
    outcall_rule_info i;
    ck_assert_int_eq(outcall_policy_rule_at(p, 0, &i), 0); /* by priority */
    ck_assert_str_eq(i.id, "no-delete");
    ck_assert_str_eq(i.file, "rules.yaml");
    ck_assert_int_eq(i.line, 10);
    ck_assert_int_eq(i.priority, -5);
    ck_assert_str_eq(i.reason, "never delete");
    ck_assert_str_eq(i.description, "two\nlines");
    ck_assert_int_eq(i.log, 1);
    ck_assert_ptr_null(i.agents);
    ck_assert_int_eq(outcall_policy_rule_find(p, "github-read", &i), 0);
    ck_assert_str_eq(i.condition, "$github && http.method in $reads");
    ck_assert_int_eq(i.action, OUTCALL_ALLOW);
    ck_assert_int_eq(i.priority, 100);
    ck_assert_int_eq(i.egress, OUTCALL_EGRESS_DIRECT_IP);
    ck_assert_int_eq(i.allow_private_ips, 1);
    ck_assert_uint_eq(i.n_ports, 2);
    ck_assert_uint_eq(i.ports[1], 8443);
    ck_assert_ptr_null(i.reason);
    ck_assert_uint_eq(i.hits, 0); /* the test in the file does not count */
    ck_assert_int_eq(outcall_policy_rule_find(p, "only-builder", &i), 0);
    ck_assert_uint_eq(i.n_agents, 2);
    ck_assert_str_eq(i.agents[1], "tester");
    ck_assert_int_eq(outcall_policy_rule_find(p, "github", &i), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(outcall_policy_rule_at(p, 3, &i), OUTCALL_E_NOT_FOUND);
}
END_TEST

#define ERRORS                                                                             \
    "version: \"1\"\n"                                                                     \
    "rules:\n"                                                                             \
    "- {id: allow-broken, condition: '1 / network.port == 1', action: allow}\n"            \
    "- {id: block-broken, condition: '2 / network.port == 1', action: block, reason: r}\n" \
    "- {id: all, condition: 'true', action: allow}\n"

START_TEST(errors_block_in_block_rules)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load(ERRORS);
    outcall_rule_info i;
    expect(p, "{}", "block block-broken error");
    expect(p, "{\"network\":{\"port\":1}}", "allow allow-broken");
    expect(p, "{\"network\":{\"port\":5}}", "allow all");
    ck_assert_int_eq(outcall_policy_rule_at(p, 0, &i), 0);
    ck_assert_uint_eq(i.errors, 1);
    ck_assert_uint_eq(i.hits, 1);
    ck_assert_int_eq(outcall_policy_rule_at(p, 1, &i), 0);
    ck_assert_uint_eq(i.errors, 1);
    ck_assert_uint_eq(i.hits, 1);
}
END_TEST

/* What is and what is no use of a definition. */
START_TEST(definitions)
{
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *p =
        load("version: \"1\"\n"
             "definitions:\n"
             "  a: '\"$ab\"' # text\n"
             "  ab: run.args\n"
             "  list: '[$a, \"x\"] // ends in a comment'\n"
             "  either: run.tool == $a || run.tool == \"x\"\n"
             "  unused: 'true'\n"
             "rules:\n"
             "- {id: list, action: allow, condition: 'run.tool in$list && size($ab)==1'}\n"
             "- {id: precedence, action: allow, condition: '$either && run.cwd == r\"\\$a\" // $no'}\n"
             "- id: strings\n"
             "  action: allow\n"
             "  condition: run.cwd == \"\"\"$a\"$no\"\"\" || run.cwd == '\\'$no'\n"
             "- id: block\n"
             "  action: allow\n"
             "  condition: |\n"
             "    $ab.exists(x, x.startsWith($a)) // $no\n"
             "    && run.cwd == 'b'\n"
             "tests:\n"
             "- {name: in, expect: allow, rule: list, context: {run: {tool: $ab, args: [q]}}}\n"
             "- {name: parentheses, expect: block, context: {run: {tool: $ab}}}\n"
             "- {name: raw, expect: allow, rule: precedence, context: {run: {tool: x, cwd: '\\$a'}}}\n"
             "- {name: three quotes, expect: allow, rule: strings, context: {run: {cwd: '$a\"$no'}}}\n"
             "- {name: escaped quote, expect: allow, rule: strings, context: {run: {cwd: '''$no'}}}\n"
             "- {name: lines, expect: allow, rule: block, context: {run: {cwd: b, args: [$abc]}}}\n");
    outcall_rule_info i;
    ck_assert_uint_eq(outcall_policy_warnings_n(p), 1);
    ck_assert_str_eq(outcall_policy_warning_at(p, 0), "rules.yaml:7:3: definition \"unused\" is not used");
    ck_assert_int_eq(outcall_policy_rule_find(p, "block", &i), 0);
    ck_assert_str_eq(i.condition, "$ab.exists(x, x.startsWith($a)) // $no\n&& run.cwd == 'b'");
}
END_TEST

START_TEST(null_and_empty_block)
{
    outcall_verdict v = {.action = OUTCALL_ALLOW};
    OC_CLEANUP(outcall_context_freep) outcall_context *c = context("{}");
    ck_assert_int_eq(outcall_policy_decide(NULL, c, &v, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(v.action, OUTCALL_BLOCK);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load("version: \"1\"\n");
    ck_assert_str_eq(outcall_policy_warning_at(p, 0),
                     "rules.yaml: there are no rules; everything is blocked");
    ck_assert_ptr_null(outcall_policy_warning_at(p, 1));
    expect(p, "{}", "block");
}
END_TEST

/* (a), (b) and (c) of what rules mostly look like. */
START_TEST(decisions_take_no_memory)
{
    OC_CLEANUP(outcall_policy_unrefp)
    outcall_policy *p = load("version: \"1\"\nrules:\n"
                             "- {id: a, action: allow, condition: 'network.hostname == \"github.com\" && "
                             "http.method in [\"GET\",\"POST\"] "
                             "&& http.path.startsWith(\"/api/v3\")'}\n"
                             "- {id: b, action: block, condition: 'run.tool == \"git\" && \"-f\" in "
                             "run.flags', reason: no, agents: [x]}\n"
                             "- {id: c, action: allow, condition: "
                             "'network.hostname.endsWith(\".openai.com\") && network.port == 443 && "
                             "http.headers.all(k, k != \"authorization\")'}\n");
    static const char *const requests[] = {
        "{\"network\":{\"hostname\":\"github.com\"},\"http\":{\"method\":\"POST\",\"path\":\"/api/v3/x\"}}",
        "{\"run\":{\"tool\":\"git\",\"flags\":[\"-q\",\"-f\"]},\"agent\":{\"name\":\"x\"}}",
        "{\"network\":{\"hostname\":\"api.openai.com\",\"port\":443},\"http\":{\"headers\":{\"a\":\"b\"}}}",
        "{}"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(requests); i++) {
        OC_CLEANUP(outcall_context_freep) outcall_context *c = context(requests[i]);
        outcall_verdict v = OUTCALL_VERDICT_INIT;
        failmalloc_arm(1);
        int r = outcall_policy_decide(p, c, &v, NULL);
        bool allocated = failmalloc_fired();
        failmalloc_arm(0);
        ck_assert_int_eq(r, 0);
        ck_assert(!allocated);
        ck_assert_int_eq(v.rule_id ? v.rule_id[0] : 0, "abc"[i]); /* the last of them: none, and 0 */
    }
}
END_TEST

static void explains(const outcall_policy *p, const char *json, const char *wanted)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = context(json);
    outcall_error err = OUTCALL_ERROR_INIT;
    char *got = NULL;
    ck_assert_msg(outcall_policy_explain(p, c, &got, &err) == 0, "%s", err.text);
    ck_assert_str_eq(got, wanted);
    free(got);
}

START_TEST(explanations)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load(RULES);
    outcall_rule_info i;
    explains(
        p, "{\"network\":{\"hostname\":\"github.com\"},\"http\":{\"method\":\"PUT\"}}",
        "{\"decision\":\"block\",\"matched_rule\":null,\"file\":null,\"reason\":null,\"rule_error\":false,"
        "\"matched\":null,\"nearest\":["
        "{\"rule\":\"github-read\",\"file\":\"rules.yaml\",\"line\":6,\"action\":\"allow\",\"true_parts\":1,"
        "\"parts_n\":2,\"false\":\"http.method in ([\\\"GET\\\", \\\"HEAD\\\"])\",\"error\":null},"
        "{\"rule\":\"no-delete\",\"file\":\"rules.yaml\",\"line\":10,\"action\":\"block\",\"true_parts\":0,"
        "\"parts_n\":1,\"false\":\"http.method == \\\"DELETE\\\"\",\"error\":null},"
        "{\"rule\":\"only-builder\",\"file\":\"rules.yaml\",\"line\":19,\"action\":\"allow\",\"true_parts\":"
        "0,"
        "\"parts_n\":2,\"false\":\"agent.name in [\\\"builder\\\", \\\"tester\\\"]\",\"error\":null}]}");
    explains(
        p, "{\"run\":{\"tool\":\"make\"},\"agent\":{\"name\":\"tester\"},\"http\":{\"method\":\"DELETE\"}}",
        "{\"decision\":\"block\",\"matched_rule\":\"no-delete\",\"file\":\"rules.yaml\",\"reason\":\"never "
        "delete\",\"rule_error\":false,\"matched\":{\"condition\":\"http.method == "
        "\\\"DELETE\\\"\",\"parts\":["
        "{\"text\":\"http.method == \\\"DELETE\\\"\",\"value\":true}]},\"nearest\":[]}");
    ck_assert_int_eq(outcall_policy_rule_find(p, "no-delete", &i), 0);
    ck_assert_uint_eq(i.hits, 0);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *broken = load(ERRORS);
    explains(
        broken, "{}",
        "{\"decision\":\"block\",\"matched_rule\":\"block-broken\",\"file\":\"rules.yaml\",\"reason\":\"r\","
        "\"rule_error\":true,\"matched\":{\"condition\":\"2 / network.port == 1\",\"parts\":[{\"text\":\"2 / "
        "network.port == 1\",\"value\":null,\"error\":\"division by zero\"}]},\"nearest\":[{\"rule\":"
        "\"allow-broken\",\"file\":\"rules.yaml\",\"line\":3,\"action\":\"allow\",\"true_parts\":0,\"parts_"
        "n\":1,"
        "\"false\":\"1 / network.port == 1\",\"error\":\"division by zero\"}]}");
}
END_TEST

START_TEST(expressions)
{
    OC_CLEANUP(outcall_context_freep) outcall_context *c = context("{\"network\":{\"port\":443}}");
    outcall_error err = OUTCALL_ERROR_INIT;
    int yes = 0;
    ck_assert_int_eq(outcall_context_test(c, "network.port == 443", 19, &yes, &err), 0);
    ck_assert_int_eq(yes, 1);
    ck_assert_int_eq(outcall_context_test(c, "network.pord == 443", 19, &yes, &err), OUTCALL_E_UNDECLARED);
    ck_assert_int_eq(outcall_context_test(c, NULL, 0, &yes, NULL), OUTCALL_E_SYNTAX);
    ck_assert_int_eq(outcall_context_test(c, "network.port", 12, &yes, NULL), OUTCALL_E_TYPE);
}
END_TEST

static int load_and_decide(void *userdata)
{
    (void)userdata;
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    static const char json[] = "{\"network\":{\"hostname\":\"github.com\"},\"http\":{\"method\":\"GET\"}}";
    int r = outcall_policy_load_text(&p, NULL, RULES, strlen(RULES), NULL, NULL);
    if (r == 0)
        r = outcall_context_new(&c);
    if (r == 0)
        r = outcall_context_json(c, json, strlen(json), NULL);
    if (r == 0)
        r = outcall_policy_decide(p, c, &v, NULL);
    char *json_text = NULL;
    if (r == 0)
        r = outcall_policy_explain(p, c, &json_text, NULL);
    free(json_text);
    bool right = !c || r < 0 || v.action == OUTCALL_ALLOW; /* Check's own assertions allocate */
    return right ? r : OUTCALL_E_INTERNAL;
}

START_TEST(no_memory)
{
    (void)failmalloc_loop(load_and_decide, NULL);
}
END_TEST

UNIT_MAIN("policy", first_match_decides, rule_info, errors_block_in_block_rules, null_and_empty_block,
          definitions, decisions_take_no_memory, explanations, expressions, no_memory)
