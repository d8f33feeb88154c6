/* cmd_rules.c - outcall rules ...: those in force, which the daemon knows; and the table of all its verbs. */
#include "cmd.h"
#include <string.h>

static const struct opt fmt_opts[] = {
    {.name = "check",
     .type = OPT_SWITCH,
     .offset = ARG(check),
     .help = "Write nothing; name the files that are not formatted, and fail when there are any"},
    {.name = "write",
     .letter = 'w',
     .type = OPT_SWITCH,
     .offset = ARG(write),
     .help = "Replace the files, and name those that have changed"},
};

static const struct opt test_opts[] = {
    {.name = "expr",
     .argument = "EXPRESSION",
     .type = OPT_STRING,
     .offset = ARG(expr),
     .help = "A condition, as a rule has one"},
    {.name = "rules",
     .argument = "DIR",
     .type = OPT_STRING,
     .offset = ARG(rules),
     .help = "A directory of rules, or one file"},
    {.name = "context",
     .argument = "JSON",
     .type = OPT_STRING,
     .offset = ARG(context),
     .fallback = "{}",
     .help = "The facts: an object, @FILE with one, or - for standard input"},
    {.name = "explain",
     .type = OPT_SWITCH,
     .offset = ARG(explain),
     .help = "Say why: the terms of the rule, and the rules that came near"},
};

/* "a, b", or "all". New; NULL without memory. */
static char *joined(const json_t *names, const char *none)
{
    char *text = json_array_size(names) == 0 ? strdup(none) : NULL;
    size_t i = 0;
    const json_t *name = NULL;
    json_array_foreach(names, i, name)
    {
        const char *s = json_string_value(name);
        char *longer = NULL;
        if (asprintf(&longer, "%s%s%s", text ? text : "", text ? ", " : "", s ? s : "?") < 0)
            longer = NULL;
        free(text);
        text = longer;
        if (!text)
            return NULL;
    }
    return text;
}

int cmd_join_members(struct cli *c, json_t *rows, const char *key, const char *none)
{
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        CLI_FREE char *text = joined(json_object_get(row, key), none);
        if (!text || (json_is_object(row) && json_object_set_new(row, key, json_string(text)) < 0))
            return cli_fail(c, EXIT_FAILED, "out of memory");
    }
    return EXIT_DONE;
}

static int run_list(struct cli *c)
{
    static const struct out_column columns[] = {
        {"ID", "id", 25},    {"ACTION", "action", 8}, {"PRIORITY", "priority", 10}, {"AGENTS", "agents", 9},
        {"HITS", "hits", 7}, {"ERRORS", "errors", 8}, {"FILE", "file", 0},
    };
    CLI_JSON json_t *data = NULL;
    int status = cli_call(c, "GET", "/api/v1/rules", NULL, false, &data);
    if (!data)
        return status;
    if (!json_is_array(data))
        return cli_fail(c, EXIT_FAILED, "the daemon's answer is malformed: expected an array");
    status = cmd_join_members(c, data, "agents", "all");
    if (status != EXIT_DONE)
        return status;
    if (json_array_size(data) == 0)
        fputs("No rules are loaded: everything is blocked.\n", c->out);
    else
        out_table(c->out, columns, COUNT(columns), data);
    return EXIT_DONE;
}

int cmd_needs_id(struct cli *c)
{
    return c->args.name ? EXIT_DONE : cli_fail(c, EXIT_USAGE, "an id is missing");
}

static int run_show(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    int status = cmd_needs_id(c);
    if (status != EXIT_DONE)
        return status;
    CLI_FREE char *path = cli_path_part(cli_path("/api/v1/rule"), c->args.name);
    status = cli_call(c, "GET", path, NULL, false, &data);
    if (!data)
        return status;
    /* The condition last, on as many lines as it has. */
    CLI_JSON json_t *condition = json_incref(json_object_get(data, "condition"));
    (void)json_object_del(data, "condition");
    out_details(c->out, data);
    fputs("condition:\n", c->out);
    out_lines(c->out, json_is_string(condition) ? json_string_value(condition) : "-", "  ");
    return EXIT_DONE;
}

static int run_reload(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    char rules[32], files[32], generation[32];
    size_t i = 0;
    const json_t *warning = NULL;
    int status = cli_call(c, "POST", "/api/v1/rules/reload", NULL, false, &data);
    if (!data)
        return status;
    json_array_foreach(json_object_get(data, "warnings"), i, warning)
    {
        fputs("warning: ", c->out);
        out_text(c->out, json_is_string(warning) ? json_string_value(warning) : "?");
        fputc('\n', c->out);
    }
    fprintf(c->out, "Rules reloaded: %s from %s files, generation %s.\n",
            out_value(json_object_get(data, "rules_loaded"), rules, sizeof(rules)),
            out_value(json_object_get(data, "files_loaded"), files, sizeof(files)),
            out_value(json_object_get(data, "generation"), generation, sizeof(generation)));
    return EXIT_DONE;
}

const struct command rules_commands[] = {
    {"rules", "list", NULL, "List the rules in force, in the order of evaluation", NULL, 0, false, false,
     run_list, false,
     "HITS counts the verdicts of a rule since it was loaded, ERRORS how often it could not be evaluated.\n"},
    {"rules", "show", "ID", "Show a rule in force", NULL, 0, true, false, run_show, false, NULL},
    {"rules", "reload", NULL, "Load the rule files anew", NULL, 0, false, false, run_reload, false,
     "When anything is wrong with them, the rules in force stay so.\n"},
    {"rules", "check", "DIR|FILE...", "Check rule files and run their tests, without a daemon", NULL, 0,
     false, false, cmd_run_check, true,
     "Each directory, or file, is a set of its own. What is wrong is printed as file:line:column: message,\n"
     "one line each; exit status 1 when there is any. \"-\" is standard input.\n"},
    {"rules", "test", NULL, "Ask an expression, or rules, about a context, without a daemon", test_opts,
     COUNT(test_opts), false, false, cmd_run_test, false,
     "With --expr, prints true or false; with --rules, the decision and the rule that made it. Either way\n"
     "exit status 0 says that there is an answer. A context names what is known of a request, such as\n"
     "{\"network\": {\"hostname\": \"github.com\"}, \"http\": {\"method\": \"GET\"}}.\n"},
    {"rules", "fmt", "FILE...", "Print rule files in the project's own layout, without a daemon", fmt_opts,
     COUNT(fmt_opts), false, false, cmd_run_fmt, true,
     "Rules, tests and comments stay as they are. Of a directory all rule files are meant; \"-\" is "
     "standard\n"
     "input.\n"},
};
const size_t rules_commands_n = COUNT(rules_commands);
