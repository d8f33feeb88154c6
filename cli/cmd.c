#include "cmd.h"

struct cmd_body cmd_body(void)
{
    json_t *object = json_object();
    return (struct cmd_body){.object = object, .bad = object == NULL};
}

void cmd_string(struct cmd_body *b, const char *key, const char *value)
{
    if (value)
        b->bad |= json_object_set_new(b->object, key, json_string(value)) < 0;
}

void cmd_strings(struct cmd_body *b, const char *key, const char *const *v, size_t n)
{
    if (n == 0)
        return;
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        b->bad |= json_array_append_new(array, json_string(v[i])) < 0;
    b->bad |= json_object_set_new(b->object, key, array) < 0;
}

void cmd_number(struct cmd_body *b, const char *key, const struct opt_number *value)
{
    if (value->set)
        b->bad |= json_object_set_new(b->object, key, json_integer((json_int_t)value->value)) < 0;
}

void cmd_nano(struct cmd_body *b, const char *key, const struct opt_number *value)
{
    if (value->set)
        b->bad |= json_object_set_new(b->object, key, json_real((double)value->value / 1e9)) < 0;
}

void cmd_switch(struct cmd_body *b, const char *key, bool value)
{
    if (value)
        b->bad |= json_object_set_new(b->object, key, json_true()) < 0;
}

int cmd_call(struct cli *c, const char *method, const char *path, struct cmd_body *b, json_t **ret)
{
    json_t *object = b->object;
    b->object = NULL;
    if (!b->bad)
        return cli_call(c, method, path, object, false, ret);
    json_decref(object);
    return cli_fail(c, EXIT_USAGE, "an argument is not valid UTF-8");
}

int cmd_needs_name(struct cli *c, struct cmd_body *b)
{
    if (c->args.name)
        return EXIT_DONE;
    if (b) {
        json_decref(b->object);
        b->object = NULL;
    }
    return cli_fail(c, EXIT_USAGE, "a name is missing");
}

int cmd_show(struct cli *c, const char *path)
{
    CLI_JSON json_t *data = NULL;
    int status = cmd_needs_name(c, NULL);
    if (status != EXIT_DONE)
        return status;
    CLI_FREE char *full = cli_path_arg(cli_path(path), "name", c->args.name);
    status = cli_call(c, "GET", full, NULL, false, &data);
    if (data)
        out_details(c->out, data);
    return status;
}

int cmd_table(struct cli *c, const char *path, const struct out_column *columns, size_t n, const char *empty)
{
    CLI_JSON json_t *data = NULL;
    int status = cli_call(c, "GET", path, NULL, false, &data);
    if (!data)
        return status;
    if (!json_is_array(data))
        return cli_fail(c, EXIT_FAILED, "the daemon's answer is malformed: expected an array");
    if (json_array_size(data) == 0)
        fprintf(c->out, "%s\n", empty);
    else
        out_table(c->out, columns, n, data);
    return status;
}

bool cmd_is(const json_t *data, const char *key)
{
    return json_is_true(json_object_get(data, key));
}

void cmd_say(struct cli *c, const char *what, const json_t *data, const char *key, const char *rest)
{
    char buf[32];
    fprintf(c->out, "%s \"", what);
    out_text(c->out, out_value(json_object_get(data, key), buf, sizeof(buf)));
    fprintf(c->out, "\"%s\n", rest);
}
