/* cmd_rules_test.c - outcall rules test: what one expression, or a set of rules, says about a context. No
 * daemon. */
#include "cmd.h"
#include "file.h"
#include "rules_load.h"
#include <string.h>

static int fail_at(struct cli *c, const char *what, const outcall_error *e)
{
    const char *text = e->text[0] ? e->text : outcall_code_string(e->code);
    if (e->line > 0)
        return cli_fail(c, EXIT_FAILED, "%s:%d:%d: %s", what, e->line, e->column, text);
    return cli_fail(c, EXIT_FAILED, "%s: %s", what, text);
}

/* The line and a caret below the place. */
static void show_place(struct cli *c, const char *source, const outcall_error *e)
{
    int len = outcall_cel_caret(source, strlen(source), e, NULL, 0);
    CLI_FREE char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (!text)
        return;
    (void)outcall_cel_caret(source, strlen(source), e, text, (size_t)len + 1);
    out_lines(c->err, text, "  ");
}

/* --context: JSON, @FILE, or - for standard input; without it everything is absent. */
static int read_context(struct cli *c, outcall_context *context)
{
    CLI_FREE char *data = NULL;
    const char *text = c->args.context;
    outcall_error e = OUTCALL_ERROR_INIT;
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return EXIT_DONE;
    if (text[0] == '@' || strcmp(text, "-") == 0) {
        int status = file_read(c, text[0] == '@' ? text + 1 : text, &data, &len);
        if (status != EXIT_DONE)
            return status;
        text = data;
    }
    return outcall_context_json(context, text, len, &e) < 0 ? fail_at(c, "context", &e) : EXIT_DONE;
}

static int test_expression(struct cli *c, outcall_context *context)
{
    const char *expr = c->args.expr;
    outcall_error e = OUTCALL_ERROR_INIT;
    int yes = 0;
    if (outcall_context_test(context, expr, strlen(expr), &yes, &e) < 0) {
        (void)fail_at(c, "expression", &e);
        show_place(c, expr, &e);
        return EXIT_FAILED;
    }
    if (c->json)
        return cli_print_json(c, json_pack("{s:b}", "result", yes));
    fputs(yes ? "true\n" : "false\n", c->out);
    return EXIT_DONE;
}

/* ---- what rules say ---- */

static void print_text(struct cli *c, const char *label, const char *text)
{
    fputs(label, c->out);
    out_text(c->out, text ? text : "-");
    fputc('\n', c->out);
}

static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_verdict(struct cli *c, const outcall_policy *p, const json_t *j)
{
    const char *id = member(j, "matched_rule"), *file = member(j, "file");
    outcall_rule_info rule;
    print_text(c, "decision: ", member(j, "decision"));
    fputs("rule:     ", c->out);
    out_text(c->out, id ? id : "none matches, which blocks");
    if (id && file && outcall_policy_rule_find(p, id, &rule) == 0) {
        fputs(" (", c->out);
        out_text(c->out, file);
        fprintf(c->out, ":%d)", rule.line);
    }
    fputc('\n', c->out);
    if (json_is_true(json_object_get(j, "rule_error")))
        fputs("          it cannot be evaluated, and a block rule then blocks\n", c->out);
    print_text(c, "reason:   ", member(j, "reason"));
}

/* A term begins behind its label; its further lines stand below it. */
static void print_term(struct cli *c, const char *label, const char *term)
{
    const char *more = term ? strchr(term, '\n') : NULL;
    CLI_FREE char *first = more ? strndup(term, (size_t)(more - term)) : NULL;
    print_text(c, label, first ? first : term);
    if (first)
        out_lines(c->out, more + 1, "           ");
}

static void print_matched(struct cli *c, const json_t *matched)
{
    size_t i = 0;
    const json_t *part = NULL;
    fputs("\nIts terms:\n", c->out);
    json_array_foreach(json_object_get(matched, "parts"), i, part)
    {
        const json_t *value = json_object_get(part, "value");
        print_term(c,
                   json_is_true(value)    ? "  true     "
                   : json_is_false(value) ? "  false    "
                                          : "  error    ",
                   member(part, "text"));
        if (member(part, "error"))
            print_text(c, "           ", member(part, "error"));
    }
}

static void print_nearest(struct cli *c, const json_t *list)
{
    size_t i = 0;
    const json_t *near = NULL;
    if (json_array_size(list) > 0)
        fputs("\nThe nearest rules that do not match:\n", c->out);
    json_array_foreach(list, i, near)
    {
        fputs("  ", c->out);
        out_text(c->out, member(near, "rule"));
        fputs(" (", c->out);
        out_text(c->out, member(near, "file"));
        fprintf(c->out, ":%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(near, "line")));
        fprintf(c->out, ", %s): %" JSON_INTEGER_FORMAT, member(near, "action"),
                json_integer_value(json_object_get(near, "true_parts")));
        fprintf(c->out, " of %" JSON_INTEGER_FORMAT " terms true\n",
                json_integer_value(json_object_get(near, "parts_n")));
        print_term(c, member(near, "error") ? "    error: " : "    false: ", member(near, "false"));
        if (member(near, "error"))
            print_text(c, "           ", member(near, "error"));
    }
}

static int explain(struct cli *c, const outcall_policy *p, outcall_context *context)
{
    CLI_FREE char *text = NULL;
    CLI_JSON json_t *j = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    if (outcall_policy_explain(p, context, &text, &e) < 0)
        return fail_at(c, "rules", &e);
    if (c->json) {
        fprintf(c->out, "%s\n", text);
        return EXIT_DONE;
    }
    j = json_loads(text, 0, NULL);
    if (!j)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    print_verdict(c, p, j);
    if (json_is_object(json_object_get(j, "matched")))
        print_matched(c, json_object_get(j, "matched"));
    print_nearest(c, json_object_get(j, "nearest"));
    return EXIT_DONE;
}

static int decide(struct cli *c, const outcall_policy *p, outcall_context *context)
{
    CLI_JSON json_t *j = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_error e = OUTCALL_ERROR_INIT;
    if (c->args.explain)
        return explain(c, p, context);
    if (outcall_policy_decide(p, context, &v, &e) < 0)
        return fail_at(c, "rules", &e);
    j = json_pack("{s:s, s:s?, s:s?, s:s?, s:b}", "decision", v.action == OUTCALL_ALLOW ? "allow" : "block",
                  "matched_rule", v.rule_id, "file", v.file, "reason", v.reason, "rule_error", v.rule_error);
    if (c->json || !j)
        return cli_print_json(c, json_incref(j));
    print_verdict(c, p, j);
    return EXIT_DONE;
}

static int test_rules(struct cli *c, outcall_context *context)
{
    outcall_policy *policy = NULL;
    struct problems p = {NULL, 0, false};
    int status = rules_load(c, c->args.rules, &p, &policy);
    problems_print(&p, c->err);
    if (status == EXIT_DONE && p.errors_n > 0)
        status = cli_fail(c, EXIT_FAILED, "the rules cannot be loaded");
    problems_done(&p);
    if (status == EXIT_DONE)
        status = decide(c, policy, context);
    (void)outcall_policy_unref(policy);
    return status;
}

int cmd_run_test(struct cli *c)
{
    const struct args *a = &c->args;
    outcall_context *context = NULL;
    if (!a->expr == !a->rules)
        return cli_fail(c, EXIT_USAGE,
                        a->expr ? "--expr and --rules do not go together" : "--expr or --rules is required");
    if (a->explain && a->expr)
        return cli_fail(c, EXIT_USAGE, "--explain goes with --rules");
    if (outcall_context_new(&context) < 0)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    int status = read_context(c, context);
    if (status == EXIT_DONE)
        status = a->expr ? test_expression(c, context) : test_rules(c, context);
    (void)outcall_context_free(context);
    return status;
}
