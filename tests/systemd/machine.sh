#!/bin/bash
# machine.sh DISK NAME SHARED: becomes one machine, in namespaces that
# tests/systemd.sh has made: its root in memory, /usr and /etc of this machine
# below what the test has changed (DISK), and systemd as pid 1.
set -eu
disk=$1 name=$2 shared=$3
root=$disk/root

# As whoever started us counts: that /proc is still the one here.
read -r pid _ </proc/self/stat
echo "$pid" >"$disk/pid"

mount --make-rprivate /
mkdir -p "$root"
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root"/{proc,sys,dev,run,tmp,var,srv,root,home,old}
chmod 1777 "$root/tmp"
for dir in usr etc bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then
        cp -P "/$dir" "$root/$dir"
    elif [ -d "/$dir" ]; then
        mkdir -p "$root/$dir" "$disk/upper/$dir" "$disk/scratch/$dir"
        mount -t overlay -o "lowerdir=/$dir,upperdir=$disk/upper/$dir,workdir=$disk/scratch/$dir" overlay "$root/$dir"
    fi
done
mount --bind "$disk/var" "$root/var"
mount --bind "$shared" "$root/srv"
mount -o remount,bind,ro "$root/srv"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# What belongs to the kernel belongs to everybody: to be read only.
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for part in sys sysrq-trigger; do
    if [ ! -e "$root/proc/$part" ]; then continue; fi
    mount --bind "$root/proc/$part" "$root/proc/$part"
    mount -o remount,bind,ro "$root/proc/$part"
done
# A boot of its own, to the systemd journal and to whoever else asks.
cat /proc/sys/kernel/random/uuid >"$disk/boot_id"
mount --bind "$disk/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
# Of the cgroups, only those below its own.
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

# What is new: before the first boot no service is enabled, nor is anything of
# the product there, nor anybody's own configuration.
if [ ! -e "$disk/installed" ]; then
    rm -rf "$root"/etc/systemd "$root"/etc/{keepalived,redis,valkey,redis.conf,default/keepalived,default/redis-server} \
        "$root/etc/logrotate.d/keepalived-redis" "$root/usr/libexec/keepalived" "$root/usr/local/lib/systemd"
    # A container's own: nothing may be started.
    rm -f "$root/usr/sbin/policy-rc.d"
    rm -rf "$root/usr/share/keepalived-redis"
    rm -f "$root"/usr/local/sbin/{check_redis,redis_{master,backup,fault,stop},keepalived-redis} \
        "$root"/usr/lib/systemd/system-generators/*
    mkdir -p "$root/etc/systemd/system" "$root/etc/keepalived"
    : >"$root/etc/fstab"
    echo "$name" >"$root/etc/hostname"
    # Without one systemd takes it for the first boot and enables everything.
    echo "$name" | md5sum | cut -d ' ' -f 1 >"$root/etc/machine-id"
    # What a booting system would also start: all but these.
    for link in "$root"/usr/lib/systemd/system/*.wants/*; do
        case ${link##*/} in
            systemd-journal* | systemd-tmpfiles-setup.service) ;;
            *) rm "$link" ;;
        esac
    done
    : >"$disk/installed"
fi

cd "$root"
pivot_root . old
umount -l old
rmdir old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=namespaces \
    /lib/systemd/systemd --system --log-target=journal --show-status=false
