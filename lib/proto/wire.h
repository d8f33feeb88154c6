/* proto/wire.h - what the bodies of the agent API have in common: reading, the envelope of answers, writing.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H
#include "outcall/protocol.h"
#include "json/json.h"

#define OC_RULE_REQUEST_ID_LEN 15U /* "rr-" and 12 digits */
#define OC_TOKEN_LEN           36U /* "tok-" and 32 digits */

bool oc_rule_request_id_ok(const char *id);
bool oc_token_ok(const char *token);

/* One request's body: a JSON value of at most OUTCALL_AGENT_BODY_MAX bytes. *ret: new. OUTCALL_E_PROTOCOL,
 * _LIMIT, _INVALID (json is NULL), _NO_MEMORY. */
OC_NODISCARD int oc_wire_load(const char *json, size_t len, json_t **ret, outcall_error *err);
/* oc_json_decode, whose failures become the peer's: OUTCALL_E_PROTOCOL or _NO_MEMORY. where stands before the
 * member's name in the error ("metadata."). */
OC_NODISCARD int oc_wire_decode(const json_t *object, const struct oc_json_field *fields, size_t n, int mode,
                                const char *where, void *ret, outcall_error *err);

/* One answer's body. 0: {"success":true}, *ret (new) is the whole of it. OUTCALL_E_DENIED:
 * {"success":false}, with its text and kind; _PROTOCOL: neither; _INVALID, _NO_MEMORY. */
OC_NODISCARD int oc_wire_open(const char *json, size_t len, json_t **ret, outcall_error *err);
/* The answer's data, borrowed from it. OUTCALL_E_PROTOCOL: there is none, or it is no object. */
OC_NODISCARD int oc_wire_data(const json_t *envelope, const json_t **ret, outcall_error *err);

/* Text of j, which it takes on success and failure; NULL is out of memory. *ret: new. OUTCALL_E_LIMIT: more
 * than OUTCALL_AGENT_BODY_MAX bytes; _NO_MEMORY. */
OC_NODISCARD int oc_wire_dump(json_t *take_j, char **ret, size_t *ret_len, outcall_error *err);
/* The same of text that was written at once; r: how the writing went. */
struct oc_buf;
OC_NODISCARD int oc_wire_take(struct oc_buf *b, int r, char **ret, size_t *ret_len, outcall_error *err);
/* As oc_wire_dump, inside {"success":true,"data":...}. */
OC_NODISCARD int oc_wire_seal(json_t *take_data, char **ret, size_t *ret_len, outcall_error *err);

/* Copies text as one line that does nothing to a terminal: control characters (C0, C1, DEL) and Unicode's
 * line breaks become spaces. What does not fit is cut at a character and marked with "...". size > 4. */
void oc_wire_line(char *buf, size_t size, const char *s);

#endif
