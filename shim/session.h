/* session.h - the shim's conversation with the daemon. Every failure is said on stderr, and comes back as
 * the exit status. */
#ifndef SHIM_SESSION_H
#define SHIM_SESSION_H
#include "base/base.h"
#include "outcall/agent_client.h"

struct session {
    outcall_agent_client *client; /* new; NULL while there is no connection */
    uint64_t timeout_ms;
    unsigned heartbeat_s;
};

/* Connects and checks in. 0 or an exit status. */
OC_NODISCARD int session_open(struct session *ret, uint64_t timeout_ms);
/* 0: *ret is the verdict, allowed or not. */
OC_NODISCARD int session_check(struct session *s, const outcall_check *check, outcall_reply *ret);
OC_NODISCARD int session_request(struct session *s, const char *yaml, size_t len,
                                 outcall_rule_request_state *ret);
OC_NODISCARD int session_status(struct session *s, const char *id, outcall_rule_request_state *ret);

#endif
