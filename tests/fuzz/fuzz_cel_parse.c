/* Lexer, parser and check: an expression compiles or says where it does not, twice the same; what the check
 * of the rules' variables lets through is an expression without it too, and so is every part of it. */
#include "cel/code.h"
#include "check.h"
#include "policy/fields.h"

#define PARTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_caret(const char *src, size_t len, const outcall_error *err)
{
    char text[256];
    int n = outcall_cel_caret(src, len, err, text, sizeof(text));
    if (n < 2 || strlen(text) != OC_MIN((size_t)n, sizeof(text) - 1))
        abort();
}

static int compile(outcall_cel_env *env, const char *src, size_t len, outcall_error *err)
{
    outcall_cel *program = NULL;
    *err = (outcall_error)OUTCALL_ERROR_INIT;
    int r = outcall_cel_compile(&program, env, src, len, NULL, err);
    if (r < 0) {
        if (program || (r != OUTCALL_E_SYNTAX && r != OUTCALL_E_LIMIT && r != OUTCALL_E_UNDECLARED &&
                        r != OUTCALL_E_TYPE))
            abort();
        check_error(r, err, src, len);
        check_caret(src, len, err);
    } else if (!program || err->code != 0) {
        abort();
    }
    (void)outcall_cel_unref(program);
    return r;
}

static void check_parts(const char *src, size_t len)
{
    struct oc_cel_part parts[PARTS_MAX];
    outcall_error err;
    uint32_t from = 0;
    int n = oc_cel_split(src, len, parts, PARTS_MAX);
    if (n < 1)
        abort();
    for (int i = 0; i < n && i < PARTS_MAX; i++) {
        if (parts[i].from < from || parts[i].to <= parts[i].from || parts[i].to > len ||
            compile(NULL, src + parts[i].from, parts[i].to - parts[i].from, &err) < 0)
            abort();
        from = parts[i].to;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static outcall_cel_env *env; /* frozen by the first input */
    const char *src = size > 0 ? (const char *)data : "";
    outcall_error plain, checked, again;
    if (!env && oc_fields_env(&env, NULL) < 0)
        abort();
    int r = compile(NULL, src, size, &plain);
    int c = compile(env, src, size, &checked);
    if (compile(env, src, size, &again) != c || again.line != checked.line ||
        again.column != checked.column || strcmp(again.text, checked.text) != 0)
        abort();
    if (r < 0 && c == 0)
        abort(); /* the check may only refuse */
    if (r == 0)
        check_parts(src, size);
    return 0;
}
