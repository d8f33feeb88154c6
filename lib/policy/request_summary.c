/* What a person should know of a request before answering it. */
#include "base/buf.h"
#include "core/error.h"
#include "policy/definitions.h"
#include "policy/request.h"
#include "yaml/write.h"
#include <string.h>

#define SHOWN_MAX \
    4096 /* bytes of a condition with its $names written out; a longer one is shown as written */

static const char *text_of(const oc_yaml *mapping, const char *key)
{
    const oc_yaml *v = oc_yaml_get(mapping, key);
    return v && v->type == OC_YAML_SCALAR ? v->text : NULL;
}

static int add_escaped(struct oc_buf *b, const char *before, const char *text, size_t len)
{
    int r = oc_buf_str(b, before);
    return r < 0 ? r : oc_yaml_escape(b, text, len);
}

/* " (egress: mode direct_ip, ports 443 80)": more than the condition says. */
static int add_egress(struct oc_buf *b, const oc_yaml *egress)
{
    int r = oc_buf_str(b, " (egress:");
    for (const oc_yaml *v = egress->first; r == 0 && v; v = v->next) {
        r = add_escaped(b, v == egress->first ? " " : ", ", v->key->text, v->key->len);
        if (r == 0 && v->type == OC_YAML_SCALAR)
            r = add_escaped(b, " ", v->text, v->len);
        for (const oc_yaml *e = v->first; r == 0 && e; e = e->next)
            r = e->type == OC_YAML_SCALAR ? add_escaped(b, " ", e->text, e->len) : OUTCALL_E_SYNTAX;
    }
    return r < 0 ? r : oc_buf_char(b, ')');
}

static int add_allowed(struct oc_definitions *d, const oc_yaml *rule, struct oc_strings *ret)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    const oc_yaml *id = oc_yaml_get(rule, "id"), *condition = oc_yaml_get(rule, "condition");
    const oc_yaml *egress = oc_yaml_get(rule, "egress");
    const char *text = NULL;
    size_t len = 0;
    int r = oc_expand(d, condition, &text, &len, NULL);
    if (r != 0)
        return r == OUTCALL_E_NO_MEMORY ? r : OUTCALL_E_SYNTAX;
    if (len > SHOWN_MAX) {
        text = condition->text;
        len = condition->len;
    }
    r = add_escaped(&b, "rule \"", id->text, id->len);
    if (r == 0)
        r = add_escaped(&b, "\" allows: ", text, len);
    if (r == 0 && egress && egress->type == OC_YAML_MAPPING)
        r = add_egress(&b, egress);
    return r < 0 ? r : oc_strings_add(ret, b.data, b.len);
}

static int add_rules(struct oc_definitions *d, const oc_yaml *rules, outcall_request *request)
{
    int r = 0;
    for (const oc_yaml *v = rules->first; r == 0 && v; v = v->next) {
        const char *id = text_of(v, "id"), *action = text_of(v, "action");
        if (!id || !action || !text_of(v, "condition"))
            return OUTCALL_E_SYNTAX;
        r = oc_strings_add(&request->rules, id, strlen(id));
        if (r == 0 && strcmp(action, "allow") == 0)
            r = add_allowed(d, v, &request->allows);
    }
    return r;
}

static bool are_definitions(const oc_yaml *node)
{
    if (node && node->type != OC_YAML_MAPPING)
        return oc_yaml_is_null(node);
    for (const oc_yaml *v = node ? node->first : NULL; v; v = v->next)
        if (v->type != OC_YAML_SCALAR)
            return false;
    return true;
}

int oc_request_summarize(outcall_request *request, outcall_error *err)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    struct oc_definitions d;
    size_t len = strlen(request->active);
    int r = oc_yaml_load(request->active, len, &root, err);
    if (r < 0)
        return r;
    const oc_yaml *rules = root ? oc_yaml_get(root, "rules") : NULL;
    const oc_yaml *definitions = root ? oc_yaml_get(root, "definitions") : NULL;
    if (!rules || rules->type != OC_YAML_SEQUENCE || !are_definitions(definitions))
        return oc_fail(err, OUTCALL_E_SYNTAX, "the active text is no rule file");
    bool some = definitions && definitions->type == OC_YAML_MAPPING;
    r = oc_definitions_init(&d, request->active, len, some ? definitions : NULL);
    if (r == 0)
        r = add_rules(&d, rules, request);
    oc_definitions_done(&d);
    return r == OUTCALL_E_NO_MEMORY ? oc_no_memory(err)
           : r < 0                  ? oc_fail(err, r, "the active text is no rule file")
                                    : 0;
}
