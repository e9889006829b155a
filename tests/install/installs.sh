# shellcheck shell=sh
# What is where after an installation, and what a second one does.

test_everything_is_in_place_with_the_right_owner_and_mode() {
    run 0 install_pair
    for program in check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis; do
        path=/usr/libexec/keepalived/$program
        is "755 root:root regular file" "$(stat -c '%a %U:%G %F' $path)" $path
        cmp "$BIN_DIR/$program" $path || fail "$path is not the program given"
        is $path "$(readlink /usr/local/sbin/$program)" "the link to $program"
    done
    is "750 root" "$(stat -c '%a %U' /var/log/keepalived-redis)" "the log directory"
    is "700 root:root" "$(stat -c '%a %U:%G' /var/lib/keepalived-redis)" "the memory directory"
    is "700 root:root" "$(stat -c '%a %U:%G' /var/lib/keepalived-redis/rollback)" "the rollback directory"
    is "600 root:root" "$(stat -c '%a %U:%G' /etc/keepalived/redis.pass)" "the password file"
    is s3cret "$(cat /etc/keepalived/redis.pass)" "the password"
    for file in keepalived/keepalived.conf keepalived/redis-ha.toml logrotate.d/keepalived-redis \
        systemd/system/keepalived.service.d/keepalived-redis.conf systemd/system/keepalived-redis.target; do
        is "644 root:root" "$(stat -c '%a %U:%G' /etc/$file)" "/etc/$file"
    done
    if grep -rq s3cret /etc/keepalived/keepalived.conf /etc/keepalived/redis-ha.toml "$TMP/out"; then
        fail "the password is in a file or in the output"
    fi
}

test_the_configuration_names_what_the_flags_say() {
    run 0 install --nodes 192.168.158.11:6380,192.168.158.12 --vip 192.168.158.13/24 --interface eth0 \
        --password-file "$TMP/password"
    grep -qF 'nodes = ["192.168.158.11:6380", "192.168.158.12:6379"] ' /etc/keepalived/redis-ha.toml || fail "nodes"
    grep -qx 'vip = "192.168.158.13"' /etc/keepalived/redis-ha.toml || fail "vip"
    grep -q '^password_file = "/etc/keepalived/redis.pass"' /etc/keepalived/redis-ha.toml || fail "password_file"
    grep -qx '        192.168.158.13/24' /etc/keepalived/keepalived.conf || fail "the VIP in keepalived.conf"
}

test_without_a_password_none_is_named() {
    run 0 install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13 --interface eth0 --no-password
    if grep -q '^password_file' /etc/keepalived/redis-ha.toml; then fail "password_file is set"; fi
    absent /etc/keepalived/redis.pass
}

test_every_key_of_redis_ha_toml_can_be_taken_into_use() {
    run 0 install_pair --names redis-a,redis-b
    sed -i 's/^#\([a-z_]* = \)/\1/' /etc/keepalived/redis-ha.toml
    is 20 "$(grep -c '^[a-z_]* = ' /etc/keepalived/redis-ha.toml)" "keys in use"
    # 1: there is no Redis. 3 would be: the configuration can't be read.
    rm -rf /var/lib/keepalived-redis/redis-ha
    run 1 /usr/libexec/keepalived/check_redis -v
    says "192.168.158.11:6379"
    if grep -q redis-ha.toml "$TMP/out"; then fail "a complaint about redis-ha.toml"; fi
    sed -i 's/^keep = .*/keep = none/' /etc/keepalived/redis-ha.toml
    rm -rf /var/lib/keepalived-redis/redis-ha
    run 3 /usr/libexec/keepalived/check_redis -v
}

test_the_test_of_the_configuration_sees_the_options_of_the_distribution() {
    run 0 install_pair
    dropin=/etc/systemd/system/keepalived.service.d/keepalived-redis.conf
    keepalived=$(command -v keepalived)
    # shellcheck disable=SC2016 # systemd's variable
    grep -qxF "ExecStartPre=$keepalived --config-test "'$DAEMON_ARGS' $dropin || fail "Debian"
    rm $dropin
    mkdir -p /etc/sysconfig
    echo 'KEEPALIVED_OPTIONS="-D"' >/etc/sysconfig/keepalived
    run 0 install_pair
    # shellcheck disable=SC2016 # systemd's variable
    grep -qxF "ExecStartPre=$keepalived --config-test "'$KEEPALIVED_OPTIONS' $dropin || fail "RHEL"
}

test_it_ends_with_what_keepalived_and_the_check_say_and_what_is_next() {
    run 0 install_pair
    says "keepalived -t: /etc/keepalived/keepalived.conf is good"
    says "check_redis: exit code"
    says "install.sh --boot-as-replica does that"
    is 3 "$(sed '1,/^next:$/d' "$TMP/out" | awk 'END { print NR }')" "lines of what to do next"
}

test_run_twice_it_changes_nothing_and_says_so() {
    run 0 install_pair
    remember
    run 0 install_pair
    nothing_changed
    says "nothing to change"
}

test_nothing_temporary_is_left() {
    run 0 install_pair
    is "" "$(find "$UPPER" "$TMPDIR" \( -name '*.new' -o -name '.*' -o -name '*install*' \) -type f)" "leftovers"
}

test_a_dry_run_changes_nothing_and_says_what_it_would_do() {
    remember
    run 0 install_pair --dry-run
    nothing_changed
    says "would install /usr/libexec/keepalived/check_redis"
    says "would write /etc/keepalived/keepalived.conf"
    says "would write /etc/keepalived/redis.pass"
}

test_a_dry_run_that_would_build_builds_nothing() {
    command -v cargo >/dev/null || skip "cargo is not in PATH"
    remember
    run 0 env CARGO_TARGET_DIR="$TMP/target" "$SOURCE/install.sh" --dry-run
    nothing_changed
    absent "$TMP/target"
    says "would build the programs for"
}

test_a_running_program_is_replaced_by_rename() {
    mkdir -p /usr/libexec/keepalived
    cp "$(command -v sleep)" /usr/libexec/keepalived/check_redis
    /usr/libexec/keepalived/check_redis 60 &
    running=$!
    old=$(stat -c %i /usr/libexec/keepalived/check_redis)
    run 0 install_pair
    kill -0 $running || fail "the program that ran was ended"
    kill $running
    cmp "$BIN_DIR/check_redis" /usr/libexec/keepalived/check_redis || fail "it was not replaced"
    if [ "$old" = "$(stat -c %i /usr/libexec/keepalived/check_redis)" ]; then fail "it was written over"; fi
}

test_a_program_of_wrong_owner_or_mode_is_put_right() {
    run 0 install_pair
    chmod 775 /usr/libexec/keepalived/check_redis
    chown nobody /usr/libexec/keepalived/redis_master
    run 0 install_pair
    is "755 root:root" "$(stat -c '%a %U:%G' /usr/libexec/keepalived/check_redis)" check_redis
    is "755 root:root" "$(stat -c '%a %U:%G' /usr/libexec/keepalived/redis_master)" redis_master
}

test_without_flags_the_programs_alone_are_installed() {
    run 0 install
    says "no /etc/keepalived/keepalived.conf yet"
    cmp "$BIN_DIR/check_redis" /usr/libexec/keepalived/check_redis || fail "no check_redis"
    is "" "$(ls /etc/keepalived)" "files in /etc/keepalived"
}

test_a_loose_rollback_directory_is_named() {
    mkdir -p /var/lib/keepalived-redis/rollback
    chmod 755 /var/lib/keepalived-redis/rollback
    run 0 install_pair
    says "chmod 700 /var/lib/keepalived-redis/rollback"
}

test_logs_are_rotated_and_written_on() {
    command -v logrotate >/dev/null || skip "logrotate is not installed"
    run 0 install_pair
    log=/var/log/keepalived-redis/keepalived-redis-status.log
    echo one >>$log
    run 0 logrotate --force --state "$TMP/state" /etc/logrotate.d/keepalived-redis
    says_only ""
    echo two >>$log
    is one "$(cat $log.1)" "the rotated log"
    is two "$(cat $log)" "the log"
}

test_systemd_takes_the_drop_in() {
    command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
    run 0 install_pair
    run 0 systemd-analyze verify keepalived.service
    if grep -q keepalived-redis "$TMP/out"; then fail "systemd complains of the drop-in"; fi
}
