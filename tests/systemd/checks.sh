# shellcheck shell=bash
# The checks, in their order: each begins where the one before it has ended.
# Sourced by systemd.sh.
# shellcheck disable=SC2154  # scratch and tree are systemd.sh's

# install NAME ARGUMENT...: install.sh with the programs at hand, there.
install_on() {
    local name=$1
    shift
    inside "$name" /srv/tree/install.sh --bin-dir /srv/programs "$@"
}
# As the README has it, in the fast profile.
install_pair_on() {
    install_on "$1" --nodes 192.168.158.11,192.168.158.12 --names redis-a,redis-b --vip 192.168.158.13/24 \
        --interface eth0 --password-file /root/redis.pass --boot-as-replica --profile fast
}
# redis_conf: what the README says of it, with what every redis.conf has.
redis_conf() {
    printf 'port 6379\ndir /var/lib/redis\nlogfile /var/log/redis/redis-server.log\n'
    # shellcheck disable=SC2016  # Markdown's
    sed -n '/^2\. \*\*Redis\.\*\*/,/^3\. /p' "$tree/README.md" | sed -n '/^ *```$/,/^ *```$/p' | grep -v '```'
}

test_two_machines_boot_with_systemd_as_pid_1() {
    local name
    for name in $MACHINES; do
        boot "$name"
        is "$name" "$(inside "$name" uname -n)" "the host name"
        is systemd "$(inside "$name" cat /proc/1/comm)" "pid 1"
        inside "$name" test ! -e "$scratch" || fail "$name sees the disk of this machine"
        is "inet ${ADDRESS[$name]}/24" "$(ip -n "$name" -o -4 addr show scope global | awk '{ print $3, $4 }')" "the addresses of $name"
    done
    is "" "$(ip -n switch route show default; ip -n redis-a route show default)" "the ways to somewhere else"
}

test_install_sh_installs_the_fast_profile_and_starts_the_watcher() {
    local name said
    for name in $MACHINES; do
        install -d -o redis -g redis -m 2770 "$(disk "$name")/etc/redis"
        redis_conf >"$(disk "$name")/etc/redis/redis.conf"
        chown redis:redis "$(disk "$name")/etc/redis/redis.conf"
        (umask 077 && echo "$PASSWORD" >"$(disk "$name")/root/redis.pass")
        install_pair_on "$name"
        is_active "$name" "$WATCHER" || fail "the watcher does not run"
        is enabled "$(inside "$name" systemctl is-enabled "$WATCHER")" "the watcher"
        # Redis does not run yet.
        verdict_is "$name" 1 || fail "the file says $(verdict "$name")"
        said=$(install_pair_on "$name")
        grep -qx 'nothing to change: all is as it should be' <<<"$said" || fail "run twice it says: $said"
    done
}

test_systemd_analyze_verify_has_nothing_to_say_of_the_units() {
    local name unit units
    for name in $MACHINES; do
        # By its name alone it finds no unit, and says so of the name.
        for unit in keepalived redis-server "$WATCHER" keepalived-redis.target; do
            property "$name" "$unit" FragmentPath
        done >"$scratch/units"
        is 4 "$(grep -c '^/' "$scratch/units")" "the units with a file"
        mapfile -t units <"$scratch/units"
        is "" "$(inside "$name" systemd-analyze verify "${units[@]}" 2>&1)" "what systemd-analyze verify says"
    done
}

test_redis_boots_as_a_replica_of_nobody() {
    local name
    for name in $MACHINES; do
        inside "$name" systemctl enable redis-server 2>&1
        inside "$name" systemctl restart redis-server
        eventually 5 "the Redis of $name is a replica of nobody" role_is "$name" "slave 127.0.0.1 connect"
        eventually 5 "the file of $name says 0" verdict_is "$name" 0
    done
}

test_the_watcher_is_ready_before_keepalived_starts_and_the_pair_serves() {
    local name
    for name in $MACHINES; do
        # As after a boot: the watcher is started because keepalived is.
        inside "$name" systemctl stop "$WATCHER"
        inside "$name" systemctl enable --now keepalived 2>&1
        in_order "$name"
        file_says "$name" 0
    done
    eventually 20 "redis-a serves" serves redis-a
    # Only then can it take over.
    eventually 20 "redis-b is BACKUP" has_told redis-b ' redis_backup\[.* in sync '
    start_writer
}

test_the_watcher_runs_under_all_its_hardening_in_less_than_4_mib() {
    local pid status peak
    is "" "$(inside redis-a journalctl --quiet --no-pager -p warning -u "$WATCHER" _PID=1)" "what systemd warns of"
    # No directive may be one that this systemd does not know.
    is "" "$(inside redis-a journalctl --quiet --no-pager | grep -E 'Unknown (key|section|lvalue)|keepalived-redis-watch.service:[0-9]')" "what systemd does not know"
    pid=$(main_pid redis-a "$WATCHER")
    status=$(inside redis-a cat "/proc/$pid/status")
    is 0000000000000002 "$(field CapBnd "$status")" "the capabilities, CAP_DAC_OVERRIDE alone"
    is 0000000000000002 "$(field CapEff "$status")" "the capabilities in effect"
    is 1 "$(field NoNewPrivs "$status")" "NoNewPrivileges"
    is 2 "$(field Seccomp "$status")" "a system call filter"
    is -15 "$(inside redis-a ps -o ni= -p "$pid" | tr -d ' ')" "its nice value"
    if may_lower_oom_score; then is -900 "$(inside redis-a cat "/proc/$pid/oom_score_adj")" "OOMScoreAdjust"; fi
    # In its own namespace, with nothing but what the unit leaves it.
    may_not_write "$pid" /usr/x /etc/keepalived/x /root/x /boot/x /sys/fs/cgroup/x
    inside redis-a touch /dev/of-the-machine
    as_watcher "$pid" test ! -e /dev/of-the-machine || fail "PrivateDevices: it sees the devices of the machine"
    as_watcher "$pid" grep -q '^proc /proc .*hidepid=invisible' /proc/self/mounts || fail "ProtectProc: it sees all processes"
    as_watcher "$pid" touch /run/keepalived-redis/x /var/lib/keepalived-redis/x /var/log/keepalived-redis/x
    as_watcher "$pid" rm /run/keepalived-redis/x /var/lib/keepalived-redis/x /var/log/keepalived-redis/x
    peak=$(field VmHWM "$status")
    [ "${peak% kB}" -lt 4096 ] || fail "its memory: $peak at most"
    echo "VmHWM $peak"
}

test_a_watcher_that_is_killed_is_back_and_nothing_moves() {
    local pid before
    before=$(told redis-a) pid=$(main_pid redis-a "$WATCHER")
    inside redis-a kill -KILL "$pid"
    eventually 5 "another watcher runs" restarted redis-a "$WATCHER" "$pid"
    file_says redis-a 0
    is 1 "$(property redis-a "$WATCHER" NRestarts)" "its restarts"
    nothing_moved redis-a "$before"
}

test_a_watcher_that_hangs_is_replaced_by_systemd_and_nothing_moves() {
    local pid before
    before=$(told redis-a) pid=$(main_pid redis-a "$WATCHER")
    inside redis-a kill -STOP "$pid"
    eventually 15 "another watcher runs" restarted redis-a "$WATCHER" "$pid"
    file_says redis-a 0
    nothing_moved redis-a "$before"
}

test_a_watcher_that_is_stopped_leaves_0_in_its_file() {
    local before
    before=$(told redis-a)
    inside redis-a systemctl stop "$WATCHER"
    is inactive "$(property redis-a "$WATCHER" ActiveState)" "the watcher"
    file_says redis-a 0
    nothing_moved redis-a "$before"
    inside redis-a systemctl start "$WATCHER"
    nothing_moved redis-a "$before"
}

test_a_file_that_was_removed_is_back() {
    local before
    before=$(told redis-a)
    inside redis-a bash -c 'rm -rf /run/keepalived-redis/*'
    file_says redis-a gone
    eventually 5 "the file is back" verdict_is redis-a 0
    nothing_moved redis-a "$before"
}

test_a_killed_redis_moves_the_vip_comes_back_as_a_replica_of_nobody_and_the_pair_heals() {
    local pid before
    before=$(told redis-a) pid=$(main_pid redis-a redis-server)
    inside redis-a systemctl kill -s KILL redis-server
    eventually 2 "the file says 1" verdict_is redis-a 1
    eventually 5 "redis-b serves" took_over redis-b
    eventually 5 "systemd has started Redis again" restarted redis-a redis-server "$pid"
    is 1 "$(property redis-a redis-server NRestarts)" "the restarts of Redis"
    eventually 30 "redis-a serves again" serves redis-a
    since redis-a "$before" | grep -F 'because it follows 127.0.0.1:1 ' || fail "it did not start as a replica of nobody"
    file_says redis-a 0
}

test_a_killed_keepalived_is_started_again_and_the_vip_does_not_stay_on_two_machines() {
    local pid
    pid=$(main_pid redis-a keepalived)
    inside redis-a systemctl kill -s KILL keepalived
    eventually 5 "redis-b serves" took_over redis-b
    eventually 10 "keepalived was started again" restarted redis-a keepalived "$pid"
    is 1 "$(property redis-a keepalived NRestarts)" "the restarts of keepalived"
    eventually 3 "the VIP is on one machine" one_has_the_vip
    eventually 30 "redis-a serves again" serves redis-a
}

test_a_stop_of_keepalived_moves_vip_and_role_and_a_start_brings_them_back() {
    local before
    before=$(told redis-a)
    inside redis-a systemctl stop keepalived
    is "inactive success" "$(property redis-a keepalived ActiveState) $(property redis-a keepalived Result)" "keepalived"
    eventually 5 "redis-b serves" serves redis-b
    since redis-a "$before" | grep -F ' redis_stop[' || fail "redis_stop has told nothing"
    is_active redis-a "$WATCHER" || fail "the watcher has ended, too"
    inside redis-a systemctl start keepalived
    eventually 30 "redis-a serves again" serves redis-a
}

test_a_reload_and_a_restart_of_keepalived_leave_the_watcher_alone() {
    local pid same
    pid=$(main_pid redis-b keepalived) same=$(main_pid redis-b "$WATCHER")
    inside redis-b systemctl reload keepalived
    is "$pid" "$(main_pid redis-b keepalived)" "the process of keepalived"
    inside redis-b systemctl restart keepalived
    is "$same" "$(main_pid redis-b "$WATCHER")" "the process of the watcher"
    eventually 20 "redis-a serves" serves redis-a
}

test_a_reboot_of_the_serving_machine_hands_the_role_over_and_everything_comes_up_by_itself() {
    local before unit
    before=$(told redis-a)
    reboot redis-a
    is "Stopped keepalived.service Stopping redis-server.service" "$(last_words redis-a)" "what systemd did at the end"
    # S is a replica, M a master.
    grep -F ' # User requested shutdown' "$(disk redis-a)/var/log/redis/redis-server.log" | tail -n 1 |
        grep -E '^[0-9]+:S ' || fail "Redis was stopped before the other one was the master"
    for unit in redis-server keepalived "$WATCHER"; do
        is_active redis-a "$unit" || fail "$unit does not run"
    done
    in_order redis-a
    eventually 30 "redis-a serves again" serves redis-a
    is "" "$(since redis-a "$before" | grep 'has died')" "a death of Redis"
}

# last_words NAME: of the boot before this one.
last_words() {
    inside "$1" journalctl --quiet --no-pager --boot=-1 --output=cat _PID=1 |
        grep -oE '^(Stopped keepalived|Stopping redis-server)\.service' | tail -n 2 | paste -sd ' '
}

test_a_reboot_of_the_other_machine_moves_nothing() {
    local before
    before=$(told redis-a)
    reboot redis-b
    in_order redis-b
    eventually 30 "redis-b follows" serves redis-a
    nothing_moved redis-a "$before"
}

test_a_machine_is_switched_to_the_plain_profile_and_back() {
    local conf=/etc/keepalived/keepalived.conf
    install_on redis-b --profile plain
    inside redis-b mv $conf.new $conf
    is_active redis-b "$WATCHER" || fail "the watcher has ended before keepalived was reloaded"
    inside redis-b systemctl reload keepalived
    eventually 10 "the watcher has ended" ended_by_plain
    is not-found "$(property redis-b "$WATCHER" LoadState)" "the unit"
    inside redis-b test ! -e "${FILE%/*}" || fail "${FILE%/*} is still there"
    install_on redis-b --profile fast
    inside redis-b mv $conf.new $conf
    inside redis-b systemctl reload keepalived
    is_active redis-b "$WATCHER" || fail "the watcher does not run"
    eventually 30 "redis-a serves" serves redis-a
}
# The reload is done a moment after systemctl has said so.
ended_by_plain() {
    install_on redis-b --profile plain | grep -F 'stopped and disabled' && ! is_active redis-b "$WATCHER"
}

test_no_acknowledged_write_is_lost() {
    local total
    end_writer
    total=$(writes)
    [ "$total" -gt 2000 ] || fail "only $total writes"
    is "" "$(lost)" "what is lost of $total"
    echo "$total writes, the longest gap $(longest_gap)"
}

test_uninstalled_nothing_of_it_is_left_for_systemd() {
    local unit
    inside redis-b systemctl disable --now keepalived 2>&1
    inside redis-b mv /etc/keepalived/keepalived.conf /root
    inside redis-b /srv/tree/install.sh --uninstall
    is not-found "$(property redis-b "$WATCHER" LoadState)" "the watcher"
    for unit in keepalived redis-server; do
        is "" "$(property redis-b $unit DropInPaths)" "the drop-ins of $unit"
    done
    is "" "$(inside redis-b systemctl --failed --plain --no-legend)" "what has failed"
    is "" "$(inside redis-b find /etc/systemd/system -name '*keepalived-redis*')" "what is left of the units"
    # What kills nobody: a Redis that was not restarted.
    is active "$(property redis-b redis-server ActiveState)" "Redis"
}
