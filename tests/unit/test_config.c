#include "base/fd.h"
#include "base/str.h"
#include "daemon/config.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/outcall-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    ck_assert_int_eq(rmdir(dir), 0);
}

static const char *file(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    OC_CLOSE int fd = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(oc_write_all(fd, text, strlen(text)), 0);
}

static outcall_daemon_settings *new_settings(void)
{
    outcall_daemon_settings *s = NULL;
    ck_assert_int_eq(outcall_daemon_settings_new(&s, NULL), 0);
    return s;
}

START_TEST(every_setting_has_a_name_and_its_default_is_valid)
{
    const outcall_daemon_setting *s = NULL;
    size_t n = 0;
    for (; (s = outcall_daemon_setting_at(n)) != NULL; n++) {
        struct oc_config_value value;
        const struct oc_config_row *row = oc_config_row_at(n);
        ck_assert_ptr_nonnull(s->name);
        ck_assert_ptr_nonnull(s->help);
        ck_assert_ptr_eq(oc_config_row_find(s->name, NULL), row);
        ck_assert_int_eq(s->argument == NULL, row->kind == OC_CONFIG_SWITCH);
        if (row->value)
            ck_assert_int_eq(oc_config_check(row, row->value, &value, NULL), 0);
    }
    ck_assert_uint_eq(n, 19);
    ck_assert_ptr_null(outcall_daemon_setting_at(SIZE_MAX));
}
END_TEST

START_TEST(defaults)
{
    struct oc_config c;
    outcall_daemon_options o = OUTCALL_DAEMON_OPTIONS_INIT;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), 0);
    ck_assert_str_eq(c.runtime_dir, "/run/outcall");
    ck_assert_str_eq(c.host_socket, "/run/outcall/host.sock");
    ck_assert_str_eq(c.state_dir, "/var/lib/outcall");
    ck_assert_str_eq(c.rules_dir, "/etc/outcall/rules.d");
    ck_assert_str_eq(c.config_path, "/etc/outcall/outcalld.yaml");
    ck_assert_str_eq(c.subnet_block, "10.200.0.0/16");
    ck_assert_ptr_nonnull(strstr(c.shim_path, "/outcall/outcall-agent"));
    ck_assert_str_eq(c.docker_host, "unix:///var/run/docker.sock");
    ck_assert_str_eq(c.docker_socket, "/var/run/docker.sock");
    ck_assert_ptr_null(c.proxy_address);
    ck_assert_ptr_null(c.dns_address);
    ck_assert_uint_eq(c.deny_paths.n, 0);
    ck_assert(c.socket_group == (gid_t)-1);
    ck_assert(!c.no_default_network && !c.watch_rules);
    ck_assert_uint_eq(c.agent_timeout_ms, 5000);
    ck_assert_uint_eq(c.docker_timeout_ms, 30000);
    ck_assert_uint_eq(c.agent_perm_rate_n, 1000);
    ck_assert_uint_eq(c.agent_perm_rate_window_s, 10);
    ck_assert_uint_eq(c.agent_rule_rate_n, 10);
    ck_assert_uint_eq(c.agent_rule_rate_window_s, 60);
    oc_config_done(&c);
}
END_TEST

START_TEST(values)
{
    static const struct {
        const char *name, *value;
        int code;
    } cases[] = {
        {"runtime-dir", "/run/x", 0},
        {"runtime-dir", "run/x", OUTCALL_E_INVALID},
        {"runtime-dir", "/run/../x", OUTCALL_E_INVALID},
        {"runtime-dir", "/run/x/", OUTCALL_E_INVALID},
        {"runtime-dir", "/", OUTCALL_E_INVALID},
        {"runtime-dir", "", OUTCALL_E_INVALID},
        {"runtime-dir", "/run/\x01", OUTCALL_E_INVALID},
        {"runtime-dir", "/run/\xff", OUTCALL_E_INVALID},
        {"socket", "/a", 0},
        {"docker-host", "unix:///x.sock", 0},
        {"docker-host", "/x.sock", OUTCALL_E_INVALID},
        {"docker-host", "tcp://127.0.0.1:2375", OUTCALL_E_INVALID},
        {"docker-host", "unix://x.sock", OUTCALL_E_INVALID},
        {"subnet-block", "10.0.0.0/8", 0},
        {"subnet-block", "10.1.2.0/24", 0},
        {"subnet-block", "10.1.2.0/25", OUTCALL_E_INVALID},
        {"subnet-block", "0.0.0.0/0", OUTCALL_E_INVALID},
        {"subnet-block", "10.1.2.3/16", OUTCALL_E_INVALID},
        {"agent-timeout", "60", 0},
        {"agent-timeout", "60s", 0},
        {"agent-timeout", "60000ms", 0},
        {"agent-timeout", "61", OUTCALL_E_INVALID},
        {"agent-timeout", "60001ms", OUTCALL_E_INVALID},
        {"agent-timeout", "0", OUTCALL_E_INVALID},
        {"agent-timeout", "-1", OUTCALL_E_INVALID},
        {"agent-timeout", "5m", OUTCALL_E_INVALID},
        {"agent-timeout", "s", OUTCALL_E_INVALID},
        {"agent-timeout", "ms", OUTCALL_E_INVALID},
        {"agent-perm-rate", "1/1", 0},
        {"agent-perm-rate", "1000000/3600", 0},
        {"agent-perm-rate", "1000001/1", OUTCALL_E_INVALID},
        {"agent-perm-rate", "1/3601", OUTCALL_E_INVALID},
        {"agent-perm-rate", "0/1", OUTCALL_E_INVALID},
        {"agent-perm-rate", "10", OUTCALL_E_INVALID},
        {"agent-perm-rate", "/", OUTCALL_E_INVALID},
        {"proxy", "10.0.0.1:3128", 0},
        {"proxy", "proxy.example:1", 0},
        {"proxy", "proxy", OUTCALL_E_INVALID},
        {"proxy", "proxy:0", OUTCALL_E_INVALID},
        {"proxy", "proxy:65536", OUTCALL_E_INVALID},
        {"proxy", "a b:1", OUTCALL_E_INVALID},
        {"proxy", "u@h:1", OUTCALL_E_INVALID},
        {"proxy", "http://h:1", OUTCALL_E_INVALID},
        {"dns", "10.0.0.1", 0},
        {"dns", "10.0.0", OUTCALL_E_INVALID},
        {"dns", "::1", OUTCALL_E_INVALID},
        {"socket-group", "0", 0},
        {"socket-group", "root", 0},
        {"socket-group", "no-such-group-here", OUTCALL_E_INVALID},
        {"socket-group", "4294967295", OUTCALL_E_INVALID},
        {"log-format", "json", 0},
        {"log-format", "xml", OUTCALL_E_INVALID},
        {"log-level", "info,docker=debug", 0},
        {"log-level", "loud", OUTCALL_E_INVALID},
        {"watch-rules", NULL, 0},
        {"watch-rules", "false", 0},
        {"watch-rules", "yes", OUTCALL_E_INVALID},
        {"runtime-dir", NULL, OUTCALL_E_INVALID},
        {"mounts.deny", "/srv", 0},
        {"mounts.deny", "srv", OUTCALL_E_INVALID},
        {"nonsense", "1", OUTCALL_E_INVALID},
    };
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        int r = outcall_daemon_settings_set(s, cases[i].name, cases[i].value, &err);
        ck_assert_msg(r == cases[i].code && err.code == r, "%s %s: %d %s", cases[i].name,
                      cases[i].value ? cases[i].value : "-", r, err.text);
        if (r < 0)
            ck_assert_msg(strstr(err.text, cases[i].name) != NULL, "%s", err.text);
    }
    ck_assert_str_eq(outcall_daemon_settings_get(s, "agent-timeout"), "60000ms");
    ck_assert_str_eq(outcall_daemon_settings_get(s, "watch-rules"), "false");
    ck_assert_str_eq(outcall_daemon_settings_get(s, "no-default-network"), "false");
    ck_assert_ptr_null(outcall_daemon_settings_get(s, "mounts.deny"));
    ck_assert_ptr_null(outcall_daemon_settings_get(s, "nonsense"));
    char path[200] = "/";
    memset(path + 1, 'a', 107);
    ck_assert_int_eq(outcall_daemon_settings_set(s, "socket", path, NULL), OUTCALL_E_INVALID);
    path[107] = '\0';
    ck_assert_int_eq(outcall_daemon_settings_set(s, "socket", path, NULL), 0);
}
END_TEST

START_TEST(text_of_a_refusal)
{
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_daemon_settings_set(s, "agent-timeout", "x", &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, "agent-timeout: expected a time from 1ms to 60s such as 5s, got \"x\"");
}
END_TEST

START_TEST(the_file_fills_in_and_the_caller_wins)
{
    make_dir();
    write_file("c.yaml",
               "runtime-dir: /run/file\nstate-dir: /var/file\nwatch-rules: true\nsocket-group: 12\n"
               "agent-timeout: 250ms\ndocker-timeout: 2s\nagent-perm-rate: 7/8\nagent-rule-rate: "
               "9/10\nlog-level: debug\n"
               "mounts:\n  deny:\n    - /srv/a\n    - '/srv/b'\n",
               0644);
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    ck_assert_int_eq(outcall_daemon_settings_set(s, "runtime-dir", "/run/caller", NULL), 0);
    ck_assert_int_eq(outcall_daemon_settings_set(s, "mounts.deny", "/srv/c", NULL), 0);
    ck_assert_int_eq(outcall_daemon_settings_load(s, file("c.yaml"), 0, NULL), 0);
    ck_assert_int_eq(outcall_daemon_settings_set(s, "state-dir", "/var/caller", NULL), 0);
    outcall_daemon_options o;
    outcall_daemon_settings_options(s, &o);
    ck_assert_str_eq(o.runtime_dir, "/run/caller");
    ck_assert_str_eq(o.state_dir, "/var/caller");
    ck_assert_str_eq(o.config_path, file("c.yaml"));
    ck_assert_int_eq(o.watch_rules, 1);
    ck_assert_int_eq(o.no_default_network, 0);
    ck_assert_uint_eq(o.socket_group, 12);
    ck_assert_uint_eq(o.agent_timeout_ms, 250);
    ck_assert_uint_eq(o.docker_timeout_ms, 2000);
    ck_assert_uint_eq(o.agent_perm_rate_n, 7);
    ck_assert_uint_eq(o.agent_perm_rate_window_s, 8);
    ck_assert_uint_eq(o.agent_rule_rate_n, 9);
    ck_assert_uint_eq(o.agent_rule_rate_window_s, 10);
    ck_assert_uint_eq(o.n_deny_paths, 3);
    ck_assert_int_eq(o.host_listen_fd, -1);
    ck_assert_str_eq(outcall_daemon_settings_get(s, "log-level"), "debug");
    struct oc_config c;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), 0);
    ck_assert_str_eq(c.host_socket, "/run/caller/host.sock");
    ck_assert_uint_eq(c.deny_paths.n, 3);
    ck_assert(oc_strings_has(&c.deny_paths, "/srv/b") && oc_strings_has(&c.deny_paths, "/srv/c"));
    oc_config_done(&c);
    ck_assert_int_eq(outcall_daemon_settings_load(s, file("c.yaml"), 0, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(unlink(file("c.yaml")), 0);
    remove_dir();
}
END_TEST

START_TEST(refused_files)
{
    static const struct {
        const char *yaml;
        int code, line, column;
        const char *text;
    } cases[] = {
        {"runtime_dir: /x\n", OUTCALL_E_INVALID, 1, 1, "unknown key \"runtime_dir\""},
        {"mounts.deny: [/x]\n", OUTCALL_E_INVALID, 1, 1, "unknown key \"mounts.deny\""},
        {"mounts: {allow: [/x]}\n", OUTCALL_E_INVALID, 1, 10, "unknown key \"mounts.allow\""},
        {"mounts: [/x]\n", OUTCALL_E_INVALID, 1, 9, "mounts: expected a mapping, got a sequence"},
        {"mounts: {deny: /x}\n", OUTCALL_E_INVALID, 1, 16,
         "mounts.deny: expected a sequence of paths, got text"},
        {"mounts: {deny: [/x, [/y]]}\n", OUTCALL_E_INVALID, 1, 21,
         "mounts.deny: expected text, got a sequence"},
        {"mounts: {deny: [/x,\n  y]}\n", OUTCALL_E_INVALID, 2, 3,
         "mounts.deny: expected an absolute path without \".\", \"..\" and trailing \"/\", got \"y\""},
        {"state-dir: /x\nstate-dir: /x\n", OUTCALL_E_SYNTAX, 2, 1, "key \"state-dir\" is repeated"},
        {"state-dir:\n", OUTCALL_E_INVALID, 1, 11, "state-dir: expected text, got nothing"},
        {"state-dir: [/x]\n", OUTCALL_E_INVALID, 1, 12, "state-dir: expected text, got a sequence"},
        {"watch-rules: yes\n", OUTCALL_E_INVALID, 1, 14, "watch-rules: expected true or false, got \"yes\""},
        {"watch-rules: \"true\"\n", OUTCALL_E_INVALID, 1, 14,
         "watch-rules: expected true or false, got \"true\""},
        {"watch-rules: {a: b}\n", OUTCALL_E_INVALID, 1, 14,
         "watch-rules: expected true or false, got a mapping"},
        {"- a\n", OUTCALL_E_INVALID, 1, 1, "expected a mapping of settings, got a sequence"},
        {"log-level: x\n", OUTCALL_E_INVALID, 1, 12,
         "log-level: expected error, warn, info, debug or trace, then TARGET=LEVEL, separated by commas, got "
         "\"x\""},
        {"a: &x b\n", OUTCALL_E_SYNTAX, 1, 4, "anchors are not allowed"},
    };
    make_dir();
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    for (size_t i = 0; i < OC_ARRAY_SIZE(cases); i++) {
        outcall_error err = OUTCALL_ERROR_INIT;
        write_file("c.yaml", cases[i].yaml, 0600);
        int r = outcall_daemon_settings_load(s, file("c.yaml"), 0, &err);
        ck_assert_msg(r == cases[i].code && err.line == cases[i].line && err.column == cases[i].column &&
                          strcmp(err.text, cases[i].text) == 0 && strcmp(err.source, file("c.yaml")) == 0,
                      "%s: %d %s:%d:%d: %s", cases[i].yaml, r, err.source, err.line, err.column, err.text);
    }
    outcall_daemon_options o;
    outcall_daemon_settings_options(s, &o);
    ck_assert_ptr_null(o.state_dir);
    ck_assert_uint_eq(o.n_deny_paths, 0);
    ck_assert_int_eq(unlink(file("c.yaml")), 0);
    remove_dir();
}
END_TEST

static int load_error(const char *path, int optional, char *text, size_t size)
{
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_daemon_settings_load(s, path, optional, &err);
    (void)oc_format(text, size, "%s", err.text);
    return r;
}

START_TEST(unsafe_and_absent_files)
{
    char text[OUTCALL_ERROR_TEXT];
    make_dir();
    ck_assert_int_eq(load_error(file("absent"), 0, text, sizeof(text)), OUTCALL_E_SYSTEM);
    ck_assert_str_eq(text, "cannot be read: No such file or directory");
    ck_assert_int_eq(load_error(file("absent"), 1, text, sizeof(text)), 0);
    ck_assert_int_eq(load_error(dir, 1, text, sizeof(text)), OUTCALL_E_INVALID);
    ck_assert_str_eq(text, "is not a regular file");
    write_file("open", "watch-rules: true\n", 0664);
    ck_assert_int_eq(load_error(file("open"), 1, text, sizeof(text)), OUTCALL_E_DENIED);
    ck_assert_str_eq(text, "can be written by other users");
    ck_assert_int_eq(chmod(file("open"), 0644), 0);
    ck_assert_int_eq(load_error(file("open"), 1, text, sizeof(text)), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(file("open"), 65534, 0), 0);
        ck_assert_int_eq(load_error(file("open"), 1, text, sizeof(text)), OUTCALL_E_DENIED);
        ck_assert_str_eq(text, "belongs to another user");
    }
    ck_assert_int_eq(truncate(file("open"), (off_t)OC_CONFIG_FILE_MAX + 1), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(file("open"), 0, 0), 0);
    ck_assert_int_eq(load_error(file("open"), 1, text, sizeof(text)), OUTCALL_E_LIMIT);
    ck_assert_int_eq(unlink(file("open")), 0);
    ck_assert_int_eq(mkfifo(file("fifo"), 0600), 0);
    ck_assert_int_eq(load_error(file("fifo"), 0, text, sizeof(text)), OUTCALL_E_INVALID);
    ck_assert_int_eq(unlink(file("fifo")), 0);
    remove_dir();
}
END_TEST

START_TEST(relative_path_becomes_absolute)
{
    char cwd[PATH_MAX], expected[PATH_MAX + 16];
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    outcall_daemon_options o;
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    snprintf(expected, sizeof(expected), "%s/no-such.yaml", cwd);
    ck_assert_int_eq(outcall_daemon_settings_load(s, "no-such.yaml", 1, NULL), 0);
    outcall_daemon_settings_options(s, &o);
    ck_assert_str_eq(o.config_path, expected);
}
END_TEST

START_TEST(options_are_checked_too)
{
    struct oc_config c;
    outcall_error err = OUTCALL_ERROR_INIT;
    static const char *const relative[] = {"srv"};
    const outcall_daemon_options init = OUTCALL_DAEMON_OPTIONS_INIT;
    outcall_daemon_options o = init;
    o.version = 0;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o.version = OUTCALL_DAEMON_OPTIONS_VERSION + 1;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(oc_config_from(NULL, &c, NULL), OUTCALL_E_INVALID);
    o = init;
    o.rules_dir = "x";
    ck_assert_int_eq(oc_config_from(&o, &c, &err), OUTCALL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "rules-dir"));
    o = init;
    o.agent_timeout_ms = 60001;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o = init;
    o.docker_timeout_ms = 60001;
    outcall_error_clear(&err);
    ck_assert_int_eq(oc_config_from(&o, &c, &err), OUTCALL_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "docker-timeout"));
    o = init;
    o.agent_perm_rate_n = 5;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o = init;
    o.config_path = "x";
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o = init;
    o.deny_paths = relative;
    o.n_deny_paths = 1;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o.deny_paths = NULL;
    ck_assert_int_eq(oc_config_from(&o, &c, NULL), OUTCALL_E_INVALID);
    o = init;
    char path[128] = "/";
    memset(path + 1, 'a', 98);
    o.runtime_dir = path;
    outcall_error_clear(&err);
    ck_assert_int_eq(oc_config_from(&o, &c, &err), OUTCALL_E_INVALID);
    ck_assert_str_eq(err.text, "runtime-dir: too long for the sockets below it");
}
END_TEST

START_TEST(too_many_deny_paths)
{
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = new_settings();
    for (int i = 0; i < OUTCALL_DAEMON_DENY_MAX; i++)
        ck_assert_int_eq(outcall_daemon_settings_set(s, "mounts.deny", "/x", NULL), 0);
    ck_assert_int_eq(outcall_daemon_settings_set(s, "mounts.deny", "/x", NULL), OUTCALL_E_LIMIT);
    make_dir();
    write_file("c.yaml", "mounts: {deny: [/y]}\n", 0600);
    ck_assert_int_eq(outcall_daemon_settings_load(s, file("c.yaml"), 0, NULL), OUTCALL_E_LIMIT);
    ck_assert_int_eq(unlink(file("c.yaml")), 0);
    remove_dir();
}
END_TEST

START_TEST(check_loads_the_rules)
{
    static const char good[] = "version: \"1\"\nrules:\n  - {id: %s, condition: \"true\", action: allow}\n";
    outcall_daemon_options o = OUTCALL_DAEMON_OPTIONS_INIT;
    outcall_daemon_report report;
    outcall_error err = OUTCALL_ERROR_INIT;
    char text[256];
    make_dir();
    o.rules_dir = dir;
    snprintf(text, sizeof(text), good, "a");
    write_file("a.yaml", text, 0600);
    snprintf(text, sizeof(text), good, "b");
    write_file("b.yml", text, 0600);
    write_file("c.txt", "{{{", 0600);
    write_file(".d.yaml", "{{{", 0600);
    ck_assert_int_eq(outcall_daemon_check(&o, &report, &err), 0);
    ck_assert_int_eq(report.rules_dir_exists, 1);
    ck_assert_uint_eq(report.rule_files_n, 2);
    ck_assert_uint_eq(report.rules_n, 2);
    ck_assert_uint_eq(report.warnings_n, 0);
    snprintf(text, sizeof(text), good, "a");
    write_file("b.yml", text, 0600); /* an id twice */
    ck_assert_int_eq(outcall_daemon_check(&o, &report, &err), OUTCALL_E_EXISTS);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_RULES_INVALID);
    ck_assert_str_eq(err.source, "b.yml");
    ck_assert_int_eq(err.line, 3);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_daemon_check(&o, &report, &err), OUTCALL_E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "can be written by other users"));
    ck_assert_int_eq(
        unlink(file("a.yaml")) | unlink(file("b.yml")) | unlink(file("c.txt")) | unlink(file(".d.yaml")), 0);
    remove_dir();
    ck_assert_int_eq(outcall_daemon_check(&o, &report, NULL), 0);
    ck_assert_int_eq(report.rules_dir_exists, 0);
    ck_assert_uint_eq(report.warnings_n, 1);
}
END_TEST

static int everything(void *userdata)
{
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *s = NULL;
    outcall_daemon_options o;
    struct oc_config c;
    int r = outcall_daemon_settings_new(&s, NULL);
    if (r == 0)
        r = outcall_daemon_settings_set(s, "proxy", "a:1", NULL);
    if (r == 0)
        r = outcall_daemon_settings_set(s, "log-level", "debug", NULL);
    if (r == 0)
        r = outcall_daemon_settings_set(s, "mounts.deny", "/a", NULL);
    if (r == 0)
        r = outcall_daemon_settings_load(s, userdata, 0, NULL);
    if (r < 0)
        return r;
    outcall_daemon_settings_options(s, &o);
    r = oc_config_from(&o, &c, NULL);
    if (r == 0)
        oc_config_done(&c);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    make_dir();
    write_file("c.yaml", "state-dir: /x\nmounts: {deny: [/srv/a]}\n", 0600);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", file("c.yaml"));
    ck_assert_int_gt(failmalloc_loop(everything, path), 20);
    ck_assert_int_eq(unlink(path), 0);
    remove_dir();
}
END_TEST

UNIT_MAIN("config", every_setting_has_a_name_and_its_default_is_valid, defaults, values, text_of_a_refusal,
          the_file_fills_in_and_the_caller_wins, refused_files, unsafe_and_absent_files,
          relative_path_becomes_absolute, options_are_checked_too, too_many_deny_paths, check_loads_the_rules,
          every_allocation_may_fail)
