#!/bin/bash
# The product as systemd runs it: two machines, each with systemd as pid 1, on
# which install.sh is run and services are started, killed, stopped and rebooted.
#
#   tests/systemd.sh [--bin-dir DIR]
#
# A machine is a set of namespaces (tests/systemd/machine.sh) with /usr and /etc
# of this one below its own; redis-a and redis-b are joined by a bridge in a
# network namespace that leads nowhere. Needed: root, a kernel with overlayfs and
# cgroup v2, and Debian, or what needs.sh would install. Without --bin-dir the
# programs are built first, by install.sh itself. The checks stand in
# systemd/checks.sh and systemd/package.sh and are one story: the first one that
# fails ends it. Leaves nothing behind, and ends with "N passed, N failed"; exit
# code 1 on a failure. In the environment: LIMIT, the seconds for everything (500,
# with a build 1100).
set -uo pipefail
# shellcheck source=tests/needs.sh
. "$(dirname -- "$0")/needs.sh"
# shellcheck source=tests/package/build.sh
. "$tree/tests/package/build.sh"
# shellcheck source=tests/systemd/machines.sh
. "$tree/tests/systemd/machines.sh"
# shellcheck source=tests/systemd/pair.sh
. "$tree/tests/systemd/pair.sh"
# shellcheck source=tests/systemd/checks.sh
. "$tree/tests/systemd/checks.sh"
# shellcheck source=tests/systemd/package.sh
. "$tree/tests/systemd/package.sh"

bin_dir=
case $# in
    0) ;;
    2) [ "$1" = --bin-dir ] && bin_dir=$2 ;;
esac
if [ $# != 0 ] && [ ! -d "$bin_dir" ]; then
    printf 'systemd.sh: usage: tests/systemd.sh [--bin-dir DIR]\n' >&2
    exit 2
fi
if [ "$(id -u)" != 0 ]; then die "not root: run it with sudo"; fi
if [ -z "${APART:-}" ]; then apart "${LIMIT:-$([ -n "$bin_dir" ] && echo 500 || echo 1100)}" "$0" "$@"; fi
# run.sh has its own /run. What is mounted here ends with this.
if [ -z "${OWN_MOUNTS:-}" ]; then OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"; fi
exec </dev/null

scratch='' cgroup=''
finish() {
    local code=$?
    trap '' HUP INT TERM
    allow_starts
    end_writer
    end_machines
    if [ -n "$scratch" ]; then
        umount "$scratch/disks" "$scratch/cgroup" 2>/dev/null
        rm -rf -- "$scratch"
    fi
    exit $code
}
trap finish EXIT
trap 'say "FAILED${check:+ in $check}: interrupted, or out of time, after $SECONDS s"; exit 124' HUP INT TERM

install_packages keepalived:keepalived redis-server:redis-server redis-cli:redis-tools ip:iproute2 \
    ps:procps unshare:util-linux python3:python3 systemctl:systemd dpkg-deb:dpkg xz:xz-utils
if [ ! -x /lib/systemd/systemd ]; then die "looking for /lib/systemd/systemd: not there, though systemctl is: install systemd"; fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/keepalived-redis-systemd.XXXXXX") || die "making a directory below ${TMPDIR:-/tmp}: full?"
mkdir "$scratch/disks" "$scratch/cgroup" "$scratch/shared"
if [ -z "$bin_dir" ]; then
    "$tree/install.sh" --destdir "$scratch/built" >"$scratch/log" || { cat "$scratch/log"; die "building the programs: failed"; }
    bin_dir=$scratch/built/usr/libexec/keepalived
fi
mkdir "$scratch/shared/programs" "$scratch/shared/tree"
cp -- "$bin_dir"/{check_redis,redis_{master,backup,fault,stop},keepalived-redis} "$scratch/shared/programs" || die "copying the programs from $bin_dir: failed"
build_packages "$scratch/shared" "$bin_dir"
tar -C "$tree" --exclude=./target --exclude=./.git -c . | tar -C "$scratch/shared/tree" -x || die "copying $tree: failed"
make_disks
make_cgroup
make_switch

passed=0
started=$SECONDS
while read -r test; do
    check=${test#test_}
    began=$(now)
    (set -e; "$test") >"$scratch/output" 2>&1
    code=$?
    if [ $code = 0 ]; then
        passed=$((passed + 1))
        printf '%s ... ok (%s)\n' "$check" "$(took "$began")"
    else
        printf '%s ... FAILED\n' "$check"
        sed 's/^/    /' "$scratch/output"
        tell_all | sed 's/^/    /'
        say "$passed passed, 1 failed"
        exit 1
    fi
done < <(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$tree/tests/systemd/checks.sh" "$tree/tests/systemd/package.sh")
check=
say "$passed passed, 0 failed ($((SECONDS - started)) s)"
