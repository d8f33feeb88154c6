#include "logsink.h"
#include "opt.h"
#include "out.h"
#include "outcall/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool logsink_is_journal(int fd, const char *journal_stream)
{
    struct stat st;
    uint64_t device = 0, inode = 0;
    char text[64];
    if (!journal_stream || strlen(journal_stream) >= sizeof(text) || fstat(fd, &st) < 0)
        return false;
    memcpy(text, journal_stream, strlen(journal_stream) + 1);
    char *colon = strchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    return opt_parse_u64(text, 0, UINT64_MAX, &device) == 0 &&
           opt_parse_u64(colon + 1, 0, UINT64_MAX, &inode) == 0 && device == st.st_dev && inode == st.st_ino;
}

static void print_time(FILE *f)
{
    struct timespec now;
    struct tm tm;
    char text[32] = "";
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(f, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

/* A JSON string of ASCII: no terminal and no parser minds it, whatever a peer put into the message. */
static void print_json_string(FILE *f, const char *s)
{
    json_t *j = json_string(s);
    if (j) {
        (void)json_dumpf(j, f, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    } else { /* no UTF-8: what out_text makes of it is ASCII but for well-formed characters */
        fputc('"', f);
        for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
            bool plain = *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\';
            fprintf(f, plain ? "%c" : "\\u00%02x", *p);
        }
        fputc('"', f);
    }
    json_decref(j);
}

static void print_json(FILE *f, int level, const char *target, const char *msg)
{
    fputs("{\"time\":\"", f);
    print_time(f);
    fprintf(f, "\",\"level\":\"%s\",\"target\":", outcall_log_level_name(level));
    print_json_string(f, target);
    fputs(",\"message\":", f);
    print_json_string(f, msg);
    fputs("}\n", f);
}

static void print_text(FILE *f, const struct logsink *sink, int level, const char *target, const char *msg)
{
    static const int priorities[] = {3, 4, 6, 7, 7}; /* syslog(3): err, warning, info, debug */
    bool known = level >= 0 && level < (int)(sizeof(priorities) / sizeof(priorities[0]));
    if (sink->journal) {
        fprintf(f, "<%d>", known ? priorities[level] : 7);
    } else {
        print_time(f);
        fprintf(f, " %-5s ", outcall_log_level_name(level));
    }
    fprintf(f, "%s: ", target);
    out_text(f, msg);
    fputc('\n', f);
}

static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* a log nobody takes must not stop the daemon */
        data += n;
        len -= (size_t)n;
    }
}

void logsink_write(int level, const char *target, const char *msg, void *userdata)
{
    static const char lost[] = "log record lost: out of memory\n";
    const struct logsink *sink = userdata;
    char *record = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&record, &len);
    if (!f) {
        write_all(sink->fd, lost, sizeof(lost) - 1);
        return;
    }
    if (sink->json)
        print_json(f, level, target, msg);
    else
        print_text(f, sink, level, target, msg);
    if (fclose(f) == 0)
        write_all(sink->fd, record, len);
    else
        write_all(sink->fd, lost, sizeof(lost) - 1);
    free(record);
}
