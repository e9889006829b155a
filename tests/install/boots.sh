# shellcheck shell=sh
# --boot-as-replica, and its end.

OPTION='--slaveof 127.0.0.1 1'
TAIL='--supervised systemd --daemonize no'

# service UNIT PROGRAM CONF [OPTION...]: a unit as distributions have it.
service() {
    service_unit=/usr/lib/systemd/system/$1.service
    service_command="/usr/bin/$2 $3"
    shift 3
    mkdir -p /usr/lib/systemd/system
    cat >"$service_unit" <<END
[Unit]
Description=a server
[Service]
Type=notify
ExecStart=$service_command $*
User=nobody
END
}
redis_conf() {
    mkdir -p "$(dirname "$1")"
    printf 'bind * -::*\nport 6379\ndir /var/lib/redis\n' >"$1"
}
debian() {
    service redis-server redis-server /etc/redis/redis.conf "$TAIL"
    service redis-server@ redis-server /etc/redis/redis-%i.conf "$TAIL"
    service redis-sentinel redis-sentinel /etc/redis/sentinel.conf "$TAIL"
    ln -s /lib/systemd/system/redis-server.service /etc/systemd/system/redis.service
    redis_conf /etc/redis/redis.conf
}
dropin() { echo "/etc/systemd/system/$1.service.d/zz-boot-as-replica.conf"; }
# boots UNIT COMMAND: the drop-in says so, and nothing else; systemd takes it.
boots() {
    is "[Service]
ExecStart=
ExecStart=$2 $OPTION" "$(grep -v '^#' "$(dropin "$1")" | sed '/^$/d')" "the drop-in"
    is "644 root:root" "$(stat -c '%a %U:%G' "$(dropin "$1")")" "the drop-in"
    command -v systemd-analyze >/dev/null || return 0
    # By its name alone it finds no unit, and so has nothing to say.
    systemd-analyze verify "/usr/lib/systemd/system/$1.service" >"$TMP/verified" 2>&1 || :
    if grep -E 'zz-boot|ExecStart=|prepare filename' "$TMP/verified"; then fail "systemd complains"; fi
}

test_on_debian_redis_boots_as_a_replica() {
    debian
    cp -p /etc/redis/redis.conf "$TMP/as-it-was"
    run 0 install_pair --boot-as-replica
    boots redis-server "/usr/bin/redis-server /etc/redis/redis.conf $TAIL"
    says "wrote $(dropin redis-server)"
    says "service redis-server: from its next start Redis is a replica of nobody, until the programs say more; it was not restarted"
    says "masterauth in /etc/redis/redis.conf, the same on all, and restart Redis"
    cmp "$TMP/as-it-was" /etc/redis/redis.conf || fail "redis.conf was changed"
    remember
    run 0 install_pair --boot-as-replica
    nothing_changed
    says "nothing to change"
    # Nor does an upgrade, or the same without the flag, end it.
    run 0 install
    run 0 install_pair
    nothing_changed
}

test_on_rhel_and_with_valkey_it_boots_as_a_replica() {
    service redis redis-server /etc/redis.conf "$TAIL"
    redis_conf /etc/redis.conf
    mkdir -p /etc/systemd/system/redis.service.d
    printf '[Service]\nLimitNOFILE=10240\n' >/etc/systemd/system/redis.service.d/limit.conf
    run 0 install_pair --boot-as-replica
    boots redis "/usr/bin/redis-server /etc/redis.conf $TAIL"
    run 0 install_pair --boot-as-replica
    says "nothing to change"

    rm -r /etc/systemd/system/redis.service.d /usr/lib/systemd/system/redis.service
    # shellcheck disable=SC2016 # systemd's variable
    service valkey valkey-server /etc/valkey/valkey.conf "$TAIL" '$OPTIONS'
    redis_conf /etc/valkey/valkey.conf
    run 0 install_pair --boot-as-replica
    # shellcheck disable=SC2016 # systemd's variable
    boots valkey "/usr/bin/valkey-server /etc/valkey/valkey.conf $TAIL "'$OPTIONS'
}

test_a_pair_that_is_installed_needs_no_other_flags() {
    debian
    run 0 install_pair
    run 0 install --boot-as-replica
    boots redis-server "/usr/bin/redis-server /etc/redis/redis.conf $TAIL"
    remember
    run 0 install --boot-as-replica
    nothing_changed
}

test_a_service_of_ones_own_and_other_drop_ins_are_respected() {
    debian
    redis_conf /var/lib/own/main.conf
    mkdir -p /etc/systemd/system/redis-server.service.d
    printf '[Service]\nExecStart=\nExecStart=/usr/bin/redis-server \\\n  /var/lib/own/main.conf --daemonize no\n' \
        >/etc/systemd/system/redis-server.service.d/override.conf
    run 0 install_pair --boot-as-replica
    boots redis-server "/usr/bin/redis-server    /var/lib/own/main.conf --daemonize no"
    # Another command: not overwritten, and said.
    sed -i 's/--daemonize no/& --loglevel debug/' /etc/systemd/system/redis-server.service.d/override.conf
    run 0 install_pair --boot-as-replica
    boots redis-server "/usr/bin/redis-server    /var/lib/own/main.conf --daemonize no"
    says "mv $(dropin redis-server).new $(dropin redis-server)"
    # One that comes after ours and takes the option away again.
    rm "$(dropin redis-server).new"
    mv /etc/systemd/system/redis-server.service.d/override.conf /etc/systemd/system/redis-server.service.d/zzz.conf
    run 0 install_pair --boot-as-replica
    says "the service redis-server is not started with '$OPTION' yet: see $(dropin redis-server)"
}

test_a_dry_run_says_what_boot_as_replica_would_do() {
    debian
    remember
    run 0 install_pair --boot-as-replica --dry-run
    nothing_changed
    says "would write $(dropin redis-server)"
    run 0 install_pair --boot-as-replica
    mv /etc/keepalived/keepalived.conf "$TMP/away"
    remember
    run 0 "$SOURCE/install.sh" --uninstall --dry-run
    nothing_changed
    says "would remove $(dropin redis-server)"
}

test_uninstall_ends_it_and_says_what_redis_is_then() {
    debian
    run 0 install_pair --boot-as-replica
    mv /etc/keepalived/keepalived.conf "$TMP/away"
    run 0 "$SOURCE/install.sh" --uninstall
    says "removed $(dropin redis-server)"
    says "the service redis-server: from its next start Redis is what its redis.conf says, a master too, with whatever data it then has"
    absent /etc/systemd/system/redis-server.service.d
    run 0 "$SOURCE/install.sh" --uninstall
    says "nothing to remove"
    # Something else of that name.
    mkdir /etc/systemd/system/redis-server.service.d
    echo mine >"$(dropin redis-server)"
    run 0 "$SOURCE/install.sh" --uninstall
    says "$(dropin redis-server) is something else and stays"
    is mine "$(cat "$(dropin redis-server)")" "the drop-in"
}

test_where_it_is_not_sure_which_redis_it_is_it_refuses_and_says_what_to_do() {
    by_hand="do it by hand: let this node's Redis be started with '$OPTION' behind its configuration file"
    looking='looking for the service of Redis:'
    refuses() {
        remember
        run 1 install_pair --boot-as-replica
        says_only "install.sh: $1"
        nothing_changed
    }
    refuses "$looking none of redis-server redis valkey-server valkey has a unit: install Redis first, or $by_hand"
    debian
    service valkey valkey-server /etc/valkey/valkey.conf "$TAIL"
    refuses "$looking there are several (redis-server valkey): mask those that are not this node's, or $by_hand"
    ln -s /dev/null /etc/systemd/system/valkey.service
    run 0 install_pair --boot-as-replica --dry-run
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -s /lib/systemd/system/redis-server@.service /etc/systemd/system/multi-user.target.wants/redis-server@one.service
    refuses "$looking there are instances (redis-server@one.service), and which one is this node's is not known: $by_hand"
    rm /etc/systemd/system/multi-user.target.wants/redis-server@one.service

    looking='looking at the service redis-server:'
    sed -i 's/6379/6380/' /etc/redis/redis.conf
    refuses "$looking the port in /etc/redis/redis.conf is 6380, and this node's in --nodes is 6379: correct one of them, or $by_hand"
    rm /etc/redis/redis.conf
    refuses "$looking it names /etc/redis/redis.conf, and there is no such file: correct that first"
    redis_conf /etc/redis/redis.conf
    service redis-server podman run redis
    refuses "$looking it is started with '/usr/bin/podman run redis', which is not known here: $by_hand"
    service redis-server redis-server /etc/redis/redis.conf --replicaof 192.168.158.12 6379
    refuses "$looking it is started with '/usr/bin/redis-server /etc/redis/redis.conf --replicaof 192.168.158.12 6379', which names a master already: take that out first"
}

test_wrong_usage_of_boot_as_replica_is_refused() {
    hint="(see install.sh --help)"
    debian
    remember
    run 2 install --boot-as-replica=1
    says_only "install.sh: --boot-as-replica takes no value $hint"
    run 2 install_pair --names redis-a,redis-b --boot-as-replica --destdir "$TMP/dest"
    says_only "install.sh: --boot-as-replica is about the Redis of this machine and does not go with --destdir $hint"
    run 2 "$SOURCE/install.sh" --uninstall --boot-as-replica
    says_only "install.sh: --uninstall goes with --destdir and --dry-run only $hint"
    nothing_changed
}

# starts_redis: with the command that the drop-in says, and nothing else.
starts_redis() {
    # shellcheck disable=SC2046,SC2091 # it is a command, in words
    $(sed -n 's/^ExecStart=\(.\)/\1/p' "$(dropin redis-server)") >"$TMP/redis.log" 2>&1 &
    redis=$!
    i=0
    until [ "$(redis-cli ping 2>/dev/null)" = PONG ]; do
        i=$((i + 1))
        if [ $i -gt 200 ]; then fail "Redis does not start: $(cat "$TMP/redis.log")"; fi
        sleep 0.05
    done
}
role() { redis-cli role | head -n 3 | tr '\n' ' '; }

test_whatever_config_rewrite_has_written_the_next_start_is_as_a_replica_of_nobody() {
    command -v redis-server >/dev/null || skip "redis-server is not installed"
    debian
    mkdir -p /var/lib/redis
    run 0 install_pair --boot-as-replica
    for before in 'no one' '192.168.158.12 6379' 'no one'; do
        starts_redis
        is "slave 127.0.0.1 1 " "$(role)" "the role at the start"
        # shellcheck disable=SC2086 # two words
        redis-cli slaveof $before >/dev/null
        is OK "$(redis-cli config rewrite)" "CONFIG REWRITE"
        kill -KILL "$redis"
        wait "$redis" || :
    done
    remember
    run 0 install_pair --boot-as-replica
    nothing_changed
}
