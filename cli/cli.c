/* cli.c - from the words of a command line to the command that is meant. */
#include "cli.h"
#include "outcall/version.h"
#include <stdarg.h>
#include <string.h>

#define COMMANDS_MAX 64

static const struct opt global_opts[] = {
    {.name = "socket",
     .argument = "PATH",
     .type = OPT_STRING,
     .offset = offsetof(struct cli, socket),
     .fallback = "$OUTCALL_SOCKET, else /run/outcall/host.sock",
     .help = "The daemon's host socket"},
    {.name = "json",
     .type = OPT_SWITCH,
     .offset = offsetof(struct cli, json),
     .help = "Print the answer's data as JSON"},
    {.name = "help",
     .letter = 'h',
     .type = OPT_SWITCH,
     .offset = offsetof(struct cli, help),
     .help = "Show this help"},
};

/* Only where no command is named yet: behind one it could be meant for somebody else. */
static const struct opt top_opts[] = {
    {.name = "version",
     .type = OPT_SWITCH,
     .offset = offsetof(struct cli, version),
     .help = "Show the version"},
};

static const struct {
    const struct command *const v;
    const size_t *const n;
} groups[] = {
    {container_commands, &container_commands_n}, {network_commands, &network_commands_n},
    {rules_commands, &rules_commands_n},         {requests_commands, &requests_commands_n},
    {daemon_commands, &daemon_commands_n},
};

int cli_fail(struct cli *c, int status, const char *fmt, ...)
{
    CLI_FREE char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    (void)fflush(c->out);
    fputs("outcall: ", c->err);
    if (n < 0) {
        text = NULL;
        fputs("out of memory", c->err);
    } else {
        out_text(c->err, text);
    }
    fputc('\n', c->err);
    return status;
}

static size_t all_commands(const struct command *ret[COMMANDS_MAX])
{
    size_t n = 0;
    for (size_t g = 0; g < COUNT(groups); g++)
        for (size_t i = 0; i < *groups[g].n && n < COMMANDS_MAX; i++)
            ret[n++] = &groups[g].v[i];
    return n;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct command *find(const char *group, const char *name)
{
    const struct command *all[COMMANDS_MAX];
    size_t n = all_commands(all);
    for (size_t i = 0; i < n; i++)
        if (same(all[i]->group, group) && same(all[i]->name, name))
            return all[i];
    return NULL;
}

static bool is_group(const char *word)
{
    const struct command *all[COMMANDS_MAX];
    size_t n = all_commands(all);
    for (size_t i = 0; i < n; i++)
        if (all[i]->group && strcmp(all[i]->group, word) == 0)
            return true;
    return false;
}

/* group NULL: what can be the first word; else the verbs of that group. */
static int unknown_command(struct cli *c, const char *group, const char *word)
{
    const struct command *all[COMMANDS_MAX];
    const char *names[COMMANDS_MAX] = {NULL};
    size_t n = all_commands(all), k = 0;
    for (size_t i = 0; i < n; i++)
        if (!group || same(all[i]->group, group))
            names[k++] = !group && all[i]->group ? all[i]->group : all[i]->name;
    const char *near = opt_nearest(word, names, k);
    const char *space = group ? " " : "";
    group = group ? group : "";
    if (near)
        return cli_fail(c, EXIT_USAGE, "unknown command \"%s%s%s\"; did you mean \"%s%s%s\"?", group, space,
                        word, group, space, near);
    return cli_fail(c, EXIT_USAGE, "unknown command \"%s%s%s\"; see outcall --help", group, space, word);
}

static void print_commands(FILE *f, const char *group)
{
    const struct command *all[COMMANDS_MAX];
    size_t n = all_commands(all);
    fputs("\nCommands:\n", f);
    for (size_t i = 0; i < n; i++) {
        char words[64];
        if (group && !same(all[i]->group, group))
            continue;
        (void)snprintf(words, sizeof(words), "%s%s%s", all[i]->group ? all[i]->group : "",
                       all[i]->group ? " " : "", all[i]->name);
        fprintf(f, "  %-20s  %s\n", words, all[i]->summary);
    }
}

static int help_top(struct cli *c, const char *group)
{
    fprintf(c->out, "Usage: outcall [--socket PATH] [--json] %s%s\n\n", group ? group : "",
            group ? " COMMAND" : "COMMAND");
    fputs("Runs untrusted agents in Docker containers, through outcalld.\n", c->out);
    print_commands(c->out, group);
    fputs("\nOptions:\n", c->out);
    opt_print(c->out, global_opts, COUNT(global_opts));
    if (!group)
        opt_print(c->out, top_opts, COUNT(top_opts));
    fprintf(c->out, "\nSee outcall %s%sCOMMAND --help for the options of a command.\n", group ? group : "",
            group ? " " : "");
    fputs("Exit status: 0 done, 1 failed, 2 wrong usage.\n", c->out);
    return EXIT_DONE;
}

static int help_command(struct cli *c, const struct command *command)
{
    fprintf(c->out, "Usage: outcall %s%s%s", command->group ? command->group : "", command->group ? " " : "",
            command->name);
    opt_print_usage(c->out, command->opts, command->n_opts);
    if (command->operands)
        fprintf(c->out, " %s", command->operands);
    fprintf(c->out, "\n\n%s.\n", command->summary);
    if (command->details)
        fprintf(c->out, "\n%s", command->details);
    if (command->n_opts > 0)
        fputs("\nOptions:\n", c->out);
    opt_print(c->out, command->opts, command->n_opts);
    fputs("\nOptions of every command:\n", c->out);
    opt_print(c->out, global_opts, COUNT(global_opts));
    return EXIT_DONE;
}

/* A bare argument where --name (or --image) would do; for some commands the only way to name it. */
static int take_operand(struct cli *c, const struct command *command)
{
    const char **name = command->takes_name ? &c->args.name : NULL;
    if (same(command->group, "container") && same(command->name, "pull"))
        name = &c->args.image;
    if (!command->takes_after && c->rest.n_after > 0)
        return cli_fail(c, EXIT_USAGE, "unexpected argument \"%s\"", c->rest.after[0]);
    if (c->rest.n_operands == 0 || command->takes_many)
        return EXIT_DONE;
    if (!name || c->rest.n_operands > 1)
        return cli_fail(c, EXIT_USAGE, "unexpected argument \"%s\"%s", c->rest.operands[name ? 1 : 0],
                        command->takes_after ? "; the container's command follows \"--\"" : "");
    if (*name && strcmp(*name, c->rest.operands[0]) != 0)
        return cli_fail(c, EXIT_USAGE, "two names given: \"%s\" and \"%s\"", *name, c->rest.operands[0]);
    *name = c->rest.operands[0];
    return EXIT_DONE;
}

/* --help counts even when something else is wrong with the line: that is when it is asked for. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run_command(struct cli *c, const struct command *command, int argc, char **argv)
{
    const struct opt_table tables[] = {
        {command->opts, command->n_opts, &c->args},
        {global_opts, COUNT(global_opts), c},
    };
    char why[OPT_WHY_SIZE] = "";
    if (asks_for_help(argc, argv))
        return help_command(c, command);
    int status = opt_parse(tables, COUNT(tables), argc, argv, false, &c->rest, why) < 0
                     ? cli_fail(c, EXIT_USAGE, "%s", why)
                     : take_operand(c, command);
    if (status == EXIT_DONE)
        status = command->run(c);
    opt_done(tables, COUNT(tables), &c->rest);
    return status;
}

/* argv[0] is the first word that is no option. */
static int run_words(struct cli *c, int argc, char **argv)
{
    const struct command *command = find(NULL, argv[0]);
    if (command)
        return run_command(c, command, argc - 1, argv + 1);
    if (strcmp(argv[0], "help") == 0)
        return help_top(c, NULL);
    if (!is_group(argv[0]))
        return unknown_command(c, NULL, argv[0]);
    if (argc < 2)
        return cli_fail(c, EXIT_USAGE, "%s: a command is missing; see outcall %s --help", argv[0], argv[0]);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_top(c, argv[0]);
    command = find(argv[0], argv[1]);
    return command ? run_command(c, command, argc - 2, argv + 2) : unknown_command(c, argv[0], argv[1]);
}

static int run_line(struct cli *c, int argc, char **argv)
{
    const struct opt_table tables[] = {
        {global_opts, COUNT(global_opts), c},
        {top_opts, COUNT(top_opts), c},
    };
    struct opt_rest rest;
    char why[OPT_WHY_SIZE] = "";
    int status = EXIT_DONE;
    if (opt_parse(tables, COUNT(tables), argc, argv, true, &rest, why) < 0)
        status = cli_fail(c, EXIT_USAGE, "%s", why);
    else if (c->help)
        status = help_top(c, NULL);
    else if (c->version)
        fprintf(c->out, "outcall %s\n", outcall_version_string());
    else if (rest.n_after == 0)
        status = cli_fail(c, EXIT_USAGE, "a command is missing; see outcall --help");
    else
        status = run_words(c, (int)rest.n_after, rest.after);
    opt_done(tables, COUNT(tables), &rest);
    return status;
}

int cli_run(int argc, char **argv, const char *env_socket, FILE *out, FILE *err, bool is_terminal)
{
    struct cli c = {.out = out, .err = err, .is_terminal = is_terminal};
    if (env_socket && env_socket[0])
        c.socket = env_socket;
    int status = run_line(&c, argc - 1, argv + 1);
    if ((fflush(out) != 0 || ferror(out)) && status == EXIT_DONE)
        status = cli_fail(&c, EXIT_FAILED, "cannot write the output");
    return status;
}
