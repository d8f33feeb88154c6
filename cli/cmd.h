/* cmd.h - what the verbs have in common: request bodies, the sentence they end with. */
#ifndef CLI_CMD_H
#define CLI_CMD_H
#include "cli.h"

/* A request's body; members without a value are left out. Failures add up and show in cmd_call. */
struct cmd_body {
    json_t *object;
    bool bad;
};
struct cmd_body cmd_body(void);
void cmd_string(struct cmd_body *b, const char *key, const char *value);
void cmd_strings(struct cmd_body *b, const char *key, const char *const *v, size_t n);
void cmd_number(struct cmd_body *b, const char *key, const struct opt_number *value);
void cmd_nano(struct cmd_body *b, const char *key, const struct opt_number *value);
void cmd_switch(struct cmd_body *b, const char *key, bool value);

/* cli_call with the body, which is used up. */
int cmd_call(struct cli *c, const char *method, const char *path, struct cmd_body *b, json_t **ret);
/* EXIT_DONE when there is a name; else the body (NULL = none) is dropped and the usage error told. */
int cmd_needs_name(struct cli *c, struct cmd_body *b);
/* GET path?name=..., shown as details. */
int cmd_show(struct cli *c, const char *path);

/* GET path, an array, as a table; or that there is nothing. */
int cmd_table(struct cli *c, const char *path, const struct out_column *columns, size_t n, const char *empty);

bool cmd_is(const json_t *data, const char *key); /* is this member true? */
/* `What "name"rest` and a line end; the name is data's member. */
void cmd_say(struct cli *c, const char *what, const json_t *data, const char *key, const char *rest);

/* A stream that fails in the middle ends with {"success":false,"error":...}: that is told, and its exit
 * status comes back. EXIT_DONE for any other line. */
int cmd_stream_failure(struct cli *c, const json_t *line);
int cmd_log_line(struct cli *c, const char *line, size_t len, void *userdata);
int cmd_run_pull(struct cli *c);

/* EXIT_DONE when an id was given; else the usage error is told. */
int cmd_needs_id(struct cli *c);
/* In each row, puts one text in the place of a list of them: "a, b", or none when it is empty. An exit
 * status. */
int cmd_join_members(struct cli *c, json_t *rows, const char *key, const char *none);

/* The commands on rule files, which need no daemon. */
int cmd_run_check(struct cli *c);
int cmd_run_test(struct cli *c);
int cmd_run_fmt(struct cli *c);

#endif
