/* lib/policy: the store of rule requests. */
#include "support/failmalloc.h"
#include "support/requests_fixture.h"

static struct requests_fixture f;

static void begin(void)
{
    fixture_begin(&f);
}

static void end(void)
{
    fixture_end(&f);
}

START_TEST(a_request_from_submit_to_approval)
{
    char id[OC_REQUEST_ID_SIZE];
    size_t n = 0;
    outcall_request *r = NULL;
    outcall_request **all = NULL;
    begin();
    ck_assert_int_eq(mkdir(f.rules, 0755), 0);
    ck_assert_int_eq(outcall_requests_submit(f.store, "builder", SIMPLE, strlen(SIMPLE), &r, NULL), 0);
    (void)snprintf(id, sizeof(id), "%s", outcall_request_id(r));
    ck_assert(oc_request_id_valid(id, strlen(id)));
    ck_assert_str_eq(outcall_request_agent(r), "builder");
    ck_assert_uint_eq(strlen(outcall_request_created_at(r)), 20);
    ck_assert_int_eq(outcall_request_status(r), OUTCALL_REQUEST_PENDING);
    ck_assert_ptr_null(outcall_request_reason(r));
    ck_assert_str_eq(outcall_request_text(r), SIMPLE);
    ck_assert_str_eq(outcall_request_rule(r, 0), "one");
    ck_assert_ptr_null(outcall_request_rule(r, 1));
    ck_assert_str_eq(outcall_request_allows(r, 0), "rule \"one\" allows: run.tool == \"make\"");
    ck_assert_ptr_null(outcall_request_allows(r, 1));
    ck_assert_str_eq(
        outcall_request_active_text(r),
        "version: \"1\"\nrules:\n  - id: one\n    condition: 'run.tool == \"make\"'\n    action: allow\n"
        "    priority: 101\n    agents:\n      - \"builder\"\n");
    (void)outcall_request_free(r);
    ck_assert(!fixture_has_rules(&f, id));
    fixture_reopen(&f);
    ck_assert_int_eq(outcall_requests_list(f.store, OUTCALL_REQUEST_PENDING, &all, NULL), 1);
    ck_assert_str_eq(outcall_request_id(all[0]), id);
    ck_assert_str_eq(outcall_request_text(all[0]), SIMPLE);
    outcall_request_free_many(all, 1);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, &n, NULL), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(f.reloads, 1);
    ck_assert(fixture_has_rules(&f, id));
    ck_assert(fixture_allows(&f, "builder", "make"));
    ck_assert(!fixture_allows(&f, "other", "make"));
    ck_assert(!fixture_allows(&f, "builder", "rm"));
    ck_assert_int_eq(outcall_requests_approve(f.store, id, &n, NULL), 0); /* twice is once */
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(f.reloads, 1);
    fixture_reopen(&f);
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_APPROVED);
    ck_assert(fixture_has_rules(&f, id));
    ck_assert_int_eq(outcall_requests_list(f.store, OUTCALL_REQUEST_PENDING, &all, NULL), 0);
    outcall_request_free_many(all, 0);
    ck_assert_int_eq(outcall_requests_reject(f.store, id, NULL, NULL), OUTCALL_E_BUSY);
    ck_assert_uint_eq(f.warnings, 0);
    end();
}
END_TEST

START_TEST(a_rejected_request)
{
    char id[OC_REQUEST_ID_SIZE], long_reason[1030];
    outcall_request *r = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, id);
    memset(long_reason, 'x', sizeof(long_reason));
    long_reason[1025] = '\0';
    ck_assert_int_eq(outcall_requests_reject(f.store, id, long_reason, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_reject(f.store, id, "two\nlines", NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_reject(f.store, id, "\xff", NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_PENDING);
    long_reason[1024] = '\0';
    ck_assert_int_eq(outcall_requests_reject(f.store, id, long_reason, NULL), 0);
    ck_assert_int_eq(outcall_requests_reject(f.store, id, "other", NULL), 0); /* the first stays */
    fixture_reopen(&f);
    ck_assert_int_eq(outcall_requests_get(f.store, id, "a", &r, NULL), 0);
    ck_assert_int_eq(outcall_request_status(r), OUTCALL_REQUEST_REJECTED);
    ck_assert_str_eq(outcall_request_reason(r), long_reason);
    (void)outcall_request_free(r);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, &err), OUTCALL_E_BUSY);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_CONFLICT);
    ck_assert(strstr(err.text, "was rejected already") != NULL);
    ck_assert(!fixture_has_rules(&f, id));
    ck_assert_uint_eq(f.reloads, 0);
    (void)fixture_submit(&f, "a", SIMPLE, id);
    ck_assert_int_eq(outcall_requests_reject(f.store, id, NULL, NULL), 0);
    ck_assert_int_eq(outcall_requests_get(f.store, id, NULL, &r, NULL), 0);
    ck_assert_ptr_null(outcall_request_reason(r));
    (void)outcall_request_free(r);
    end();
}
END_TEST

START_TEST(nobody_sees_what_is_not_his)
{
    static const char *const bad[] = {"",
                                      "rr-",
                                      "rr-00000000000",
                                      "rr-0000000000000",
                                      "rr-00000000000G",
                                      "rr-../../../etc",
                                      "../rr-000000000000",
                                      "RR-000000000000"};
    char id[OC_REQUEST_ID_SIZE];
    outcall_request *r = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, id);
    ck_assert_int_eq(outcall_requests_get(f.store, id, "b", &r, &err), OUTCALL_E_NOT_FOUND);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_REQUEST_NOT_FOUND);
    ck_assert_int_eq(outcall_requests_get(f.store, "rr-000000000000", NULL, &r, NULL), OUTCALL_E_NOT_FOUND);
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++) {
        ck_assert(!oc_request_id_valid(bad[i], strlen(bad[i])));
        ck_assert_int_eq(outcall_requests_get(f.store, bad[i], NULL, &r, NULL), OUTCALL_E_NOT_FOUND);
        ck_assert_int_eq(outcall_requests_approve(f.store, bad[i], NULL, NULL), OUTCALL_E_NOT_FOUND);
        ck_assert_int_eq(outcall_requests_reject(f.store, bad[i], NULL, NULL), OUTCALL_E_NOT_FOUND);
    }
    ck_assert_ptr_null(r);
    ck_assert_uint_eq(fixture_count(f.dir), 1);
    end();
}
END_TEST

START_TEST(a_name_is_no_path)
{
    static const char *const bad[] = {"", "../x", "a/b", "a b", "-x", ".x", "a\n", "\xc3\xa9"};
    char name[OC_REQUEST_AGENT_MAX + 2], id[OC_REQUEST_ID_SIZE];
    outcall_request *r = NULL;
    begin();
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(outcall_requests_submit(f.store, bad[i], SIMPLE, strlen(SIMPLE), &r, NULL),
                         OUTCALL_E_INVALID);
    memset(name, 'a', sizeof(name));
    name[OC_REQUEST_AGENT_MAX + 1] = '\0';
    ck_assert_int_eq(outcall_requests_submit(f.store, name, SIMPLE, strlen(SIMPLE), &r, NULL),
                     OUTCALL_E_INVALID);
    name[OC_REQUEST_AGENT_MAX] = '\0';
    (void)fixture_submit(&f, name, SIMPLE, id);
    (void)fixture_submit(&f, "null", RULE("two", "true"), id); /* text, whatever YAML would make of it */
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), 0);
    ck_assert(fixture_allows(&f, "null", "x"));
    ck_assert(!fixture_allows(&f, "", "x"));
    end();
}
END_TEST

START_TEST(a_failed_reload_changes_nothing)
{
    char id[OC_REQUEST_ID_SIZE], other[OC_REQUEST_ID_SIZE], path[256];
    outcall_error err = OUTCALL_ERROR_INIT;
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, id);
    (void)fixture_submit(&f, "b", SIMPLE, other); /* both may ask for the same id; only one can have it */
    f.refuse = OUTCALL_E_TIMEOUT;
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, &err), OUTCALL_E_TIMEOUT);
    ck_assert_str_eq(err.text, "refused");
    ck_assert_uint_eq(f.reloads, 2); /* once with it, once without */
    ck_assert(!fixture_has_rules(&f, id));
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_PENDING);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), 0);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_requests_approve(f.store, other, NULL, &err), OUTCALL_E_EXISTS);
    ck_assert(strstr(err.source, other) != NULL || strstr(err.source, id) != NULL);
    ck_assert(!fixture_has_rules(&f, other));
    ck_assert_int_eq(fixture_status(&f, other), OUTCALL_REQUEST_PENDING);
    ck_assert(fixture_allows(&f, "a", "make"));
    ck_assert(!fixture_allows(&f, "b", "make"));
    /* a rules directory that is broken without the request too: both failures are told */
    (void)snprintf(path, sizeof(path), "%s/broken.yaml", f.rules);
    fixture_write(path, "version: \"1\"\nrules: 1\n");
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_requests_approve(f.store, other, NULL, &err), OUTCALL_E_EXISTS);
    ck_assert(strstr(err.text, "taking its rules back failed") != NULL);
    ck_assert(!fixture_has_rules(&f, other));
    ck_assert_uint_ge(f.warnings, 1);
    end();
}
END_TEST

START_TEST(an_id_that_is_in_force)
{
    outcall_request *r = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    char id[OC_REQUEST_ID_SIZE];
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, id);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), 0);
    ck_assert_int_eq(outcall_requests_submit(f.store, "b", SIMPLE, strlen(SIMPLE), &r, &err),
                     OUTCALL_E_EXISTS);
    ck_assert_str_eq(err.text, "rule \"one\": a rule of this id is in force already");
    ck_assert_str_eq(err.source, "request.yaml");
    ck_assert_int_eq(err.line, 3);
    ck_assert_int_eq(err.column, 9);
    end();
}
END_TEST

START_TEST(bounds)
{
    char id[OC_REQUEST_ID_SIZE], first[OC_REQUEST_ID_SIZE], second[OC_REQUEST_ID_SIZE];
    outcall_request *r = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    begin();
    f.opts.pending_max = 2;
    f.opts.total_max = 3;
    f.opts.file_max_bytes = strlen(SIMPLE);
    fixture_reopen(&f);
    ck_assert_int_eq(outcall_requests_submit(f.store, "a", SIMPLE " ", strlen(SIMPLE) + 1, &r, &err),
                     OUTCALL_E_LIMIT);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_TOO_LARGE);
    (void)fixture_submit(&f, "a", SIMPLE, first);
    (void)fixture_submit(&f, "a", SIMPLE, second);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_requests_submit(f.store, "a", SIMPLE, strlen(SIMPLE), &r, &err),
                     OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "2 requests of this agent are pending already");
    (void)fixture_submit(&f, "b", SIMPLE, id);
    outcall_error_clear(&err);
    ck_assert_int_eq(outcall_requests_submit(f.store, "c", SIMPLE, strlen(SIMPLE), &r, &err),
                     OUTCALL_E_LIMIT);
    ck_assert_str_eq(err.text, "3 requests are pending already, which is all that are kept");
    /* answered ones make room, the oldest first, and their answers hold */
    ck_assert_int_eq(outcall_requests_reject(f.store, second, "no", NULL), 0);
    ck_assert_int_eq(outcall_requests_approve(f.store, first, NULL, NULL), 0);
    (void)fixture_submit(&f, "c", RULE("x", "true"), id);
    ck_assert_int_eq(fixture_status(&f, first), -1);
    ck_assert(fixture_has_rules(&f, first));
    ck_assert_int_eq(fixture_status(&f, second), OUTCALL_REQUEST_REJECTED);
    (void)fixture_submit(&f, "c", RULE("x", "true"), id);
    ck_assert_int_eq(fixture_status(&f, second), -1);
    ck_assert_uint_eq(fixture_count(f.dir), 3);
    fixture_reopen(&f);
    ck_assert_uint_eq(fixture_count(f.dir), 3);
    ck_assert(fixture_has_rules(&f, first)); /* nobody knows it any more: it is the operator's now */
    ck_assert_int_eq(outcall_requests_submit(f.store, "d", SIMPLE, strlen(SIMPLE), &r, NULL),
                     OUTCALL_E_LIMIT);
    ck_assert_ptr_null(r);
    end();
}
END_TEST

START_TEST(oldest_first)
{
    char id[5][OC_REQUEST_ID_SIZE];
    outcall_request **all = NULL;
    begin();
    for (size_t i = 0; i < 5; i++) {
        (void)fixture_submit(&f, "a", SIMPLE, id[i]);
        fixture_reopen(&f); /* the order outlives the store, within one second too */
    }
    ck_assert_int_eq(outcall_requests_reject(f.store, id[2], NULL, NULL), 0);
    ck_assert_int_eq(outcall_requests_list(f.store, -1, &all, NULL), 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(outcall_request_id(all[i]), id[i]);
    outcall_request_free_many(all, 5);
    ck_assert_int_eq(outcall_requests_list(f.store, OUTCALL_REQUEST_REJECTED, &all, NULL), 1);
    ck_assert_str_eq(outcall_request_id(all[0]), id[2]);
    outcall_request_free_many(all, 1);
    ck_assert_int_eq(outcall_requests_list(f.store, OUTCALL_REQUEST_APPROVED, &all, NULL), 0);
    outcall_request_free_many(all, 0);
    ck_assert_int_eq(outcall_requests_list(f.store, 3, &all, NULL), OUTCALL_E_INVALID);
    end();
}
END_TEST

static void expect_aside(const char *id, const char *why)
{
    char path[256];
    struct stat st;
    unsigned before = f.warnings;
    fixture_reopen(&f);
    ck_assert_uint_eq(f.warnings, before + 1);
    ck_assert_msg(strstr(f.last, why) && strstr(f.last, id), "%s", f.last);
    fixture_path(f.dir, "", id, ".request.damaged", path);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_int_eq(fixture_status(&f, id), -1);
    fixture_reopen(&f);
    ck_assert_uint_eq(f.warnings, before + 1); /* once */
}

START_TEST(a_damaged_entry_is_set_aside)
{
    char id[OC_REQUEST_ID_SIZE], good[OC_REQUEST_ID_SIZE], path[256], other[256];
    outcall_request **all = NULL;
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, good);
    (void)fixture_submit(&f, "a", SIMPLE, id);
    fixture_path(f.dir, "", id, ".request", path);
    ck_assert_int_eq(truncate(path, 200), 0);
    expect_aside(id, "longer or shorter");
    (void)fixture_submit(&f, "a", SIMPLE, id);
    fixture_path(f.dir, "", id, ".request", path);
    fixture_write(path, "");
    expect_aside(id, "no line of JSON");
    (void)fixture_submit(&f, "a", SIMPLE, id); /* another one's entry under its name */
    fixture_path(f.dir, "", good, ".request", other);
    fixture_path(f.dir, "", id, ".request", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(link(other, path), 0);
    expect_aside(id, "the entry of request");
    /* while the store is open */
    (void)fixture_submit(&f, "a", SIMPLE, id);
    fixture_path(f.dir, "", id, ".request", path);
    fixture_write(path, "{}\n");
    ck_assert_int_eq(outcall_requests_list(f.store, -1, &all, NULL), 1);
    ck_assert_str_eq(outcall_request_id(all[0]), good);
    outcall_request_free_many(all, 1);
    (void)fixture_submit(&f, "a", SIMPLE, id);
    fixture_path(f.dir, "", id, ".request", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), OUTCALL_E_NOT_FOUND);
    ck_assert(!fixture_has_rules(&f, id));
    ck_assert_int_eq(fixture_status(&f, good), OUTCALL_REQUEST_PENDING);
    end();
}
END_TEST

START_TEST(only_regular_files_are_read)
{
    char path[256], target[256];
    static const char id[] = "rr-0123456789ab";
    begin();
    fixture_path(f.dir, "", id, ".request", path);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* an open for reading would wait for a writer, or find none */
    expect_aside(id, "no regular file");
    fixture_path(f.root, "", "target", "", target);
    fixture_write(target, "secret\n");
    ck_assert_int_eq(symlink(target, path), 0);
    expect_aside(id, "no regular file");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(target, sizeof(target), "%s.damaged", path);
    ck_assert_int_eq(unlink(target), 0);
    expect_aside(id, "no regular file");
    end();
}
END_TEST

START_TEST(what_is_not_ours_stays)
{
    static const char *const names[] = {"README",
                                        ".rr-0123456789ab.request.0123",
                                        ".rr-0123456789ab.request.0123456789abcdeg",
                                        ".other.0123456789abcdef",
                                        "rr-0123456789ab",
                                        "rr-0123456789ab.request.bak",
                                        "rr-0123456789ab.request.damaged",
                                        "rr-0123456789AB.request"};
    static const char *const rules[] = {"agent-rr-0123456789ab.yaml", "agent-rr-0123456789ab.yml",
                                        ".agent-rr-0123456789ab.yaml.swp", "10-own.yaml"};
    char path[256];
    begin();
    ck_assert_int_eq(mkdir(f.rules, 0755), 0);
    for (size_t i = 0; i < OC_ARRAY_SIZE(names); i++) {
        fixture_path(f.dir, "", names[i], "", path);
        fixture_write(path, "x");
    }
    for (size_t i = 0; i < OC_ARRAY_SIZE(rules); i++) {
        fixture_path(f.rules, "", rules[i], "", path);
        fixture_write(path, "x");
    }
    fixture_path(f.dir, "", ".rr-0123456789ab.request.0123456789abcdef", "", path);
    fixture_write(path, "left over");
    fixture_path(f.rules, "", ".agent-rr-0123456789ab.yaml.0123456789abcdef", "", path);
    fixture_write(path, "left over");
    fixture_reopen(&f);
    ck_assert_uint_eq(fixture_count(f.dir), OC_ARRAY_SIZE(names));
    ck_assert_uint_eq(fixture_count(f.rules), OC_ARRAY_SIZE(rules));
    end();
}
END_TEST

START_TEST(unsafe_directories_are_refused)
{
    outcall_requests *s = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    char id[OC_REQUEST_ID_SIZE], path[256];
    struct stat st;
    begin();
    ck_assert_int_eq(stat(f.dir, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(chmod(f.dir, 0777), 0);
    ck_assert_int_eq(outcall_requests_new(&s, &f.opts, &err), OUTCALL_E_INVALID);
    ck_assert(strstr(err.text, "can be written by other users") != NULL);
    ck_assert_int_eq(chmod(f.dir, 0700), 0);
    (void)fixture_submit(&f, "a", SIMPLE, id);
    ck_assert_int_eq(mkdir(f.rules, 0755), 0);
    ck_assert_int_eq(chmod(f.rules, 0777), 0);
    ck_assert_int_eq(outcall_requests_new(&s, &f.opts, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_uint_eq(f.reloads, 0);
    ck_assert_int_eq(rmdir(f.rules), 0);
    (void)snprintf(path, sizeof(path), "%s/elsewhere", f.root);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(symlink(path, f.rules), 0);
    ck_assert_int_eq(outcall_requests_approve(f.store, id, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_uint_eq(fixture_count(path), 0);
    ck_assert_ptr_null(s);
    end();
}
END_TEST

START_TEST(arguments)
{
    outcall_requests *s = NULL;
    outcall_request *r = NULL;
    outcall_request **all = NULL;
    outcall_requests_options o;
    begin();
    ck_assert_int_eq(outcall_requests_new(NULL, &f.opts, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_new(&s, NULL, NULL), OUTCALL_E_INVALID);
    for (int i = 0; i < 10; i++) {
        o = f.opts;
        o.version = i == 0 ? 0 : i == 1 ? 2 : 1;
        o.dir = i == 2 ? NULL : i == 3 ? "relative" : f.dir;
        o.rules_dir = i == 4 ? NULL : i == 5 ? "/a/../b" : f.rules;
        o.reload = i == 6 ? NULL : fixture_reload;
        o.pending_max = i == 7 ? 1025 : 0;
        o.total_max = i == 8 ? 65537 : 0;
        o.file_max_bytes = i == 9 ? ((size_t)4 << 20) + 1 : 0;
        ck_assert_int_eq(outcall_requests_new(&s, &o, NULL), OUTCALL_E_INVALID);
    }
    ck_assert_int_eq(outcall_requests_submit(NULL, "a", SIMPLE, 1, &r, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_submit(f.store, NULL, SIMPLE, 1, &r, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_submit(f.store, "a", NULL, 1, &r, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_submit(f.store, "a", SIMPLE, 1, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_get(f.store, NULL, NULL, &r, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_list(f.store, -2, &all, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_list(f.store, -1, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_approve(f.store, NULL, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_requests_reject(NULL, "rr-000000000000", NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_ptr_null(outcall_requests_free(NULL));
    ck_assert_ptr_null(outcall_request_free(NULL));
    outcall_request_free_many(NULL, 0);
    ck_assert_str_eq(outcall_request_status_name(0), "pending");
    ck_assert_str_eq(outcall_request_status_name(1), "approved");
    ck_assert_str_eq(outcall_request_status_name(2), "rejected");
    ck_assert_str_eq(outcall_request_status_name(3), "unknown");
    ck_assert_str_eq(outcall_request_status_name(-1), "unknown");
    end();
}
END_TEST

#define THREADS 4
#define EACH    6

static void *ask_and_look(void *userdata)
{
    const char *agent = userdata;
    size_t bad = 0;
    for (int i = 0; i < EACH; i++) {
        outcall_request *r = NULL;
        outcall_request *again = NULL;
        outcall_request **all = NULL;
        char yaml[128], id[OC_REQUEST_ID_SIZE] = "";
        (void)snprintf(yaml, sizeof(yaml), RULE("%s-%d", "run.tool == \"%s\""), agent, i, agent);
        bad += outcall_requests_submit(f.store, agent, yaml, strlen(yaml), &r, NULL) != 0;
        if (r)
            (void)snprintf(id, sizeof(id), "%s", outcall_request_id(r));
        bad += outcall_requests_get(f.store, id, agent, &again, NULL) != 0;
        int n = outcall_requests_list(f.store, -1, &all, NULL);
        bad += n < 1;
        outcall_request_free_many(all, n > 0 ? (size_t)n : 0);
        (void)outcall_request_free(again);
        (void)outcall_request_free(r);
        bad += i % 2 ? outcall_requests_approve(f.store, id, NULL, NULL) != 0
                     : outcall_requests_reject(f.store, id, "no", NULL) != 0;
    }
    return bad ? userdata : NULL;
}

START_TEST(many_threads)
{
    static const char *const agents[THREADS] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    outcall_request **all = NULL;
    begin();
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_and_look, (void *)agents[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *bad = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
        ck_assert_ptr_null(bad);
    }
    fixture_reopen(&f);
    ck_assert_int_eq(outcall_requests_list(f.store, OUTCALL_REQUEST_APPROVED, &all, NULL),
                     THREADS * EACH / 2);
    outcall_request_free_many(all, (size_t)THREADS * EACH / 2);
    ck_assert_uint_eq(fixture_count(f.rules), THREADS * EACH / 2);
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert(fixture_allows(&f, agents[i], agents[i]));
        ck_assert(!fixture_allows(&f, agents[i], agents[(i + 1) % THREADS]));
    }
    end();
}
END_TEST

static int open_submit_list(void *userdata)
{
    outcall_requests *s = NULL;
    outcall_request *r = NULL;
    outcall_request **all = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    (void)userdata;
    int e = outcall_requests_new(&s, &f.opts, &err);
    if (e == 0)
        e = outcall_requests_submit(s, "a", SIMPLE, strlen(SIMPLE), &r, &err);
    if (e == 0)
        e = outcall_requests_reject(s, outcall_request_id(r), "no", &err);
    if (r && e < 0) /* the one allocation has failed: now it works, and no round leaves more than the last */
        ck_assert_int_eq(outcall_requests_reject(s, outcall_request_id(r), "no", NULL), 0);
    int n = e == 0 ? outcall_requests_list(s, -1, &all, &err) : 0;
    e = OC_MIN(n, e);
    outcall_request_free_many(all, n > 0 ? (size_t)n : 0);
    (void)outcall_request_free(r);
    (void)outcall_requests_free(s);
    return e;
}

START_TEST(out_of_memory)
{
    char id[OC_REQUEST_ID_SIZE];
    begin();
    (void)fixture_submit(&f, "b", SIMPLE, id);
    f.store = outcall_requests_free(f.store);
    f.opts.total_max = 2; /* what one round leaves, the next one drops */
    ck_assert_int_gt(failmalloc_loop(open_submit_list, NULL), 100);
    ck_assert_uint_eq(f.warnings,
                      0); /* nothing that could not be read for want of memory counts as damaged */
    fixture_open(&f);
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_PENDING);
    end();
}
END_TEST

static int approve(void *userdata)
{
    return outcall_requests_approve(f.store, userdata, NULL, NULL);
}

START_TEST(out_of_memory_while_approving)
{
    char id[OC_REQUEST_ID_SIZE];
    begin();
    (void)fixture_submit(&f, "a", SIMPLE, id);
    for (long nth = 1;; nth++) {
        failmalloc_arm(nth);
        int r = approve(id);
        bool reached = failmalloc_fired();
        failmalloc_arm(0);
        ck_assert(r == 0 || r == OUTCALL_E_NO_MEMORY);
        ck_assert_int_eq(fixture_has_rules(&f, id), r == 0);
        ck_assert_int_eq(fixture_status(&f, id), r == 0 ? OUTCALL_REQUEST_APPROVED : OUTCALL_REQUEST_PENDING);
        ck_assert_int_eq(fixture_allows(&f, "a", "make"), r == 0);
        if (r == 0)
            break;
        ck_assert(reached);
    }
    end();
}
END_TEST

UNIT_MAIN("requests", a_request_from_submit_to_approval, a_rejected_request, nobody_sees_what_is_not_his,
          a_name_is_no_path, a_failed_reload_changes_nothing, an_id_that_is_in_force, bounds, oldest_first,
          a_damaged_entry_is_set_aside, only_regular_files_are_read, what_is_not_ours_stays,
          unsafe_directories_are_refused, arguments, many_threads, out_of_memory,
          out_of_memory_while_approving)
