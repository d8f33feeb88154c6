/* lib/policy: what an agent's file becomes. tests/data/requests/<name>.yaml, and beside it <name>.active, or
 * <name>.error with "line:column: text" (line 0: no place). */
#include "base/buf.h"
#include "base/fd.h"
#include "policy/request.h"
#include "support/failmalloc.h"
#include "unit/unit.h"
#include "yaml/write.h"
#include <dirent.h>
#include <fcntl.h>

#define DATA  TEST_DATA "/requests"
#define AGENT "builder"

static char *read_data(const char *name, const char *end, size_t *ret_len)
{
    char path[512], *text = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s%s", DATA, name, end);
    return oc_read_file(AT_FDCWD, path, 1 << 20, &text, ret_len) < 0 ? NULL : text;
}

/* Nothing but printable ASCII and line breaks: what is read is what is there. */
static void expect_plain(const char *text)
{
    for (const char *p = text; *p; p++)
        ck_assert_msg(*p == '\n' || (*p >= 0x20 && *p < 0x7f), "%s", text);
}

static void expect_active(const char *name, const char *yaml, size_t len, const char *wanted)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    char *active = NULL, *again = NULL;
    int r = oc_request_check(AGENT, yaml, len, NULL, &active, &err);
    ck_assert_msg(r == 0, "%s: %d:%d: %s", name, err.line, err.column, err.text);
    ck_assert_msg(strcmp(active, wanted) == 0, "%s:\n%s", name, active);
    expect_plain(active);
    ck_assert_int_eq(oc_request_check(AGENT, active, strlen(active), NULL, &again, &err), 0);
    ck_assert_str_eq(again, active); /* once is enough */
    free(active);
    free(again);
}

static void expect_error(const char *name, const char *yaml, size_t len, const char *wanted)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    char *active = NULL, got[OUTCALL_ERROR_TEXT + 64];
    int r = oc_request_check(AGENT, yaml, len, NULL, &active, &err);
    (void)snprintf(got, sizeof(got), "%d:%d: %s\n", err.line, err.column, err.text);
    ck_assert_msg(r < 0 && strcmp(got, wanted) == 0, "%s: %d: %s", name, r, got);
    ck_assert_int_eq(err.code, r);
    ck_assert_int_ne(r, OUTCALL_E_INTERNAL);
    ck_assert_ptr_null(active);
}

START_TEST(files)
{
    DIR *dir = opendir(DATA);
    size_t n = 0;
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) { /* NOLINT(concurrency-mt-unsafe) */
        char name[256];
        const char *dot = strstr(e->d_name, ".yaml");
        size_t len = 0;
        if (!dot)
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(dot - e->d_name), e->d_name);
        OC_FREE char *yaml = read_data(name, ".yaml", &len);
        OC_FREE char *active = read_data(name, ".active", NULL);
        OC_FREE char *error = read_data(name, ".error", NULL);
        ck_assert_msg(yaml && !active != !error, "%s: one of .active and .error is needed", name);
        if (active)
            expect_active(name, yaml, len, active);
        else
            expect_error(name, yaml, len, error);
        n++;
    }
    (void)closedir(dir);
    ck_assert_uint_ge(n, 30);
}
END_TEST

static outcall_request *summary(const char *active)
{
    outcall_request *r = calloc(1, sizeof(*r));
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_ptr_nonnull(r);
    r->active = strdup(active);
    int e = oc_request_summarize(r, &err);
    ck_assert_msg(e == 0, "%s", err.text);
    return r;
}

START_TEST(what_it_allows)
{
    OC_FREE char *active = read_data("everything", ".active", NULL);
    OC_FREE char *unicode = read_data("unicode", ".active", NULL);
    outcall_request *r = summary(active);
    ck_assert_str_eq(outcall_request_rule(r, 0), "github-read");
    ck_assert_str_eq(outcall_request_rule(r, 1), "no-push");
    ck_assert_str_eq(outcall_request_rule(r, 2), "folded");
    ck_assert_ptr_null(outcall_request_rule(r, 3));
    ck_assert_str_eq(outcall_request_allows(r, 0),
                     "rule \"github-read\" allows: (network.hostname == \"github.com\") && "
                     "((http.method == \"GET\" || http.method == \"HEAD\")) "
                     "(egress: mode direct_ip, ports 443 8443, allow_private_ips false)");
    ck_assert_str_eq(outcall_request_allows(r, 1), "rule \"folded\" allows: run.tool == \"make\"");
    ck_assert_ptr_null(outcall_request_allows(r, 2));
    (void)outcall_request_free(r);
    r = summary(unicode);
    ck_assert_str_eq(outcall_request_allows(r, 0),
                     "rule \"one\" allows: run.tool == \"g\\u0456t\" || run.tool == \"\\u202etxt\"");
    (void)outcall_request_free(r);
    r = summary("rules: []\n");
    ck_assert_ptr_null(outcall_request_allows(r, 0));
    (void)outcall_request_free(r);
}
END_TEST

START_TEST(no_summary_of_what_is_no_rule_file)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "rules: 1",
                                      "rules: [1]",
                                      "rules: [{id: a}]",
                                      "rules: [{id: [], condition: x, action: allow}]",
                                      "rules: [{id: a, condition: x, action: {}}]",
                                      "definitions: []\nrules: []",
                                      "definitions: {a: []}\nrules: []",
                                      "definitions: {a: $a}\nrules: [{id: a, condition: $a, action: allow}]",
                                      "rules: [{id: a, condition: $b, action: allow}]",
                                      "rules: [{id: a, condition: c, action: allow, egress: {m: [[]]}}]",
                                      "rules: &x []"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        outcall_request *r = calloc(1, sizeof(*r));
        ck_assert_ptr_nonnull(r);
        r->active = strdup(bad[i]);
        ck_assert_msg(oc_request_summarize(r, NULL) == OUTCALL_E_SYNTAX, "%s", bad[i]);
        (void)outcall_request_free(r);
    }
}
END_TEST

static outcall_request *sample(int status, const char *reason)
{
    outcall_request *r = summary("rules:\n  - id: a\n    condition: b\n    action: allow\n");
    (void)snprintf(r->id, sizeof(r->id), "rr-0123456789ab");
    (void)snprintf(r->agent, sizeof(r->agent), "agent");
    (void)snprintf(r->created_at, sizeof(r->created_at), "2026-11-21T22:10:00Z");
    r->number = 7;
    r->status = status;
    r->reason = reason ? strdup(reason) : NULL;
    r->text = strdup("rules: \xc3\xa9\n");
    return r;
}

START_TEST(the_form_on_disk)
{
    static const char *const reasons[] = {NULL, "", "no \"x\" \\ \xc3\xa9"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(reasons); i++) {
        outcall_request *r =
            sample(reasons[i] ? OUTCALL_REQUEST_REJECTED : OUTCALL_REQUEST_APPROVED, reasons[i]);
        outcall_request *again = NULL;
        OC_FREE char *data = NULL;
        OC_FREE char *twice = NULL;
        size_t len = 0;
        ck_assert_int_eq(oc_request_entry_encode(r, &data, &len), 0);
        ck_assert_int_eq(oc_request_entry_decode(data, len, &again, NULL), 0);
        ck_assert_str_eq(again->id, r->id);
        ck_assert_str_eq(again->text, r->text);
        ck_assert_str_eq(again->active, r->active);
        ck_assert_str_eq(again->allows.v[0], "rule \"a\" allows: b");
        ck_assert_int_eq(oc_request_entry_encode(again, &twice, &len), 0);
        ck_assert_str_eq(twice, data);
        (void)outcall_request_free(r);
        (void)outcall_request_free(again);
    }
}
END_TEST

static const struct {
    const char *from, *to, *error;
} damage[] = {
    {"\"version\":1", "\"version\":2", "version: expected an integer from 1 to 1, got 2"},
    {"rr-0123456789ab", "rr-0123456789aB", "id: no id of a request"},
    {"rr-0123456789ab", "rr-0123456789a", "id: no id of a request"},
    {"\"agent\":\"agent\"", "\"agent\":\"../x\"", "agent: no name of an agent"},
    {"\"agent\":\"agent\",", "", "agent: required field is missing"},
    {"T22:10", " 22:10", "created_at: no time"},
    {"2026", "2O26", "created_at: no time"},
    {"\"number\":7", "\"number\":0", NULL},
    {"\"number\":7", "\"number\":9223372036854775807", NULL},
    {"approved", "accepted", "status: unknown word"},
    {"\"status\"", "\"reason\":\"x\",\"status\"", "reason: not one"},
    {"\"status\"", "\"more\":1,\"status\"", "more: unknown field"},
    {"\"text_bytes\":10", "\"text_bytes\":11", "the texts are longer or shorter than their file says"},
    {"\"text_bytes\":10", "\"text_bytes\":8", "the texts are longer or shorter than their file says"},
    {"\"text_bytes\":10", "\"text_bytes\":4194305", NULL},
    {"\"active_bytes\":52", "\"active_bytes\":51", "the texts are longer or shorter than their file says"},
    {"\xc3\xa9", "\xc3\xc3", "the texts are not UTF-8"},
    {"condition: b", "condition: &", NULL},
    {"rules:\n  - id: a", "rule: \n  - id: a", "the active text is no rule file"},
    {"{", "[", NULL},
    {"}\n", "} \n", ""},
    {"}\n", "}", NULL},
};

START_TEST(damage_is_noticed)
{
    outcall_request *r = sample(OUTCALL_REQUEST_APPROVED, NULL), *got = NULL;
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    OC_FREE char *data = NULL;
    size_t len = 0;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_int_eq(oc_request_entry_encode(r, &data, &len), 0);
    const char *at = strstr(data, damage[_i].from);
    ck_assert_msg(at != NULL, "%s: %s", damage[_i].from, data);
    ck_assert_int_eq(oc_buf_add(&b, data, (size_t)(at - data)), 0);
    ck_assert_int_eq(oc_buf_str(&b, damage[_i].to), 0);
    ck_assert_int_eq(oc_buf_str(&b, at + strlen(damage[_i].from)), 0);
    int e = oc_request_entry_decode(b.data, b.len, &got, &err);
    if (damage[_i].error && !*damage[_i].error) { /* no damage */
        ck_assert_int_eq(e, 0);
        (void)outcall_request_free(got);
    } else {
        ck_assert_int_eq(e, OUTCALL_E_SYNTAX);
        ck_assert_ptr_null(got);
        if (damage[_i].error)
            ck_assert_str_eq(err.text, damage[_i].error);
    }
    (void)outcall_request_free(r);
}
END_TEST

START_TEST(every_cut_is_noticed)
{
    outcall_request *r = sample(OUTCALL_REQUEST_PENDING, NULL), *got = NULL;
    OC_FREE char *data = NULL;
    size_t len = 0;
    ck_assert_int_eq(oc_request_entry_encode(r, &data, &len), 0);
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_int_eq(oc_request_entry_decode(data, cut, &got, NULL), OUTCALL_E_SYNTAX);
    ck_assert_ptr_null(got);
    (void)outcall_request_free(r);
}
END_TEST

static int check_built(const struct oc_buf *b, outcall_error *err)
{
    char *active = NULL;
    int r = oc_request_check(AGENT, b->data, b->len, NULL, &active, err);
    ck_assert_ptr_null(active);
    return r;
}

/* Within 64 KiB, minutes of tests and tens of MiB of conditions could be asked for. */
START_TEST(what_costs_too_much)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_buf_str(&b, "version: \"1\"\ndefinitions:\n  l: \"[0");
    for (int i = 0; i < 300; i++)
        r |= oc_buf_str(&b, ",1");
    r |= oc_buf_str(&b, "]\"\nrules:\n");
    for (int i = 0; i < 100; i++)
        r |= oc_buf_printf(
            &b, "  - {id: r%d, condition: '$l.exists(x,$l.exists(y,x+y>%d))', action: allow}\n", i, i + 9);
    r |= oc_buf_str(&b, "tests:\n");
    for (int i = 0; i < 1800; i++)
        r |= oc_buf_str(&b, "  - {name: t, expect: block}\n");
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(check_built(&b, &err), OUTCALL_E_TIMEOUT);
    outcall_error_clear(&err);
    oc_buf_clear(&b);
    r = oc_buf_str(&b, "version: \"1\"\ndefinitions:\n  a: \"true");
    for (int i = 0; i < 2000; i++)
        r |= oc_buf_str(&b, "&&true");
    r |= oc_buf_str(&b, "\"\nrules:\n");
    for (int i = 0; i < 500; i++)
        r |= oc_buf_printf(&b, "  - {id: r%d, condition: $a, action: allow}\n", i);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(check_built(&b, &err), OUTCALL_E_LIMIT);
    ck_assert(strstr(err.text, "larger than 1024 KiB") != NULL);
}
END_TEST

START_TEST(bounds_of_a_load)
{
    outcall_policy *set = NULL;
    outcall_policy_options o = OUTCALL_POLICY_OPTIONS_INIT;
    o.text = "version: \"1\"\nrules: []\n";
    o.text_len = strlen(o.text);
    o.tests_timeout_ms = 600001;
    ck_assert_int_eq(outcall_policy_load(&set, &o, NULL), OUTCALL_E_INVALID);
    o.tests_timeout_ms = 600000;
    o.expanded_max_bytes = ((size_t)64 << 20) + 1;
    ck_assert_int_eq(outcall_policy_load(&set, &o, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(set);
    o.expanded_max_bytes = (size_t)64 << 20;
    ck_assert_int_eq(outcall_policy_load(&set, &o, NULL), 0);
    (void)outcall_policy_unref(set);
}
END_TEST

static char *everything;

static int check_everything(void *userdata)
{
    char *active = NULL;
    (void)userdata;
    int r = oc_request_check(AGENT, everything, strlen(everything), NULL, &active, NULL);
    free(active);
    return r;
}

START_TEST(out_of_memory)
{
    everything = read_data("everything", ".yaml", NULL);
    ck_assert_int_gt(failmalloc_loop(check_everything, NULL), 200);
    free(everything);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {files,
                                what_it_allows,
                                no_summary_of_what_is_no_rule_file,
                                the_form_on_disk,
                                every_cut_is_noticed,
                                what_costs_too_much,
                                bounds_of_a_load,
                                out_of_memory};
    const struct unit_loop loops[] = {{damage_is_noticed, OC_ARRAY_SIZE(damage)}};
    return unit_run("requests_text", all, OC_ARRAY_SIZE(all), loops, OC_ARRAY_SIZE(loops));
}
