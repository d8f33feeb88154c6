/* outcall/identity.h - which process is at the other end of a unix socket, and where it lives. Since 0.1.0.
 *
 * Process ids are reused, so every answer about a process is given with a pidfd in hand: what /proc says is
 * believed only if the process was still alive after it was read. */
#ifndef OUTCALL_IDENTITY_H
#define OUTCALL_IDENTITY_H
#include "error.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_CGROUP_MAX 512 /* bytes of a cgroup's name, NUL included; longer ones are refused */

/* The process that made a connection, as the kernel recorded it then. */
typedef struct outcall_peer {
    int pidfd; /* new, close-on-exec, closed by outcall_peer_done */
    pid_t pid; /* as seen from this process's pid namespace; above 0 */
    uid_t uid; /* effective, at connect(), in this process's user namespace */
    gid_t gid;
} outcall_peer;
#define OUTCALL_PEER_INIT           \
    {                               \
        -1, 0, (uid_t)-1, (gid_t)-1 \
    }

/* Finds out who connected. unix_fd: a connected unix socket, borrowed. *ret: outcall_peer_done releases it.
 * From SO_PEERPIDFD (unix(7), Linux 6.5); before that SO_PEERCRED and pidfd_open, where a process that ended
 * in between and whose id was taken again goes unnoticed. Errors: E_DENIED (the peer lives outside this
 * process's pid namespace: pid 0; or it is gone already), E_UNSUPPORTED (no pidfds: Linux before 5.3),
 * E_SYSTEM (not a connected unix socket, out of descriptors), E_INVALID (ret is NULL). Does not block; any
 * thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_peer_from_fd(int unix_fd, outcall_peer *ret, outcall_error *err);

/* Closes what outcall_peer_from_fd opened; a zeroed or finished one is harmless only when its pidfd is -1
 * (OUTCALL_PEER_INIT). NULL is allowed. Since 0.1.0. */
OUTCALL_API void outcall_peer_done(outcall_peer *p);

/* Is the peer's process, still alive, in this cgroup or below it? cgroup: from outcall_cgroup_of() of the
 * container's init process. 0: yes. Errors: E_DENIED (in another one, or gone), E_INVALID (not of that form,
 * or the root, which everybody is in), E_SYSTEM (/proc cannot be read), E_LIMIT. Does not block but for
 * /proc; any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_peer_in_cgroup(const outcall_peer *p, const char *cgroup,
                                                         outcall_error *err);

/* The cgroup that tells a process's container from everybody else: "CONTROLLERS:PATH", the last two parts of
 * a line of /proc/<pid>/cgroup (cgroups(7)), so ":/system.slice/docker-1f3a.scope" where the line belongs to
 * cgroup v2 and "pids:/docker/1f3a" for v1. With several hierarchies (v1, hybrid) it is the v2 one if that
 * sets the process apart, else the first that does. size: OUTCALL_CGROUP_MAX is always enough. pid: the
 * caller knows that it is alive, before and after. Errors: E_DENIED (none of its cgroups keeps it apart from
 * this very process), E_NOT_FOUND (no such process), E_LIMIT (does not fit), E_SYSTEM (/proc), E_NO_MEMORY,
 * E_INVALID. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_cgroup_of(pid_t pid, char *ret_path, size_t size,
                                                    outcall_error *err);

/* Does the peer live in a container, any container? 1: its pid namespace is not this process's, or its mount
 * namespace is another one with another root directory; also when it cannot be told (gone, no access to its
 * /proc entries), with err filled by why. 0: neither. Errors: E_DENIED (pid 0 or below), E_INVALID. Does not
 * block but for /proc; any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_peer_is_contained(const outcall_peer *p, outcall_error *err);

#define OUTCALL_CONTAINER_ID_LEN 64 /* hex digits, without the NUL; Docker's full id */

/* Who a container is, as the daemon knows it: what a listener's requests are judged by. Plain data that
 * owns nothing. Since 0.1.0. */
typedef struct outcall_identity {
    char container_id[OUTCALL_CONTAINER_ID_LEN + 1];
    char name[128];                  /* full container name */
    char agent[128];                 /* label outcall.agent: the name's suffix */
    char image[513];                 /* as it was asked for */
    char cgroup[OUTCALL_CGROUP_MAX]; /* outcall_cgroup_of the container's init process; "" = nobody is it */
    const char *const *labels;       /* "KEY=value", those it was created with; borrowed */
    size_t n_labels;
} outcall_identity;

OUTCALL_END_DECLS
#endif
