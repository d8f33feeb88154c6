/* forms.h - the command line: what is asked for, and what is run when the answer is yes. */
#ifndef SHIM_FORMS_H
#define SHIM_FORMS_H
#include "base/base.h"
#include "outcall/protocol.h"

enum form_kind {
    FORM_NONE,
    FORM_RUN,     /* ask check, then run argv */
    FORM_CHECK,   /* ask check, print the answer */
    FORM_REQUEST, /* submit file */
    FORM_STATUS,  /* ask about the request id */
    FORM_HELP,
    FORM_VERSION
};

struct form {
    enum form_kind kind;
    outcall_check check; /* FORM_RUN, FORM_CHECK; cwd is left to who knows it, unless FORM_CHECK gave one */
    char **argv;         /* FORM_RUN: argv[0] is looked up as execvp would */
    const char *file, *id;
    const char **words;  /* new: the args of FORM_CHECK */
    outcall_pair *pairs; /* new: the metadata of FORM_CHECK */
    char *text;          /* new: what pairs' keys point into */
    char shell[3];       /* "sh", for `outcall shell` */
};

/* Reads the whole command line. What ret points to is borrowed from argv (whose "shell" may be replaced by
 * ret->shell), so ret must stay where it is. OUTCALL_E_INVALID: err->text says what is wrong with it;
 * _NO_MEMORY. Whatever it returns, form_done(). */
OC_NODISCARD int form_read(struct form *ret, int argc, char **argv, outcall_error *err);
void form_done(struct form *f);

#endif
