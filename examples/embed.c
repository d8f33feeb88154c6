/* The whole daemon inside a program of yours: embed RUNTIME_DIR STATE_DIR RULES_DIR ENGINE SHIM.
 * Serves until its standard input ends. ENGINE: "unix:///var/run/docker.sock". */
#include <outcall/daemon.h>
#include <stdio.h>
#include <unistd.h>

static void say_ready(void *userdata)
{
    (void)printf("ready: %s\n", (const char *)userdata);
    (void)fflush(stdout);
}

static void print_message(int level, const char *target, const char *msg, void *userdata)
{
    (void)fprintf(userdata, "%s %s: %s\n", outcall_log_level_name(level), target, msg);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: %s RUNTIME_DIR STATE_DIR RULES_DIR ENGINE SHIM\n", argv[0]);
        return 2;
    }
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_daemon_options options = OUTCALL_DAEMON_OPTIONS_INIT;
    outcall_daemon *daemon = NULL;
    options.runtime_dir = argv[1];
    options.state_dir = argv[2];
    options.rules_dir = argv[3];
    options.docker_host = argv[4];
    options.shim_path = argv[5];
    options.on_ready = say_ready;
    options.userdata = argv[1];
    if (outcall_log_new(&options.log, print_message, stderr) < 0)
        return 1;
    int code = outcall_daemon_new(&daemon, &options, &err);
    if (code == 0)
        code = outcall_daemon_run(daemon, STDIN_FILENO, &err);
    if (code < 0)
        (void)fprintf(stderr, "embed: %s\n", err.text);
    outcall_daemon_free(daemon);
    outcall_log_unref(options.log);
    return code < 0 ? 1 : 0;
}
