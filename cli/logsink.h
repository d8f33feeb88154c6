/* logsink.h - where the daemon's log goes: standard error, as text for people, as priorities for the journal,
 * or as JSON lines. */
#ifndef CLI_LOGSINK_H
#define CLI_LOGSINK_H
#include <stdbool.h>

struct logsink {
    int fd;
    bool json;
    bool journal; /* the other end stamps the time and reads "<priority>" */
};

/* Is fd what $JOURNAL_STREAM ("device:inode", or NULL) names? */
bool logsink_is_journal(int fd, const char *journal_stream);

/* An outcall_log_fn; userdata: const struct logsink. One write(2) a record, so that threads do not mix. */
void logsink_write(int level, const char *target, const char *msg, void *userdata);

#endif
