/* api.c - calls and streams of the host API, and how their failures read. */
#include "cli.h"
#include "outcall/host_client.h"
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20) /* one line of a stream */
#define CHANGE_MS      UINT64_C(400000)  /* the longest stop is 300 s, and the engine may take its time */
#define LIBRARY_MS     UINT64_C(0)       /* the client's own default: enough to look something up */

char *cli_path(const char *base)
{
    return strdup(base);
}

static char *escape(const char *s)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    char *escaped = calloc(strlen(s) + 1, 3), *p = escaped;
    if (!escaped)
        return NULL;
    for (; *s; s++) {
        if (strchr(unreserved, *s))
            *p++ = *s;
        else
            p += snprintf(p, 4, "%%%02X", (unsigned char)*s);
    }
    return escaped;
}

char *cli_path_part(char *take, const char *part)
{
    CLI_FREE char *path = take, *escaped = escape(part);
    char *longer = NULL;
    return path && escaped && asprintf(&longer, "%s/%s", path, escaped) >= 0 ? longer : NULL;
}

char *cli_path_arg(char *take, const char *name, const char *value)
{
    CLI_FREE char *path = take;
    char *longer = NULL;
    if (!path)
        return NULL;
    if (!value)
        return strdup(path);
    CLI_FREE char *escaped = escape(value);
    if (!escaped || asprintf(&longer, "%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', name, escaped) < 0)
        return NULL;
    return longer;
}

static int fail_error(struct cli *c, const outcall_error *e)
{
    return cli_fail(c, EXIT_FAILED, "%s", e->text[0] ? e->text : outcall_code_string(e->code));
}

static int no_memory(struct cli *c)
{
    return cli_fail(c, EXIT_FAILED, "out of memory");
}

static int connect_client(struct cli *c, uint64_t timeout_ms, outcall_host_client **ret)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    outcall_host_client_options opts = OUTCALL_HOST_CLIENT_OPTIONS_INIT;
    opts.socket_path = c->socket;
    opts.timeout_ms = timeout_ms;
    return outcall_host_client_new(ret, &opts, &e) < 0 ? fail_error(c, &e) : EXIT_DONE;
}

/* The text of a request's body; *ret stays NULL without one. */
static int body_text(struct cli *c, json_t *take_body, char **ret)
{
    CLI_JSON json_t *body = take_body;
    if (!body)
        return EXIT_DONE;
    *ret = json_dumps(body, JSON_COMPACT);
    /* Arguments are bytes; JSON is UTF-8. */
    return *ret ? EXIT_DONE : cli_fail(c, EXIT_USAGE, "an argument is not valid UTF-8");
}

static int show_data(struct cli *c, const char *body, size_t len, json_t **ret)
{
    json_error_t e;
    if (c->json) {
        (void)fwrite(body, 1, len, c->out);
        fputc('\n', c->out);
        return EXIT_DONE;
    }
    *ret = json_loadb(body, len, JSON_DECODE_ANY, &e);
    return *ret ? EXIT_DONE : cli_fail(c, EXIT_FAILED, "the daemon's answer is malformed: %s", e.text);
}

int cli_call(struct cli *c, const char *method, const char *path, json_t *take_body, bool wait, json_t **ret)
{
    __attribute__((cleanup(outcall_host_client_freep))) outcall_host_client *client = NULL;
    outcall_error e = OUTCALL_ERROR_INIT;
    CLI_FREE char *text = NULL, *body = NULL;
    size_t len = 0;
    uint64_t timeout_ms = strcmp(method, "GET") == 0 ? LIBRARY_MS : CHANGE_MS;
    int r = body_text(c, take_body, &text);
    if (r == EXIT_DONE && !path)
        r = no_memory(c);
    if (r == EXIT_DONE)
        r = connect_client(c, wait ? UINT64_MAX : timeout_ms, &client);
    if (r != EXIT_DONE)
        return r;
    if (outcall_host_client_call(client, method, path, text, &body, &len, &e) < 0)
        return fail_error(c, &e);
    return show_data(c, body, len, ret);
}

int cli_print_json(struct cli *c, json_t *take)
{
    CLI_JSON json_t *data = take;
    CLI_FREE char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
    if (!text)
        return no_memory(c);
    fprintf(c->out, "%s\n", text);
    return EXIT_DONE;
}

struct lines {
    struct cli *c;
    int (*on_line)(struct cli *c, const char *line, size_t len, void *userdata);
    void *userdata;
    char *partial;
    size_t len;
    int status;
};

static int keep(struct lines *l, const char *data, size_t len)
{
    if (len == 0)
        return 0;
    if (l->len + len > LINE_MAX_BYTES) {
        l->status =
            cli_fail(l->c, EXIT_FAILED, "the daemon sent a line of more than %zu bytes", LINE_MAX_BYTES);
        return 1;
    }
    char *longer = realloc(l->partial, l->len + len);
    if (!longer) {
        l->status = no_memory(l->c);
        return 1;
    }
    memcpy(longer + l->len, data, len);
    l->partial = longer;
    l->len += len;
    return 0;
}

static int feed(void *userdata, const char *data, size_t len)
{
    struct lines *l = userdata;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        if (keep(l, data, n))
            return 1;
        if (!end)
            return 0;
        if (l->len > 0)
            l->status = l->on_line(l->c, l->partial, l->len, l->userdata);
        if (l->status != 0)
            return 1;
        l->len = 0;
        data = end + 1;
        len -= n + 1;
    }
    return 0;
}

int cli_stream(struct cli *c, const char *method, const char *path, json_t *take_body,
               int (*on_line)(struct cli *c, const char *line, size_t len, void *userdata), void *userdata)
{
    __attribute__((cleanup(outcall_host_client_freep))) outcall_host_client *client = NULL;
    struct lines l = {.c = c, .on_line = on_line, .userdata = userdata};
    outcall_error e = OUTCALL_ERROR_INIT;
    CLI_FREE char *text = NULL;
    int r = body_text(c, take_body, &text);
    if (r == EXIT_DONE && !path)
        r = no_memory(c);
    if (r == EXIT_DONE)
        r = connect_client(c, UINT64_MAX, &client);
    if (r != EXIT_DONE)
        return r;
    r = outcall_host_client_stream(client, method, path, text, feed, &l, &e);
    bool cut_off = l.len > 0;
    free(l.partial);
    if (l.status != 0)
        return l.status;
    if (r < 0)
        return fail_error(c, &e);
    return cut_off ? cli_fail(c, EXIT_FAILED, "the daemon's answer ended in the middle") : EXIT_DONE;
}
