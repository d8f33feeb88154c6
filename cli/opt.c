#include "opt.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NANO        UINT64_C(1000000000)
#define NEAR_MAX    2  /* changed letters */
#define WORD_MAX    32 /* letters compared; longer words have no neighbours */
#define OPTIONS_MAX 64

int opt_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (!*s)
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return -1;
    }
    if (v < min || v > max)
        return -1;
    *ret = v;
    return 0;
}

int opt_parse_size(const char *s, uint64_t *ret)
{
    static const char units[] = "bkmg";
    char digits[24];
    uint64_t v = 0;
    size_t len = strlen(s);
    const char *unit = len > 1 ? strchr(units, s[len - 1] | 0x20) : NULL;
    unsigned shift = unit && *unit ? (unsigned)(unit - units) * 10 : 0;
    if (unit && *unit)
        len--;
    if (len >= sizeof(digits))
        return -1;
    memcpy(digits, s, len);
    digits[len] = '\0';
    if (opt_parse_u64(digits, 0, (uint64_t)INT64_MAX >> shift, &v) < 0)
        return -1;
    *ret = v << shift;
    return 0;
}

int opt_parse_nano(const char *s, uint64_t *ret)
{
    char whole[16];
    uint64_t units = 0, fraction = 0;
    size_t n = strcspn(s, ".");
    size_t n_fraction = s[n] == '.' ? strlen(s + n + 1) : 0;
    if (n >= sizeof(whole) || n_fraction > 9 || (s[n] == '.' && n_fraction == 0) || s[0] == '\0')
        return -1;
    memcpy(whole, s, n);
    whole[n] = '\0';
    if (n > 0 && opt_parse_u64(whole, 0, UINT32_MAX, &units) < 0)
        return -1;
    if (n_fraction > 0 && opt_parse_u64(s + n + 1, 0, NANO - 1, &fraction) < 0)
        return -1;
    for (size_t i = n_fraction; i < 9; i++)
        fraction *= 10;
    *ret = units * NANO + fraction;
    return 0;
}

/* Levenshtein, one row at a time. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    size_t n = strlen(b);
    if (strlen(a) > WORD_MAX || n > WORD_MAX)
        return UINT32_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned replace = diagonal + (a[i] != b[j]);
            unsigned change = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = replace < change ? replace : change;
        }
    }
    return row[n];
}

const char *opt_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    unsigned best_distance = NEAR_MAX + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, candidates[i]);
        if (d < best_distance && d < strlen(candidates[i])) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

struct parser {
    const struct opt_table *tables;
    size_t n_tables;
    const struct opt *seen[OPTIONS_MAX];
    size_t n_seen;
    char *why;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(p->why, OPT_WHY_SIZE, fmt, ap);
    va_end(ap);
    return -1;
}

static const struct opt *find(const struct parser *p, const char *name, size_t len, char letter, void **ret)
{
    for (size_t t = 0; t < p->n_tables; t++)
        for (size_t i = 0; i < p->tables[t].n; i++) {
            const struct opt *o = &p->tables[t].v[i];
            bool match = name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
                              : letter && o->letter == letter;
            if (!match)
                continue;
            *ret = p->tables[t].target;
            return o;
        }
    return NULL;
}

static int unknown(struct parser *p, const char *name, size_t len)
{
    const char *names[OPTIONS_MAX] = {NULL};
    char word[WORD_MAX + 1];
    size_t n = 0;
    for (size_t t = 0; t < p->n_tables; t++)
        for (size_t i = 0; i < p->tables[t].n && n < OPTIONS_MAX; i++)
            names[n++] = p->tables[t].v[i].name;
    (void)snprintf(word, sizeof(word), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), name);
    const char *near = opt_nearest(word, names, n);
    if (near)
        return fail(p, "unknown option --%.*s; did you mean --%s?", (int)len, name, near);
    return fail(p, "unknown option --%.*s", (int)len, name);
}

static int store_string(struct parser *p, void *at, const char *value)
{
    struct opt_strings *list = at;
    const char **v = reallocarray(list->v, list->n + 1, sizeof(char *));
    if (!v)
        return fail(p, "out of memory");
    v[list->n++] = value;
    list->v = v;
    return 0;
}

static int store_number(struct parser *p, const struct opt *o, void *at, const char *value)
{
    struct opt_number number = {.set = true};
    switch (o->type) {
    case OPT_SIZE:
        if (opt_parse_size(value, &number.value) < 0)
            return fail(p, "--%s: expected a size such as 256m, got \"%.64s\"", o->name, value);
        break;
    case OPT_NANO:
        if (opt_parse_nano(value, &number.value) < 0)
            return fail(p, "--%s: expected a number such as 1.5, got \"%.64s\"", o->name, value);
        break;
    default:
        if (opt_parse_u64(value, o->min, o->max, &number.value) < 0)
            return fail(p, "--%s: expected a number from %" PRIu32 " to %" PRIu32 ", got \"%.64s\"", o->name,
                        o->min, o->max, value);
        break;
    }
    *(struct opt_number *)at = number;
    return 0;
}

static int store(struct parser *p, const struct opt *o, void *target, const char *value)
{
    void *at = (char *)target + o->offset;
    bool repeats = o->type == OPT_STRINGS || o->type == OPT_CALL || o->type == OPT_SWITCH;
    for (size_t i = 0; i < p->n_seen && !repeats; i++)
        if (p->seen[i] == o)
            return fail(p, "--%s: given twice", o->name);
    if (p->n_seen < OPTIONS_MAX)
        p->seen[p->n_seen++] = o;
    switch (o->type) {
    case OPT_SWITCH:
        *(bool *)at = true;
        return 0;
    case OPT_STRING:
        if (!value || !*value)
            return fail(p, "--%s: expected %s, got nothing", o->name, o->argument);
        *(const char **)at = value;
        return 0;
    case OPT_STRINGS:
        return store_string(p, at, value);
    case OPT_CALL:
        return o->call(target, o, value, p->why, OPT_WHY_SIZE);
    default:
        return store_number(p, o, at, value);
    }
}

/* "--name", "--name=value", "--name value"; *used: arguments taken. */
static int parse_long(struct parser *p, int argc, char **argv, int *used)
{
    const char *name = argv[0] + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    void *target = NULL;
    const struct opt *o = find(p, name, len, 0, &target);
    *used = 1;
    if (!o)
        return unknown(p, name, len);
    if (!o->argument && value)
        return fail(p, "--%s: takes no argument", o->name);
    if (o->argument && !value) {
        if (argc < 2)
            return fail(p, "--%s: expected %s", o->name, o->argument);
        value = argv[1];
        *used = 2;
    }
    return store(p, o, target, value);
}

/* "-f", "-ft" for switches, "-eK=V", "-e K=V". */
static int parse_short(struct parser *p, int argc, char **argv, int *used)
{
    *used = 1;
    for (const char *letter = argv[0] + 1; *letter; letter++) {
        void *target = NULL;
        const struct opt *o = find(p, NULL, 0, *letter, &target);
        if (!o)
            return fail(p, "unknown option -%c", *letter);
        if (!o->argument) {
            if (store(p, o, target, NULL) < 0)
                return -1;
            continue;
        }
        if (letter[1])
            return store(p, o, target, letter + 1);
        if (argc < 2)
            return fail(p, "-%c: expected %s", *letter, o->argument);
        *used = 2;
        return store(p, o, target, argv[1]);
    }
    return 0;
}

static int check_required(struct parser *p)
{
    for (size_t t = 0; t < p->n_tables; t++)
        for (size_t i = 0; i < p->tables[t].n; i++) {
            const struct opt *o = &p->tables[t].v[i];
            bool seen = !o->required;
            for (size_t k = 0; k < p->n_seen; k++)
                seen |= p->seen[k] == o;
            if (!seen)
                return fail(p, "--%s is required", o->name);
        }
    return 0;
}

static int parse_all(struct parser *p, int argc, char **argv, bool stop_at_operand, struct opt_rest *rest)
{
    for (int i = 0, used = 1; i < argc; i += used) {
        const char *arg = argv[i];
        int r = 0;
        used = 1;
        if (strcmp(arg, "--") == 0 || (stop_at_operand && (arg[0] != '-' || !arg[1]))) {
            int skip = arg[0] == '-' && arg[1] ? 1 : 0;
            rest->after = argv + i + skip;
            rest->n_after = (size_t)(argc - i - skip);
            return 0;
        }
        if (arg[0] == '-' && arg[1] == '-')
            r = parse_long(p, argc - i, argv + i, &used);
        else if (arg[0] == '-' && arg[1])
            r = parse_short(p, argc - i, argv + i, &used);
        else
            rest->operands[rest->n_operands++] = argv[i];
        if (r < 0)
            return r;
    }
    return 0;
}

int opt_parse(const struct opt_table *tables, size_t n_tables, int argc, char **argv, bool stop_at_operand,
              struct opt_rest *rest, char why[OPT_WHY_SIZE])
{
    struct parser p = {.tables = tables, .n_tables = n_tables, .why = why};
    *rest = (struct opt_rest){0};
    rest->operands = calloc((size_t)argc + 1, sizeof(char *));
    if (!rest->operands)
        return fail(&p, "out of memory");
    int r = parse_all(&p, argc, argv, stop_at_operand, rest);
    return r < 0 ? r : check_required(&p);
}

void opt_done(const struct opt_table *tables, size_t n_tables, struct opt_rest *rest)
{
    free(rest->operands);
    *rest = (struct opt_rest){0};
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n; i++) {
            if (tables[t].v[i].type != OPT_STRINGS)
                continue;
            struct opt_strings *list =
                (struct opt_strings *)((char *)tables[t].target + tables[t].v[i].offset);
            free(list->v);
            *list = (struct opt_strings){0};
        }
}

static bool is_repeatable(const struct opt *o)
{
    return o->type == OPT_STRINGS;
}

void opt_print_usage(FILE *f, const struct opt *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, v[i].required ? " --%s" : " [--%s", v[i].name);
        if (v[i].argument)
            fprintf(f, " %s", v[i].argument);
        fprintf(f, "%s%s", v[i].required ? "" : "]", is_repeatable(&v[i]) ? "..." : "");
    }
}

void opt_print(FILE *f, const struct opt *v, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n; i++) {
        int len = (int)(strlen(v[i].name) + (v[i].argument ? strlen(v[i].argument) + 1 : 0));
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < n; i++) {
        const struct opt *o = &v[i];
        int len = (int)(strlen(o->name) + (o->argument ? strlen(o->argument) + 1 : 0));
        fprintf(f, o->letter ? "  -%c, " : "      ", o->letter);
        fprintf(f, "--%s%s%s%*s  %s", o->name, o->argument ? " " : "", o->argument ? o->argument : "",
                width - len, "", o->help);
        if (is_repeatable(o))
            fputs(" (repeatable)", f);
        if (o->required)
            fputs(" (required)", f);
        if (o->fallback)
            fprintf(f, " [default: %s]", o->fallback);
        fputc('\n', f);
    }
}
