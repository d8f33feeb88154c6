/* agent_server/question.h - what an agent asks, as the context that rules look at. */
#ifndef AGENT_SERVER_QUESTION_H
#define AGENT_SERVER_QUESTION_H
#include "base/base.h"
#include "outcall/agent_server.h"

/* Fills the context, which is reset first. OUTCALL_E_INVALID with err->text: the target is none of its action
 * (TARGET_INVALID); _LIMIT, _NO_MEMORY. */
OC_NODISCARD int oc_question_context(outcall_context *c, const outcall_identity *who,
                                     const outcall_check *check, outcall_error *err);
/* The same for a check-in. */
OC_NODISCARD int oc_question_checkin(outcall_context *c, const outcall_identity *who, outcall_error *err);

#endif
