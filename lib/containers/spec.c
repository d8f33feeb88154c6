#include "containers/spec.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

#define ID_MAX 4294967294U /* (uid_t)-1 means "no user" */

#define QUOTE_MAX 256U /* bytes of a key that an error repeats */

#define INVALID(err, ...) oc_fail_kind((err), OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, __VA_ARGS__)

static int check_text(const char *field, const char *s, size_t max, outcall_error *err)
{
    size_t len = strnlen(s, max + 1);
    if (len == 0 || len > max)
        return INVALID(err, "%s: expected 1 to %zu bytes", field, max);
    if (!oc_utf8_valid(s, len))
        return INVALID(err, "%s: not valid UTF-8", field);
    if (oc_has_control(s, len))
        return INVALID(err, "%s: control characters are not allowed", field);
    return 0;
}

static int check_user(const char *user, outcall_error *err)
{
    const char *colon = strchr(user, ':');
    uint32_t id = 0;
    if (!colon || oc_parse_u32(user, (size_t)(colon - user), 1, ID_MAX, &id) < 0 ||
        oc_parse_u32(colon + 1, strlen(colon + 1), 1, ID_MAX, &id) < 0)
        return INVALID(err, "user: expected UID:GID, both numbers from 1 to %u, got \"%s\"", ID_MAX, user);
    return 0;
}

/* Arguments and environment are any text: line breaks belong to scripts. Only the ends are checked. */
static int check_list(const char *field, const char *const *v, size_t n, size_t max, outcall_error *err)
{
    if (n > max)
        return INVALID(err, "%s: expected at most %zu elements, got %zu", field, max, n);
    if (n > 0 && !v)
        return INVALID(err, "%s: the list is missing", field);
    for (size_t i = 0; i < n; i++) {
        if (!v[i])
            return INVALID(err, "%s[%zu]: expected a string", field, i);
        if (!oc_utf8_valid(v[i], strlen(v[i])))
            return INVALID(err, "%s[%zu]: not valid UTF-8", field, i);
    }
    return 0;
}

/* "KEY=value" with a key that is not empty and appears once. *ret_key_len of the i-th. */
static int check_pair(const char *field, const char *const *v, size_t i, size_t *ret_key_len,
                      outcall_error *err)
{
    size_t len = strcspn(v[i], "=");
    if (len == 0 || v[i][len] != '=')
        return INVALID(err, "%s[%zu]: expected KEY=value", field, i);
    if (oc_has_control(v[i], len))
        return INVALID(err, "%s[%zu]: control characters are not allowed in a key", field, i);
    for (size_t j = 0; j < i; j++)
        if (strncmp(v[i], v[j], len + 1) == 0)
            return INVALID(err, "%s[%zu]: \"%.*s\" is given twice", field, i,
                           (int)oc_utf8_cut(v[i], len, QUOTE_MAX), v[i]);
    *ret_key_len = len;
    return 0;
}

bool oc_is_proxy_variable(const char *env, size_t len)
{
    static const char *const names[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
                                        "http_proxy", "https_proxy", "no_proxy"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(names); i++)
        if (strlen(names[i]) == len && memcmp(names[i], env, len) == 0)
            return true;
    return false;
}

static int check_env(const outcall_container_spec *s, outcall_error *err)
{
    int r = check_list("env", s->env, s->n_env, OC_SPEC_STRINGS_MAX, err);
    for (size_t i = 0; i < s->n_env && r == 0; i++) {
        size_t len = 0;
        r = check_pair("env", s->env, i, &len, err);
        if (r == 0 && oc_is_proxy_variable(s->env[i], len))
            r = INVALID(err, "env[%zu]: %.*s is set by outcall and cannot be given", i, (int)len, s->env[i]);
    }
    return r;
}

static int check_labels(const outcall_container_spec *s, outcall_error *err)
{
    int r = check_list("labels", s->labels, s->n_labels, OC_SPEC_LABELS_MAX, err);
    for (size_t i = 0; i < s->n_labels && r == 0; i++) {
        size_t len = 0;
        r = check_pair("labels", s->labels, i, &len, err);
        if (r == 0 &&
            (oc_starts_with(s->labels[i], "managed-by=") || oc_starts_with(s->labels[i], "outcall.")))
            r = INVALID(err, "labels[%zu]: \"%.*s\" is set by outcall and cannot be given", i,
                        (int)oc_utf8_cut(s->labels[i], len, QUOTE_MAX), s->labels[i]);
    }
    return r;
}

static int check_numbers(const outcall_container_spec *s, outcall_error *err)
{
    if (s->memory_bytes < OC_MEMORY_MIN || s->memory_bytes > INT64_MAX)
        return INVALID(err, "memory_limit: expected at least %llu bytes", (unsigned long long)OC_MEMORY_MIN);
    if (s->tmp_size_bytes < OC_TMP_SIZE_MIN || s->tmp_size_bytes > INT64_MAX)
        return INVALID(err, "tmp_size: expected at least %u bytes", OC_TMP_SIZE_MIN);
    if (s->cpu_shares < OC_SHARES_MIN || s->cpu_shares > OC_SHARES_MAX)
        return INVALID(err, "cpu_shares: expected %u to %u, got %u", OC_SHARES_MIN, OC_SHARES_MAX,
                       s->cpu_shares);
    if (s->nano_cpus != 0 && (s->nano_cpus < OC_NANO_CPUS_MIN || s->nano_cpus > INT64_MAX))
        return INVALID(err, "cpus: expected at least 0.01");
    if (s->pids_max > OC_PIDS_MAX)
        return INVALID(err, "pids_limit: expected 1 to %u, got %u", OC_PIDS_MAX, s->pids_max);
    return 0;
}

static void fill_defaults(outcall_container_spec *s)
{
    s->user = s->user ? s->user : OC_DEFAULT_USER;
    s->network = s->network ? s->network : OC_DEFAULT_NETWORK;
    s->memory_bytes = s->memory_bytes ? s->memory_bytes : OC_DEFAULT_MEMORY;
    s->tmp_size_bytes = s->tmp_size_bytes ? s->tmp_size_bytes : OC_DEFAULT_TMP_SIZE;
    s->cpu_shares = s->cpu_shares ? s->cpu_shares : OC_DEFAULT_SHARES;
    s->pids_max = s->pids_max ? s->pids_max : OC_DEFAULT_PIDS;
}

int oc_spec_complete(const outcall_container_spec *in, outcall_container_spec *ret, outcall_error *err)
{
    if (in->version < 1 || in->version > OUTCALL_CONTAINER_SPEC_VERSION)
        return INVALID(err, "spec version %u: expected 1 to %d", in->version, OUTCALL_CONTAINER_SPEC_VERSION);
    outcall_container_spec s = *in;
    fill_defaults(&s);
    if (!s.image)
        return INVALID(err, "image: required field is missing");
    int r = check_text("image", s.image, OC_IMAGE_NAME_MAX, err);
    if (r == 0 && (strcmp(s.image, ".") == 0 || strcmp(s.image, "..") == 0))
        r = INVALID(err, "image: \"%s\" names no image", s.image);
    if (r == 0)
        r = check_user(s.user, err);
    if (r == 0 && s.workdir && !oc_path_is_clean(s.workdir))
        r = INVALID(err, "working_dir: expected an absolute path without \".\" and \"..\"");
    if (r == 0 && s.workdir)
        r = check_text("working_dir", s.workdir, 4095, err);
    if (r == 0)
        r = check_numbers(&s, err);
    if (r == 0)
        r = check_list("entrypoint", s.entrypoint, s.n_entrypoint, OC_SPEC_STRINGS_MAX, err);
    if (r == 0)
        r = check_list("cmd", s.cmd, s.n_cmd, OC_SPEC_STRINGS_MAX, err);
    if (r == 0)
        r = check_env(&s, err);
    if (r == 0)
        r = check_labels(&s, err);
    if (r == 0 && s.n_mounts > OC_SPEC_MOUNTS_MAX)
        r = INVALID(err, "volumes: expected at most %u elements, got %zu", OC_SPEC_MOUNTS_MAX, s.n_mounts);
    if (r == 0)
        *ret = s;
    return r;
}
