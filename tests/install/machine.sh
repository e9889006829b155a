# shellcheck shell=sh
# One private machine, and one test on it: sh machine.sh FILE TEST, called by
# run.sh inside new namespaces. It is redis-a, 192.168.158.11 and fd00::11 on
# eth0, with keepalived and without any of the files that install.sh makes; no
# Redis is set up.
# Whatever changes on it is below $UPPER.
set -eu

fail() {
    printf 'FAILED: %s\n' "$*"
    if [ -f "$TMP/out" ]; then
        echo "the last command's output:"
        cat "$TMP/out"
    fi
    exit 1
}
skip() {
    echo "$*"
    exit 77
}

# run CODE COMMAND...: it must end with CODE; its output is kept for says.
run() {
    run_code=$1
    shift
    got=0
    "$@" >"$TMP/out" 2>&1 </dev/null || got=$?
    [ "$got" = "$run_code" ] || fail "exit code $got, not $run_code, of: $*"
}
says() { grep -qF -- "$1" "$TMP/out" || fail "the output does not say: $1"; }
says_only() {
    [ "$(cat "$TMP/out")" = "$1" ] || fail "the output is not just: $1"
}
is() { # is WANTED GOT WHAT
    [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}
absent() {
    for one in "$@"; do
        if [ -e "$one" ] || [ -L "$one" ]; then fail "$one is there"; fi
    done
}
# install ARGUMENT...: install.sh with the programs at hand.
install() { "$SOURCE/install.sh" --bin-dir "$BIN_DIR" "$@"; }
# install_pair ARGUMENT...: the same with the flags of the example's pair.
install_pair() {
    install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13 --interface eth0 \
        --password-file "$TMP/password" "$@"
}
# Everything that was changed on this machine since it began.
changes() {
    find "$UPPER" "$TMPDIR" ! -type d -printf '%p %M %u:%g %s %T@ %C@ %l\n' | sort
    find "$UPPER" "$TMPDIR" -type d -printf '%p %M %u:%g\n' | sort
}
remember() { changes >"$TMP/before"; }
nothing_changed() {
    changes >"$TMP/after"
    diff "$TMP/before" "$TMP/after" >"$TMP/diff" || fail "something changed: $(cat "$TMP/diff")"
}
refuses() { # refuses CODE SENTENCE COMMAND...
    wanted=$1 sentence=$2
    shift 2
    remember
    run "$wanted" "$@"
    says_only "install.sh: $sentence"
    nothing_changed
}
test_config() { # test_config NAME [FILE]: keepalived takes it without a word
    run 0 keepalived -t -i "$1" -f "${2:-/etc/keepalived/keepalived.conf}"
    says_only ""
}

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/machine
mount -t tmpfs -o mode=755 tmpfs /run/machine
TMP=/run/machine/test UPPER=/run/machine/upper TMPDIR=/run/machine/tmp
mkdir -p "$TMP" "$UPPER" "$TMPDIR" /run/machine/scratch
export TMP UPPER TMPDIR
for dir in etc usr var; do
    mkdir "$UPPER/$dir" "/run/machine/scratch/$dir"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$UPPER/$dir,workdir=/run/machine/scratch/$dir" "/$dir"
done
for program in check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis; do
    rm -f "/usr/local/sbin/$program" /usr/share/man/man8/"$program"*.8 "/usr/share/bash-completion/completions/$program" \
        "/usr/share/fish/vendor_completions.d/$program.fish" /usr/share/zsh/*/"_$program"
done
rm -rf /usr/libexec/keepalived /usr/share/keepalived-redis /var/log/keepalived-redis /var/lib/keepalived-redis \
    /etc/keepalived /etc/logrotate.d/keepalived-redis /etc/systemd/system/keepalived.service.d \
    /etc/redis /etc/redis.conf /etc/valkey /etc/systemd/system/redis* /etc/systemd/system/valkey* \
    /etc/systemd/system/*/redis* /etc/systemd/system/*/valkey* \
    /usr/lib/systemd/system/redis* /usr/lib/systemd/system/valkey*
mkdir /etc/keepalived
hostname redis-a
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
ip link set eth0 up
ip addr add 192.168.158.11/24 dev eth0
ip -6 addr add fd00::11/64 dev eth0 nodad 2>/dev/null || :
(umask 077 && echo s3cret >"$TMP/password")

# shellcheck source=/dev/null
. "$1"
"$2"
