/* Only the container manager, without a daemon: a program of yours that runs agents.
 *
 *   manager ENGINE_SOCKET SHIM AGENT_SOCKET create IMAGE NAME
 *   manager ENGINE_SOCKET SHIM AGENT_SOCKET list
 *
 * AGENT_SOCKET is a socket that you serve; every container made here is given it. Exit 0, or 1 with the
 * reason. */
#include <outcall/container.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what, const outcall_error *err)
{
    (void)fprintf(stderr, "manager: %s: %s\n", what, err->text);
    return 1;
}

static int list(outcall_containers *manager)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_container_info **all = NULL;
    size_t n = 0;
    if (outcall_containers_list(manager, &all, &n, &err) < 0)
        return failed("list", &err);
    for (size_t i = 0; i < n; i++)
        (void)printf("%s\t%s\n", outcall_container_info_name(all[i]), outcall_container_info_state(all[i]));
    outcall_container_info_free_many(all, n);
    return 0;
}

static int create(outcall_containers *manager, const char *image, const char *name)
{
    static const char *const command[] = {"sleep", "600"};
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_container_spec spec = OUTCALL_CONTAINER_SPEC_INIT;
    outcall_container_info *made = NULL;
    spec.image = image;
    spec.name = name;
    spec.cmd = command;
    spec.n_cmd = sizeof(command) / sizeof(command[0]);
    if (outcall_containers_create(manager, &spec, &made, &err) < 0)
        return failed("create", &err);
    (void)printf("%s is running\n", outcall_container_info_name(made));
    outcall_container_info_free(made);
    return 0;
}

/* Handles are freed by their cleanup helpers, in the opposite order of their making. */
static int run(char **argv, int argc)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_docker_options engine = OUTCALL_DOCKER_OPTIONS_INIT;
    __attribute__((cleanup(outcall_docker_freep))) outcall_docker *docker = NULL;
    engine.docker_host = argv[1];
    if (outcall_docker_new(&docker, &engine, &err) < 0)
        return failed("engine", &err);

    __attribute__((cleanup(outcall_networks_freep))) outcall_networks *networks = NULL;
    if (outcall_networks_new(&networks, docker, "10.200.0.0/16", &err) < 0)
        return failed("networks", &err);

    /* The list knows the usual places; an engine that listens elsewhere must be named. */
    outcall_denylist_options deny = OUTCALL_DENYLIST_OPTIONS_INIT;
    const char *engine_socket = argv[1];
    deny.paths = &engine_socket;
    deny.n_paths = 1;
    __attribute__((cleanup(outcall_denylist_unrefp))) outcall_denylist *denylist = NULL;
    if (outcall_denylist_new(&denylist, &deny, &err) < 0)
        return failed("deny list", &err);

    outcall_containers_options options = OUTCALL_CONTAINERS_OPTIONS_INIT;
    __attribute__((cleanup(outcall_containers_freep))) outcall_containers *manager = NULL;
    options.docker = docker;
    options.networks = networks;
    options.denylist = denylist;
    options.instance = "example-manager";
    options.shim_path = argv[2];
    options.agent_socket_path = argv[3];
    if (outcall_containers_new(&manager, &options, &err) < 0)
        return failed("manager", &err);
    return argc == 5 ? list(manager) : create(manager, argv[5], argv[6]);
}

int main(int argc, char **argv)
{
    if ((argc == 5 && strcmp(argv[4], "list") == 0) || (argc == 7 && strcmp(argv[4], "create") == 0))
        return run(argv, argc);
    (void)fprintf(stderr, "usage: %s ENGINE_SOCKET SHIM AGENT_SOCKET list | create IMAGE NAME\n", argv[0]);
    return 2;
}
