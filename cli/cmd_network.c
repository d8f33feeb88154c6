/* cmd_network.c - outcall network ... */
#include "cmd.h"

#define NAME_OPT                                                                     \
    {                                                                                \
        .name = "name", .argument = "NAME", .type = OPT_STRING, .offset = ARG(name), \
        .help = "The network, with or without outcall- in front"                     \
    }

static const struct opt name_opts[] = {NAME_OPT};

static const struct opt create_opts[] = {
    NAME_OPT,
    {.name = "subnet",
     .argument = "CIDR",
     .type = OPT_STRING,
     .offset = ARG(subnet),
     .fallback = "the first free /24 of the daemon's block",
     .help = "Its IPv4 network"},
    {.name = "gateway",
     .argument = "ADDRESS",
     .type = OPT_STRING,
     .offset = ARG(gateway),
     .fallback = "the first address",
     .help = "The host's address in it"},
};

static int run_create(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    char buf[32];
    struct cmd_body b = cmd_body();
    cmd_string(&b, "name", c->args.name);
    cmd_string(&b, "subnet", c->args.subnet);
    cmd_string(&b, "gateway", c->args.gateway);
    int status = cmd_needs_name(c, &b);
    if (status == EXIT_DONE)
        status = cmd_call(c, "POST", "/api/v1/network/create", &b, &data);
    if (!data)
        return status;
    fputs("Network \"", c->out);
    out_text(c->out, out_value(json_object_get(data, "name"), buf, sizeof(buf)));
    fputs(cmd_is(data, "created") ? "\" created (" : "\" already exists (", c->out);
    out_text(c->out, out_value(json_object_get(data, "subnet"), buf, sizeof(buf)));
    fputs(").\n", c->out);
    return status;
}

static int run_list(struct cli *c)
{
    static const struct out_column columns[] = {
        {"NAME", "name", 25},     {"SUBNET", "subnet", 20},        {"GATEWAY", "gateway", 17},
        {"BRIDGE", "bridge", 13}, {"CONTAINERS", "containers", 0},
    };
    return cmd_table(c, "/api/v1/networks", columns, COUNT(columns), "No networks found.");
}

static int run_status(struct cli *c)
{
    return cmd_show(c, "/api/v1/network");
}

static int run_destroy(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    struct cmd_body b = cmd_body();
    cmd_string(&b, "name", c->args.name);
    int status = cmd_needs_name(c, &b);
    if (status == EXIT_DONE)
        status = cmd_call(c, "POST", "/api/v1/network/destroy", &b, &data);
    if (data)
        cmd_say(c, "Network", data, "name", cmd_is(data, "destroyed") ? " destroyed." : " did not exist.");
    return status;
}

const struct command network_commands[] = {
    {"network", "create", "[NAME]", "Create a network", create_opts, COUNT(create_opts), true, false,
     run_create, false, NULL},
    {"network", "list", NULL, "List the networks", NULL, 0, false, false, run_list, false, NULL},
    {"network", "status", "[NAME]", "Show a network and who is attached", name_opts, COUNT(name_opts), true,
     false, run_status, false, NULL},
    {"network", "destroy", "[NAME]", "Remove a network without containers", name_opts, COUNT(name_opts), true,
     false, run_destroy, false, NULL},
};
const size_t network_commands_n = COUNT(network_commands);
