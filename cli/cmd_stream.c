/* cmd_stream.c - answers that come bit by bit: a container's output, an image's way here. */
#include "cmd.h"
#include <string.h>

/* RFC 4648, padded. The result is written over the text. -1: not base64. */
static ptrdiff_t decode_base64(char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), n = 0;
    if (len % 4 != 0)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t bits = 0;
        unsigned padding = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *at = strchr(alphabet, text[i + k]);
            bool is_padding = text[i + k] == '=' && k >= 2 && i + 4 == len;
            if ((!at && !is_padding) || (at && padding > 0))
                return -1;
            padding += is_padding;
            bits = bits << 6 | (at ? (uint32_t)(at - alphabet) : 0);
        }
        text[n++] = (char)(bits >> 16);
        if (padding < 2)
            text[n++] = (char)(bits >> 8 & 0xff);
        if (padding < 1)
            text[n++] = (char)(bits & 0xff);
    }
    return (ptrdiff_t)n;
}

static int malformed(struct cli *c)
{
    return cli_fail(c, EXIT_FAILED, "the daemon's answer is malformed");
}

int cmd_stream_failure(struct cli *c, const json_t *line)
{
    const char *error = json_string_value(json_object_get(line, "error"));
    if (!json_is_false(json_object_get(line, "success")))
        return EXIT_DONE;
    return cli_fail(c, EXIT_FAILED, "%s", error ? error : "the daemon gave up");
}

/* Raw, as `docker logs` does it: what the container wrote is not ours to change. */
int cmd_log_line(struct cli *c, const char *line, size_t len, void *userdata)
{
    (void)userdata;
    CLI_JSON json_t *j = json_loadb(line, len, 0, NULL);
    CLI_FREE char *data = NULL;
    int status = cmd_stream_failure(c, j);
    if (status != EXIT_DONE)
        return status;
    if (c->json) {
        (void)fwrite(line, 1, len, c->out);
        fputc('\n', c->out);
        return fflush(c->out) == 0 ? EXIT_DONE : EXIT_FAILED;
    }
    const char *stream = json_string_value(json_object_get(j, "stream"));
    const char *text = json_string_value(json_object_get(j, "data"));
    data = text ? strdup(text) : NULL;
    ptrdiff_t n = data ? decode_base64(data) : -1;
    if (n < 0 || !stream)
        return malformed(c);
    FILE *f = strcmp(stream, "stderr") == 0 ? c->err : c->out;
    (void)fwrite(data, 1, (size_t)n, f);
    return fflush(f) == 0 ? EXIT_DONE : EXIT_FAILED;
}

struct pull {
    bool drawn, finished;
};

static void erase(struct cli *c, struct pull *p)
{
    if (p->drawn)
        fputs("\r\x1b[K", c->err);
    p->drawn = false;
}

static void draw(struct cli *c, struct pull *p, const json_t *j)
{
    json_int_t current = json_integer_value(json_object_get(j, "current"));
    json_int_t total = json_integer_value(json_object_get(j, "total"));
    char buf[32];
    if (!c->is_terminal)
        return;
    erase(c, p);
    const char *layer = out_value(json_object_get(j, "layer"), buf, sizeof(buf));
    out_text(c->err, layer);
    fputs(*layer ? ": " : "", c->err);
    out_text(c->err, out_value(json_object_get(j, "status"), buf, sizeof(buf)));
    if (total > 0)
        fprintf(c->err, " %3d%%", (int)(100.0 * (double)current / (double)total));
    (void)fflush(c->err);
    p->drawn = true;
}

static int finish(struct cli *c, struct pull *p, const json_t *j)
{
    const json_t *data = json_object_get(j, "data");
    p->finished = true;
    erase(c, p);
    int status = cmd_stream_failure(c, j);
    if (status != EXIT_DONE)
        return status;
    if (c->json) {
        CLI_FREE char *text = json_dumps(data, JSON_COMPACT);
        fprintf(c->out, "%s\n", text ? text : "{}");
    } else {
        cmd_say(c, "Image", data, "image", cmd_is(data, "pulled") ? " pulled." : " is up to date.");
    }
    return EXIT_DONE;
}

static int pull_line(struct cli *c, const char *line, size_t len, void *userdata)
{
    struct pull *p = userdata;
    CLI_JSON json_t *j = json_loadb(line, len, 0, NULL);
    if (!j || p->finished) {
        erase(c, p);
        return malformed(c);
    }
    if (json_is_boolean(json_object_get(j, "success")))
        return finish(c, p, j);
    draw(c, p, j);
    return EXIT_DONE;
}

int cmd_run_pull(struct cli *c)
{
    struct pull p = {0};
    if (!c->args.image)
        return cli_fail(c, EXIT_USAGE, "an image is missing");
    json_t *body = json_pack("{s:s}", "image", c->args.image);
    if (!body)
        return cli_fail(c, EXIT_USAGE, "an argument is not valid UTF-8");
    int status = cli_stream(c, "POST", "/api/v1/container/pull?progress=1", body, pull_line, &p);
    erase(c, &p);
    if (status == EXIT_DONE && !p.finished)
        return cli_fail(c, EXIT_FAILED, "the daemon's answer ended before the result");
    return status;
}
