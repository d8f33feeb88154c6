/* Step 4 of a create: what the rules are told, what refuses, and that the engine has not been asked by then.
 */
#include "base/str.h"
#include "containers/admission.h"
#include "support/failmalloc.h"
#include "support/manager_fixture.h"
#include "unit.h"
#include <unistd.h>

#define SET(rules)           "version: \"1\"\nrules:\n" rules
#define ALLOW(id, condition) "  - id: " id "\n    action: allow\n    condition: |-\n      " condition "\n"
#define BLOCK(id, condition, more) \
    "  - id: " id "\n    action: block\n    condition: |-\n      " condition "\n" more

static outcall_container_spec spec_of(const char *name)
{
    outcall_container_spec s = OUTCALL_CONTAINER_SPEC_INIT;
    s.image = "busybox:1";
    s.name = name;
    return s;
}

static int create(struct manager *t, const outcall_container_spec *s)
{
    OC_CLEANUP(outcall_container_info_freep) outcall_container_info *info = NULL;
    return outcall_containers_create(t->containers, s, &info, &t->f.err);
}

static const struct refusal {
    const char *rules, *text, *decisions;
} refusals[] = {
    {SET(BLOCK("no-busybox", "docker.image.startsWith(\"busybox\")", "    reason: use the house image\n")),
     "blocked by rule \"no-busybox\": use the house image", "blocked no-busybox 2;"},
    {SET(BLOCK("bare", "docker.image == \"busybox:1\"", "")), "blocked by rule \"bare\"", "blocked bare 2;"},
    {SET(BLOCK("sick", "docker.command[7] == \"x\"", "    reason: because\n")),
     "blocked by rule \"sick\": because (it could not be evaluated)", "blocked sick 2;"},
    {SET(BLOCK("sick", "docker.command[7] == \"x\"", "")),
     "blocked by rule \"sick\" (it could not be evaluated)", "blocked sick 2;"},
    {SET(BLOCK("second", "run.context.action_type == \"container_create\"", "") ALLOW("first", "false")),
     "blocked by rule \"second\"", "blocked second 2;"},
    {SET(BLOCK("mine", "true", "    agents: [a]\n")), "blocked by rule \"mine\"", "blocked mine 2;"},
};

START_TEST(a_block_rule_refuses_before_any_call)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    manager_rules(&t, refusals[_i].rules);
    int r = create(&t, &s);
    ck_assert_str_eq(t.f.err.text, refusals[_i].text);
    fixture_failed(&t.f, r, OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED, "");
    ck_assert_str_eq(t.decisions, refusals[_i].decisions);
    ck_assert_uint_eq(manager_calls(&t), 0);
    ck_assert_int_eq(atomic_load(&t.opened), 1); /* the helpers come before it */
    ck_assert_int_eq(atomic_load(&t.closed), 1);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 0);
    manager_end(&t);
}
END_TEST

static const struct pass {
    const char *rules, *decisions;
} passes[] = {
    {SET(BLOCK("other", "docker.image == \"alpine\"", "")), "allowed - 2;"}, /* no rule matches */
    {SET(ALLOW("yes", "docker.image == \"busybox:1\"")), "allowed yes 2;"},
    {SET(ALLOW("sick", "docker.command[7] == \"x\"")), "allowed - 2;"},
    {SET(BLOCK("theirs", "true", "    agents: [b]\n")), "allowed - 2;"},
    {SET(BLOCK("late", "true", "    priority: 200\n") ALLOW("early", "true")), "allowed early 2;"},
};

START_TEST(what_no_rule_blocks_passes)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    manager_rules(&t, passes[_i].rules);
    fixture_ok(&t.f, create(&t, &s));
    ck_assert_str_eq(t.decisions, passes[_i].decisions);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1);
    manager_end(&t);
}
END_TEST

/* One condition for each thing that the rules are told; all of them hold. */
static const char *const facts[] = {
    "docker.image == \"busybox:1\" && agent.image == \"busybox:1\"",
    "docker.command == [\"sh\", \"-c\", \"echo $A\"]",
    "docker.env_keys == [\"TOKEN\", \"EMPTY\"]",
    "!docker.env_keys.exists(k, k.contains(\"hunter2\"))",
    "docker.volumes[0] == \"cache:/cache\"",
    "docker.volumes[1].endsWith(\"/link:/data:ro\")",
    "docker.volumes[2].endsWith(\"/real:/data:ro\") && size(docker.volumes) == 3",
    "size(docker.capabilities) == 0",
    "run.context == {\"action_type\": \"container_create\"}",
    "agent.name == \"a\" && agent.container_id == \"\"",
    "agent.labels == {\"team\": \"x=y\"}",
    "run.tool == \"\" && network.hostname == \"\"",
};

START_TEST(what_the_rules_are_told)
{
    struct manager t;
    char real[128], link[128];
    static const char *const entrypoint[] = {"sh"}, *const cmd[] = {"-c", "echo $A"},
                             *const env[] = {"TOKEN=hunter2", "EMPTY="}, *const labels[] = {"team=x=y"};
    manager_begin_with(&t, NULL, NULL);
    fixture_ok(&t.f, outcall_containers_adopt(t.containers, NULL, &t.f.err));
    (void)oc_format(real, sizeof(real), "%s/real", t.f.dir);
    (void)oc_format(link, sizeof(link), "%s/link", t.f.dir);
    ck_assert_int_eq(mkdir(real, 0755) | symlink(real, link), 0);
    outcall_mount mounts[] = {{"cache", "/cache", 0}, {link, "/data", 1}};
    outcall_container_spec s = spec_of("a");
    s.entrypoint = entrypoint;
    s.n_entrypoint = 1;
    s.cmd = cmd;
    s.n_cmd = 2;
    s.env = env;
    s.n_env = 2;
    s.labels = labels;
    s.n_labels = 1;
    s.mounts = mounts;
    s.n_mounts = 2;
    OC_FREE char *rules = oc_asprintf(SET(BLOCK("told", "%s", "")), facts[_i]);
    manager_rules(&t, rules);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED,
                   "blocked by rule \"told\"");
    ck_assert_ptr_null(strstr(t.f.err.text, "could not"));
    ck_assert_int_eq(unlink(link) | rmdir(real), 0);
    manager_end(&t);
}
END_TEST

/* A name that is taken, or may be: the engine would be asked before the helpers, but not before the rules. */
START_TEST(a_name_that_is_taken_asks_the_rules_too)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    fixture_ok(&t.f, create(&t, &s));
    manager_rules(&t, SET(BLOCK("never", "true", "")));
    size_t calls = manager_calls(&t);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED, "rule \"never\"");
    ck_assert_uint_eq(manager_calls(&t), calls);
    ck_assert_uint_eq(outcall_containers_count(t.containers), 1); /* the one that has the name stays */
    ck_assert_str_eq(t.decisions, "allowed - 1;blocked never 2;");
    manager_end(&t);
    manager_begin_with(&t, NULL, NULL); /* nothing was adopted yet */
    manager_rules(&t, SET(BLOCK("never", "true", "")));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED, "rule \"never\"");
    ck_assert_uint_eq(fake_engine_count(t.f.engine, NULL, NULL), 0);
    manager_rules(&t, SET(ALLOW("now", "true")));
    manager_script(&t, "{\"path\":\"/containers/outcall-agent-a/json\",\"status\":404,\"body\":{}},");
    fixture_ok(&t.f, create(&t, &s));
    ck_assert_str_eq(t.decisions, "blocked never 2;allowed now 3;"); /* asked once each */
    manager_end(&t);
}
END_TEST

START_TEST(a_drawn_name_is_known_to_the_rules)
{
    struct manager t;
    outcall_container_spec s = spec_of(NULL);
    manager_begin(&t);
    manager_rules(&t, SET(BLOCK("hex", "agent.name.matches(\"^[0-9a-f]{8}$\")", "")));
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_DENIED, OUTCALL_KIND_POLICY_DENIED, "rule \"hex\"");
    ck_assert_str_eq(t.decisions, "blocked hex 2;"); /* a refusal is no reason to draw again */
    manager_end(&t);
}
END_TEST

/* An evaluation that takes its time, and facts that cannot be told: no answer is no admission. */
START_TEST(rules_that_cannot_be_asked_refuse)
{
    struct manager t;
    outcall_container_spec s = spec_of("outcall-agent-a");
    static const char *const bytes[] = {"x\xff"};
    int pins[] = {-1};
    outcall_mount mounts[] = {{"/no/pin", "/x", 0}};
    manager_begin(&t);
    struct oc_admission a = {.spec = &s, .name = "outcall-agent-a", .pins = pins};
    s.cmd = bytes; /* create refuses this earlier */
    s.n_cmd = 1;
    fixture_failed(&t.f, oc_admit(t.containers, &a, &t.f.err), OUTCALL_E_INVALID, OUTCALL_KIND_POLICY_DENIED,
                   "blocked: the rules could not be asked: invalid argument");
    s.n_cmd = 0;
    s.mounts = mounts;
    s.n_mounts = 1;
    fixture_failed(&t.f, oc_admit(t.containers, &a, &t.f.err), OUTCALL_E_SYSTEM, OUTCALL_KIND_POLICY_DENIED,
                   "blocked: the rules could not be asked");
    ck_assert_str_eq(t.decisions, "blocked failure 1;blocked failure 1;");
    s.n_mounts = 0;
    fixture_ok(&t.f, oc_admit(t.containers, &a, &t.f.err));
    manager_end(&t);
}
END_TEST

/* Each element is looked at 1000 times: more than a millisecond's work by far, in less than the bound on
 * steps. */
START_TEST(an_evaluation_out_of_time_refuses)
{
    struct manager t;
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    ck_assert_int_eq(oc_buf_str(&b, SET("")), 0);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_eq(oc_buf_printf(&b, ALLOW("r%d", "docker.command.exists(x, x == \"%d\")"), i, i), 0);
    ck_assert_int_eq(oc_buf_str(&b, BLOCK("never", "false", "")), 0);
    manager_rules(&t, b.data);
    t.containers->policy_timeout_ms = 1;
    const char *cmd[512];
    for (size_t i = 0; i < OC_ARRAY_SIZE(cmd); i++)
        cmd[i] = "x";
    s.cmd = cmd;
    s.n_cmd = OC_ARRAY_SIZE(cmd);
    fixture_failed(&t.f, create(&t, &s), OUTCALL_E_TIMEOUT, OUTCALL_KIND_POLICY_DENIED,
                   "blocked: the rules could not be asked: time limit reached");
    ck_assert_str_eq(t.decisions, "blocked failure 2;");
    ck_assert_uint_eq(manager_calls(&t), 0);
    manager_end(&t);
}
END_TEST

struct round {
    struct manager *t;
    const struct oc_admission *a;
};

static int admit(void *userdata)
{
    const struct round *r = userdata;
    outcall_error err = OUTCALL_ERROR_INIT;
    int code = oc_admit(r->t->containers, r->a, &err);
    if (code != 0 && (code != OUTCALL_E_NO_MEMORY || err.kind != 0)) /* an assertion allocates */
        ck_abort_msg("%d %s", code, err.text);
    return code;
}

START_TEST(every_allocation_may_fail)
{
    struct manager t;
    static const char *const one[] = {"K=v"};
    static const outcall_mount mounts[] = {{"cache", "/cache", 0}};
    outcall_container_spec s = spec_of("a");
    s.env = s.labels = s.cmd = one;
    s.n_env = s.n_labels = s.n_cmd = 1;
    s.mounts = mounts;
    s.n_mounts = 1;
    manager_begin(&t);
    manager_rules(&t, SET(BLOCK("other", "docker.image == \"alpine\"", "")));
    struct oc_admission a = {.spec = &s, .name = "outcall-agent-a", .pins = (int[]){-1}};
    struct round r = {&t, &a};
    ck_assert_int_gt(failmalloc_loop(admit, &r), 8);
    manager_end(&t);
}
END_TEST

START_TEST(without_rules_nobody_is_asked)
{
    struct manager t;
    outcall_container_spec s = spec_of("a");
    manager_begin(&t);
    t.containers->policy = NULL;
    fixture_ok(&t.f, create(&t, &s));
    ck_assert_str_eq(t.decisions, "");
    manager_end(&t);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {a_name_that_is_taken_asks_the_rules_too,
                                a_drawn_name_is_known_to_the_rules,
                                rules_that_cannot_be_asked_refuse,
                                an_evaluation_out_of_time_refuses,
                                every_allocation_may_fail,
                                without_rules_nobody_is_asked};
    const struct unit_loop loops[] = {{a_block_rule_refuses_before_any_call, OC_ARRAY_SIZE(refusals)},
                                      {what_no_rule_blocks_passes, OC_ARRAY_SIZE(passes)},
                                      {what_the_rules_are_told, OC_ARRAY_SIZE(facts)}};
    return unit_run("containers_admission", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
