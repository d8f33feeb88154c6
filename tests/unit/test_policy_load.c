/* Directories of rule files, their limits, and what a decision may cost. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "outcall/policy.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "version: \"1\"\n"

static char dir[PATH_MAX];

static void make_dir(void)
{
    (void)oc_format(dir, sizeof(dir), "%s/outcall-rules-XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    ck_assert_int_eq(oc_format(path, sizeof(path), "%s/%s", dir, name), 0);
    return path;
}

static void put(const char *name, const char *text, size_t len)
{
    OC_CLOSE int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_write_all(fd, text, len), 0);
}

/* One rule that always matches. */
static void put_rule(const char *name, const char *id, int priority)
{
    char text[256];
    ck_assert_int_eq(oc_format(text, sizeof(text),
                               HEAD "rules:\n- {id: %s, action: allow, priority: %d, condition: 'true'}\n",
                               id, priority),
                     0);
    put(name, text, strlen(text));
}

static outcall_policy *load(void)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = outcall_policy_load_dir(&p, dir, NULL, &err);
    ck_assert_msg(r == 0, "%s:%d:%d: %s", err.source, err.line, err.column, err.text);
    return p;
}

static void refused(int code, const char *wanted)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    char got[2048];
    ck_assert_int_eq(outcall_policy_load_dir(&p, dir, NULL, &err), code);
    ck_assert_ptr_null(p);
    ck_assert_int_gt(outcall_error_format(&err, got, sizeof(got)), 0);
    ck_assert_str_eq(got, wanted);
}

static void nth_is(const outcall_policy *p, size_t i, const char *id, const char *file)
{
    outcall_rule_info info;
    ck_assert_int_eq(outcall_policy_rule_at(p, i, &info), 0);
    ck_assert_str_eq(info.id, id);
    ck_assert_str_eq(info.file, file);
}

START_TEST(order)
{
    make_dir();
    put_rule("b.yaml", "b", 100);
    put_rule("a.yml", "a", 100);
    put_rule("B.yaml", "upper", 100);
    put_rule("z.yaml", "first", -1);
    put(".hidden.yaml", "no", 2);
    put("c.yaml~", "no", 2);
    put("yaml", "no", 2);
    put(".yaml", "no", 2);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load();
    ck_assert_uint_eq(outcall_policy_files_n(p), 4);
    ck_assert_uint_eq(outcall_policy_rules_n(p), 4);
    nth_is(p, 0, "first", "z.yaml");
    nth_is(p, 1, "upper", "B.yaml");
    nth_is(p, 2, "a", "a.yml");
    nth_is(p, 3, "b", "b.yaml");
    remove_dir();
}
END_TEST

START_TEST(nothing_there)
{
    char wanted[PATH_MAX + 128];
    make_dir();
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *empty = load();
    ck_assert_int_eq(oc_format(wanted, sizeof(wanted), "%s: there are no rules; everything is blocked", dir),
                     0);
    ck_assert_uint_eq(outcall_policy_warnings_n(empty), 1);
    ck_assert_str_eq(outcall_policy_warning_at(empty, 0), wanted);
    remove_dir();
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *missing = load();
    ck_assert_int_eq(
        oc_format(wanted, sizeof(wanted), "%s: the directory does not exist; everything is blocked", dir), 0);
    ck_assert_uint_eq(outcall_policy_warnings_n(missing), 1);
    ck_assert_str_eq(outcall_policy_warning_at(missing, 0), wanted);
}
END_TEST

START_TEST(what_is_no_file)
{
    make_dir();
    put_rule("a.yaml", "a", 1);
    ck_assert_int_eq(symlink("a.yaml", path_of("b.yaml")), 0);
    refused(OUTCALL_E_INVALID, "b.yaml: is a symlink; rule files are regular files");
    ck_assert_int_eq(unlink(path_of("b.yaml")), 0);
    ck_assert_int_eq(mkfifo(path_of("b.yml"), 0600), 0);
    refused(OUTCALL_E_INVALID, "b.yml: is no regular file");
    ck_assert_int_eq(unlink(path_of("b.yml")), 0);
    ck_assert_int_eq(mkdir(path_of("b.yaml"), 0700), 0);
    refused(OUTCALL_E_INVALID, "b.yaml: is no regular file");
    ck_assert_int_eq(rmdir(path_of("b.yaml")), 0);
    put_rule("b\n.yaml", "b", 1);
    outcall_policy *p = NULL;
    ck_assert_int_eq(outcall_policy_load_dir(&p, dir, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_load_dir(&p, path_of("a.yaml"), NULL, NULL), OUTCALL_E_SYSTEM);
    remove_dir();
}
END_TEST

static void guarded(mode_t mode, uid_t uid, const char *text)
{
    outcall_policy *p = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.dir = dir;
    ck_assert_int_eq(chmod(path_of("a.yaml"), mode), 0);
    ck_assert_int_eq(chown(path_of("a.yaml"), uid, (gid_t)-1), 0);
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), 0); /* who reads rules to look at them */
    p = outcall_policy_unref(p);
    o.guarded = 1;
    ck_assert_int_eq(outcall_policy_load(&p, &o, &err), text ? OUTCALL_E_DENIED : 0);
    if (text) {
        ck_assert_str_eq(err.source, "a.yaml");
        ck_assert_str_eq(err.text, text);
    }
    (void)outcall_policy_unref(p);
}

START_TEST(who_can_write_a_file)
{
    make_dir();
    put_rule("a.yaml", "a", 1);
    guarded(0644, geteuid(), NULL);
    guarded(0664, geteuid(), "can be written by other users");
    guarded(0602, geteuid(), "can be written by other users");
    if (geteuid() == 0)
        guarded(0644, 65532, "belongs to another user");
    remove_dir();
}
END_TEST

START_TEST(across_files)
{
    make_dir();
    static const char tests[] = HEAD "tests:\n- {name: t, expect: allow, rule: a}\n";
    put_rule("a.yaml", "a", 1);
    put("c.yaml", tests, strlen(tests));
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load();
    put_rule("b.yaml", "b", 0);
    refused(OUTCALL_E_DENIED,
            "c.yaml:3:3: test \"t\": expected allow by rule \"a\", got allow by rule \"b\"");
    put_rule("b.yaml", "a", 0);
    refused(OUTCALL_E_EXISTS, "b.yaml:3:8: rule \"a\": the id is already used at a.yaml:3");
    static const char borrowed[] = HEAD "rules:\n- {id: x, action: allow, condition: $d}\n";
    static const char defines[] = HEAD "definitions: {d: 'true'}\n";
    put("b.yaml", defines, strlen(defines));
    put("c.yaml", borrowed, strlen(borrowed));
    refused(OUTCALL_E_UNDECLARED, "c.yaml:3:37: rule \"x\": \"$d\" is not defined"); /* file-local */
    remove_dir();
}
END_TEST

struct notes {
    unsigned refusals, warnings;
};

static void note(void *userdata, const outcall_error *problem, int warning)
{
    struct notes *n = userdata;
    ck_assert_str_eq(problem->source, "x.yaml");
    n->refusals += warning == 0;
    n->warnings += warning != 0;
}

START_TEST(not_more_than_100_refusals)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    struct notes notes = {0, 0};
    outcall_policy *p = NULL;
    ck_assert_int_eq(oc_buf_str(&b, HEAD "definitions: {unused: '1'}\nrules:\n"), 0);
    for (int i = 0; i < 150; i++)
        ck_assert_int_eq(oc_buf_str(&b, "- {}\n"), 0);
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.name = "x.yaml";
    o.text = b.data;
    o.text_len = b.len;
    o.problem = note;
    o.userdata = &notes;
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), OUTCALL_E_SYNTAX);
    ck_assert_uint_eq(notes.refusals, 100);
    o.text = HEAD "definitions: {unused: '1'}\n";
    o.text_len = strlen(o.text);
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), 0);
    ck_assert_uint_eq(notes.warnings, 2);
    ck_assert_str_eq(outcall_policy_warning_at(p, 0), "x.yaml:2:15: definition \"unused\" is not used");
    (void)outcall_policy_unref(p);
}
END_TEST

START_TEST(arguments)
{
    outcall_policy *p = NULL;
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), OUTCALL_E_INVALID);
    o.text = HEAD;
    o.text_len = strlen(HEAD);
    o.dir = "/";
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), OUTCALL_E_INVALID);
    o.dir = NULL;
    o.version = 2;
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), OUTCALL_E_INVALID);
    o.version = 1;
    o.name = "a\nb";
    ck_assert_int_eq(outcall_policy_load(&p, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_load(NULL, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_policy_load(&p, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_uint_eq(outcall_policy_rules_n(NULL), 0);
    ck_assert_ptr_null(outcall_policy_ref(NULL));
    ck_assert_ptr_null(outcall_policy_unref(NULL));
}
END_TEST

#define MIB ((size_t)1 << 20)

/* Files of just comments, since it is about bytes. */
START_TEST(sizes)
{
    make_dir();
    OC_FREE char *text = malloc(4 * MIB + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '#', 4 * MIB + 1);
    ck_assert_int_eq(oc_copy(text, 4 * MIB, HEAD, strlen(HEAD)), 0);
    text[strlen(HEAD)] = '#';
    put("a.yaml", text, 4 * MIB);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load();
    put("a.yaml", text, 4 * MIB + 1);
    refused(OUTCALL_E_LIMIT, "a.yaml: the file is larger than 4 MiB");
    put("a.yaml", text, 4 * MIB);
    for (int i = 0; i < 16; i++) {
        char name[16];
        (void)oc_format(name, sizeof(name), "b%02d.yaml", i);
        put(name, text, i < 15 ? 4 * MIB : strlen(HEAD));
    }
    refused(OUTCALL_E_LIMIT, "b15.yaml: the set of rules is larger than 64 MiB");
    remove_dir();
}
END_TEST

static void put_rules(const char *name, size_t from, size_t to)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    ck_assert_int_eq(oc_buf_str(&b, HEAD "rules:\n"), 0);
    for (size_t i = from; i < to; i++)
        if (oc_buf_printf(&b, "- {id: r%zu, action: allow, condition: 'run.tool == \"t%zu\"'}\n", i, i) < 0)
            ck_abort();
    put(name, b.data, b.len);
}

START_TEST(hundred_thousand_rules)
{
    make_dir();
    put_rules("a.yaml", 0, 50000);
    put_rules("b.yaml", 50000, 100000);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = load();
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    ck_assert_uint_eq(outcall_policy_rules_n(p), 100000);
    ck_assert_int_eq(outcall_context_new(&c), 0);
    ck_assert_int_eq(outcall_context_string(c, "run.tool", "t99999", 6), 0);
    ck_assert_int_eq(outcall_policy_decide(p, c, &v, NULL), 0);
    ck_assert_str_eq(v.rule_id, "r99999");
    put_rules("c.yaml", 100000, 100001);
    refused(OUTCALL_E_LIMIT, "c.yaml:3:3: rule \"r100000\": the set has more than 100000 rules");
    remove_dir();
}
END_TEST

static const char *const words[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "a", "b", "c", "d",
                                    "e", "f", "g", "h", "i", "j", "k", "l", "m", "n",  "o", "p", "q", "r",
                                    "s", "t", "u", "v", "w", "x", "y", "z", "A", "B",  "C", "D"};
#define COSTLY "run.args.all(x, run.args.all(y, run.args.all(z, z != \"no\")))"

static void count_logs(int level, const char *target, const char *msg, void *userdata)
{
    ck_assert_int_eq(level, OUTCALL_LOG_WARN);
    ck_assert_str_eq(target, "policy");
    (void)oc_copy(userdata, 1024, msg, strlen(msg));
}

START_TEST(costs)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_CLEANUP(outcall_context_freep) outcall_context *c = NULL;
    OC_CLEANUP(outcall_log_unrefp) outcall_log *log = NULL;
    char message[1024] = "";
    outcall_verdict v = OUTCALL_VERDICT_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(outcall_log_new(&log, count_logs, message), 0);
    ck_assert_int_eq(oc_buf_str(&b, HEAD "rules:\n"), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(oc_buf_printf(&b, "- {id: r%d, action: allow, condition: '" COSTLY "'}\n", i), 0);
    ck_assert_int_eq(oc_buf_str(&b, "- {id: b, action: block, condition: '" COSTLY "', priority: 0}\n"), 0);
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *p = NULL;
    ck_assert_int_eq(outcall_policy_load_text(&p, NULL, b.data, b.len, log, NULL), 0);
    ck_assert_int_eq(outcall_context_new(&c), 0);
    ck_assert_int_eq(outcall_context_strings(c, "run.args", words, OC_ARRAY_SIZE(words)), 0);
    ck_assert_int_eq(outcall_policy_decide(p, c, &v, NULL), 0); /* the steps of one rule are used up */
    ck_assert_str_eq(v.rule_id, "b");
    ck_assert_int_eq(v.rule_error, 1);
    ck_assert_uint_eq(v.errors_n, 1);
    ck_assert(
        oc_starts_with(message, "rule \"b\" of rules.yaml:1003 blocks, for it could not be evaluated: "));
    OC_CLEANUP(outcall_policy_unrefp) outcall_policy *allows = NULL;
    b.len = (size_t)(strstr(b.data, "- {id: b,") - b.data);
    ck_assert_int_eq(outcall_policy_load_text(&allows, NULL, b.data, b.len, NULL, NULL), 0);
    ck_assert_int_eq(outcall_context_timeout_ms(c, 1), 0);
    v.action = OUTCALL_ALLOW;
    ck_assert_int_eq(outcall_policy_decide(allows, c, &v, &err), OUTCALL_E_TIMEOUT);
    ck_assert_int_eq(v.action, OUTCALL_BLOCK);
    ck_assert_uint_eq(v.errors_n, 0); /* as if nothing had been asked */
    ck_assert_str_eq(err.text, "evaluation of the rules: time limit reached");
}
END_TEST

/* What the reference shows can be loaded, and its tests come out. */
START_TEST(documented)
{
    OC_FREE char *text = NULL;
    size_t len = 0, n = 0;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, TEST_DATA "/../../docs/rules.md", MIB, &text, &len), 0);
    for (const char *at = text; (at = strstr(at, "```yaml\n")); n++) {
        const char *end = strstr(at += strlen("```yaml\n"), "```");
        outcall_policy *p = NULL;
        outcall_error err = OUTCALL_ERROR_INIT;
        ck_assert_ptr_nonnull(end);
        int r = outcall_policy_load_text(&p, NULL, at, (size_t)(end - at), NULL, &err);
        ck_assert_msg(r == 0, "%d:%d: %s", err.line, err.column, err.text);
        ck_assert_uint_eq(outcall_policy_warnings_n(p), 0);
        (void)outcall_policy_unref(p);
        at = end;
    }
    ck_assert_uint_ge(n, 1);
}
END_TEST

static int load_once(void *userdata)
{
    outcall_policy *p = NULL;
    int r = outcall_policy_load_dir(&p, userdata, NULL, NULL);
    (void)outcall_policy_unref(p);
    return r;
}

START_TEST(no_memory)
{
    static const char more[] = HEAD
        "definitions: {a: 'run.tool == \"x\"', b: '$a || network.hostname.endsWith(\".y\")', unused: '1'}\n"
        "rules:\n- {id: x, action: allow, condition: $b, agents: [q], reason: r, egress: {ports: [1]}}\n"
        "tests:\n- {name: t, expect: allow, context: {run: {tool: x, args: [a]}, agent: {name: q}}}\n";
    make_dir();
    put_rule("a.yaml", "a", 101);
    put("b.yaml", more, strlen(more));
    (void)failmalloc_loop(load_once, dir);
    remove_dir();
}
END_TEST

UNIT_MAIN("policy_load", order, nothing_there, what_is_no_file, who_can_write_a_file, across_files,
          not_more_than_100_refusals, arguments, sizes, hundred_thousand_rules, costs, documented, no_memory)
