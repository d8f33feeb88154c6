/* submit_rules STORE RULES_DIR AGENT FILE - puts a rule file into the store of a daemon that does not run, as
 * an agent's request would, and prints the request's id. */
#include "base/fd.h"
#include "outcall/requests.h"
#include <fcntl.h>
#include <stdio.h>

static int no_reload(void *userdata, size_t *ret_rules_n, outcall_error *err)
{
    (void)userdata;
    (void)ret_rules_n;
    (void)err;
    return OUTCALL_E_INTERNAL; /* nothing is approved here */
}

static int submit(const char *store, const char *rules_dir, const char *agent, const char *yaml, size_t len,
                  outcall_error *err)
{
    OC_CLEANUP(outcall_requests_freep) outcall_requests *requests = NULL;
    OC_CLEANUP(outcall_request_freep) outcall_request *request = NULL;
    outcall_requests_options o = OUTCALL_REQUESTS_OPTIONS_INIT;
    o.dir = store;
    o.rules_dir = rules_dir;
    o.reload = no_reload;
    int r = outcall_requests_new(&requests, &o, err);
    if (r == 0)
        r = outcall_requests_submit(requests, agent, yaml, len, &request, err);
    if (r == 0)
        printf("%s\n", outcall_request_id(request));
    return r;
}

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    OC_FREE char *yaml = NULL;
    char text[OUTCALL_ERROR_TEXT + OUTCALL_ERROR_SOURCE + 32];
    size_t len = 0;
    if (argc != 5 || oc_read_file(AT_FDCWD, argv[4], (size_t)4 << 20, &yaml, &len) < 0) {
        fprintf(stderr, "usage: submit_rules STORE RULES_DIR AGENT FILE\n");
        return 2;
    }
    if (submit(argv[1], argv[2], argv[3], yaml, len, &err) == 0)
        return 0;
    (void)outcall_error_format(&err, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
    return 1;
}
