# shellcheck shell=bash
# What is on the two machines, how to wait for it, and a client. Sourced by
# systemd.sh.
# shellcheck disable=SC2154  # scratch and tree are systemd.sh's

VIP=192.168.158.13
PASSWORD=a-long-password
WATCHER=keepalived-redis-watch.service
FILE=/run/keepalived-redis/redis-ha.watch
JOURNAL=/var/log/keepalived-redis/keepalived-redis-status.log

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
is() { # is WANTED GOT WHAT
    [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}
now() { date +%s.%N; }
took() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f s", to - from }'; }

# eventually SECONDS WHAT COMMAND...: waits until COMMAND succeeds.
eventually() {
    local seconds=$1 what=$2 end
    shift 2
    end=$(($(date +%s%N) + seconds * 1000000000))
    until "$@"; do
        if [ "$(date +%s%N)" -ge "$end" ]; then fail "after $seconds s still not: $what"; fi
        sleep 0.03
    done
}

# ------------------------------------------------------------ looking

redis() { # redis ADDRESS COMMAND...
    local to=$1
    shift
    REDISCLI_AUTH=$PASSWORD in_switch timeout 2 redis-cli -h "$to" "$@" 2>&1
}
# role NAME: "master", or "slave ADDRESS connected" and the like.
role() {
    local answer
    mapfile -t answer < <(redis "${ADDRESS[$1]}" role)
    case ${answer[0]:-} in
        slave) echo "slave ${answer[1]} ${answer[3]}" ;;
        *) echo "${answer[0]:-}" ;;
    esac
}
role_is() { [ "$(role "$1")" = "$2" ]; }
has_vip() { [[ $(ip -n "$1" -o addr show dev eth0) == *" $VIP/"* ]]; }
holders() {
    local name
    for name in $MACHINES; do
        if has_vip "$name"; then echo "$name"; fi
    done
}
other() { if [ "$1" = redis-a ]; then echo redis-b; else echo redis-a; fi; }
# serves NAME: the VIP is there alone, its Redis is the master, and the other one follows it.
serves() { [ "$(state "$1")" = "$1 master slave ${ADDRESS[$1]} connected" ]; }
state() { echo "$(holders | tr '\n' ' ')$(role "$1") $(role "$(other "$1")")"; }
# took_over NAME: the VIP is there and its Redis the master, whatever the other one does meanwhile.
took_over() { has_vip "$1" && [ "$(role "$1")" = master ]; }
one_has_the_vip() { [ "$(holders | wc -l)" = 1 ]; }
# nothing_moved NAME LINES: it serves, and its journal has told nothing since.
nothing_moved() {
    is "" "$(since "$1" "$2")" "what the journal of $1 tells"
    is "$1 master slave ${ADDRESS[$1]} connected" "$(state "$1")" "the VIP, and the roles"
}

property() { inside "$1" systemctl show --value --property "$3" "$2"; }
main_pid() { property "$1" "$2" MainPID; }
is_active() { [ "$(property "$1" "$2" ActiveState)" = active ]; }
restarted() { # restarted NAME UNIT PID: something else than PID runs
    is_active "$1" "$2" && [ "$(main_pid "$1" "$2")" != "$3" ]
}
# in_order NAME: the watcher was ready before keepalived was started.
in_order() {
    local ready started
    is_active "$1" "$WATCHER" || fail "the watcher does not run"
    ready=$(property "$1" "$WATCHER" ActiveEnterTimestampMonotonic)
    started=$(property "$1" keepalived InactiveExitTimestampMonotonic)
    if [ "$ready" -gt 0 ] && [ "$ready" -le "$started" ]; then return 0; fi
    fail "the watcher was ready at $ready, and keepalived started at $started"
}
# field NAME STATUS: of a /proc/PID/status.
field() { sed -n "s/^$1:[ \t]*//p" <<<"$2"; }
# CAP_SYS_RESOURCE, which some virtual machines lack.
may_lower_oom_score() { (( 0x$(field CapEff "$(cat /proc/self/status)") >> 24 & 1 )); }
# as_watcher PID COMMAND...: on redis-a, with the file systems of the watcher.
as_watcher() {
    local pid=$1
    shift
    inside redis-a nsenter --target "$pid" --mount "$@"
}
may_not_write() { # may_not_write PID FILE...
    local pid=$1 file
    shift
    for file in "$@"; do
        if as_watcher "$pid" touch "$file" 2>/dev/null; then fail "it can write $file"; fi
    done
}
file_says() { # file_says NAME 0|1|gone
    is "$2" "$(verdict "$1")" "what $FILE on $1 says"
}
verdict() { cat "$(disk "$1")$FILE" 2>/dev/null || echo gone; }
verdict_is() { [ "$(verdict "$1")" = "$2" ]; }
# told NAME: how many lines its journal has by now; since NAME LINES: those after that.
told() { awk 'END { print NR }' "$(disk "$1")$JOURNAL"; }
since() { tail -n "+$(($2 + 1))" "$(disk "$1")$JOURNAL"; }
has_told() { [ "$(grep -c -- "$2" "$(disk "$1")$JOURNAL")" -gt 0 ]; }

# What there is to know after a failure.
tell_all() {
    local name
    for name in $MACHINES; do
        echo "--- $name: $(role "$name"), VIP on: $(holders | tr '\n' ' ')"
        if [ ! -e "$scratch/disks/$name/pid" ]; then echo "off"; cat "$scratch/disks/$name/console"; continue; fi
        inside "$name" systemctl --no-pager --plain --failed --no-legend
        inside "$name" journalctl --no-pager --quiet -n 60
        tail -n 40 "$scratch/disks/$name/var/log/keepalived-redis/"*.log
        tail -n 15 "$scratch/disks/$name/var/log/redis/"*.log
    done 2>&1
}

# ------------------------------------------------------------ the client

start_writer() {
    REDISCLI_AUTH=$PASSWORD nsenter --net=/run/netns/switch \
        python3 "$tree/tests/systemd/writer.py" write "$VIP" "$scratch/acknowledged" >"$scratch/writer" 2>&1 &
    echo $! >"$scratch/writer.pid"
    eventually 5 "a write is acknowledged" test -s "$scratch/acknowledged"
}
end_writer() {
    local writer
    writer=$(cat "$scratch/writer.pid" 2>/dev/null) || return 0
    kill "$writer" 2>/dev/null || return 0
    while kill -0 "$writer" 2>/dev/null; do sleep 0.03; done
    rm -f "$scratch/writer.pid"
}
longest_gap() { awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { printf "%.0f ms", gap * 1000 }' "$scratch/acknowledged"; }
writes() { awk 'END { print NR }' "$scratch/acknowledged"; }
# A rollback file holds the keys in their own words.
lost() {
    local key
    REDISCLI_AUTH=$PASSWORD in_switch python3 "$tree/tests/systemd/writer.py" read "$VIP" "$scratch/acknowledged" >"$scratch/missing" ||
        fail "reading the writes back: failed"
    while IFS= read -r key; do
        if ! grep -aqF "$key" "$scratch"/disks/*/var/lib/keepalived-redis/rollback/*.rdb; then echo "$key"; fi
    done <"$scratch/missing"
}
