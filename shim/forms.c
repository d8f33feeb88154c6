#include "forms.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

/* args and target are two readings of the same words: what is asked is what is run. */
static int run(struct form *f, int action_type, const char *target, int argc, char **argv, outcall_error *err)
{
    if (argc == 0 || argv[0][0] == '\0')
        return oc_fail(err, OUTCALL_E_INVALID, "expected the name of a program");
    f->kind = FORM_RUN;
    f->check.action_type = action_type;
    f->check.target = target;
    f->argv = argv;
    return 0;
}

static int tool(struct form *f, int argc, char **argv, outcall_error *err)
{
    int r = run(f, OUTCALL_TOOL_EXEC, argc > 0 ? argv[0] : NULL, argc, argv, err);
    if (r == 0) {
        f->check.args = (const char *const *)argv + 1;
        f->check.args_n = (size_t)argc - 1;
    }
    return r;
}

static int exec(struct form *f, int argc, char **argv, outcall_error *err)
{
    int skip = argc > 0 && oc_streq(argv[0], "--") ? 1 : 0;
    return tool(f, argc - skip, argv + skip, err);
}

/* argv[0] is the shell. A word that is no option is the program itself, and no shell is started. */
static int shell(struct form *f, int argc, char **argv, outcall_error *err)
{
    const char *target = argv[0];
    f->check.args = (const char *const *)argv + 1;
    f->check.args_n = (size_t)argc - 1;
    if (argc > 1 && argv[1][0] != '-')
        return run(f, OUTCALL_SHELL_EXEC, target, argc - 1, argv + 1, err);
    if (oc_streq(argv[0], "shell")) { /* no image has a program of that name: it stands for sh */
        memcpy(f->shell, "sh", sizeof("sh"));
        target = "shell";
        argv[0] = f->shell;
    }
    return run(f, OUTCALL_SHELL_EXEC, target, argc, argv, err);
}

/* KEY=VALUE: text is KEY, cut at its "=". */
static int pair(struct form *f, char *text, const char *value, outcall_error *err)
{
    if (oc_streq(text, "args")) {
        f->words[f->check.args_n++] = value;
        return 0;
    }
    if (oc_streq(text, "cwd")) {
        if (f->check.cwd)
            return oc_fail(err, OUTCALL_E_INVALID, "check: cwd is given twice");
        f->check.cwd = value;
        return 0;
    }
    for (size_t i = 0; i < f->check.metadata_n; i++)
        if (oc_streq(f->pairs[i].key, text))
            return oc_fail(err, OUTCALL_E_INVALID, "check: %s is given twice", text);
    f->pairs[f->check.metadata_n++] = (outcall_pair){.key = text, .value = value};
    return 0;
}

static int pairs(struct form *f, int n, char **argv, outcall_error *err)
{
    size_t size = 1;
    for (int i = 0; i < n; i++)
        size += strlen(argv[i]) + 1;
    f->words = oc_new_array((size_t)n, sizeof(*f->words));
    f->pairs = oc_new_array((size_t)n, sizeof(*f->pairs));
    f->text = malloc(size);
    if (!f->words || !f->pairs || !f->text)
        return oc_no_memory(err);
    f->check.args = f->words;
    f->check.metadata = f->pairs;
    char *text = f->text;
    for (int i = 0; i < n; i++) {
        const char *sign = strchr(argv[i], '=');
        if (!sign || sign == argv[i])
            return oc_fail(err, OUTCALL_E_INVALID, "check: expected KEY=VALUE, got \"%s\"", argv[i]);
        size_t len = (size_t)(sign - argv[i]);
        memcpy(text, argv[i], len);
        text[len] = '\0';
        int r = pair(f, text, sign + 1, err);
        if (r < 0)
            return r;
        text += len + 1;
    }
    return 0;
}

static int check(struct form *f, int argc, char **argv, outcall_error *err)
{
    if (argc < 2)
        return oc_fail(err, OUTCALL_E_INVALID, "check: expected ACTION TARGET [KEY=VALUE...]");
    f->check.action_type = outcall_action_type_by_name(argv[0]);
    f->check.target = argv[1];
    f->kind = FORM_CHECK;
    if (f->check.action_type < 0)
        return oc_fail(err, OUTCALL_E_INVALID,
                       "check: expected tool_exec, shell_exec, network_call or file_access, got \"%s\"",
                       argv[0]);
    if (argv[1][0] == '\0')
        return oc_fail(err, OUTCALL_E_INVALID, "check: the target is empty");
    return pairs(f, argc - 2, argv + 2, err);
}

static int request(struct form *f, int argc, char **argv, outcall_error *err)
{
    if (argc == 1 && argv[0][0] != '-') {
        f->kind = FORM_REQUEST;
        f->file = argv[0];
        return 0;
    }
    if (argc == 2 && oc_streq(argv[0], "--status")) {
        f->kind = FORM_STATUS;
        f->id = argv[1];
        return 0;
    }
    return oc_fail(err, OUTCALL_E_INVALID, "request: expected FILE or --status ID");
}

/* Only as the first argument: anywhere else it belongs to the command. */
static int option(struct form *f, const char *word, outcall_error *err)
{
    if (oc_streq(word, "--help"))
        f->kind = FORM_HELP;
    else if (oc_streq(word, "--version"))
        f->kind = FORM_VERSION;
    else
        return oc_fail(err, OUTCALL_E_INVALID, "unknown option \"%s\"", word);
    return 0;
}

int form_read(struct form *ret, int argc, char **argv, outcall_error *err)
{
    static const struct {
        const char *word;
        int (*read)(struct form *f, int argc, char **argv, outcall_error *err);
    } verbs[] = {{"exec", exec}, {"check", check}, {"request", request}};
    memset(ret, 0, sizeof(*ret));
    if (argc < 2)
        return oc_fail(err, OUTCALL_E_INVALID, "expected a command");
    if (argv[1][0] == '-')
        return option(ret, argv[1], err);
    if (oc_streq(argv[1], "bash") || oc_streq(argv[1], "sh") || oc_streq(argv[1], "shell"))
        return shell(ret, argc - 1, argv + 1, err);
    for (size_t i = 0; i < OC_ARRAY_SIZE(verbs); i++)
        if (oc_streq(argv[1], verbs[i].word))
            return verbs[i].read(ret, argc - 2, argv + 2, err);
    return tool(ret, argc - 1, argv + 1, err);
}

void form_done(struct form *f)
{
    free(f->words);
    free(f->pairs);
    free(f->text);
    f->words = NULL;
    f->pairs = NULL;
    f->text = NULL;
    f->kind = FORM_NONE;
}
