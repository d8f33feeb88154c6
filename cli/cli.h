/* cli.h - what the commands of `outcall` share: the parsed command line, the way to the daemon, the command
 * table. */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include "opt.h"
#include "out.h"
#include <stdlib.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Every option of every command; a command reads those of its own table. */
struct args {
    const char *image, *network, *name, *user, *workdir, *entrypoint, *subnet, *gateway;
    const char *expr, *context, *rules, *reason, *status;
    struct opt_strings env, volumes;
    struct opt_number memory, cpu_shares, cpus, pids, tmp_size, timeout, tail;
    bool force, follow, explain, check, write;
};

struct cli {
    FILE *out, *err;
    bool is_terminal;   /* err is one: progress may be drawn */
    const char *socket; /* NULL = the library's default */
    bool json, help, version;
    struct args args;
    struct opt_rest rest;
};

struct command {
    const char *group;    /* "container"; NULL for a command of one word */
    const char *name;     /* "create" */
    const char *operands; /* "[NAME] [-- CMD...]", for the help text; NULL = none */
    const char *summary;
    const struct opt *opts;
    size_t n_opts;
    bool takes_name;  /* one bare argument is the same as --name (or --image) */
    bool takes_after; /* "--" and what follows is its own */
    int (*run)(struct cli *c);
    bool takes_many;     /* any number of bare arguments, in rest.operands */
    const char *details; /* whole lines for the help text, behind the summary; NULL = none */
};

/* The rows of one file each; the table of cli.c is made of them. */
extern const struct command container_commands[], network_commands[], rules_commands[], requests_commands[],
    daemon_commands[];
extern const size_t container_commands_n, network_commands_n, rules_commands_n, requests_commands_n,
    daemon_commands_n;

/* All of `outcall` but the process around it. env_socket: $OUTCALL_SOCKET or NULL. */
int cli_run(int argc, char **argv, const char *env_socket, FILE *out, FILE *err, bool is_terminal);

/* "outcall: <text>" on stderr; the exit status comes back. */
int cli_fail(struct cli *c, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* One call of the API. wait: the daemon may take as long as it likes. With --json the answer's data is
 * printed, and *ret stays NULL; else *ret: new. take_body: a new reference or NULL; ours from here on. An
 * exit status. */
int cli_call(struct cli *c, const char *method, const char *path, json_t *take_body, bool wait, json_t **ret);

/* An answer that comes line by line. on_line: 0 = go on, else it ends with that exit status. */
int cli_stream(struct cli *c, const char *method, const char *path, json_t *take_body,
               int (*on_line)(struct cli *c, const char *line, size_t len, void *userdata), void *userdata);

/* The same answer for a command that asks no daemon: one JSON document and a line end. take: may be NULL,
 * which is out of memory. An exit status. */
int cli_print_json(struct cli *c, json_t *take);

/* A growing path with further parts and query arguments; NULL once memory is out. */
char *cli_path(const char *base);                                    /* new */
char *cli_path_part(char *take, const char *part);                   /* new; "/" and the part, escaped */
char *cli_path_arg(char *take, const char *name, const char *value); /* new; value NULL: left out */

static inline void cli_freep(void *p)
{
    free(*(void **)p);
}
#define CLI_FREE __attribute__((cleanup(cli_freep)))
static inline void cli_json_freep(json_t **j)
{
    json_decref(*j);
}
#define CLI_JSON __attribute__((cleanup(cli_json_freep)))

#define ARG(field) offsetof(struct args, field)
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

#endif
