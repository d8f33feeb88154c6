#include "http/reader.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "core/error.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CHUNK_LINE_MAX 18U /* sixteen digits and the line's end */

struct head {
    int status;
    bool http10, close, keep_alive, chunked, has_length;
    uint64_t length;
    uint32_t retry_after_s;
};

struct body {
    const struct oc_http_request *req;
    bool streamed;
    struct oc_buf kept;
};

static int broken(outcall_error *err, const char *what)
{
    return oc_fail(err, OUTCALL_E_PROTOCOL, "malformed answer: %s", what);
}

/* At least one more byte behind those in the buffer, which must not be full of unread ones. */
static int fill(struct oc_http_reader *r, outcall_error *err)
{
    if (r->start > 0) {
        memmove(r->buf, r->buf + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->end == sizeof(r->buf))
        return broken(err, "its head is too long");
    for (;;) {
        if (oc_deadline_left(r->deadline_ms) == 0) /* a peer that never pauses is held to it too */
            return oc_fail(err, OUTCALL_E_TIMEOUT, "no complete answer in time");
        size_t room = sizeof(r->buf) - r->end;
        ssize_t n = recv(r->fd, r->buf + r->end, room, MSG_DONTWAIT);
        if (n > 0) {
            r->drained = (size_t)n < room;
            r->end += (size_t)n;
            return 0;
        }
        if (n == 0 || errno == ECONNRESET || errno == EPIPE)
            return oc_fail(err, OUTCALL_E_CLOSED, "the peer closed the connection");
        if (errno != EAGAIN && errno != EINTR)
            return oc_fail_errno(err, "reading the answer");
        if (oc_poll1(r->fd, POLLIN, r->deadline_ms) < 0)
            return oc_fail_errno(err, "waiting for the answer");
    }
}

static bool is_line_clean(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

/* The next line without its CR LF, borrowed until the next read. *budget: bytes still allowed, line ends
 * counted. */
static int next_line(struct oc_http_reader *r, size_t *budget, const char **ret, size_t *ret_len,
                     outcall_error *err)
{
    size_t seen = 0;
    for (;;) {
        size_t have = r->end - r->start;
        char *line = r->buf + r->start;
        char *lf = memchr(line + seen, '\n', have - seen);
        size_t len = lf ? (size_t)(lf - line) + 1 : have;
        if (len > *budget || (!lf && len == *budget))
            return broken(err, "a head, trailer or chunk line is too long");
        if (lf) {
            if (len < 2 || lf[-1] != '\r' || !is_line_clean(line, len - 2))
                return broken(err, "a line holds control characters or does not end in CR LF");
            *budget -= len;
            *ret = line;
            *ret_len = len - 2;
            r->start += len;
            return 0;
        }
        seen = have;
        int x = fill(r, err);
        if (x < 0)
            return x;
    }
}

static int parse_status_line(const char *s, size_t len, struct head *ret, outcall_error *err)
{
    uint32_t status = 0;
    if (len < 12 || (memcmp(s, "HTTP/1.1 ", 9) != 0 && memcmp(s, "HTTP/1.0 ", 9) != 0) ||
        oc_parse_u32(s + 9, 3, 100, 599, &status) < 0 || (len > 12 && s[12] != ' '))
        return broken(err, "no HTTP/1.1 status line");
    ret->http10 = s[7] == '0';
    ret->status = (int)status;
    return 0;
}

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= 0x20 || (unsigned char)s[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s[i]))
            return false;
    return len > 0;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static void parse_connection(const char *s, size_t len, struct head *h)
{
    for (size_t i = 0; i < len;) {
        size_t end = i;
        while (end < len && s[end] != ',')
            end++;
        size_t from = i;
        size_t to = end;
        while (from < to && (s[from] == ' ' || s[from] == '\t'))
            from++;
        while (to > from && (s[to - 1] == ' ' || s[to - 1] == '\t'))
            to--;
        h->close |= is_word(s + from, to - from, "close");
        h->keep_alive |= is_word(s + from, to - from, "keep-alive");
        i = end + 1;
    }
}

static int parse_header(const char *s, size_t len, struct head *h, outcall_error *err)
{
    const char *colon = memchr(s, ':', len);
    if (!colon || !is_token(s, (size_t)(colon - s)))
        return broken(err, "a header line without a name, or a folded one");
    size_t name_len = (size_t)(colon - s);
    const char *v = colon + 1;
    size_t n = len - name_len - 1;
    while (n > 0 && (*v == ' ' || *v == '\t'))
        v++, n--;
    while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
        n--;
    if (is_word(s, name_len, "Content-Length")) {
        if (h->has_length || oc_parse_u64(v, n, 0, INT64_MAX, &h->length) < 0)
            return broken(err, "Content-Length is repeated or no number");
        h->has_length = true;
    } else if (is_word(s, name_len, "Transfer-Encoding")) {
        if (h->chunked || h->http10 || !is_word(v, n, "chunked"))
            return broken(err, "Transfer-Encoding is not \"chunked\"");
        h->chunked = true;
    } else if (is_word(s, name_len, "Connection")) {
        parse_connection(v, n, h);
    } else if (is_word(s, name_len, "Retry-After")) {
        uint32_t seconds = 0;
        if (oc_parse_u32(v, n, 0, UINT32_MAX, &seconds) == 0) /* a date is as good as none */
            h->retry_after_s = seconds;
    }
    return 0;
}

/* What does not begin like an answer is none, however it goes on: a peer that says something else (HTTP/0.9,
 * bare JSON) need not send a line's end first. */
static int expect_http(struct oc_http_reader *r, outcall_error *err)
{
    static const char begin[] = "HTTP/1.";
    for (;;) {
        size_t have = OC_MIN(r->end - r->start, sizeof(begin) - 1);
        if (memcmp(r->buf + r->start, begin, have) != 0)
            return broken(err, "no HTTP/1.1 status line");
        if (have == sizeof(begin) - 1)
            return 0;
        int x = fill(r, err);
        if (x < 0)
            return x;
    }
}

static int read_head(struct oc_http_reader *r, struct head *ret, outcall_error *err)
{
    struct head h = {0};
    size_t budget = OC_HTTP_HEAD_MAX;
    const char *line = NULL;
    size_t len = 0;
    int x = expect_http(r, err);
    if (x == 0)
        x = next_line(r, &budget, &line, &len, err);
    if (x == 0)
        x = parse_status_line(line, len, &h, err);
    while (x == 0) {
        x = next_line(r, &budget, &line, &len, err);
        if (x < 0 || len == 0)
            break;
        x = parse_header(line, len, &h, err);
    }
    if (x == 0 && h.chunked && h.has_length)
        x = broken(err, "both Content-Length and Transfer-Encoding");
    if (x == 0)
        *ret = h;
    return x;
}

/* Passes interim answers over. */
static int read_final_head(struct oc_http_reader *r, struct head *ret, outcall_error *err)
{
    for (int i = 0; i <= OC_HTTP_INTERIM_MAX; i++) {
        int x = read_head(r, ret, err);
        if (x < 0 || ret->status >= 200)
            return x;
        if (ret->status == 101 || ret->chunked || ret->has_length)
            return broken(err, "an interim answer with a body, or a change of protocol");
    }
    return broken(err, "too many interim answers");
}

static int deliver(struct body *b, const char *data, size_t len, outcall_error *err)
{
    if (b->streamed)
        return len > 0 ? b->req->on_data(b->req->userdata, data, len) : 0;
    if (len > b->req->body_max || b->kept.len > b->req->body_max - len)
        return oc_fail(err, OUTCALL_E_LIMIT, "the answer is longer than %zu bytes", b->req->body_max);
    int x = oc_buf_add(&b->kept, data, len);
    return x < 0 ? oc_fail_code(err, x, "keeping the answer") : 0;
}

static int read_length(struct oc_http_reader *r, uint64_t length, struct body *b, outcall_error *err)
{
    while (length > 0) {
        int x = r->start == r->end ? fill(r, err) : 0;
        if (x < 0)
            return x;
        size_t n = (size_t)OC_MIN((uint64_t)(r->end - r->start), length);
        x = deliver(b, r->buf + r->start, n, err);
        if (x != 0)
            return x;
        r->start += n;
        length -= n;
    }
    return 0;
}

static int read_trailers(struct oc_http_reader *r, outcall_error *err)
{
    struct head ignored = {0};
    size_t budget = OC_HTTP_HEAD_MAX;
    const char *line = NULL;
    size_t len = 0;
    for (;;) {
        int x = next_line(r, &budget, &line, &len, err);
        if (x < 0 || len == 0)
            return x;
        x = parse_header(line, len, &ignored, err);
        if (x < 0)
            return x;
    }
}

static int read_chunked(struct oc_http_reader *r, struct body *b, outcall_error *err)
{
    for (;;) {
        const char *line = NULL;
        size_t len = 0;
        size_t budget = CHUNK_LINE_MAX;
        uint64_t size = 0;
        int x = next_line(r, &budget, &line, &len, err);
        if (x < 0)
            return x;
        if (oc_parse_hex(line, len, INT64_MAX, &size) < 0)
            return broken(err, "a chunk size that is no number");
        if (size == 0)
            return read_trailers(r, err);
        x = read_length(r, size, b, err);
        budget = 2;
        if (x == 0)
            x = next_line(r, &budget, &line, &len, err);
        if (x != 0)
            return x;
        if (len != 0)
            return broken(err, "a chunk that is longer than it says");
    }
}

static int read_until_close(struct oc_http_reader *r, struct body *b, outcall_error *err)
{
    for (;;) {
        int x = deliver(b, r->buf + r->start, r->end - r->start, err);
        if (x != 0)
            return x;
        r->start = r->end;
        x = fill(r, NULL);
        if (x == OUTCALL_E_CLOSED)
            return 0;
        if (x < 0)
            return oc_fail_code(err, x, "reading the answer");
    }
}

static int read_body(struct oc_http_reader *r, const struct head *h, struct body *b, outcall_error *err)
{
    if (h->status == 204 || h->status == 304) {
        if (h->chunked || (h->status == 204 && h->length > 0))
            return broken(err, "a body where none may be");
        return 0;
    }
    if (h->chunked)
        return read_chunked(r, b, err);
    if (!h->has_length)
        return b->req->on_data ? read_until_close(r, b, err) : broken(err, "neither length nor chunks");
    if (!b->streamed && h->length > b->req->body_max)
        return oc_fail(err, OUTCALL_E_LIMIT, "the answer is longer than %zu bytes", b->req->body_max);
    return read_length(r, h->length, b, err);
}

/* Has the peer said more than the answer, as far as can be seen now? */
static bool has_more(const struct oc_http_reader *r)
{
    char c = 0;
    return r->start != r->end || (!r->drained && recv(r->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

int oc_http_read_response(struct oc_http_reader *r, const struct oc_http_request *req,
                          struct oc_http_response *ret, outcall_error *err)
{
    struct head h = {0};
    r->deadline_ms =
        req->head_deadline_ms ? OC_MIN(req->head_deadline_ms, req->deadline_ms) : req->deadline_ms;
    int x = read_final_head(r, &h, err);
    if (x < 0)
        return x;
    r->deadline_ms = req->deadline_ms;
    struct body b = {.req = req, .streamed = req->on_data && h.status < 300};
    x = read_body(r, &h, &b, err);
    if (x == 0 && has_more(r))
        x = broken(err, "bytes behind its end");
    char *text = NULL;
    size_t len = 0;
    if (x == 0 && !b.streamed) {
        text = oc_buf_take(&b.kept, &len);
        if (!text)
            x = oc_no_memory(err);
    }
    oc_buf_done(&b.kept);
    if (x != 0)
        return x;
    bool framed = h.chunked || h.has_length || h.status == 204 || h.status == 304;
    *ret = (struct oc_http_response){.status = h.status,
                                     .body = text,
                                     .len = len,
                                     .retry_after_s = h.retry_after_s,
                                     .keep_alive = framed && !h.close && (!h.http10 || h.keep_alive)};
    return 0;
}

void oc_http_response_done(struct oc_http_response *r)
{
    free(r->body);
    r->body = NULL;
    r->len = 0;
}
