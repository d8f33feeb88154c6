#include "session.h"
#include "base/clock.h"
#include "base/fd.h"
#include "text.h"
#include <poll.h>

/* One call, to be made again when the daemon says "later". */
struct call {
    int (*make)(struct session *s, const struct call *c, outcall_error *err);
    const char *refused,
        *malformed; /* what goes before the daemon's words, and before ours about its words */
    int status;     /* of both */
    const outcall_check *check;
    const char *text; /* a rule file, or an id */
    size_t len;
    void *ret;
};

/* Waits as long as the daemon asked for, when that ends within the time limit. A connection that says
 * anything meanwhile is of no more use, which the next call finds out. */
static bool wait_turn(const struct session *s, uint64_t deadline_ms)
{
    unsigned wait_s = outcall_agent_client_retry_after_s(s->client);
    uint64_t until = oc_deadline((uint64_t)wait_s * 1000);
    if (wait_s == 0 || until > deadline_ms)
        return false;
    text_debug("too many requests: waiting for %u s", wait_s);
    return oc_poll1(outcall_agent_client_fd(s->client), POLLIN | POLLRDHUP, until) >= 0;
}

static int failed(const struct call *c, int code, const outcall_error *err)
{
    switch (code) {
    case OUTCALL_E_NOT_FOUND:
        return text_fail(EXIT_DAEMON, "agent socket not found at %s", OUTCALL_AGENT_SOCKET);
    case OUTCALL_E_BUSY:
        return text_fail(EXIT_BLOCKED, "blocked: too many requests");
    case OUTCALL_E_DENIED:
        return text_fail(c->status, "%s: %s", c->refused, err->text);
    case OUTCALL_E_PROTOCOL:
        return text_fail(c->status, "%s: %s", c->malformed, err->text);
    case OUTCALL_E_INVALID:
    case OUTCALL_E_LIMIT:
        return text_fail(c->status, "%s: cannot be asked: %s", c->refused, err->text);
    case OUTCALL_E_NO_MEMORY:
        return text_fail(EXIT_DAEMON, "out of memory");
    default: /* gone, or no way to it */
        text_debug("%s", err->text);
        return text_fail(EXIT_DAEMON, TEXT_UNREACHABLE);
    }
}

static int make(struct session *s, const struct call *c)
{
    uint64_t deadline = oc_deadline(s->timeout_ms);
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = c->make(s, c, &err);
    while (r == OUTCALL_E_BUSY && wait_turn(s, deadline)) {
        outcall_error_clear(&err);
        r = c->make(s, c, &err);
    }
    return r < 0 ? failed(c, r, &err) : 0;
}

static int connect_to(struct session *s, const struct call *c, outcall_error *err)
{
    (void)c;
    outcall_agent_client_options opts = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    opts.timeout_ms = s->timeout_ms;
    return outcall_agent_client_new(&s->client, &opts, err);
}

static int check_in(struct session *s, const struct call *c, outcall_error *err)
{
    (void)c;
    outcall_session got;
    int r = outcall_agent_client_checkin(s->client, &got, err);
    if (r < 0)
        return r;
    s->heartbeat_s = got.heartbeat_s;
    text_debug("checked in as %s", got.name);
    return 0;
}

int session_open(struct session *ret, uint64_t timeout_ms)
{
    struct call c = {.make = connect_to,
                     .refused = "registration rejected",
                     .malformed = "registration rejected",
                     .status = EXIT_DAEMON};
    *ret = (struct session){.timeout_ms = timeout_ms};
    int r = make(ret, &c);
    c.make = check_in;
    return r ? r : make(ret, &c);
}

static int ask(struct session *s, const struct call *c, outcall_error *err)
{
    return outcall_agent_client_check(s->client, c->check, c->ret, err);
}

int session_check(struct session *s, const outcall_check *check, outcall_reply *ret)
{
    const struct call c = {.make = ask,
                           .refused = "blocked",
                           .malformed = "malformed verdict",
                           .status = EXIT_BLOCKED,
                           .check = check,
                           .ret = ret};
    *ret = (outcall_reply){0};
    return make(s, &c);
}

static int submit(struct session *s, const struct call *c, outcall_error *err)
{
    return outcall_agent_client_request_rules(s->client, c->text, c->len, c->ret, err);
}

static int stand(struct session *s, const struct call *c, outcall_error *err)
{
    return outcall_agent_client_request_status(s->client, c->text, c->ret, err);
}

int session_request(struct session *s, const char *yaml, size_t len, outcall_rule_request_state *ret)
{
    const struct call c = {.make = submit,
                           .refused = "request refused",
                           .malformed = "malformed answer",
                           .status = EXIT_BLOCKED,
                           .text = yaml,
                           .len = len,
                           .ret = ret};
    return make(s, &c);
}

int session_status(struct session *s, const char *id, outcall_rule_request_state *ret)
{
    const struct call c = {.make = stand,
                           .refused = "request refused",
                           .malformed = "malformed answer",
                           .status = EXIT_BLOCKED,
                           .text = id,
                           .ret = ret};
    return make(s, &c);
}
