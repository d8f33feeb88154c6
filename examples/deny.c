/* May these host paths be shown to a container? deny PATH... asks the deny list alone: no engine, no daemon.
 * Exit 0 when all of them may, 1 when one is refused, 2 when the list cannot be built. */
#include <outcall/mounts.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_denylist_options options = OUTCALL_DENYLIST_OPTIONS_INIT;
    outcall_denylist *list = NULL;
    if (outcall_denylist_new(&list, &options, &err) < 0) {
        (void)fprintf(stderr, "deny: %s\n", err.text);
        return 2;
    }
    int refused = 0;
    for (int i = 1; i < argc; i++) {
        outcall_mount mount = {argv[i], "/data", 1};
        int pin = -1;
        outcall_error_clear(&err);
        if (outcall_denylist_check(list, &mount, &pin, &err) < 0) {
            (void)printf("no   %s\n", err.text);
            refused = 1;
            continue;
        }
        /* pin is exactly what was checked: a real program mounts it, and never asks the path again. */
        (void)printf("yes  %s\n", argv[i]);
        (void)close(pin);
    }
    outcall_denylist_unref(list);
    return refused;
}
