/* http/call.h - what the files of the server half share: servers, connections and calls. */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H
#include "base/buf.h"
#include "http/server.h"
#include "http/target.h"
#include <microhttpd.h>
#include <pthread.h>

#define OC_HTTP_MEMORY_MAX ((size_t)16 * 1024)   /* bytes per connection; bounds a request's head */
#define OC_HTTP_DRAIN_MAX  ((size_t)1024 * 1024) /* bytes read and dropped behind a body that is too large */

struct oc_http_conn { /* one accepted connection; libmicrohttpd's socket context */
    oc_http_server *server;
    int fd; /* borrowed from libmicrohttpd */
    bool refused;
    void *peer;
};

struct oc_http_server {
    struct oc_http_server_options o;
    struct MHD_Daemon *mhd;
    int stop_fd;   /* eventfd: readable for good once the server stops */
    int broken_fd; /* eventfd: always readable; stands in where a hang-up descriptor cannot be made */
    pthread_t acceptor;
    bool accepting; /* the acceptor thread exists */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    unsigned connections, in_flight;
    uint64_t started;             /* connections libmicrohttpd took over, ever */
    struct oc_http_conn *handoff; /* accepted, not yet taken over */
    bool stopping;
};

struct oc_http_call {
    oc_http_server *server;
    struct oc_http_conn *conn;
    struct MHD_Connection *mhd;
    const char *method;
    bool http10, begun, counted;
    int error; /* status of an error found before the handler ran, and its text */
    const char *error_text;
    char *raw_target;
    struct oc_http_target target;
    struct oc_buf body;
    size_t dropped; /* bytes of a body that is too large */
    bool answered, queued, streaming, stream_failed, stream_cut;
    bool last;      /* the connection ends with the answer */
    bool suspended; /* the handler left it open ... */
    struct {        /* ... and this is what resume said */
        bool given;
        int status;
        char *body;
        size_t len;
        uint32_t retry_after_s;
    } later;
    int hangup_fd; /* epoll, made on demand */
};

/* libmicrohttpd's callbacks; cls is the server. */
void *oc_http_call_new(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result oc_http_call_step(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **call);
void oc_http_call_end(void *cls, struct MHD_Connection *mhd, void **call,
                      enum MHD_RequestTerminationCode why);

void oc_http_stream_end(oc_http_call *c);

#endif
