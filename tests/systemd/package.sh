# shellcheck shell=bash
# The Debian package on redis-b, where checks.sh has ended: keepalived is stopped,
# and nothing of the product is installed. Sourced by systemd.sh.
# shellcheck disable=SC2153  # WATCHER is pair.sh's

setup_on() {
    inside "$1" keepalived-redis-setup --nodes 192.168.158.11,192.168.158.12 --names redis-a,redis-b \
        --vip 192.168.158.13/24 --interface eth0 --password-file /etc/keepalived/redis.pass --boot-as-replica --profile fast
}

test_the_package_starts_nothing_and_its_setup_puts_the_machine_into_the_pair() {
    # What dpkg remembers is in /var, and this machine's is empty.
    inside redis-b sh -c 'mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers; : >/var/lib/dpkg/status'
    inside redis-b dpkg --force-depends --force-unsafe-io --install /srv/package.deb 2>&1
    is "loaded inactive disabled" "$(property redis-b "$WATCHER" LoadState) $(property redis-b "$WATCHER" ActiveState) \
$(property redis-b "$WATCHER" UnitFileState)" "the watcher"
    is inactive "$(property redis-b keepalived ActiveState)" "keepalived"
    is /usr/lib/systemd/system/keepalived.service.d/keepalived-redis.conf "$(property redis-b keepalived DropInPaths)" \
        "the drop-ins of keepalived"
    setup_on redis-b
    is_active redis-b "$WATCHER" || fail "the watcher does not run"
    is enabled "$(inside redis-b systemctl is-enabled "$WATCHER")" "the watcher"
    inside redis-b systemctl enable --now keepalived 2>&1
    eventually 30 "redis-a serves" serves redis-a
}

test_an_upgrade_of_the_package_restarts_the_watcher_and_nothing_else() {
    local watcher keepalived said
    watcher=$(main_pid redis-b "$WATCHER") keepalived=$(main_pid redis-b keepalived)
    inside redis-b dpkg --force-depends --force-unsafe-io --install /srv/next.deb 2>&1
    restarted redis-b "$WATCHER" "$watcher" || fail "the watcher is the old one"
    is "$keepalived" "$(main_pid redis-b keepalived)" "the process of keepalived"
    serves redis-a || fail "$(state redis-a)"
    said=$(setup_on redis-b)
    grep -qx 'nothing to change: all is as it should be' <<<"$said" || fail "setup says: $said"
}

test_the_profile_is_switched_with_the_package_too() {
    local conf=/etc/keepalived/keepalived.conf
    inside redis-b keepalived-redis-setup --profile plain
    inside redis-b mv $conf.new $conf
    is_active redis-b "$WATCHER" || fail "the watcher has ended before keepalived was reloaded"
    inside redis-b systemctl reload keepalived
    eventually 10 "the watcher has ended" ended_by_plain_setup
    is "loaded disabled" "$(property redis-b "$WATCHER" LoadState) $(property redis-b "$WATCHER" UnitFileState)" "the unit"
    inside redis-b keepalived-redis-setup --profile fast
    inside redis-b mv $conf.new $conf
    inside redis-b systemctl reload keepalived
    is_active redis-b "$WATCHER" || fail "the watcher does not run"
    eventually 30 "redis-a serves" serves redis-a
}
ended_by_plain_setup() {
    inside redis-b keepalived-redis-setup --profile plain | grep -F 'stopped and disabled' && ! is_active redis-b "$WATCHER"
}

test_removal_is_refused_under_a_pair_and_leaves_nothing_to_systemd_after_it() {
    if inside redis-b dpkg --remove keepalived-redis 2>&1; then fail "it was not refused"; fi
    is_active redis-b "$WATCHER" || fail "the watcher was stopped all the same"
    inside redis-b systemctl disable --now keepalived 2>&1
    inside redis-b mv /etc/keepalived/keepalived.conf /root
    inside redis-b dpkg --remove keepalived-redis 2>&1
    is not-found "$(property redis-b "$WATCHER" LoadState)" "the watcher"
    is "" "$(property redis-b keepalived DropInPaths)" "the drop-ins of keepalived"
    is "" "$(inside redis-b systemctl --failed --plain --no-legend)" "what has failed"
    is "" "$(inside redis-b find /etc/systemd/system -name '*keepalived-redis*')" "what is left of the units"
    is active "$(property redis-b redis-server ActiveState)" "Redis"
}
