#!/bin/bash
# All tests: sudo ./tests/run.sh
#
#   tests/run.sh [STEP...]     all steps, or those named alone:
#                              format clippy shell programs unit install lab
#
# Installs what is missing first (Debian), needs no terminal, and leaves nothing
# running, mounted or lying about but target/. Stops at the first step that
# fails, with all that it said. KEEP=1 leaves the disks and logs of the lab's
# hosts after a failure. LIMIT is the time for everything, in seconds.
set -uo pipefail
tree=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
# shellcheck source=tests/needs.sh
. "$tree/tests/needs.sh"

STEPS='format clippy shell programs unit install lab'
for step in "$@"; do
    case " $STEPS " in
        *" $step "*) ;;
        *) printf 'run.sh: no step %s; there are: %s\n' "$step" "$STEPS" >&2; exit 2 ;;
    esac
done
wanted=" ${*:-$STEPS} "
if [ "$(id -u)" != 0 ]; then die "not root: run it with sudo"; fi

export LC_ALL=C.UTF-8 CARGO_TERM_COLOR=never PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# Started by cargo or by make, theirs is not ours.
unset RUSTFLAGS MAKEFLAGS LAB_BIN_DIR KEEPALIVED_REDIS_CONFIG REDISCLI_AUTH
LIMIT=${LIMIT:-1740}
exec </dev/null

scratch='' running='' name=''

# Processes of the lab's hosts: their mounts lie in our directory.
left_behind() {
    local pid
    for pid in /proc/[0-9]*; do
        if grep -qF -- "$scratch/" "$pid/mountinfo" 2>/dev/null; then printf '%s\n' "${pid#/proc/}"; fi
    done
}

finish() {
    local code=$? left
    trap '' INT TERM HUP
    allow_starts
    if [ -n "$running" ]; then
        kill "$running" 2>/dev/null
        wait "$running" 2>/dev/null
    fi
    if [ -n "$scratch" ]; then
        left=$(left_behind)
        # shellcheck disable=SC2086  # one argument a process
        if [ -n "$left" ]; then kill -9 $left 2>/dev/null; fi
        if [ $code != 0 ] && [ -n "${KEEP:-}" ]; then say "kept $scratch"; else rm -rf -- "$scratch"; fi
    fi
    exit $code
}
trap finish EXIT
trap 'say "interrupted${name:+ in $name} after $SECONDS s"; exit 130' INT TERM HUP

# step NAME WHAT [PATTERN]: runs step_NAME within what is left of LIMIT. Lines
# that match PATTERN are shown as they come; all of them when it fails.
step() {
    local began=$SECONDS code=0 show=${3:-'^$.'}
    name=$1
    case $wanted in *" $1 "*) ;; *) return 0 ;; esac
    say "== $1: $2"
    (
        set -e
        "step_$1"
    ) > >(tee -- "$scratch/$1.log" | grep --line-buffered -E -- "$show") 2>&1 &
    running=$!
    (
        exec >/dev/null 2>&1
        sleep $((LIMIT > SECONDS ? LIMIT - SECONDS : 1)) &
        trap 'kill $!' TERM
        wait $!
        : >"$scratch/too-late"
        kill "$running"
    ) &
    local watchdog=$!
    wait "$running" || code=$?
    running=
    kill "$watchdog" 2>/dev/null
    wait "$watchdog" 2>/dev/null
    if [ $code = 0 ]; then
        say "   $1: ok ($((SECONDS - began)) s)"
        return 0
    fi
    sed 's/^/    /' "$scratch/$1.log"
    if [ -e "$scratch/too-late" ]; then code="no end within $LIMIT s"; else code="exit code $code"; fi
    say "FAILED in $1 ($code), after $SECONDS s: $2"
    exit 1
}
