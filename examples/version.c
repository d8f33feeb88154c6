/* The smallest program: which library is this, and how does it say what went wrong? */
#include <outcall/log.h>
#include <outcall/version.h>
#include <stdio.h>

static void print_message(int level, const char *target, const char *msg, void *userdata)
{
    (void)fprintf(userdata, "%s %s: %s\n", outcall_log_level_name(level), target, msg);
}

int main(void)
{
    if (outcall_version() < OUTCALL_VERSION_HEX) {
        (void)fprintf(stderr, "built for %s, but the library is %s\n", OUTCALL_VERSION_STRING,
                      outcall_version_string());
        return 1;
    }
    (void)printf("liboutcall %s\n", outcall_version_string());

    outcall_log *log = NULL;
    if (outcall_log_new(&log, print_message, stderr) < 0)
        return 1;
    int code = outcall_log_set_filter(log, "chatty");
    (void)printf("a filter that makes no sense: %s (%s)\n", outcall_code_string(code),
                 outcall_code_name(code));
    outcall_log_unref(log);
    return code == OUTCALL_E_INVALID ? 0 : 1;
}
