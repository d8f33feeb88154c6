/* outcall-agent, which an agent sees as /usr/local/bin/outcall: it asks the daemon first, and runs what was
 * asked for only after a clear yes. Every other way out of here runs nothing. */
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "core/error.h"
#include "forms.h"
#include "session.h"
#include "text.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_S 30U
#define TIMEOUT_MAX_S     300U
#define HEARTBEAT_MAX_S   60U

struct settings {
    uint64_t timeout_ms;
    uint32_t heartbeat_s; /* at most */
};

static int read_seconds(const char *name, uint32_t max, uint32_t fallback, uint32_t *ret)
{
    const char *s = getenv(name);
    *ret = fallback;
    if (s && oc_parse_u32(s, strlen(s), 1, max, ret) < 0)
        return text_fail(EXIT_DAEMON, "%s: expected 1 to %u seconds, got \"%s\"", name, max, s);
    return 0;
}

static int read_settings(struct settings *ret)
{
    uint32_t timeout_s = 0;
    int r = read_seconds("OUTCALL_TIMEOUT_SECS", TIMEOUT_MAX_S, TIMEOUT_DEFAULT_S, &timeout_s);
    ret->timeout_ms = (uint64_t)timeout_s * 1000;
    return r ? r
             : read_seconds("OUTCALL_HEARTBEAT_SECS", HEARTBEAT_MAX_S, HEARTBEAT_MAX_S, &ret->heartbeat_s);
}

/* A descriptor that was handed over closed must not become a connection to the daemon, which a line on
 * stderr would then go to. What stands in for it can be neither read nor written, and the child does not get
 * it. */
static bool fill_stdio(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) != fd)
            return false;
    return true;
}

static int find_cwd(char buf[PATH_MAX], outcall_check *check)
{
    if (!getcwd(buf, PATH_MAX))
        return text_fail(EXIT_BLOCKED, "blocked: cannot be asked: the working directory is unknown: %s",
                         strerror(errno));
    check->cwd = buf;
    return 0;
}

/* After the yes. */
static int run(const struct session *s, const struct form *f, struct signals *signals, unsigned heartbeat_s)
{
    OC_FREE char *path = NULL;
    struct child c = CHILD_INIT;
    struct watch w;
    if (signals_hold(signals) < 0)
        return text_fail(EXIT_DAEMON, "signals: %s", strerror(errno));
    int r = child_find(f->argv[0], &path);
    if (r == EXIT_NOT_FOUND)
        return text_fail(r, "%s: not found", f->argv[0]);
    if (r != 0)
        return text_fail(r, "%s: cannot be executed: %s", f->argv[0], strerror(errno));
    if (watch_begin(&w, s->client, heartbeat_s) < 0)
        return text_fail(EXIT_DAEMON, "heartbeats cannot be sent: %s", strerror(errno));
    if (watch_lost(&w))
        return text_fail(EXIT_DAEMON, TEXT_UNREACHABLE);
    if (child_start(&c, path, f->argv, signals) < 0)
        return text_fail(EXIT_CANNOT, "%s: cannot be executed: %s", f->argv[0], strerror(errno));
    text_debug("%s runs as process %d", path, (int)c.pid);
    return watch_run(&w, &c, signals);
}

static int ask(struct session *s, const struct form *f, struct signals *signals, const struct settings *set)
{
    outcall_reply reply;
    outcall_check check = f->check;
    char cwd[PATH_MAX];
    bool runs = check.action_type == OUTCALL_TOOL_EXEC || check.action_type == OUTCALL_SHELL_EXEC;
    int r = runs && !check.cwd ? find_cwd(cwd, &check) : 0;
    if (r == 0)
        r = session_check(s, &check, &reply);
    if (r != 0)
        return r;
    if (f->kind == FORM_CHECK)
        r = text_verdict(&reply);
    if (reply.allowed != 1)
        return text_blocked(&reply);
    text_debug("allowed by rule %s", reply.rule_id);
    return f->kind == FORM_RUN ? run(s, f, signals, OC_MIN(s->heartbeat_s, set->heartbeat_s)) : r;
}

static int request(struct session *s, const struct form *f, const char *yaml, size_t len)
{
    outcall_rule_request_state state;
    int r = f->kind == FORM_STATUS ? session_status(s, f->id, &state) : session_request(s, yaml, len, &state);
    return r ? r : text_request(&state);
}

/* The client is never freed: heartbeats may be using it until the process is gone. */
static int converse(const struct form *f, const struct settings *set)
{
    OC_FREE char *yaml = NULL;
    struct signals signals;
    struct session s = {0};
    size_t len = 0;
    if (signals_begin(&signals) < 0)
        return text_fail(EXIT_DAEMON, "signals: %s", strerror(errno));
    if (f->kind == FORM_REQUEST) {
        int r = oc_read_file(AT_FDCWD, f->file, (size_t)OUTCALL_AGENT_BODY_MAX, &yaml, &len);
        if (r < 0)
            return text_fail(EXIT_BLOCKED, "%s: %s", f->file,
                             r == OUTCALL_E_SYSTEM ? strerror(errno) : outcall_code_string(r));
    }
    int r = session_open(&s, set->timeout_ms);
    if (r != 0)
        return r;
    return f->kind == FORM_RUN || f->kind == FORM_CHECK ? ask(&s, f, &signals, set)
                                                        : request(&s, f, yaml, len);
}

int main(int argc, char **argv)
{
    OC_CLEANUP(form_done) struct form f;
    outcall_error err = OUTCALL_ERROR_INIT;
    struct settings set;
    if (!fill_stdio())
        return EXIT_DAEMON;
    if (form_read(&f, argc, argv, &err) < 0)
        return text_fail(EXIT_USAGE, "%s (outcall --help shows how)", err.text);
    if (f.kind == FORM_HELP)
        return text_help();
    if (f.kind == FORM_VERSION)
        return text_version();
    int r = read_settings(&set);
    return r ? r : converse(&f, &set);
}
