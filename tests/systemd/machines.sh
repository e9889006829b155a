# shellcheck shell=bash
# Where the machines are, how they boot and end, and how nothing of them is left.
# Sourced by systemd.sh. What is known of a machine stands in files below
# $scratch/disks, for every check is a process of its own.
# shellcheck disable=SC2154  # scratch, cgroup and tree are systemd.sh's

declare -A ADDRESS=([redis-a]=192.168.158.11 [redis-b]=192.168.158.12)
MACHINES='redis-a redis-b'

make_disks() {
    local name disk said
    mount -t tmpfs -o mode=755 tmpfs "$scratch/disks" || die "mounting a tmpfs: failed"
    # No service of this machine may be found by mistake.
    mount -t tmpfs -o mode=755 tmpfs /run || die "mounting a tmpfs over /run: failed"
    mkdir "$scratch/disks/try" "$scratch/disks/try"/{upper,scratch,merged}
    if ! said=$(mount -t overlay -o "lowerdir=/usr,upperdir=$scratch/disks/try/upper,workdir=$scratch/disks/try/scratch" \
        overlay "$scratch/disks/try/merged" 2>&1); then
        die "mounting an overlay over /usr: $said: a kernel with overlayfs is needed"
    fi
    umount "$scratch/disks/try/merged"
    for name in $MACHINES; do
        disk=$scratch/disks/$name
        install -d "$disk" "$disk/var" "$disk/var/"{lib,log,cache,tmp,spool}
        install -d -m 750 -o redis -g redis "$disk/var/lib/redis" "$disk/var/log/redis"
        ln -s /run "$disk/var/run"
        # With it the journal outlives a reboot.
        install -d "$disk/var/log/journal"
    done
}

# A cgroup below the one that this process is in, which root may always make.
make_cgroup() {
    local own said stale
    if ! said=$(mount -t cgroup2 cgroup2 "$scratch/cgroup" 2>&1); then
        die "mounting cgroup2: $said: systemd needs a kernel with cgroup v2, and a container must be --privileged"
    fi
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    own=$scratch/cgroup${own%/}
    # Of a run that was killed with no time to clean up: empty ones go, others stay.
    for stale in "$own"/keepalived-redis-systemd.*; do
        if grep -qs 'populated 0' "$stale/cgroup.events"; then remove_cgroup "$stale"; fi
    done
    cgroup=$own/keepalived-redis-systemd.${scratch##*.}
    if ! said=$(mkdir "$cgroup" 2>&1); then
        die "making a cgroup: $said: systemd needs one of its own"
    fi
}

remove_cgroup() { find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null; }

# The bridge, with the client's address, and a cable to each machine. None of it
# can be seen from outside.
make_switch() {
    local name
    {
        ip netns add switch &&
            ip -n switch link add bridge type bridge &&
            ip -n switch addr add 192.168.158.1/24 dev bridge &&
            ip -n switch link set bridge up
    } || die "making a bridge: failed: the kernel must have network namespaces and bridges"
    for name in $MACHINES; do
        {
            ip netns add "$name" &&
                ip -n switch link add "$name" type veth peer name eth0 netns "$name" &&
                ip -n switch link set "$name" master bridge up
        } || die "making a cable to $name: failed: the kernel must have veth"
    done
}
in_switch() { nsenter --net=/run/netns/switch "$@"; }

# ------------------------------------------------------------ machines

# boot NAME: until all that is enabled on it runs.
boot() {
    local name=$1 disk=$scratch/disks/$1 said
    is "" "$(cat "$disk/pid" 2>/dev/null)" "who runs as $name"
    mkdir -p "$cgroup/$name"
    # What a network card forgets when it has no power.
    ip -n "$name" addr flush dev eth0
    ip -n "$name" addr add "${ADDRESS[$name]}/24" dev eth0
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    # shellcheck disable=SC2016  # the inner shell's
    nsenter --net="/run/netns/$name" bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' bash "$cgroup/$name" \
        unshare --mount --pid --uts --ipc --cgroup --fork --kill-child \
        "$tree/tests/systemd/machine.sh" "$disk" "$name" "$scratch/shared" >"$disk/console" 2>&1 &
    echo $! >"$disk/keeper"
    eventually 20 "$name has systemd as pid 1" runs_systemd "$name"
    eventually 10 "systemd answers on $name" test -S "/proc/$(<"$disk/pid")/root/run/systemd/private"
    said=$(timeout 60 nsenter --target "$(<"$disk/pid")" --all --root --wd=/ systemctl is-system-running --wait 2>&1)
    is running "$said" "how $name is after its boot ($(inside "$name" systemctl --failed --plain --no-legend))"
}
runs_systemd() {
    kill -0 "$(<"$scratch/disks/$1/keeper")" 2>/dev/null || fail "$1 did not boot: $(cat "$scratch/disks/$1/console")"
    [ "$(cat "/proc/$(cat "$scratch/disks/$1/pid" 2>/dev/null)/comm" 2>/dev/null)" = systemd ]
}

# ends NAME: waits until its pid 1 is gone.
ends() {
    eventually 30 "$1 has shut down" is_off "$1"
    rm "$scratch/disks/$1/pid" "$scratch/disks/$1/keeper"
    remove_cgroup "$cgroup/$1"
}
is_off() { ! kill -0 "$(<"$scratch/disks/$1/keeper")" 2>/dev/null; }

# reboot NAME: as "systemctl reboot" does it.
reboot() {
    # It may lose its systemd in the middle of a word.
    inside "$1" systemctl reboot || :
    ends "$1"
    boot "$1"
}

# inside NAME COMMAND...: on that machine, as root.
inside() {
    local pid
    pid=$(<"$scratch/disks/$1/pid") || fail "$1 is off"
    shift
    nsenter --target "$pid" --all --root --wd=/ env -i HOME=/root LC_ALL=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
# disk NAME: what it has mounted as /, seen from here.
disk() { echo "/proc/$(<"$scratch/disks/$1/pid")/root"; }

# Whatever runs on them, and whoever booted them.
end_machines() {
    if [ ! -d "$cgroup" ]; then return 0; fi
    for _ in {1..200}; do
        # Never 0, which would be ourselves.
        find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -x '[1-9][0-9]*' | xargs -r kill -KILL 2>/dev/null
        if grep -qs 'populated 0' "$cgroup/cgroup.events"; then break; fi
        sleep 0.03
    done
    remove_cgroup "$cgroup"
}
