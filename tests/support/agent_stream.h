/* tests/support/agent_stream.h - all that came over one connection of an agent: complete answers of HTTP/1.1
 * and nothing else, each header and each body on a list. */
#ifndef SUPPORT_AGENT_STREAM_H
#define SUPPORT_AGENT_STREAM_H
#include "support/agent_answer.h"

/* Statuses with their words, as libmicrohttpd writes them. */
static const char *const agent_statuses[] = {"200 OK",
                                             "400 Bad Request",
                                             "401 Unauthorized",
                                             "403 Forbidden",
                                             "404 Not Found",
                                             "413 Content Too Large",
                                             "422 Unprocessable Content",
                                             "429 Too Many Requests",
                                             "431 Request Header Fields Too Large",
                                             "500 Internal Server Error",
                                             "503 Service Unavailable",
                                             "505 HTTP Version Not Supported"};

/* What libmicrohttpd says by itself, about a request that is none. */
static const struct {
    int status;
    const char *body;
} agent_pages[] = {
    {400, "<html><head><title>Request malformed</title></head><body>Your HTTP request was syntactically "
          "incorrect.</body></html>"},
    {400, "<html><head><title>Request malformed</title></head><body>Your HTTP request has wrong value for "
          "<b>Content-Length</b> header.</body></html>"},
    {400, "<html><head><title>Request malformed</title></head><body>Your HTTP chunked encoding was "
          "syntactically incorrect.</body></html>"},
    {400,
     "<html><head><title>&quot;Host:&quot; header required</title></head><body>In HTTP 1.1, requests must "
     "include a &quot;Host:&quot; header, and your HTTP 1.1 request lacked such a header.</body></html>"},
    {413, "<html><head><title>Request content too large</title></head><body>Your HTTP request has too large "
          "value for <b>Content-Length</b> header.</body></html>"},
    {413, "<html><head><title>Request content too large</title></head><body>The chunk size used in your HTTP "
          "chunked encoded request is too large.</body></html>"},
    {431,
     "<html><head><title>Request too big</title></head><body>Your HTTP header was too big for the memory "
     "constraints of this webserver.</body></html>"},
    {505, "<html><head><title>Requested HTTP version is not supported</title></head><body>Requested HTTP "
          "version is too old and not supported.</body></html>"},
    {505, "<html><head><title>Requested HTTP version is not supported</title></head><body>Requested HTTP "
          "version is not supported.</body></html>"},
};

struct agent_head {
    int status;
    bool has_length, has_date, has_type, has_connection, has_retry;
    uint64_t length;
};

/* Is s, up to its end, of this form? 9 a digit, A a capital, a a small letter; all else is itself. */
static inline bool agent_form(const char *form, const char *s, size_t len)
{
    if (strlen(form) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (form[i] == '9'   ? !isdigit(c)
            : form[i] == 'A' ? !isupper(c)
            : form[i] == 'a' ? !islower(c)
                             : form[i] != s[i])
            return false;
    }
    return true;
}

static inline bool agent_number(const char *s, size_t len, uint64_t max, uint64_t *ret)
{
    return oc_parse_u64(s, len, 0, max, ret) == 0;
}

static inline bool agent_is(const char *s, size_t len, const char *what)
{
    return len == strlen(what) && memcmp(s, what, len) == 0;
}

static inline bool agent_once(bool *seen)
{
    bool first = !*seen;
    *seen = true;
    return first;
}

static inline bool agent_header_ok(struct agent_head *h, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    uint64_t wait = 0;
    if (!colon || (size_t)(colon - line) + 2 > len || colon[1] != ' ')
        return false;
    const char *v = colon + 2;
    size_t name = (size_t)(colon - line), n = len - name - 2;
    if (agent_is(line, name, "Content-Length"))
        return agent_once(&h->has_length) && agent_number(v, n, OUTCALL_AGENT_BODY_MAX, &h->length);
    if (agent_is(line, name, "Date"))
        return agent_once(&h->has_date) && agent_form("Aaa, 99 Aaa 9999 99:99:99 GMT", v, n);
    if (agent_is(line, name, "Content-Type"))
        return agent_once(&h->has_type) && agent_is(v, n, "application/json");
    if (agent_is(line, name, "Connection"))
        return agent_once(&h->has_connection) && (agent_is(v, n, "close") || agent_is(v, n, "Keep-Alive"));
    if (agent_is(line, name, "Retry-After"))
        return agent_once(&h->has_retry) && h->status == 429 && agent_number(v, n, 7200, &wait) && wait > 0;
    return false;
}

static inline bool agent_status_ok(struct agent_head *h, const char *line, size_t len)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_statuses); i++)
        if (len == 9 + strlen(agent_statuses[i]) && memcmp(line, "HTTP/1.1 ", 9) == 0 &&
            memcmp(line + 9, agent_statuses[i], len - 9) == 0) {
            h->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
            return true;
        }
    return false;
}

static inline bool agent_body_ok(struct agent_known *k, const struct agent_head *h, const char *body)
{
    size_t len = (size_t)h->length;
    if (h->has_type)
        return agent_json_ok(k, h->status, body, len);
    for (size_t i = 0; i < OC_ARRAY_SIZE(agent_pages); i++)
        if (agent_pages[i].status == h->status && agent_is(body, len, agent_pages[i].body))
            return true;
    return agent_wrong(k, "a page that is on no list", body, len);
}

/* One answer, from its status line. Returns its bytes; 0: it is not well, or cut off (then *ret_cut). */
static inline size_t agent_one_answer(struct agent_known *k, const char *s, size_t n, bool may_be_head,
                                      bool *ret_cut)
{
    struct agent_head h = {0};
    const char *end = memmem(s, n, "\r\n\r\n", 4), *line = s;
    *ret_cut = !end;
    for (const char *stop = end; end && line <= end; line = stop + 2) {
        stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        size_t len = (size_t)(stop - line);
        if (line == s ? !agent_status_ok(&h, line, len) : !agent_header_ok(&h, line, len)) {
            (void)agent_wrong(k, "a line of a head that is on no list", line, len);
            return 0;
        }
    }
    if (!end)
        return 0;
    k->status = h.status;
    if (!h.has_length || !h.has_date || (h.status == 429) != h.has_retry) {
        (void)agent_wrong(k, "a head without a header", s, (size_t)(end - s));
        return 0;
    }
    const char *body = end + 4;
    size_t head = (size_t)(body - s), left = n - head;
    if (!h.has_type && left >= head && memcmp(s, body, head) == 0) {
        body += head; /* libmicrohttpd 0.9.75 writes the head of its own pages twice */
        left -= head;
    }
    if (may_be_head && (left == 0 || body[0] == 'H'))
        return n - left;
    *ret_cut = left < h.length;
    return !*ret_cut && agent_body_ok(k, &h, body) ? n - left + (size_t)h.length : 0;
}

/* Are all bytes of one connection accounted for? sent: all that the agent wrote. we_ended: its last answer
 * may be cut off. False: k->wrong says why. */
static inline bool agent_stream_ok(struct agent_known *k, const char *sent, size_t sent_len, const char *s,
                                   size_t n, bool we_ended)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool may_be_head = sent_len > 0 && memmem(sent, sent_len, "HEAD", 4);
    while (n > 0) {
        bool cut = false;
        size_t one = sizeof(go_on) - 1;
        if (n < one || memcmp(s, go_on, one) != 0)
            one = agent_one_answer(k, s, n, may_be_head, &cut);
        if (one == 0)
            return (cut && we_ended && !k->wrong) || agent_wrong(k, "a piece of an answer", s, n);
        s += one;
        n -= one;
    }
    return true;
}
#endif
