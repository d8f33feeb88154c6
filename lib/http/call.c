#include "http/call.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include <string.h>
#include <strings.h>

static const char out_of_memory[] = "{\"success\":false,\"error\":\"out of memory\",\"code\":\"internal\"}";

static struct oc_http_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The request line has been read. What is returned here arrives in oc_http_call_step as *call. */
void *oc_http_call_new(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    oc_http_call *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->server = cls;
    c->conn = conn_of(mhd);
    c->mhd = mhd;
    c->hangup_fd = -1;
    c->body.max = c->server->o.max_body ? c->server->o.max_body : 1;
    c->raw_target = strdup(uri);
    return c;
}

void oc_http_call_end(void *cls, struct MHD_Connection *mhd, void **call, enum MHD_RequestTerminationCode why)
{
    oc_http_server *s = cls;
    oc_http_call *c = *call;
    (void)mhd;
    (void)why;
    if (!c)
        return;
    *call = NULL;
    if (c->counted) {
        (void)pthread_mutex_lock(&s->lock);
        s->in_flight--;
        (void)pthread_cond_broadcast(&s->changed);
        (void)pthread_mutex_unlock(&s->lock);
    }
    oc_close(c->hangup_fd);
    free(c->later.body);
    oc_http_target_done(&c->target);
    oc_buf_done(&c->body);
    free(c->raw_target);
    free(c);
}

static void refuse(oc_http_call *c, int status, const char *text)
{
    if (c->error == 0) {
        c->error = status;
        c->error_text = text;
    }
}

struct framing {
    unsigned lengths, codings, authorizations;
    uint64_t length;
    bool bad;
};

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct framing *f = cls;
    (void)kind;
    if (strcasecmp(key, "Content-Length") == 0) {
        f->lengths++;
        f->bad |= !value || oc_parse_u64(value, strlen(value), 0, INT64_MAX, &f->length) < 0;
    } else if (strcasecmp(key, "Transfer-Encoding") == 0) {
        f->codings++;
        f->bad |= !value || strcasecmp(value, "chunked") != 0;
    } else if (strcasecmp(key, "Authorization") == 0) {
        f->authorizations++;
    }
    return MHD_YES;
}

/* The head is complete. False: the connection is of no use. */
static bool begin(oc_http_call *c, const char *method, const char *version, uint64_t *ret_length)
{
    oc_http_server *s = c->server;
    struct framing f = {0};
    const char *why = NULL;
    c->begun = true;
    c->method = method;
    c->http10 = strcmp(version, "HTTP/1.1") != 0;
    (void)pthread_mutex_lock(&s->lock);
    c->counted = !s->stopping;
    s->in_flight += c->counted;
    (void)pthread_mutex_unlock(&s->lock);
    if (!c->counted)
        return false;
    int r = c->raw_target ? oc_http_target_parse(&c->target, c->raw_target, &why) : OUTCALL_E_NO_MEMORY;
    if (r < 0)
        refuse(c, r == OUTCALL_E_NO_MEMORY ? 500 : 400, r == OUTCALL_E_NO_MEMORY ? "out of memory" : why);
    (void)MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, look_at_header, &f);
    if (f.bad || f.lengths + f.codings > 1)
        refuse(c, 400, "Content-Length or Transfer-Encoding is repeated or malformed");
    if (f.authorizations > 1)
        refuse(c, 400, "Authorization is repeated");
    *ret_length = f.length;
    return true;
}

static bool take_body(oc_http_call *c, const char *data, size_t len)
{
    size_t max = c->server->o.max_body;
    if (c->dropped > 0 || len > max || c->body.len > max - len) {
        c->dropped += len;
        refuse(c, 413, "the request body is too large");
        return c->dropped <= OC_HTTP_DRAIN_MAX;
    }
    if (c->error == 0 && oc_buf_add(&c->body, data, len) < 0)
        refuse(c, 500, "out of memory");
    return true;
}

static void reply_error(oc_http_call *c)
{
    oc_http_server *s = c->server;
    char *body = s->o.error_body ? s->o.error_body(s->o.userdata, c->error, c->error_text) : NULL;
    if (!body && !s->o.error_body)
        body = oc_asprintf("{\"success\":false,\"error\":\"%s\"}", c->error_text);
    oc_http_reply(c, c->error, body, body ? strlen(body) : 0, 0);
}

static enum MHD_Result finish(oc_http_call *c)
{
    if (c->later.given) {
        oc_http_reply(c, c->later.status, oc_take_ptr(&c->later.body), c->later.len, c->later.retry_after_s);
    } else if (c->error == 0) {
        c->server->o.handle(c->server->o.userdata, c);
        if (c->suspended)
            return MHD_YES;
        if (c->streaming) {
            oc_http_stream_end(c);
            return MHD_NO; /* ends the connection, which is how the stream was announced */
        }
        if (!c->answered)
            refuse(c, 500, "the request was not answered");
    }
    if (!c->answered)
        reply_error(c);
    return c->queued ? MHD_YES : MHD_NO;
}

enum MHD_Result oc_http_call_step(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **call)
{
    oc_http_call *c = *call;
    (void)cls;
    (void)mhd;
    (void)url;
    if (!c || !c->conn || c->conn->refused)
        return MHD_NO;
    if (!c->begun) {
        uint64_t length = 0;
        if (!begin(c, method, version, &length))
            return MHD_NO;
        if (length <= c->server->o.max_body + (uint64_t)OC_HTTP_DRAIN_MAX)
            return MHD_YES;
        refuse(c, 413, "the request body is too large"); /* far too much to read for nothing */
        reply_error(c);
        return c->queued ? MHD_YES : MHD_NO;
    }
    if (*len > 0) {
        bool go_on = take_body(c, data, *len);
        *len = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    return finish(c);
}

static struct MHD_Response *make_response(const oc_http_call *c, char *take_body, size_t len,
                                          const char *type, uint32_t retry_after_s)
{
    char seconds[16];
    struct MHD_Response *response = MHD_create_response_from_buffer(len, take_body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(take_body);
        return NULL;
    }
    (void)oc_format(seconds, sizeof(seconds), "%u", (unsigned)retry_after_s);
    if (MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
        (retry_after_s == 0 || MHD_add_response_header(response, "Retry-After", seconds) == MHD_YES) &&
        (!c->last || MHD_add_response_header(response, "Connection", "close") == MHD_YES))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static void queue(oc_http_call *c, int status, char *take_body, size_t len, const char *type,
                  uint32_t retry_after_s)
{
    if (c->answered || c->streaming) {
        free(take_body);
        return;
    }
    c->answered = true;
    if (!take_body) {
        status = 500;
        type = "application/json";
        take_body = strdup(out_of_memory);
        len = sizeof(out_of_memory) - 1;
    }
    struct MHD_Response *response = take_body ? make_response(c, take_body, len, type, retry_after_s) : NULL;
    if (!response)
        return;
    c->queued = MHD_queue_response(c->mhd, (unsigned)status, response) == MHD_YES;
    MHD_destroy_response(response);
}

void oc_http_reply(oc_http_call *c, int status, char *take_body, size_t len, uint32_t retry_after_s)
{
    queue(c, status, take_body, len, "application/json", retry_after_s);
}

void oc_http_reply_as(oc_http_call *c, int status, const char *content_type, char *take_body, size_t len)
{
    queue(c, status, take_body, len, content_type, 0);
}

void oc_http_call_last(oc_http_call *c)
{
    c->last = true;
}

void oc_http_call_keep(oc_http_call *c)
{
    (void)MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
}

void oc_http_call_suspend(oc_http_call *c)
{
    c->suspended = true;
    MHD_suspend_connection(c->mhd);
}

void oc_http_call_resume(oc_http_call *c, int status, char *take_body, size_t len, uint32_t retry_after_s)
{
    c->suspended = false;
    c->later.given = true;
    c->later.status = status;
    c->later.body = take_body;
    c->later.len = len;
    c->later.retry_after_s = retry_after_s;
    MHD_resume_connection(c->mhd);
}

const char *oc_http_call_method(const oc_http_call *c)
{
    return c->method;
}

const char *oc_http_call_path(const oc_http_call *c)
{
    return c->target.path;
}

const char *oc_http_call_query(const oc_http_call *c, const char *name)
{
    for (size_t i = 0; i < c->target.n; i++)
        if (strcmp(c->target.args[i].name, name) == 0)
            return c->target.args[i].value;
    return NULL;
}

int oc_http_call_query_each(const oc_http_call *c,
                            int (*fn)(void *userdata, const char *name, const char *value), void *userdata)
{
    for (size_t i = 0; i < c->target.n; i++) {
        int r = fn(userdata, c->target.args[i].name, c->target.args[i].value);
        if (r != 0)
            return r;
    }
    return 0;
}

const char *oc_http_call_header(const oc_http_call *c, const char *name)
{
    return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

const char *oc_http_call_body(const oc_http_call *c, size_t *ret_len)
{
    *ret_len = c->body.len;
    return c->body.data ? c->body.data : "";
}

void *oc_http_call_peer(const oc_http_call *c)
{
    return c->conn->peer;
}
