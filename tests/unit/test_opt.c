#include "../../cli/opt.h"
#include "../../cli/out.h"
#include "unit/unit.h"

struct target {
    bool yes, other;
    const char *text;
    struct opt_strings list;
    struct opt_number number, size, nano;
    char called[64];
};

static int call(void *target, const struct opt *o, const char *value, char *why, size_t size)
{
    struct target *t = target;
    if (value && strcmp(value, "bad") == 0) {
        snprintf(why, size, "%s is bad", o->name);
        return -1;
    }
    snprintf(t->called, sizeof(t->called), "%s=%s", o->name, value ? value : "-");
    return 0;
}

#define AT(field) offsetof(struct target, field)
static const struct opt opts[] = {
    {.name = "yes", .letter = 'y', .type = OPT_SWITCH, .offset = AT(yes), .help = "Yes"},
    {.name = "other", .letter = 'o', .type = OPT_SWITCH, .offset = AT(other), .help = "Other"},
    {.name = "text",
     .letter = 't',
     .argument = "T",
     .type = OPT_STRING,
     .offset = AT(text),
     .help = "Text",
     .fallback = "none"},
    {.name = "list", .letter = 'l', .argument = "L", .type = OPT_STRINGS, .offset = AT(list), .help = "List"},
    {.name = "number",
     .argument = "N",
     .type = OPT_U32,
     .offset = AT(number),
     .min = 2,
     .max = 300,
     .help = "Number"},
    {.name = "memory", .argument = "SIZE", .type = OPT_SIZE, .offset = AT(size), .help = "Size"},
    {.name = "cpus", .argument = "N", .type = OPT_NANO, .offset = AT(nano), .help = "Nano"},
    {.name = "call", .argument = "C", .type = OPT_CALL, .call = call, .help = "Call"},
    {.name = "flag", .type = OPT_CALL, .call = call, .help = "Call without argument"},
};
#define N_OPTS (sizeof(opts) / sizeof(opts[0]))

static struct target t;
static struct opt_rest rest;
static char why[OPT_WHY_SIZE];

static void done(void)
{
    const struct opt_table table = {opts, N_OPTS, &t};
    opt_done(&table, 1, &rest);
}

/* Splits at spaces; "-" stands for an empty word. */
static int parse(const char *line, bool stop)
{
    static char copy[512];
    static char *argv[32];
    int argc = 0;
    const struct opt_table table = {opts, N_OPTS, &t};
    memset(&t, 0, sizeof(t));
    why[0] = '\0';
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *p = copy, *word; (word = strsep(&p, " ")) != NULL;)
        argv[argc++] = word;
    return opt_parse(&table, 1, argc, argv, stop, &rest, why);
}

START_TEST(all_types)
{
    ck_assert_int_eq(parse("--yes --text=a=b --list x --list=y -lz --number 300 --memory 256m --cpus 1.5 op "
                           "--call=v -- -x --yes",
                           false),
                     0);
    ck_assert(t.yes && !t.other);
    ck_assert_str_eq(t.text, "a=b");
    ck_assert_uint_eq(t.list.n, 3);
    ck_assert_str_eq(t.list.v[2], "z");
    ck_assert(t.number.set && t.number.value == 300);
    ck_assert_uint_eq(t.size.value, 256u << 20);
    ck_assert_uint_eq(t.nano.value, 1500000000u);
    ck_assert_str_eq(t.called, "call=v");
    ck_assert_uint_eq(rest.n_operands, 1);
    ck_assert_str_eq(rest.operands[0], "op");
    ck_assert_uint_eq(rest.n_after, 2);
    ck_assert_str_eq(rest.after[0], "-x");
    done();
    ck_assert_int_eq(parse("-yo -t v - --flag", false), 0);
    ck_assert(t.yes && t.other);
    ck_assert_str_eq(t.text, "v");
    ck_assert_str_eq(rest.operands[0], "-");
    ck_assert_str_eq(t.called, "flag=-");
    done();
    ck_assert_int_eq(parse("-y word --nonsense", true), 0);
    ck_assert_uint_eq(rest.n_after, 2);
    ck_assert_str_eq(rest.after[0], "word");
    done();
    ck_assert_int_eq(parse("--", false), 0);
    ck_assert_uint_eq(rest.n_after, 0);
    done();
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"--memory x", "--memory: expected a size such as 256m, got \"x\""},
        {"--memory -1", "--memory: expected a size such as 256m, got \"-1\""},
        {"--memory m", "--memory: expected a size such as 256m, got \"m\""},
        {"--memory 1t", "--memory: expected a size such as 256m, got \"1t\""},
        {"--memory 9999999999g", "--memory: expected a size such as 256m, got \"9999999999g\""},
        {"--memory=", "--memory: expected a size such as 256m, got \"\""},
        {"--memory", "--memory: expected SIZE"},
        {"--number 1", "--number: expected a number from 2 to 300, got \"1\""},
        {"--number 301", "--number: expected a number from 2 to 300, got \"301\""},
        {"--number 0x10", "--number: expected a number from 2 to 300, got \"0x10\""},
        {"--number 18446744073709551618", "--number: expected a number from 2 to 300, got "
                                          "\"18446744073709551618\""},
        {"--cpus 1.", "--cpus: expected a number such as 1.5, got \"1.\""},
        {"--cpus .", "--cpus: expected a number such as 1.5, got \".\""},
        {"--cpus 1e3", "--cpus: expected a number such as 1.5, got \"1e3\""},
        {"--cpus nan", "--cpus: expected a number such as 1.5, got \"nan\""},
        {"--cpus 1.0000000001", "--cpus: expected a number such as 1.5, got \"1.0000000001\""},
        {"--txet a", "unknown option --txet; did you mean --text?"},
        {"--yess=3", "unknown option --yess; did you mean --yes?"},
        {"--completely-else", "unknown option --completely-else"},
        {"-q", "unknown option -q"},
        {"-yq", "unknown option -q"},
        {"-t", "-t: expected T"},
        {"--text", "--text: expected T"},
        {"--text=", "--text: expected T, got nothing"},
        {"--text a --text b", "--text: given twice"},
        {"--number 3 --number 3", "--number: given twice"},
        {"--yes=1", "--yes: takes no argument"},
        {"--call bad", "call is bad"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(parse(cases[i].line, false) == -1 && strcmp(why, cases[i].why) == 0, "%s: %s",
                      cases[i].line, why);
        done();
    }
}
END_TEST

START_TEST(required)
{
    static const struct opt one[] = {
        {.name = "image", .argument = "I", .type = OPT_STRING, .offset = AT(text), .required = true}};
    const struct opt_table table = {one, 1, &t};
    char word[] = "--image", value[] = "x", *argv[] = {word, value};
    ck_assert_int_eq(opt_parse(&table, 1, 0, argv, false, &rest, why), -1);
    ck_assert_str_eq(why, "--image is required");
    opt_done(&table, 1, &rest);
    ck_assert_int_eq(opt_parse(&table, 1, 2, argv, false, &rest, why), 0);
    opt_done(&table, 1, &rest);
}
END_TEST

START_TEST(numbers)
{
    uint64_t v = 0;
    ck_assert_int_eq(opt_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
    ck_assert_uint_eq(v, UINT64_MAX);
    ck_assert_int_eq(opt_parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -1);
    ck_assert_int_eq(opt_parse_u64("", 0, UINT64_MAX, &v), -1);
    ck_assert_int_eq(opt_parse_size("1B", &v), 0);
    ck_assert_uint_eq(v, 1);
    ck_assert_int_eq(opt_parse_size("2G", &v), 0);
    ck_assert_uint_eq(v, UINT64_C(2) << 30);
    ck_assert_int_eq(opt_parse_size("7", &v), 0);
    ck_assert_uint_eq(v, 7);
    ck_assert_int_eq(opt_parse_nano(".5", &v), 0);
    ck_assert_uint_eq(v, 500000000);
    ck_assert_int_eq(opt_parse_nano("2", &v), 0);
    ck_assert_uint_eq(v, 2000000000);
    ck_assert_int_eq(opt_parse_nano("0.000000001", &v), 0);
    ck_assert_uint_eq(v, 1);
    ck_assert_int_eq(opt_parse_nano("", &v), -1);
}
END_TEST

static char *written(void (*fn)(FILE *f, const void *arg), const void *arg)
{
    static char *text;
    size_t size = 0;
    free(text);
    text = NULL;
    FILE *f = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(f);
    fn(f, arg);
    ck_assert_int_eq(fclose(f), 0);
    return text;
}

static void print_help(FILE *f, const void *arg)
{
    (void)arg;
    opt_print_usage(f, opts, 4);
    fputc('\n', f);
    opt_print(f, opts, 4);
}

START_TEST(help_comes_from_the_table)
{
    ck_assert_str_eq(written(print_help, NULL), " [--yes] [--other] [--text T] [--list L]...\n"
                                                "  -y, --yes     Yes\n"
                                                "  -o, --other   Other\n"
                                                "  -t, --text T  Text [default: none]\n"
                                                "  -l, --list L  List (repeatable)\n");
}
END_TEST

static void print_text(FILE *f, const void *arg)
{
    out_text(f, arg);
}

START_TEST(text_cannot_play_tricks)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x1b[2J\r\n\t\x7f", "\\x1b[2J\\x0d\\x0a\\x09\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},
        {"a\xe2\x80\xae"
         "b",
         "a\\xe2\\x80\\xaeb"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc0\x9b", "\\xc0\\x9b"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(written(print_text, cases[i].in), cases[i].out);
    ck_assert_uint_eq(out_width("\xc3\xa9\x1b"), 5);
}
END_TEST

static void print_table(FILE *f, const void *arg)
{
    static const struct out_column columns[] = {{"NAME", "name", 8}, {"ID", "other|id", 0}};
    out_table(f, columns, 2, arg);
}

static void print_details(FILE *f, const void *arg)
{
    out_details(f, arg);
}

START_TEST(tables_and_details)
{
    json_t *rows =
        json_loads("[{\"name\":\"a\\u001b\",\"id\":7},{\"name\":\"long name\",\"id\":true},{}]", 0, NULL);
    ck_assert_str_eq(written(print_table, rows), "NAME       ID\n"
                                                 "a\\x1b      7\n"
                                                 "long name  true\n"
                                                 "           \n");
    json_decref(rows);
    json_t *j = json_loads(
        "{\"a\":1,\"long\":\"x\\n\",\"o\":{\"k\":null},\"l\":[\"p\",{\"q\":1.5}],\"e\":[]}", 0, NULL);
    ck_assert_str_eq(written(print_details, j),
                     "a:    1\nlong: x\\x0a\no:\n  k: -\nl:\n  - p\n  -\n    q: 1.5\n"
                     "e:    -\n");
    json_decref(j);
}
END_TEST

UNIT_MAIN("opt", all_types, refusals, required, numbers, help_comes_from_the_table, text_cannot_play_tricks,
          tables_and_details)
