/* The index leaves out only what the plain scan would find false: random sets and requests, both ways. */
#include "base/buf.h"
#include "base/str.h"
#include "policy/decide.h"
#include "policy/index.h"
#include "unit/unit.h"

#ifdef __SANITIZE_ADDRESS__
    #define SETS 2000
#else
    #define SETS 20000 /* of one round */
#endif
#define ROUNDS   6
#define CONTEXTS 3 /* of one set */

/* Check's own assertions write to a file each time: too slow for millions. */
#define MUST(what)                             \
    do {                                       \
        if (!(what))                           \
            ck_abort_msg("not so: %s", #what); \
    } while (0)

struct random {
    uint64_t state;
};

/* xorshift64*: the same everywhere. */
static unsigned below(struct random *r, unsigned n)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (unsigned)((r->state * UINT64_C(2685821657736338717)) >> 33) % n;
}

#define PICK(r, list) ((list)[below((r), OC_ARRAY_SIZE(list))])

static const char *const texts[] = {"", "a", "b", "ab", "b.a", ".a", "x.b.a", "\xc3\xa9.a", "git", "gitx"};
static const char *const strings[] = {"network.hostname", "http.method", "run.tool",
                                      "docker.image",     "agent.image", "agent.name"};
static const char *const agents[] = {"a", "b", "git", "other"};
static const char *const others[] = {"network.port == 1",
                                     "network.port > 0",
                                     "1 / network.port == 1",
                                     "run.args[0] == \"a\"",
                                     "run.context.x == \"a\"",
                                     "\"a\" in run.args",
                                     "run.args.all(x, x != \"a\")",
                                     "has(run.context.x)",
                                     "true",
                                     "run.context.x",
                                     "http.headers[\"x\"] == \"a\"",
                                     "network.ip.matches(\"^a\")"};
/* More than a rule may cost, where run.args has enough in it. */
#define COSTLY "run.args.all(x, run.args.all(y, run.args.all(z, z != \"no\")))"

static void add(struct oc_buf *b, const char *s)
{
    MUST(oc_buf_str(b, s) == 0);
}

static void literal(struct random *r, struct oc_buf *b)
{
    const char *s = PICK(r, texts);
    bool escape = s[0] == 'a' && below(r, 8) == 0; /* the same text, written otherwise */
    add(b, escape ? "\"\\x61" : "\"");
    add(b, escape ? s + 1 : s);
    add(b, "\"");
}

static void list(struct random *r, struct oc_buf *b)
{
    add(b, "[");
    for (unsigned n = below(r, 4); n > 0; n--) {
        literal(r, b);
        add(b, n > 1 ? ", " : "");
    }
    add(b, "]");
}

static void call(struct random *r, struct oc_buf *b, const char *field, const char *name)
{
    add(b, field);
    add(b, name);
    literal(r, b);
    add(b, ")");
}

static void suffixes(struct random *r, struct oc_buf *b)
{
    const char *field = PICK(r, strings);
    add(b, "(");
    for (unsigned n = 1 + below(r, 3); n > 0; n--) {
        call(r, b, below(r, 10) == 0 ? PICK(r, strings) : field, ".endsWith(");
        add(b, n > 1 ? " || " : ")");
    }
}

static void expression(struct random *r, struct oc_buf *b, unsigned depth);

static void term(struct random *r, struct oc_buf *b, unsigned depth)
{
    const char *field = PICK(r, strings);
    switch (below(r, depth > 0 ? 14 : 11)) {
    case 0:
    case 1:
    case 2:
        add(b, field);
        add(b, below(r, 6) ? " == " : " != ");
        literal(r, b);
        break;
    case 3:
        literal(r, b);
        add(b, " == ");
        add(b, field);
        break;
    case 4:
    case 5:
        add(b, field);
        add(b, " in ");
        list(r, b);
        break;
    case 6:
        call(r, b, field, ".endsWith(");
        break;
    case 7:
        suffixes(r, b);
        break;
    case 8:
        call(r, b, field, below(r, 2) ? ".startsWith(" : ".contains(");
        break;
    case 9:
    case 10:
        add(b, below(r, 40) == 0 ? COSTLY : PICK(r, others));
        break;
    default:
        add(b, below(r, 4) ? "(" : "!(");
        expression(r, b, depth - 1);
        add(b, ")");
    }
}

static void expression(struct random *r, struct oc_buf *b, unsigned depth)
{
    const char *op = below(r, 4) ? " && " : " || ";
    for (unsigned n = 1 + below(r, 3); n > 0; n--) {
        term(r, b, depth);
        add(b, n > 1 ? op : "");
    }
}

static void rule(struct random *r, struct oc_buf *b, unsigned i)
{
    MUST(oc_buf_printf(b, "- {id: r%u, action: %s, priority: %u, condition: '", i,
                       below(r, 2) ? "allow" : "block", below(r, 3)) == 0);
    expression(r, b, 2);
    add(b, "'");
    if (below(r, 4) == 0)
        MUST(oc_buf_printf(b, ", agents: [%s, x]", PICK(r, agents)) == 0);
    add(b, "}\n");
}

static outcall_policy *random_policy(struct random *r, struct oc_buf *b)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    for (;;) {
        oc_buf_clear(b);
        add(b, "version: \"1\"\nrules:\n");
        for (unsigned i = 0, n = 1 + below(r, 8); i < n; i++)
            rule(r, b, i);
        outcall_error_clear(&err);
        int code = outcall_policy_load_text(&p, NULL, b->data, b->len, NULL, &err);
        if (code == 0)
            return p;
        if (code != OUTCALL_E_TYPE)
            ck_abort_msg("%d:%d: %s\n%s", err.line, err.column, err.text, b->data);
    }
}

static void random_context(struct random *r, outcall_context *c)
{
    static const char *const many[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d",
                                       "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
                                       "r", "s", "t", "u", "v", "w", "x", "y", "z", "A", "B", "C", "D",
                                       "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O"};
    outcall_context_reset(c);
    for (size_t i = 0; i < OC_ARRAY_SIZE(strings); i++) {
        const char *s = below(r, 8) ? PICK(r, texts) : PICK(r, agents);
        MUST(outcall_context_string(c, strings[i], s, strlen(s)) == 0);
    }
    MUST(outcall_context_int(c, "network.port", below(r, 3)) == 0);
    if (below(r, 3) == 0)
        MUST(outcall_context_pair(c, "run.context", "x", PICK(r, texts)) == 0);
    size_t n = below(r, 20) == 0 ? OC_ARRAY_SIZE(many) : below(r, 3);
    MUST(outcall_context_strings(c, "run.args", n < 3 ? many + 9 : many, n) == 0);
}

struct tally {
    unsigned allowed, errors, left_out;
};

static void compare(const outcall_policy *p, outcall_context *c, const char *rules, struct tally *t)
{
    outcall_verdict with = OUTCALL_VERDICT_INIT, without = OUTCALL_VERDICT_INIT;
    size_t at_with = 0, at_without = 0;
    struct oc_candidates k;
    MUST(oc_policy_decide(p, c, OC_DECIDE, &with, &at_with, NULL) == 0);
    MUST(oc_policy_decide(p, c, OC_DECIDE_PLAIN, &without, &at_without, NULL) == 0);
    bool same = at_with == at_without && with.action == without.action && with.rule_id == without.rule_id &&
                with.rule_error == without.rule_error && with.errors_n == without.errors_n;
    if (!same)
        ck_abort_msg("with the index %s (%u errors), without %s (%u errors):\n%s",
                     with.rule_id ? with.rule_id : "none", with.errors_n,
                     without.rule_id ? without.rule_id : "none", without.errors_n, rules);
    t->allowed += with.action == OUTCALL_ALLOW;
    t->errors += with.errors_n > 0;
    MUST(oc_candidates_start(&k, p->index, c->values));
    size_t n = 0;
    while (oc_candidates_next(&k) != OC_CANDIDATES_END)
        n++;
    MUST(n <= p->rules_n);
    t->left_out += n < p->rules_n;
}

START_TEST(random_sets)
{
    struct random r = {UINT64_C(88172645463325252) + (uint64_t)_i * 7919};
    struct tally t = {0, 0, 0};
    OC_CLEANUP(oc_buf_done) struct oc_buf rules = OC_BUF_INIT;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    ck_assert_int_eq(outcall_context_new(&c), 0);
    for (int i = 0; i < SETS; i++) {
        OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = random_policy(&r, &rules);
        for (int k = 0; k < CONTEXTS; k++) {
            random_context(&r, c);
            compare(p, c, rules.data, &t);
        }
    }
    ck_assert_uint_gt(t.allowed, SETS / 4); /* the test would be worth little without them */
    ck_assert_uint_gt(t.errors, SETS / 20);
    ck_assert_uint_gt(t.left_out, SETS);
}
END_TEST

/* One rule for each length of a suffix of "aaa...", the longest first; every string of it ends with some. */
static outcall_policy *suffix_policy(size_t fields, size_t lengths)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    char suffix[128];
    outcall_policy *p = NULL;
    add(&b, "version: \"1\"\nrules:\n");
    memset(suffix, 'a', sizeof(suffix));
    for (size_t n = lengths; n > 0; n--)
        for (size_t i = 0; i < fields; i++)
            MUST(oc_buf_printf(&b, "- {id: r%zu.%zu, action: block, condition: '%s.endsWith(\"%.*s\")'}\n", i,
                               n, strings[i], (int)n, suffix) == 0);
    MUST(outcall_policy_load_text(&p, NULL, b.data, b.len, NULL, NULL) == 0);
    return p;
}

/* More lengths than are listed: the rules left over are looked at always. */
START_TEST(many_lengths)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = suffix_policy(1, 100);
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    struct tally t = {0, 0, 0};
    char text[128];
    memset(text, 'a', sizeof(text));
    ck_assert_int_eq(outcall_context_new(&c), 0);
    for (size_t n = 0; n <= sizeof(text); n++) {
        ck_assert_int_eq(outcall_context_string(c, strings[0], text, n), 0);
        compare(p, c, "many lengths", &t);
    }
    ck_assert_uint_ge(t.left_out, 60);
}
END_TEST

/* More lists at once than are merged: all rules are looked at. */
START_TEST(many_lists)
{
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = suffix_policy(3, 60);
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    struct oc_candidates k;
    char text[60];
    memset(text, 'a', sizeof(text));
    ck_assert_int_eq(outcall_context_new(&c), 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(outcall_context_string(c, strings[i], text, i == 0 ? 59 : 60), 0);
    ck_assert(!oc_candidates_start(&k, p->index, c->values));
    ck_assert_int_eq(outcall_policy_decide(p, c, &v, NULL), 0);
    ck_assert_str_eq(v.rule_id, "r1.60");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {many_lengths, many_lists};
    const struct unit_loop loops[] = {{random_sets, ROUNDS}};
    return unit_run("policy_index", tests, OC_ARRAY_SIZE(tests), loops, OC_ARRAY_SIZE(loops));
}
