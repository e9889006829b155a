# shellcheck shell=sh
# --uninstall and --destdir.

test_uninstall_removes_the_programs_and_keeps_the_rest() {
    run 0 install_pair
    echo line >/var/log/keepalived-redis/keepalived-redis-status.log
    echo rdb >/var/lib/keepalived-redis/rollback/one.rdb
    mv /etc/keepalived/keepalived.conf "$TMP/away"
    run 0 "$SOURCE/install.sh" --uninstall
    for program in check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis; do
        absent /usr/libexec/keepalived/$program /usr/local/sbin/$program
    done
    absent /usr/libexec/keepalived /etc/logrotate.d/keepalived-redis /etc/systemd/system/keepalived.service.d
    is s3cret "$(cat /etc/keepalived/redis.pass)" "the password file"
    is line "$(cat /var/log/keepalived-redis/keepalived-redis-status.log)" "the log"
    is rdb "$(cat /var/lib/keepalived-redis/rollback/one.rdb)" "the rollback file"
    for kept in /etc/keepalived/redis-ha.toml /etc/keepalived/redis.pass /var/log/keepalived-redis \
        /var/lib/keepalived-redis /var/lib/keepalived-redis/rollback; do
        says "kept $kept"
    done
    remember
    run 0 "$SOURCE/install.sh" --uninstall
    nothing_changed
    says "nothing to remove"
}

test_uninstall_is_refused_while_keepalived_conf_calls_the_programs() {
    run 0 install_pair
    remember
    run 1 "$SOURCE/install.sh" --uninstall
    says "removing the programs: /etc/keepalived/keepalived.conf still calls them, and to keepalived a missing check is a success (K13)"
    nothing_changed
    # Commented out, or in a file that keepalived does not read, they count no more.
    sed -i 's/^/#/' /etc/keepalived/keepalived.conf
    run 0 "$SOURCE/install.sh" --uninstall --dry-run
    says "would remove /usr/libexec/keepalived/check_redis"
    # An included file counts too, and so does the name of the link.
    mkdir /etc/keepalived/conf.d
    echo 'notify_stop /usr/local/sbin/redis_stop' >/etc/keepalived/conf.d/redis.conf
    run 1 "$SOURCE/install.sh" --uninstall
    says "/etc/keepalived/conf.d/redis.conf still calls them"
}

test_uninstall_keeps_edited_files_and_foreign_links() {
    run 0 install_pair
    rm /etc/keepalived/keepalived.conf /usr/local/sbin/check_redis
    echo mine >/usr/local/sbin/check_redis
    echo "# edited" >>/etc/logrotate.d/keepalived-redis
    run 0 "$SOURCE/install.sh" --uninstall
    says "/etc/logrotate.d/keepalived-redis was edited and stays"
    is "# edited" "$(tail -n 1 /etc/logrotate.d/keepalived-redis)" "the logrotate file"
    is mine "$(cat /usr/local/sbin/check_redis)" "the foreign file"
}

test_a_dry_uninstall_changes_nothing() {
    run 0 install_pair
    mv /etc/keepalived/keepalived.conf "$TMP/away"
    remember
    run 0 "$SOURCE/install.sh" --uninstall --dry-run
    nothing_changed
    says "would remove /usr/local/sbin/check_redis"
}

test_destdir_touches_nothing_outside_and_needs_no_root() {
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    mkdir "$TMP/dest" "$TMP/drafts"
    chmod 644 "$TMP/password"
    chown 65534 "$TMP/dest" "$TMP/password" "$TMP/drafts"
    chmod 600 "$TMP/password"
    remember
    run 0 setpriv --reuid 65534 --regid 65534 --clear-groups env TMPDIR="$TMP/drafts" \
        sh "$SOURCE/install.sh" --bin-dir "$BIN_DIR" --destdir "$TMP/dest" --names a,b --nodes 10.0.0.1,10.0.0.2 \
        --vip 10.0.0.3 --interface ens3 --password-file "$TMP/password"
    nothing_changed
    cd "$TMP/dest" || fail "no $TMP/dest"
    is "./etc/keepalived/keepalived.conf 644
./etc/keepalived/redis-ha.toml 644
./etc/keepalived/redis.pass 600
./etc/logrotate.d/keepalived-redis 644
./etc/systemd/system/keepalived-redis.target 644
./etc/systemd/system/keepalived.service.d/keepalived-redis.conf 644
./usr/libexec/keepalived/check_redis 755
./usr/libexec/keepalived/keepalived-redis 755
./usr/libexec/keepalived/redis_backup 755
./usr/libexec/keepalived/redis_fault 755
./usr/libexec/keepalived/redis_master 755
./usr/libexec/keepalived/redis_stop 755" "$(find . -path ./usr/share -prune -o -type f -printf '%p %m\n' | sort)" "the files"
    is "644" "$(find usr/share -type f -printf '%m\n' | sort -u)" "the modes of the manual pages"
    is /usr/libexec/keepalived/check_redis "$(readlink usr/local/sbin/check_redis)" "a link"
    is 700 "$(stat -c %a var/lib/keepalived-redis/rollback)" "the rollback directory"
    if grep -rq "$TMP/dest" etc; then fail "a file names the directory it was made in"; fi
}

test_destdir_uninstalls() {
    run 0 install_pair --names redis-a,redis-b --destdir "$TMP/dest"
    rm "$TMP/dest/etc/keepalived/keepalived.conf"
    run 0 "$SOURCE/install.sh" --uninstall --destdir "$TMP/dest"
    is "etc/keepalived/redis-ha.toml
etc/keepalived/redis.pass" "$(find "$TMP/dest" ! -type d -printf '%P\n' | sort)" "what stays"
}

test_help_says_every_option() {
    run 0 "$SOURCE/install.sh" --help
    for option in --nodes --vip --interface --password-file --no-password --names --sticky --profile --boot-as-replica \
        --sentinel-master --sentinels --quorum --when-sentinels-silent --sentinel-password-file \
        --bin-dir --destdir --dry-run --uninstall --help; do
        says "$option"
    done
}
