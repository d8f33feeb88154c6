/* cel/program.h - environment, program and scratch, as the parts of the engine see them. */
#ifndef CEL_PROGRAM_H
#define CEL_PROGRAM_H
#include "cel/ast.h"
#include "cel/type.h"
#include <stdatomic.h>
#include <string.h>

#define OC_CEL_NAME_MAX      255
#define OC_CEL_VARIABLES_MAX 4096
#define OC_CEL_OVERLOADS_MAX 1024
#define OC_CEL_ARGS_MAX      8 /* of a function; macros and literals are not calls */
#define OC_CEL_STEPS         ((uint64_t)100000)
#define OC_CEL_MEMORY        ((size_t)4 << 20)
#define OC_CEL_MEMORY_CAP    ((size_t)1 << 30)
#define OC_CEL_TEXT_MAX      ((size_t)16 << 20)

/* Names to slots; shared by environment, programs and scratches. Frozen as soon as a second one holds it. */
struct oc_cel_names {
    atomic_uint refs;
    size_t n, cap;
    struct oc_cel_name {
        char *s;
        size_t len;
        struct oc_cel_type type; /* declared, dyn when not */
        uint32_t kind;           /* of that type */
    } * v;
    uint32_t *table; /* slot + 1, by hash; a power of two */
    size_t table_size;
};
struct oc_cel_names *oc_cel_names_new(void);
struct oc_cel_names *oc_cel_names_ref(struct oc_cel_names *names);
void oc_cel_names_unref(struct oc_cel_names *names);
int oc_cel_names_find(const struct oc_cel_names *names, const char *s, size_t len); /* slot or -1 */
/* The slot, made when it is missing; type: NULL for dyn. OUTCALL_E_NO_MEMORY, _LIMIT. */
OC_NODISCARD int oc_cel_names_add(struct oc_cel_names *names, const char *s, size_t len,
                                  const struct oc_cel_type *type);

struct oc_cel_call {
    outcall_cel_eval *ev;
    uint32_t pos;      /* in the source, for errors */
    const void *extra; /* what the compiler prepared: see struct oc_cel_node */
    const oc_cel_value *const *args;
    size_t n;
    oc_cel_value *out;
};

enum { OC_CEL_GLOBAL = 1, OC_CEL_MEMBER = 2 };

struct oc_cel_func {        /* one overload; those of one name stand together */
    const char *name, *sig; /* kinds of the arguments, ':', kind of the result: see oc_cel_kind_letter */
    uint8_t style;
    void (*impl)(struct oc_cel_call *c);
};
/* The first standard overload of that name and style, or NULL. */
const struct oc_cel_func *oc_cel_func_find(const char *s, size_t len, uint8_t style);
/* n null, b bool, i int, u uint, d double, s string, y bytes, l list, m map, t timestamp, r duration, T type,
 * p IP, c CIDR, * any. */
char oc_cel_kind_letter(uint32_t kind);
uint32_t oc_cel_letter_kind(char letter);

struct oc_cel_custom {
    char *name, *sig;
    char *types; /* sig with the elements of lists and maps in it: for the check */
    uint8_t style;
    outcall_cel_fn fn;
    void *userdata;
};

struct outcall_cel_env {
    atomic_uint refs;
    atomic_bool frozen;
    bool unchecked;
    char *container;
    struct oc_cel_names *names;
    struct oc_cel_custom *custom;
    size_t n_custom;
};

/* What runs: an expression as one row of 32-bit words, an instruction inside of the one that needs it.
 *
 *   w[0]  enum oc_cel_op or oc_cel_code_op, below 8 bits of it the number of words, operands included
 *   w[1]  place in the source
 *   ...   what the instruction needs (see emit.c), then the instructions of its operands
 *
 * Text is two words, offset and length in the source. */
struct oc_cel_code {
    const char *src;
    uint32_t len;
    uint32_t w[];
};
#define OC_CEL_REG_LOCAL ((uint32_t)1 << 31)

/* Beyond enum oc_cel_op: a variable against a constant, which is what most of every rule is made of. w[1] is
 * the variable's place, w[2] the variable, a slot or with OC_CEL_REG_LOCAL a local. Only for text as the
 * source has it, without escapes. Those that may be wrong by themselves have their own place in w[5]. */
enum oc_cel_code_op {
    OC_CEL_EQ_STRING = OC_CEL_COLLECT + 1, /* text in w[3] */
    OC_CEL_NE_STRING,
    OC_CEL_EQ_INT, /* an int64_t in w[3] and w[4] */
    OC_CEL_NE_INT,
    OC_CEL_IN_STRINGS, /* w[3] texts from w[4] on */
    OC_CEL_STRING_IN,  /* the text in w[3] is an element of the variable */
    OC_CEL_STARTS,     /* with the text in w[3] */
    OC_CEL_ENDS,
};

/* What codes of one environment share, and their memory. */
struct oc_cel_unit {
    outcall_cel_env *env; /* NULL: none */
    struct oc_cel_names *names;
    struct oc_cel_arena arena;
    struct oc_cel_regex *regexes; /* those of constant patterns */
    struct oc_cel_zone *zones;    /* those of constant names */
};
OC_NODISCARD int oc_cel_unit_init(struct oc_cel_unit *u, outcall_cel_env *env);
void oc_cel_unit_done(struct oc_cel_unit *u);
/* src is borrowed as long as u. tree: memory for the time of the call. */
OC_NODISCARD int oc_cel_unit_compile(struct oc_cel_unit *u, struct oc_cel_arena *tree, const char *src,
                                     size_t len, const outcall_cel_limits *lim,
                                     const struct oc_cel_code **ret, uint32_t *ret_kind, outcall_error *err);

struct outcall_cel {
    atomic_uint refs;
    struct oc_cel_unit unit;
    const struct oc_cel_code *code;
};

/* One compilation: what the parser made and the steps after it fill in. Names, regexes and zones outlive it,
 * the tree lives in its arena and borrows from src. */
struct oc_cel_build {
    outcall_cel_env *env; /* NULL: none */
    bool checked;         /* against the env's declarations */
    struct oc_cel_names *names;
    const char *src;
    size_t len;
    struct oc_cel_arena *arena;
    struct oc_cel_unit *unit; /* what stays */
    struct oc_cel_node *root;
    uint32_t kind; /* of the result, OUTCALL_CEL_DYN when nobody can say */
    outcall_error *err;
};

struct oc_cel_binding {
    char *name;
    size_t len;
    oc_cel_value value;
};

struct outcall_cel_eval {
    struct oc_cel_budget budget;
    const oc_cel_value *const *slots; /* own_slots or the caller's; NULL where nothing is bound */
    const oc_cel_value **own_slots;   /* of names, made from the bindings */
    bool fixed;                       /* slots are the caller's: oc_cel_eval_slots */
    const oc_cel_value *locals[OC_CEL_DEPTH_CAP];
    int fatal; /* what nothing absorbs: OUTCALL_E_LIMIT, _NO_MEMORY */
    bool running;
    const struct oc_cel_unit *unit; /* and the code of it that runs */
    const struct oc_cel_code *code;
    struct oc_cel_names *names; /* what slots was made for */
    bool stale;                 /* bindings changed since */
    struct oc_cel_binding *bound;
    size_t n_bound, cap_bound, cap_slots;
    struct oc_cel_arena scratch, kept;
    uint64_t max_steps;
    struct oc_cel_matcher *matcher;
    oc_cel_value result;
};

/* An error value at the place, out->kind = OC_CEL_ERROR. */
void oc_cel_error(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, int code, const char *fmt, ...)
    OC_PRINTF(5, 6);
void oc_cel_fatal(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, int code);
void oc_cel_not_bool(outcall_cel_eval *ev, uint32_t pos, oc_cel_value *out, const oc_cel_value *found);
/* Scratch memory of the run, or NULL after oc_cel_fatal. */
OC_NODISCARD void *oc_cel_scratch(struct oc_cel_call *c, size_t size);
void oc_cel_call_error(struct oc_cel_call *c, int code, const char *fmt, ...) OC_PRINTF(3, 4);

/* The instruction's value: *tmp, or a constant or bound value. Never NULL. */
const oc_cel_value *oc_cel_eval_word(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp);
/* The same where a bool is wanted: 1, 0, or -1 and *tmp is an error. */
int oc_cel_eval_truth(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp);
/* The variable's value, or *tmp, an error at pos. */
const oc_cel_value *oc_cel_slot_value(outcall_cel_eval *ev, uint32_t slot, uint32_t pos, oc_cel_value *tmp);
void oc_cel_eval_call(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp);
void oc_cel_eval_macro(outcall_cel_eval *ev, const uint32_t *w, oc_cel_value *tmp);

static inline const uint32_t *oc_cel_word_next(const uint32_t *w)
{
    return w + (w[0] >> 8);
}
static inline const void *oc_cel_word_pointer(const uint32_t *w)
{
    const void *p = NULL;
    memcpy(&p, w, sizeof(p));
    return p;
}
static inline struct oc_cel_text oc_cel_word_text(const struct oc_cel_code *code, const uint32_t *w)
{
    return (struct oc_cel_text){code->src + w[0], w[1]};
}

/* ADD ... MOD, NEG; b is NULL for NEG. */
void oc_cel_arithmetic(struct oc_cel_call *c, uint8_t op, const oc_cel_value *a, const oc_cel_value *b);

/* outcall_cel_run_bool, for any code. */
OC_NODISCARD int oc_cel_run_truth(outcall_cel_eval *ev, const struct oc_cel_unit *u,
                                  const struct oc_cel_code *code, bool *ret, outcall_error *err);

/* Names to slots, calls to functions. */
OC_NODISCARD int oc_cel_resolve(struct oc_cel_build *b);
/* Types, where b->checked; b->kind. OUTCALL_E_TYPE. What it lets pass may still meet other types than were
 * declared: who binds the variables is not checked. */
OC_NODISCARD int oc_cel_check(struct oc_cel_build *b);
/* An error at the node: prefix and what make the text. Returns code. */
int oc_cel_build_fail(struct oc_cel_build *b, const struct oc_cel_node *node, int code, const char *prefix,
                      const char *what);

/* The tree to words, in the unit's memory. */
OC_NODISCARD int oc_cel_emit(struct oc_cel_build *b, const struct oc_cel_code **ret);

/* Function tables. */
extern const struct oc_cel_func oc_cel_core_funcs[], oc_cel_time_funcs[], oc_cel_net_funcs[];

#endif
