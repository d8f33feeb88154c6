/* policy DIR - one round of the figures of expressions and rules: one JSON line each, with its goal. DIR is
 * an empty directory of the caller's, for rule files. policy.sh makes the rounds and puts the peers beside
 * them. */
#include "outcall/policy.h"
#include "base/clock.h"
#include "bench/allocations.h"
#include "policy/decide.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCHES    101
#define BATCH_NS   500000u
#define RULES_MANY 1000
#define RULES_ALL  100000
#define FILE_RULES 20000 /* a file may have 4 MiB */
#define TAIL       "http.method in [\"GET\",\"POST\"] && http.path.startsWith(\"/api/v3\")"
#define RULE_A     "network.hostname == \"github.com\" && " TAIL
#define RULE_B     "run.tool == \"git\" && \"-f\" in run.flags"
#define RULE_C                                                              \
    "network.hostname.endsWith(\".openai.com\") && network.port == 443 && " \
    "http.headers.all(k, k != \"authorization\")"

/* The facts that the peers get too, but for the host. */
static const char facts[] =
    "{\"network\": {\"port\": 443}, \"run\": {\"tool\": \"git\", \"flags\": [\"-v\", \"-f\"]}, "
    "\"http\": {\"method\": \"GET\", \"path\": \"/api/v3/user\", \"headers\": "
    "{\"accept\": \"*/*\", \"host\": \"api.openai.com\", \"user-agent\": \"agent/1.0\", "
    "\"content-type\": \"application/json\", \"x-request-id\": \"42\"}}}";

/* The same as variables; the types are those of a rule's. */
static const struct {
    const char *name, *type, *json;
} variables[] = {
    {"network.hostname", "string", NULL},
    {"network.port", "int", "443"},
    {"http.method", "string", "\"GET\""},
    {"http.path", "string", "\"/api/v3/user\""},
    {"http.headers", "map(string, string)",
     "{\"accept\": \"*/*\", \"host\": \"api.openai.com\", \"user-agent\": \"agent/1.0\", "
     "\"content-type\": \"application/json\", \"x-request-id\": \"42\"}"},
    {"run.tool", "string", "\"git\""},
    {"run.flags", "list(string)", "[\"-v\", \"-f\"]"},
};

static const struct rule {
    const char *name, *source, *host;
    bool expected;
    double goal; /* nanoseconds */
} rules[] = {
    {"rule (a), true", RULE_A, "github.com", true, 80},
    {"rule (a), false at the first term", RULE_A, "gitlab.com", false, 20},
    {"rule (b), true", RULE_B, "github.com", true, 80},
    {"rule (c), true", RULE_C, "api.openai.com", true, 200},
};

/* One evaluation or decision: gives what it found. */
struct work {
    bool (*once)(const struct work *w);
    const outcall_cel *program;
    outcall_cel_eval *eval;
    const outcall_policy *policy;
    outcall_context *context;
    const char *host;
};

static _Noreturn void give_up(const char *what, const outcall_error *err)
{
    fprintf(stderr, "policy: %s: %s:%d:%d: %s\n", what, err->source, err->line, err->column, err->text);
    exit(1);
}

static void must(int r, const char *what, const outcall_error *err)
{
    if (r < 0)
        give_up(what, err);
}

static void figure(const char *name, const char *suffix, const char *unit, double goal, double value)
{
    printf("{\"name\":\"%s%s\",\"unit\":\"%s\",\"goal\":", name, suffix, unit);
    if (goal < 0)
        printf("null");
    else
        printf("%g", goal);
    printf(",\"value\":%.1f}\n", value);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static uint64_t batch(const struct work *w, unsigned long calls, bool expected)
{
    uint64_t begin = oc_now_ns();
    for (unsigned long i = 0; i < calls; i++)
        if (w->once(w) != expected) {
            fprintf(stderr, "policy: a rule gave something else than expected\n");
            exit(1);
        }
    return oc_now_ns() - begin;
}

/* Nanoseconds of one call: the median of short batches, most of which nobody interrupts. */
static double timed(const struct work *w, bool expected)
{
    double took[BATCHES];
    unsigned long calls = 1;
    while (batch(w, calls, expected) < BATCH_NS)
        calls *= 2;
    for (size_t i = 0; i < BATCHES; i++)
        took[i] = (double)batch(w, calls, expected) / (double)calls;
    qsort(took, BATCHES, sizeof(took[0]), by_size);
    return took[BATCHES / 2];
}

/* Allocations of 1000 calls; the first one, which may still make room, is not counted. */
static void count_allocations(const struct work *w, const struct rule *rule, const char *suffix)
{
    (void)batch(w, 1, rule->expected);
    unsigned long before = allocations_n();
    (void)batch(w, 1000, rule->expected);
    figure(rule->name, suffix, "allocations in 1000", 0, (double)(allocations_n() - before));
}

static bool run_once(const struct work *w)
{
    int yes = 0;
    return outcall_cel_run_bool(w->program, w->eval, &yes, NULL) == 0 && yes;
}

static bool decide_once(const struct work *w)
{
    outcall_verdict verdict = OUTCALL_VERDICT_INIT;
    return outcall_policy_decide(w->policy, w->context, &verdict, NULL) == 0 &&
           verdict.action == OUTCALL_ALLOW;
}

static bool decide_plain_once(const struct work *w)
{
    outcall_verdict verdict = OUTCALL_VERDICT_INIT;
    return oc_policy_decide(w->policy, w->context, OC_DECIDE_PLAIN, &verdict, NULL, NULL) == 0 &&
           verdict.action == OUTCALL_ALLOW;
}

/* As for a request that has just come in: its facts too. */
static bool request_once(const struct work *w)
{
    outcall_context_reset(w->context);
    return outcall_context_string(w->context, "network.hostname", w->host, strlen(w->host)) == 0 &&
           outcall_context_int(w->context, "network.port", 443) == 0 &&
           outcall_context_string(w->context, "http.method", "GET", 3) == 0 &&
           outcall_context_string(w->context, "http.path", "/api/v3/user", 12) == 0 && decide_once(w);
}

static void expression(const struct rule *rule, outcall_cel_env *env)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel *program = NULL;
    struct work w = {.once = run_once};
    must(outcall_cel_compile(&program, env, rule->source, strlen(rule->source), NULL, &err), rule->source,
         &err);
    must(outcall_cel_eval_new(&w.eval, NULL), "a scratch", &err);
    for (size_t i = 0; i < OC_ARRAY_SIZE(variables); i++)
        must(variables[i].json
                 ? outcall_cel_bind_json(w.eval, variables[i].name, variables[i].json,
                                         strlen(variables[i].json), &err)
                 : outcall_cel_bind_string(w.eval, variables[i].name, rule->host, strlen(rule->host)),
             variables[i].name, &err);
    w.program = program;
    count_allocations(&w, rule, ", allocations of run_bool");
    figure(rule->name, "", "ns", rule->goal, timed(&w, rule->expected));
    (void)outcall_cel_eval_free(w.eval);
    (void)outcall_cel_unref(program);
}

static void expressions(void)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel_env *env = NULL;
    must(outcall_cel_env_new(&env), "an environment", &err);
    for (size_t i = 0; i < OC_ARRAY_SIZE(variables); i++)
        must(outcall_cel_env_declare(env, variables[i].name, variables[i].type, &err), variables[i].name,
             &err);
    for (size_t i = 0; i < OC_ARRAY_SIZE(rules); i++)
        expression(&rules[i], env);
    (void)outcall_cel_env_unref(env);
}

static outcall_context *context_of(const char *host)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_context *context = NULL;
    must(outcall_context_new(&context), "a context", &err);
    must(outcall_context_json(context, facts, strlen(facts), &err), facts, &err);
    must(outcall_context_string(context, "network.hostname", host, strlen(host)), host, &err);
    return context;
}

static void one_rule(const struct rule *rule)
{
    char yaml[1024];
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy *policy = NULL;
    int len = snprintf(yaml, sizeof(yaml),
                       "version: \"1\"\nrules:\n  - id: one\n    condition: '%s'\n    action: allow\n",
                       rule->source);
    must(outcall_policy_load_text(&policy, NULL, yaml, (size_t)len, NULL, &err), rule->source, &err);
    struct work w = {
        .once = decide_once, .policy = policy, .context = context_of(rule->host), .host = rule->host};
    count_allocations(&w, rule, ", allocations of decide");
    figure(rule->name, ", as the only rule", "ns", rule->goal, timed(&w, rule->expected));
    if (rule == &rules[0]) {
        w.once = request_once;
        figure(rule->name, ", as the only rule, its facts set anew", "ns", -1, timed(&w, rule->expected));
    }
    (void)outcall_context_free(w.context);
    (void)outcall_policy_unref(policy);
}

/* Adds a file with rules from..to; returns the bytes of their ids and conditions. */
static size_t write_rules(const char *dir, unsigned from, unsigned to)
{
    char path[4096], condition[256];
    size_t bytes = 0;
    (void)snprintf(path, sizeof(path), "%s/%06u.yaml", dir, from);
    FILE *f = fopen(path, "we");
    if (!f) {
        perror(path);
        exit(1);
    }
    (void)fputs("version: \"1\"\nrules:\n", f);
    for (unsigned i = from; i < to; i++) {
        int len =
            snprintf(condition, sizeof(condition), "network.hostname == \"host%u.example.com\" && " TAIL, i);
        int id = fprintf(f, "  - id: r%u\n", i) - 9;
        (void)fprintf(f, "    condition: %s\n    action: allow\n", condition);
        bytes += (size_t)len + (size_t)id;
    }
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    return bytes;
}

/* Of this process, milliseconds: what a crowded machine does not add to. */
static double processor_ms(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Loads n rules of which the last one will match; says what they cost: time, and what malloc has handed out
 * since, its own overhead included, less the bytes of ids and conditions. */
static outcall_policy *load_rules(const char *dir, unsigned n, const char *label, double goal_ms,
                                  double goal_bytes)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy *policy = NULL;
    size_t text = 0;
    char path[4096];
    for (unsigned from = 0; from < n; from += FILE_RULES)
        text += write_rules(dir, from, OC_MIN(from + FILE_RULES, n));
    size_t before = in_use();
    double processor = processor_ms();
    uint64_t begin = oc_now_ns();
    must(outcall_policy_load_dir(&policy, dir, NULL, &err), dir, &err);
    double ms = (double)(oc_now_ns() - begin) / 1e6;
    processor = processor_ms() - processor;
    figure(label, ", load", "ms", goal_ms, ms);
    figure(label, ", load, processor time", "ms", goal_ms, processor);
    figure(label, ", memory of one beyond its id and condition", "bytes", goal_bytes,
           ((double)(in_use() - before) - (double)text) / n);
    for (unsigned from = 0; from < n; from += FILE_RULES) {
        (void)snprintf(path, sizeof(path), "%s/%06u.yaml", dir, from);
        (void)remove(path);
    }
    return policy;
}

static void thousand(const char *dir)
{
    outcall_policy *policy = load_rules(dir, RULES_MANY, "1000 rules (a)", -1, -1);
    struct work w = {.once = decide_once, .policy = policy, .context = context_of("host999.example.com")};
    figure("1000 rules (a), the last one matches", "", "ns", 1500, timed(&w, true));
    w.once = decide_plain_once;
    figure("1000 rules (a), the last one matches, every rule looked at", "", "ns", 40000, timed(&w, true));
    (void)outcall_context_free(w.context);
    (void)outcall_policy_unref(policy);
}

static void all(const char *dir)
{
    outcall_policy *policy = load_rules(dir, RULES_ALL, "100000 rules (a)", 2000, 200);
    struct work w = {.once = decide_once, .policy = policy, .context = context_of("host99999.example.com")};
    figure("100000 rules (a), the last one matches", "", "ns", 2000, timed(&w, true));
    (void)outcall_context_free(w.context);
    (void)outcall_policy_unref(policy);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: policy DIR\n");
        return 2;
    }
    expressions();
    for (size_t i = 0; i < OC_ARRAY_SIZE(rules); i++)
        one_rule(&rules[i]);
    thousand(argv[1]);
    all(argv[1]);
    return fflush(stdout) == 0 ? 0 : 1;
}
