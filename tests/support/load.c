/* load SOCKET TARGET RATE CONNECTIONS SECONDS - asks for TARGET at an even rate over kept connections, until
 * the time is over or SIGTERM comes, and prints one JSON line: how many answers, how many failures, and the
 * latencies in microseconds. Beside them "lag": how late a thread that only sleeps is woken meanwhile, which
 * is what the machine itself does to any answer. A request is counted from the moment it was due, so that a
 * server that stalls cannot hide what it did not get to answer. */
#include "base/clock.h"
#include "base/num.h"
#include "http/client.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MAX 256
#define ANSWER_MAX      ((size_t)1 << 20)
#define ANSWER_MS       30000
#define NS              1000000000ULL
#define LAG_NS          (NS / 200)

struct load {
    const char *socket, *target;
    uint64_t begin_ns, period_ns; /* of the whole: the n-th request is due at begin + n * period */
    uint64_t requests;
    uint64_t *took_us; /* one place for each request; 0 = not made */
    atomic_ullong next, failed;
    atomic_bool stop;
    uint64_t *lag_us; /* one place for each LAG_NS */
    uint64_t lags;
};

static void wait_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / NS), .tv_nsec = (long)(at_ns % NS)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

static bool ask(struct load *l, oc_http **http)
{
    struct oc_http_response answer = {0};
    struct oc_http_request request = {
        .method = "GET", .target = l->target, .deadline_ms = oc_deadline(ANSWER_MS), .body_max = ANSWER_MAX};
    if (!*http && oc_http_connect(http, l->socket, request.deadline_ms, NULL) < 0)
        return false;
    int r = oc_http_exchange(*http, &request, &answer, NULL);
    bool good = r == 0 && answer.status == 200;
    if (r < 0 || !answer.keep_alive)
        *http = oc_http_free(*http);
    oc_http_response_done(&answer);
    return good;
}

/* Takes the next request that is due; the others wait for theirs. */
static void *work(void *arg)
{
    struct load *l = arg;
    oc_http *http = NULL;
    for (;;) {
        uint64_t n = atomic_fetch_add(&l->next, 1);
        uint64_t due = l->begin_ns + n * l->period_ns;
        if (n >= l->requests || atomic_load(&l->stop))
            break;
        wait_until(due);
        if (atomic_load(&l->stop))
            break;
        bool good = ask(l, &http);
        l->took_us[n] = (oc_now_ns() - due) / 1000 + 1;
        if (!good)
            atomic_fetch_add(&l->failed, 1);
    }
    (void)oc_http_free(http);
    return NULL;
}

static void *measure_lag(void *arg)
{
    struct load *l = arg;
    for (uint64_t n = 0; n < l->lags && !atomic_load(&l->stop); n++) {
        uint64_t due = l->begin_ns + n * LAG_NS;
        wait_until(due);
        l->lag_us[n] = (oc_now_ns() - due) / 1000 + 1;
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The ones that were taken, in order; how many. */
static uint64_t order(uint64_t *v, uint64_t size)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < size; i++)
        if (v[i] > 0)
            v[n++] = v[i];
    qsort(v, n, sizeof(v[0]), by_size);
    return n;
}

static void print_spread(const char *prefix, const uint64_t *v, uint64_t n)
{
    if (n > 0)
        printf(",\"%sp50_us\":%llu,\"%sp99_us\":%llu,\"%smax_us\":%llu", prefix, (unsigned long long)v[n / 2],
               prefix, (unsigned long long)v[n * 99 / 100], prefix, (unsigned long long)v[n - 1]);
}

static void report(struct load *l)
{
    double seconds = (double)(oc_now_ns() - l->begin_ns) / (double)NS;
    uint64_t n = order(l->took_us, l->requests);
    printf("{\"requests\":%llu,\"failed\":%llu,\"seconds\":%.1f,\"rate\":%.0f", (unsigned long long)n,
           (unsigned long long)atomic_load(&l->failed), seconds, (double)n / seconds);
    print_spread("", l->took_us, n);
    print_spread("lag_", l->lag_us, order(l->lag_us, l->lags));
    printf("}\n");
}

static int run(struct load *l, uint32_t connections, uint64_t seconds)
{
    pthread_t threads[CONNECTIONS_MAX + 1];
    struct timespec bound = {.tv_sec = (time_t)seconds};
    sigset_t term;
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &term, NULL);
    l->begin_ns = oc_now_ns();
    uint32_t n = 0;
    while (n <= connections && pthread_create(&threads[n], NULL, n == 0 ? measure_lag : work, l) == 0)
        n++;
    if (n > connections)
        (void)sigtimedwait(&term, NULL, &bound);
    atomic_store(&l->stop, true);
    for (uint32_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    if (n <= connections)
        return 1;
    report(l);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct load l = {.failed = 0};
    uint32_t rate = 0, connections = 0, seconds = 0;
    if (argc != 6 || oc_parse_u32(argv[3], strlen(argv[3]), 1, 100000, &rate) < 0 ||
        oc_parse_u32(argv[4], strlen(argv[4]), 1, CONNECTIONS_MAX, &connections) < 0 ||
        oc_parse_u32(argv[5], strlen(argv[5]), 1, 600, &seconds) < 0) {
        fprintf(stderr, "usage: load SOCKET TARGET RATE CONNECTIONS SECONDS\n");
        return 2;
    }
    l.socket = argv[1];
    l.target = argv[2];
    l.period_ns = NS / rate;
    l.requests = (uint64_t)rate * seconds;
    l.took_us = calloc(l.requests, sizeof(l.took_us[0]));
    l.lags = seconds * (NS / LAG_NS);
    l.lag_us = calloc(l.lags, sizeof(l.lag_us[0]));
    int status = l.took_us && l.lag_us ? run(&l, connections, seconds) : 1;
    free(l.took_us);
    free(l.lag_us);
    return status;
}
