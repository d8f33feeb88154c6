/* outcall/cel.h - the Common Expression Language, on its own: no daemon, no Docker, no global state. Since
 * 0.1.0.
 *
 * An environment says which variables and functions there are; an expression is compiled against it into a
 * program, which never changes and may be shared by any number of threads; each thread evaluates with a
 * scratch of its own (outcall_cel_eval), which holds the variables' values and the memory of the last result.
 *
 *     outcall_cel *program = NULL;
 *     outcall_cel_eval *eval = NULL;
 *     int yes = 0;
 *     outcall_error err = OUTCALL_ERROR_INIT;
 *     const char *text = "host.endsWith('.example.com') && port == 443";
 *     if (outcall_cel_compile(&program, NULL, text, strlen(text), NULL, &err) < 0 ||
 *         outcall_cel_eval_new(&eval, NULL) < 0 ||
 *         outcall_cel_bind_string(eval, "host", "api.example.com", 15) < 0 ||
 *         outcall_cel_bind_int(eval, "port", 443) < 0 ||
 *         outcall_cel_run_bool(program, eval, &yes, &err) < 0)
 *         ... err.line, err.column, err.text
 *
 * The language: https://github.com/google/cel-spec (doc/langdef.md), without messages and enums; the network
 * extension (ip, cidr, isIP, isCIDR ...) as in Kubernetes and cel-go; glob(text, pattern), chosen here: '*'
 * stands for anything but '/', '**' for anything, '?' for one character but '/', [a-z] and [!a-z] for one of
 * a set,
 * '\' takes the next character as it is; the whole text must match.
 *
 * matches() takes RE2's syntax and refuses what RE2 does not have (back-references, look-around); it gives up
 * with an evaluation error within about 10 ms of matching. Patterns that are constants are compiled once,
 * with the program. */
#ifndef OUTCALL_CEL_H
#define OUTCALL_CEL_H
#include "error.h"
OUTCALL_BEGIN_DECLS

/* What a value is. Append only. */
enum outcall_cel_kind {
    OUTCALL_CEL_NULL = 0,
    OUTCALL_CEL_BOOL = 1,
    OUTCALL_CEL_INT = 2,
    OUTCALL_CEL_UINT = 3,
    OUTCALL_CEL_DOUBLE = 4,
    OUTCALL_CEL_STRING = 5,
    OUTCALL_CEL_BYTES = 6,
    OUTCALL_CEL_LIST = 7,
    OUTCALL_CEL_MAP = 8,
    OUTCALL_CEL_TIMESTAMP = 9,
    OUTCALL_CEL_DURATION = 10,
    OUTCALL_CEL_TYPE = 11,
    OUTCALL_CEL_IP = 12,
    OUTCALL_CEL_CIDR = 13,
    OUTCALL_CEL_DYN = 14, /* no value's kind: a declaration that says nothing */
    OUTCALL_CEL_KIND_FORCE_INT = INT32_MAX
};

/* Declared variables and functions. Reference counted; frozen by the first compile that uses it, and from
 * then on usable by all threads. */
typedef struct outcall_cel_env outcall_cel_env;
/* A compiled expression: immutable, reference counted, usable by all threads at once. */
typedef struct outcall_cel outcall_cel;
/* Variables and scratch memory of one thread; reused from run to run. */
typedef struct outcall_cel_eval outcall_cel_eval;
/* A value. Borrowed from the eval it came from: see outcall_cel_run and outcall_cel_new_string. */
typedef struct outcall_cel_value outcall_cel_value;

/* What an expression may cost. 0 means the default in parentheses; the largest allowed values are in
 * brackets. Since 0.1.0. */
typedef struct outcall_cel_limits {
    unsigned version;
    size_t max_source_bytes; /* length of an expression (64 KiB) [16 MiB] */
    unsigned max_depth;      /* nesting, of the parser and of the tree it makes (128) [512] */
    uint64_t max_steps;      /* parts evaluated and elements compared in one run (100 000) [no bound] */
    size_t max_memory_bytes; /* scratch of one run, and of the bound values (4 MiB each) [1 GiB] */
} outcall_cel_limits;
#define OUTCALL_CEL_LIMITS_INIT \
    {                           \
        1, 0, 0, 0, 0           \
    }

/* A new, empty environment: yours, outcall_cel_env_unref. OUTCALL_E_INVALID (ret is NULL), _NO_MEMORY.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_env_new(outcall_cel_env **ret);
/* One more owner. NULL is allowed; returns e. Any thread. Since 0.1.0. */
OUTCALL_API outcall_cel_env *outcall_cel_env_ref(outcall_cel_env *e);
/* One owner less; the last one frees it. NULL is allowed; returns NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_cel_env *outcall_cel_env_unref(outcall_cel_env *e);

/* Declares a variable. name: a CEL identifier, or several with dots ("http.host"), at most 255 bytes. type:
 * "bool", "int", "uint", "double", "string", "bytes", "null_type", "type", "google.protobuf.Timestamp",
 * "google.protobuf.Duration", "net.IP", "net.CIDR", "dyn", "list(T)", "map(K, V)", "list", "map"; K is bool,
 * int, uint, string or dyn; at most 8 in one another. Programs are checked against it, values that are bound
 * are not.
 * OUTCALL_E_INVALID: name or type is none, e or an argument is NULL; _EXISTS: already declared; _BUSY: e is
 * in use by a program; _LIMIT: more than 4096 variables; _NO_MEMORY. Nothing changes on failure. One thread.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_env_declare(outcall_cel_env *e, const char *name,
                                                          const char *type, outcall_error *err);

/* The container (langdef, "Name Resolution"): in "a.b", the name x is looked up as a.b.x, a.x, x. name:
 * identifiers with dots, "" for none. OUTCALL_E_INVALID, _BUSY, _NO_MEMORY as above. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_env_container(outcall_cel_env *e, const char *name,
                                                            outcall_error *err);

/* Switches the check off: undeclared names are run-time errors then, as with no
 * environment at all, and declarations say nothing. OUTCALL_E_INVALID, _BUSY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_env_unchecked(outcall_cel_env *e, outcall_error *err);

/* A function of your own. args: n arguments, the receiver first, borrowed for the call, of the kinds in the
 * signature. *ret: a value of ev (outcall_cel_new_...), one of args, or part of one. Return 0, or a negative
 * OUTCALL_E_*: an evaluation error that && and || may absorb, except for OUTCALL_E_NO_MEMORY and
 * OUTCALL_E_LIMIT, which end the run. Called by whichever thread runs the program; must not run, bind or
 * reset with ev. */
typedef int (*outcall_cel_fn)(void *userdata, outcall_cel_eval *ev, const outcall_cel_value *const *args,
                              size_t n, const outcall_cel_value **ret);

/* Adds an overload of a function. name: as for variables. signature: "(string, int) -> bool" for name(a, b),
 * "string.(int) -> bool" for a.name(b); types as for variables, at most 8 arguments. The first overload that
 * fits wins, in the order of registration; standard functions come first. userdata is borrowed for the life
 * of e. OUTCALL_E_INVALID, _BUSY, _LIMIT (more than 1024 overloads), _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_env_function(outcall_cel_env *e, const char *name,
                                                           const char *signature, outcall_cel_fn fn,
                                                           void *userdata, outcall_error *err);

/* Compiles len bytes of src (UTF-8, copied). env may be NULL: no check, every name dynamic; else it is kept
 * by reference and frozen. lim may be NULL; only max_source_bytes and max_depth matter. *ret: new,
 * outcall_cel_unref. OUTCALL_E_SYNTAX: malformed; _LIMIT: too long, too deep, more than 65 536 parts;
 * _UNDECLARED: unknown variable or function (the text names the nearest known one); _TYPE: by the declared
 * types, some part of src can only be an error, or compares what is never equal ("a" == 1, but not 1 == 1.0,
 * nor what is dyn), or a constant regular expression is wrong, or a constant time zone is none of the
 * system's. These two only with an env that is checked. _INVALID: an argument is NULL, lim->version is
 * unknown or a limit too large; _NO_MEMORY. err->line and err->column (1-based; columns count code points)
 * say where, err->text what was found and expected. Reads zone files. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_compile(outcall_cel **ret, outcall_cel_env *env,
                                                      const char *src, size_t len,
                                                      const outcall_cel_limits *lim, outcall_error *err);
/* One more owner. NULL is allowed; returns c. Any thread. Since 0.1.0. */
OUTCALL_API outcall_cel *outcall_cel_ref(outcall_cel *c);
/* One owner less; the last one frees it. NULL is allowed; returns NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_cel *outcall_cel_unref(outcall_cel *c);
/* Two lines for a person: the line of src that err points at, and a caret under the column. Like snprintf:
 * writes at most size bytes with the NUL, returns the length it would have taken; 0 and "" when err has no
 * place in src. Since 0.1.0. */
OUTCALL_API int outcall_cel_caret(const char *src, size_t len, const outcall_error *err, char *buf,
                                  size_t size);

/* New scratch: yours, outcall_cel_eval_free. lim may be NULL; only max_steps and max_memory_bytes matter.
 * OUTCALL_E_INVALID, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_eval_new(outcall_cel_eval **ret, const outcall_cel_limits *lim);
/* NULL is allowed; returns NULL. Every value of ev is gone. Since 0.1.0. */
OUTCALL_API outcall_cel_eval *outcall_cel_eval_free(outcall_cel_eval *ev);
/* Forgets the bindings and every value, keeps the memory for the next round. Since 0.1.0. */
OUTCALL_API void outcall_cel_eval_reset(outcall_cel_eval *ev);

/* Give a variable its value, until outcall_cel_eval_reset or the next bind of the same name. name is copied;
 * it may have dots, and then means the variable of that very name. Text (s, len; v, n) is borrowed as long:
 * it must stay and not change; NULL with 0 is "". OUTCALL_E_INVALID: an argument is NULL, text is no UTF-8,
 * or called by a function during a run; _LIMIT: max_memory_bytes; _NO_MEMORY. The old value stays on failure.
 * One thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind_string(outcall_cel_eval *ev, const char *name,
                                                          const char *s, size_t len);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind_int(outcall_cel_eval *ev, const char *name, int64_t v);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind_bool(outcall_cel_eval *ev, const char *name, int v);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind_strings(outcall_cel_eval *ev, const char *name,
                                                           const char *const *v, size_t n);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind(outcall_cel_eval *ev, const char *name,
                                                   const outcall_cel_value *v);
/* As above, from one JSON value (copied): objects become map(string, dyn), integers int, other numbers
 * double. Also OUTCALL_E_SYNTAX with the place in json; nesting is limited to 32. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_bind_json(outcall_cel_eval *ev, const char *name,
                                                        const char *json, size_t len, outcall_error *err);

/* Make a value in ev: outside a run it lives until outcall_cel_eval_reset, inside a function until the next
 * run. Text is copied, elements (v, n; keys and values of a map in turn, 2 * pairs) are copied one level deep
 * and must be of the same ev. Keys: bool, int, uint or string, no two equal. seconds from year 1 to 9999,
 * nanos below 10^9. OUTCALL_E_INVALID, _LIMIT, _NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_null(outcall_cel_eval *ev, const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_bool(outcall_cel_eval *ev, int v,
                                                       const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_int(outcall_cel_eval *ev, int64_t v,
                                                      const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_uint(outcall_cel_eval *ev, uint64_t v,
                                                       const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_double(outcall_cel_eval *ev, double v,
                                                         const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_string(outcall_cel_eval *ev, const char *s, size_t len,
                                                         const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_bytes(outcall_cel_eval *ev, const void *s, size_t len,
                                                        const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_timestamp(outcall_cel_eval *ev, int64_t seconds,
                                                            uint32_t nanos, const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_duration(outcall_cel_eval *ev, int64_t nanos,
                                                           const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_list(outcall_cel_eval *ev,
                                                       const outcall_cel_value *const *v, size_t n,
                                                       const outcall_cel_value **ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_new_map(outcall_cel_eval *ev, const outcall_cel_value *const *v,
                                                      size_t pairs, const outcall_cel_value **ret);

/* Evaluates. *ret: borrowed from ev (or from what was bound) until its next run, reset or free. Several
 * programs may use the same ev, one after the other. An evaluation error is OUTCALL_E_NOT_FOUND (no such key,
 * index out of range), _UNDECLARED (variable without a value, unknown function), _TYPE (no such operation on
 * these types) or _INVALID (division by zero, overflow, malformed text, regular expression); _LIMIT: steps or
 * memory are used up, which nothing absorbs; _NO_MEMORY. err says what and where, as for outcall_cel_compile.
 * Never blocks, except that a time zone is read from the system's zone files; one with a constant name was
 * read when the program was compiled. One thread per ev. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_run(const outcall_cel *c, outcall_cel_eval *ev,
                                                  const outcall_cel_value **ret, outcall_error *err);
/* The same for an expression that must give a bool: *ret is 1 or 0; OUTCALL_E_TYPE when it is another kind.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_run_bool(const outcall_cel *c, outcall_cel_eval *ev, int *ret,
                                                       outcall_error *err);

/* The kind of a value (enum outcall_cel_kind); OUTCALL_E_INVALID for NULL. Since 0.1.0. */
OUTCALL_API int outcall_cel_value_kind(const outcall_cel_value *v);
/* What is in a value. Each wants the kind in its name, or gives OUTCALL_E_TYPE (OUTCALL_E_INVALID for NULL).
 * Strings: borrowed as long as v, *ret_len bytes, not always NUL-terminated. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_bool(const outcall_cel_value *v, int *ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_int(const outcall_cel_value *v, int64_t *ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_uint(const outcall_cel_value *v, uint64_t *ret);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_double(const outcall_cel_value *v, double *ret);
/* STRING, BYTES, and TYPE: its name. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_text(const outcall_cel_value *v, const char **ret,
                                                       size_t *ret_len);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_timestamp(const outcall_cel_value *v, int64_t *ret_seconds,
                                                            uint32_t *ret_nanos);
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_get_duration(const outcall_cel_value *v, int64_t *ret_nanos);
/* Number of elements of a LIST or pairs of a MAP; 0 for everything else. Since 0.1.0. */
OUTCALL_API size_t outcall_cel_count(const outcall_cel_value *v);
/* Element i of a LIST, or the value of pair i of a MAP; borrowed as long as v; NULL when there is none. Since
 * 0.1.0. */
OUTCALL_API const outcall_cel_value *outcall_cel_at(const outcall_cel_value *v, size_t i);
/* The key of pair i of a MAP, or NULL. Since 0.1.0. */
OUTCALL_API const outcall_cel_value *outcall_cel_key_at(const outcall_cel_value *v, size_t i);
/* The value as CEL would write it ("\"a\\n\"", 1u, [1, 2], timestamp("...")). Like snprintf: at most size
 * bytes with the NUL, returns the length it would have taken. OUTCALL_E_INVALID for NULL; _LIMIT beyond 16
 * MiB. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cel_value_text(const outcall_cel_value *v, char *buf, size_t size);

OUTCALL_DEFINE_CLEANUP(outcall_cel, outcall_cel_unref)
OUTCALL_DEFINE_CLEANUP(outcall_cel_env, outcall_cel_env_unref)
OUTCALL_DEFINE_CLEANUP(outcall_cel_eval, outcall_cel_eval_free)
OUTCALL_END_DECLS
#endif
