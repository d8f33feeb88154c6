/* file.h - whole files: read at once, listed, and replaced at once. */
#ifndef CLI_FILE_H
#define CLI_FILE_H
#include "cli.h"

/* "-" is standard input. *ret: new, NUL-terminated. EXIT_DONE, or EXIT_FAILED and the reason is told. */
int file_read(struct cli *c, const char *path, char **ret, size_t *ret_len);

/* Puts another text in the place of a file, which keeps its mode and, where that is allowed, its owner: there
 * is always either the old one or the new one. As above. */
int file_replace(struct cli *c, const char *path, const char *data, size_t len);

bool file_is_dir(const char *path);
/* A directory's path and a name in it. *ret: new, NULL without memory. */
char *file_join(const char *dir, const char *name);
/* What a load of that directory would read, in its order: *ret: new, with *ret_n new paths. As above. */
int file_list_rules(struct cli *c, const char *dir, char ***ret, size_t *ret_n);

#endif
