/* The shim's parts that can be looked at without a daemon: its command line, the look-up of programs, the
 * list of children. What it does as a whole is in tests/system/s005.bats. */
#include "child.h"
#include "core/error.h"
#include "forms.h"
#include "support/failmalloc.h"
#include "text.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 16

/* One command line and what it means: words are separated by "|". */
struct row {
    const char *line;
    int kind, action; /* kind FORM_NONE: refused, and target is the error */
    const char *target, *args, *argv, *metadata, *cwd;
};

static const struct row rows[] = {
    {"ls", FORM_RUN, OUTCALL_TOOL_EXEC, "ls", "", "ls", "", NULL},
    {"ls|-l|a b|", FORM_RUN, OUTCALL_TOOL_EXEC, "ls", "-l|a b|", "ls|-l|a b|", "", NULL},
    {"./ls|--help", FORM_RUN, OUTCALL_TOOL_EXEC, "./ls", "--help", "./ls|--help", "", NULL},
    {"ls|--version", FORM_RUN, OUTCALL_TOOL_EXEC, "ls", "--version", "ls|--version", "", NULL},
    {"git|exec|--", FORM_RUN, OUTCALL_TOOL_EXEC, "git", "exec|--", "git|exec|--", "", NULL},
    {"exec|ls|-l", FORM_RUN, OUTCALL_TOOL_EXEC, "ls", "-l", "ls|-l", "", NULL},
    {"exec|--|ls|--", FORM_RUN, OUTCALL_TOOL_EXEC, "ls", "--", "ls|--", "", NULL},
    {"exec|--|--|x", FORM_RUN, OUTCALL_TOOL_EXEC, "--", "x", "--|x", "", NULL},
    {"exec|check|--help", FORM_RUN, OUTCALL_TOOL_EXEC, "check", "--help", "check|--help", "", NULL},
    {"exec|--help", FORM_RUN, OUTCALL_TOOL_EXEC, "--help", "", "--help", "", NULL},
    {"exec|bash|-c|x", FORM_RUN, OUTCALL_TOOL_EXEC, "bash", "-c|x", "bash|-c|x", "", NULL},
    {"bash", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "", "bash", "", NULL},
    {"bash|ls|-l", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "ls|-l", "ls|-l", "", NULL},
    {"bash|-c|ls -l|a", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "-c|ls -l|a", "bash|-c|ls -l|a", "", NULL},
    {"bash|-lc|x", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "-lc|x", "bash|-lc|x", "", NULL},
    {"bash|--help", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "--help", "bash|--help", "", NULL},
    {"bash|--|x", FORM_RUN, OUTCALL_SHELL_EXEC, "bash", "--|x", "bash|--|x", "", NULL},
    {"sh|-c|x", FORM_RUN, OUTCALL_SHELL_EXEC, "sh", "-c|x", "sh|-c|x", "", NULL},
    {"sh|bash|-c|x", FORM_RUN, OUTCALL_SHELL_EXEC, "sh", "bash|-c|x", "bash|-c|x", "", NULL},
    {"shell", FORM_RUN, OUTCALL_SHELL_EXEC, "shell", "", "sh", "", NULL},
    {"shell|-c|x", FORM_RUN, OUTCALL_SHELL_EXEC, "shell", "-c|x", "sh|-c|x", "", NULL},
    {"shell|ls", FORM_RUN, OUTCALL_SHELL_EXEC, "shell", "ls", "ls", "", NULL},
    {"check|tool_exec|ls", FORM_CHECK, OUTCALL_TOOL_EXEC, "ls", "", NULL, "", NULL},
    {"check|network_call|https://a/?b=c|method=GET|x=", FORM_CHECK, OUTCALL_NETWORK_CALL, "https://a/?b=c",
     "", NULL, "method=GET|x=", NULL},
    {"check|shell_exec|bash|args=-c|args=a=b|cwd=/x|k=v", FORM_CHECK, OUTCALL_SHELL_EXEC, "bash", "-c|a=b",
     NULL, "k=v", "/x"},
    {"check|file_access|/etc/x|mode=read", FORM_CHECK, OUTCALL_FILE_ACCESS, "/etc/x", "", NULL, "mode=read",
     NULL},
    {"check|tool_exec|--help", FORM_CHECK, OUTCALL_TOOL_EXEC, "--help", "", NULL, "", NULL},
    {"request|rules.yaml", FORM_REQUEST, 0, "rules.yaml", NULL, NULL, NULL, NULL},
    {"request|--status|rr-1", FORM_STATUS, 0, "rr-1", NULL, NULL, NULL, NULL},
    {"--help", FORM_HELP, 0, NULL, NULL, NULL, NULL, NULL},
    {"--help|x", FORM_HELP, 0, NULL, NULL, NULL, NULL, NULL},
    {"--version", FORM_VERSION, 0, NULL, NULL, NULL, NULL, NULL},
    {NULL, FORM_NONE, 0, "expected a command", NULL, NULL, NULL, NULL},
    {"", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"|x", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"--", FORM_NONE, 0, "unknown option \"--\"", NULL, NULL, NULL, NULL},
    {"-h", FORM_NONE, 0, "unknown option \"-h\"", NULL, NULL, NULL, NULL},
    {"--helpx", FORM_NONE, 0, "unknown option \"--helpx\"", NULL, NULL, NULL, NULL},
    {"exec", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"exec|--", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"exec|", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"bash|", FORM_NONE, 0, "expected the name of a program", NULL, NULL, NULL, NULL},
    {"check", FORM_NONE, 0, "check: expected ACTION TARGET [KEY=VALUE...]", NULL, NULL, NULL, NULL},
    {"check|tool_exec", FORM_NONE, 0, "check: expected ACTION TARGET [KEY=VALUE...]", NULL, NULL, NULL, NULL},
    {"check|tool_exec|", FORM_NONE, 0, "check: the target is empty", NULL, NULL, NULL, NULL},
    {"check|exec|x", FORM_NONE, 0,
     "check: expected tool_exec, shell_exec, network_call or file_access, got \"exec\"", NULL, NULL, NULL,
     NULL},
    {"check|checkin|x", FORM_NONE, 0,
     "check: expected tool_exec, shell_exec, network_call or file_access, got \"checkin\"", NULL, NULL, NULL,
     NULL},
    {"check|tool_exec|x|y", FORM_NONE, 0, "check: expected KEY=VALUE, got \"y\"", NULL, NULL, NULL, NULL},
    {"check|tool_exec|x|=y", FORM_NONE, 0, "check: expected KEY=VALUE, got \"=y\"", NULL, NULL, NULL, NULL},
    {"check|tool_exec|x|a=1|b=2|a=3", FORM_NONE, 0, "check: a is given twice", NULL, NULL, NULL, NULL},
    {"check|tool_exec|x|cwd=/|cwd=/", FORM_NONE, 0, "check: cwd is given twice", NULL, NULL, NULL, NULL},
    {"request", FORM_NONE, 0, "request: expected FILE or --status ID", NULL, NULL, NULL, NULL},
    {"request|a|b", FORM_NONE, 0, "request: expected FILE or --status ID", NULL, NULL, NULL, NULL},
    {"request|--status", FORM_NONE, 0, "request: expected FILE or --status ID", NULL, NULL, NULL, NULL},
    {"request|--help", FORM_NONE, 0, "request: expected FILE or --status ID", NULL, NULL, NULL, NULL},
};

/* "a|b" into argv behind a program's name; the words live in buf. */
static int split(const char *line, char *buf, size_t size, char *argv[WORDS_MAX])
{
    int argc = 0;
    argv[argc++] = buf;
    int n = snprintf(buf, size, "outcall|%s", line ? line : "");
    ck_assert(n > 0 && (size_t)n < size);
    for (char *p = strchr(buf, '|'); p && line; p = strchr(p + 1, '|')) {
        *p = '\0';
        ck_assert_int_lt(argc, WORDS_MAX - 1);
        argv[argc++] = p + 1;
    }
    argv[argc] = NULL;
    return argc;
}

static void join(char *buf, size_t size, const char *const *words, size_t n)
{
    buf[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(buf);
        (void)snprintf(buf + len, size - len, "%s%s", i ? "|" : "", words[i]);
    }
}

static void same_check(const struct row *row, const struct form *f)
{
    char got[512];
    size_t n = 0;
    ck_assert_int_eq(f->check.action_type, row->action);
    ck_assert_str_eq(f->check.target, row->target);
    join(got, sizeof(got), f->check.args, f->check.args_n);
    ck_assert_str_eq(got, row->args);
    while (f->argv && f->argv[n])
        n++;
    join(got, sizeof(got), (const char *const *)f->argv, n);
    ck_assert_str_eq(got, row->argv ? row->argv : "");
    got[0] = '\0';
    for (size_t i = 0; i < f->check.metadata_n; i++) {
        size_t len = strlen(got);
        (void)snprintf(got + len, sizeof(got) - len, "%s%s=%s", i ? "|" : "", f->check.metadata[i].key,
                       f->check.metadata[i].value);
    }
    ck_assert_str_eq(got, row->metadata);
    ck_assert_pstr_eq(f->check.cwd, row->cwd);
}

START_TEST(forms)
{
    const struct row *row = &rows[_i];
    char buf[512], *argv[WORDS_MAX];
    outcall_error err = OUTCALL_ERROR_INIT;
    struct form f;
    int argc = split(row->line, buf, sizeof(buf), argv);
    int r = form_read(&f, argc, argv, &err);
    ck_assert_msg((r == 0) == (row->kind != FORM_NONE), "%s: %d %s", row->line, r, err.text);
    if (r < 0) {
        ck_assert_int_eq(r, OUTCALL_E_INVALID);
        ck_assert_str_eq(err.text, row->target);
    } else {
        ck_assert_int_eq((int)f.kind, row->kind);
    }
    if (r == 0 && (f.kind == FORM_RUN || f.kind == FORM_CHECK))
        same_check(row, &f);
    if (r == 0 && (f.kind == FORM_REQUEST || f.kind == FORM_STATUS))
        ck_assert_str_eq(f.kind == FORM_REQUEST ? f.file : f.id, row->target);
    form_done(&f);
}
END_TEST

static int read_pairs(void *userdata)
{
    char words[][10] = {"outcall", "check", "tool_exec", "x", "args=1", "a=b"};
    char *argv[] = {words[0], words[1], words[2], words[3], words[4], words[5], NULL};
    struct form f;
    (void)userdata;
    int r = form_read(&f, 6, argv, NULL);
    form_done(&f);
    return r;
}

START_TEST(forms_without_memory)
{
    ck_assert_int_ge(failmalloc_loop(read_pairs, NULL), 3);
}
END_TEST

/* --- programs ------------------------------------------------------------------------------------------ */

static void make(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

static void finds(const char *path_variable, const char *name, int status, const char *expected)
{
    OC_FREE char *path = NULL;
    if (path_variable)
        ck_assert_int_eq(setenv("PATH", path_variable, 1), 0);
    else
        ck_assert_int_eq(unsetenv("PATH"), 0);
    int r = child_find(name, &path);
    ck_assert_msg(r == status, "%s in %s: %d", name, path_variable, r);
    ck_assert_pstr_eq(path, expected);
}

START_TEST(programs)
{
    char dir[] = "/tmp/oc-unit.XXXXXX", longest[5000];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mkdir("a", 0755) | mkdir("b", 0755) | mkdir("a/dir", 0755), 0);
    make("a/plain", 0644);
    make("b/plain", 0755);
    make("b/tool", 0755);
    make("tool", 0755);
    finds("a:b", "tool", 0, "b/tool");
    finds("a:b", "plain", 0, "b/plain");
    finds("a", "plain", EXIT_CANNOT, NULL);
    ck_assert_int_eq(errno, EACCES);
    finds("a:", "dir", EXIT_CANNOT, NULL);
    ck_assert_int_eq(errno, EISDIR);
    finds("a", "tool", EXIT_NOT_FOUND, NULL);
    finds("", "tool", 0, "./tool"); /* the current directory, as execvp has it */
    finds("a:", "tool", 0, "./tool");
    finds(":b", "tool", 0, "./tool");
    finds("a::b", "tool", 0, "./tool");
    finds("b/", "tool", 0, "b//tool");
    finds("tool:b", "tool", 0, "b/tool"); /* a file in PATH */
    finds(NULL, "true", 0, "/usr/bin/true");
    finds(NULL, "tool", EXIT_NOT_FOUND, NULL);
    finds("b", "./tool", 0, "./tool");
    finds("b", "a/plain", EXIT_CANNOT, NULL);
    finds("b", "a/gone", EXIT_NOT_FOUND, NULL);
    finds("b", "tool/gone", EXIT_NOT_FOUND, NULL);
    finds("b", "/dev/null", EXIT_CANNOT, NULL);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    finds("b", longest, EXIT_NOT_FOUND, NULL);
    memcpy(longest + sizeof(longest) - 3, ":b", 3);
    finds(longest, "tool", 0, "b/tool");
}
END_TEST

/* --- children ------------------------------------------------------------------------------------------ */

static bool has(const pid_t *pids, size_t n, pid_t pid)
{
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

START_TEST(children)
{
    pid_t made[40];
    OC_FREE pid_t *listed = NULL;
    OC_FREE pid_t *found = NULL;
    size_t listed_n = 0, found_n = 0;
    ck_assert_int_eq(child_list(&listed, &listed_n), 0);
    ck_assert_int_eq(child_list_all(&found, &found_n), 0);
    ck_assert_uint_eq(listed_n + found_n, 0);
    oc_freep(&listed);
    oc_freep(&found);
    for (size_t i = 0; i < OC_ARRAY_SIZE(made); i++) {
        made[i] = fork();
        ck_assert_int_ge(made[i], 0);
        if (made[i] == 0) {
            for (;;)
                (void)pause();
        }
    }
    ck_assert_int_eq(kill(made[0], SIGKILL), 0); /* one that has ended counts until it is reaped */
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)made[0], &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(child_list(&listed, &listed_n), 0);
    ck_assert_int_eq(child_list_all(&found, &found_n), 0);
    ck_assert_uint_eq(listed_n, OC_ARRAY_SIZE(made));
    ck_assert_uint_eq(found_n, OC_ARRAY_SIZE(made));
    for (size_t i = 0; i < OC_ARRAY_SIZE(made); i++) {
        ck_assert(has(listed, listed_n, made[i]));
        ck_assert(has(found, found_n, made[i]));
        (void)kill(made[i], SIGKILL);
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
}
END_TEST

int main(void)
{
    const TTest *const all[] = {forms_without_memory, programs, children};
    const struct unit_loop loops[] = {{forms, OC_ARRAY_SIZE(rows)}};
    return unit_run("shim", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
