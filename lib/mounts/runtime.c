#include "mounts/runtime.h"
#include "base/path.h"
#include "base/str.h"
#include <string.h>

/* Seen with Docker 20.10 and Podman 4.3, both with runc on a host with cgroup v1 and v2 side by side
 * (tests/data/mounts). Not tried: crun, other versions, a host with cgroup v2 alone; what is here for those
 * comes from reading. A mount that no rule knows is a difference: better a container too few than a door too
 * many. */

bool oc_runtime_is_of_host(const struct oc_mountinfo *host, dev_t dev)
{
    for (size_t i = 0; i < host->n; i++)
        if (host->v[i].dev == dev)
            return true;
    return false;
}

static bool is_whole(const struct oc_mount_entry *e, const char *fstype)
{
    return oc_streq(e->fstype, fstype) && oc_streq(e->root, "/");
}

/* A fresh file system, made for this container. */
static bool is_own(const struct oc_mount_entry *e, const char *fstype, const struct oc_mountinfo *host)
{
    return is_whole(e, fstype) && !oc_runtime_is_of_host(host, e->dev);
}

static const struct oc_mount_entry *at(const struct oc_mountinfo *m, const char *point)
{
    for (size_t i = 0; i < m->n; i++)
        if (oc_streq(m->v[i].point, point))
            return &m->v[i];
    return NULL;
}

/* Engines hide a file beneath a bind of /dev/null: the container's, or in a user namespace the host's. */
static bool is_null_device(const struct oc_mount_entry *e, const struct oc_mountinfo *inside)
{
    const struct oc_mount_entry *dev = at(inside, "/dev");
    if (!oc_streq(e->root, "/null"))
        return false;
    return oc_streq(e->fstype, "devtmpfs") || (dev && e->dev == dev->dev && oc_streq(e->fstype, "tmpfs"));
}

/* A piece of the container's own proc or sysfs, bound onto itself to be read-only. */
static bool is_bound_onto_itself(const struct oc_mount_entry *e, const char *top,
                                 const struct oc_mountinfo *inside)
{
    const struct oc_mount_entry *whole = at(inside, top);
    return whole && e->dev == whole->dev && oc_streq(e->root, e->point + strlen(top)) && e->read_only;
}

static bool is_mask(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                    const struct oc_mountinfo *host)
{
    return is_null_device(e, inside) || (is_own(e, "tmpfs", host) && e->read_only);
}

static bool below_proc(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                       const struct oc_mountinfo *host)
{
    return is_mask(e, inside, host) || is_bound_onto_itself(e, "/proc", inside);
}

static bool below_sys(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                      const struct oc_mountinfo *host)
{
    bool cgroup = oc_streq(e->fstype, "cgroup") || oc_streq(e->fstype, "cgroup2");
    if (oc_path_contains("/sys/fs/cgroup", e->point))
        return (cgroup && e->read_only) || (oc_streq(e->point, "/sys/fs/cgroup") && is_own(e, "tmpfs", host));
    return is_mask(e, inside, host) || is_bound_onto_itself(e, "/sys", inside);
}

/* Podman keeps a container's shm below its storage on the host, Docker does with a shareable IPC mode. */
static bool is_own_shm(const struct oc_mount_entry *e, const struct oc_mountinfo *host)
{
    if (!is_whole(e, "tmpfs"))
        return false;
    for (size_t i = 0; i < host->n; i++) {
        const char *point = host->v[i].point;
        size_t n = strlen(point);
        bool named_shm = n >= 4 && strcmp(point + n - 4, "/shm") == 0;
        if (host->v[i].dev == e->dev && (!named_shm || oc_path_contains("/dev", point)))
            return false;
    }
    return true;
}

static bool below_dev(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                      const struct oc_mountinfo *host)
{
    static const char *const nodes[] = {"/null", "/zero", "/full", "/tty", "/random", "/urandom"};
    const char *name = e->point + strlen("/dev");
    const struct oc_mount_entry *pts = at(inside, "/dev/pts");
    if (oc_streq(name, "/shm"))
        return is_own_shm(e, host);
    if (oc_streq(name, "/pts"))
        return is_own(e, "devpts", host);
    if (oc_streq(name, "/mqueue"))
        return is_own(e, "mqueue", host);
    if (oc_streq(name, "/console"))
        return pts && e->dev == pts->dev && oc_streq(e->fstype, "devpts");
    for (size_t i = 0; i < OC_ARRAY_SIZE(nodes); i++) /* in a user namespace they are bound from the host */
        if (oc_streq(name, nodes[i]))
            return oc_streq(e->fstype, "devtmpfs") && oc_streq(e->root, name);
    return is_null_device(e, inside);
}

static bool is_named_file(const struct oc_mount_entry *e)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts",
                                        "/run/.containerenv"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(files); i++) {
        const char *root_name = strrchr(e->root, '/');
        if (oc_streq(e->point, files[i]))
            return root_name && oc_streq(root_name, strrchr(files[i], '/'));
    }
    return false;
}

/* Docker's goes to /sbin, which in most images is a symlink by now: to /usr/sbin (Debian, Ubuntu, Alpine) or
 * on to /usr/bin (Fedora, Arch). */
static bool is_init(const struct oc_mount_entry *e)
{
    static const char *const points[] = {"/sbin/docker-init", "/usr/sbin/docker-init", "/usr/bin/docker-init",
                                         "/dev/init", "/run/podman-init"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(points); i++)
        if (oc_streq(e->point, points[i]))
            return e->read_only;
    return false;
}

/* Podman covers these in a container with a read-only root. */
static bool is_scratch(const struct oc_mount_entry *e, const struct oc_mountinfo *host)
{
    static const char *const points[] = {"/run", "/tmp", "/var/tmp"};
    for (size_t i = 0; i < OC_ARRAY_SIZE(points); i++)
        if (oc_streq(e->point, points[i]))
            return is_own(e, "tmpfs", host);
    return false;
}

enum oc_runtime_answer oc_runtime_mounts(const struct oc_mount_entry *e, const struct oc_mountinfo *inside,
                                         const struct oc_mountinfo *host)
{
    bool yes = false;
    if (is_named_file(e) || is_init(e))
        return OC_RUNTIME_FILE;
    if (oc_streq(e->point, "/"))
        yes = true; /* which one it is, the caller looks at */
    else if (oc_streq(e->point, "/proc"))
        yes = is_own(e, "proc", host);
    else if (oc_streq(e->point, "/sys"))
        yes = is_own(e, "sysfs", host);
    else if (oc_streq(e->point, "/dev"))
        yes = is_own(e, "tmpfs", host);
    else if (oc_path_contains("/proc", e->point))
        yes = below_proc(e, inside, host);
    else if (oc_path_contains("/sys", e->point))
        yes = below_sys(e, inside, host);
    else if (oc_path_contains("/dev", e->point))
        yes = below_dev(e, inside, host);
    else
        yes = is_scratch(e, host);
    return yes ? OC_RUNTIME_YES : OC_RUNTIME_NO;
}
