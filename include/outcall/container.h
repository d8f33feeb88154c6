/* outcall/container.h - the Docker manager: makes agent containers that cannot reach a host control socket,
 * and looks after them. Since 0.1.0.
 *
 * Threads: every function may be called from any thread at any time, except outcall_containers_free.
 * Blocking: every call waits for the Docker Engine, bounded by the timeouts of the outcall_docker it was
 * given. Names: a container is called "outcall-agent-<suffix>"; wherever a name is asked for, the suffix or
 * the full name will do. Suffix: [a-z0-9][a-z0-9_.-]{0,62}.
 *
 * Errors every function here can return, besides its own:
 *   OUTCALL_E_UNREACHABLE (kind docker_unreachable)  no engine at the socket, or it went away during the call
 *   OUTCALL_E_TIMEOUT (docker_timeout)               it did not answer in time
 *   OUTCALL_E_REMOTE (docker_error or conflict)      it refused; err->status and its own message as err->text
 *   OUTCALL_E_PROTOCOL, _LIMIT (docker_error)        it answered with something that is no answer
 *   OUTCALL_E_UNSUPPORTED (docker_error)             it speaks no API version that this library knows
 *   OUTCALL_E_CLOSED                                 outcall_docker_quit ended the call
 *   OUTCALL_E_INVALID (invalid_request)              an argument out of its range; the text names it
 *   OUTCALL_E_SYSTEM                                 a system call failed; err->sys_errno
 *   OUTCALL_E_NO_MEMORY
 * and those with a name:
 *   OUTCALL_E_NOT_FOUND (container_not_found)        container "<name>" does not exist
 *   OUTCALL_E_DENIED (not_managed)                   container "<name>" is not managed by outcall: it lacks
 * the label, or belongs to another instance; it was neither shown nor touched */
#ifndef OUTCALL_CONTAINER_H
#define OUTCALL_CONTAINER_H
#include "docker.h"
#include "identity.h"
#include "log.h"
#include "mounts.h"
#include "network.h"
#include "policy.h"
OUTCALL_BEGIN_DECLS

typedef struct outcall_containers outcall_containers; /* the manager; locks itself */
typedef struct outcall_container_info
    outcall_container_info; /* what one container is: immutable, the caller's */

/* What to run. Every pointer is borrowed for the call. 0 or NULL means the default. Limits: spec section 2.
 */
typedef struct outcall_container_spec {
    unsigned version;
    const char *image;   /* required, 1..512 bytes; as `docker run` takes it */
    const char *name;    /* suffix or full name; NULL = eight random hex digits */
    const char *network; /* suffix or full name; NULL = "outcall-default" */
    const char *user;    /* "UID:GID", decimal, both 1..4294967294; NULL = "65532:65532" */
    const char *workdir; /* absolute, without "." and ".."; NULL = the image's */
    const char *const *entrypoint;
    size_t n_entrypoint; /* at most 1024; 0 = the image's */
    const char *const *cmd;
    size_t n_cmd; /* at most 1024; 0 = the image's */
    const char *const *env;
    size_t n_env; /* "KEY=value", at most 1024; not the proxy variables, which are ours */
    const outcall_mount *mounts;
    size_t n_mounts; /* at most 64 */
    const char *const *labels;
    size_t n_labels;         /* "KEY=value", at most 64; not managed-by and not outcall.* */
    uint64_t memory_bytes;   /* at least 6291456 (Docker's minimum); 0 = 536870912 */
    uint64_t tmp_size_bytes; /* of /tmp, at least 4096; 0 = 67108864 */
    uint32_t cpu_shares;     /* 2..262144; 0 = 1024 */
    uint64_t nano_cpus;      /* billionths of a CPU, at least 10000000; 0 = unlimited */
    uint32_t pids_max;       /* 1..4194304; 0 = 256 */
    int interactive;         /* 1: stdin stays open */
    int tty;                 /* 1: a terminal */
} outcall_container_spec;
#define OUTCALL_CONTAINER_SPEC_VERSION 1
#define OUTCALL_CONTAINER_SPEC_INIT                                                                       \
    {                                                                                                     \
        OUTCALL_CONTAINER_SPEC_VERSION, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0, \
            NULL, 0, 0, 0, 0, 0, 0, 0, 0                                                                  \
    }

/* Whoever keeps the agent sockets, one per container. Called from the threads that create, remove, adopt and
 * watch; must be thread-safe and must not call back into the manager. */
typedef struct outcall_agent_hooks {
    /* Opens the socket of the container called name and writes its path: 0 or an enum outcall_code. Its
     * directory is what the container gets to see. One that is open, with its file in its place, must stay as
     * it is, since a running container is looked at again whenever the engine's events were missed. */
    int (*open)(void *userdata, const char *name, char *ret_path, size_t size, outcall_error *err);
    /* The container runs, its mounts are attested: from now on its requests may be answered. Said again of
     * the same one nothing must change. who: borrowed. */
    void (*identify)(void *userdata, const char *name, const outcall_identity *who);
    /* The container stopped: its sessions end, its socket stays. */
    void (*stopped)(void *userdata, const char *name);
    /* The container is gone: the socket and its directory go too. */
    void (*close)(void *userdata, const char *name);
    /* After a restart: every socket goes for whose name keep() says 0; its container is gone. May be NULL. */
    void (*sweep)(void *userdata, int (*keep)(void *keep_userdata, const char *name), void *keep_userdata);
    void *userdata;
} outcall_agent_hooks;

/* Something that happened to a container, in the order in which it was noticed. Called on the thread that
 * noticed it. action: Docker's word (start, die, destroy, update, exec), or created, removed, quarantine,
 * leftover-removed; with an empty name and id: engine-connected, before anything is adopted. detail: "" for
 * none. All borrowed for the call. */
typedef void (*outcall_container_event_fn)(void *userdata, const char *action, const char *name,
                                           const char *id, const char *detail);

typedef struct outcall_containers_options {
    unsigned version;
    outcall_docker *docker;           /* borrowed, outlives the manager; required */
    outcall_networks *networks;       /* borrowed, outlives the manager; required */
    outcall_denylist *denylist;       /* referenced; required, with the engine's socket on it */
    const char *stage_dir;            /* copied; root-only directory; NULL = bind mounts are refused */
    const char *state_dir;            /* copied; remembers names across restarts; NULL = only in memory */
    const char *instance;             /* copied; label outcall.instance; required, 1..4095 bytes */
    const char *shim_path;            /* copied; on the host; required */
    const char *agent_socket_path;    /* copied; a fixed socket for every container, or NULL = hooks->open */
    const outcall_agent_hooks *hooks; /* copied; required unless agent_socket_path is set */
    outcall_container_event_fn on_event; /* may be NULL */
    void *event_userdata;                /* borrowed for as long as the manager lives */
    const char *proxy_address;           /* copied; "host:port"; NULL = no proxy variables */
    const char *dns_address;             /* copied; IPv4; NULL = the network's gateway */
    outcall_log *log;                    /* referenced; NULL = silent */
    outcall_policy_slot *policy;     /* borrowed, outlives the manager: the rules that creates are held to;
                                        NULL = none are asked */
    uint64_t policy_timeout_ms;      /* of one evaluation, 1..60000; 0 = 5000 */
    outcall_decision_fn on_decision; /* each evaluation; may be NULL */
    void *decision_userdata;         /* borrowed for as long as the manager lives */
} outcall_containers_options;
#define OUTCALL_CONTAINERS_OPTIONS_VERSION 1
#define OUTCALL_CONTAINERS_OPTIONS_INIT                                                                 \
    {                                                                                                   \
        OUTCALL_CONTAINERS_OPTIONS_VERSION, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
            NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL                                                 \
    }

/* Makes the manager; asks the engine nothing. *ret: new. Errors: E_INVALID (a required field is missing),
 * E_SYSTEM and E_DENIED (state_dir cannot be used or is not safe), E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_new(outcall_containers **ret,
                                                         const outcall_containers_options *opts,
                                                         outcall_error *err);

/* Frees the manager. Containers, stages and agent sockets stay as they are. No other call may be under way.
 * NULL is allowed; returns NULL. Since 0.1.0. */
OUTCALL_API outcall_containers *outcall_containers_free(outcall_containers *m);

/* Finds the containers of this instance again: opens their sockets, attests those that run (and kills one
 * whose mounts differ), removes what a crash left behind: containers that were created and never started,
 * stages and sockets without a container. *ret_n (may be NULL): how many are managed now. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_adopt(outcall_containers *m, size_t *ret_n,
                                                           outcall_error *err);

/* Follows the engine's events until stop_fd becomes readable; reconnects for ever and adopts anew after each
 * gap. Run it on a thread of its own. 0 when it was stopped. Errors: E_SYSTEM, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_watch(outcall_containers *m, int stop_fd,
                                                           outcall_error *err);

/* Creates and starts a container, in the ten steps of spec section 3; the first failure ends it and nothing
 * is left behind (a clean-up that fails is added to err->text). As many as there are processors talk to the
 * engine at the same time; others wait for their turn, in order, for two minutes at most. *ret: new. Errors
 * besides those above:
 *   E_TIMEOUT (docker_timeout): its turn did not come
 *   E_INVALID (invalid_request, mount_invalid), E_NOT_FOUND (mount_invalid: no such source), E_DENIED
 *     (mount_denied): before any call to the engine
 *   E_NOT_FOUND (agent_socket_not_found, shim_not_found, network_not_found, image_not_found)
 *   E_INVALID (agent_socket_not_found, shim_not_found): it is there and unfit, as the text says
 *   whatever hooks->open returned
 *   E_DENIED (policy_denied): a block rule says so, or one that cannot be evaluated; and with the codes of
 *     outcall_policy_decide and outcall_context_string, when the rules cannot be asked. No rule that matches
 *     lets it pass
 *   E_DENIED (not_managed): the network is somebody else's
 *   E_UNSUPPORTED (mount_denied): a bind mount, where none can be pinned; the text says why
 *   E_DENIED (mount_denied): a volume with a driver or options, or one that covers a path of ours
 *   E_LIMIT (mount_invalid): more than 256 mounts, with those of the image
 *   E_REMOTE (conflict): the name is taken; Docker's own words
 *   E_EXISTS (conflict): the name's container is just being removed
 *   E_DENIED (mount_denied, forbidden): what was mounted, or attached as a network, is not what was approved;
 *     the container is gone again
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_create(outcall_containers *m,
                                                            const outcall_container_spec *spec,
                                                            outcall_container_info **ret, outcall_error *err);

/* Sends SIGTERM, waits timeout_s (0..300), then SIGKILL. *ret_stopped (may be NULL): 0 when it was not
 * running. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_stop(outcall_containers *m, const char *name,
                                                          uint32_t timeout_s, int *ret_stopped,
                                                          outcall_error *err);

/* Removes a container with its anonymous volumes, its stage and its socket. Running ones only with force,
 * else E_BUSY (container_running). *ret_removed (may be NULL): 0 when a container this instance once managed
 * was gone already; a name it never managed is E_NOT_FOUND. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_remove(outcall_containers *m, const char *name,
                                                            int force, int *ret_removed, outcall_error *err);

/* Waits until a container does not run. timeout_ms: then E_TIMEOUT (docker_timeout); UINT64_MAX = for ever.
 * stop_fd: -1, or readable = give up with E_CLOSED. *ret_exit_code: 0..255; *ret_oom_killed (may be NULL): 0
 * or 1. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_wait(outcall_containers *m, const char *name,
                                                          uint64_t timeout_ms, int stop_fd,
                                                          int *ret_exit_code, int *ret_oom_killed,
                                                          outcall_error *err);

/* One piece of output: stream 1 = stdout, 2 = stderr; data borrowed for the call. Non-zero ends the stream.
 */
typedef int (*outcall_stream_fn)(void *userdata, int stream, const char *data, size_t len);

typedef struct outcall_logs_options {
    unsigned version;
    int follow;     /* 1: until the container ends */
    int64_t tail_n; /* last lines; -1 = all */
    int stop_fd;    /* -1, or readable = end with E_CLOSED */
} outcall_logs_options;
#define OUTCALL_LOGS_OPTIONS_VERSION 1
#define OUTCALL_LOGS_OPTIONS_INIT               \
    {                                           \
        OUTCALL_LOGS_OPTIONS_VERSION, 0, -1, -1 \
    }

/* Hands over a container's output as it is stored, and with follow as it comes. opts may be NULL. Returns 0
 * at the end, or what fn returned. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_logs(outcall_containers *m, const char *name,
                                                          const outcall_logs_options *opts,
                                                          outcall_stream_fn fn, void *userdata,
                                                          outcall_error *err);

/* Everything about one container. *ret: new. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_inspect(outcall_containers *m, const char *name,
                                                             outcall_container_info **ret,
                                                             outcall_error *err);

/* Everything this instance manages, running or not, sorted by name; only the fields marked (list) are filled.
 * While outcall_containers_watch follows the engine's events, a list that is at most a second old and kept up
 * by them is answered without a call to the engine (at most two seconds old while a fresh one is fetched);
 * what this manager did itself always shows. *ret: new, with outcall_container_info_free_many. Since 0.1.0.
 */
OUTCALL_API OUTCALL_NODISCARD int outcall_containers_list(outcall_containers *m,
                                                          outcall_container_info ***ret, size_t *ret_n,
                                                          outcall_error *err);

/* How many containers this instance knows of at the moment, without asking the engine. Never blocks. Since
 * 0.1.0. */
OUTCALL_API size_t outcall_containers_count(outcall_containers *m);

/* Accessors. Texts are borrowed from i, never NULL, "" when unknown. Fields marked (list) are filled by
 * outcall_containers_list too. Any thread. */

/* (list) Docker's id, 64 hex digits. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_id(const outcall_container_info *i);
/* (list) The full name. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_name(const outcall_container_info *i);
/* (list) The image as it was asked for. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_image(const outcall_container_info *i);
/* (list) Docker's word: "running", "exited", "paused", ... Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_state(const outcall_container_info *i);
/* (list) The full name of its network. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_network(const outcall_container_info *i);
/* (list) RFC 3339, UTC. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_created_at(const outcall_container_info *i);
/* (list) 1: what is mounted was compared with what was approved, and is the same. Since 0.1.0. */
OUTCALL_API int outcall_container_info_attested(const outcall_container_info *i);
/* Its IPv4 address. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_ip_address(const outcall_container_info *i);
/* "UID:GID". Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_user(const outcall_container_info *i);
/* Of the last run, 0..255; 0 before its end. Since 0.1.0. */
OUTCALL_API int outcall_container_info_exit_code(const outcall_container_info *i);
/* 1: the last run ended for lack of memory. Since 0.1.0. */
OUTCALL_API int outcall_container_info_oom_killed(const outcall_container_info *i);
/* The memory limit; there is no swap beyond it. Since 0.1.0. */
OUTCALL_API uint64_t outcall_container_info_memory_bytes(const outcall_container_info *i);
/* Billionths of a CPU; 0 = unlimited. Since 0.1.0. */
OUTCALL_API uint64_t outcall_container_info_nano_cpus(const outcall_container_info *i);
/* Relative weight, 1024 = the usual. Since 0.1.0. */
OUTCALL_API uint32_t outcall_container_info_cpu_shares(const outcall_container_info *i);
/* Processes and threads at once. Since 0.1.0. */
OUTCALL_API uint32_t outcall_container_info_pids_max(const outcall_container_info *i);
/* The n-th environment variable's name, from 0; NULL after the last. Values are never kept. Since 0.1.0. */
OUTCALL_API const char *outcall_container_info_env_name(const outcall_container_info *i, size_t n);
/* The n-th mount, from 0: target, read-only, and type ("bind", "volume", "tmpfs"); 0, or E_NOT_FOUND after
 * the last. source: the volume's name, or the staged path of a bind. Since 0.1.0. */
OUTCALL_API int outcall_container_info_mount(const outcall_container_info *i, size_t n, outcall_mount *ret,
                                             const char **ret_type);

/* Frees one. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_container_info *outcall_container_info_free(outcall_container_info *i);
/* Frees n of them and the array. Since 0.1.0. */
OUTCALL_API void outcall_container_info_free_many(outcall_container_info **v, size_t n);

OUTCALL_DEFINE_CLEANUP(outcall_containers, outcall_containers_free)
OUTCALL_DEFINE_CLEANUP(outcall_container_info, outcall_container_info_free)
OUTCALL_END_DECLS
#endif
