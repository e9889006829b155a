#!/bin/bash
# What a check costs, and what each crate in it: the figures of docs/costs.md.
#
#   sudo tests/costs.sh [ROUNDS]
#
# Two network namespaces with a Redis each, one the replica of the other, with a password; the checks run beside the
# replica, in turns with the others. The least that a check can do ("floor") is built without the product's crates,
# and with each of them. Needs root, rustup's musl target, ip, redis-server, redis-cli and ss. About five minutes, most
# of it building. Leaves nothing behind but what was built.
set -eu
rounds=${1:-500}
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=$(uname -m)-unknown-linux-musl
crates='dlmalloc anyhow chrono clap humantime redis redis-parser serde_json toml'
work=$(mktemp -d)
space=costs-$$
password=a-long-password

clean_up() {
    for node in a b; do
        # Not SIGTERM: it would want to save first, into a directory that is going.
        if [ -s "$work/$node/pid" ]; then kill -KILL "$(cat "$work/$node/pid")" 2>/dev/null || :; fi
    done
    for node in a b; do ip netns del "$space-$node" 2>/dev/null || :; done
    rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

build() {
    cargo build --quiet --release --target "$target" "$@"
}

# ---------------------------------------------------------------- programs

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}
(cd "$here" && build --package keepalived-redis --bin check_redis)
mkdir -p "$work/bin"
cp "$CARGO_TARGET_DIR/$target/release/check_redis" "$work/bin/"
# With the versions of the product: its Cargo.lock, less what is not used here.
cp -r "$here/tests/costs" "$work/costs"
cp "$here/Cargo.lock" "$work/costs/"
CARGO_TARGET_DIR=$CARGO_TARGET_DIR/costs
for crate in none $crates; do
    # With the allocator that the product has.
    features=$crate,dlmalloc
    if [ "$crate" = none ]; then features=''; fi
    (cd "$work/costs" && build --bin floor --features "$features")
    cp "$CARGO_TARGET_DIR/$target/release/floor" "$work/bin/floor-$crate"
done
(cd "$work/costs" && build --bin measure)
cp "$CARGO_TARGET_DIR/$target/release/measure" "$work/bin/"

# ---------------------------------------------------------------- two nodes

on() {
    node=$1
    shift
    REDISCLI_AUTH=$password ip netns exec "$space-$node" "$@"
}
# As keepalived runs them: the password is in a file.
beside_the_replica() { ip netns exec "$space-b" "$@"; }

for node in a b; do
    ip netns add "$space-$node"
    ip -n "$space-$node" link set lo up
    mkdir -p "$work/$node"
done
ip link add eth0 netns "$space-a" type veth peer name eth0 netns "$space-b"
ip -n "$space-a" addr add 192.168.158.11/24 dev eth0
ip -n "$space-a" addr add 192.168.158.13/32 dev eth0
ip -n "$space-b" addr add 192.168.158.12/24 dev eth0
printf '%s\n' "$password" >"$work/pass"
chmod 600 "$work/pass"
for node in a b; do
    ip -n "$space-$node" link set eth0 up
    # The configuration that is shipped, with its comments.
    sed -e "/^\[auth\]/,/^\[timing\]/s|^#password_file.*|password_file = \"$work/pass\"|" \
        -e "/^\[log\]/,\$s|^#dir.*|dir = \"$work/$node\"|" "$here/redis-ha.toml.example" >"$work/$node/redis-ha.toml"
    on $node redis-server --bind 0.0.0.0 --port 6379 --requirepass $password --masterauth $password \
        --dir "$work/$node" --appendonly yes --repl-diskless-sync-delay 0 --daemonize yes \
        --pidfile "$work/$node/pid" --logfile "$work/$node/log" >/dev/null
done

# wait_for PATTERN COMMAND...: twenty seconds at most.
wait_for() {
    pattern=$1
    shift
    for _ in $(seq 400); do
        if "$@" 2>/dev/null | grep -q "$pattern"; then return 0; fi
        sleep 0.05
    done
    printf 'costs.sh: %s: no %s in 20 s\n' "$*" "$pattern" >&2
    exit 1
}
wait_for PONG on a redis-cli ping
wait_for PONG on b redis-cli ping
on b redis-cli replicaof 192.168.158.11 6379 >/dev/null
wait_for master_link_status:up on b redis-cli info replication
# The term that redis_master writes, for which --eligible asks.
on a redis-cli -x function load >/dev/null <<'LUA'
#!lua name=keepalived_redis
redis.register_function{function_name='keepalived_redis_term', callback=function() return '1 192.168.158.11:6379 0123456789abcdef0123456789abcdef01234567 2026-01-02T03:04:05.678+01:00' end, flags={'no-writes','allow-stale'}}
LUA

export KEEPALIVED_REDIS_STATE=$work/b KEEPALIVED_REDIS_CONFIG=$work/b/redis-ha.toml
check=$work/bin/check_redis
# The first run remembers what the others find unchanged.
wait_for 'in sync with' beside_the_replica "$check" --eligible -v

# ---------------------------------------------------------------- figures

bytes() { stat -c %s "$work/bin/$1"; }
value() { printf '%s\n' "$2" | sed "s/.*$1=\([0-9]*\).*/\1/"; }

# table NAMES FIRST-RESULTS: one line each, as a table of Markdown; times also as multiples of the first.
table() {
    printf '| | wall µs: median (10 %%-90 %%) | CPU µs | page faults | bytes | ÷ first: wall, CPU |\n'
    printf '|---|---|---|---|---|---|\n'
    first=''
    while IFS='|' read -r name size line; do
        case $line in *'codes={0}') ;; *) printf 'costs.sh: %s: not all runs ended with 0: %s\n' "$name" "$line" >&2 ; exit 1 ;; esac
        if [ -z "$first" ]; then first=$line; fi
        printf '| %s | %s (%s-%s) | %s | %s | %s | %s, %s |\n' "$name" "$(value wall "$line")" \
            "$(value low "$line")" "$(value high "$line")" "$(value cpu "$line")" \
            "$(value faults "$line")" "$size" \
            "$(ratio "$(value wall "$line")" "$(value wall "$first")")" \
            "$(ratio "$(value cpu "$line")" "$(value cpu "$first")")"
    done
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

printf '%s, %s CPUs, Linux %s, %s, %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
    "$(uname -r)" "$(redis-server --version | cut -d ' ' -f 3)" "$(rustc --version)"

floor=(192.168.158.12:6379 "$work/b/redis-ha.toml")
beside_the_replica "$work/bin/measure" "$rounds" "$work/bin/floor-none" "${floor[@]}" -- "$check" -- "$check" --eligible -- \
    bash -c 'ss -tnlp | grep -q 6379' >"$work/lines"
paste -d '|' - "$work/lines" <<END | table
the floor|$(bytes floor-none)
check_redis|$(bytes check_redis)
check_redis --eligible|$(bytes check_redis)
ss -tnlp piped to grep|-
END
echo

set --
for crate in none $crates; do
    set -- "$@" -- "$work/bin/floor-$crate" "${floor[@]}"
    case $crate in
        none) name='the floor' ;;
        dlmalloc) name='with dlmalloc' ;;
        *) name="with dlmalloc and $crate" ;;
    esac
    printf '%s|%s\n' "$name" "$(bytes "floor-$crate")" >>"$work/names"
done
shift
beside_the_replica "$work/bin/measure" "$rounds" "$@" >"$work/lines"
paste -d '|' "$work/names" "$work/lines" | table
echo

printf 'Peak memory, kB:'
peak() { printf ' %s %s;' "$1" "$(value peak "$(shift && beside_the_replica "$work/bin/measure" 5 "$@")")"; }
peak 'the floor' "$work/bin/floor-none" "${floor[@]}"
peak check_redis "$check"
peak 'check_redis --eligible' "$check" --eligible
echo
