#!/bin/bash
# Who is at the other end of a socket, on machines that this one is not: pure cgroup v2, pure v1, and both, on a kernel
# before 6.5, which knows no SO_PEERPIDFD. Boots Debian's kernel under emulation with nothing in it but the unit tests.
# Usage: cgroups.sh BUILD
set -euo pipefail

build=$1
programs=(test_identity test_agent_api)
need=$(command -v qemu-system-x86_64 && command -v busybox && compgen -G '/boot/vmlinuz-6.1.*') || {
    echo "qemu-system-x86, busybox-static or linux-image-cloud-amd64 is not installed: skipped"
    [ "${OUTCALL_TESTS_MUST_WORK:-}" != 1 ] || exit 1
    exit 77
}
kernel=$(tail -n 1 <<<"$need")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# with_libraries PROGRAM: into the root, beside all it loads.
with_libraries()
{
    local file
    cp "$1" "$dir/root/bin/"
    for file in $(ldd "$1" | grep -o '/[^ ]*'); do
        mkdir -p "$dir/root${file%/*}"
        cp -L "$file" "$dir/root$file"
    done
}

mkdir -p "$dir"/root/{bin,dev,mnt,proc,sys,tmp}
cp "$(command -v busybox)" "$dir/root/bin/busybox"
for program in "${programs[@]}"; do
    with_libraries "$build/tests/unit/$program"
done
cat >"$dir/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin OUTCALL_TESTS_MUST_WORK=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
layout=$(sed 's/.*cgroup_layout=\([a-z0-9]*\).*/\1/' /proc/cmdline)
[ "$layout" != v2 ] || mount -t cgroup2 none /sys/fs/cgroup
if [ "$layout" != v2 ]; then
    mount -t tmpfs tmp /sys/fs/cgroup
    mkdir /sys/fs/cgroup/pids /sys/fs/cgroup/memory
    mount -t cgroup -o pids none /sys/fs/cgroup/pids
    mount -t cgroup -o memory none /sys/fs/cgroup/memory
fi
if [ "$layout" = hybrid ]; then
    mkdir /sys/fs/cgroup/unified
    mount -t cgroup2 none /sys/fs/cgroup/unified
fi
echo "cgroups: $(cut -d : -f 2 /proc/self/cgroup | tr '\n' ' ')"
for program in /bin/test_*; do
    "$program"
    echo "result: ${program##*/} $?"
done
poweroff -f
END
chmod 0755 "$dir/root/init"
(cd "$dir/root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/initrd"

failed=0
# boots LAYOUT CGROUPS: and every program says that all is well; CGROUPS as /proc/self/cgroup has them there.
boots()
{
    local program
    timeout -s KILL 240 qemu-system-x86_64 -accel tcg -m 512 -nodefaults -display none -no-reboot -serial stdio \
        -kernel "$kernel" -initrd "$dir/initrd" -append "console=ttyS0 quiet panic=-1 cgroup_layout=$1" \
        </dev/null 2>&1 | tr -d '\r' >"$dir/said" || echo "the machine with $1 did not end by itself"
    sed 's/^.*cgroups: /cgroups: /' "$dir/said" >"$dir/lines"
    for line in "cgroups: $2 " "${programs[@]/%/ 0}"; do
        grep -Fxq "$line" "$dir/lines" || grep -Fxq "result: $line" "$dir/lines" || {
            echo "cgroup $1: expected \"$line\":"
            cat "$dir/said"
            failed=1
            return
        }
    done
    echo "cgroup $1: ${programs[*]} pass"
}

boots v2 ""
boots v1 "memory pids"
boots hybrid "memory pids "
exit "$failed"
