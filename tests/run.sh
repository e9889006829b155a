#!/bin/bash
# All tests: sudo ./tests/run.sh
#
#   tests/run.sh [STEP...]     all steps, or those named alone:
#                              format clippy shell programs unit install
#                              package systemd demo lab
#
# Installs what is missing first (Debian), needs no terminal, and leaves nothing
# running, mounted or lying about but target/. Stops at the first step that
# fails, with all that it said. In the environment: LIMIT, the seconds for
# everything (4800); KEEP=1 leaves the disks and logs of hosts after a failure.
set -uo pipefail
# shellcheck source=tests/needs.sh
. "$(dirname -- "$0")/needs.sh"

STEPS='format clippy shell programs unit install package systemd demo lab'
for step in "$@"; do
    case " $STEPS " in
        *" $step "*) ;;
        *) printf 'run.sh: no step %s; there are: %s\n' "$step" "$STEPS" >&2; exit 2 ;;
    esac
done
if [ "$(id -u)" != 0 ]; then die "not root: run it with sudo"; fi
if [ -z "${APART:-}" ]; then apart "${LIMIT:-4800}" "$tree/tests/run.sh" "$@"; fi

wanted=" ${*:-$STEPS} "
export CARGO_TERM_COLOR=never
exec </dev/null

scratch='' name=''
finish() {
    local code=$?
    allow_starts
    # The tests put a thing or two into target/, as root.
    if [ -n "${build_as:-}" ]; then chown -Rh --from=root:root "$build_as:" "$tree/target" 2>/dev/null; fi
    if [ $code != 0 ] && [ -n "${KEEP:-}" ]; then say "kept $scratch"; else drop "$scratch"; fi
    exit $code
}
trap finish EXIT
trap 'say "FAILED${name:+ in $name}: interrupted, or out of time, after $SECONDS s"; exit 124' HUP INT TERM

# step NAME WHAT [PATTERN]: runs step_NAME. Lines that match PATTERN are shown as
# they come; all of them when it fails.
step() {
    local began=$SECONDS code
    case $wanted in *" $1 "*) ;; *) return 0 ;; esac
    name=$1
    say "== $name: $2"
    ("step_$name") 2>&1 | tee -- "$scratch/$name.log" | grep --line-buffered -E -- "${3:-^\$.}"
    code=${PIPESTATUS[0]}
    if [ "$code" != 0 ]; then
        sed 's/^/    /' "$scratch/$name.log"
        what_failed "$scratch/$name.log"
        say "FAILED in $name (exit code $code) after $SECONDS s: $2"
        exit 1
    fi
    say "   $name: ok ($((SECONDS - began)) s)"
}

# what_failed LOG: what each failed test said, once more at the end: of a long log the end is what a
# person reads first, and what many a machine keeps.
what_failed() {
    awk '/^---- .* stdout ----$/ { lines = 40; print "" } lines-- > 0' "$1" | cut -c -220
}

# run_tests DIR THREADS BESIDE CARGO-ARGUMENT...: cargo builds the tests as the
# user who called sudo; only the tests themselves run as root, in DIR as cargo
# would. Those named in BESIDE run beside the others, two at a time of each: they
# hardly do anything but wait. So do those in LANE, one after the other.
run_tests() {
    local dir=$1 threads=$2 beside=$3 lane=$4 test name failed=0 others=() queue=()
    shift 4
    built_by test --no-run "$@" >"$scratch/tests" || return
    while IFS= read -r test; do
        name=${test##*/}
        case $test in */deps/*) ;; *) continue ;; esac
        case " $beside " in
            *" ${name%-*} "*)
                (run_test "$dir" 2 "$test" >"$scratch/beside.$name" 2>&1) &
                others+=("$!" "$scratch/beside.$name")
                ;;
        esac
        case " $lane " in *" ${name%-*} "*) queue+=("$test") ;; esac
    done <"$scratch/tests"
    if [ ${#queue[@]} -gt 0 ]; then
        (run_queue "$dir" "${queue[@]}" >"$scratch/lane" 2>&1) &
        others+=("$!" "$scratch/lane")
    fi
    while IFS= read -r test; do
        name=${test##*/}
        case $test in */deps/*) ;; *) continue ;; esac
        case " $beside $lane " in *" ${name%-*} "*) continue ;; esac
        (run_test "$dir" "$threads" "$test") || failed=1
    done <"$scratch/tests"
    set -- "${others[@]}"
    while [ $# -gt 0 ]; do
        wait "$1" || failed=1
        cat -- "$2"
        shift 2
    done
    [ -s "$scratch/tests" ] && [ $failed = 0 ]
}
run_queue() {
    local dir=$1 test failed=0
    shift
    for test in "$@"; do (run_test "$dir" 2 "$test") || failed=1; done
    return $failed
}
run_test() {
    echo "running $3"
    cd -- "$1" && CARGO_MANIFEST_DIR=$1 "$3" --test-threads "$2"
}

step_format() { builder cargo fmt --all --check -- --color never; }
step_clippy() { builder cargo clippy --workspace --all-targets --locked -- -D warnings; }
step_shell() {
    cd -- "$tree" || return
    find . -name target -prune -o -name .git -prune -o -name '*.sh' -type f -print0 |
        xargs -0 shellcheck -x .ci/run share/before-removal contrib/deb/* &&
        shellcheck --shell=sh contrib/rpm/*
}
step_programs() { "$tree/install.sh" --destdir "$scratch/built"; }
step_unit() { run_tests "$tree" 2 '' '' --package keepalived-redis --package pages; }
# From a copy: they run install.sh as nobody too, who may not enter where $tree is.
step_install() {
    mkdir "$scratch/tree" || return
    tar -C "$tree" --exclude=./target --exclude=./.git -c . | tar -C "$scratch/tree" -x || return
    "$scratch/tree/tests/install/run.sh" --bin-dir "$programs"
}
step_package() { "$tree/tests/package.sh" --bin-dir "$programs"; }
step_systemd() { "$tree/tests/systemd.sh" --bin-dir "$programs"; }
# As its user runs it, to its end; what it says of two hosts and of all writes.
step_demo() {
    local said part
    said=$("$tree/demo.sh" 2>&1) || { printf '%s\n' "$said"; return 1; }
    printf '%s\n' "$said"
    for part in 'redis-a: MASTER, redis master VIP' 'kill -9 redis' 'redis-b serves' 'redis-b: MASTER, redis master VIP' \
        'serves again' 'acknowledged; read back now: 0 lost'; do
        case $said in *"$part"*) ;; *) say "the demo did not say: $part"; return 1 ;; esac
    done
}
step_lab() {
    export LAB_BIN_DIR=$programs TMPDIR=$scratch/hosts
    # More than most machines have processors: hosts mostly wait.
    run_tests "$tree/tests/lab" 3 'sentinel sentinel_itself' \
        'servers migration drained failover_test doctor two_instances other_addresses three_nodes worth' \
        --release --package lab
}

install_packages keepalived:keepalived redis-server:redis-server redis-cli:redis-tools redis-sentinel:redis-sentinel \
    ip:iproute2 bridge:iproute2 tc:iproute2 ps:procps unshare:util-linux logrotate:logrotate systemctl:systemd \
    shellcheck:shellcheck python3:python3 pip3:python3-pip runuser:util-linux cc:gcc
need_rust
need_components rustfmt clippy
scratch=$(mktemp -d "${TMPDIR:-/tmp}/keepalived-redis.XXXXXX") || die "making a directory below ${TMPDIR:-/tmp}: full?"
make_disk "$scratch/hosts"
# For all that follows; the user who called sudo builds there too.
export TMPDIR=$scratch/tmp
mkdir -m 1777 "$TMPDIR"
chmod 755 "$scratch"
programs=$scratch/built/usr/libexec/keepalived
keepalived=$(keepalived --version 2>&1 | sed -n '1s/^Keepalived v\([^ ]*\).*/\1/p')
redis=$(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/')
say "Rust $rust${build_as:+ of $build_as}, keepalived $keepalived, Redis $redis"

step format "cargo fmt"
step clippy "cargo clippy, a warning is an error"
step shell "shellcheck of every script"
case $wanted in *' install '* | *' package '* | *' systemd '* | *' lab '*) wanted="$wanted programs " ;; esac
step programs "release build of the programs, as install.sh does it"
step unit "tests of the library, and of the manual pages" '^test result: .* [1-9][0-9]* passed|FAILED'
step install "install.sh on machines of their own" '^[0-9]+ (passed|skipped)'
step package "the Debian package, as dpkg installs, upgrades and removes it" '^[0-9]+ passed|built in'
step systemd "the units on two machines that systemd boots" '^[0-9]+ passed'
step demo "a failover and a failback, as demo.sh shows them" 'read back|without a write'
step lab "real keepalived and real Redis on hosts of their own (half an hour)" '^test '
say "all passed in $SECONDS s"
