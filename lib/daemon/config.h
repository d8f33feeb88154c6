/* daemon/config.h - what the daemon can be told: one table for flags, configuration file, help and manual;
 * and the checked, complete configuration that the daemon itself works from. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H
#include "base/str.h"
#include "outcall/daemon.h"

#define OC_CONFIG_FILE_MAX     ((size_t)1 << 20) /* bytes */
#define OC_CONFIG_SOCKET_MAX   107               /* bytes of a socket's path: sockaddr_un without the NUL */
#define OC_CONFIG_TIMEOUT_MS   60000
#define OC_CONFIG_RATE_MAX     1000000
#define OC_CONFIG_WINDOW_S_MAX 3600

enum oc_config_kind {
    OC_CONFIG_DIR,
    OC_CONFIG_FILE,
    OC_CONFIG_SOCKET,
    OC_CONFIG_GROUP,
    OC_CONFIG_ENGINE, /* "unix:///path" */
    OC_CONFIG_BLOCK,  /* IPv4 CIDR that holds at least one /24 */
    OC_CONFIG_HOST_PORT,
    OC_CONFIG_IPV4,
    OC_CONFIG_DURATION,
    OC_CONFIG_RATE,
    OC_CONFIG_SWITCH,
    OC_CONFIG_FORMAT,
    OC_CONFIG_LEVEL
};

struct oc_config_row {
    outcall_daemon_setting setting; /* what everybody may see */
    enum oc_config_kind kind;
    const char *value; /* the default as text, in the form a user would write; NULL = none, or derived */
    size_t option;     /* offset in outcall_daemon_options; SIZE_MAX: not an option of the daemon */
    size_t own;        /* offset of the char * in struct oc_config, for kinds that stay text */
};

#define OC_CONFIG_ROWS_MAX 24

/* A value taken apart. Which member holds depends on the kind; text kinds have none. */
struct oc_config_value {
    uint64_t ms;
    uint32_t n, window_s;
    gid_t group;
    bool yes;
};

const struct oc_config_row *oc_config_row_at(size_t index);                          /* NULL past the end */
const struct oc_config_row *oc_config_row_find(const char *name, size_t *ret_index); /* NULL: unknown */
bool oc_config_is_text(enum oc_config_kind kind); /* the daemon takes it as text, checked */
/* Is this text a value for the row? ret: written on success. OUTCALL_E_INVALID naming the setting and what
 * was expected; _SYSTEM (group look-up); _NO_MEMORY. */
OC_NODISCARD int oc_config_check(const struct oc_config_row *row, const char *text,
                                 struct oc_config_value *ret, outcall_error *err);

/* Options with every default filled in and every string owned. */
struct oc_config {
    char *runtime_dir, *host_socket, *state_dir, *rules_dir, *config_path, *subnet_block, *shim_path;
    char *docker_host;                 /* "unix:///path" */
    char *docker_socket;               /* its path */
    char *proxy_address, *dns_address; /* NULL = none */
    struct oc_strings deny_paths;
    gid_t socket_group; /* (gid_t)-1 = none */
    bool no_default_network, watch_rules;
    uint64_t agent_timeout_ms, docker_timeout_ms;
    uint32_t agent_perm_rate_n, agent_perm_rate_window_s;
    uint32_t agent_rule_rate_n, agent_rule_rate_window_s;
};

/* Checks the options and copies what oc_config holds; ret needs no initial value. OUTCALL_E_INVALID naming
 * the setting, _NO_MEMORY; then nothing is held. */
OC_NODISCARD int oc_config_from(const outcall_daemon_options *opts, struct oc_config *ret,
                                outcall_error *err);
void oc_config_done(struct oc_config *c);

#endif
