/* policy/load.h - one load under way. */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H
#include "policy/context.h"
#include "policy/policy.h"
#include "yaml/yaml.h"

#define OC_REFUSALS_MAX         100  /* told in one load */
#define OC_WARNINGS_MAX         1000 /* told and kept; chosen here */
#define OC_TESTS_TIMEOUT_MS     60000
#define OC_TESTS_TIMEOUT_MS_MAX 600000

/* One file's tests, kept until all rules are there. */
struct oc_test_file {
    uint32_t file;  /* text */
    oc_yaml *tests; /* owned */
};

struct oc_loader {
    struct outcall_policy *p;
    const outcall_policy_options *opts;
    outcall_error *err; /* takes the first refusal */
    int code;           /* of the first refusal; 0: none */
    size_t refused;
    bool missing;    /* the directory */
    size_t bytes;    /* of the files */
    size_t expanded; /* of their expressions, $names written out */
    size_t expanded_max;
    outcall_context *context; /* of the tests */
    struct oc_test_file *tests;
    size_t tests_n, tests_cap;
};

/* Tells a refusal, whose source is the file. 0: look for more; or the code to end the load with. */
OC_NODISCARD int oc_load_refuse(struct oc_loader *l, outcall_error *e, const char *file);
OC_NODISCARD int oc_load_warn(struct oc_loader *l, const char *file, int line, int column, const char *fmt,
                              ...) OC_PRINTF(5, 6);

/* file.c: one file's rules into the set, its tests into the loader. 0, also when something was refused and
 * told; or the code to end the load with. */
OC_NODISCARD int oc_load_file(struct oc_loader *l, const char *name, const char *data, size_t len);

/* tests.c: is it a sequence of well-formed tests? As above. tests: taken in any case. */
OC_NODISCARD int oc_tests_read(struct oc_loader *l, uint32_t file, oc_yaml *tests);
/* Runs those of all files on the finished set. As above. */
OC_NODISCARD int oc_tests_run(struct oc_loader *l);

/* keys.c: what a mapping may hold. */
struct oc_key {
    const char *name;
    bool required;
    int (*read)(void *userdata, const oc_yaml *value, outcall_error *err);
};
/* Every key is known and read, in the order of keys; what is required is there. Fails with a place. */
OC_NODISCARD int oc_keys_read(const oc_yaml *mapping, const struct oc_key *keys, size_t n, void *userdata,
                              outcall_error *err);
/* Text of 1 to max bytes, blank at its end not counted. "key "x": ..." on failure. */
OC_NODISCARD int oc_keys_text(const oc_yaml *value, size_t max, const char **ret, size_t *ret_len,
                              outcall_error *err);
/* One of the words: its number. */
OC_NODISCARD int oc_keys_word(const oc_yaml *value, const char *const *words, size_t n, outcall_error *err);
OC_NODISCARD int oc_keys_bool(const oc_yaml *value, bool *ret, outcall_error *err);
OC_NODISCARD int oc_keys_int(const oc_yaml *value, int64_t min, int64_t max, int64_t *ret,
                             outcall_error *err);
/* Is value of that type? */
OC_NODISCARD int oc_keys_type(const oc_yaml *value, enum oc_yaml_type type, outcall_error *err);
/* [A-Za-z0-9][A-Za-z0-9_.-]{0,127} */
bool oc_keys_id(const char *s, size_t len);

#endif
