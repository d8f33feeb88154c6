/* Every decoder of the agent protocol against any bytes: what is refused leaves a blocked result and words;
 * what is accepted can be written and read again and is the same. */
#include "base/str.h"
#include "outcall/protocol.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

static void refused(int r, const outcall_error *err)
{
    require(r == OUTCALL_E_PROTOCOL || r == OUTCALL_E_LIMIT || r == OUTCALL_E_DENIED);
    require(err->code == r && err->text[0] && oc_utf8_valid(err->text, strlen(err->text)));
    require(!oc_has_control(err->text, strlen(err->text)));
}

static bool is_zero(const void *p, size_t size)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static void same_check(const outcall_check *a, const outcall_check *b)
{
    require(a->action_type == b->action_type && strcmp(a->target, b->target) == 0 &&
            oc_streq(a->cwd, b->cwd));
    require(a->args_n == b->args_n && a->metadata_n == b->metadata_n);
    for (size_t i = 0; i < a->args_n; i++)
        require(strcmp(a->args[i], b->args[i]) == 0);
    for (size_t i = 0; i < a->metadata_n; i++)
        require(strcmp(a->metadata[i].key, b->metadata[i].key) == 0 &&
                strcmp(a->metadata[i].value, b->metadata[i].value) == 0);
}

static void fuzz_check(const char *json, size_t len)
{
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *d = NULL;
    OC_CLEANUP(outcall_decoded_check_freep) outcall_decoded_check *again = NULL;
    OC_FREE char *text = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t text_len = 0;
    int r = outcall_check_decode(json, len, &d, &err);
    if (r < 0) {
        require(!d);
        refused(r, &err);
        return;
    }
    const outcall_check *c = outcall_decoded_check_get(d);
    require(c->target[0] && strlen(c->target) <= OUTCALL_AGENT_TARGET_MAX &&
            c->args_n <= OUTCALL_AGENT_ARGS_MAX);
    require(c->metadata_n <= OUTCALL_AGENT_METADATA_MAX && (!c->cwd || c->cwd[0] == '/'));
    r = outcall_check_encode(c, &text, &text_len, &err);
    if (r == OUTCALL_E_LIMIT) /* what came without escapes may be too long with them */
        return;
    require(r == 0 && outcall_check_decode(text, text_len, &again, &err) == 0);
    same_check(c, outcall_decoded_check_get(again));
}

static void fuzz_requests(const char *json, size_t len)
{
    OC_FREE char *yaml = NULL;
    OC_FREE char *again = NULL;
    OC_FREE char *text = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t yaml_len = 0, text_len = 0, again_len = 0;
    int r = outcall_checkin_decode(json, len, &err);
    if (r < 0)
        refused(r, &err);
    outcall_error_clear(&err);
    r = outcall_rule_request_decode(json, len, &yaml, &yaml_len, &err);
    if (r < 0) {
        require(!yaml);
        refused(r, &err);
        return;
    }
    require(strlen(yaml) == yaml_len);
    r = outcall_rule_request_encode(yaml, yaml_len, &text, &text_len, &err);
    if (r == OUTCALL_E_LIMIT)
        return;
    require(r == 0 && outcall_rule_request_decode(text, text_len, &again, &again_len, &err) == 0);
    require(yaml_len == again_len && memcmp(yaml, again, again_len) == 0);
}

static void fuzz_reply(const char *json, size_t len)
{
    outcall_reply reply, again;
    OC_FREE char *text = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t text_len = 0;
    memset(&reply, 1, sizeof(reply));
    int r = outcall_reply_decode(json, len, &reply, &err);
    if (r < 0) {
        require(is_zero(&reply, sizeof(reply)));
        refused(r, &err);
        return;
    }
    require(reply.allowed == 0 || reply.allowed == 1);
    require(oc_utf8_valid(reply.reason, strlen(reply.reason)) &&
            !oc_has_control(reply.reason, strlen(reply.reason)) &&
            !oc_has_control(reply.rule_id, strlen(reply.rule_id)));
    require(outcall_reply_encode(&reply, &text, &text_len, &err) == 0 &&
            outcall_reply_decode(text, text_len, &again, &err) == 0);
    require(reply.allowed == again.allowed && strcmp(reply.rule_id, again.rule_id) == 0 &&
            strcmp(reply.reason, again.reason) == 0);
}

static void fuzz_session(const char *json, size_t len)
{
    outcall_session session, again;
    OC_FREE char *text = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t text_len = 0;
    memset(&session, 1, sizeof(session));
    int r = outcall_session_decode(json, len, &session, &err);
    if (r < 0) {
        require(is_zero(&session, sizeof(session)));
        refused(r, &err);
        return;
    }
    require(outcall_session_encode(&session, &text, &text_len, &err) == 0 &&
            outcall_session_decode(text, text_len, &again, &err) == 0);
    require(strcmp(session.container_id, again.container_id) == 0 && strcmp(session.name, again.name) == 0 &&
            strcmp(session.token, again.token) == 0 && session.heartbeat_s == again.heartbeat_s);
}

static void fuzz_state(const char *json, size_t len)
{
    outcall_rule_request_state state, again;
    OC_FREE char *text = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t text_len = 0;
    memset(&state, 1, sizeof(state));
    int r = outcall_rule_request_state_decode(json, len, &state, &err);
    if (r < 0) {
        require(is_zero(&state, sizeof(state)));
        refused(r, &err);
        return;
    }
    require(outcall_rule_request_state_encode(&state, &text, &text_len, &err) == 0 &&
            outcall_rule_request_state_decode(text, text_len, &again, &err) == 0);
    require(strcmp(state.id, again.id) == 0 && strcmp(state.status, again.status) == 0 &&
            strcmp(state.reason, again.reason) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *json = (const char *)data;
    if (!json) /* no bytes at all need not be somewhere */
        return 0;
    fuzz_check(json, size);
    fuzz_requests(json, size);
    fuzz_reply(json, size);
    fuzz_session(json, size);
    fuzz_state(json, size);
    return 0;
}
