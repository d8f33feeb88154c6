/* opt.h - command lines by table: one row per option gives parser, help text and completion. Both programs
 * use it. */
#ifndef CLI_OPT_H
#define CLI_OPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum opt_type {
    OPT_SWITCH,  /* bool */
    OPT_STRING,  /* const char *, borrowed from argv */
    OPT_STRINGS, /* struct opt_strings */
    OPT_U32,     /* struct opt_number, in min..max */
    OPT_SIZE,    /* struct opt_number, bytes: "256m" */
    OPT_NANO,    /* struct opt_number, billionths: "1.5" */
    OPT_CALL     /* call() decides; a NULL argument name makes it a switch */
};

struct opt_strings { /* v: new; the strings borrowed from argv */
    const char **v;
    size_t n;
};

struct opt_number {
    bool set;
    uint64_t value;
};

#define OPT_WHY_SIZE 512

struct opt {
    const char *name; /* without the dashes */
    const char *argument;
    const char *fallback; /* the default in words, for the help text; NULL = none */
    const char *help;
    /* OPT_CALL: 0, or -1 with a whole sentence in why. value: NULL for a switch. */
    int (*call)(void *target, const struct opt *o, const char *value, char *why, size_t size);
    size_t offset; /* in the target; unused for OPT_CALL */
    enum opt_type type;
    uint32_t min, max;
    char letter; /* 0 = none */
    bool required;
};

struct opt_table {
    const struct opt *v;
    size_t n;
    void *target;
};

/* What is left of a command line. */
struct opt_rest {
    char **operands; /* new (the array); before "--" */
    size_t n_operands;
    char **after; /* borrowed from argv: what follows "--" */
    size_t n_after;
};

/* Parses argv[0..argc) (no program name) against several tables; earlier ones win. stop_at_operand: the first
 * operand and everything behind it stay unread, in rest->after. 0, or -1 with one sentence in why: unknown
 * option (with the nearest known one), missing or unexpected argument, a value that is not what was expected,
 * an option given twice, a required one missing. Whatever it returns, opt_done(). */
int opt_parse(const struct opt_table *tables, size_t n_tables, int argc, char **argv, bool stop_at_operand,
              struct opt_rest *rest, char why[OPT_WHY_SIZE]);
void opt_done(const struct opt_table *tables, size_t n_tables, struct opt_rest *rest);

/* "  -f, --follow          Follow [default: no]", one line an option. */
void opt_print(FILE *f, const struct opt *v, size_t n);
/* "[--name NAME] [--env K=V]..." */
void opt_print_usage(FILE *f, const struct opt *v, size_t n);

/* The candidate that a word was probably meant to be, or NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *candidates, size_t n);

/* Strict numbers: the whole text. -1: not one, or out of range. */
int opt_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int opt_parse_size(const char *s, uint64_t *ret);
int opt_parse_nano(const char *s, uint64_t *ret);

#endif
