/* What the shim does, from a program of your own: agent [--socket PATH] TARGET asks whether a network call to
 * TARGET (a URL, host:port or address) may be made. Exit 0 when it may, 1 when it is blocked, 5 when the
 * daemon is not there or refuses to be asked: then nothing may be done either. */
#include <outcall/agent_client.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_agent_client_options options = OUTCALL_AGENT_CLIENT_OPTIONS_INIT;
    outcall_agent_client *client = NULL;
    outcall_session session;
    outcall_reply reply;
    if (argc == 4 && strcmp(argv[1], "--socket") == 0)
        options.socket_path = argv[2];
    else if (argc != 2)
        return 2;
    const outcall_check check = {OUTCALL_NETWORK_CALL, argv[argc - 1], NULL, 0, NULL, NULL, 0};
    int r = outcall_agent_client_new(&client, &options, &err);
    if (r == 0)
        r = outcall_agent_client_checkin(client, &session, &err);
    if (r < 0) {
        (void)fprintf(stderr, "agent: %s\n", err.text);
        (void)outcall_agent_client_free(client);
        return 5;
    }
    r = outcall_agent_client_check(client, &check, &reply, &err);
    if (r < 0)
        (void)fprintf(stderr, "agent: %s\n", err.text); /* no verdict: blocked */
    else
        (void)printf("%s%s%s\n", reply.allowed ? "allowed" : "blocked", reply.reason[0] ? ": " : "",
                     reply.reason);
    (void)outcall_agent_client_free(client);
    return r == 0 && reply.allowed ? 0 : 1;
}
