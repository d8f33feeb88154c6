/* tests/support/agent_refusal.h - every refusal that an agent can be told: the closed set of its texts. What
 * an agent has said itself may come back in them, and only where a row says so. */
#ifndef SUPPORT_AGENT_REFUSAL_H
#define SUPPORT_AGENT_REFUSAL_H
#include "base/buf.h"
#include "base/str.h"
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In a text: %n a number; %t a type of JSON; %j what the JSON parser says; %q a piece of what the agent said.
 */
struct agent_refusal {
    int status;
    const char *code, *text;
};

static const struct agent_refusal agent_refusals[] = {
    /* the request line and the framing: lib/http */
    {400, "invalid_request", "malformed percent-escape in the request target"},
    {400, "invalid_request", "NUL in the request target"},
    {400, "invalid_request", "the request target is not UTF-8"},
    {400, "invalid_request", "the request target is no absolute path"},
    {400, "invalid_request", "escaped slash in the path"},
    {400, "invalid_request", "control character in the path"},
    {400, "invalid_request", "too many query arguments"},
    {400, "invalid_request", "fragment in the request target"},
    {400, "invalid_request", "Content-Length or Transfer-Encoding is repeated or malformed"},
    {400, "invalid_request", "Authorization is repeated"},
    {413, "too_large", "the request body is too large"},
    /* any body: lib/json, lib/proto */
    {400, "invalid_request", "JSON is nested deeper than 32 levels"},
    {400, "invalid_request", "malformed JSON: NUL bytes are not allowed"},
    {400, "invalid_request", "malformed JSON: %j (line %n, column %n)"},
    {400, "invalid_request", "expected an object, got %t"},
    {400, "invalid_request", "%q: unknown field"},
    /* a check-in */
    {400, "invalid_request", "hostname: expected a string, got %t"},
    {400, "invalid_request", "hostname: control characters are not allowed"},
    {400, "invalid_request", "hostname: expected 0 to 255 bytes, got %n"},
    {400, "invalid_request", "pid: expected an integer, got %t"},
    {400, "invalid_request", "pid: expected an integer from 0 to 2147483647, got %n"},
    {400, "invalid_request", "version: expected a string, got %t"},
    {400, "invalid_request", "version: control characters are not allowed"},
    {400, "invalid_request", "version: expected 0 to 255 bytes, got %n"},
    /* a question */
    {400, "invalid_request", "action_type: required field is missing"},
    {400, "invalid_request", "action_type: expected a string, got %t"},
    {400, "invalid_request", "action_type: control characters are not allowed"},
    {400, "invalid_request", "action_type: expected tool_exec, shell_exec, network_call or file_access"},
    {400, "invalid_request", "target: required field is missing"},
    {400, "invalid_request", "target: expected a string, got %t"},
    {400, "invalid_request", "target: control characters are not allowed"},
    {400, "invalid_request", "target: expected at least one byte"},
    {400, "invalid_request", "target: expected at most 4096, got %n"},
    {400, "invalid_request", "metadata: expected an object, got %t"},
    {400, "invalid_request", "metadata: members: expected at most 64, got %n"},
    {400, "invalid_request", "metadata: bytes of a name: expected at most 64, got %n"},
    {400, "invalid_request", "metadata: expected a name of letters, digits, \"_.-\", got \"%q\""},
    {400, "invalid_request", "metadata.args: expected an array of strings, got %t"},
    {400, "invalid_request", "metadata.args[%n]: expected a string, got %t"},
    {400, "invalid_request", "metadata.args: elements: expected at most 1024, got %n"},
    {400, "invalid_request", "metadata.cwd: expected a string, got %t"},
    {400, "invalid_request", "metadata.cwd: control characters are not allowed"},
    {400, "invalid_request", "metadata.cwd: expected at least one byte"},
    {400, "invalid_request", "metadata.cwd: expected at most 4096, got %n"},
    {400, "invalid_request", "metadata.cwd: expected an absolute path"},
    {400, "invalid_request", "metadata.%q: expected a string"},
    {400, "invalid_request", "%q: expected at most 4096, got %n"},
    {422, "target_invalid", "target: expected no space, control character or backslash"},
    {422, "target_invalid", "target: expected a scheme such as https before \"://\""},
    {422, "target_invalid", "target: expected no escaped slash, backslash or NUL in the path"},
    {422, "target_invalid", "target: expected no \".\" or \"..\" in the path"},
    {422, "target_invalid", "target: expected a host name of 1 to 255 bytes"},
    {422, "target_invalid", "target: expected a host name of letters, digits, \"-\", \"_\" and single dots"},
    {422, "target_invalid", "target: expected no user name or password"},
    {422, "target_invalid", "target: expected an IPv6 address between the brackets"},
    {422, "target_invalid", "target: expected \"]\" after the IPv6 address"},
    {422, "target_invalid", "target: expected \":\" and a port after \"]\""},
    {422, "target_invalid", "target: expected a host name or a dotted IPv4 address, not a number"},
    {422, "target_invalid",
     "target: expected an absolute path without \".\", \"..\", \"//\" or a slash at the end"},
    {422, "target_invalid", "target: expected a port from 1 to 65535 after \":\""},
    /* a rule request; whatever else is said about a file is what is said where there are no rules at all */
    {400, "invalid_request", "rule_file: required field is missing"},
    {400, "invalid_request", "rule_file: expected a string, got %t"},
    {400, "invalid_request", "rule_file: expected 1 to 65536 bytes, got %n"},
    {422, "rules_invalid", "the rule file has more than %n bytes"},
    {422, "rules_invalid", "the tests take too long"},
    {422, "rules_invalid", "too many requests are pending"},
    /* that there is a rule of a name; names are told in verdicts too, and only ten a minute can be tried */
    {422, "rules_invalid", "request.yaml:%n:%n: rule \"%q\": a rule of this id is in force already"},
    {404, "request_not_found", "no such request"},
    /* anything */
    {401, "unauthorized", "expected the token of a check-in on this socket"},
    {403, "forbidden", "this socket belongs to another container"},
    {404, "not_found", "no such route"},
    {429, "rate_limited", "too many requests"},
    {503, "not_ready", "the agent API is not ready"},
    {503, "not_ready", "the socket is closed"},
    {500, "internal", "out of memory"},
    {500, "internal", "the request was not answered"},
    {500, "internal", "the answer cannot be written"},
    {500, "internal", "the check-in cannot be judged"},
    {500, "internal", "the question cannot be judged"},
    {500, "internal", "no session can be made"},
    {500, "internal", "the request cannot be kept"},
    {500, "internal", "the request cannot be read"},
    /* a check-in that the rules refuse; a rule's reason stands in its place */
    {403, "policy_denied", "blocked by the operator's rules"},
    {403, "policy_denied", "the rules take too long"},
    {403, "policy_denied", "the rules cannot be asked"},
};

/* Jansson's errors about texts; "near" and a token follow some of them. */
static const char *const agent_json_texts[] = {"'[' or '{' expected",
                                               "']' expected",
                                               "'}' expected",
                                               "':' expected",
                                               "string or '}' expected",
                                               "end of file expected",
                                               "premature end of input",
                                               "duplicate object key",
                                               "invalid token",
                                               "unexpected token",
                                               "unexpected newline",
                                               "invalid escape",
                                               "control character 0x%x",
                                               "unable to decode byte 0x%x",
                                               "invalid Unicode escape '%q'",
                                               "invalid Unicode '\\u%x'",
                                               "invalid Unicode '\\u%x\\u%x'",
                                               "too big integer",
                                               "too big negative integer",
                                               "real number overflow",
                                               "NUL byte in object key not supported",
                                               "\\u0000 is not allowed",
                                               "maximum parsing depth reached"};
static const char *const agent_json_types[] = {"an object", "an array",  "a string", "an integer",
                                               "a number",  "a boolean", "null"};

static inline size_t agent_span(const char *s, const char *bytes)
{
    return strspn(s, bytes);
}

static inline bool agent_has_said_all(const struct oc_buf *said, const char *s, size_t len)
{
    return len == 0 || (said->data && memmem(said->data, said->len, s, len));
}

/* Did the agent say this? What is longer than an error repeats ends in "...", and what was cut within a
 * character in "?". */
static inline bool agent_has_said(const struct oc_buf *said, const char *s, size_t len)
{
    if (len > OC_SHOWN_MAX - 4 && memcmp(s + len - 3, "...", 3) == 0)
        len -= 3;
    for (int bytes = 0; bytes < 4; bytes++, len--) {
        if (agent_has_said_all(said, s, len))
            return true;
        if (s[len - 1] != '?')
            return false;
    }
    return false;
}

static inline bool agent_text_is(const char *pattern, const char *s, const struct oc_buf *said);

/* The rest of a pattern after one of the texts of a list, which stand where "%t" or "%j" stands. */
static inline bool agent_one_of(const char *const *list, size_t n, const char *more, const char *rest,
                                const char *s, const struct oc_buf *said)
{
    for (size_t i = 0; i < n; i++) {
        char whole[256];
        if (oc_format(whole, sizeof(whole), "%s%s%s", list[i], more, rest) == 0 &&
            agent_text_is(whole, s, said))
            return true;
    }
    return false;
}

static inline bool agent_quoted(const char *rest, const char *s, const struct oc_buf *said)
{
    for (size_t len = 0, all = strlen(s); len <= all; len++)
        if (agent_text_is(rest, s + len, said) && agent_has_said(said, s, len))
            return true;
    return false;
}

/* Is s the text of this pattern? */
static inline bool agent_text_is(const char *pattern, const char *s, const struct oc_buf *said)
{
    for (; *pattern; pattern++, s++) {
        if (*pattern == '%') {
            const char *rest = pattern + 2;
            size_t digits = 0;
            switch (pattern[1]) {
            case 'n':
                digits = (size_t)(*s == '-') + agent_span(s + (*s == '-'), "0123456789");
                return digits > (size_t)(*s == '-') && agent_text_is(rest, s + digits, said);
            case 'x':
                digits = agent_span(s, "0123456789abcdefABCDEF");
                return digits > 0 && agent_text_is(rest, s + digits, said);
            case 't':
                return agent_one_of(agent_json_types, OC_ARRAY_SIZE(agent_json_types), "", rest, s, said);
            case 'j':
                return agent_one_of(agent_json_texts, OC_ARRAY_SIZE(agent_json_texts), "", rest, s, said) ||
                       agent_one_of(agent_json_texts, OC_ARRAY_SIZE(agent_json_texts), " near '%q'", rest, s,
                                    said) ||
                       agent_one_of(agent_json_texts, OC_ARRAY_SIZE(agent_json_texts), " near end of file",
                                    rest, s, said);
            default:
                return agent_quoted(rest, s, said);
            }
        }
        if (*pattern != *s)
            return false;
    }
    return *s == '\0';
}

/* Which of them it is, or -1. */
static inline int agent_refusal_find(int status, const char *code, const char *text,
                                     const struct oc_buf *said)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_refusals); i++)
        if (agent_refusals[i].status == status && strcmp(agent_refusals[i].code, code) == 0 &&
            agent_text_is(agent_refusals[i].text, text, said))
            return (int)i;
    return -1;
}

#endif
