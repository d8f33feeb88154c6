/* starts N PROGRAM [ARGUMENT...] - starts the program N times, one after the other, and prints the median of
 * the microseconds from the start to its end: less than what a shell needs to start anything. */
#include "base/clock.h"
#include "base/num.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define STARTS_MAX 10000

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Its output goes nowhere. */
static int start_once(char *const *command, uint64_t *ret_ns)
{
    static char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    int r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    uint64_t begin = oc_now_ns();
    if (r == 0)
        r = posix_spawn(&pid, command[0], &actions, NULL, command, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r != 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return -1;
    *ret_ns = oc_now_ns() - begin;
    return 0;
}

int main(int argc, char **argv)
{
    static uint64_t took[STARTS_MAX];
    uint32_t n = 0;
    if (argc < 3 || oc_parse_u32(argv[1], strlen(argv[1]), 1, STARTS_MAX, &n) < 0) {
        fprintf(stderr, "usage: starts N PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    for (uint32_t i = 0; i < n; i++)
        if (start_once(argv + 2, &took[i]) < 0) {
            fprintf(stderr, "starts: %s failed\n", argv[2]);
            return 1;
        }
    qsort(took, n, sizeof(took[0]), by_size);
    printf("%llu\n", (unsigned long long)(took[n / 2] / 1000));
    return fflush(stdout) == 0 ? 0 : 1;
}
