#include "text.h"
#include "base/fd.h"
#include "base/str.h"
#include "outcall/agent_client.h"
#include "outcall/version.h"
#include "proto/wire.h"
#include "json/json.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 2048

static const char help[] =
    "Usage: outcall TOOL [ARG...]\n"
    "       outcall exec [--] PROGRAM [ARG...]\n"
    "       outcall bash|sh|shell PROGRAM [ARG...]\n"
    "       outcall bash|sh|shell -c TEXT [ARG...]\n"
    "       outcall check ACTION TARGET [KEY=VALUE...]\n"
    "       outcall request FILE\n"
    "       outcall request --status ID\n"
    "       outcall --help | --version\n"
    "\n"
    "Asks outcalld, over " OUTCALL_AGENT_SOCKET ", and runs what was asked for only when the\n"
    "operator's rules allow it. Whatever the command starts ends with it, and at once when the daemon is "
    "lost.\n"
    "\n"
    "  TOOL, exec    asks for tool_exec, then runs the program; exec is for tools named like a verb\n"
    "  bash, sh, shell\n"
    "                asks for shell_exec, then runs PROGRAM itself; with an option, or nothing, after it,\n"
    "                runs that shell (shell: sh)\n"
    "  check         prints the verdict on ACTION (tool_exec, shell_exec, network_call, file_access) as "
    "JSON\n"
    "                and runs nothing; args=VALUE adds an argument, cwd=DIR sets the directory\n"
    "  request       submits a rule file for the operator's approval; --status says how it stands\n"
    "\n"
    "Environment:\n"
    "  OUTCALL_TIMEOUT_SECS    seconds to wait for the daemon, 1 to 300 (30)\n"
    "  OUTCALL_HEARTBEAT_SECS  seconds between heartbeats, 1 to 60; never more than the daemon says (5)\n"
    "  OUTCALL_LOG=debug       says on stderr what is done\n"
    "\n"
    "Exit status: the command's own, 128+N for signal N, and 1 in the place of its 5; 1 blocked; 2 wrong "
    "usage;\n"
    "5 no daemon, or the daemon was lost: what ran was killed; 126 cannot be executed; 127 not found.\n";

static void write_line(const char *prefix, const char *fmt, va_list ap) OC_PRINTF(2, 0);
static void write_line(const char *prefix, const char *fmt, va_list ap)
{
    char said[LINE_SIZE], line[LINE_SIZE];
    int head = snprintf(said, sizeof(said), "outcall: %s", prefix);
    (void)vsnprintf(said + head, sizeof(said) - (size_t)head, fmt, ap);
    oc_utf8_repair(said);
    oc_wire_line(line, sizeof(line) - 1, said);
    size_t len = strlen(line);
    line[len++] = '\n';
    (void)!oc_write_all(STDERR_FILENO, line, len); /* who cannot be told cannot be told */
}

int text_fail(int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_line("", fmt, ap);
    va_end(ap);
    return status;
}

void text_debug(const char *fmt, ...)
{
    va_list ap;
    if (!oc_streq(getenv("OUTCALL_LOG"), "debug"))
        return;
    va_start(ap, fmt);
    write_line("debug: ", fmt, ap);
    va_end(ap);
}

int text_blocked(const outcall_reply *reply)
{
    const char *reason = reply->reason;
    if (!reason[0])
        reason = reply->rule_id[0] ? "by the operator's rules" : "no rule allows it";
    if (!reply->rule_id[0])
        return text_fail(EXIT_BLOCKED, "blocked: %s", reason);
    return text_fail(EXIT_BLOCKED, "blocked: %s [rule %s]", reason, reply->rule_id);
}

static int print(const char *text, size_t len)
{
    return oc_write_all(STDOUT_FILENO, text, len) < 0 ? text_fail(EXIT_BLOCKED, "cannot write to stdout") : 0;
}

int text_help(void)
{
    return print(help, sizeof(help) - 1);
}

int text_version(void)
{
    static const char version[] = "outcall-agent " OUTCALL_VERSION_STRING "\n";
    return print(version, sizeof(version) - 1);
}

static bool set_text(json_t *j, const char *key, const char *value)
{
    return oc_json_set(j, key, value[0] ? json_string(value) : json_null());
}

static int print_json(const json_t *j, bool bad)
{
    size_t len = 0;
    OC_FREE char *text = bad ? NULL : oc_json_dump(j, &len);
    if (!text)
        return text_fail(EXIT_BLOCKED, "out of memory");
    text[len] = '\n'; /* in the place of the NUL */
    return print(text, len + 1);
}

int text_verdict(const outcall_reply *reply)
{
    OC_JSON json_t *j = json_object();
    bool bad = oc_json_set(j, "allowed", json_boolean(reply->allowed == 1));
    bad |= set_text(j, "matched_rule", reply->rule_id);
    bad |= set_text(j, "reason", reply->reason);
    return print_json(j, bad);
}

int text_request(const outcall_rule_request_state *state)
{
    OC_JSON json_t *j = json_object();
    bool bad = set_text(j, "id", state->id);
    bad |= set_text(j, "status", state->status);
    bad |= set_text(j, "reason", state->reason);
    return print_json(j, bad);
}
