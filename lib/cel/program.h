/* cel/program.h - environment, program and scratch, as the parts of the engine see them. */
#ifndef CEL_PROGRAM_H
#define CEL_PROGRAM_H
#include "cel/ast.h"
#include <stdatomic.h>

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
        uint32_t kind; /* declared, OUTCALL_CEL_DYN when not */
        uint32_t elem; /* of a list, or of a map's values */
    } * v;
    uint32_t *table; /* slot + 1, by hash; a power of two */
    size_t table_size;
};
struct oc_cel_names *oc_cel_names_new(void);
struct oc_cel_names *oc_cel_names_ref(struct oc_cel_names *names);
void oc_cel_names_unref(struct oc_cel_names *names);
int oc_cel_names_find(const struct oc_cel_names *names, const char *s, size_t len); /* slot or -1 */
/* The slot, made when it is missing; OUTCALL_E_NO_MEMORY, _LIMIT. */
OC_NODISCARD int oc_cel_names_add(struct oc_cel_names *names, const char *s, size_t len, uint32_t kind,
                                  uint32_t elem);

struct oc_cel_call {
    outcall_cel_eval *ev;
    const struct oc_cel_node *node;
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

struct outcall_cel {
    atomic_uint refs;
    outcall_cel_env *env;
    struct oc_cel_names *names;
    struct oc_cel_arena arena;
    const struct oc_cel_node *root;
    const char *src;
    size_t len;
    struct oc_cel_regex *regexes; /* those of constant patterns */
};

/* One compilation: what the parser made and the steps after it fill in. Names and regexes outlive it, the
 * tree lives in its arena and borrows from src. */
struct oc_cel_build {
    outcall_cel_env *env; /* NULL: none */
    bool checked;         /* against the env's declarations */
    struct oc_cel_names *names;
    const char *src;
    size_t len;
    struct oc_cel_arena *arena;
    struct oc_cel_regex **regexes;
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
    const oc_cel_value **slots;       /* of names: NULL where nothing is bound */
    const oc_cel_value *const *fixed; /* instead of slots and bindings, or NULL */
    const oc_cel_value *locals[OC_CEL_DEPTH_CAP];
    int fatal; /* what nothing absorbs: OUTCALL_E_LIMIT, _NO_MEMORY */
    bool running;
    const outcall_cel *program;
    struct oc_cel_names *names; /* what slots was made for */
    bool stale;                 /* bindings changed since */
    struct oc_cel_binding *bound;
    size_t n_bound, cap_bound, cap_slots;
    struct oc_cel_arena scratch, kept;
    uint64_t max_steps;
    void *match_data;
    oc_cel_value result;
};

/* An error value at the node, out->kind = OC_CEL_ERROR. */
void oc_cel_error(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out, int code,
                  const char *fmt, ...) OC_PRINTF(5, 6);
void oc_cel_fatal(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *out, int code);
/* Scratch memory of the run, or NULL after oc_cel_fatal. */
OC_NODISCARD void *oc_cel_scratch(struct oc_cel_call *c, size_t size);
void oc_cel_call_error(struct oc_cel_call *c, int code, const char *fmt, ...) OC_PRINTF(3, 4);

/* The node's value: *tmp, or a constant or bound value. Never NULL. */
const oc_cel_value *oc_cel_eval_node(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp);
void oc_cel_eval_call(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp);
void oc_cel_eval_macro(outcall_cel_eval *ev, const struct oc_cel_node *node, oc_cel_value *tmp);
/* ADD ... MOD, NEG; b is NULL for NEG. */
void oc_cel_arithmetic(struct oc_cel_call *c, uint8_t op, const oc_cel_value *a, const oc_cel_value *b);

/* Names to slots, calls to functions. */
OC_NODISCARD int oc_cel_resolve(struct oc_cel_build *b);
/* An error at the node: prefix and what make the text. Returns code. */
int oc_cel_build_fail(struct oc_cel_build *b, const struct oc_cel_node *node, int code, const char *prefix,
                      const char *what);

/* Function tables. */
extern const struct oc_cel_func oc_cel_core_funcs[], oc_cel_time_funcs[], oc_cel_net_funcs[];

#endif
