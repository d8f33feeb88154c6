/* cmd_requests.c - outcall requests ...: the rule files that agents ask for. */
#include "cmd.h"
#include <string.h>

static const struct opt list_opts[] = {
    {.name = "status",
     .argument = "STATUS",
     .type = OPT_STRING,
     .offset = ARG(status),
     .fallback = "pending",
     .help = "pending, approved, rejected or all"},
};

static const struct opt reject_opts[] = {
    {.name = "reason",
     .argument = "TEXT",
     .type = OPT_STRING,
     .offset = ARG(reason),
     .help = "What the agent is told"},
};

static int run_list(struct cli *c)
{
    static const struct out_column columns[] = {
        {"ID", "id", 18},         {"AGENT", "agent", 17},
        {"STATUS", "status", 10}, {"CREATED", "created_at", 22},
        {"RULES", "rules", 0},
    };
    CLI_JSON json_t *data = NULL;
    CLI_FREE char *path = cli_path_arg(cli_path("/api/v1/requests/rules"), "status", c->args.status);
    int status = cli_call(c, "GET", path, NULL, false, &data);
    if (!data)
        return status;
    if (!json_is_array(data))
        return cli_fail(c, EXIT_FAILED, "the daemon's answer is malformed: expected an array");
    status = cmd_join_members(c, data, "rules", "-");
    if (status != EXIT_DONE)
        return status;
    if (json_array_size(data) == 0)
        fputs("No rule requests found.\n", c->out);
    else
        out_table(c->out, columns, COUNT(columns), data);
    return EXIT_DONE;
}

static char *request_path(const struct cli *c)
{
    return cli_path_part(cli_path("/api/v1/requests/rules"), c->args.name);
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "-";
}

static void print_allows(struct cli *c, const json_t *data, const char *title)
{
    const json_t *allows = json_object_get(data, "allows");
    size_t i = 0;
    const json_t *line = NULL;
    fprintf(c->out, "\n%s\n", title);
    json_array_foreach(allows, i, line)
    {
        out_lines(c->out, json_is_string(line) ? json_string_value(line) : "-", "  ");
    }
    if (json_array_size(allows) == 0)
        fputs("  nothing\n", c->out);
}

/* An agent wrote it: every line stands behind a margin, so that none can pass for one of ours. */
static int run_show(struct cli *c)
{
    static const char *const labels[][2] = {
        {"id", "Request: "}, {"agent", "Agent:   "}, {"status", "Status:  "}, {"created_at", "Created: "}};
    CLI_JSON json_t *data = NULL;
    int status = cmd_needs_id(c);
    if (status != EXIT_DONE)
        return status;
    CLI_FREE char *path = request_path(c);
    status = cli_call(c, "GET", path, NULL, false, &data);
    if (!data)
        return status;
    for (size_t i = 0; i < COUNT(labels); i++) {
        fputs(labels[i][1], c->out);
        out_text(c->out, text(data, labels[i][0]));
        fputc('\n', c->out);
    }
    if (json_is_string(json_object_get(data, "reason"))) {
        fputs("Reason:  ", c->out);
        out_text(c->out, text(data, "reason"));
        fputc('\n', c->out);
    }
    print_allows(c, data, "What it newly allows:");
    bool active = strcmp(text(data, "status"), "approved") == 0;
    fputs(active ? "\nWhat is active:\n" : "\nWhat becomes active when it is approved:\n", c->out);
    out_lines(c->out, text(data, "active_text"), "  | ");
    return EXIT_DONE;
}

static int run_approve(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    CLI_JSON json_t *request = NULL;
    char rules[32];
    int status = cmd_needs_id(c);
    if (status != EXIT_DONE)
        return status;
    CLI_FREE char *path = request_path(c), *approve = path ? cli_path_part(cli_path(path), "approve") : NULL;
    status = cli_call(c, "POST", approve, NULL, false, &data);
    if (!data)
        return status;
    cmd_say(c, "Request", data, "id", " approved.");
    fprintf(c->out, "Rules in force: %s.\n",
            out_value(json_object_get(data, "rules_loaded"), rules, sizeof(rules)));
    status = cli_call(c, "GET", path, NULL, false, &request);
    if (request)
        print_allows(c, request, "In force for its agent from now on:");
    return status;
}

static int run_reject(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    int status = cmd_needs_id(c);
    if (status != EXIT_DONE)
        return status;
    struct cmd_body b = cmd_body();
    cmd_string(&b, "reason", c->args.reason);
    CLI_FREE char *path = cli_path_part(request_path(c), "reject");
    status = cmd_call(c, "POST", path, &b, &data);
    if (data)
        cmd_say(c, "Request", data, "id", " rejected.");
    return status;
}

const struct command requests_commands[] = {
    {"requests", "list", NULL, "List the rules that agents ask for", list_opts, COUNT(list_opts), false,
     false, run_list, false, NULL},
    {"requests", "show", "ID", "Show what would become active, and what that newly allows", NULL, 0, true,
     false, run_show, false, NULL},
    {"requests", "approve", "ID", "Put the rules of a request in force, for the agent that asks", NULL, 0,
     true, false, run_approve, false, "Read what outcall requests show says first.\n"},
    {"requests", "reject", "ID", "Turn a request down", reject_opts, COUNT(reject_opts), true, false,
     run_reject, false, NULL},
};
const size_t requests_commands_n = COUNT(requests_commands);
