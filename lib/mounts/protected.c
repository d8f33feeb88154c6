#include "mounts/protected.h"
#include "base/str.h"

/* Spec section 4, threat T12. Directories cover what lies in them: sockets that appear later, and engines'
 * data, out of which a running container's root could be changed. /run/user holds every rootless engine's
 * socket and each user's D-Bus and systemd. /var/run is named beside /run only for hosts where it is no
 * symlink. */
const char *const oc_protected_paths[] = {
    "/proc",
    "/sys",
    "/dev",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/docker",
    "/var/lib/docker",
    "/run/snap.docker",
    "/var/snap/docker",
    "/run/containerd",
    "/var/run/containerd",
    "/var/lib/containerd",
    "/run/podman",
    "/var/run/podman",
    "/run/containers",
    "/var/lib/containers",
    "/run/crio",
    "/var/run/crio",
    "/run/cri-dockerd.sock",
    "/run/k3s",
    "/run/buildkit",
    "/var/run/buildkit",
    "/var/lib/buildkit",
    "/run/libvirt",
    "/var/run/libvirt",
    "/run/dbus",
    "/var/run/dbus",
    "/run/systemd",
    "/run/user",
    "/run/snapd.socket",
    "/var/lib/lxd",
    "/var/snap/lxd",
    "/var/lib/incus",
};
const size_t oc_protected_paths_n = OC_ARRAY_SIZE(oc_protected_paths);

bool oc_protected_fstype(const char *fstype)
{
    static const char *const types[] = {
        "autofs",     "binfmt_misc", "bpf",       "cgroup",  "cgroup2", "configfs", "debugfs", "devpts",
        "devtmpfs",   "efivarfs",    "fusectl",   "mqueue",  "nsfs",    "proc",     "pstore",  "resctrl",
        "rpc_pipefs", "securityfs",  "selinuxfs", "smackfs", "sysfs",   "tracefs",
    };
    for (size_t i = 0; i < OC_ARRAY_SIZE(types); i++)
        if (oc_streq(types[i], fstype))
            return true;
    return false;
}
