/* footprint.h - how much memory the process keeps while it has nothing to do. Both are hints: nothing fails,
 * and nothing else changes. */
#ifndef CLI_FOOTPRINT_H
#define CLI_FOOTPRINT_H

/* Before the first thread: a few shared heaps instead of one for every thread that ever allocated. */
void footprint_limit(void);
/* After the start: gives back what only the start needed. Any thread, any time. */
void footprint_trim(void);

#endif
