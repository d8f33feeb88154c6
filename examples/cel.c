/* Expressions on their own. cel EXPRESSION [CONTEXT.json text]: the members of the JSON object are read as
 * the variable "context". Prints the value; exit 1 when it cannot be had, with the place. */
#include <outcall/cel.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_cel *program = NULL;
    outcall_cel_eval *eval = NULL;
    const outcall_cel_value *value = NULL;
    char text[4096];
    if (argc < 2)
        return 2;
    int r = outcall_cel_compile(&program, NULL, argv[1], strlen(argv[1]), NULL, &err);
    if (r == 0)
        r = outcall_cel_eval_new(&eval, NULL);
    if (r == 0 && argc > 2)
        r = outcall_cel_bind_json(eval, "context", argv[2], strlen(argv[2]), &err);
    if (r == 0)
        r = outcall_cel_run(program, eval, &value, &err);
    if (r == 0)
        r = outcall_cel_value_text(value, text, sizeof(text));
    if (r >= 0) {
        (void)printf("%s\n", text);
    } else {
        char caret[4096];
        (void)outcall_cel_caret(argv[1], strlen(argv[1]), &err, caret, sizeof(caret));
        (void)fprintf(stderr, "cel: %d:%d: %s\n%s\n", err.line, err.column, err.text, caret);
    }
    (void)outcall_cel_eval_free(eval);
    (void)outcall_cel_unref(program);
    return r >= 0 ? 0 : 1;
}
