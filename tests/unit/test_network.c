/* Networks against a scripted engine: names, addresses, what is sent, what is ours and what is left alone. */
#include "base/buf.h"
#include "base/cidr.h"
#include "network/info.h"
#include "network/subnet.h"
#include "outcall/network.h"
#include "support/engine_fixture.h"
#include "support/failmalloc.h"
#include "unit.h"

/* For benchmarks only (RFC 2544): no host of a test run routes it. */
#define BLOCK "198.18.0.0/16"

static outcall_networks *manager(struct fixture *f, const char *block)
{
    outcall_networks *m = NULL;
    fixture_ok(f, outcall_networks_new(&m, f->docker, block, &f->err));
    return m;
}

/* A network as the engine describes it. */
#define NETWORK(name, driver, label, subnet, containers)                                                    \
    "{\"Name\":\"" name "\",\"Id\":\"id-of-" name "\",\"Driver\":\"" driver                                 \
    "\",\"Labels\":{\"managed-by\":\"" label                                                                \
    "\"},\"Internal\":true,\"IPAM\":{\"Config\":[{\"Subnet\":\"" subnet "\",\"Gateway\":\"198.18.0.1\"}]}," \
    "\"Options\":{\"com.docker.network.bridge.name\":\"oc-12345678\"},\"Containers\":{" containers "}}"
#define OURS(name) NETWORK(name, "bridge", "outcalld", "198.18.0.0/24", "")
#define ABSENT(n)                                                   \
    "{\"method\":\"GET\",\"path\":\"/networks/[^/]+\",\"times\":" n \
    ",\"status\":404,\"body\":{\"message\":\"no\"}}"
#define INSPECT(body) "{\"method\":\"GET\",\"path\":\"/networks/[^/]+\",\"body\":" body "}"
#define LIST(body)    "{\"method\":\"GET\",\"path\":\"/networks\",\"body\":[" body "]}"
#define CREATED       "{\"method\":\"POST\",\"path\":\"/networks/create\",\"status\":201,\"body\":{\"Id\":\"x\"}}"
#define SCRIPT(...)   "{" ENGINE_20_10 ",\"rules\":[" __VA_ARGS__ "]}"

static void expect_sent(struct fixture *f, const char *line)
{
    OC_FREE char *requests = fake_engine_requests(f->engine);
    ck_assert_msg(strstr(requests, line), "%s is not in\n%s", line, requests);
}

START_TEST(a_network_is_made_as_agents_need_it)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    int created = -1;
    fixture_begin(&f, SCRIPT(ABSENT("1") "," INSPECT(OURS("outcall-default")) "," LIST("") "," CREATED),
                  5000);
    outcall_networks *m = manager(&f, BLOCK);
    fixture_ok(&f, outcall_networks_create(m, "default", NULL, NULL, &created, &info, &f.err));
    ck_assert_int_eq(created, 1);
    expect_sent(
        &f,
        "POST /v1.41/networks/create "
        "{\"Name\":\"outcall-default\",\"Driver\":\"bridge\",\"CheckDuplicate\":true,"
        "\"Internal\":true,\"EnableIPv6\":false,\"Attachable\":false,\"Ingress\":false,\"IPAM\":{\"Driver\":"
        "\"default\",\"Config\":[{\"Subnet\":\"198.18.0.0/24\",\"Gateway\":\"198.18.0.1\"}]},\"Options\":{"
        "\"com.docker.network.bridge.name\":\"outcall0\",\"com.docker.network.bridge.enable_icc\":\"false\"},"
        "\"Labels\":{\"managed-by\":\"outcalld\"}}\n");
    ck_assert_str_eq(outcall_network_info_name(info), "outcall-default");
    ck_assert_str_eq(outcall_network_info_id(info), "id-of-outcall-default");
    ck_assert_str_eq(outcall_network_info_subnet(info), "198.18.0.0/24");
    ck_assert_str_eq(outcall_network_info_gateway(info), "198.18.0.1");
    ck_assert_str_eq(outcall_network_info_bridge(info), "oc-12345678");
    info = outcall_network_info_free(info);
    /* Again: it is there. */
    fixture_ok(&f, outcall_networks_create(m, "outcall-default", NULL, NULL, &created, &info, &f.err));
    ck_assert_int_eq(created, 0);
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", NULL), 1);
    (void)outcall_network_info_free(info);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

static void expect_subnet(const char *name, const char *list, const char *asked, const char *gateway,
                          const char *ipam, const char *bridge)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    OC_CLEANUP(oc_buf_done) struct oc_buf script = {0}, line = {0};
    ck_assert_int_eq(oc_buf_printf(&script,
                                   "{" ENGINE_20_10 ",\"rules\":[" ABSENT("1") "," INSPECT("%s") "," LIST(
                                       "%s") "," CREATED "]}",
                                   OURS("outcall-x"), list),
                     0);
    /* The engine's answer is about outcall-x: other names are not found, which is enough for what was sent.
     */
    fixture_begin(&f, script.data, 5000);
    outcall_networks *m = manager(&f, BLOCK);
    int r = outcall_networks_create(m, name, asked, gateway, NULL, &info, &f.err);
    ck_assert_msg(r == 0 || r == OUTCALL_E_PROTOCOL, "%d: %s", r, f.err.text);
    ck_assert_int_eq(oc_buf_printf(&line, "\"IPAM\":{\"Driver\":\"default\",\"Config\":[%s]}", ipam), 0);
    expect_sent(&f, line.data);
    expect_sent(&f, bridge);
    (void)outcall_network_info_free(info);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}

START_TEST(addresses_are_the_first_that_are_free)
{
    expect_subnet("x", "", NULL, NULL, "{\"Subnet\":\"198.18.1.0/24\",\"Gateway\":\"198.18.1.1\"}",
                  "\"oc-104e883a\"");
    expect_subnet("x",
                  NETWORK("a", "bridge", "", "198.18.1.128/25", "") "," NETWORK("b", "macvlan", "",
                                                                                "198.18.2.0/23", ""),
                  NULL, NULL, "{\"Subnet\":\"198.18.4.0/24\",\"Gateway\":\"198.18.4.1\"}", "oc-");
    expect_subnet("default", OURS("a"), NULL, NULL,
                  "{\"Subnet\":\"198.18.1.0/24\",\"Gateway\":\"198.18.1.1\"}", "\"outcall0\"");
    expect_subnet("x", OURS("a"), "198.19.7.0/28", "198.19.7.14",
                  "{\"Subnet\":\"198.19.7.0/28\",\"Gateway\":\"198.19.7.14\"}", "oc-");
}
END_TEST

START_TEST(malformed_requests_never_reach_the_engine)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    static const struct {
        const char *name, *subnet, *gateway, *text;
    } bad[] = {{"", NULL, NULL, "name"},
               {"X", NULL, NULL, "name"},
               {"a/b", NULL, NULL, "name"},
               {"../x", NULL, NULL, "name"},
               {"outcall-", NULL, NULL, "name"},
               {NULL, NULL, NULL, "name"},
               {"x", "198.18.1.1/24", NULL, "subnet"},
               {"x", "198.18.1.0", NULL, "subnet"},
               {"x", "198.18.1.0/31", NULL, "subnet"},
               {"x", "0.0.0.0/0", NULL, "subnet"},
               {"x", "fd00::/64", NULL, "subnet"},
               {"x", "", NULL, "subnet"},
               {"x", "198.18.1.0/24", "198.18.1.0", "gateway"},
               {"x", "198.18.1.0/24", "198.18.1.255", "gateway"},
               {"x", "198.18.1.0/24", "198.18.2.1", "gateway"},
               {"x", "198.18.1.0/24", "x", "gateway"}};
    fixture_begin(&f, SCRIPT(ABSENT("1000")), 5000);
    outcall_networks *m = manager(&f, BLOCK);
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        fixture_failed(
            &f, outcall_networks_create(m, bad[i].name, bad[i].subnet, bad[i].gateway, NULL, &info, &f.err),
            OUTCALL_E_INVALID, OUTCALL_KIND_INVALID_REQUEST, bad[i].text);
    ck_assert_uint_eq(fake_engine_count(f.engine, NULL, NULL), 0);
    static const char *const blocks[] = {"", "10.0.0.0", "10.0.0.1/16", "10.0.0.0/25", "0.0.0.0/0", "x/16"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(blocks); i++) {
        outcall_networks *none = NULL;
        ck_assert_int_eq(outcall_networks_new(&none, f.docker, blocks[i], NULL), OUTCALL_E_INVALID);
    }
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

START_TEST(overlaps_are_refused_by_name)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    fixture_begin(
        &f, SCRIPT(ABSENT("1000") "," LIST(NETWORK("theirs", "bridge", "", "198.18.4.0/22", "")) "," CREATED),
        5000);
    outcall_networks *m = manager(&f, BLOCK);
    static const char *const taken[] = {"198.18.4.0/24", "198.18.7.128/25", "198.18.0.0/16"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(taken); i++)
        fixture_failed(&f, outcall_networks_create(m, "x", taken[i], NULL, NULL, &info, &f.err),
                       OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT, "overlaps Docker network \"theirs\"");
    fixture_failed(&f, outcall_networks_create(m, "x", "127.0.3.0/24", NULL, NULL, &info, &f.err),
                   OUTCALL_E_EXISTS, OUTCALL_KIND_CONFLICT, "overlaps address of interface \"lo\"");
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", NULL), 0);
    (void)outcall_networks_free(m);
    m = manager(&f, "198.18.4.0/22");
    fixture_failed(&f, outcall_networks_create(m, "x", NULL, NULL, NULL, &info, &f.err), OUTCALL_E_EXISTS,
                   OUTCALL_KIND_CONFLICT, "no free /24 is left in 198.18.4.0/22");
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

/* Each lacks one of the three things that make a network ours. */
START_TEST(what_is_not_ours_is_left_alone)
{
    static const char *const foreign[] = {
        NETWORK("outcall-x", "macvlan", "outcalld", "198.18.0.0/24", ""),
        NETWORK("outcall-x", "bridge", "somebody", "198.18.0.0/24", ""),
        /* our label, and a way out */
        "{\"Name\":\"outcall-x\",\"Id\":\"i\",\"Driver\":\"bridge\",\"Labels\":{"
        "\"managed-by\":\"outcalld\"},\"Internal\":false}"};
    struct fixture f;
    outcall_network_info *info = NULL;
    int destroyed = -1;
    fixture_begin(&f, SCRIPT(""), 5000);
    outcall_networks *m = manager(&f, BLOCK);
    for (size_t i = 0; i < OC_ARRAY_SIZE(foreign); i++) {
        OC_CLEANUP(oc_buf_done) struct oc_buf script = {0};
        ck_assert_int_eq(oc_buf_printf(&script,
                                       "{" ENGINE_20_10 ",\"rules\":[" INSPECT("%s") "," LIST("%s") "]}",
                                       foreign[i], foreign[i]),
                         0);
        ck_assert(fake_engine_script(f.engine, script.data));
        fixture_failed(&f, outcall_networks_get(m, "x", &info, &f.err), OUTCALL_E_DENIED,
                       OUTCALL_KIND_NOT_MANAGED, "network \"outcall-x\" is not managed by outcall");
        fixture_failed(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err), OUTCALL_E_DENIED,
                       OUTCALL_KIND_NOT_MANAGED, "network \"outcall-x\" is not managed by outcall");
        fixture_failed(&f, outcall_networks_create(m, "x", NULL, NULL, NULL, &info, &f.err), OUTCALL_E_EXISTS,
                       OUTCALL_KIND_CONFLICT, "network \"outcall-x\" exists");
        outcall_network_info **v = NULL;
        size_t n = 1;
        fixture_ok(&f, outcall_networks_list(m, &v, &n, &f.err));
        ck_assert_uint_eq(n, 0);
        outcall_network_info_free_many(v, n);
    }
    ck_assert_uint_eq(fake_engine_count(f.engine, "DELETE", NULL) + fake_engine_count(f.engine, "POST", NULL),
                      0);
    ck_assert_int_eq(destroyed, -1);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

/* Docker also finds a network by the beginning of its id: what it then describes is another one. */
START_TEST(only_the_very_name_counts)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    int destroyed = -1;
    fixture_begin(&f, SCRIPT(INSPECT(OURS("outcall-other"))), 5000);
    outcall_networks *m = manager(&f, BLOCK);
    fixture_failed(&f, outcall_networks_get(m, "x", &info, &f.err), OUTCALL_E_NOT_FOUND,
                   OUTCALL_KIND_NETWORK_NOT_FOUND, "network \"outcall-x\" does not exist");
    fixture_ok(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err));
    ck_assert_int_eq(destroyed, 0);
    ck_assert_uint_eq(fake_engine_count(f.engine, "DELETE", NULL), 0);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

#define ATTACHED                                                                                            \
    "\"aaa\":{\"Name\":\"outcall-agent-one\",\"IPv4Address\":\"198.18.0.2/24\"},\"bbb\":{\"Name\":\"two\"," \
    "\"IPv4Address\":\"198.18.0.3/24\"}"

START_TEST(a_network_in_use_stays)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    const char *name = NULL, *address = NULL;
    int destroyed = -1;
    fixture_begin(&f, SCRIPT(INSPECT(NETWORK("outcall-x", "bridge", "outcalld", "198.18.0.0/24", ATTACHED))),
                  5000);
    outcall_networks *m = manager(&f, BLOCK);
    fixture_ok(&f, outcall_networks_get(m, "x", &info, &f.err));
    ck_assert_int_eq(outcall_network_info_container(info, 1, &name, &address), 0);
    ck_assert_str_eq(name, "two");
    ck_assert_str_eq(address, "198.18.0.3");
    ck_assert_int_eq(outcall_network_info_container(info, 2, &name, &address), OUTCALL_E_NOT_FOUND);
    (void)outcall_network_info_free(info);
    fixture_failed(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err), OUTCALL_E_BUSY,
                   OUTCALL_KIND_NETWORK_IN_USE, "in use by outcall-agent-one, two");
    ck_assert_uint_eq(fake_engine_count(f.engine, "DELETE", NULL), 0);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

START_TEST(destroying_is_idempotent)
{
    struct fixture f;
    int destroyed = -1;
    fixture_begin(&f,
                  SCRIPT(INSPECT(OURS("outcall-x")) ",{\"method\":\"DELETE\",\"times\":1,\"status\":204},"
                                                    "{\"method\":\"DELETE\",\"times\":1,\"status\":404,"
                                                    "\"body\":{\"message\":\"no such network\"}},"
                                                    "{\"method\":\"DELETE\",\"status\":403,\"body\":{"
                                                    "\"message\":\"has active endpoints\"}}"),
                  5000);
    outcall_networks *m = manager(&f, BLOCK);
    fixture_ok(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err));
    ck_assert_int_eq(destroyed, 1);
    ck_assert_uint_eq(fake_engine_count(f.engine, "DELETE", "/v1.41/networks/id-of-outcall-x"), 1);
    fixture_ok(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err));
    ck_assert_int_eq(destroyed, 0);
    fixture_failed(&f, outcall_networks_destroy(m, "x", &destroyed, &f.err), OUTCALL_E_BUSY,
                   OUTCALL_KIND_NETWORK_IN_USE, "network \"outcall-x\" has just come into use");
    ck_assert(fake_engine_script(f.engine, SCRIPT(ABSENT("1000"))));
    fixture_ok(&f, outcall_networks_destroy(m, "outcall-x", &destroyed, &f.err));
    ck_assert_int_eq(destroyed, 0);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

START_TEST(the_engines_refusals_reach_the_caller)
{
    struct fixture f;
    outcall_network_info *info = NULL;
    fixture_begin(
        &f,
        SCRIPT(ABSENT("2") "," LIST("") ",{\"method\":\"POST\",\"status\":403,\"body\":{\"message\":"
                                        "\"networks have same bridge name\"}}"),
        5000);
    outcall_networks *m = manager(&f, BLOCK);
    fixture_failed(&f, outcall_networks_create(m, "x", NULL, NULL, NULL, &info, &f.err), OUTCALL_E_REMOTE,
                   OUTCALL_KIND_DOCKER_ERROR, "networks have same bridge name");
    /* Created, they say, and then they do not know it. */
    ck_assert(fake_engine_script(f.engine, SCRIPT(ABSENT("1000") "," LIST("") "," CREATED)));
    fixture_failed(&f, outcall_networks_create(m, "x", NULL, NULL, NULL, &info, &f.err), OUTCALL_E_PROTOCOL,
                   OUTCALL_KIND_DOCKER_ERROR, "does not know it");
    ck_assert(fake_engine_script(f.engine, SCRIPT(ABSENT("1000") ",{\"path\":\"/networks\",\"body\":{}}")));
    fixture_failed(&f, outcall_networks_create(m, "x", NULL, NULL, NULL, &info, &f.err), OUTCALL_E_PROTOCOL,
                   OUTCALL_KIND_DOCKER_ERROR, "list");
    f.engine = fake_engine_free(f.engine);
    fixture_failed(&f, outcall_networks_get(m, "x", &info, &f.err), OUTCALL_E_UNREACHABLE,
                   OUTCALL_KIND_DOCKER_UNREACHABLE, f.socket);
    (void)outcall_networks_free(m);
    fixture_end(&f);
}
END_TEST

START_TEST(routes_are_read_as_the_kernel_writes_them)
{
    static const char table[] =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "tun1\t0000120A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "garbage\nx y z\n";
    OC_CLEANUP(oc_taken_done) struct oc_taken_list l = {NULL, 0, 0};
    struct oc_cidr c;
    ck_assert_int_eq(oc_taken_by_routes(&l, table), 0);
    ck_assert_uint_eq(l.n, 2);
    ck_assert_int_eq(oc_cidr_parse("192.168.0.128/25", 16, &c), 0);
    ck_assert_str_eq(oc_taken_find(&l, c)->by, "route through interface \"eth0\"");
    ck_assert_int_eq(oc_cidr_parse("10.18.9.0/24", 12, &c), 0);
    ck_assert_str_eq(oc_taken_find(&l, c)->by, "route through interface \"tun1\"");
    ck_assert_int_eq(oc_cidr_parse("10.19.0.0/24", 12, &c), 0);
    ck_assert_ptr_null(oc_taken_find(&l, c));
}
END_TEST

/* Short tokens only: jansson 2.14 writes past its buffer when a longer one cannot grow. */
#define SMALL                                                                                             \
    "{\"Name\":\"outcall-x\",\"Id\":\"i\",\"Driver\":\"bridge\",\"Internal\":true,\"Labels\":{\"managed-" \
    "by\":\"outcalld\"}}"

static int one_round(void *userdata)
{
    struct fixture *f = userdata;
    outcall_networks *m = NULL;
    outcall_network_info *info = NULL, *made = NULL;
    outcall_network_info **v = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    size_t n = 0;
    int r = outcall_networks_new(&m, f->docker, BLOCK, NULL);
    if (r == 0)
        r = outcall_networks_get(m, "x", &info, NULL);
    if (r == 0)
        r = outcall_networks_list(m, &v, &n, NULL);
    if (r == 0)
        outcall_network_info_free_many(v, n);
    /* This name is never found, so it goes all the way and ends in the engine's ignorance. */
    if (r == 0)
        r = outcall_networks_create(m, "y", NULL, NULL, NULL, &made, &err);
    (void)outcall_network_info_free(info);
    (void)outcall_networks_free(m);
    return r == OUTCALL_E_PROTOCOL && strstr(err.text, "does not know it")
               ? 0
               : (fprintf(stderr, "%d %s\n", r, err.text), r);
}

START_TEST(all_of_it_survives_any_failing_allocation)
{
    struct fixture f;
    fixture_begin(&f, SCRIPT(INSPECT(SMALL) "," LIST(SMALL) "," CREATED), 5000);
    ck_assert_int_gt(failmalloc_loop(one_round, &f), 30);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN("network", a_network_is_made_as_agents_need_it, addresses_are_the_first_that_are_free,
          malformed_requests_never_reach_the_engine, overlaps_are_refused_by_name,
          what_is_not_ours_is_left_alone, only_the_very_name_counts, a_network_in_use_stays,
          destroying_is_idempotent, the_engines_refusals_reach_the_caller,
          routes_are_read_as_the_kernel_writes_them, all_of_it_survives_any_failing_allocation)
