#include "daemon/config.h"
#include "base/cidr.h"
#include "base/num.h"
#include "base/path.h"
#include "core/error.h"
#include <errno.h>
#include <grp.h>
#include <string.h>

#define GROUP_BUFFER_MAX ((size_t)1 << 20)
#define HOST_NAME_LEN    253 /* RFC 1035 */
#define BLOCK_BITS_MIN   8
#define BLOCK_BITS_MAX   24

#define OPTION(field) offsetof(outcall_daemon_options, field)
#define OWN(field)    offsetof(struct oc_config, field)
#define NO_OPTION     SIZE_MAX

/* The default in words is the default as text, unless it says otherwise. */
#define ROW(name, argument, kind, value, option, own, help)           \
    {                                                                 \
        {name, argument, value, help, 0, 0}, kind, value, option, own \
    }
#define ROW_WORDS(name, argument, kind, words, value, option, own, help) \
    {                                                                    \
        {name, argument, words, help, 0, 0}, kind, value, option, own    \
    }

static const struct oc_config_row rows[] = {
    ROW("runtime-dir", "DIR", OC_CONFIG_DIR, "/run/outcall", OPTION(runtime_dir), OWN(runtime_dir),
        "Sockets and staged mounts live here"),
    ROW_WORDS("socket", "PATH", OC_CONFIG_SOCKET, "<runtime-dir>/host.sock", NULL, OPTION(host_socket),
              OWN(host_socket), "Socket of the host API"),
    ROW("socket-group", "GROUP", OC_CONFIG_GROUP, NULL, OPTION(socket_group), 0,
        "Group whose members may use the host API, by name or number"),
    ROW("rules-dir", "DIR", OC_CONFIG_DIR, "/etc/outcall/rules.d", OPTION(rules_dir), OWN(rules_dir),
        "Rule files, *.yaml and *.yml"),
    ROW("state-dir", "DIR", OC_CONFIG_DIR, "/var/lib/outcall", OPTION(state_dir), OWN(state_dir),
        "What must survive a restart"),
    ROW("shim", "PATH", OC_CONFIG_FILE, OUTCALL_SHIM_PATH, OPTION(shim_path), OWN(shim_path),
        "The program agents see as /usr/local/bin/outcall"),
    ROW("docker-host", "URL", OC_CONFIG_ENGINE, "unix:///var/run/docker.sock", OPTION(docker_host),
        OWN(docker_host), "The Docker Engine, unix:// and a path"),
    ROW("docker-timeout", "TIME", OC_CONFIG_DURATION, "30s", OPTION(docker_timeout_ms), 0,
        "Longest wait for the engine's answer to one call, such as 30s or 500ms"),
    ROW("subnet-block", "CIDR", OC_CONFIG_BLOCK, "10.200.0.0/16", OPTION(subnet_block), OWN(subnet_block),
        "Networks take their /24 from this block"),
    ROW("agent-timeout", "TIME", OC_CONFIG_DURATION, "5s", OPTION(agent_timeout_ms), 0,
        "Longest evaluation of the rules for one request, such as 5s or 500ms"),
    ROW("agent-perm-rate", "N/S", OC_CONFIG_RATE, "1000/10", OPTION(agent_perm_rate_n), 0,
        "Permission checks of one container, N in S seconds"),
    ROW("agent-rule-rate", "N/S", OC_CONFIG_RATE, "10/60", OPTION(agent_rule_rate_n), 0,
        "Rule requests of one container, N in S seconds"),
    ROW("watch-rules", NULL, OC_CONFIG_SWITCH, NULL, OPTION(watch_rules), 0,
        "Reload the rules when a file changes"),
    ROW("no-default-network", NULL, OC_CONFIG_SWITCH, NULL, OPTION(no_default_network), 0,
        "Do not make the network outcall-default at start"),
    ROW_WORDS("proxy", "HOST:PORT", OC_CONFIG_HOST_PORT, "no proxy", NULL, OPTION(proxy_address),
              OWN(proxy_address), "HTTP proxy that containers are told to use"),
    ROW_WORDS("dns", "ADDRESS", OC_CONFIG_IPV4, "the network's gateway", NULL, OPTION(dns_address),
              OWN(dns_address), "IPv4 address of the DNS server that containers are given"),
    ROW("log-format", "FORMAT", OC_CONFIG_FORMAT, "text", NO_OPTION, 0, "Form of log records, text or json"),
    ROW("log-level", "LEVEL", OC_CONFIG_LEVEL, "info", NO_OPTION, 0,
        "What is logged: error, warn, info, debug or trace; then TARGET=LEVEL, separated by commas"),
    {{"mounts.deny", "PATHS", NULL, "Paths that no container may mount, besides the built-in ones", 1, 1},
     OC_CONFIG_FILE,
     NULL,
     OPTION(deny_paths),
     0},
};
_Static_assert(OC_ARRAY_SIZE(rows) <= OC_CONFIG_ROWS_MAX, "settings do not fit");

const struct oc_config_row *oc_config_row_at(size_t index)
{
    return index < OC_ARRAY_SIZE(rows) ? &rows[index] : NULL;
}

const struct oc_config_row *oc_config_row_find(const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].setting.name, name) != 0)
            continue;
        if (ret_index)
            *ret_index = i;
        return &rows[i];
    }
    return NULL;
}

const outcall_daemon_setting *outcall_daemon_setting_at(size_t index)
{
    const struct oc_config_row *row = oc_config_row_at(index);
    return row ? &row->setting : NULL;
}

bool oc_config_is_text(enum oc_config_kind kind)
{
    return kind == OC_CONFIG_DIR || kind == OC_CONFIG_FILE || kind == OC_CONFIG_SOCKET ||
           kind == OC_CONFIG_ENGINE || kind == OC_CONFIG_BLOCK || kind == OC_CONFIG_HOST_PORT ||
           kind == OC_CONFIG_IPV4;
}

static bool is_path(const char *text, size_t max)
{
    size_t len = strlen(text);
    return oc_path_is_clean(text) && len > 1 && len <= max && !oc_has_control(text, len) &&
           oc_utf8_valid(text, len);
}

static bool is_engine(const char *text)
{
    return oc_starts_with(text, "unix://") && is_path(text + strlen("unix://"), OC_CONFIG_SOCKET_MAX);
}

static bool is_block(const char *text)
{
    struct oc_cidr c;
    return oc_cidr_parse(text, strlen(text), &c) == 0 && c.bits >= BLOCK_BITS_MIN && c.bits <= BLOCK_BITS_MAX;
}

static bool is_host_port(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    uint32_t port = 0;
    size_t host = strspn(text, allowed);
    if (host == 0 || host > HOST_NAME_LEN || text[0] == '-' || text[0] == '.' || text[host] != ':')
        return false;
    return oc_parse_u32(text + host + 1, strlen(text + host + 1), 1, UINT16_MAX, &port) == 0;
}

static bool parse_duration(const char *text, uint64_t *ret_ms)
{
    size_t len = strlen(text);
    uint64_t factor = 1000, v = 0;
    if (len > 2 && strcmp(text + len - 2, "ms") == 0) {
        factor = 1;
        len -= 2;
    } else if (len > 1 && text[len - 1] == 's') {
        len--;
    }
    if (oc_parse_u64(text, len, 1, OC_CONFIG_TIMEOUT_MS / factor, &v) < 0)
        return false;
    *ret_ms = v * factor;
    return true;
}

static bool parse_rate(const char *text, struct oc_config_value *ret)
{
    size_t n = strcspn(text, "/");
    return text[n] == '/' && oc_parse_u32(text, n, 1, OC_CONFIG_RATE_MAX, &ret->n) == 0 &&
           oc_parse_u32(text + n + 1, strlen(text + n + 1), 1, OC_CONFIG_WINDOW_S_MAX, &ret->window_s) == 0;
}

/* 0 and *ret, or OUTCALL_E_NOT_FOUND, _SYSTEM, _NO_MEMORY. */
static int find_group(const char *name, gid_t *ret)
{
    uint32_t number = 0;
    if (oc_parse_u32(name, strlen(name), 0, UINT32_MAX - 1, &number) == 0) {
        *ret = (gid_t)number;
        return 0;
    }
    for (size_t size = 1024; size <= GROUP_BUFFER_MAX; size *= 4) {
        OC_FREE char *buf = malloc(size);
        struct group entry, *found = NULL;
        if (!buf)
            return OUTCALL_E_NO_MEMORY;
        int e = getgrnam_r(name, &entry, buf, size, &found);
        if (found) {
            *ret = found->gr_gid;
            return 0;
        }
        if (e == ERANGE)
            continue;
        errno = e;
        return e == 0 || e == ENOENT || e == ESRCH ? OUTCALL_E_NOT_FOUND : OUTCALL_E_SYSTEM;
    }
    errno = ERANGE;
    return OUTCALL_E_SYSTEM;
}

static int check_group(const struct oc_config_row *row, const char *text, struct oc_config_value *ret,
                       outcall_error *err)
{
    gid_t gid = (gid_t)-1;
    int r = find_group(text, &gid);
    if (r == OUTCALL_E_NOT_FOUND)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: there is no group \"%.64s\"", row->setting.name, text);
    if (r < 0)
        return oc_fail_code(err, r, "%s: cannot look up \"%.64s\"", row->setting.name, text);
    ret->group = gid;
    return 0;
}

static void drop_message(int level, const char *target, const char *msg, void *userdata)
{
    (void)level;
    (void)target;
    (void)msg;
    (void)userdata;
}

/* The log's own parser decides, on a log that is thrown away. */
static int check_level(const struct oc_config_row *row, const char *text, outcall_error *err)
{
    outcall_log *log = NULL;
    if (outcall_log_new(&log, drop_message, NULL) < 0)
        return oc_no_memory(err);
    int r = outcall_log_set_filter(log, text);
    (void)outcall_log_unref(log);
    if (r == 0)
        return 0;
    return oc_fail(err, OUTCALL_E_INVALID,
                   "%s: expected error, warn, info, debug or trace, then TARGET=LEVEL, separated by commas, "
                   "got \"%.256s\"",
                   row->setting.name, text);
}

/* What was expected, or NULL when the text is fine. */
static const char *expectation(const struct oc_config_row *row, const char *text, struct oc_config_value *ret)
{
    switch (row->kind) {
    case OC_CONFIG_DIR:
    case OC_CONFIG_FILE:
        return is_path(text, SIZE_MAX) ? NULL : "an absolute path without \".\", \"..\" and trailing \"/\"";
    case OC_CONFIG_SOCKET:
        return is_path(text, OC_CONFIG_SOCKET_MAX) ? NULL : "an absolute path of at most 107 bytes";
    case OC_CONFIG_ENGINE:
        return is_engine(text) ? NULL : "unix:// and an absolute path of at most 107 bytes";
    case OC_CONFIG_BLOCK:
        return is_block(text) ? NULL : "an IPv4 network from /8 to /24 such as 10.200.0.0/16";
    case OC_CONFIG_HOST_PORT:
        return is_host_port(text) ? NULL : "a host and a port such as 10.200.0.1:3128";
    case OC_CONFIG_IPV4: {
        uint32_t addr = 0;
        return oc_ipv4_parse(text, strlen(text), &addr) == 0 ? NULL : "an IPv4 address";
    }
    case OC_CONFIG_DURATION:
        return parse_duration(text, &ret->ms) ? NULL : "a time from 1ms to 60s such as 5s";
    case OC_CONFIG_RATE:
        return parse_rate(text, ret) ? NULL : "a rate such as 1000/10 (at most 1000000 in at most 3600 s)";
    case OC_CONFIG_SWITCH:
        ret->yes = strcmp(text, "true") == 0;
        return ret->yes || strcmp(text, "false") == 0 ? NULL : "true or false";
    case OC_CONFIG_FORMAT:
        return strcmp(text, "text") == 0 || strcmp(text, "json") == 0 ? NULL : "text or json";
    case OC_CONFIG_LEVEL:
    case OC_CONFIG_GROUP:
        break; /* not here: they can fail in other ways too */
    }
    return "something else";
}

int oc_config_check(const struct oc_config_row *row, const char *text, struct oc_config_value *ret,
                    outcall_error *err)
{
    struct oc_config_value value = {.group = (gid_t)-1};
    const char *expected = NULL;
    int r = 0;
    if (row->kind == OC_CONFIG_GROUP)
        r = check_group(row, text, &value, err);
    else if (row->kind == OC_CONFIG_LEVEL)
        r = check_level(row, text, err);
    else
        expected = expectation(row, text, &value);
    if (expected)
        r = oc_fail(err, OUTCALL_E_INVALID, "%s: expected %s, got \"%.256s\"", row->setting.name, expected,
                    text);
    if (r == 0)
        *ret = value;
    return r;
}

void oc_config_done(struct oc_config *c)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(rows); i++) {
        if (!oc_config_is_text(rows[i].kind) || rows[i].setting.list)
            continue;
        char **own = (char **)((char *)c + rows[i].own);
        free(*own);
        *own = NULL;
    }
    free(c->config_path);
    free(c->docker_socket);
    c->config_path = c->docker_socket = NULL;
    oc_strings_done(&c->deny_paths);
}

static int own_texts(const outcall_daemon_options *opts, struct oc_config *c, outcall_error *err)
{
    for (size_t i = 0; i < OC_ARRAY_SIZE(rows); i++) {
        const struct oc_config_row *row = &rows[i];
        struct oc_config_value unused;
        if (!oc_config_is_text(row->kind) || row->setting.list)
            continue;
        const char *given = *(const char *const *)((const char *)opts + row->option);
        const char *text = given ? given : row->value;
        int r = text ? oc_config_check(row, text, &unused, err) : 0;
        if (r < 0)
            return r;
        if (oc_dup((char **)((char *)c + row->own), text) < 0)
            return oc_no_memory(err);
    }
    return 0;
}

/* What depends on something else: the socket's default place, the engine's path, the configuration file. */
static int own_derived(const outcall_daemon_options *opts, struct oc_config *c, outcall_error *err)
{
    const char *config = opts->config_path ? opts->config_path : OUTCALL_DAEMON_CONFIG_PATH;
    if (config[0] != '/')
        return oc_fail(err, OUTCALL_E_INVALID, "config_path: expected an absolute path, got \"%.256s\"",
                       config);
    if (!c->host_socket) {
        c->host_socket = oc_asprintf("%s/host.sock", c->runtime_dir);
        if (c->host_socket && strlen(c->host_socket) > OC_CONFIG_SOCKET_MAX)
            return oc_fail(err, OUTCALL_E_INVALID, "runtime-dir: too long for the sockets below it");
    }
    c->config_path = strdup(config);
    c->docker_socket = c->docker_host ? strdup(c->docker_host + strlen("unix://")) : NULL;
    return c->host_socket && c->config_path && c->docker_socket ? 0 : oc_no_memory(err);
}

static int own_deny_paths(const outcall_daemon_options *opts, struct oc_config *c, outcall_error *err)
{
    const struct oc_config_row *row = oc_config_row_find("mounts.deny", NULL);
    if (opts->n_deny_paths > OUTCALL_DAEMON_DENY_MAX || (opts->n_deny_paths > 0 && !opts->deny_paths))
        return oc_fail(err, OUTCALL_E_INVALID, "mounts.deny: expected at most %d paths",
                       OUTCALL_DAEMON_DENY_MAX);
    for (size_t i = 0; i < opts->n_deny_paths; i++) {
        struct oc_config_value unused;
        const char *path = opts->deny_paths[i] ? opts->deny_paths[i] : "";
        int r = oc_config_check(row, path, &unused, err);
        if (r < 0)
            return r;
        if (oc_strings_add(&c->deny_paths, path, strlen(path)) < 0)
            return oc_no_memory(err);
    }
    return 0;
}

static int own_rate(const char *name, uint32_t n, uint32_t window_s, uint32_t *ret_n, uint32_t *ret_window_s,
                    outcall_error *err)
{
    struct oc_config_value value = {0};
    const struct oc_config_row *row = oc_config_row_find(name, NULL);
    char text[32] = "";
    if (n != 0 || window_s != 0)
        (void)oc_format(text, sizeof(text), "%u/%u", n, window_s);
    int r = oc_config_check(row, text[0] ? text : row->value, &value, err);
    if (r < 0)
        return r;
    *ret_n = value.n;
    *ret_window_s = value.window_s;
    return 0;
}

static int own_duration(const char *name, uint64_t given_ms, uint64_t *ret_ms, outcall_error *err)
{
    struct oc_config_value value = {0};
    const struct oc_config_row *row = oc_config_row_find(name, NULL);
    char text[32] = "";
    if (given_ms != 0)
        (void)oc_format(text, sizeof(text), "%llums", (unsigned long long)given_ms);
    int r = oc_config_check(row, text[0] ? text : row->value, &value, err);
    if (r == 0)
        *ret_ms = value.ms;
    return r;
}

static int own_numbers(const outcall_daemon_options *opts, struct oc_config *c, outcall_error *err)
{
    int r = own_duration("agent-timeout", opts->agent_timeout_ms, &c->agent_timeout_ms, err);
    if (r == 0)
        r = own_duration("docker-timeout", opts->docker_timeout_ms, &c->docker_timeout_ms, err);
    if (r == 0)
        r = own_rate("agent-perm-rate", opts->agent_perm_rate_n, opts->agent_perm_rate_window_s,
                     &c->agent_perm_rate_n, &c->agent_perm_rate_window_s, err);
    if (r == 0)
        r = own_rate("agent-rule-rate", opts->agent_rule_rate_n, opts->agent_rule_rate_window_s,
                     &c->agent_rule_rate_n, &c->agent_rule_rate_window_s, err);
    if (r < 0)
        return r;
    c->socket_group = opts->socket_group;
    c->no_default_network = opts->no_default_network != 0;
    c->watch_rules = opts->watch_rules != 0;
    return 0;
}

int oc_config_from(const outcall_daemon_options *opts, struct oc_config *ret, outcall_error *err)
{
    OC_CLEANUP(oc_config_done) struct oc_config c = {.socket_group = (gid_t)-1};
    if (!opts || opts->version < 1 || opts->version > OUTCALL_DAEMON_OPTIONS_VERSION)
        return oc_fail(err, OUTCALL_E_INVALID, "options: unknown version");
    int r = own_texts(opts, &c, err);
    if (r == 0)
        r = own_derived(opts, &c, err);
    if (r == 0)
        r = own_deny_paths(opts, &c, err);
    if (r == 0)
        r = own_numbers(opts, &c, err);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct oc_config){.socket_group = (gid_t)-1};
    return 0;
}
