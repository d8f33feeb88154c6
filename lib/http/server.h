/* http/server.h - HTTP/1.1 servers on unix listeners, over libmicrohttpd. Two ways to run: with threads of
 * its own (one per connection; handlers may block) or driven by the caller through an epoll descriptor
 * (handlers must not block). */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H
#include "base/base.h"
#include "outcall/log.h"

typedef struct oc_http_server oc_http_server;
typedef struct oc_http_call oc_http_call; /* one request; valid inside the handler */

/* Decides about a connection when it is accepted, before a byte is read. fd: borrowed. 0: serve it; ret_peer:
 * whatever the handler should find in oc_http_call_peer, released with peer_free when the connection ends.
 * Negative: it is closed at once. */
typedef int (*oc_http_accept_fn)(void *userdata, int fd, void **ret_peer);

/* Answers one complete request by calling oc_http_reply* or oc_http_stream_begin exactly once; no call is
 * answered with 500. Must not stop or free the server. */
typedef void (*oc_http_handler_fn)(void *userdata, oc_http_call *call);

struct oc_http_server_options {
    int listen_fd;            /* taken on success: a listening unix stream socket */
    bool threaded;            /* a thread per connection; else driven by the caller */
    unsigned max_connections; /* more wait in the backlog; 0 = 64 */
    size_t max_body;          /* bytes; more is answered 413 and the connection stays usable */
    unsigned idle_timeout_s;  /* a silent connection is closed; 0 = 30; streams are exempt */
    oc_http_accept_fn accept; /* NULL = everybody */
    void (*peer_free)(void *peer);
    oc_http_handler_fn handle;
    /* The JSON text of an error this glue makes itself (400 of a bad target or framing, 413, 500): new,
     * free(). What libmicrohttpd refuses before there is a request (no HTTP, a head that is too long: 400,
     * 431, 505) carries its own text and ends the connection. */
    char *(*error_body)(void *userdata, int status, const char *text);
    void *userdata;
    outcall_log *log;
};

OC_NODISCARD int oc_http_server_new(oc_http_server **ret, const struct oc_http_server_options *opts,
                                    outcall_error *err);
/* Stops listening at once, makes every oc_http_call_hangup_fd readable, waits up to drain_ms for requests in
 * flight, then hangs up on what is left. Returns when the last handler has returned: a handler that may wait
 * for long must watch its hang-up descriptor. Threaded servers only; once, not from a handler. */
void oc_http_server_stop(oc_http_server *s, uint64_t drain_ms);
oc_http_server *oc_http_server_free(oc_http_server *s); /* stops first */

/* Driven by the caller: poll this for readable, then run; timeout_ms: when to run at the latest, -1 = never.
 */
int oc_http_server_fd(const oc_http_server *s);
int64_t oc_http_server_timeout_ms(oc_http_server *s);
void oc_http_server_run(oc_http_server *s);             /* never blocks */
unsigned oc_http_server_connections(oc_http_server *s); /* open at this moment; both kinds */

const char *oc_http_call_method(const oc_http_call *c);
const char *oc_http_call_path(const oc_http_call *c); /* unescaped, without the query */
const char *oc_http_call_query(const oc_http_call *c,
                               const char *name); /* unescaped; NULL = absent, "" = no value */
/* Calls fn for each query argument in order; stops at a non-zero result and returns it. */
int oc_http_call_query_each(const oc_http_call *c,
                            int (*fn)(void *userdata, const char *name, const char *value), void *userdata);
const char *oc_http_call_header(const oc_http_call *c, const char *name);
const char *oc_http_call_body(const oc_http_call *c, size_t *ret_len); /* never NULL */
void *oc_http_call_peer(const oc_http_call *c);

/* take_body: malloc'd JSON text, ours from here on whatever happens. retry_after_s: 0 = no such header. */
void oc_http_reply(oc_http_call *c, int status, char *take_body, size_t len, uint32_t retry_after_s);
/* The same with another type than application/json. take_body NULL is out of memory: 500. */
void oc_http_reply_as(oc_http_call *c, int status, const char *content_type, char *take_body, size_t len);

/* The connection ends with this call's answer; to be said before it. */
void oc_http_call_last(oc_http_call *c);
/* The connection is watched by its client and may stay silent for as long as it likes. */
void oc_http_call_keep(oc_http_call *c);
/* Driven servers only: the handler returns without an answer, and the connection stands still until resume,
 * which gives the answer (as oc_http_reply) on the driving thread. Exactly one resume for each suspend,
 * before the server is freed; c is valid until then. */
void oc_http_call_suspend(oc_http_call *c);
void oc_http_call_resume(oc_http_call *c, int status, char *take_body, size_t len, uint32_t retry_after_s);

/* Streams (threaded servers only): the handler calls begin once, then write as often as it likes from the
 * same thread; write blocks while the peer is slow and fails with OUTCALL_E_CLOSED when it is gone or the
 * server stops. Returning from the handler ends the stream, and the connection with it; after
 * oc_http_stream_cut the peer can tell that it did not get everything. begin: OUTCALL_E_INVALID on a driven
 * server or when there was an answer already; _CLOSED, _SYSTEM. */
OC_NODISCARD int oc_http_stream_begin(oc_http_call *c, int status, const char *content_type);
OC_NODISCARD int oc_http_stream_write(oc_http_call *c, const void *data, size_t len);
void oc_http_stream_cut(oc_http_call *c);
/* Readable when the peer hung up or the server stops: what a handler that waits polls beside its own source.
 * Borrowed until the handler returns. Threaded servers only (-1 otherwise). */
int oc_http_call_hangup_fd(const oc_http_call *c);

/* A listening unix stream socket at path with this mode (set before listen, whatever the umask) and group
 * ((gid_t)-1 = leave): bound to a fresh name and renamed into place, so that a stale one is replaced in one
 * step. *ret_fd: new. OUTCALL_E_SYSTEM, _LIMIT (name too long). */
OC_NODISCARD int oc_http_listen_unix(const char *path, mode_t mode, gid_t group, int backlog, int *ret_fd,
                                     outcall_error *err);
/* The same for a name in an open directory; the directory's path may be of any length. */
OC_NODISCARD int oc_http_listen_at(int dir_fd, const char *name, mode_t mode, gid_t group, int backlog,
                                   int *ret_fd, outcall_error *err);

#endif
