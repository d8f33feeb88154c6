/* cmd_rules_check.c - outcall rules check: what a load would say, without a daemon. */
#include "cmd.h"
#include "rules_load.h"

struct counts {
    size_t files, rules;
};

static int check_all(struct cli *c, struct problems *p, struct counts *n)
{
    int status = EXIT_DONE;
    for (size_t i = 0; i < c->rest.n_operands; i++) {
        outcall_policy *policy = NULL;
        if (rules_load(c, c->rest.operands[i], p, &policy) != EXIT_DONE)
            status = EXIT_FAILED;
        n->files += outcall_policy_files_n(policy);
        n->rules += outcall_policy_rules_n(policy);
        (void)outcall_policy_unref(policy);
    }
    return p->errors_n > 0 ? EXIT_FAILED : status;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static int say(struct cli *c, const struct problems *p, const struct counts *n, int status)
{
    size_t warnings = json_array_size(p->list) - p->errors_n;
    problems_print(p, c->out);
    if (p->errors_n > 0)
        return cli_fail(c, EXIT_FAILED, "%zu problem%s found", p->errors_n, plural(p->errors_n));
    if (status != EXIT_DONE) /* it is told what */
        return status;
    fprintf(c->out, "%zu file%s, %zu rule%s: ", n->files, plural(n->files), n->rules, plural(n->rules));
    if (warnings > 0)
        fprintf(c->out, "no problems, %zu warning%s.\n", warnings, plural(warnings));
    else
        fputs("no problems.\n", c->out);
    return EXIT_DONE;
}

static int print_json(struct cli *c, const struct problems *p, const struct counts *n, int status)
{
    int printed = cli_print_json(c, json_pack("{s:b, s:I, s:I, s:o}", "ok", status == EXIT_DONE, "files",
                                              (json_int_t)n->files, "rules", (json_int_t)n->rules, "problems",
                                              p->list ? json_incref(p->list) : json_array()));
    return printed != EXIT_DONE ? printed : status;
}

int cmd_run_check(struct cli *c)
{
    struct problems p = {NULL, 0, false};
    struct counts n = {0, 0};
    if (c->rest.n_operands == 0)
        return cli_fail(c, EXIT_USAGE, "a directory or file is missing");
    int status = check_all(c, &p, &n);
    status = c->json ? print_json(c, &p, &n, status) : say(c, &p, &n, status);
    problems_done(&p);
    return status;
}
