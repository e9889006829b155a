# shellcheck shell=bash
# What the tests and the demo need: packages, Rust, and a kernel that lets root
# make hosts. Sourced by tests/run.sh and demo.sh.

# The source tree.
tree=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
# A user's PATH may lack the sbin directories.
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# Nothing of the caller's own may change what is built or tried.
unset RUSTFLAGS MAKEFLAGS LAB_BIN_DIR KEEPALIVED_REDIS_CONFIG KEEPALIVED_REDIS_STATE REDISCLI_AUTH

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# ------------------------------------------------------------------ packages

POLICY=/usr/sbin/policy-rc.d
policy_is_ours=0

# Debian starts a service as soon as it is installed, unless this file says no
# (101). One that is there already is the machine's own and stays.
forbid_starts() {
    if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then return 0; fi
    printf '#!/bin/sh\n# Made by %s for one installation, and removed after it.\nexit 101\n' "$0" >"$POLICY"
    policy_is_ours=1
    chmod 755 "$POLICY"
}
allow_starts() {
    if [ "$policy_is_ours" = 1 ]; then rm -f -- "$POLICY"; fi
    policy_is_ours=0
}

has_command() { command -v "$1" >/dev/null 2>&1; }

# install_packages COMMAND:PACKAGE...: the packages whose command is missing.
# They are not started now, and not at the next boot either.
install_packages() {
    local pair package missing=() services=() log
    for pair in "$@"; do
        package=${pair#*:}
        if has_command "${pair%%:*}"; then continue; fi
        case " ${missing[*]} " in *" $package "*) ;; *) missing+=("$package") ;; esac
    done
    if [ ${#missing[@]} = 0 ]; then return 0; fi
    if ! has_command apt-get; then
        die "looking for ${missing[*]}: not installed, and this is no Debian: install them, or what they are called here"
    fi
    for package in "${missing[@]}"; do
        case $package in keepalived | redis-server | redis-sentinel) services+=("$package") ;; esac
    done
    say "installing ${missing[*]}"
    log=$(mktemp)
    forbid_starts
    if ! {
        DEBIAN_FRONTEND=noninteractive apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
    } >"$log" 2>&1 </dev/null; then
        allow_starts
        tail -n 30 "$log" >&2
        rm -f -- "$log"
        die "installing ${missing[*]}: apt-get failed, its last words stand above"
    fi
    allow_starts
    rm -f -- "$log"
    if [ ${#services[@]} -gt 0 ] && has_command systemctl; then
        systemctl disable "${services[@]}" >/dev/null 2>&1 </dev/null ||
            say "note: systemctl disable ${services[*]} failed: they may start at the next boot"
    fi
}

# ---------------------------------------------------------------------- Rust

# Who builds: the user who called sudo, where that user has cargo, so that
# nothing of root's is left in the source tree; else root.
find_cargo() {
    local home
    cargo='' build_as=''
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        home=$(getent passwd "$SUDO_USER" | cut -d : -f 6)
        if [ -x "$home/.cargo/bin/cargo" ]; then
            cargo=$home/.cargo/bin/cargo build_as=$SUDO_USER
            return 0
        fi
    fi
    for cargo in "$(command -v cargo || :)" "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" /usr/local/cargo/bin/cargo; do
        if [ -n "$cargo" ] && [ -x "$cargo" ]; then return 0; fi
    done
    die "looking for cargo: not found: install Rust (https://rustup.rs)"
}

# builder COMMAND...: runs it in the source tree, as whoever builds.
builder() (
    cd -- "$tree" || exit
    PATH=$(dirname -- "$cargo"):$PATH
    export PATH
    if [ -n "$build_as" ]; then
        HOME=$(getent passwd "$build_as" | cut -d : -f 6)
        export HOME
        unset CARGO_HOME RUSTUP_HOME CARGO_TARGET_DIR
        exec runuser -u "$build_as" -- "$@"
    fi
    exec "$@"
)

# Says in $rust which one it is.
need_rust() {
    local wanted
    find_cargo
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$tree/Cargo.toml")
    rust=$(builder rustc --version 2>/dev/null | cut -d ' ' -f 2) || rust=
    if [ -z "$rust" ]; then die "running rustc --version: failed: repair the Rust installation of ${build_as:-root}"; fi
    if [ "$(printf '%s\n%s\n' "$wanted" "$rust" | sort -V | head -n 1)" != "$wanted" ]; then
        die "looking at Rust: it is $rust, and $wanted or newer is needed: rustup update (Debian's own package is too old)"
    fi
}

# need_components NAME...: such as clippy and rustfmt.
need_components() {
    local component
    for component in "$@"; do
        if builder cargo "${component/#rustfmt/fmt}" --version >/dev/null 2>&1; then continue; fi
        say "installing $component"
        builder rustup component add "$component" >/dev/null 2>&1 </dev/null ||
            die "looking for $component: not there, and rustup component add failed: install it"
    done
}

# built_by CARGO-ARGUMENT...: says, one to a line, the programs that cargo built.
built_by() {
    builder cargo "$@" --locked --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
    return "${PIPESTATUS[0]}"
}

# ---------------------------------------------------------------- namespaces

# apart TIME SCRIPT ARGUMENT...: becomes SCRIPT, in process and mount namespaces
# of its own: whatever it starts or mounts is gone when it ends, or after TIME.
apart() {
    local limit=$1 said
    shift
    if ! said=$(unshare --mount --pid --fork --kill-child --mount-proc true 2>&1); then
        die "making namespaces: $said: a kernel that has them is needed, and a container must be --privileged"
    fi
    APART=1 exec timeout -k 30 "$limit" \
        unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$@"
}

# overlay_works DIR: can the hosts' disks lie there? In many containers the file
# system is an overlay itself, and cannot be written to by another.
overlay_works() {
    mkdir -p -- "$1/try/lower" "$1/try/upper" "$1/try/work" "$1/try/merged"
    # shellcheck disable=SC2016  # $1 is the inner shell's
    unshare --mount sh -ec 'cd "$1/try"
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
        : >merged/file' sh "$1" >/dev/null 2>&1
    local code=$?
    rm -rf -- "$1/try"
    return $code
}

# make_disk DIR: the directory of the hosts' disks; in memory where it must be.
# Call it within apart: the mount ends with it.
make_disk() {
    mkdir -p -- "$1"
    if overlay_works "$1"; then return 0; fi
    mount -t tmpfs -o mode=755 tmpfs "$1" 2>/dev/null
    if ! overlay_works "$1"; then die "mounting an overlay below $1: the kernel refuses: overlayfs is needed"; fi
    say "note: no overlay on the file system of $1: the hosts' disks are in memory"
}

# drop DIR: removes a directory of ours, the disks in memory too.
drop() {
    if [ -z "$1" ]; then return 0; fi
    umount "$1/hosts" 2>/dev/null
    rm -rf -- "$1"
}
