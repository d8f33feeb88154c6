/* cmd_rules_fmt.c - outcall rules fmt: rule files in the project's own layout. */
#include "cmd.h"
#include "file.h"
#include "rules_load.h"
#include <string.h>

struct fmt {
    struct cli *c;
    struct problems problems;
    json_t *files; /* with --json */
    size_t differ_n;
    int status;
};

static void add_json(struct fmt *f, const char *path, bool changed, const char *text)
{
    json_t *one = json_pack("{s:s, s:b}", "file", path, "changed", changed);
    if (one && !f->c->args.check && !f->c->args.write &&
        json_object_set_new(one, "text", json_string(text)) < 0)
        f->problems.bad = true;
    if (json_array_append_new(f->files, one) < 0)
        f->problems.bad = true;
}

/* What happens to one file once it is formatted. */
static void deliver(struct fmt *f, const char *path, const char *text, size_t len, bool changed)
{
    const struct args *a = &f->c->args;
    f->differ_n += changed;
    if (a->write && changed && file_replace(f->c, path, text, len) != EXIT_DONE) {
        f->status = EXIT_FAILED;
        return;
    }
    if (f->c->json)
        add_json(f, path, changed, text);
    else if (!a->check && !a->write)
        (void)fwrite(text, 1, len, f->c->out);
    else if (changed) {
        out_text(f->c->out, path);
        fputc('\n', f->c->out);
    }
}

static void format_file(struct fmt *f, const char *path)
{
    CLI_FREE char *before = NULL, *after = NULL;
    size_t before_len = 0, after_len = 0;
    outcall_error e = OUTCALL_ERROR_INIT;
    if (file_read(f->c, path, &before, &before_len) != EXIT_DONE) {
        f->status = EXIT_FAILED;
    } else if (outcall_policy_format("-", before, before_len, &after, &after_len, &e) < 0) {
        problems_add(&f->problems, path, &e, false);
        f->status = EXIT_FAILED;
    } else {
        bool same = before_len == after_len && memcmp(before, after, after_len) == 0;
        deliver(f, path, after, after_len, !same);
    }
}

static void format_dir(struct fmt *f, const char *dir)
{
    char **paths = NULL;
    size_t n = 0;
    if (file_list_rules(f->c, dir, &paths, &n) != EXIT_DONE)
        f->status = EXIT_FAILED;
    for (size_t i = 0; i < n; i++) {
        if (f->status == EXIT_DONE || paths[i])
            format_file(f, paths[i]);
        free(paths[i]);
    }
    free(paths);
}

static int finish(struct fmt *f)
{
    struct cli *c = f->c;
    if (f->problems.bad)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    if (c->json) {
        int status =
            cli_print_json(c, json_pack("{s:O, s:o}", "files", f->files, "problems",
                                        f->problems.list ? json_incref(f->problems.list) : json_array()));
        f->status = status == EXIT_DONE ? f->status : status;
    } else {
        (void)fflush(c->out);
        problems_print(&f->problems, c->err);
    }
    if (f->status == EXIT_DONE && c->args.check && f->differ_n > 0)
        return c->json ? EXIT_FAILED
                       : cli_fail(c, EXIT_FAILED, "%zu file%s not formatted; see outcall rules fmt --write",
                                  f->differ_n, f->differ_n == 1 ? " is" : "s are");
    return f->status;
}

int cmd_run_fmt(struct cli *c)
{
    struct fmt f = {.c = c, .files = json_array(), .status = EXIT_DONE};
    int status = EXIT_DONE;
    if (c->rest.n_operands == 0)
        status = cli_fail(c, EXIT_USAGE, "a file is missing; \"-\" is standard input");
    else if (c->args.check && c->args.write)
        status = cli_fail(c, EXIT_USAGE, "--check and --write do not go together");
    for (size_t i = 0; i < c->rest.n_operands && status == EXIT_DONE; i++) {
        const char *path = c->rest.operands[i];
        if (c->args.write && strcmp(path, "-") == 0)
            status = cli_fail(c, EXIT_USAGE, "--write: standard input is no file");
        else if (file_is_dir(path))
            format_dir(&f, path);
        else
            format_file(&f, path);
    }
    if (status == EXIT_DONE)
        status = finish(&f);
    problems_done(&f.problems);
    json_decref(f.files);
    return status;
}
