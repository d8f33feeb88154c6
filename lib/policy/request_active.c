#include "base/buf.h"
#include "core/error.h"
#include "policy/request.h"
#include "yaml/write.h"
#include <string.h>

static const oc_yaml *list_of(const oc_yaml *root, const char *key)
{
    const oc_yaml *v = oc_yaml_get(root, key);
    return v && v->type == OC_YAML_SEQUENCE ? v : NULL;
}

static oc_yaml *one_agent(const char *agent, const oc_yaml *at)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *list = oc_yaml_new(OC_YAML_SEQUENCE, at);
    if (!list || oc_yaml_add(list, oc_yaml_new_text(agent, false, at)) < 0)
        return NULL;
    return oc_take_ptr(&list);
}

/* For this agent alone, whatever the agent wrote; and with the priority that an absent one stands for. */
static int scope_rule(oc_yaml *rule, const char *agent)
{
    char priority[16];
    int r = 0;
    if (rule->type != OC_YAML_MAPPING)
        return 0; /* the loader has words for it */
    (void)oc_format(priority, sizeof(priority), "%d", OC_REQUEST_PRIORITY_MIN);
    if (!oc_yaml_get(rule, "priority"))
        r = oc_yaml_put(rule, "priority", oc_yaml_new_text(priority, true, rule));
    return r < 0 ? r : oc_yaml_put(rule, "agents", one_agent(agent, rule));
}

/* The mapping below a key, made when there is nothing; NULL: something else is there, for the loader to
 * refuse. */
static int mapping_below(oc_yaml *parent, const char *key, oc_yaml **ret)
{
    oc_yaml *v = (oc_yaml *)oc_yaml_get(parent, key); /* the tree is ours */
    *ret = v && v->type == OC_YAML_MAPPING ? v : NULL;
    if (v && !oc_yaml_is_null(v))
        return 0;
    oc_yaml *made = oc_yaml_new(OC_YAML_MAPPING, parent);
    int r = oc_yaml_put(parent, key, made);
    if (r == 0)
        *ret = made;
    return r;
}

/* A test that does not say whose action it is asks about this agent: the rules are for no other. */
static int scope_test(oc_yaml *test, const char *agent)
{
    oc_yaml *context = NULL, *about = NULL;
    if (test->type != OC_YAML_MAPPING)
        return 0;
    int r = mapping_below(test, "context", &context);
    if (r == 0 && context)
        r = mapping_below(context, "agent", &about);
    if (r < 0 || !about || oc_yaml_get(about, "name"))
        return r;
    return oc_yaml_put(about, "name", oc_yaml_new_text(agent, false, test));
}

static int scope(oc_yaml *root, const char *agent)
{
    const oc_yaml *rules = list_of(root, "rules"), *tests = list_of(root, "tests");
    int r = 0;
    for (oc_yaml *v = rules ? rules->first : NULL; r == 0 && v; v = v->next)
        r = scope_rule(v, agent);
    for (oc_yaml *v = tests ? tests->first : NULL; r == 0 && v; v = v->next)
        r = scope_test(v, agent);
    return r;
}

/* What was written is read again: an emitter that is wrong anywhere must not put words into a rule. */
static int read_again(const oc_yaml *root, const struct oc_buf *b, outcall_error *err)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *again = NULL;
    outcall_error why = OUTCALL_ERROR_INIT;
    int r = oc_yaml_load(b->data, b->len, &again, &why);
    if (r == OUTCALL_E_NO_MEMORY || r == OUTCALL_E_LIMIT)
        return oc_fail(err, r, "as it would become active: %s", why.text);
    if (r < 0 || !again || !oc_yaml_same(root, again))
        return oc_fail(err, OUTCALL_E_INTERNAL, "the active text does not say what the file says");
    return 0;
}

int oc_request_active(const char *agent, const char *yaml, size_t len, char **ret, outcall_error *err)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = {.max = OC_REQUEST_TEXT_MAX};
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    int r = oc_yaml_load(yaml, len, &root, err);
    if (r < 0)
        return r;
    if (!root || !list_of(root, "rules") || list_of(root, "rules")->n == 0)
        return oc_fail(err, OUTCALL_E_INVALID, "there is no rule in it");
    r = scope(root, agent);
    if (r == 0)
        r = oc_yaml_write(&b, root);
    if (r == OUTCALL_E_LIMIT)
        return oc_fail(err, r, "as it would become active: a key or the whole is too long");
    if (r < 0)
        return oc_no_memory(err);
    r = read_again(root, &b, err);
    if (r < 0)
        return r;
    *ret = oc_buf_take(&b, NULL);
    return *ret ? 0 : oc_no_memory(err);
}
