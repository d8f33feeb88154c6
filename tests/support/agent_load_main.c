/* agent-load ask SOCKET N | flood SOCKET | flood-nobody - see agent_load.h. ask prints one JSON line: the
 * 50th and the 99th percentile of N questions in microseconds, a tenth more having been asked before. */
#include "base/num.h"
#include "support/agent_load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(const char *path, const char *times)
{
    uint64_t n = 0;
    if (oc_parse_u64(times, strlen(times), 100, 1000000, &n) < 0)
        return 2;
    double *took = calloc(n, sizeof(*took));
    if (!took)
        return 1;
    outcall_agent_client *c = agent_load_client(path);
    agent_load_ask(c, n / 10, took);
    agent_load_ask(c, n, took);
    printf("{\"p50\":%.1f,\"p99\":%.1f}\n", took[n / 2], took[n * 99 / 100]);
    (void)outcall_agent_client_free(c);
    free(took);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "flood") == 0)
        agent_load_flood(argv[2]);
    if (argc == 2 && strcmp(argv[1], "flood-nobody") == 0)
        agent_load_flood_nobody();
    fprintf(stderr, "usage: agent-load ask SOCKET N | flood SOCKET | flood-nobody\n");
    return 2;
}
