/* installed.h - what was installed together with this program, for a prefix that was chosen after the build.
 */
#ifndef CLI_INSTALLED_H
#define CLI_INSTALLED_H
#include <stdbool.h>
#include <stddef.h>

/* The shim that lies where the installation of the program puts it: its path, absolute, in buf. program: a
 * symlink to the program, /proc/self/exe. False: there is none (buf is undefined), or size is too small. */
bool installed_shim(const char *program, char *buf, size_t size);

#endif
