/* The watch over the rule files: every way of changing them is noticed, a burst is one report, and what is no
 * rule file is none. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "daemon/rule_watch.h"
#include "support/failmalloc.h"
#include "unit.h"
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONG_MS       20000U                                 /* for what has to happen */
#define SHORT_MS      (UINT64_C(3) * OC_RULE_WATCH_QUIET_MS) /* for what must not */
#define QUEUE_MAX     "/proc/sys/fs/inotify/max_queued_events"
#define ENDLESS_TRIES 1000 /* of 20 ms */

struct world {
    char dir[64], rules[96], stage[96];
    oc_rule_watch *w;
    pthread_t thread;
    bool runs;
    int stop_fd;
    pthread_mutex_t lock;
    pthread_cond_t happened;
    int reports, result;
};

static void on_change(void *userdata)
{
    struct world *t = userdata;
    (void)pthread_mutex_lock(&t->lock);
    t->reports++;
    (void)pthread_cond_broadcast(&t->happened);
    (void)pthread_mutex_unlock(&t->lock);
}

static void *run(void *userdata)
{
    struct world *t = userdata;
    t->result = oc_rule_watch_run(t->w, t->stop_fd, on_change, t, NULL);
    return NULL;
}

static void watch(struct world *t, const char *rules)
{
    ck_assert_int_eq(oc_rule_watch_new(&t->w, rules, NULL, NULL), 0);
}

static void begin(struct world *t)
{
    pthread_condattr_t attr;
    memset(t, 0, sizeof(*t));
    (void)oc_format(t->dir, sizeof(t->dir), "/tmp/outcall-watch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t->dir));
    (void)oc_format(t->rules, sizeof(t->rules), "%s/rules", t->dir);
    (void)oc_format(t->stage, sizeof(t->stage), "%s/stage", t->dir);
    ck_assert_int_eq(mkdir(t->stage, 0755), 0);
    t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->happened, &attr);
}

/* Runs it beside the test, from here on. */
static void go(struct world *t)
{
    ck_assert_int_eq(pthread_create(&t->thread, NULL, run, t), 0);
    t->runs = true;
}

/* How many reports there are as soon as there are n, or after timeout_ms. */
static int reports(struct world *t, int n, uint64_t timeout_ms)
{
    struct timespec end;
    uint64_t at = oc_now_ns() + timeout_ms * 1000000U;
    int r = 0;
    end.tv_sec = (time_t)(at / 1000000000U);
    end.tv_nsec = (long)(at % 1000000000U);
    (void)pthread_mutex_lock(&t->lock);
    while (t->reports < n && r == 0)
        r = pthread_cond_timedwait(&t->happened, &t->lock, &end);
    int now = t->reports;
    (void)pthread_mutex_unlock(&t->lock);
    return now;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct world *t)
{
    ck_assert_int_eq(eventfd_write(t->stop_fd, 1), 0);
    if (t->runs)
        ck_assert_int_eq(pthread_join(t->thread, NULL), 0);
    ck_assert_int_eq(t->result, 0);
    (void)oc_rule_watch_free(t->w);
    oc_close(t->stop_fd);
    (void)pthread_cond_destroy(&t->happened);
    (void)pthread_mutex_destroy(&t->lock);
    ck_assert_int_eq(nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static char *path(char buf[128], const char *dir, const char *name)
{
    ck_assert_int_eq(oc_format(buf, 128, "%s/%s", dir, name), 0);
    return buf;
}

static void write_file(const char *dir, const char *name)
{
    char buf[128];
    OC_CLOSE int fd = open(path(buf, dir, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(oc_write_all(fd, "x", 1), 0);
}

static void move(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
    char a[128], b[128];
    ck_assert_int_eq(rename(path(a, from_dir, from), path(b, to_dir, to)), 0);
}

/* The ways of changing a rule file. Each begins with a.yaml in the rules and b.yaml beside them. */
static void in_place(struct world *t)
{
    write_file(t->rules, "a.yaml");
}

static void by_rename(struct world *t)
{
    write_file(t->rules, ".a.yaml.swp");
    move(t->rules, ".a.yaml.swp", t->rules, "a.yaml");
}

static void from_elsewhere(struct world *t)
{
    move(t->stage, "b.yaml", t->rules, "b.yml");
}

static void away(struct world *t)
{
    move(t->rules, "a.yaml", t->stage, "a.yaml");
}

static void out_of_the_set(struct world *t)
{
    move(t->rules, "a.yaml", t->rules, "a.yaml.off");
}

static void deleted(struct world *t)
{
    char a[128];
    ck_assert_int_eq(unlink(path(a, t->rules, "a.yaml")), 0);
}

static void linked(struct world *t)
{
    char a[128], b[128];
    ck_assert_int_eq(link(path(a, t->stage, "b.yaml"), path(b, t->rules, "b.yaml")), 0);
}

static void directory_swapped(struct world *t)
{
    move(t->dir, "rules", t->dir, "old");
    move(t->dir, "stage", t->dir, "rules");
}

static void directory_gone(struct world *t)
{
    char a[128];
    ck_assert_int_eq(unlink(path(a, t->rules, "a.yaml")), 0);
    ck_assert_int_eq(rmdir(t->rules), 0);
}

static void (*const ways[])(struct world *t) = {in_place, by_rename,         from_elsewhere,
                                                away,     out_of_the_set,    deleted,
                                                linked,   directory_swapped, directory_gone};

START_TEST(every_way_is_noticed)
{
    struct world t;
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    write_file(t.rules, "a.yaml");
    write_file(t.stage, "b.yaml");
    watch(&t, t.rules);
    go(&t);
    ways[_i](&t);
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    end(&t);
}
END_TEST

START_TEST(a_burst_is_one_report)
{
    struct world t;
    char name[32];
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    watch(&t, t.rules);
    for (int i = 0; i < 100; i++) {
        (void)oc_format(name, sizeof(name), "%d.yaml", i % 10);
        write_file(t.rules, name);
    }
    go(&t); /* finds all of it at once, however slow this machine is */
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    write_file(t.rules, "after.yaml");
    ck_assert_int_eq(reports(&t, 2, LONG_MS), 2);
    ck_assert_int_eq(reports(&t, 3, SHORT_MS), 2);
    end(&t);
}
END_TEST

START_TEST(a_burst_that_does_not_end_is_reported)
{
    struct world t;
    int tries = 0;
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    watch(&t, t.rules);
    go(&t);
    uint64_t from = oc_now_ms();
    do
        write_file(t.rules, "a.yaml");
    while (reports(&t, 1, OC_RULE_WATCH_QUIET_MS / 5) == 0 && ++tries < ENDLESS_TRIES);
    ck_assert_int_lt(tries, ENDLESS_TRIES);
    ck_assert_uint_ge(oc_now_ms() - from, OC_RULE_WATCH_QUIET_MS);
    end(&t);
}
END_TEST

START_TEST(what_is_no_rule_file_is_no_report)
{
    struct world t;
    char other[128];
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    write_file(t.stage, "b.yaml");
    watch(&t, t.rules);
    write_file(t.rules, "notes.txt");
    write_file(t.rules, ".a.yaml.swp");
    write_file(t.rules, "4913");
    write_file(t.rules, "a.yaml~");
    write_file(t.rules, ".yaml");
    write_file(t.dir, "rules.yaml"); /* beside them */
    write_file(t.stage, "b.yaml");
    ck_assert_int_eq(mkdir(path(other, t.dir, "other"), 0755), 0);
    go(&t);
    ck_assert_int_eq(reports(&t, 1, SHORT_MS), 0);
    write_file(t.rules, "a.yaml");
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    end(&t);
}
END_TEST

/* Made and not written yet: the report comes with the close. */
START_TEST(a_file_under_way_is_waited_for)
{
    struct world t;
    char buf[128];
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    watch(&t, t.rules);
    go(&t);
    int fd = open(path(buf, t.rules, "a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(reports(&t, 1, SHORT_MS), 0);
    ck_assert_int_eq(oc_write_all(fd, "x", 1), 0);
    ck_assert_int_eq(reports(&t, 1, SHORT_MS), 0);
    oc_close(fd);
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    end(&t);
}
END_TEST

START_TEST(a_directory_that_comes_later)
{
    struct world t;
    char deep[128], parent[128];
    begin(&t);
    watch(&t, path(deep, path(parent, t.dir, "etc"), "rules.d"));
    go(&t);
    ck_assert_int_eq(mkdir(parent, 0755), 0);
    ck_assert_int_ge(reports(&t, 1, LONG_MS), 1);
    ck_assert_int_eq(mkdir(deep, 0755), 0);
    ck_assert_int_ge(reports(&t, 2, LONG_MS), 2);
    write_file(deep, "a.yaml");
    ck_assert_int_ge(reports(&t, 3, LONG_MS), 3);
    move(t.dir, "etc", t.dir, "gone"); /* and what lies above it */
    ck_assert_int_ge(reports(&t, 4, LONG_MS), 4);
    move(t.dir, "gone", t.dir, "etc");
    ck_assert_int_ge(reports(&t, 5, LONG_MS), 5);
    write_file(deep, "a.yaml");
    ck_assert_int_ge(reports(&t, 6, LONG_MS), 6);
    end(&t);
}
END_TEST

START_TEST(the_new_directory_is_watched)
{
    struct world t;
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    watch(&t, t.rules);
    go(&t);
    directory_swapped(&t);
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    write_file(t.rules, "a.yaml");
    ck_assert_int_eq(reports(&t, 2, LONG_MS), 2);
    (void)oc_format(t.stage, sizeof(t.stage), "%s/old", t.dir);
    write_file(t.stage, "a.yaml"); /* not the old one */
    ck_assert_int_eq(reports(&t, 3, SHORT_MS), 2);
    end(&t);
}
END_TEST

START_TEST(lost_events_are_a_change)
{
    struct world t;
    OC_FREE char *text = NULL;
    size_t len = 0;
    begin(&t);
    ck_assert_int_eq(mkdir(t.rules, 0755), 0);
    watch(&t, t.rules);
    ck_assert_int_eq(oc_read_file(AT_FDCWD, QUEUE_MAX, 64, &text, &len), 0);
    ck_assert_int_lt((int)len, 7); /* else this would take too long */
    char *digits = text;
    int max = 0;
    while (*digits >= '0' && *digits <= '9')
        max = max * 10 + *digits++ - '0';
    write_file(t.rules, "a.txt");
    for (int i = 0; i < max; i++)
        move(t.rules, i % 2 ? "b.txt" : "a.txt", t.rules, i % 2 ? "a.txt" : "b.txt");
    go(&t);
    ck_assert_int_eq(reports(&t, 1, LONG_MS), 1);
    write_file(t.rules, "a.yaml"); /* and it goes on */
    ck_assert_int_eq(reports(&t, 2, LONG_MS), 2);
    end(&t);
}
END_TEST

static int everything(void *userdata)
{
    oc_rule_watch *w = NULL;
    int r = oc_rule_watch_new(&w, userdata, NULL, NULL);
    (void)oc_rule_watch_free(w);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    char dir[] = "/etc/outcall/rules.d";
    ck_assert_int_gt(failmalloc_loop(everything, dir), 4);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {a_burst_is_one_report,
                                a_burst_that_does_not_end_is_reported,
                                what_is_no_rule_file_is_no_report,
                                a_file_under_way_is_waited_for,
                                a_directory_that_comes_later,
                                the_new_directory_is_watched,
                                lost_events_are_a_change,
                                every_allocation_may_fail};
    const struct unit_loop loops[] = {{every_way_is_noticed, sizeof(ways) / sizeof(ways[0])}};
    return unit_run("rule_watch", all, sizeof(all) / sizeof(all[0]), loops, 1);
}
