/* A small scripted HTTP server on a unix socket that plays a Docker Engine, for what the real one cannot be
 * made to do. It runs in threads of its own inside the test, or as the program fake-engine.
 *
 * A script is a JSON object (or only its "rules" array):
 *   "api", "min_api", "server"   what GET /version says; "min_api": "" leaves it out. A request below /vX.Y
 * outside of that range gets Docker's own 400. Without "api" there is no /version and no check. "podman":
 * true               Podman's words for that 400, and its extra fields in /version "rules": [{...}, ...] the
 * first rule that fits answers, and is used up after "times" answers: "method"     exact; absent = any "path"
 * extended regular expression over the whole path without version prefix and query; absent = any
 *                  but those two "query" text
 * that must occur in the (escaped) query "times"      how often; absent = for ever "status"     default 200
 *     "body"       any JSON value; a string is sent as it is; absent = empty
 *     "headers"    {"Name": "value"}
 *     "chunks"     array of strings, each sent as a chunk of its own; replaces body
 *     "raw"        these bytes instead of any HTTP
 *     "cut_after"  close after so many bytes of the body, whose length was announced in full
 *     "hang"       "before" anything is said, "after" the head, or "end": after the body, the stream stays
 * open "wait_ms"    the answer begins so much later "repeat"     the body this many times (large answers) GET
 * /_ping and GET /version are answered from "api" unless a rule comes first. No rule: 404.
 */
#ifndef SUPPORT_FAKE_ENGINE_H
#define SUPPORT_FAKE_ENGINE_H
#include <stdbool.h>
#include <stddef.h>

struct fake_engine;

/* Listens on socket_path. script: JSON text. log_path: requests are appended there, one a line
 * ("METHOD TARGET BODY"); may be NULL. NULL and words on stderr when something is wrong. */
struct fake_engine *fake_engine_new(const char *socket_path, const char *script, const char *log_path);
/* Ends every connection, removes the socket. */
struct fake_engine *fake_engine_free(struct fake_engine *f);

/* Puts another script in place, for requests from now on. */
bool fake_engine_script(struct fake_engine *f, const char *script);
/* How many requests so far had this method and a target (with version and query) that contains text? NULL =
 * any. */
size_t fake_engine_count(struct fake_engine *f, const char *method, const char *text);
/* All requests so far as in the log file: new, free(). */
char *fake_engine_requests(struct fake_engine *f);
/* How many connections were ever accepted? */
size_t fake_engine_connections(struct fake_engine *f);
/* Closes every connection that waits for a request: a kept one is dead then. */
void fake_engine_drop(struct fake_engine *f);
/* How many connections are open now? */
size_t fake_engine_open(struct fake_engine *f);

#endif
