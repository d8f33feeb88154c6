#include "rules_load.h"
#include "file.h"
#include <string.h>

static json_t *number_or_null(int n)
{
    return n > 0 ? json_integer(n) : json_null();
}

static json_t *text(const char *s)
{
    json_t *j = json_string(s);
    return j ? j : json_string("?"); /* a path need not be UTF-8 */
}

void problems_add(struct problems *p, const char *file, const outcall_error *e, bool warning)
{
    const char *message = e->text[0] ? e->text : outcall_code_string(e->code);
    json_t *one = json_object();
    if (!p->list)
        p->list = json_array();
    p->bad |= json_object_set_new(one, "file", text(file)) < 0;
    p->bad |= json_object_set_new(one, "line", number_or_null(e->line)) < 0;
    p->bad |= json_object_set_new(one, "column", number_or_null(e->column)) < 0;
    p->bad |= json_object_set_new(one, "message", text(message)) < 0;
    p->bad |= json_object_set_new(one, "warning", json_boolean(warning)) < 0;
    p->bad |= json_array_append_new(p->list, one) < 0;
    p->errors_n += !warning;
}

void problems_print(const struct problems *p, FILE *f)
{
    size_t i = 0;
    const json_t *one = NULL;
    json_array_foreach(p->list, i, one)
    {
        json_int_t line = json_integer_value(json_object_get(one, "line"));
        json_int_t column = json_integer_value(json_object_get(one, "column"));
        out_text(f, json_string_value(json_object_get(one, "file")));
        if (line > 0)
            fprintf(f, ":%" JSON_INTEGER_FORMAT, line);
        if (line > 0 && column > 0)
            fprintf(f, ":%" JSON_INTEGER_FORMAT, column);
        fputs(json_is_true(json_object_get(one, "warning")) ? ": warning: " : ": ", f);
        out_text(f, json_string_value(json_object_get(one, "message")));
        fputc('\n', f);
    }
}

void problems_done(struct problems *p)
{
    json_decref(p->list);
    p->list = NULL;
}

struct load {
    struct problems *problems;
    const char *path;
    bool is_dir;
};

static void add(struct load *l, const outcall_error *e, bool warning)
{
    /* What is wrong with the directory has it for a source. */
    bool inside = l->is_dir && e->source[0] && strcmp(e->source, l->path) != 0;
    CLI_FREE char *file = inside ? file_join(l->path, e->source) : strdup(l->path);
    if (file)
        problems_add(l->problems, file, e, warning);
    else
        l->problems->bad = true;
}

static void on_problem(void *userdata, const outcall_error *e, int warning)
{
    add(userdata, e, warning != 0);
}

int rules_load(struct cli *c, const char *path, struct problems *p, outcall_policy **ret)
{
    CLI_FREE char *data = NULL;
    struct load l = {p, path, file_is_dir(path)};
    outcall_error e = OUTCALL_ERROR_INIT;
    outcall_policy_options opts = OUTCALL_POLICY_OPTIONS_INIT;
    size_t before = p->errors_n;
    *ret = NULL;
    opts.problem = on_problem;
    opts.userdata = &l;
    opts.dir = l.is_dir ? path : NULL;
    if (!l.is_dir) {
        int status = file_read(c, path, &data, &opts.text_len);
        if (status != EXIT_DONE)
            return status;
        opts.name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        opts.text = data;
    }
    if (outcall_policy_load(ret, &opts, &e) < 0 && p->errors_n == before)
        add(&l, &e, false); /* no refusal of what is written there, but of reading it */
    return p->bad ? cli_fail(c, EXIT_FAILED, "out of memory") : EXIT_DONE;
}
