/* notify.h - the supervisor's side channels: readiness and sockets handed in. The protocols are those of
 * sd_notify(3) and sd_listen_fds(3); written here because it is a datagram and two variables. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/* Tells the supervisor, if there is one that wants to know: "READY=1", "STOPPING=1". socket: the value of
 * $NOTIFY_SOCKET (a path, or @name for an abstract one), or NULL. 0: told, or nobody to tell; -1: it could
 * not be told, see errno. */
int notify(const char *socket, const char *state);

/* The one listening unix stream socket that was handed in: its descriptor, made close-on-exec; -1 none was;
 * -2 something else was, and *ret_why (static) says what. pid and fds: the values of $LISTEN_PID and
 * $LISTEN_FDS, or NULL. */
int notify_listen_fd(const char *pid, const char *fds, const char **ret_why);

#endif
