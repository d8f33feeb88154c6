/* A rule file: it loads or says where it does not; what loads says the same of a request whether the index is
 * asked or every rule is looked at, and its rules can be found by their places and ids. */
#include "check.h"
#include "policy/decide.h"
#include "json/json.h"

#define CONTEXTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const facts[CONTEXTS] = {
    "{}",
    "{\"network\": {\"hostname\": \"api.github.com\", \"ip\": \"10.1.2.3\", \"port\": 443, \"protocol\": "
    "\"tcp\"}, "
    "\"http\": {\"method\": \"GET\", \"path\": \"/api/v3\", \"host\": \"a\", \"headers\": {\"accept\": "
    "\"*/*\"}, "
    "\"body_size\": 7}, \"agent\": {\"name\": \"builder\", \"labels\": {\"team\": \"a\"}}}",
    "{\"run\": {\"tool\": \"git\", \"args\": [\"push\", \"-f\"], \"flags\": [\"-f\"], \"cwd\": "
    "\"/workspace\", "
    "\"context\": {\"n\": 1, \"l\": [null, true, 1.5]}}, \"dns\": {\"query\": \"a.example.com\", "
    "\"record_type\": \"A\"}, "
    "\"docker\": {\"image\": \"debian:12\", \"command\": [\"sh\"], \"volumes\": [\"/a:/b\"], \"env_keys\": "
    "[\"A\"], "
    "\"capabilities\": [\"NET_RAW\"]}}",
};

static void make_contexts(outcall_context **contexts)
{
    for (size_t i = 0; i < CONTEXTS; i++)
        if (outcall_context_new(&contexts[i]) < 0 ||
            outcall_context_json(contexts[i], facts[i], strlen(facts[i]), NULL) < 0 ||
            outcall_context_timeout_ms(contexts[i], 200) < 0)
            abort();
}

static void check_rules(const outcall_policy *policy)
{
    outcall_rule_info rule, same;
    for (size_t i = 0; i < outcall_policy_rules_n(policy); i++)
        if (outcall_policy_rule_at(policy, i, &rule) < 0 ||
            outcall_policy_rule_find(policy, rule.id, &same) < 0 || same.id != rule.id || rule.line < 1 ||
            !rule.condition || (rule.n_agents > 0) != (rule.agents != NULL) ||
            (rule.n_ports > 0) != (rule.ports != NULL))
            abort();
    if (outcall_policy_rule_at(policy, outcall_policy_rules_n(policy), &rule) != OUTCALL_E_NOT_FOUND)
        abort();
}

/* YAML has more line breaks than LF, and libyaml puts the end of a text on a line of its own. */
static void check_place(const outcall_error *err, const char *text, size_t len)
{
    size_t lines = 2;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n' || text[i] == '\r' || (unsigned char)text[i] == 0x85 ||
                 (unsigned char)text[i] == 0xa8 || (unsigned char)text[i] == 0xa9;
    if (err->line < 1 || err->column < 1 || (size_t)err->line > lines || (size_t)err->column > len + 1)
        abort();
}

/* It is JSON, and says what the verdict says. */
static void check_explanation(const outcall_policy *policy, outcall_context *context,
                              const outcall_verdict *verdict)
{
    OC_FREE char *text = NULL;
    OC_JSON json_t *j = NULL;
    int r = outcall_policy_explain(policy, context, &text, NULL);
    if (r == OUTCALL_E_TIMEOUT)
        return;
    if (r < 0 || oc_json_load(text, strlen(text), &j, NULL) < 0 ||
        !oc_streq(oc_json_string(j, "decision", ""), verdict->action == OUTCALL_ALLOW ? "allow" : "block") ||
        !oc_streq(oc_json_string(j, "matched_rule", NULL), verdict->rule_id))
        abort();
}

static void check_verdict(const outcall_policy *policy, outcall_context *context)
{
    outcall_verdict indexed = OUTCALL_VERDICT_INIT, plain = OUTCALL_VERDICT_INIT;
    int r = outcall_policy_decide(policy, context, &indexed, NULL);
    int p = oc_policy_decide(policy, context, OC_DECIDE_PLAIN, &plain, NULL, NULL);
    if (r == OUTCALL_E_TIMEOUT || p == OUTCALL_E_TIMEOUT)
        return;
    if (r < 0 || r != p || indexed.action != plain.action || indexed.rule_id != plain.rule_id ||
        indexed.file != plain.file || indexed.reason != plain.reason ||
        indexed.rule_error != plain.rule_error || indexed.errors_n != plain.errors_n ||
        indexed.egress != plain.egress || indexed.ports != plain.ports ||
        (indexed.action != OUTCALL_BLOCK && !indexed.rule_id))
        abort();
    check_explanation(policy, context, &plain);
}

/* What is formatted is a rule file that loads as before, and formatting changes it no more. */
static void check_format(const char *text, size_t len, const outcall_policy *policy)
{
    OC_FREE char *once = NULL;
    OC_FREE char *twice = NULL;
    outcall_policy *again = NULL;
    size_t once_len = 0, twice_len = 0;
    int r = outcall_policy_format(NULL, text, len, &once, &once_len, NULL);
    if (r < 0 && policy)
        abort();
    if (r < 0)
        return;
    if (outcall_policy_format(NULL, once, once_len, &twice, &twice_len, NULL) < 0 || once_len != twice_len ||
        memcmp(once, twice, once_len) != 0)
        abort();
    if (policy && (outcall_policy_load_text(&again, NULL, once, once_len, NULL, NULL) < 0 ||
                   outcall_policy_rules_n(again) != outcall_policy_rules_n(policy)))
        abort();
    (void)outcall_policy_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static outcall_context *contexts[CONTEXTS]; /* made by the first input */
    outcall_policy *policy = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    const char *text = size > 0 ? (const char *)data : "";
    if (!contexts[0])
        make_contexts(contexts);
    int r = outcall_policy_load_text(&policy, NULL, text, size, NULL, &err);
    if (r < 0) {
        if (policy || !oc_streq(err.source, "rules.yaml"))
            abort();
        check_error_text(r, &err);
        check_place(&err, text, size);
        check_format(text, size, NULL);
        return 0;
    }
    check_format(text, size, policy);
    check_rules(policy);
    for (size_t i = 0; i < CONTEXTS; i++)
        check_verdict(policy, contexts[i]);
    (void)outcall_policy_unref(policy);
    return 0;
}
