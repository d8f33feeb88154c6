/* fake-engine --socket P --script FILE [--log FILE]: until SIGTERM or SIGINT. */
#include "base/fd.h"
#include "support/fake_engine.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SCRIPT_MAX ((size_t)16 << 20)

int main(int argc, char **argv)
{
    const char *socket = NULL, *script = NULL, *log = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char **where = strcmp(argv[i], "--socket") == 0   ? &socket
                             : strcmp(argv[i], "--script") == 0 ? &script
                             : strcmp(argv[i], "--log") == 0    ? &log
                                                                : NULL;
        if (!where)
            break;
        *where = argv[i + 1];
    }
    OC_FREE char *text = NULL;
    size_t len = 0;
    if (!socket || !script || argc % 2 == 0) {
        fprintf(stderr, "usage: fake-engine --socket PATH --script FILE [--log FILE]\n");
        return 2;
    }
    if (oc_read_file(AT_FDCWD, script, SCRIPT_MAX, &text, &len) < 0) {
        perror(script);
        return 1;
    }
    sigset_t stop;
    int which = 0;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct fake_engine *f = fake_engine_new(socket, text, log);
    if (!f)
        return 1;
    (void)sigwait(&stop, &which);
    (void)fake_engine_free(f);
    return 0;
}
