/* child.h - the one program that the shim starts, and everything that comes of it. */
#ifndef SHIM_CHILD_H
#define SHIM_CHILD_H
#include "signals.h"

struct child {
    pid_t pid; /* its group's number too; 0: not started, or reaped */
    pid_t group;
    int tty; /* the terminal whose foreground it was given, or -1 */
};

#define CHILD_INIT \
    {              \
        0, 0, -1   \
    }

/* What execve would run for name, looked up in PATH as execvp does. *ret: new. 0, or EXIT_NOT_FOUND or
 * EXIT_CANNOT with errno. */
OC_NODISCARD int child_find(const char *name, char **ret);

/* Starts path. In the child: SIGKILL when the shim dies; a process group of its own, in the
 * terminal's foreground where the shim's was; signals as the shim found them; stdio, directory and
 * environment as they are. Every orphan below it becomes the shim's. 0 or OUTCALL_E_SYSTEM with errno: then
 * nothing ran. */
OC_NODISCARD int child_start(struct child *c, const char *path, char *const *argv, const struct signals *s);

/* Reaps everything that has ended. true once c itself has: *ret_status is its wait status. */
bool child_reap(struct child *c, int *ret_status);

/* Kills and reaps every descendant, and gives the terminal back. Returns at once when there are none. false:
 * something cannot be killed, or cannot be found because there is no /proc. *ret_any: there were some. */
bool child_end_all(struct child *c, bool *ret_any);

/* The numbers of our own children from the kernel's list, or where it keeps none from a look at every
 * process: new, *ret_n of them. Both, so that each can be held against the other. OUTCALL_E_SYSTEM,
 * _NO_MEMORY. */
OC_NODISCARD int child_list(pid_t **ret, size_t *ret_n);
OC_NODISCARD int child_list_all(pid_t **ret, size_t *ret_n);

#endif
