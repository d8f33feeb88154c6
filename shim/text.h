/* text.h - what the shim says: one line per block or failure on stderr, and the help. stdout is the child's,
 * but for --help, --version and the verdicts and states that were asked for. */
#ifndef SHIM_TEXT_H
#define SHIM_TEXT_H
#include "base/base.h"
#include "outcall/protocol.h"

enum {
    EXIT_BLOCKED = 1,    /* and a child's own 5 */
    EXIT_USAGE = 2,      /* nothing was asked */
    EXIT_DAEMON = 5,     /* the daemon is absent, refuses, or was lost */
    EXIT_CANNOT = 126,   /* found, but cannot be executed */
    EXIT_NOT_FOUND = 127 /* no such program */
};

#define TEXT_UNREACHABLE "outcalld unreachable — exiting (fail closed)"

/* "outcall: <text>" on stderr, at most 2 KiB and in one write; made harmless for a terminal. The status
 * comes back. */
int text_fail(int status, const char *fmt, ...) OC_PRINTF(2, 3);
/* The same with "debug: " before the text, and only where OUTCALL_LOG is "debug". */
void text_debug(const char *fmt, ...) OC_PRINTF(1, 2);

/* "blocked: <reason> [rule <id>]" */
int text_blocked(const outcall_reply *reply);

/* On stdout. 0, or EXIT_BLOCKED when it cannot be written or memory is out. */
int text_help(void);
int text_version(void);
int text_verdict(const outcall_reply *reply); /* {"allowed":false,"matched_rule":null,"reason":"..."} */
int text_request(const outcall_rule_request_state *state); /* {"id":"...","status":"...","reason":null} */

#endif
