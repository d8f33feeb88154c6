/* Every field of every request of the host API wrong in type, range, length, encoding and repetition: the
 * exact words, the status and the code, and not one call to the engine. */
#include "base/num.h"
#include "outcall/host_api.h"
#include "support/manager_fixture.h"
#include "unit.h"
#include "json/json.h"

#define DATA_MAX ((size_t)4 << 20)

/* "<x*N>" or "<#ff>" at s: appends what it stands for and returns its length; 0 when it is none. */
static size_t add_marked(struct oc_buf *b, const char *s)
{
    size_t len = strcspn(s, ">"), text_n = strcspn(s, "*");
    uint64_t n = 0;
    if (s[0] != '<' || s[len] != '>')
        return 0;
    if (s[1] == '#' && oc_parse_hex(s + 2, len - 2, 255, &n) == 0) {
        ck_assert_int_eq(oc_buf_char(b, (char)n), 0);
        return len + 1;
    }
    if (text_n >= len || oc_parse_u64(s + text_n + 1, len - text_n - 1, 1, 100000, &n) < 0)
        return 0;
    for (uint64_t i = 0; i < n; i++)
        ck_assert_int_eq(oc_buf_add(b, s + 1, text_n - 1), 0);
    return len + 1;
}

static char *expand(const char *s)
{
    OC_CLEANUP(oc_buf_done) struct oc_buf b = OC_BUF_INIT;
    while (*s) {
        size_t n = add_marked(&b, s);
        if (n == 0)
            ck_assert_int_eq(oc_buf_char(&b, *s), 0);
        s += n ? n : 1;
    }
    char *all = oc_buf_take(&b, NULL);
    ck_assert_ptr_nonnull(all);
    return all;
}

static const char *column(const json_t *row, size_t i)
{
    const char *s = json_string_value(json_array_get(row, i));
    ck_assert(s || i == 2); /* only the body may be absent */
    return s;
}

static void check_row(outcall_host_api *h, const char *line, size_t len, int *wrong)
{
    OC_JSON json_t *row = NULL;
    OC_JSON json_t *j = NULL;
    OC_FREE char *answer = NULL;
    int status = 0;
    size_t n = 0;
    ck_assert_int_eq(oc_json_load(line, len, &row, NULL), 0);
    OC_FREE char *target = expand(column(row, 1));
    OC_FREE char *body = column(row, 2) ? expand(column(row, 2)) : NULL;
    OC_FREE char *error = expand(column(row, 5));
    ck_assert_int_eq(outcall_host_api_handle(h, column(row, 0), target, body, body ? strlen(body) : 0,
                                             &status, &answer, &n, NULL),
                     0);
    ck_assert_int_eq(oc_json_load(answer, n, &j, NULL), 0);
    const char *got = oc_json_string(j, "error", ""), *code = oc_json_string(j, "code", "");
    if (status == json_integer_value(json_array_get(row, 3)) && strcmp(code, column(row, 4)) == 0 &&
        strcmp(got, error) == 0 && !oc_json_bool(j, "success", true))
        return;
    (void)fprintf(stderr, "%.*s\n got %d %s: %s\n", (int)len, line, status, code, got);
    (*wrong)++;
}

/* tests/data/host_api/refusals.jsonl: one [method, target, body or null, status, code, error] a line; "<x*N>"
 * stands for N times x, "<#ff>" for that byte. */
static int check_all(outcall_host_api *h)
{
    OC_FREE char *data = NULL;
    size_t len = 0, rows = 0;
    int wrong = 0;
    ck_assert_int_eq(oc_read_file(AT_FDCWD, TEST_DATA "/host_api/refusals.jsonl", DATA_MAX, &data, &len), 0);
    for (const char *p = data; *p; rows++) {
        size_t n = strcspn(p, "\n");
        check_row(h, p, n, &wrong);
        p += n + (p[n] == '\n');
    }
    ck_assert_uint_gt(rows, 700);
    return wrong;
}

START_TEST(every_field_wrong_in_every_way)
{
    struct manager t;
    outcall_host_api *h = NULL;
    manager_begin(&t);
    outcall_host_api_options o = OUTCALL_HOST_API_OPTIONS_INIT;
    o.docker = t.f.docker;
    o.containers = t.containers;
    o.networks = t.networks;
    ck_assert_int_eq(outcall_host_api_new(&h, &o, NULL), 0);
    ck_assert_int_eq(check_all(h), 0);
    ck_assert_uint_eq(manager_calls(&t), 0);
    ck_assert_int_eq(atomic_load(&t.opened), 0);
    (void)outcall_host_api_free(h);
    manager_end(&t);
}
END_TEST

UNIT_MAIN("host-api-fields", every_field_wrong_in_every_way)
