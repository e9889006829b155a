#!/bin/bash
# The story live, in about two minutes: sudo ./demo.sh
#
# Two hosts in namespaces of this machine, each with real keepalived and real
# Redis; a client that writes through the virtual IP; kill -9 of the Redis that
# serves; failover, failback, and the count of acknowledged and lost writes.
# Installs what is missing first (Debian). The machine's own network, Redis and
# keepalived are left alone.
set -uo pipefail
# shellcheck source=tests/needs.sh
. "$(dirname -- "$0")/tests/needs.sh"

if [ "$(id -u)" != 0 ]; then die "not root: run it with sudo"; fi
if [ -z "${APART:-}" ]; then apart 1200 "$tree/demo.sh"; fi

scratch=''
finish() {
    local code=$?
    allow_starts
    drop "$scratch"
    exit $code
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

install_packages keepalived:keepalived redis-server:redis-server redis-cli:redis-tools \
    ip:iproute2 bridge:iproute2 tc:iproute2 unshare:util-linux runuser:util-linux cc:gcc
need_rust
scratch=$(mktemp -d "${TMPDIR:-/tmp}/keepalived-redis.XXXXXX") || die "making a directory below ${TMPDIR:-/tmp}: full?"
make_disk "$scratch/hosts"
export TMPDIR=$scratch/tmp
mkdir -m 1777 "$TMPDIR"
chmod 755 "$scratch"

say "building (a minute or two the first time)"
"$tree/install.sh" --destdir "$scratch/built" </dev/null >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    die "building the programs failed, see above"
}
lab=$(built_by build --release --package lab --bin lab </dev/null 2>"$scratch/log") || {
    cat "$scratch/log" >&2
    die "building the lab failed, see above"
}
LAB_BIN_DIR=$scratch/built/usr/libexec/keepalived TMPDIR=$scratch/hosts "$lab" demo
