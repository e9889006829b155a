#!/bin/bash
# The Debian package, as dpkg installs, upgrades and removes it.
#
#   tests/package.sh [--bin-dir DIR] [NAME...]
#
# Builds it with contrib/package.sh, and plays each test of package/checks.sh on a
# machine of its own (tests/install/machine.sh): the real dpkg with the packages of
# this machine, below overlays, so that this machine stays as it is. Needed: root,
# Debian, keepalived. NAME runs the tests alone whose names contain it. Without
# --bin-dir the programs are built first. Ends with "N passed, N failed"; exit code
# 1 on a failure.
set -uo pipefail
# shellcheck source=tests/needs.sh
. "$(dirname -- "$0")/needs.sh"
# shellcheck source=tests/package/build.sh
. "$tree/tests/package/build.sh"

bin_dir=
if [ "${1:-}" = --bin-dir ]; then
    bin_dir=${2:-}
    if [ ! -d "$bin_dir" ]; then die "usage: tests/package.sh [--bin-dir DIR] [NAME...]"; fi
    shift 2
fi
if [ "$(id -u)" != 0 ]; then die "not root: run it with sudo"; fi
exec </dev/null

scratch=''
finish() {
    local code=$?
    allow_starts
    if [ -n "$scratch" ]; then rm -rf -- "$scratch"; fi
    exit $code
}
trap finish EXIT
trap 'exit 124' HUP INT TERM

install_packages keepalived:keepalived dpkg-deb:dpkg xz:xz-utils man:man-db zsh:zsh fish:fish unshare:util-linux ip:iproute2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/keepalived-redis-package.XXXXXX") || die "making a directory below ${TMPDIR:-/tmp}: full?"
chmod 755 "$scratch"
began=$SECONDS
build_packages "$scratch" "$bin_dir"
say "built in $((SECONDS - began)) s"
export SOURCE=$tree BIN_DIR='' DEB=$scratch/package.deb NEXT=$scratch/next.deb

passed=0 failed=0
while read -r test; do
    if [ $# -gt 0 ]; then
        wanted=0
        for word in "$@"; do case $test in *"$word"*) wanted=1 ;; esac; done
        if [ $wanted = 0 ]; then continue; fi
    fi
    timeout 120 unshare --mount --net --uts --pid --fork --kill-child --mount-proc --propagation private \
        sh "$tree/tests/install/machine.sh" "$tree/tests/package/checks.sh" "$test" >"$scratch/output" 2>&1
    code=$?
    if [ $code = 0 ]; then
        passed=$((passed + 1))
        say "${test#test_} ... ok"
    else
        failed=$((failed + 1))
        say "${test#test_} ... FAILED (exit code $code)"
        sed 's/^/    /' "$scratch/output"
    fi
done < <(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$tree/tests/package/checks.sh")
say "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
