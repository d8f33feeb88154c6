/* Image references, and pulls from an engine that reports progress, failures, and nothing new. */
#include "base/buf.h"
#include "docker/image.h"
#include "support/engine_fixture.h"
#include "support/failmalloc.h"
#include "unit.h"

#define DIGEST "sha256:" HEX64
#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(references_are_taken_apart)
{
    static const struct {
        const char *text, *name, *version, *whole;
    } good[] = {{"busybox", "busybox", "latest", "busybox:latest"},
                {"busybox:1.36", "busybox", "1.36", "busybox:1.36"},
                {"team/agent", "team/agent", "latest", "team/agent:latest"},
                {"localhost:5000/agent", "localhost:5000/agent", "latest", "localhost:5000/agent:latest"},
                {"localhost:5000/agent:v1", "localhost:5000/agent", "v1", "localhost:5000/agent:v1"},
                {"Registry.Example.com/a/b__c.d---e:T_1-.x", "Registry.Example.com/a/b__c.d---e", "T_1-.x",
                 "Registry.Example.com/a/b__c.d---e:T_1-.x"},
                {"[::1]:5000/a:b", "[::1]:5000/a", "b", "[::1]:5000/a:b"},
                {"[fe80::1]/a", "[fe80::1]/a", "latest", "[fe80::1]/a:latest"},
                {"a@sha256:" HEX64, "a", "sha256:" HEX64, "a@sha256:" HEX64},
                {"h:1/a:tag@sha256:" HEX64, "h:1/a", "sha256:" HEX64, "h:1/a@sha256:" HEX64},
                {"localhost/x", "localhost/x", "latest", "localhost/x:latest"},
                {"0/0", "0/0", "latest", "0/0:latest"}};
    for (size_t i = 0; i < OC_ARRAY_SIZE(good); i++) {
        struct oc_image_ref ref;
        outcall_error err = OUTCALL_ERROR_INIT;
        char whole[OC_IMAGE_TEXT_SIZE];
        ck_assert_msg(oc_image_ref_parse(good[i].text, &ref, &err) == 0, "%s: %s", good[i].text, err.text);
        ck_assert_str_eq(ref.name, good[i].name);
        ck_assert_str_eq(oc_image_ref_version(&ref), good[i].version);
        oc_image_ref_format(&ref, whole);
        ck_assert_str_eq(whole, good[i].whole);
    }
}
END_TEST

static void expect_refused(const char *text)
{
    struct oc_image_ref ref;
    outcall_error err = OUTCALL_ERROR_INIT;
    ck_assert_msg(oc_image_ref_parse(text, &ref, &err) == OUTCALL_E_INVALID, "\"%s\" passed", text);
    ck_assert_int_eq(err.kind, OUTCALL_KIND_INVALID_REQUEST);
    ck_assert(oc_starts_with(err.text, "image \""));
}

START_TEST(names_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "Busybox",
        "busybox ",
        "busybox:",
        ":tag",
        "a//b",
        "/a",
        "a/",
        "a/B",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a_-b",
        "a._b",
        "a.",
        "_a",
        "a:.x",
        "a:-x",
        "a:b:c",
        "a:b/c:d/e:",
        "localhost:port/a",
        "localhost:/a",
        "localhost:0/a",
        "localhost:65536/a",
        "host-.x/a",
        ".x/a",
        "a@",
        "a@sha256:",
        "a@sha256:ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "a\nb",
        "a?b",
        "a#b",
        "a%2fb",
        "../a",
        "a/../b",
        "a/./b",
        "[::1/a",
        "[]:1/a",
        "[::1]x/a",
        "\xc3\xa9",
        "a:\xc3\xa9"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(bad); i++)
        expect_refused(bad[i]);
    expect_refused("a@" DIGEST "0");
    expect_refused("a@md5:" HEX64);
    expect_refused("@" DIGEST);
    expect_refused("a@" DIGEST "@" DIGEST);
}
END_TEST

START_TEST(lengths_of_references_are_bounded)
{
    struct oc_image_ref ref;
    char text[512];
    memset(text, 'a', sizeof(text));
    text[OC_IMAGE_NAME_MAX] = '\0';
    ck_assert_int_eq(oc_image_ref_parse(text, &ref, NULL), 0);
    text[OC_IMAGE_NAME_MAX] = 'a';
    text[OC_IMAGE_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(oc_image_ref_parse(text, &ref, NULL), OUTCALL_E_INVALID);
    text[1] = ':';
    text[2 + OC_IMAGE_TAG_MAX] = '\0';
    ck_assert_int_eq(oc_image_ref_parse(text, &ref, NULL), 0);
    text[2 + OC_IMAGE_TAG_MAX] = 'a';
    text[3 + OC_IMAGE_TAG_MAX] = '\0';
    ck_assert_int_eq(oc_image_ref_parse(text, &ref, NULL), OUTCALL_E_INVALID);
}
END_TEST

#define ABSENT \
    "{\"path\":\"/images/.*/json\",\"times\":1,\"status\":404,\"body\":{\"message\":\"No such image\"}}"
#define PRESENT   "{\"path\":\"/images/.*/json\",\"body\":{\"Id\":\"sha256:" HEX64 "\"}}"
#define CREATE(x) "{\"method\":\"POST\",\"path\":\"/images/create\"," x "}"
#define PROGRESS                                                                                        \
    CREATE("\"chunks\":[\"{\\\"status\\\":\\\"Pulling\\\",\\\"id\\\":\\\"v1\\\"}\\r\\n{\\\"status\\\":" \
           "\\\"Down\","                                                                                \
           "\"loading\\\",\\\"progressDetail\\\":{\\\"current\\\":5,\\\"total\\\":9},\\\"id\\\":"       \
           "\\\"abc\\\"}\\r\\n\","                                                                      \
           "\"{\\\"status\\\":\\\"Done\\\"}\"]")

static int show(void *userdata, const char *layer, const char *status, uint64_t current, uint64_t total)
{
    return oc_buf_printf(userdata, "[%s %s %llu/%llu]", layer, status, (unsigned long long)current,
                         (unsigned long long)total);
}

START_TEST(a_pull_tells_whether_anything_changed)
{
    struct fixture f;
    int pulled = -1;
    OC_CLEANUP(oc_buf_done) struct oc_buf seen = {0};
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[" ABSENT "," PRESENT "," PROGRESS "]}", 0);
    fixture_ok(&f, outcall_image_pull(f.docker, "localhost:5000/a:v1", show, &seen, &pulled, &f.err));
    ck_assert_int_eq(pulled, 1);
    ck_assert_str_eq(seen.data, "[v1 Pulling 0/0][abc Downloading 5/9][ Done 0/0]");
    fixture_ok(&f, outcall_image_pull(f.docker, "localhost:5000/a:v1", NULL, NULL, &pulled, &f.err));
    ck_assert_int_eq(pulled, 0);
    ck_assert_uint_eq(
        fake_engine_count(f.engine, "POST", "/v1.41/images/create?fromImage=localhost%3A5000%2Fa&tag=v1"), 2);
    ck_assert_uint_eq(fake_engine_count(f.engine, "GET", "/v1.41/images/localhost%3A5000%2Fa%3Av1/json"), 4);
    fixture_ok(&f, outcall_image_pull(f.docker, "a:x@sha256:" HEX64, NULL, NULL, NULL, &f.err));
    ck_assert_uint_eq(fake_engine_count(f.engine, "POST", "fromImage=a&tag=sha256%3A" HEX64), 1);
    ck_assert_uint_eq(fake_engine_count(f.engine, "GET", "/images/a%40sha256%3A" HEX64 "/json"), 2);
    fixture_end(&f);
}
END_TEST

static void expect_failed_pull(const char *create, int code, int kind, const char *text)
{
    struct fixture f;
    int pulled = -1;
    OC_CLEANUP(oc_buf_done) struct oc_buf script = {0};
    ck_assert_int_eq(
        oc_buf_printf(&script, "{" ENGINE_20_10 ",\"rules\":[" ABSENT "," PRESENT ",%s]}", create), 0);
    fixture_begin(&f, script.data, 2000);
    fixture_failed(&f, outcall_image_pull(f.docker, "a", NULL, NULL, &pulled, &f.err), code, kind, text);
    ck_assert_int_eq(pulled, -1);
    fixture_end(&f);
}

START_TEST(a_failed_pull_says_what_the_engine_said)
{
    expect_failed_pull(
        CREATE("\"chunks\":[\"{\\\"status\\\":\\\"x\\\"}\\n{\\\"errorDetail\\\":{\\\"message\\\":"
               "\\\"manifest unknown\\\"},\\\"error\\\":\\\"other\\\"}\\n\"]"),
        OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "manifest unknown");
    expect_failed_pull(CREATE("\"chunks\":[\"{\\\"error\\\":\\\"no space left\\\"}\"]"), OUTCALL_E_REMOTE,
                       OUTCALL_KIND_DOCKER_ERROR, "no space left");
    expect_failed_pull(CREATE("\"status\":404,\"body\":{\"message\":\"pull access denied\"}"),
                       OUTCALL_E_REMOTE, OUTCALL_KIND_DOCKER_ERROR, "pull access denied");
    expect_failed_pull(CREATE("\"chunks\":[\"{\\\"status\\\":\\\"x\\\"}\\n\"],\"cut_after\":0"),
                       OUTCALL_E_UNREACHABLE, OUTCALL_KIND_DOCKER_UNREACHABLE, "in the middle of an answer");
    expect_failed_pull(CREATE("\"chunks\":[\"{\\\"status\\\":\"]"), OUTCALL_E_PROTOCOL,
                       OUTCALL_KIND_DOCKER_ERROR, "malformed line");
}
END_TEST

START_TEST(a_pull_that_leaves_no_image_is_no_success)
{
    struct fixture f;
    int pulled = -1;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[" CREATE("\"chunks\":[]") "]}", 0);
    fixture_failed(&f, outcall_image_pull(f.docker, "a", NULL, NULL, &pulled, &f.err), OUTCALL_E_PROTOCOL,
                   OUTCALL_KIND_DOCKER_ERROR, "has no image \"a:latest\"");
    ck_assert_int_eq(pulled, -1);
    fixture_end(&f);
}
END_TEST

static int give_up(void *userdata, const char *layer, const char *status, uint64_t current, uint64_t total)
{
    (void)layer;
    (void)status;
    (void)current;
    (void)total;
    ++*(int *)userdata;
    return 1;
}

START_TEST(a_pull_can_be_given_up)
{
    struct fixture f;
    int calls = 0;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[" ABSENT "," PRESENT "," PROGRESS "]}", 0);
    fixture_failed(&f, outcall_image_pull(f.docker, "a", give_up, &calls, NULL, &f.err), OUTCALL_E_CLOSED, 0,
                   "given up");
    ck_assert_int_eq(calls, 1);
    fixture_failed(&f, outcall_image_pull(f.docker, "A", NULL, NULL, NULL, &f.err), OUTCALL_E_INVALID,
                   OUTCALL_KIND_INVALID_REQUEST, "image \"A\"");
    ck_assert_int_eq(outcall_image_pull(NULL, "a", NULL, NULL, NULL, NULL), OUTCALL_E_INVALID);
    ck_assert_int_eq(outcall_image_pull(f.docker, NULL, NULL, NULL, NULL, NULL), OUTCALL_E_INVALID);
    fixture_end(&f);
}
END_TEST

/* Short tokens only: jansson 2.14 writes past its buffer when a longer one cannot grow. */
#define LITTLE   CREATE("\"chunks\":[\"{\\\"status\\\":\\\"x\\\"}\\n\"]")
#define SHORT_ID "{\"path\":\"/images/.*/json\",\"body\":{\"Id\":\"abc\"}}"

static int one_pull(void *userdata)
{
    struct fixture *f = userdata;
    return outcall_image_pull(f->docker, "localhost:5000/a:v1", NULL, NULL, NULL, NULL);
}

START_TEST(pulls_survive_any_failing_allocation)
{
    struct fixture f;
    fixture_begin(&f, "{" ENGINE_20_10 ",\"rules\":[" SHORT_ID "," LITTLE "]}", 0);
    ck_assert_int_gt(failmalloc_loop(one_pull, &f), 5);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN("docker-image", references_are_taken_apart, names_that_are_none_are_refused,
          lengths_of_references_are_bounded, a_pull_tells_whether_anything_changed,
          a_failed_pull_says_what_the_engine_said, a_pull_that_leaves_no_image_is_no_success,
          a_pull_can_be_given_up, pulls_survive_any_failing_allocation)
