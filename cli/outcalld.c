/* outcalld.c - the host daemon: command line, configuration file, signals and the supervisor around the
 * library's daemon. */
#include "footprint.h"
#include "installed.h"
#include "logsink.h"
#include "notify.h"
#include "opt.h"
#include "outcall/daemon.h"
#include "outcall/version.h"
#include "signals.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define SETTINGS_MAX 32
#define TRIM_MS      60000 /* how long after a burst of work its memory is given back */

struct line {
    outcall_daemon_settings *settings;
    const char *config;
    bool check_config, help, version;
};

static const struct opt own_opts[] = {
    {.name = "config",
     .argument = "FILE",
     .type = OPT_STRING,
     .offset = offsetof(struct line, config),
     .fallback = OUTCALL_DAEMON_CONFIG_PATH ", if it exists",
     .help = "Configuration file"},
    {.name = "check-config",
     .type = OPT_SWITCH,
     .offset = offsetof(struct line, check_config),
     .help = "Read configuration and rules, report, and exit"},
    {.name = "help",
     .letter = 'h',
     .type = OPT_SWITCH,
     .offset = offsetof(struct line, help),
     .help = "Show this help"},
    {.name = "version",
     .type = OPT_SWITCH,
     .offset = offsetof(struct line, version),
     .help = "Show the version"},
};

#define N_OWN_OPTS (sizeof(own_opts) / sizeof(own_opts[0]))

static int set(void *target, const struct opt *o, const char *value, char *why, size_t size)
{
    struct line *line = target;
    outcall_error e = OUTCALL_ERROR_INIT;
    if (outcall_daemon_settings_set(line->settings, o->name, value, &e) == 0)
        return 0;
    (void)snprintf(why, size, "--%s", e.text);
    return -1;
}

/* The library's settings as options of ours. */
static size_t setting_opts(struct opt opts[SETTINGS_MAX])
{
    const outcall_daemon_setting *s = NULL;
    size_t n = 0;
    for (size_t i = 0; (s = outcall_daemon_setting_at(i)) != NULL && n < SETTINGS_MAX; i++) {
        const char *fallback = strcmp(s->name, "docker-host") == 0
                                   ? "$DOCKER_HOST, else unix:///var/run/docker.sock"
                                   : s->fallback;
        if (!s->file_only)
            opts[n++] = (struct opt){.name = s->name,
                                     .argument = s->argument,
                                     .type = OPT_CALL,
                                     .fallback = fallback,
                                     .help = s->help,
                                     .call = set};
    }
    return n;
}

static int fail(int status, const char *text)
{
    fprintf(stderr, "outcalld: %s\n", text);
    return status;
}

static int fail_error(const outcall_error *e)
{
    char text[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    (void)outcall_error_format(e, text, sizeof(text));
    return fail(EXIT_FAILED, text);
}

static int help(const struct opt *opts, size_t n)
{
    printf("Usage: outcalld [OPTION]...\n\nThe host daemon of Outcall: runs untrusted agents in Docker "
           "containers.\n\n"
           "Options:\n");
    opt_print(stdout, own_opts, N_OWN_OPTS);
    printf("\nSettings, also keys of the configuration file (options win):\n");
    opt_print(stdout, opts, n);
    printf("\nExit status: 0 stopped as told, 1 failed, 2 wrong usage.\n");
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* Warnings, and what else is wrong beside the first thing. */
static void print_problem(int level, const char *target, const char *msg, void *userdata)
{
    (void)level;
    (void)target;
    (void)userdata;
    (void)fail(EXIT_FAILED, msg);
}

static int check(const outcall_daemon_options *opts)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    outcall_daemon_options logged = *opts;
    outcall_daemon_report report;
    if (outcall_log_new(&logged.log, print_problem, NULL) < 0)
        return fail(EXIT_FAILED, "out of memory");
    int r = outcall_daemon_check(&logged, &report, &e);
    (void)outcall_log_unref(logged.log);
    if (r < 0)
        return fail_error(&e);
    printf("Configuration is valid, %zu rule%s in %zu file%s.\n", report.rules_n,
           report.rules_n == 1 ? "" : "s", report.rule_files_n, report.rule_files_n == 1 ? "" : "s");
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* Everything the callbacks need. */
struct host {
    outcall_daemon *daemon;
    const char *notify_socket;
    struct logsink sink;
};

static void tell(struct host *h, const char *state)
{
    if (notify(h->notify_socket, state) < 0)
        logsink_write(OUTCALL_LOG_WARN, "outcalld", "the supervisor cannot be told", &h->sink);
}

static void on_ready(void *userdata)
{
    tell(userdata, "READY=1");
    footprint_trim();
}

static void on_stop(void *userdata)
{
    tell(userdata, "STOPPING=1");
}

static void on_tick(void *userdata)
{
    (void)userdata;
    footprint_trim();
}

static void on_hangup(void *userdata)
{
    struct host *h = userdata;
    (void)!outcall_daemon_reload(h->daemon, NULL); /* it tells the log by itself */
}

static int failed(struct host *h, const outcall_error *e)
{
    char text[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    (void)outcall_error_format(e, text, sizeof(text));
    logsink_write(OUTCALL_LOG_ERROR, "outcalld", text, &h->sink);
    return EXIT_FAILED;
}

/* The daemon's whole life, between signals that are blocked already. */
static int serve(struct host *h, const outcall_daemon_options *opts, struct signals *signals)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    if (outcall_daemon_new(&h->daemon, opts, &e) < 0)
        return failed(h, &e);
    signals->on_hangup = on_hangup;
    signals->on_tick = on_tick;
    signals->tick_ms = TRIM_MS;
    signals->on_stop = on_stop;
    signals->userdata = h;
    int status = EXIT_FAILED;
    if (signals_start(signals) < 0)
        logsink_write(OUTCALL_LOG_ERROR, "outcalld", "cannot start the thread that waits for signals",
                      &h->sink);
    else
        status = outcall_daemon_run(h->daemon, signals->stop_fd, &e) < 0 ? failed(h, &e) : EXIT_DONE;
    signals_close(signals); /* before the daemon goes: a reload may be under way */
    h->daemon = outcall_daemon_free(h->daemon);
    return status;
}

static int run(const struct line *line, const outcall_daemon_options *given)
{
    struct signals signals;
    outcall_daemon_options opts = *given;
    const char *format = outcall_daemon_settings_get(line->settings, "log-format");
    struct host h = {.notify_socket = getenv("NOTIFY_SOCKET"),
                     .sink = {.fd = STDERR_FILENO,
                              .json = format && strcmp(format, "json") == 0,
                              .journal = logsink_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM"))}};
    const char *why = NULL;
    footprint_limit();
    opts.on_ready = on_ready;
    opts.userdata = &h;
    opts.host_listen_fd = notify_listen_fd(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), &why);
    if (opts.host_listen_fd < -1)
        return fail(EXIT_FAILED, why);
    int status = EXIT_FAILED;
    if (signals_open(&signals) < 0)
        (void)fail(EXIT_FAILED, "cannot set up signals");
    else if (outcall_log_new(&opts.log, logsink_write, &h.sink) < 0 ||
             outcall_log_set_filter(opts.log, outcall_daemon_settings_get(line->settings, "log-level")) < 0)
        (void)fail(EXIT_FAILED, "out of memory");
    else
        status = serve(&h, &opts, &signals);
    signals_close(&signals);
    opts.log = outcall_log_unref(opts.log);
    return status;
}

/* The built-in default names the prefix of the build; what was installed elsewhere has its shim beside it. */
static const char *shim_elsewhere(const struct line *line, char buf[PATH_MAX])
{
    const char *fallback = outcall_daemon_settings_get(line->settings, "shim");
    bool missing = access(fallback, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
    return missing && installed_shim("/proc/self/exe", buf, PATH_MAX) ? buf : NULL;
}

static int configured(struct line *line)
{
    char shim[PATH_MAX];
    outcall_error e = OUTCALL_ERROR_INIT;
    outcall_daemon_options opts;
    const char *path = line->config ? line->config : OUTCALL_DAEMON_CONFIG_PATH;
    const char *engine = getenv("DOCKER_HOST");
    if (outcall_daemon_settings_load(line->settings, path, line->config == NULL, &e) < 0)
        return fail_error(&e);
    outcall_daemon_settings_options(line->settings, &opts);
    if (!opts.docker_host && engine && engine[0])
        opts.docker_host = engine;
    if (!opts.shim_path)
        opts.shim_path = shim_elsewhere(line, shim);
    return line->check_config ? check(&opts) : run(line, &opts);
}

static int parsed(struct line *line, int argc, char **argv)
{
    struct opt settings[SETTINGS_MAX];
    size_t n = setting_opts(settings);
    const struct opt_table tables[] = {{own_opts, N_OWN_OPTS, line}, {settings, n, line}};
    struct opt_rest rest;
    char why[OPT_WHY_SIZE] = "";
    int status = EXIT_DONE;
    if (opt_parse(tables, 2, argc - 1, argv + 1, false, &rest, why) < 0)
        status = fail(EXIT_USAGE, why);
    else if (rest.n_operands + rest.n_after > 0)
        status = fail(EXIT_USAGE, "takes options only; see outcalld --help");
    else if (line->help)
        status = help(settings, n);
    else if (line->version)
        status = printf("outcalld %s\n", outcall_version_string()) < 0 ? EXIT_FAILED : EXIT_DONE;
    else
        status = configured(line);
    opt_done(tables, 2, &rest);
    return status;
}

int main(int argc, char **argv)
{
    struct line line = {0};
    outcall_error e = OUTCALL_ERROR_INIT;
    if (outcall_daemon_settings_new(&line.settings, &e) < 0)
        return fail_error(&e);
    int status = parsed(&line, argc, argv);
    (void)outcall_daemon_settings_free(line.settings);
    return fflush(stdout) == 0 ? status : EXIT_FAILED;
}
