/* lib/policy: the store of rule requests is killed, or fails, at each step of what it does, and ends in the
 * same place once it is asked again. */
#include "base/fault.h"
#include "support/requests_fixture.h"
#include <signal.h>
#include <sys/wait.h>

#ifdef OUTCALL_FAULTS

enum operation { OPEN, SUBMIT, SUBMIT_FULL, APPROVE, APPROVE_REFUSED, REJECT };

static const struct {
    enum operation op;
    const char *place;
    bool in_reload; /* the place counts from the reload on: the second file that is written */
} kills[] = {
    {OPEN, OC_FAULT_OPEN, false},
    {SUBMIT, OC_FAULT_SUBMIT, false},
    {SUBMIT, "file.written", false},
    {SUBMIT, "file.renamed", false},
    {SUBMIT, OC_FAULT_STORED, false},
    {SUBMIT_FULL, OC_FAULT_STORED, false},
    {SUBMIT_FULL, OC_FAULT_DROPPED, false},
    {APPROVE, OC_FAULT_APPROVE, false},
    {APPROVE, "file.written", false},
    {APPROVE, "file.renamed", false},
    {APPROVE, OC_FAULT_PLACED, false},
    {APPROVE, OC_FAULT_LOADED, false},
    {APPROVE, "file.written", true},
    {APPROVE, "file.renamed", true},
    {APPROVE, OC_FAULT_ANSWERED, false},
    {APPROVE_REFUSED, OC_FAULT_REMOVED, false},
    {APPROVE_REFUSED, OC_FAULT_RESTORED, false},
    {REJECT, OC_FAULT_REJECT, false},
    {REJECT, "file.written", false},
    {REJECT, "file.renamed", false},
    {REJECT, OC_FAULT_ANSWERED, false},
};

static struct requests_fixture f;
static char id[OC_REQUEST_ID_SIZE];

static int run(enum operation op)
{
    outcall_request *r = NULL;
    outcall_requests *s = NULL;
    int e = 0;
    switch (op) {
    case OPEN:
        e = outcall_requests_new(&s, &f.opts, NULL);
        (void)outcall_requests_free(s);
        return e;
    case SUBMIT:
    case SUBMIT_FULL:
        e = outcall_requests_submit(f.store, "a", RULE("two", "true"), strlen(RULE("two", "true")), &r, NULL);
        (void)outcall_request_free(r);
        return e;
    case APPROVE_REFUSED:
        f.refuse = OUTCALL_E_DENIED;
        return outcall_requests_approve(f.store, id, NULL, NULL);
    case APPROVE:
        return outcall_requests_approve(f.store, id, NULL, NULL);
    case REJECT:
        return outcall_requests_reject(f.store, id, "no", NULL);
    }
    return OUTCALL_E_INTERNAL;
}

static void leave_something(void)
{
    char path[256];
    fixture_path(f.dir, ".", id, ".request.0123456789abcdef", path);
    fixture_write(path, "half");
    fixture_path(f.rules, ".agent-", id, ".yaml.0123456789abcdef", path);
    fixture_write(path, "half");
    fixture_path(f.rules, "agent-", id, ".yaml", path);
    fixture_write(path, SIMPLE);
}

static void begin(enum operation op)
{
    char other[OC_REQUEST_ID_SIZE];
    fixture_begin(&f);
    ck_assert_int_eq(mkdir(f.rules, 0755), 0);
    (void)fixture_submit(&f, "a", SIMPLE, id);
    if (op == OPEN)
        leave_something();
    if (op != SUBMIT_FULL)
        return;
    (void)fixture_submit(&f, "b", SIMPLE, other);
    ck_assert_int_eq(outcall_requests_reject(f.store, other, NULL, NULL), 0);
    f.opts.total_max = 2;
    fixture_reopen(&f);
}

/* In a process of its own, which must die of it: so the place is one that the operation comes by. */
static void run_and_die(size_t i)
{
    char spec[64];
    int status = 0;
    (void)snprintf(spec, sizeof(spec), "%s:kill", kills[i].place);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (kills[i].in_reload)
            f.in_reload = spec;
        else
            (void)setenv("OUTCALL_FAULT", spec, 1);
        (void)run(kills[i].op);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s was not reached", kills[i].place);
}

/* Nothing half done lies about, and nothing is in force that nobody approved. */
static void expect_order(void)
{
    outcall_request **all = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t loaded = 0, approved = 0;
    int n = outcall_requests_list(f.store, -1, &all, NULL);
    ck_assert_int_ge(n, 0);
    ck_assert_uint_eq(fixture_count(f.dir), (size_t)n);
    for (int i = 0; i < n; i++) {
        bool is = outcall_request_status(all[i]) == OUTCALL_REQUEST_APPROVED;
        ck_assert_int_eq(fixture_has_rules(&f, outcall_request_id(all[i])), is);
        approved += is;
    }
    outcall_request_free_many(all, (size_t)n);
    ck_assert_uint_eq(fixture_count(f.rules), approved);
    int r = fixture_reload(&f, &loaded, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    ck_assert_uint_eq(loaded, approved);
    ck_assert_int_eq(fixture_allows(&f, "a", "make"), approved > 0);
}

/* What one call comes to, whatever happened before. */
static void expect_end(enum operation op)
{
    int e = run(op);
    ck_assert_int_eq(e, op == APPROVE_REFUSED ? OUTCALL_E_DENIED : 0);
    expect_order();
    ck_assert_int_eq(fixture_status(&f, id), op == APPROVE  ? OUTCALL_REQUEST_APPROVED
                                             : op == REJECT ? OUTCALL_REQUEST_REJECTED
                                                            : OUTCALL_REQUEST_PENDING);
}

START_TEST(killed)
{
    enum operation op = kills[_i].op;
    begin(op);
    run_and_die((size_t)_i);
    if (op == SUBMIT_FULL)
        f.opts.total_max = 3; /* the second try may find the first one's request */
    fixture_reopen(&f);
    expect_order();
    expect_end(op);
    fixture_reopen(&f);
    expect_end(op == SUBMIT_FULL ? OPEN : op);
    fixture_end(&f);
}
END_TEST

static const struct {
    enum operation op;
    const char *place;
    bool in_reload;
} failures[] = {
    {SUBMIT, OC_FAULT_SUBMIT, false},   {SUBMIT, "file.written", false},   {SUBMIT, "file.renamed", false},
    {APPROVE, OC_FAULT_APPROVE, false}, {APPROVE, "file.written", false},  {APPROVE, "file.renamed", false},
    {APPROVE, OC_FAULT_PLACED, false},  {APPROVE, OC_FAULT_LOADED, false}, {APPROVE, "file.written", true},
    {APPROVE, "file.renamed", true},    {REJECT, OC_FAULT_REJECT, false},  {REJECT, "file.written", false},
    {REJECT, "file.renamed", false},
};

START_TEST(failed)
{
    char spec[64];
    begin(failures[_i].op);
    (void)snprintf(spec, sizeof(spec), "%s:fail", failures[_i].place);
    if (failures[_i].in_reload)
        f.in_reload = spec;
    else
        ck_assert_int_eq(setenv("OUTCALL_FAULT", spec, 1), 0);
    ck_assert_int_lt(run(failures[_i].op), 0);
    f.in_reload = NULL;
    ck_assert_int_eq(unsetenv("OUTCALL_FAULT"), 0);
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_PENDING);
    ck_assert(!fixture_allows(&f, "a", "make")); /* before anybody reloads again */
    ck_assert_uint_eq(fixture_count(f.dir), 1);
    expect_order();
    fixture_reopen(&f); /* the disk says the same */
    ck_assert_int_eq(fixture_status(&f, id), OUTCALL_REQUEST_PENDING);
    expect_order();
    expect_end(failures[_i].op);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    const struct unit_loop loops[] = {{killed, OC_ARRAY_SIZE(kills)}, {failed, OC_ARRAY_SIZE(failures)}};
    return unit_run("requests_crash", NULL, 0, loops, OC_ARRAY_SIZE(loops));
}
#else
int main(void)
{
    return 0; /* a build without fault points */
}
#endif
