/* What runs in the root file systems of rootfs.bash, some of which have nothing else:
 *
 *   probe say TEXT CODE        prints TEXT, ends with CODE
 *   probe mark FILE            makes FILE
 *   probe signal NUMBER        ends itself so
 *   probe where                prints user, group, and why the root cannot be written
 *   probe tree N TAG           N descendants of three kinds that ignore SIGTERM; stays
 *   probe fill TAG             as many children as it gets, again and again
 *   probe orphans N FILE TAG   N processes that end without a parent, then FILE; stays
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD_USAGE 99 /* no test expects it */

static int number(const char *text)
{
    int n = 0;
    for (; *text >= '0' && *text <= '9' && n <= 255; text++)
        n = n * 10 + (*text - '0');
    if (*text || n > 255)
        exit(BAD_USAGE);
    return n;
}

static _Noreturn void stay(void)
{
    for (;;)
        (void)pause();
}

static pid_t split(void)
{
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(BAD_USAGE);
    }
    return pid;
}

static int mark(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    return close(fd) == 0 ? 0 : 1;
}

static int where(void)
{
    int fd = open("/usr/bin/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    printf("%d %d %s\n", (int)getuid(), (int)getgid(), fd < 0 ? strerror(errno) : "writable");
    return 0;
}

/* A child; one with a session of its own; one whose parent goes away at once, with a session of its own. */
static _Noreturn void tree(int n)
{
    (void)signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < n; i++) {
        pid_t pid = split();
        if (pid > 0 && i % 3 == 2)
            (void)waitpid(pid, NULL, 0);
        if (pid > 0)
            continue;
        if (i % 3 > 0)
            (void)setsid();
        if (i % 3 == 2 && split() > 0)
            _exit(0);
        stay();
    }
    stay();
}

/* It goes on trying: what started the container may take part in the limit for a moment. */
static _Noreturn void fill(void)
{
    const struct timespec while_full = {.tv_nsec = 10000000};
    for (;;) {
        pid_t pid = fork();
        if (pid == 0)
            stay();
        if (pid < 0)
            (void)nanosleep(&while_full, NULL);
    }
}

/* Each of the N is there, and without its parent, before any of them ends: the gate is open until then. */
static int orphans(int n, const char *path)
{
    int gate[2];
    char byte = 0;
    if (pipe(gate) < 0)
        return BAD_USAGE;
    for (int i = 0; i < n; i++) {
        pid_t pid = split();
        if (pid > 0) {
            (void)waitpid(pid, NULL, 0);
            continue;
        }
        if (split() == 0) {
            (void)close(gate[1]);
            (void)!read(gate[0], &byte, 1);
        }
        _exit(0);
    }
    (void)close(gate[1]);
    if (mark(path) != 0)
        return BAD_USAGE;
    stay();
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "say") == 0 && argc == 4) {
        (void)puts(argv[2]);
        return number(argv[3]);
    }
    if (strcmp(verb, "mark") == 0 && argc == 3)
        return mark(argv[2]);
    if (strcmp(verb, "signal") == 0 && argc == 3)
        return kill(getpid(), number(argv[2])) == 0 ? 0 : BAD_USAGE;
    if (strcmp(verb, "where") == 0 && argc == 2)
        return where();
    if (strcmp(verb, "tree") == 0 && argc == 4)
        tree(number(argv[2]));
    if (strcmp(verb, "fill") == 0 && argc == 3)
        fill();
    if (strcmp(verb, "orphans") == 0 && argc == 5)
        return orphans(number(argv[2]), argv[3]);
    return BAD_USAGE;
}
