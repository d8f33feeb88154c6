/* One rule file: YAML to rules. */
#include "core/error.h"
#include "policy/definitions.h"
#include "policy/load.h"
#include "policy/place.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define AGENTS_MAX 1024 /* of a rule; chosen here */
#define PORTS_MAX  1024

struct file {
    struct oc_loader *l;
    const char *name; /* the set's */
    uint32_t name_at;
    const char *data;
    size_t len;
    struct oc_definitions definitions;
};

/* A rule on its way into the set: what fails leaves the set as it was, but for text. */
struct reader {
    struct file *f;
    struct oc_rule rule;
    struct oc_rule_more more;
    bool has_more;
    const char *id; /* NULL until it is known to be one */
    const oc_yaml *condition;
};

static int add_text(struct reader *r, const char *s, size_t len, uint32_t *ret, outcall_error *err)
{
    int e = oc_text_add(&r->f->l->p->text, s, len, ret);
    return e < 0 ? oc_fail_code(err, e, "text of the rules") : 0;
}

static int read_id(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    struct outcall_policy *p = r->f->l->p;
    char shown[OC_SHOWN_SIZE];
    int e = oc_keys_type(v, OC_YAML_SCALAR, err);
    if (e < 0)
        return e;
    if (!oc_keys_id(v->text, v->len))
        return oc_yaml_fail(
            err, OUTCALL_E_SYNTAX, v,
            "\"%s\" is no id: a letter or digit, then letters, digits, \"_\", \".\", \"-\", at "
            "most %d in all",
            oc_shown(shown, v->text), OC_RULE_ID_MAX);
    int64_t other = oc_policy_find(p, v->text, v->len);
    if (other >= 0)
        return oc_yaml_fail(err, OUTCALL_E_EXISTS, v, "the id is already used at %s:%d",
                            oc_text_at(&p->text, p->rules[other].file), (int)p->rules[other].line);
    return add_text(r, v->text, v->len, &r->rule.id, err);
}

static int read_condition(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    const char *s = NULL;
    size_t len = 0;
    int e = oc_keys_text(v, OC_EXPANDED_MAX, &s, &len, err);
    r->condition = v;
    return e < 0 ? e : add_text(r, s, len, &r->rule.condition, err);
}

static int read_action(void *userdata, const oc_yaml *v, outcall_error *err)
{
    static const char *const words[] = {[OUTCALL_BLOCK] = "block", [OUTCALL_ALLOW] = "allow"};
    struct reader *r = userdata;
    int e = oc_keys_word(v, words, OC_ARRAY_SIZE(words), err);
    r->rule.allow = e == OUTCALL_ALLOW;
    return OC_MIN(e, 0);
}

static int read_priority(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    int64_t i = 0;
    int e = oc_keys_int(v, INT32_MIN, INT32_MAX, &i, err);
    r->rule.priority = (int32_t)i;
    return e;
}

static int read_log(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    bool log = false;
    int e = oc_keys_bool(v, &log, err);
    r->rule.log = log;
    return e;
}

static int read_description(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    const char *s = NULL;
    size_t len = 0;
    int e = oc_keys_text(v, OC_RULE_TEXT_MAX, &s, &len, err);
    r->has_more = true;
    return e < 0 ? e : add_text(r, s, len, &r->more.description, err);
}

static int read_reason(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    const char *s = NULL;
    size_t len = 0;
    int e = oc_keys_text(v, OC_RULE_TEXT_MAX, &s, &len, err);
    if (e < 0)
        return e;
    if (oc_has_control(s, len)) /* it becomes one line on an agent's terminal */
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "key \"reason\": expected one line");
    r->has_more = true;
    return add_text(r, s, len, &r->more.reason, err);
}

static int add_agent(struct reader *r, const oc_yaml *v, outcall_error *err)
{
    struct outcall_policy *p = r->f->l->p;
    char shown[OC_SHOWN_SIZE];
    uint32_t at = 0;
    int e = oc_keys_type(v, OC_YAML_SCALAR, err);
    if (e < 0)
        return e;
    if (!oc_keys_id(v->text, v->len))
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "\"%s\" is no agent's name", oc_shown(shown, v->text));
    for (uint32_t i = 0; i < r->more.agents_n; i++)
        if (strcmp(p->agents[r->more.agents + i], v->text) == 0)
            return oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "agent \"%s\" is repeated", v->text);
    e = add_text(r, v->text, v->len, &at, err);
    if (e < 0)
        return e;
    const char **one = oc_policy_more((void **)&p->agents, &p->agents_n, &p->agents_cap, sizeof(*p->agents));
    if (!one)
        return oc_no_memory(err);
    *one = oc_text_at(&p->text, at);
    r->more.agents_n++;
    return 0;
}

static int read_agents(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    int e = oc_keys_type(v, OC_YAML_SEQUENCE, err);
    if (e == 0 && (v->n == 0 || v->n > AGENTS_MAX))
        e = oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "key \"agents\": expected 1 to %d names", AGENTS_MAX);
    r->has_more = true;
    r->more.agents = (uint32_t)r->f->l->p->agents_n;
    for (const oc_yaml *one = v->first; one && e == 0; one = one->next)
        e = add_agent(r, one, err);
    return e;
}

static int read_mode(void *userdata, const oc_yaml *v, outcall_error *err)
{
    static const char *const words[] = {
        [OUTCALL_EGRESS_PROXY] = "proxy", [OUTCALL_EGRESS_DIRECT_IP] = "direct_ip"};
    struct reader *r = userdata;
    int e = oc_keys_word(v, words, OC_ARRAY_SIZE(words), err);
    r->more.egress = e < 0 ? OUTCALL_EGRESS_PROXY : (uint8_t)e;
    return OC_MIN(e, 0);
}

static int add_port(struct reader *r, const oc_yaml *v, outcall_error *err)
{
    struct outcall_policy *p = r->f->l->p;
    int64_t port = 0;
    int e = oc_keys_int(v, 1, UINT16_MAX, &port, err);
    if (e < 0)
        return e;
    for (size_t i = 0; i < r->more.ports_n; i++)
        if (p->ports[r->more.ports + i] == port)
            return oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "port %d is repeated", (int)port);
    uint16_t *one = oc_policy_more((void **)&p->ports, &p->ports_n, &p->ports_cap, sizeof(*p->ports));
    if (!one)
        return oc_no_memory(err);
    *one = (uint16_t)port;
    r->more.ports_n++;
    return 0;
}

static int read_ports(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    int e = oc_keys_type(v, OC_YAML_SEQUENCE, err);
    if (e == 0 && (v->n == 0 || v->n > PORTS_MAX)) /* none would mean all to who reads the verdict */
        e = oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "key \"ports\": expected 1 to %d ports", PORTS_MAX);
    r->more.ports = (uint32_t)r->f->l->p->ports_n;
    for (const oc_yaml *one = v->first; one && e == 0; one = one->next)
        e = add_port(r, one, err);
    return e;
}

static int read_private(void *userdata, const oc_yaml *v, outcall_error *err)
{
    struct reader *r = userdata;
    return oc_keys_bool(v, &r->more.allow_private_ips, err);
}

static int read_egress(void *userdata, const oc_yaml *v, outcall_error *err)
{
    static const struct oc_key keys[] = {
        {"mode", false, read_mode}, {"ports", false, read_ports}, {"allow_private_ips", false, read_private}};
    struct reader *r = userdata;
    int e = oc_keys_type(v, OC_YAML_MAPPING, err);
    if (e == 0 && !r->rule.allow)
        e = oc_yaml_fail(err, OUTCALL_E_SYNTAX, v->key, "key \"egress\" is for rules that allow");
    r->has_more = true;
    return e < 0 ? e : oc_keys_read(v, keys, OC_ARRAY_SIZE(keys), r, err);
}

/* What the engine says of an expression, at the place in the file that it means. */
static int place_error(struct file *f, const oc_yaml *node, const char *text, size_t len, int code,
                       const outcall_error *said, outcall_error *err)
{
    int line = node->line, column = node->column;
    if (said->line > 0)
        oc_expanded_place(&f->definitions, node, oc_place_offset(text, len, said->line, said->column), &line,
                          &column);
    (void)oc_fail(err, code, "%s", said->text);
    oc_error_at(err, NULL, line, column);
    return code;
}

/* Counts what was written out since the last time. */
static int count_expanded(struct file *f, const oc_yaml *node, outcall_error *err)
{
    f->l->expanded += f->definitions.bytes;
    f->definitions.bytes = 0;
    if (f->l->expanded > f->l->expanded_max)
        return oc_yaml_fail(err, OUTCALL_E_LIMIT, node,
                            "the set of rules is larger than %zu KiB with its definitions written out",
                            f->l->expanded_max >> 10);
    return 0;
}

static int compile(struct reader *r, outcall_error *err)
{
    outcall_error said = OUTCALL_ERROR_INIT;
    struct outcall_policy *p = r->f->l->p;
    const char *text = NULL;
    size_t len = 0;
    int e = oc_expand(&r->f->definitions, r->condition, &text, &len, err);
    if (e == 0)
        e = count_expanded(r->f, r->condition, err);
    if (e != 0) /* 1: it uses a definition that was refused */
        return e;
    bool written_out = text != r->condition->text;
    if (written_out)
        e = add_text(r, text, len, &r->more.expanded, err);
    if (e < 0)
        return e;
    r->has_more = r->has_more || written_out;
    e = oc_cel_pool_compile(p->pool, oc_text_at(&p->text, written_out ? r->more.expanded : r->rule.condition),
                            len, &r->rule.code, &said);
    return e < 0 ? place_error(r->f, r->condition, text, len, e, &said, err) : 0;
}

/* The finished rule into the set. */
static int keep(struct reader *r, outcall_error *err)
{
    struct outcall_policy *p = r->f->l->p;
    if (p->rules_n == OC_RULES_MAX)
        return oc_fail(err, OUTCALL_E_LIMIT, "the set has more than %d rules", OC_RULES_MAX);
    if (r->has_more) {
        struct oc_rule_more *more =
            oc_policy_more((void **)&p->more, &p->more_n, &p->more_cap, sizeof(*more));
        if (!more)
            return oc_no_memory(err);
        *more = r->more;
        r->rule.more = (uint32_t)p->more_n;
    }
    struct oc_rule *rule = oc_policy_more((void **)&p->rules, &p->rules_n, &p->rules_cap, sizeof(*rule));
    if (!rule)
        return oc_no_memory(err);
    *rule = r->rule;
    return oc_policy_enter_last(p) < 0 ? oc_no_memory(err) : 0;
}

static int read_rule(struct reader *r, const oc_yaml *node, outcall_error *err)
{
    static const struct oc_key keys[] = {
        {"id", true, read_id},          {"condition", true, read_condition},
        {"action", true, read_action},  {"priority", false, read_priority},
        {"log", false, read_log},       {"description", false, read_description},
        {"reason", false, read_reason}, {"agents", false, read_agents},
        {"egress", false, read_egress},
    };
    const oc_yaml *id = oc_yaml_get(node, "id");
    if (id && id->type == OC_YAML_SCALAR && oc_keys_id(id->text, id->len))
        r->id = id->text; /* first of all: what else is wrong is said in its name */
    int e = oc_keys_type(node, OC_YAML_MAPPING, err);
    if (e == 0)
        e = oc_keys_read(node, keys, OC_ARRAY_SIZE(keys), r, err);
    if (e == 0)
        e = compile(r, err);
    return e == 0 ? keep(r, err) : e;
}

static int read_rules(struct file *f, const oc_yaml *rules)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    if (rules && oc_keys_type(rules, OC_YAML_SEQUENCE, &e) < 0)
        return oc_load_refuse(f->l, &e, f->name);
    for (const oc_yaml *node = rules ? rules->first : NULL; node; node = node->next) {
        outcall_error said = OUTCALL_ERROR_INIT;
        struct reader r = {
            .f = f, .rule = {.file = f->name_at, .line = (unsigned)node->line & 0xffffff, .priority = 100}};
        int code = read_rule(&r, node, &said);
        if (code >= 0)
            continue;
        outcall_error whole = OUTCALL_ERROR_INIT;
        (void)oc_fail(&whole, code, r.id ? "rule \"%s\": %s" : "%s%s", r.id ? r.id : "", said.text);
        whole.sys_errno = said.sys_errno;
        oc_error_at(&whole, NULL, said.line ? said.line : node->line, said.line ? said.column : node->column);
        code = oc_load_refuse(f->l, &whole, f->name);
        if (code < 0)
            return code;
    }
    return 0;
}

/* Each by itself: a parenthesis too many, an unknown name must not wait for a rule that uses it. */
static int check_definition(void *userdata, const struct oc_definition *def, outcall_error *err)
{
    struct file *f = userdata;
    outcall_error said = OUTCALL_ERROR_INIT;
    outcall_cel *program = NULL;
    int e = count_expanded(f, def->node, err);
    if (e < 0)
        return e;
    e = outcall_cel_compile(&program, f->l->p->env, def->text.data, def->text.len, NULL, &said);
    (void)outcall_cel_unref(program);
    return e < 0 ? place_error(f, def->node, def->text.data, def->text.len, e, &said, err) : 0;
}

static int read_definitions(struct file *f, const oc_yaml *node)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    bool ok = !node || oc_keys_type(node, OC_YAML_MAPPING, &e) == 0;
    int r = ok ? 0 : oc_load_refuse(f->l, &e, f->name);
    for (const oc_yaml *one = node && ok ? node->first : NULL; one && r == 0; one = one->next) {
        outcall_error said = OUTCALL_ERROR_INIT;
        struct oc_definition *def = oc_definition_find(&f->definitions, one->key->text, one->key->len);
        if (def && oc_definition_expand(&f->definitions, def, &said) < 0)
            r = oc_load_refuse(f->l, &said, f->name);
    }
    return r;
}

static int warn_unused(struct file *f)
{
    int r = 0;
    for (size_t i = 0; i < f->definitions.n && r == 0; i++) {
        const oc_yaml *key = f->definitions.v[i].node->key;
        if (!f->definitions.v[i].used)
            r = oc_load_warn(f->l, f->name, key->line, key->column, "definition \"%s\" is not used",
                             key->text);
    }
    return r;
}

/* The tests out of the tree, for later. */
static oc_yaml *detach(oc_yaml *root, const char *key)
{
    for (oc_yaml **at = &root->first; *at; at = &(*at)->next)
        if (strcmp((*at)->key->text, key) == 0) {
            oc_yaml *found = *at;
            *at = found->next;
            found->next = NULL;
            root->n--;
            return found;
        }
    return NULL;
}

static int read_version(void *userdata, const oc_yaml *v, outcall_error *err)
{
    (void)userdata;
    if (v->type != OC_YAML_SCALAR || strcmp(v->text, "1") != 0)
        return oc_yaml_fail(err, OUTCALL_E_SYNTAX, v, "key \"version\": expected \"1\"");
    return 0;
}

static int read_later(void *userdata, const oc_yaml *v, outcall_error *err)
{
    (void)userdata;
    (void)v;
    (void)err;
    return 0;
}

static int check_root(const oc_yaml *root, outcall_error *err)
{
    static const struct oc_key keys[] = {{"version", true, read_version},
                                         {"definitions", false, read_later},
                                         {"rules", false, read_later},
                                         {"tests", false, read_later}};
    int r = oc_keys_type(root, OC_YAML_MAPPING, err);
    return r < 0 ? r : oc_keys_read(root, keys, OC_ARRAY_SIZE(keys), NULL, err);
}

static int read_parts(struct file *f, oc_yaml *root)
{
    const oc_yaml *definitions = oc_yaml_get(root, "definitions");
    const oc_yaml *mapping = definitions && definitions->type == OC_YAML_MAPPING ? definitions : NULL;
    int r = oc_definitions_init(&f->definitions, f->data, f->len, mapping);
    f->definitions.check = check_definition;
    f->definitions.userdata = f;
    if (r == 0)
        r = read_definitions(f, definitions);
    if (r == 0)
        r = read_rules(f, oc_yaml_get(root, "rules"));
    oc_yaml *tests = r == 0 ? detach(root, "tests") : NULL;
    if (tests)
        r = oc_tests_read(f->l, f->name_at, tests);
    if (r == 0)
        r = warn_unused(f);
    oc_definitions_done(&f->definitions);
    return r;
}

int oc_load_file(struct oc_loader *l, const char *name, const char *data, size_t len)
{
    outcall_error e = OUTCALL_ERROR_INIT;
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    struct file f = {.l = l, .data = data, .len = len};
    int r = oc_text_add(&l->p->text, name, strlen(name), &f.name_at);
    if (r < 0) {
        (void)oc_fail_code(&e, r, "name of the file");
        return oc_load_refuse(l, &e, name);
    }
    f.name = oc_text_at(&l->p->text, f.name_at);
    r = oc_yaml_load(data, len, &root, &e);
    if (r == 0 && !root) { /* a file cut to nothing is no file without rules */
        r = oc_fail(&e, OUTCALL_E_SYNTAX, "the file is empty");
        oc_error_at(&e, NULL, 1, 1);
    }
    if (r == 0)
        r = check_root(root, &e);
    return r < 0 ? oc_load_refuse(l, &e, f.name) : read_parts(&f, root);
}
