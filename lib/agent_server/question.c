#include "agent_server/question.h"
#include "agent_server/target.h"
#include "core/error.h"
#include "policy/labels.h"
#include <string.h>

/* Fields set one after the other; the first failure stays. */
struct filling {
    outcall_context *c;
    int r;
};

static void text(struct filling *f, const char *field, const char *s)
{
    if (f->r == 0 && s)
        f->r = outcall_context_string(f->c, field, s, strlen(s));
}

static void pair(struct filling *f, const char *key, const char *value)
{
    if (f->r == 0)
        f->r = outcall_context_pair(f->c, "run.context", key, value);
}

static struct filling begin(outcall_context *c, const outcall_identity *who, const char *action)
{
    struct filling f = {c, 0};
    outcall_context_reset(c);
    text(&f, "agent.name", who->agent);
    text(&f, "agent.container_id", who->container_id);
    text(&f, "agent.image", who->image);
    pair(&f, "action_type", action);
    if (f.r == 0)
        f.r = oc_context_labels(c, who->labels, who->n_labels);
    return f;
}

static int target_error(outcall_error *err, const char *why)
{
    return oc_fail_kind(err, OUTCALL_E_INVALID, OUTCALL_KIND_TARGET_INVALID, "target: %s", why);
}

static const char *metadata(const outcall_check *check, const char *key)
{
    for (size_t i = 0; i < check->metadata_n; i++)
        if (strcmp(check->metadata[i].key, key) == 0)
            return check->metadata[i].value;
    return NULL;
}

/* run.flags: every argument that begins with "-", wherever it stands. */
static void arguments(struct filling *f, const outcall_check *check)
{
    const char **flags = calloc(check->args_n + 1, sizeof(*flags));
    size_t n = 0;
    if (!flags && f->r == 0)
        f->r = OUTCALL_E_NO_MEMORY;
    for (size_t i = 0; f->r == 0 && i < check->args_n; i++)
        if (check->args[i][0] == '-')
            flags[n++] = check->args[i];
    if (f->r == 0)
        f->r = outcall_context_strings(f->c, "run.args", check->args, check->args_n);
    if (f->r == 0)
        f->r = outcall_context_strings(f->c, "run.flags", flags, n);
    free(flags);
}

static void tool(struct filling *f, const outcall_check *check)
{
    text(f, "run.tool", check->target);
    text(f, "run.cwd", check->cwd);
    arguments(f, check);
}

static int file(struct filling *f, const outcall_check *check, outcall_error *err)
{
    const char *why = NULL;
    if (oc_target_check_path(check->target, &why) < 0)
        return target_error(err, why);
    text(f, "run.tool", "file");
    text(f, "run.cwd", check->cwd);
    if (f->r == 0)
        f->r = outcall_context_strings(f->c, "run.args", &check->target, 1);
    return 0;
}

static int network(struct filling *f, const outcall_check *check, outcall_error *err)
{
    struct oc_target t;
    const char *why = NULL;
    if (oc_target_parse(check->target, &t, &why) < 0)
        return target_error(err, why);
    text(f, "network.hostname", t.hostname);
    text(f, "network.ip", t.ip);
    text(f, "network.protocol", t.protocol);
    if (f->r == 0)
        f->r = outcall_context_int(f->c, "network.port", t.port);
    if (!t.is_url)
        return 0;
    text(f, "http.host", t.hostname);
    text(f, "http.method", metadata(check, "method")); /* not said is not GET */
    if (f->r == 0)
        f->r = outcall_context_string(f->c, "http.path", t.path, t.path_len);
    return 0;
}

int oc_question_context(outcall_context *c, const outcall_identity *who, const outcall_check *check,
                        outcall_error *err)
{
    struct filling f = begin(c, who, outcall_action_type_name(check->action_type));
    int r = 0;
    for (size_t i = 0; i < check->metadata_n; i++)
        if (strcmp(check->metadata[i].key, "action_type") != 0) /* which is ours to say */
            pair(&f, check->metadata[i].key, check->metadata[i].value);
    switch (check->action_type) {
    case OUTCALL_TOOL_EXEC:
    case OUTCALL_SHELL_EXEC:
        tool(&f, check);
        break;
    case OUTCALL_NETWORK_CALL:
        r = network(&f, check, err);
        break;
    case OUTCALL_FILE_ACCESS:
        r = file(&f, check, err);
        break;
    default:
        return oc_fail(err, OUTCALL_E_INVALID, "action_type: unknown");
    }
    return r < 0 ? r : f.r < 0 ? oc_fail_code(err, f.r, "the question") : 0;
}

int oc_question_checkin(outcall_context *c, const outcall_identity *who, outcall_error *err)
{
    struct filling f = begin(c, who, "checkin");
    return f.r < 0 ? oc_fail_code(err, f.r, "the check-in") : 0;
}
