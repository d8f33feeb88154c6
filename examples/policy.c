/* Rules on their own: no daemon, no Docker. policy DIR CONTEXT [CONTEXT...] says what the rules of a
 * directory decide about each context, a JSON object such as {"run": {"tool": "git", "args": ["push"]}}. One
 * line each; exit 0 when all are allowed, 1 when one is blocked, 2 when the rules cannot be loaded. */
#include <outcall/policy.h>
#include <stdio.h>
#include <string.h>

/* Whatever goes wrong, the verdict is the one it began with: block. */
static int ask(const outcall_policy *policy, outcall_context *context, const char *json)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_verdict verdict = OUTCALL_VERDICT_INIT;
    outcall_context_reset(context);
    int r = outcall_context_json(context, json, strlen(json), &err);
    if (r == 0)
        r = outcall_policy_decide(policy, context, &verdict, &err);
    if (r < 0)
        (void)fprintf(stderr, "policy: %s\n", err.text);
    int allowed = r == 0 && verdict.action == OUTCALL_ALLOW;
    (void)printf("%s %s%s%s\n", allowed ? "allow" : "block", verdict.rule_id ? verdict.rule_id : "(no rule)",
                 verdict.reason ? ": " : "", verdict.reason ? verdict.reason : "");
    return allowed;
}

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy *policy = NULL;
    outcall_context *context = NULL;
    if (argc < 3)
        return 2;
    if (outcall_policy_load_dir(&policy, argv[1], NULL, &err) < 0 || outcall_context_new(&context) < 0) {
        char text[sizeof(err.source) + sizeof(err.text) + 32];
        (void)outcall_error_format(&err, text, sizeof(text));
        (void)fprintf(stderr, "policy: %s\n", text);
        outcall_policy_unref(policy);
        return 2;
    }
    int blocked = 0;
    for (int i = 2; i < argc; i++)
        blocked |= !ask(policy, context, argv[i]);
    outcall_context_free(context);
    outcall_policy_unref(policy);
    return blocked;
}
