#!/bin/sh
# Tests of install.sh and of the files that it writes.
#
#   tests/install/run.sh [--bin-dir DIR] [NAME...]
#
# Each test is a function test_... in one of the files beside this one and runs
# on a machine of its own: private mount, network, host-name and pid
# namespaces, with overlays over /etc, /usr and /var, so this machine stays as
# it is. Root is needed for that, and keepalived. NAME runs the tests alone
# whose names contain it. Without --bin-dir the programs are built first, by
# install.sh itself. Ends with "N passed, N failed"; exit code 1 on a failure.
set -eu
tests=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
SOURCE=$(CDPATH='' cd -- "$tests/../.." && pwd)
BIN_DIR=
if [ "${1:-}" = --bin-dir ]; then
    BIN_DIR=$(CDPATH='' cd -- "$2" && pwd)
    shift 2
fi
if [ "$(id -u)" != 0 ]; then
    echo "run.sh: not root: run it with sudo" >&2
    exit 2
fi
if ! PATH=$PATH:/usr/sbin command -v keepalived >/dev/null; then
    echo "run.sh: no keepalived: apt-get install keepalived" >&2
    exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
# Programs are tried as nobody too.
chmod 755 "$scratch"

if [ -z "$BIN_DIR" ]; then
    "$SOURCE/install.sh" --destdir "$scratch/built"
    BIN_DIR=$scratch/built/usr/libexec/keepalived
fi
export SOURCE BIN_DIR

passed=0 failed=0 skipped=0
for file in "$tests"/[a-z]*.sh; do
    case $file in
        */run.sh | */machine.sh) continue ;;
    esac
    sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$file" >"$scratch/tests"
    while read -r test; do
        wanted=1
        if [ $# -gt 0 ]; then
            wanted=0
            for word in "$@"; do
                case $test in *"$word"*) wanted=1 ;; esac
            done
        fi
        if [ $wanted = 0 ]; then continue; fi
        code=0
        timeout 120 unshare --mount --net --uts --pid --fork --kill-child --mount-proc --propagation private \
            sh "$tests/machine.sh" "$file" "$test" >"$scratch/output" 2>&1 </dev/null || code=$?
        case $code in
            0) passed=$((passed + 1)) result=ok ;;
            77) skipped=$((skipped + 1)) result="skipped: $(tail -n 1 "$scratch/output")" ;;
            *) failed=$((failed + 1)) result="FAILED (exit code $code)" ;;
        esac
        printf '%s ... %s\n' "${test#test_}" "$result"
        if [ "$code" != 0 ] && [ "$code" != 77 ]; then sed 's/^/    /' "$scratch/output"; fi
    done <"$scratch/tests"
done
if [ $skipped -gt 0 ]; then echo "$skipped skipped"; fi
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
