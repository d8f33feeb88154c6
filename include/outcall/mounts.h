/* outcall/mounts.h - what of the host a container may see: mount texts, the deny list, the stage that pins
 * what was checked, and the look inside afterwards. Since 0.1.0.
 *
 * In this order: outcall_mount_parse, outcall_mounts_check_targets, outcall_denylist_check for each bind
 * mount, outcall_stage_add with the descriptor it gave, and, once the container runs,
 * outcall_mounts_attest.
 *
 * Failures that a caller of the host API sees have kind OUTCALL_KIND_MOUNT_INVALID (malformed, missing) or
 * OUTCALL_KIND_MOUNT_DENIED (refused), and err->source is the source, target or text they are about. */
#ifndef OUTCALL_MOUNTS_H
#define OUTCALL_MOUNTS_H
#include "error.h"
#include "log.h"
OUTCALL_BEGIN_DECLS

#define OUTCALL_MOUNT_SPEC_MAX 8192 /* bytes of one SOURCE:TARGET[:OPTIONS]: two paths of PATH_MAX */
#define OUTCALL_MOUNTS_MAX     64   /* mounts of one container */

/* One mount a caller asks for. */
typedef struct outcall_mount {
    const char *source; /* absolute host path, or the name of a Docker volume; borrowed */
    const char *target; /* absolute path in the container; borrowed */
    int read_only;      /* 0 or 1 */
} outcall_mount;

/* Takes "SOURCE:TARGET[:OPTIONS]" apart. spec: len bytes of UTF-8 without control characters, no NUL
 * needed. SOURCE: an absolute path of any spelling ("..", "//" and symlinks are the kernel's to resolve) or
 * a volume name [a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}. TARGET: an absolute path (outcall_mounts_check_targets
 * says which). OPTIONS: a comma list out of ro, rw; neither both nor one of them twice. Nothing has a
 * colon: there is no way to quote one. buf receives a copy of the text; len + 1 bytes always suffice. *ret:
 * its pointers are borrowed until buf goes. Errors, nothing written to *ret: E_INVALID kind MOUNT_INVALID
 * (naming the part that is wrong), E_LIMIT (buf is too small, kind MOUNT_INVALID when the text is longer
 * than OUTCALL_MOUNT_SPEC_MAX). Does not look at the file system. Any thread. Source of the shape: Docker's
 * short volume syntax, less its options. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_mount_parse(const char *spec, size_t len, outcall_mount *ret,
                                                      char *buf, size_t size, outcall_error *err);

/* Does the source name a Docker volume (1) or a host path (0)? By its first character. Any thread. Since
 * 0.1.0. */
OUTCALL_API int outcall_mount_is_volume(const outcall_mount *m);

/* May these targets be mounted over, all of them together? n at most OUTCALL_MOUNTS_MAX. Each is absolute,
 * without "//", ".", ".." and a slash at its end; no two are the same; none is or lies above /run/outcall,
 * /usr/local/bin/outcall, /etc/resolv.conf, /etc/hosts, /etc/hostname; none is, lies above or lies below
 * /proc, /sys, /dev, /run/outcall. By name only: a symlink inside the image is seen by
 * outcall_mounts_attest. Errors: E_INVALID kind MOUNT_INVALID (malformed, repeated, too many), E_DENIED
 * kind MOUNT_DENIED (one of ours). Does not look at the file system. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_mounts_check_targets(const outcall_mount *mounts, size_t n,
                                                               outcall_error *err);

/* Protected host objects: the names are fixed once it is built, what they stand for is looked up anew in
 * each check. Shareable between threads. */
typedef struct outcall_denylist outcall_denylist;

#define OUTCALL_DENYLIST_PATHS_MAX      256    /* added paths */
#define OUTCALL_DENYLIST_WALK_N         100000 /* default of max_walk_n */
#define OUTCALL_DENYLIST_WALK_N_MAX     10000000
#define OUTCALL_DENYLIST_WALK_DEPTH     16 /* default of max_walk_depth */
#define OUTCALL_DENYLIST_WALK_DEPTH_MAX 64

typedef struct outcall_denylist_options {
    unsigned version;         /* 1 */
    const char *const *paths; /* added to the built-in ones, absolute; need not exist; copied */
    size_t n_paths;           /* at most OUTCALL_DENYLIST_PATHS_MAX */
    size_t
        max_walk_n; /* entries looked at below a source directory, at most ..._WALK_N_MAX; 0 = ..._WALK_N */
    unsigned max_walk_depth; /* levels below it, at most ..._WALK_DEPTH_MAX; 0 = ..._WALK_DEPTH */
    outcall_log *log;        /* may be NULL; one reference is kept */
} outcall_denylist_options;
#define OUTCALL_DENYLIST_OPTIONS_INIT \
    {                                 \
        1, NULL, 0, 0, 0, NULL        \
    }

/* Builds a list from the built-in paths (the sockets, runtime directories and data roots of Docker,
 * containerd, Podman, CRI-O, BuildKit, libvirt, D-Bus, systemd, LXD and their like, of root and of users;
 * /proc, /sys, /dev) and those of opts, which may be NULL. Put in what is yours: the daemon's runtime,
 * state and rules directories, its configuration file, and the socket of the engine in use. Nothing takes a
 * built-in path away. *ret: new, one reference, outcall_denylist_unref. Errors: E_INVALID (ret is NULL,
 * unknown version, a path that is not absolute or has control characters, a limit out of range),
 * E_NO_MEMORY. Does not look at the file system. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_denylist_new(outcall_denylist **ret,
                                                       const outcall_denylist_options *opts,
                                                       outcall_error *err);

/* One more reference; NULL stays NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_denylist *outcall_denylist_ref(outcall_denylist *l);

/* Gives one reference back; the last one frees. NULL is allowed. Returns NULL. Any thread. Since 0.1.0. */
OUTCALL_API outcall_denylist *outcall_denylist_unref(outcall_denylist *l);

/* Is this one of the protected names, letter for letter (1) or not (0)? For a program that wants to be sure
 * that what it must protect is in. Any thread. Since 0.1.0. */
OUTCALL_API int outcall_denylist_has(const outcall_denylist *l, const char *path);

/* May the host path m->source be shown to a container? Refused is a source that is a protected object, lies
 * below one or is an ancestor of one (also of the place where a missing one would be made), by identity
 * (st_dev, st_ino) and by place in its file system, whatever its name; that is neither a regular file nor a
 * directory; that belongs to a file system of the kernel (proc, sysfs, cgroup, ...); below which a hard
 * link to a protected object, or a socket with several names, is found, or more than the limits allow to
 * look at; and whatever cannot be resolved. 0: allowed, and *ret_pin_fd (new, O_PATH, close-on-exec) is
 * exactly what was looked at: mount that, never the path again. m->read_only makes no difference: a
 * read-only socket can be connected to. m->target is not looked at. Errors, *ret_pin_fd untouched,
 * err->source = the source: E_DENIED kind MOUNT_DENIED (`bind mount denied: "SOURCE" is on the deny list`,
 * `... exposes protected path "PATH"`, or why it could not be resolved), E_NOT_FOUND kind MOUNT_INVALID
 * (does not exist), E_INVALID kind MOUNT_INVALID (not an absolute path), E_SYSTEM, E_NO_MEMORY. Blocks as
 * long as the file system does: up to max_walk_n entries are read. What is allowed is not recursive: mounts
 * below the source are not searched and must not be shown (outcall_stage_add leaves them out). Any thread.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_denylist_check(const outcall_denylist *l, const outcall_mount *m,
                                                         int *ret_pin_fd, outcall_error *err);

/* One container's pinned mounts, at STAGE_DIR/CONTAINER/0, 1, ...; survives the process that made it. One
 * thread at a time. */
typedef struct outcall_stage outcall_stage;

/* Tries on the spot whether stages can be made in stage_dir: makes one, mounts, checks, removes. Needs root
 * (CAP_SYS_ADMIN) and Linux 5.12. Errors as outcall_stage_new and outcall_stage_add; E_UNSUPPORTED where
 * the kernel or the privileges are missing. Says nothing about the engine: it must live in the same mount
 * namespace (outcall_mounts_same_namespace). Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_supported(const char *stage_dir, outcall_error *err);

/* Makes an empty stage. stage_dir: absolute and clean; made (0700) when only its last component is missing;
 * refused when it is a symlink, belongs to somebody else or can be entered by others. container: a name
 * [a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}. *ret: new, outcall_stage_free. Errors: E_INVALID, E_DENIED (stage_dir
 * is not safe), E_EXISTS (there is a stage of that name), E_SYSTEM, E_NO_MEMORY; nothing is left behind.
 * Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_new(outcall_stage **ret, const char *stage_dir,
                                                    const char *container, outcall_error *err);

/* Finds the stage an earlier process made. *ret: new, outcall_stage_free; outcall_stage_add counts on where
 * it ended. Errors: as outcall_stage_new, but E_NOT_FOUND (no such stage) for E_EXISTS. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_open(outcall_stage **ret, const char *stage_dir,
                                                     const char *container, outcall_error *err);

/* Mounts what pin_fd refers to (from outcall_denylist_check; stays yours) into the stage: the object
 * itself, without mounts below it, private, nosuid, nodev, read-only when asked. *ret_path: what the engine
 * is told as the source; borrowed until s is freed. Errors, the stage as it was: E_LIMIT
 * (OUTCALL_MOUNTS_MAX), E_UNSUPPORTED (kernel or privileges), E_DENIED kind MOUNT_DENIED (what got mounted
 * is not what was pinned, or it is neither file nor directory), E_SYSTEM, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_add(outcall_stage *s, int pin_fd, int read_only,
                                                    const char **ret_path, outcall_error *err);

/* What must be found mounted where a container was given path. target: borrowed, stays as it was for the
 * look-ups of outcall_stage_expect. dev, ino: as stat() gives them. */
typedef struct outcall_expected_mount {
    const char *target; /* absolute path in the container */
    dev_t dev;
    ino_t ino;
    int is_tmpfs;  /* 1: a tmpfs of the container's own; dev and ino do not matter */
    int read_only; /* 1: must be read-only; 0: may be */
} outcall_expected_mount;

/* Fills *ret (but for target) from a staged mount. path: one that outcall_stage_add gave, now or in an
 * earlier process (the engine shows it as the mount's source). Errors: E_NOT_FOUND (not a mount of this
 * stage), E_SYSTEM. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_expect(const outcall_stage *s, const char *path,
                                                       outcall_expected_mount *ret, outcall_error *err);

/* Unmounts everything and deletes the stage; never deletes through a mount, never what it did not make.
 * Containers that run keep what they have; one that is started again afterwards does not start. Also right
 * after half of it is gone; 0 when all of it is. Errors: E_SYSTEM (the stage may be half removed; call
 * again), E_BUSY (something foreign lies in it). s stays yours. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_remove(outcall_stage *s, outcall_error *err);

/* Frees the handle and leaves the mounts. NULL is allowed. Returns NULL. Since 0.1.0. */
OUTCALL_API outcall_stage *outcall_stage_free(outcall_stage *s);

/* Is this container's stage still needed (non-zero)? Must not change stages. */
typedef int (*outcall_stage_keep_fn)(const char *container, void *userdata);

/* Removes every stage that keep says no to: what a killed process left. One that cannot be removed is
 * logged (target "mounts", level warn) and passed over. Call it before the first outcall_stage_new, with no
 * other process at work in stage_dir. Returns how many were removed. A missing stage_dir is 0. Errors:
 * E_INVALID, E_DENIED (stage_dir is not safe), E_SYSTEM, E_NO_MEMORY. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_stage_cleanup(const char *stage_dir, outcall_stage_keep_fn keep,
                                                        void *userdata, outcall_log *log, outcall_error *err);

/* Compares what is mounted inside a container, seen from its init process, with what was approved: at each
 * target exactly one mount, of that identity (through a symlink of the image too, as long as that leads to
 * a place that outcall_mounts_check_targets allows), read-only when asked; and nothing else but what an
 * engine mounts by itself (root, /proc, /sys, /dev, /etc/resolv.conf, hosts, hostname, its init). init_pid:
 * State.Pid of the engine's inspect, in this process's pid namespace. v: n elements, targets all different.
 * 0: no difference. Errors: E_DENIED kind MOUNT_DENIED, err->source = the target or mount point that
 * differs; E_CLOSED: the process is gone, which is no difference; E_INVALID; E_PROTOCOL (the kernel's table
 * cannot be read); E_SYSTEM (e.g. EACCES without root); E_LIMIT; E_NO_MEMORY. Treat everything but 0 and
 * E_CLOSED as a difference. Any thread. Source of the shape: proc(5), mountinfo; what engines mount:
 * measured, tests/data/mounts. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_mounts_attest(pid_t init_pid, const outcall_expected_mount *v,
                                                        size_t n, outcall_error *err);

/* Does that process see the same mounts as this one? A stage can be handed only to an engine of which this
 * is true. 1 or 0. Errors: E_CLOSED (no such process), E_SYSTEM. Any thread. Since 0.1.0. */
OUTCALL_API OUTCALL_NODISCARD int outcall_mounts_same_namespace(pid_t pid, outcall_error *err);

OUTCALL_DEFINE_CLEANUP(outcall_denylist, outcall_denylist_unref)
OUTCALL_DEFINE_CLEANUP(outcall_stage, outcall_stage_free)
OUTCALL_END_DECLS
#endif
