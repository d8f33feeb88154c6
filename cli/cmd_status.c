/* cmd_status.c - outcall status, outcall events: the daemon itself. */
#include "cmd.h"
#include <string.h>

static const struct opt events_opts[] = {
    {.name = "follow",
     .letter = 'f',
     .type = OPT_SWITCH,
     .offset = ARG(follow),
     .help = "Go on with what happens from now on"},
};

static int run_status(struct cli *c)
{
    CLI_JSON json_t *data = NULL;
    int status = cli_call(c, "GET", "/api/v1/status", NULL, false, &data);
    if (data)
        out_details(c->out, data);
    return status;
}

static int event_line(struct cli *c, const char *line, size_t len, void *userdata)
{
    (void)userdata;
    CLI_JSON json_t *j = json_loadb(line, len, 0, NULL);
    CLI_FREE char *text = strndup(line, len);
    int status = cmd_stream_failure(c, j);
    if (status != EXIT_DONE)
        return status;
    if (!text)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    if (c->json)
        fputs(text, c->out);
    else
        out_text(c->out, text);
    fputc('\n', c->out);
    (void)fflush(c->out); /* whoever follows wants it now */
    return ferror(c->out) ? EXIT_FAILED : EXIT_DONE;
}

static int run_events(struct cli *c)
{
    CLI_FREE char *path = cli_path_arg(cli_path("/api/v1/events"), "follow", c->args.follow ? "1" : NULL);
    return cli_stream(c, "GET", path, NULL, event_line, NULL);
}

const struct command daemon_commands[] = {
    {NULL, "status", NULL, "Show how the daemon is", NULL, 0, false, false, run_status, false, NULL},
    {NULL, "events", NULL, "Print verdicts, container and rule events, one JSON object a line", events_opts,
     COUNT(events_opts), false, false, run_events, false, NULL},
};
const size_t daemon_commands_n = COUNT(daemon_commands);
