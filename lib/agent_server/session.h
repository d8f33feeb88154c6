/* agent_server/session.h - the tokens that a container's check-ins were given. */
#ifndef AGENT_SERVER_SESSION_H
#define AGENT_SERVER_SESSION_H
#include "base/base.h"

#define OC_SESSIONS_MAX 512 /* of one container; the one that was silent longest gives way */
#define OC_TOKEN_SIZE   37  /* "tok-", 32 hexadecimal digits, NUL */

struct oc_sessions {
    struct oc_session {
        uint64_t token[2];
        uint64_t seen_ms;
    } * v;
    size_t n, cap;
};

/* A fresh token. OUTCALL_E_SYSTEM (no randomness: nothing second best), _NO_MEMORY. */
OC_NODISCARD int oc_session_new(struct oc_sessions *s, uint64_t now_ms, char ret[OC_TOKEN_SIZE]);
/* Is it one of them? Takes as long for a wrong one as for a right one. */
bool oc_session_check(struct oc_sessions *s, const char *token, uint64_t now_ms);
void oc_sessions_done(struct oc_sessions *s);

#endif
