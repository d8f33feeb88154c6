/* outcall/daemon.h - the whole daemon as a library: settings, configuration file, start, run, stop. What
 * cli/outcalld.c does with it, any program can do. Since 0.1.0.
 *
 *   outcall_daemon_settings_new   -> an empty set of settings
 *   outcall_daemon_settings_set   -> what the command line says, by the names of outcall_daemon_setting_at
 *   outcall_daemon_settings_load  -> what the configuration file says; the command line wins
 *   outcall_daemon_settings_options -> an outcall_daemon_options; add log, on_ready, host_listen_fd
 *   outcall_daemon_new, outcall_daemon_run, outcall_daemon_free
 *
 * A program that needs no configuration file fills outcall_daemon_options by hand and begins at the last
 * line. */
#ifndef OUTCALL_DAEMON_H
#define OUTCALL_DAEMON_H
#include "error.h"
#include "log.h"
OUTCALL_BEGIN_DECLS

/* What a daemon is made of. Every pointer is borrowed for the call that takes the struct (outcall_daemon_new
 * copies); 0 or NULL means the default, which spec section 2 lists. Paths are absolute, without "." and ".."
 * components and without a trailing slash. Values out of range are refused, never clamped. */
typedef struct outcall_daemon_options {
    unsigned version;              /* OUTCALL_DAEMON_OPTIONS_VERSION */
    const char *runtime_dir;       /* NULL = "/run/outcall" */
    const char *host_socket;       /* at most 107 bytes; NULL = "<runtime_dir>/host.sock" */
    const char *state_dir;         /* NULL = "/var/lib/outcall" */
    const char *rules_dir;         /* NULL = "/etc/outcall/rules.d" */
    const char *config_path;       /* the configuration file in use, so that no container can mount it; NULL =
                                      "/etc/outcall/outcalld.yaml", whether it exists or not */
    const char *subnet_block;      /* IPv4 CIDR, /8 to /24; NULL = "10.200.0.0/16" */
    const char *shim_path;         /* NULL = "<libexecdir>/outcall/outcall-agent" of this build */
    const char *docker_host;       /* "unix://" and an absolute path; NULL = "unix:///var/run/docker.sock" */
    const char *proxy_address;     /* "HOST:PORT", HOST a name or IPv4 address; NULL = no proxy */
    const char *dns_address;       /* IPv4 address; NULL = each network's gateway */
    const char *const *deny_paths; /* added to the built-in deny list; NULL with n_deny_paths 0 = none */
    size_t n_deny_paths;           /* at most OUTCALL_DAEMON_DENY_MAX */
    int host_listen_fd;         /* -1 = the daemon makes its own; else a listening unix stream socket (socket
                                   activation), taken by a successful outcall_daemon_new */
    gid_t socket_group;         /* may use the host socket; (gid_t)-1 = nobody but root and this user */
    int no_default_network;     /* 1 = do not make "outcall-default" at start */
    int watch_rules;            /* 1 = reload the rules when a file in rules_dir changes */
    uint64_t agent_timeout_ms;  /* wall time of one rule evaluation, 1..60000; 0 = 5000 */
    uint64_t docker_timeout_ms; /* one call to the engine, 1..60000; 0 = 30000 */
    uint32_t agent_perm_rate_n; /* permission checks per container: n (1..1000000) in any ... */
    uint32_t agent_perm_rate_window_s; /* ... window of this many seconds (1..3600); both 0 = 1000 in 10 s */
    uint32_t agent_rule_rate_n;        /* rule requests per container, the same way; both 0 = 10 in 60 s */
    uint32_t agent_rule_rate_window_s;
    /* Called once by outcall_daemon_run, on its thread, when the host socket answers; must not call back into
     * the daemon. NULL = not interesting. */
    void (*on_ready)(void *userdata);
    void *userdata;   /* for on_ready; borrowed until the daemon is freed */
    outcall_log *log; /* referenced; NULL = silent */
} outcall_daemon_options;

#define OUTCALL_DAEMON_OPTIONS_VERSION 1
#define OUTCALL_DAEMON_OPTIONS_INIT                                                                          \
    {                                                                                                        \
        OUTCALL_DAEMON_OPTIONS_VERSION, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, \
            -1, (gid_t)-1, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL                                          \
    }

#define OUTCALL_DAEMON_CONFIG_PATH "/etc/outcall/outcalld.yaml" /* where outcalld looks by default */
#define OUTCALL_DAEMON_DENY_MAX    256                          /* entries of deny_paths */

/* One thing that can be set, on the command line ("--runtime-dir DIR") and in the configuration file
 * ("runtime-dir: DIR") under the same name. Help text, man page and both parsers are made from this list. */
typedef struct outcall_daemon_setting {
    const char *name; /* "runtime-dir"; "mounts.deny" is the key deny of the mapping mounts */
    const char
        *argument; /* "DIR"; NULL for a switch: no argument on the command line, true or false in the file */
    const char *fallback; /* what holds when it is not set, in words; NULL = nothing */
    const char *help;     /* one line without a full stop */
    int file_only;        /* 1: has no flag */
    int list;             /* 1: takes several values; setting it again adds */
} outcall_daemon_setting;

/* The settings in the order in which help shows them. index: 0, 1, 2, ... Returns NULL past the last one.
 * Static storage, any thread. Since 0.1.0. */
OUTCALL_API const outcall_daemon_setting *outcall_daemon_setting_at(size_t index);

/* Values for those settings, checked one by one when they come in. One thread at a time. */
typedef struct outcall_daemon_settings outcall_daemon_settings;

/* Nothing is set at first. *ret: new, outcall_daemon_settings_free(). Errors: E_INVALID (ret is NULL),
 * E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_settings_new(outcall_daemon_settings **ret,
                                                              outcall_error *err);

/* Frees it; what outcall_daemon_settings_options and _get lent out is gone with it. NULL is allowed. Returns
 * NULL. Since 0.1.0. */
OUTCALL_API outcall_daemon_settings *outcall_daemon_settings_free(outcall_daemon_settings *s);

/* Sets one value from its text. name: as in outcall_daemon_setting_at. value: copied; NULL only for a switch,
 * where it means "true"; a switch also takes "true" and "false". Formats: durations are "N" or "Ns" (seconds)
 * or "Nms"; rates are "N/S" (N per S seconds); a group is its name or its number and is looked up now
 * (getgrnam, may read files or ask a name service); everything else as in outcall_daemon_options. Setting
 * again replaces the value, or adds to a list. What is set here wins over the configuration file, whichever
 * comes first. Errors: E_INVALID (unknown name; not the shape or range that was expected: err->text says
 * which), E_LIMIT (a list is full), E_SYSTEM (the group could not be looked up), E_NO_MEMORY; the old value
 * then stays. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_settings_set(outcall_daemon_settings *s, const char *name,
                                                              const char *value, outcall_error *err);

/* Reads a configuration file: one YAML mapping of setting names, at most 1 MiB; mounts is a mapping of its
 * own with the list deny. path: absolute or relative to the working directory; remembered as config_path
 * (made absolute). optional: 1 = a file that does not exist counts as an empty one. The file must be a
 * regular one, owned by root or this user and not writable for others: whoever can change it decides which
 * rules hold. Errors, all with err->source = path and with line and column where there is one: E_SYSTEM
 * (cannot be read), E_DENIED (not safe), E_SYNTAX (not YAML, or YAML that is refused: repeated keys, anchors,
 * aliases, tags, several documents), E_INVALID (unknown key, wrong type, a value as for
 * outcall_daemon_settings_set), E_LIMIT (too large, too deep), E_NO_MEMORY. After a failure the settings are
 * as they were. Call it at most once; a second call is E_INVALID. May block on the file. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_settings_load(outcall_daemon_settings *s, const char *path,
                                                               int optional, outcall_error *err);

/* The text a setting has: as it was set, else its default ("info" for log-level), else NULL; "true" or
 * "false" for a switch; NULL for a list and for an unknown name. Borrowed until s is changed or freed. This
 * is how a program reads log-format and log-level, which are its own business and not the daemon's. Since
 * 0.1.0. */
OUTCALL_API const char *outcall_daemon_settings_get(const outcall_daemon_settings *s, const char *name);

/* Fills the options from the settings, over OUTCALL_DAEMON_OPTIONS_INIT: what is not set stays NULL or 0, so
 * that the daemon's own default applies. The pointers are borrowed until s is changed or freed. Since 0.1.0.
 */
OUTCALL_API void outcall_daemon_settings_options(const outcall_daemon_settings *s,
                                                 outcall_daemon_options *ret);

/* What outcall_daemon_check found. */
typedef struct outcall_daemon_report {
    int rules_dir_exists; /* 0: an empty set of rules, which blocks everything */
    size_t rule_files_n;  /* *.yaml and *.yml in the rules directory */
    size_t rules_n;       /* rules in them */
    size_t warnings_n;    /* what to look at, though it is no refusal; opts->log has been told */
    uint32_t reserved[4]; /* zero */
} outcall_daemon_report;

/* Would a daemon start with these options? Checks every option as outcall_daemon_new does, and loads the
 * rules as a start would, their tests included: the directory must be safe (no symlink, owned by root or this
 * user, not writable for others). Starts nothing, creates nothing, asks no engine. *ret: written on success;
 * NULL is allowed. opts->log: warnings, and every refusal but the first. Errors: E_INVALID (an option),
 * E_DENIED (the rules directory is not safe), those of outcall_policy_load with kind RULES_INVALID
 * (err->source, line, column), E_SYSTEM, E_NO_MEMORY. Blocks on the file system. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_check(const outcall_daemon_options *opts,
                                                       outcall_daemon_report *ret, outcall_error *err);

/* The running whole: every subsystem, wired in dependency order. */
typedef struct outcall_daemon outcall_daemon;

/* Prepares a daemon up to the point where it could serve: checks the options, opens and locks the runtime
 * directory, makes the others ready, loads the rules. No socket listens yet and no engine was asked. *ret:
 * new, outcall_daemon_free(). opts: required; nothing in it is needed afterwards but userdata. Errors:
 * E_INVALID (an option, named), E_BUSY (another daemon holds the runtime directory; err->text names its pid),
 * E_DENIED (a directory that must be safe is not), those of outcall_policy_load with kind RULES_INVALID,
 * E_SYSTEM (with watch_rules also: inotify has no more watches), E_NO_MEMORY; after a failure nothing is held
 * and host_listen_fd is still the caller's. Blocks on the file system. Since 0.1.0.
 */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_new(outcall_daemon **ret, const outcall_daemon_options *opts,
                                                     outcall_error *err);

/* Serves until stop_fd is readable: looks for the engine (bounded; an absent one is no failure), makes the
 * default network, finds its containers again, opens their sockets and then the host socket, and calls
 * on_ready. On stop it accepts nothing new, finishes requests in flight (bounded) and removes the host socket
 * (not one that was handed in); containers, stages and agent directories stay. stop_fd: borrowed, any
 * descriptor that poll() understands; it is not read. May be called once. 0: it was told to stop. Errors:
 * E_INVALID (called twice), E_SYSTEM, E_DENIED (a socket's place is not safe), E_NO_MEMORY. Blocks for as
 * long as the daemon lives; starts threads with every signal blocked. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_run(outcall_daemon *d, int stop_fd, outcall_error *err);

/* Loads the rules again, runs their tests and swaps them in at once; after a failure the old ones stay in
 * force. Either way the log and the event stream are told. Any thread, also while outcall_daemon_run is at
 * work; not a signal handler. Errors: those of outcall_policy_load with kind RULES_INVALID (err->source,
 * line, column), E_DENIED (the directory is not safe any more), E_SYSTEM, E_NO_MEMORY. Blocks on the file
 * system. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_daemon_reload(outcall_daemon *d, outcall_error *err);

/* Frees a daemon that is not running (outcall_daemon_run returned or was never called) and gives the runtime
 * directory's lock back. Stops no container. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_daemon *outcall_daemon_free(outcall_daemon *d);

OUTCALL_DEFINE_CLEANUP(outcall_daemon, outcall_daemon_free)
OUTCALL_DEFINE_CLEANUP(outcall_daemon_settings, outcall_daemon_settings_free)
OUTCALL_END_DECLS
#endif
