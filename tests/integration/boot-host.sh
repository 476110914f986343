#!/usr/bin/env bash
# tests/integration/boot-host.sh boot ROOT: as root, boots the Debian in that directory, on this machine's
# network, with systemd as its process 1, until it is told to end by SIGTERM.
set -euo pipefail

root=$2
group=skf-host-$$


## Outside: a control group in each hierarchy that this machine has, so that systemd sees no other

hierarchies() { find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -printf '%h\n'; }

enter_groups() {
    local top
    for top in $(hierarchies); do
        mkdir "$top/$group"
        # cpuset's are of no use before they are set up; systemd does without.
        echo $$ >"$top/$group/cgroup.procs" 2>/dev/null || true
    done
}

# They are busy until the last process has died.
remove_groups() {
    local top tries
    for top in $(hierarchies); do
        echo $$ >"$top/cgroup.procs"
        for ((tries = 0; tries < 200; tries++)); do
            find "$top/$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
            [[ -e $top/$group ]] || break
            sleep 0.05
        done
    done
}

boot() {
    enter_groups
    trap 'kill -KILL "$child"' TERM INT # nothing in there is worth an orderly end
    # The host ends with this script, however it ends.
    setpriv --pdeathsig KILL \
        unshare --fork --kill-child --pid --mount --uts --ipc --cgroup "$0" inside "$root" &
    child=$!
    { wait "$child" || wait "$child" || true; } 2>/dev/null # again after the signal
    remove_groups
}


## Inside: what a booting system finds there

mount_kernel_file_systems() {
    mount -t proc -o nosuid,noexec,nodev proc "$root/proc"
    # What is set there would be set for the whole machine.
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro,nosuid,noexec,nodev sysfs "$root/sys"
}

make_devices() {
    local name
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for name in null zero full random urandom tty; do
        touch "$root/dev/$name"
        mount --bind "/dev/$name" "$root/dev/$name"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount -t tmpfs tmpfs "$root/dev/shm"
}

# As this machine has them: version 2, or the older one with a hierarchy of systemd's.
mount_groups() {
    local to=$root/sys/fs/cgroup
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        mount -t cgroup2 cgroup2 "$to"
    else
        mount -t tmpfs -o mode=755 tmpfs "$to"
        mkdir "$to/systemd"
        mount -t cgroup -o none,name=systemd,xattr cgroup "$to/systemd"
    fi
}

become_host() {
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount_kernel_file_systems
    make_devices
    mount_groups
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir "$root/run/machine"
    cd "$root"
    pivot_root . run/machine
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c \
        'umount -l /run/machine; rmdir /run/machine; exec /lib/systemd/systemd --show-status=no'
}

case $1 in
    boot) boot ;;
    inside) become_host ;;
esac
