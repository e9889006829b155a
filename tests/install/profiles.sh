# shellcheck shell=sh
# --profile plain and fast, and the service that the fast one needs.

UNIT=/etc/systemd/system/keepalived-redis-watch.service
CONF=/etc/keepalived/keepalived.conf
FILE=/run/keepalived-redis/redis-ha.watch

# What keepalived reads: without comments, indentation and empty lines.
active() { sed 's/[#!].*//; s/^[ \t]*//; s/[ \t]*$//; /^$/d' "$1"; }
fast_lines="< advert_int 1
> vrrp_rt_priority 50
> vrrp_rlimit_rtime 1000000
> vrrp_track_file redis_watch {
> file \"$FILE\"
> weight 0
> }
> advert_int 0.1
> track_file {
> redis_watch
> }"
differ_in_the_profile_alone() { # PLAIN FAST
    active "$1" >"$TMP/active-plain"
    active "$2" >"$TMP/active-fast"
    is "$(echo "$fast_lines" | sort)" "$(diff "$TMP/active-plain" "$TMP/active-fast" | grep '^[<>]' | sort)" "plain < > fast"
}
# systemd: a systemctl that writes down what it is told. The service is enabled
# and runs once it was told so, and then there is its file.
systemd() {
    mkdir -p /run/systemd/system
    cat >/usr/local/bin/systemctl <<END
#!/bin/sh
case "\$*" in
    *is-active* | *is-enabled*) exec test -e $TMP/enabled ;;
    *"enable --now"*)
        if [ -e $TMP/broken ]; then echo "it did not start" >&2; exit 1; fi
        [ ! -e $CONF ] || echo "keepalived.conf was there" >>$TMP/told
        mkdir -p ${FILE%/*}; echo 0 >$FILE; touch $TMP/enabled ;;
    *disable*) rm -f $TMP/enabled ;;
esac
case "\$*" in *" is-"*) ;; *) echo "\$*" >>$TMP/told ;; esac
END
    chmod 755 /usr/local/bin/systemctl
    : >"$TMP/told"
}
told() { is "$1" "$(cat "$TMP/told")" "what systemctl was told"; : >"$TMP/told"; }
NAME=keepalived-redis-watch.service

test_all_four_combinations_pass_for_both_names() {
    for profile in plain fast; do
        for sticky in '' --sticky; do
            rm -f $CONF
            # shellcheck disable=SC2086 # a flag or none
            run 0 install_pair --names redis-a,redis-b --profile $profile $sticky
            test_config redis-a
            test_config redis-b
            cp $CONF "$TMP/$profile$sticky"
        done
    done
    differ_in_the_profile_alone "$TMP/plain" "$TMP/fast"
    differ_in_the_profile_alone "$TMP/plain--sticky" "$TMP/fast--sticky"
}

test_plain_is_the_default_and_installs_no_service() {
    run 0 install_pair
    absent $UNIT
    cp $CONF "$TMP/default"
    rm $CONF
    run 0 install_pair --profile=plain
    cmp "$TMP/default" $CONF || fail "it is not the same"
}

test_the_watcher_runs_before_a_fast_keepalived_conf_is_there() {
    systemd
    run 0 install_pair --profile fast
    cmp "$SOURCE/share/$NAME" $UNIT || fail "the unit is not as it should be"
    is "644 root:root" "$(stat -c '%a %U:%G' $UNIT)" "the unit"
    says "enabled and started $NAME"
    told "daemon-reload
daemon-reload
enable --now $NAME"
    remember
    run 0 install_pair --profile fast
    nothing_changed
    run 0 install_pair
    nothing_changed
    run 0 install
    nothing_changed
    says "nothing to change"
    told ""
}

test_a_watcher_that_does_not_start_leaves_keepalived_conf_as_it_is() {
    systemd
    touch "$TMP/broken"
    run 1 install_pair --profile fast
    says "install.sh: enabling and starting the watcher: systemctl enable --now $NAME: it did not start: see journalctl -u $NAME; keepalived.conf was not changed"
    absent $CONF
    rm "$TMP/broken"
    run 0 install_pair --profile fast
    test_config redis-a
}

test_an_upgrade_restarts_the_watcher() {
    systemd
    run 0 install_pair --profile fast
    : >"$TMP/told"
    echo >>/usr/libexec/keepalived/check_redis
    run 0 install --dry-run
    says "would restart $NAME"
    told ""
    run 0 install
    says "restarted $NAME"
    told "restart $NAME"
}

test_an_installed_pair_becomes_fast_and_plain_again() {
    systemd
    run 0 install_pair
    echo "# mine" >>$CONF
    cp $CONF "$TMP/mine"
    : >"$TMP/told"
    run 0 install --profile fast
    told "daemon-reload
keepalived.conf was there
enable --now $NAME"
    says "mv $CONF.new $CONF"
    cmp "$TMP/mine" $CONF || fail "keepalived.conf was changed"
    test_config redis-a $CONF.new
    differ_in_the_profile_alone $CONF $CONF.new
    is "# mine" "$(tail -n 1 $CONF.new)" "the last line"
    mv $CONF.new $CONF
    remember
    run 0 install --profile fast
    nothing_changed

    # Back: the service ends when nothing reads its file any more.
    : >"$TMP/told"
    run 0 install --profile plain
    says "the watcher stays, because $CONF reads its file: take the new one, reload keepalived, and run this again"
    told ""
    [ -e $UNIT ] || fail "the unit is gone"
    cmp "$TMP/mine" $CONF.new || fail "it is not as it was before"
    mv $CONF.new $CONF
    run 0 install --profile plain --dry-run
    says "would stop and disable $NAME"
    says "would remove $UNIT"
    told ""
    run 0 install --profile plain
    says "stopped and disabled $NAME"
    told "disable --now $NAME
daemon-reload"
    absent $UNIT ${FILE%/*}
    remember
    run 0 install --profile plain
    nothing_changed
}

test_the_watcher_stays_while_a_running_keepalived_reads_its_file() {
    systemd
    run 0 install_pair --profile fast
    keepalived --dont-fork --log-console >"$TMP/keepalived.log" 2>&1 &
    i=0
    until grep -q 'Startup complete' "$TMP/keepalived.log"; do
        i=$((i + 1))
        if [ $i -gt 200 ]; then fail "keepalived does not start: $(cat "$TMP/keepalived.log")"; fi
        sleep 0.05
    done
    run 0 install --profile plain
    mv $CONF.new $CONF
    run 0 install --profile plain
    says "the watcher stays, because the keepalived that runs reads its file: reload it (systemctl reload keepalived), and run this again"
    kill -HUP "$(cat /run/keepalived.pid)"
    i=0
    until grep -q 'Reload complete' "$TMP/keepalived.log"; do
        i=$((i + 1))
        if [ $i -gt 200 ]; then fail "keepalived does not reload: $(cat "$TMP/keepalived.log")"; fi
        sleep 0.05
    done
    run 0 install --profile plain
    says "stopped and disabled $NAME"
    kill "$(cat /run/keepalived.pid)"
}

test_a_keepalived_conf_without_marks_is_not_switched() {
    run 1 install --profile fast
    says "install.sh: switching the profile in $CONF: no such file: give --nodes, --vip, --interface and --password-file as well"
    echo 'vrrp_instance x { state BACKUP }' >$CONF
    remember
    run 1 install --profile fast
    says_only "install.sh: switching the profile in $CONF: no line in it is marked 'fast only': take the marked lines from keepalived.conf.example, or give --nodes and so on for a whole new file"
    nothing_changed
}

test_without_systemd_it_says_what_to_start() {
    run 0 install_pair --profile fast
    says "systemd does not run here: let something start this, and again whenever it ends, before keepalived starts or is reloaded: /usr/libexec/keepalived/check_redis --watch $FILE"
    [ -e $UNIT ] || fail "no unit"
}

test_for_another_machine_the_unit_is_there_and_it_says_how_to_enable_it() {
    run 0 install_pair --names redis-a,redis-b --profile fast --destdir "$TMP/dest"
    cmp "$SOURCE/share/$NAME" "$TMP/dest$UNIT" || fail "no unit"
    says "on that machine, before keepalived starts: systemctl enable $NAME"
    absent $UNIT
    rm "$TMP/dest$CONF"
    run 0 "$SOURCE/install.sh" --uninstall --destdir "$TMP/dest"
    absent "$TMP/dest$UNIT"
}

test_a_dry_run_says_what_the_fast_profile_would_do() {
    systemd
    remember
    run 0 install_pair --profile fast --dry-run
    nothing_changed
    says "would write $UNIT"
    says "would enable and start $NAME"
    told ""
}

test_uninstall_ends_the_watcher() {
    systemd
    run 0 install_pair --profile fast
    # A file of another hand that reads the watcher's alone.
    echo "vrrp_track_file w { file $FILE }" >$CONF
    run 1 "$SOURCE/install.sh" --uninstall
    says "$CONF still calls them"
    rm $CONF
    : >"$TMP/told"
    run 0 "$SOURCE/install.sh" --uninstall
    says "stopped and disabled $NAME"
    says "removed $UNIT"
    absent $UNIT
    is "disable --now $NAME" "$(head -n 1 "$TMP/told")" "what systemctl was told first"
    run 0 "$SOURCE/install.sh" --uninstall
    says "nothing to remove"
}

test_wrong_usage_of_the_profile_is_refused() {
    hint="(see install.sh --help)"
    run 2 install --profile quick
    says_only "install.sh: --profile is plain or fast, not 'quick' $hint"
    run 2 "$SOURCE/install.sh" --uninstall --profile plain
    says_only "install.sh: --uninstall goes with --destdir and --dry-run only $hint"
}

test_systemd_takes_the_unit_and_finds_little_to_fear() {
    command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
    run 0 install_pair --profile fast
    run 0 systemd-analyze verify $UNIT
    says_only ""
    if systemd-analyze security --help | grep -q -- --offline; then
        run 0 systemd-analyze security --offline=true --threshold=25 $UNIT
    fi
}
