/* cmd_container.c - outcall container ...: one function a verb. */
#include "cmd.h"

#define NAME_OPT                                                                     \
    {                                                                                \
        .name = "name", .argument = "NAME", .type = OPT_STRING, .offset = ARG(name), \
        .help = "The container, with or without outcall-agent- in front"             \
    }

static const struct opt create_opts[] = {
    {.name = "image",
     .argument = "IMAGE",
     .type = OPT_STRING,
     .offset = ARG(image),
     .required = true,
     .help = "A local image"},
    {.name = "network",
     .argument = "NETWORK",
     .type = OPT_STRING,
     .offset = ARG(network),
     .fallback = "outcall-default",
     .help = "The network it is attached to"},
    {.name = "name",
     .argument = "NAME",
     .type = OPT_STRING,
     .offset = ARG(name),
     .fallback = "8 random digits",
     .help = "What follows outcall-agent- in its name"},
    {.name = "user",
     .argument = "UID:GID",
     .type = OPT_STRING,
     .offset = ARG(user),
     .fallback = "65532:65532",
     .help = "Numeric user and group, neither of them 0"},
    {.name = "memory",
     .argument = "SIZE",
     .type = OPT_SIZE,
     .offset = ARG(memory),
     .fallback = "512m",
     .help = "Memory, swap included; at least 6m"},
    {.name = "cpu-shares",
     .argument = "N",
     .type = OPT_U32,
     .offset = ARG(cpu_shares),
     .min = 2,
     .max = 262144,
     .fallback = "1024",
     .help = "Relative weight, 2 to 262144"},
    {.name = "cpus",
     .argument = "N",
     .type = OPT_NANO,
     .offset = ARG(cpus),
     .fallback = "unlimited",
     .help = "CPUs, such as 1.5"},
    {.name = "pids",
     .argument = "N",
     .type = OPT_U32,
     .offset = ARG(pids),
     .min = 1,
     .max = 4194304,
     .fallback = "256",
     .help = "Processes and threads"},
    {.name = "tmp-size",
     .argument = "SIZE",
     .type = OPT_SIZE,
     .offset = ARG(tmp_size),
     .fallback = "64m",
     .help = "Size of /tmp"},
    {.name = "env",
     .letter = 'e',
     .argument = "K=V",
     .type = OPT_STRINGS,
     .offset = ARG(env),
     .help = "Environment variable"},
    {.name = "volume",
     .letter = 'v',
     .argument = "SPEC",
     .type = OPT_STRINGS,
     .offset = ARG(volumes),
     .help = "Mount, SOURCE:TARGET[:ro|rw]"},
    {.name = "workdir",
     .argument = "DIR",
     .type = OPT_STRING,
     .offset = ARG(workdir),
     .fallback = "the image's",
     .help = "Working directory"},
    {.name = "entrypoint",
     .argument = "PROGRAM",
     .type = OPT_STRING,
     .offset = ARG(entrypoint),
     .fallback = "the image's",
     .help = "Program in front of the command"},
};

static const struct opt name_opts[] = {NAME_OPT};

static const struct opt stop_opts[] = {
    NAME_OPT,
    {.name = "timeout",
     .argument = "SECONDS",
     .type = OPT_U32,
     .offset = ARG(timeout),
     .max = 300,
     .fallback = "10",
     .help = "Time between SIGTERM and SIGKILL, 0 to 300"},
};

static const struct opt remove_opts[] = {
    NAME_OPT,
    {.name = "force",
     .letter = 'f',
     .type = OPT_SWITCH,
     .offset = ARG(force),
     .help = "Also when it is running"},
};

static const struct opt logs_opts[] = {
    NAME_OPT,
    {.name = "follow",
     .letter = 'f',
     .type = OPT_SWITCH,
     .offset = ARG(follow),
     .help = "Go on until the container ends"},
    {.name = "tail",
     .argument = "N",
     .type = OPT_U32,
     .offset = ARG(tail),
     .min = 1,
     .max = INT32_MAX,
     .fallback = "all",
     .help = "Only the last N lines"},
};

static const struct opt pull_opts[] = {
    {.name = "image",
     .argument = "IMAGE",
     .type = OPT_STRING,
     .offset = ARG(image),
     .help = "The image, such as registry:5000/name:tag"},
};

static int run_create(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    const struct args *a = &c->args;
    struct cmd_body b = cmd_body();
    cmd_string(&b, "image", a->image);
    cmd_string(&b, "network", a->network);
    cmd_string(&b, "name", a->name);
    cmd_string(&b, "user", a->user);
    cmd_number(&b, "memory_limit", &a->memory);
    cmd_number(&b, "cpu_shares", &a->cpu_shares);
    cmd_nano(&b, "cpus", &a->cpus);
    cmd_number(&b, "pids_limit", &a->pids);
    cmd_number(&b, "tmp_size", &a->tmp_size);
    cmd_strings(&b, "env", a->env.v, a->env.n);
    cmd_strings(&b, "cmd", (const char *const *)c->rest.after, c->rest.n_after);
    cmd_strings(&b, "entrypoint", &a->entrypoint, a->entrypoint ? 1 : 0);
    cmd_string(&b, "working_dir", a->workdir);
    cmd_strings(&b, "volumes", a->volumes.v, a->volumes.n);
    int status = cmd_call(c, "POST", "/api/v1/container/create", &b, &data);
    if (data)
        cmd_say(c, "Container", data, "name", " created and started.");
    return status;
}

static int run_list(struct cli *c)
{
    static const struct out_column columns[] = {
        {"NAME", "name", 25},       {"IMAGE", "image", 17},    {"STATE", "state", 9},
        {"NETWORK", "network", 17}, {"CREATED", "created", 0},
    };
    return cmd_table(c, "/api/v1/containers", columns, COUNT(columns), "No agent containers found.");
}

static int run_inspect(struct cli *c)
{
    return cmd_show(c, "/api/v1/container");
}

static int run_stop(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    struct cmd_body b = cmd_body();
    cmd_string(&b, "name", c->args.name);
    cmd_number(&b, "timeout", &c->args.timeout);
    int status = cmd_needs_name(c, &b);
    if (status == EXIT_DONE)
        status = cmd_call(c, "POST", "/api/v1/container/stop", &b, &data);
    if (data)
        cmd_say(c, "Container", data, "name", cmd_is(data, "stopped") ? " stopped." : " was not running.");
    return status;
}

static int run_remove(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    struct cmd_body b = cmd_body();
    cmd_string(&b, "name", c->args.name);
    cmd_switch(&b, "force", c->args.force);
    int status = cmd_needs_name(c, &b);
    if (status == EXIT_DONE)
        status = cmd_call(c, "POST", "/api/v1/container/remove", &b, &data);
    if (data)
        cmd_say(c, "Container", data, "name",
                cmd_is(data, "removed") ? " removed." : " was already removed.");
    return status;
}

static int run_wait(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    char buf[32];
    int status = cmd_needs_name(c, NULL);
    if (status != EXIT_DONE)
        return status;
    CLI_FREE char *path = cli_path_arg(cli_path("/api/v1/container/wait"), "name", c->args.name);
    status = cli_call(c, "GET", path, NULL, true, &data);
    if (data)
        fprintf(c->out, "%s\n", out_value(json_object_get(data, "exit_code"), buf, sizeof(buf)));
    return status;
}

static int run_logs(struct cli *c)
{
    char tail[32] = "";
    int status = cmd_needs_name(c, NULL);
    if (status != EXIT_DONE)
        return status;
    if (c->args.tail.set)
        (void)snprintf(tail, sizeof(tail), "%llu", (unsigned long long)c->args.tail.value);
    char *path = cli_path_arg(cli_path("/api/v1/container/logs"), "name", c->args.name);
    path = cli_path_arg(path, "follow", c->args.follow ? "1" : NULL);
    CLI_FREE char *full = cli_path_arg(path, "tail", tail[0] ? tail : NULL);
    return cli_stream(c, "GET", full, NULL, cmd_log_line, NULL);
}

const struct command container_commands[] = {
    {"container", "create", "[NAME] [-- CMD...]", "Create and start a container", create_opts,
     COUNT(create_opts), true, true, run_create, false, NULL},
    {"container", "list", NULL, "List the containers", NULL, 0, false, false, run_list, false, NULL},
    {"container", "inspect", "[NAME]", "Show all about a container", name_opts, COUNT(name_opts), true, false,
     run_inspect, false, NULL},
    {"container", "stop", "[NAME]", "Stop a container", stop_opts, COUNT(stop_opts), true, false, run_stop,
     false, NULL},
    {"container", "remove", "[NAME]", "Remove a container", remove_opts, COUNT(remove_opts), true, false,
     run_remove, false, NULL},
    {"container", "logs", "[NAME]", "Print what a container has written", logs_opts, COUNT(logs_opts), true,
     false, run_logs, false, NULL},
    {"container", "wait", "[NAME]", "Wait for a container to end and print its exit code", name_opts,
     COUNT(name_opts), true, false, run_wait, false, NULL},
    {"container", "pull", "[IMAGE]", "Fetch an image from a registry", pull_opts, COUNT(pull_opts), false,
     false, cmd_run_pull, false, NULL},
};
const size_t container_commands_n = COUNT(container_commands);
