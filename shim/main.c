/* outcall-agent, which an agent sees as /usr/local/bin/outcall. It checks in with the daemon and, until
 * agents' actions can be asked for, runs nothing: every way out of here but --help and --version is exit
 * status 5. */
#include "base/num.h"
#include "checkin.h"
#include "core/error.h"
#include "outcall/version.h"
#include <stdio.h>
#include <string.h>

#define AGENT_SOCKET      "/run/outcall/agent.sock"
#define EXIT_DAEMON       5 /* the daemon is absent, refuses or cannot be understood */
#define TIMEOUT_VARIABLE  "OUTCALL_TIMEOUT_SECS"
#define TIMEOUT_DEFAULT_S 30U
#define TIMEOUT_MAX_S     300U

static const char help[] =
    "Usage: outcall TOOL [ARGS...]\n"
    "       outcall --help | --version\n"
    "\n"
    "Asks outcalld, over " AGENT_SOCKET ", before a tool is run.\n"
    "This version checks in with the daemon and runs nothing: actions cannot be asked for yet.\n"
    "\n"
    "Environment:\n"
    "  OUTCALL_TIMEOUT_SECS  seconds to wait for the daemon, 1 to 300 (30)\n"
    "\n"
    "Exit status: 0 for --help and --version, else 5: nothing was run.\n";

static int read_timeout(uint64_t *ret_ms, outcall_error *err)
{
    const char *s = getenv(TIMEOUT_VARIABLE);
    uint32_t seconds = TIMEOUT_DEFAULT_S;
    if (s && oc_parse_u32(s, strlen(s), 1, TIMEOUT_MAX_S, &seconds) < 0)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: expected 1 to %u seconds, got \"%s\"", TIMEOUT_VARIABLE,
                       TIMEOUT_MAX_S, s);
    *ret_ms = (uint64_t)seconds * 1000;
    return 0;
}

static int print(const char *text)
{
    return fputs(text, stdout) == EOF || fflush(stdout) == EOF ? 1 : 0;
}

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    uint64_t timeout_ms = 0;
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return print(help);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return print("outcall-agent " OUTCALL_VERSION_STRING "\n");
    int r = read_timeout(&timeout_ms, &err);
    if (r == 0)
        r = shim_checkin(AGENT_SOCKET, timeout_ms, &err);
    if (r == 0)
        (void)oc_fail(&err, OUTCALL_E_UNSUPPORTED, "this version of outcall cannot run anything yet");
    (void)fprintf(stderr, "outcall: %s\n", err.text);
    return EXIT_DAEMON;
}
