#include "base/fd.h"
#include "core/error.h"
#include "daemon/config.h"
#include "yaml/yaml.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct outcall_daemon_settings {
    struct {
        char *text; /* NULL: not set */
        struct oc_config_value value;
        bool from_caller; /* wins over the file */
    } rows[OC_CONFIG_ROWS_MAX];
    struct oc_strings deny;
    char *config_path;
    bool loaded;
};

int outcall_daemon_settings_new(outcall_daemon_settings **ret, outcall_error *err)
{
    if (!ret)
        return oc_fail(err, OUTCALL_E_INVALID, "ret is NULL");
    outcall_daemon_settings *s = calloc(1, sizeof(*s));
    if (!s)
        return oc_no_memory(err);
    *ret = s;
    return 0;
}

outcall_daemon_settings *outcall_daemon_settings_free(outcall_daemon_settings *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < OC_ARRAY_SIZE(s->rows); i++)
        free(s->rows[i].text);
    oc_strings_done(&s->deny);
    free(s->config_path);
    free(s);
    return NULL;
}

static int set(outcall_daemon_settings *s, const char *name, const char *text, bool from_caller,
               outcall_error *err)
{
    size_t index = 0;
    struct oc_config_value value = {0};
    const struct oc_config_row *row = oc_config_row_find(name, &index);
    if (!row)
        return oc_fail(err, OUTCALL_E_INVALID, "unknown setting \"%.64s\"", name);
    if (!text && row->kind == OC_CONFIG_SWITCH)
        text = "true";
    if (!text)
        return oc_fail(err, OUTCALL_E_INVALID, "%s: a value is missing", name);
    int r = oc_config_check(row, text, &value, err);
    if (r < 0)
        return r;
    if (row->setting.list && s->deny.n >= OUTCALL_DAEMON_DENY_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "%s: expected at most %d paths", name, OUTCALL_DAEMON_DENY_MAX);
    if (row->setting.list)
        return oc_strings_add(&s->deny, text, strlen(text)) < 0 ? oc_no_memory(err) : 0;
    char *copy = strdup(text);
    if (!copy)
        return oc_no_memory(err);
    free(s->rows[index].text);
    s->rows[index].text = copy;
    s->rows[index].value = value;
    s->rows[index].from_caller = from_caller;
    return 0;
}

int outcall_daemon_settings_set(outcall_daemon_settings *s, const char *name, const char *value,
                                outcall_error *err)
{
    if (!s || !name)
        return oc_fail(err, OUTCALL_E_INVALID, "settings or name is NULL");
    return set(s, name, value, true, err);
}

/* One scalar of the file, with its place on failure. */
static int set_scalar(outcall_daemon_settings *s, const char *name, const oc_yaml *node, outcall_error *err)
{
    bool unused = false;
    const struct oc_config_row *row = oc_config_row_find(name, NULL);
    if (node->type != OC_YAML_SCALAR || oc_yaml_is_null(node))
        return oc_yaml_fail(err, OUTCALL_E_INVALID, node, "%s: expected %s, got %s", name,
                            row->setting.argument ? "text" : "true or false", oc_yaml_type_name(node));
    if (row->kind == OC_CONFIG_SWITCH && oc_yaml_bool(node, &unused) < 0)
        return oc_yaml_fail(err, OUTCALL_E_INVALID, node, "%s: expected true or false, got \"%.64s\"", name,
                            node->text);
    int r = set(s, name, node->text, false, err);
    oc_error_at(err, NULL, node->line, node->column);
    return r;
}

static int set_from_node(outcall_daemon_settings *s, const char *name, const oc_yaml *node,
                         outcall_error *err)
{
    const struct oc_config_row *row = oc_config_row_find(name, NULL);
    if (!row)
        return oc_yaml_fail(err, OUTCALL_E_INVALID, node->key, "unknown key \"%.64s\"", name);
    if (!row->setting.list)
        return set_scalar(s, name, node, err);
    if (node->type != OC_YAML_SEQUENCE)
        return oc_yaml_fail(err, OUTCALL_E_INVALID, node, "%s: expected a sequence of paths, got %s", name,
                            oc_yaml_type_name(node));
    int r = 0;
    for (const oc_yaml *item = node->first; item && r == 0; item = item->next)
        r = set_scalar(s, name, item, err);
    return r;
}

/* "mounts: {deny: ...}" is the setting "mounts.deny"; a key with a dot of its own is not. */
static int set_group(outcall_daemon_settings *s, const oc_yaml *group, outcall_error *err)
{
    if (group->type != OC_YAML_MAPPING)
        return oc_yaml_fail(err, OUTCALL_E_INVALID, group, "mounts: expected a mapping, got %s",
                            oc_yaml_type_name(group));
    int r = 0;
    for (const oc_yaml *node = group->first; node && r == 0; node = node->next) {
        char name[64];
        if (oc_format(name, sizeof(name), "mounts.%s", node->key->text) < 0)
            r = oc_yaml_fail(err, OUTCALL_E_INVALID, node->key, "unknown key \"%.64s\"", node->key->text);
        else
            r = set_from_node(s, name, node, err);
    }
    return r;
}

static int set_from_root(outcall_daemon_settings *s, const oc_yaml *root, outcall_error *err)
{
    if (!root)
        return 0;
    if (root->type != OC_YAML_MAPPING)
        return oc_yaml_fail(err, OUTCALL_E_INVALID, root, "expected a mapping of settings, got %s",
                            oc_yaml_type_name(root));
    int r = 0;
    for (const oc_yaml *node = root->first; node && r == 0; node = node->next) {
        const char *name = node->key->text;
        if (strcmp(name, "mounts") == 0)
            r = set_group(s, node, err);
        else if (strchr(name, '.'))
            r = oc_yaml_fail(err, OUTCALL_E_INVALID, node->key, "unknown key \"%.64s\"", name);
        else
            r = set_from_node(s, name, node, err);
    }
    return r;
}

/* Whoever can change this file decides which rules hold, so it must be as safe as they are. Non-blocking: a
 * FIFO must not hold the start up. */
static int read_config(const char *path, char **ret, size_t *ret_len, outcall_error *err)
{
    struct stat st;
    OC_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return oc_fail_errno(err, "cannot be read");
    if (!S_ISREG(st.st_mode))
        return oc_fail(err, OUTCALL_E_INVALID, "is not a regular file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return oc_fail(err, OUTCALL_E_DENIED, "belongs to another user");
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return oc_fail(err, OUTCALL_E_DENIED, "can be written by other users");
    int r = oc_read_all(fd, OC_CONFIG_FILE_MAX, ret, ret_len);
    if (r == OUTCALL_E_LIMIT)
        return oc_fail(err, r, "larger than %zu bytes", OC_CONFIG_FILE_MAX);
    return r < 0 ? oc_fail_code(err, r, "cannot be read") : 0;
}

/* Absolute, with symlinks resolved where the file exists: the deny list protects what it names. */
static int absolute_path(const char *path, char **ret, outcall_error *err)
{
    OC_FREE char *resolved = realpath(path, NULL);
    char cwd[PATH_MAX];
    if (!resolved && errno == ENOMEM)
        return oc_no_memory(err);
    if (!resolved && path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return oc_fail_errno(err, "the working directory is unknown");
    char *absolute = resolved         ? strdup(resolved)
                     : path[0] == '/' ? strdup(path)
                                      : oc_asprintf("%s/%s", cwd, path);
    if (!absolute)
        return oc_no_memory(err);
    *ret = absolute;
    return 0;
}

static int load_into(outcall_daemon_settings *fresh, const char *path, bool optional, outcall_error *err)
{
    OC_FREE char *text = NULL;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    size_t len = 0;
    int r = absolute_path(path, &fresh->config_path, err);
    if (r < 0)
        return r;
    if (optional && access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    r = read_config(path, &text, &len, err);
    if (r == 0)
        r = oc_yaml_load(text, len, &root, err);
    return r < 0 ? r : set_from_root(fresh, root, err);
}

/* Nothing fails after the first thing has moved. */
static int merge(outcall_daemon_settings *s, outcall_daemon_settings *fresh, outcall_error *err)
{
    if (s->deny.n + fresh->deny.n > OUTCALL_DAEMON_DENY_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "mounts.deny: expected at most %d paths",
                       OUTCALL_DAEMON_DENY_MAX);
    for (size_t i = 0; i < s->deny.n; i++)
        if (oc_strings_add(&fresh->deny, s->deny.v[i], strlen(s->deny.v[i])) < 0)
            return oc_no_memory(err);
    struct oc_strings deny = s->deny;
    s->deny = fresh->deny;
    fresh->deny = deny;
    for (size_t i = 0; i < OC_ARRAY_SIZE(s->rows); i++) {
        if (s->rows[i].from_caller || !fresh->rows[i].text)
            continue;
        s->rows[i] = fresh->rows[i];
        fresh->rows[i].text = NULL;
    }
    s->config_path = oc_take_ptr(&fresh->config_path);
    s->loaded = true;
    return 0;
}

int outcall_daemon_settings_load(outcall_daemon_settings *s, const char *path, int optional,
                                 outcall_error *err)
{
    OC_CLEANUP(outcall_daemon_settings_freep) outcall_daemon_settings *fresh = NULL;
    if (!s || !path || !path[0])
        return oc_fail(err, OUTCALL_E_INVALID, "settings or path is NULL");
    if (s->loaded)
        return oc_fail(err, OUTCALL_E_INVALID, "a configuration file is loaded already");
    int r = outcall_daemon_settings_new(&fresh, err);
    if (r == 0)
        r = load_into(fresh, path, optional != 0, err);
    if (r == 0)
        r = merge(s, fresh, err);
    if (r < 0)
        oc_error_at(err, path, 0, 0);
    return r;
}

const char *outcall_daemon_settings_get(const outcall_daemon_settings *s, const char *name)
{
    size_t index = 0;
    const struct oc_config_row *row = s && name ? oc_config_row_find(name, &index) : NULL;
    if (!row || row->setting.list)
        return NULL;
    if (s->rows[index].text)
        return s->rows[index].text;
    return row->kind == OC_CONFIG_SWITCH ? "false" : row->value;
}

static void fill_option(const struct oc_config_row *row, const char *text,
                        const struct oc_config_value *value, outcall_daemon_options *o)
{
    void *at = (char *)o + row->option;
    switch (row->kind) {
    case OC_CONFIG_GROUP:
        *(gid_t *)at = value->group;
        break;
    case OC_CONFIG_SWITCH:
        *(int *)at = value->yes;
        break;
    case OC_CONFIG_DURATION:
        *(uint64_t *)at = value->ms;
        break;
    case OC_CONFIG_RATE: /* n, and the window behind it */
        ((uint32_t *)at)[0] = value->n;
        ((uint32_t *)at)[1] = value->window_s;
        break;
    default:
        *(const char **)at = text;
        break;
    }
}

_Static_assert(offsetof(outcall_daemon_options, agent_perm_rate_window_s) ==
                   offsetof(outcall_daemon_options, agent_perm_rate_n) + sizeof(uint32_t),
               "a rate is two neighbours");
_Static_assert(offsetof(outcall_daemon_options, agent_rule_rate_window_s) ==
                   offsetof(outcall_daemon_options, agent_rule_rate_n) + sizeof(uint32_t),
               "a rate is two neighbours");

void outcall_daemon_settings_options(const outcall_daemon_settings *s, outcall_daemon_options *ret)
{
    outcall_daemon_options o = OUTCALL_DAEMON_OPTIONS_INIT;
    const struct oc_config_row *row = NULL;
    for (size_t i = 0; s && (row = oc_config_row_at(i)) != NULL; i++)
        if (s->rows[i].text && row->option != SIZE_MAX)
            fill_option(row, s->rows[i].text, &s->rows[i].value, &o);
    if (s) {
        o.deny_paths = (const char *const *)s->deny.v;
        o.n_deny_paths = s->deny.n;
        o.config_path = s->config_path;
    }
    *ret = o;
}
