/* agent_load.h - agents that ask much: how long they wait for verdicts, and how they keep others waiting. For
 * benchmarks and, as the program agent-load, for containers of the system tests. A failure ends the program.
 */
#ifndef AGENT_LOAD_H
#define AGENT_LOAD_H
#include "outcall/agent_client.h"
#include <stddef.h>

/* Connects and checks in. */
outcall_agent_client *agent_load_client(const char *path);
/* Asks n times for a network call that the rules allow; microseconds into took, ascending. */
void agent_load_ask(outcall_agent_client *c, size_t n, double took[]);
/* Ascending, so that took[n * 99 / 100] is the 99th percentile. */
void agent_load_sort(double took[], size_t n);

/* What a hostile agent does with its 64 connections until it is killed: half of them ask without a pause,
 * half send a head byte by byte. Its lines: "floods" and its pid when it begins, "limited" at
 * the first 429. */
_Noreturn void agent_load_flood(const char *path);
/* The same on a socket that nobody serves. It costs the server nothing: what it takes from others is the
 * processor. */
_Noreturn void agent_load_flood_nobody(void);

#endif
