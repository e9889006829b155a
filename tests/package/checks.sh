# shellcheck shell=sh
# What dpkg makes of the package $DEB, and of $NEXT, a later version of it. Each test
# has a machine of its own: see install/machine.sh, which has fail, run, says and is.

PACKAGE=keepalived-redis
PROGRAMS='check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis'
CONF=/etc/keepalived/keepalived.conf
LOGROTATE=/etc/logrotate.d/keepalived-redis
ROLLBACK=/var/lib/keepalived-redis/rollback

# Images of containers leave manual pages out.
rm -f /etc/dpkg/dpkg.cfg.d/*
dpkg --purge --force-all $PACKAGE >"$TMP/out" 2>&1 || :
mkdir -p /etc/keepalived
# No file has to survive a power loss here, and nobody looks for a page by a word of it.
install_deb() { run 0 dpkg --force-unsafe-io --no-triggers --install "$DEB"; }
setup() {
    /usr/sbin/keepalived-redis-setup --nodes 192.168.158.11,192.168.158.12 --names redis-a,redis-b --vip 192.168.158.13 \
        --interface eth0 --password-file "$TMP/password" "$@"
}
installed() { dpkg-query --show --showformat '${db:Status-Status}' $PACKAGE; }
pages() { dpkg --listfiles $PACKAGE | grep '^/usr/share/man/man8/.*\.gz$'; }

test_dpkg_installs_it_on_what_it_depends_on_and_finds_nothing_wrong() {
    install_deb
    if grep -Ei 'warning|error' "$TMP/out"; then fail "dpkg complains"; fi
    is installed "$(installed)" "the status"
    # Of all files, but for those that have no sum: unchanged since they were packed.
    run 0 dpkg --verify $PACKAGE
    says_only ""
    run 0 dpkg --audit $PACKAGE
    # A dependency that no keepalived of Debian fulfils would be noticed: its versions have an epoch.
    is "keepalived (>= 1:2.0.10)" "$(dpkg-deb --field "$DEB" Depends)" "Depends"
    dpkg --compare-versions "$(dpkg-query --show --showformat '${Version}' keepalived)" ge 1:2.0.10 || fail "keepalived is too old"
}

test_every_file_has_its_owner_and_mode() {
    install_deb
    dpkg --listfiles $PACKAGE | grep -v '^/\.$' >"$TMP/files"
    while read -r file; do
        kind=$(stat -c '%F' "$file")
        case $kind:$file in
            'symbolic link':/usr/sbin/*) wanted='777 root:root' ;;
            directory:*) wanted='755 root:root' ;;
            *:/usr/libexec/keepalived/* | *:*/install.sh | *:*/before-removal) wanted='755 root:root' ;;
            'regular file':*) wanted='644 root:root' ;;
            *) fail "$file is a $kind" ;;
        esac
        is "$wanted" "$(stat -c '%a %U:%G' "$file")" "$file"
    done <"$TMP/files"
    for file in /usr/lib/systemd/system/keepalived-redis-watch.service /usr/lib/systemd/system/keepalived-redis.target \
        /usr/lib/systemd/system/keepalived.service.d/keepalived-redis.conf $LOGROTATE \
        /usr/share/doc/$PACKAGE/copyright /usr/share/doc/$PACKAGE/LICENSE-MIT /usr/share/doc/$PACKAGE/LICENSE-APACHE \
        /usr/share/doc/$PACKAGE/README.md /usr/share/doc/$PACKAGE/docs/facts.md \
        /usr/share/doc/$PACKAGE/examples/keepalived.conf.example /usr/share/doc/$PACKAGE/examples/redis-ha.toml.example; do
        grep -qxF "$file" "$TMP/files" || fail "no $file"
    done
    is "750 root:adm" "$(stat -c '%a %U:%G' /var/log/keepalived-redis)" "the directory of the journals"
    is "700 root:root" "$(stat -c '%a %U:%G' /var/lib/keepalived-redis)" "the directory of the memory"
    is "700 root:root" "$(stat -c '%a %U:%G' $ROLLBACK)" "the directory of the rollback files"
    is "$LOGROTATE" "$(dpkg-query --show --showformat '${Conffiles}\n' $PACKAGE | sed '/^$/d; s/^ \([^ ]*\) .*/\1/')" "conffiles"
    # Nobody may edit what stands in /usr; in /etc is nothing else.
    is "$LOGROTATE" "$(grep '^/etc/.*/' "$TMP/files")" "files in /etc"
}

test_the_programs_run_by_their_links_and_nothing_was_started() {
    install_deb
    version=$(dpkg-deb --field "$DEB" Version)
    for program in $PROGRAMS; do
        is "/usr/libexec/keepalived/$program" "$(readlink -f "/usr/sbin/$program")" "the link to $program"
        run 0 "/usr/sbin/$program" --version
        says_only "$program ${version%-*}"
        if ldd "/usr/libexec/keepalived/$program" >"$TMP/ldd" 2>&1 && ! grep -q 'statically' "$TMP/ldd"; then
            fail "$program needs libraries: $(cat "$TMP/ldd")"
        fi
    done
    is "" "$(find /etc/systemd -newer "$TMP/password" -name '*redis*')" "units enabled"
    run 1 pidof keepalived redis-server check_redis
}

test_every_program_and_every_word_has_a_manual_page_without_a_warning() {
    install_deb
    for program in $PROGRAMS; do pages | grep -qx "/usr/share/man/man8/$program.8.gz" || fail "no page of $program"; done
    keepalived-redis --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | grep -vx help >"$TMP/words"
    [ "$(wc -l <"$TMP/words")" -ge 7 ] || fail "not all words were found: $(cat "$TMP/words")"
    while read -r word; do
        pages | grep -qx "/usr/share/man/man8/keepalived-redis-$word.8.gz" || fail "no page of keepalived-redis $word"
    done <"$TMP/words"
    for page in $(pages); do
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings --encoding=UTF-8 --local-file "$page" >"$TMP/page" 2>"$TMP/warnings" </dev/null ||
            fail "man $page: $(cat "$TMP/warnings")"
        is "" "$(cat "$TMP/warnings")" "warnings on $page"
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' FILES 'SEE ALSO'; do
            grep -q "^$section" "$TMP/page" || fail "$page has no $section: $(cat "$TMP/page")"
        done
    done
}

test_what_the_shells_complete_is_read_by_them_without_a_complaint() {
    install_deb
    for program in $PROGRAMS; do
        run 0 bash -n "/usr/share/bash-completion/completions/$program"
        says_only ""
        run 0 zsh -n "/usr/share/zsh/vendor-completions/_$program"
        says_only ""
        run 0 fish --no-execute "/usr/share/fish/vendor_completions.d/$program.fish"
        says_only ""
    done
    # shellcheck disable=SC2016 # bash's variables
    run 0 bash -c '. /usr/share/bash-completion/completions/keepalived-redis
        COMP_WORDS=(keepalived-redis st) COMP_CWORD=1
        [[ $(complete -p keepalived-redis) =~ -F\ ([^ ]*) ]]
        "${BASH_REMATCH[1]}" keepalived-redis st keepalived-redis
        echo "${COMPREPLY[@]}"'
    says_only status
    run 0 fish -c 'complete -C "keepalived-redis dr"'
    says drain
    # shellcheck disable=SC2016 # zsh's variable
    run 0 zsh -f -c 'autoload -U compinit; compinit -D -u; echo $_comps[check_redis]'
    says_only _check_redis
}

test_setup_configures_a_node_and_leaves_the_packages_files_alone() {
    install_deb
    run 0 setup
    says "keepalived -t: $CONF is good"
    test_config redis-a
    run 0 dpkg --verify $PACKAGE
    says_only ""
    is "600 root:root" "$(stat -c '%a %U:%G' /etc/keepalived/redis.pass)" "the password file"
    absent /usr/local/sbin/check_redis /etc/systemd/system/keepalived-redis.target /etc/systemd/system/keepalived.service.d
    remember
    run 0 setup
    nothing_changed
    run 0 setup --profile fast
    absent /etc/systemd/system/keepalived-redis-watch.service
    run 2 setup --bin-dir /tmp
    says_only "keepalived-redis-setup: --bin-dir and --destdir go with the source tree: here the programs are the package's (see keepalived-redis-setup --help)"
    # And install.sh of the source tree stays away.
    remember
    run 1 "$SOURCE/install.sh"
    says_only "install.sh: looking at /usr/share/keepalived-redis: the programs there are a package's, and this would change its files: use keepalived-redis-setup, or remove the package keepalived-redis first"
    nothing_changed
}

test_an_upgrade_keeps_an_edited_conffile_and_replaces_one_that_is_not() {
    install_deb
    run 0 setup
    echo '# edited' >>$LOGROTATE
    run 0 dpkg --force-unsafe-io --no-triggers --force-confdef --force-confold --install "$NEXT"
    is '# edited' "$(tail -n 1 $LOGROTATE)" "the edited file"
    is '# new' "$(tail -n 1 $LOGROTATE.dpkg-dist)" "the new one beside it"
    is x "$(tail -c 1 /usr/libexec/keepalived/check_redis)" "the end of the new program"
    cmp "$TMP/password" /etc/keepalived/redis.pass || fail "the password file was changed"
    is 750 "$(stat -c %a /var/log/keepalived-redis)" "the directory of the journals"
    rm $CONF
    run 0 dpkg --purge $PACKAGE
    install_deb
    run 0 dpkg --force-unsafe-io --no-triggers --install "$NEXT"
    is '# new' "$(tail -n 1 $LOGROTATE)" "the file that nobody edited"
}

# A check that is missing for a moment would be a success to keepalived (K13).
test_during_an_upgrade_no_check_is_missing_for_a_moment() {
    install_deb
    : >"$TMP/misses"
    (
        while [ ! -e "$TMP/stop" ]; do
            /usr/libexec/keepalived/check_redis --version >/dev/null 2>&1 || echo "missed" >>"$TMP/misses"
            echo one >>"$TMP/tries"
        done
    ) &
    checks=$!
    for version in "$NEXT" "$DEB" "$NEXT" "$DEB"; do
        run 0 dpkg --force-unsafe-io --no-triggers --force-downgrade --install "$version"
    done
    : >"$TMP/stop"
    wait $checks
    is 0 "$(wc -l <"$TMP/misses")" "checks that found no program"
    [ "$(wc -l <"$TMP/tries")" -gt 20 ] || fail "only $(wc -l <"$TMP/tries") checks were run meanwhile"
}

test_removal_is_refused_while_keepalived_conf_calls_the_programs() {
    install_deb
    run 0 setup
    run 1 dpkg --remove $PACKAGE
    says "removing the programs: $CONF still calls them, and to keepalived a missing check is a success: stop keepalived, move $CONF away, then remove the package again"
    is installed "$(installed)" "the status"
    for program in $PROGRAMS; do run 0 /usr/sbin/"$program" --version; done
    # By the name of a link, in an included file; and what is commented out counts no more.
    sed -i 's/^/#/' $CONF
    mkdir -p /etc/keepalived/conf.d
    echo 'notify_stop /usr/sbin/redis_stop' >/etc/keepalived/conf.d/redis.conf
    run 1 dpkg --remove $PACKAGE
    says "/etc/keepalived/conf.d/redis.conf still calls them"
    rm /etc/keepalived/conf.d/redis.conf
    run 0 dpkg --remove $PACKAGE
    is config-files "$(installed)" "the status"
}

test_remove_keeps_data_logs_and_configuration_and_purge_all_that_may_be_the_only_copy() {
    install_deb
    run 0 setup
    rm $CONF
    echo rdb >$ROLLBACK/one.rdb
    echo line >/var/log/keepalived-redis/keepalived-redis-status.log
    mkdir -p /var/lib/keepalived-redis/redis-ha
    mkdir -p /etc/systemd/system/redis-server.service.d
    echo '[Service]' >/etc/systemd/system/redis-server.service.d/zz-boot-as-replica.conf
    run 0 dpkg --remove $PACKAGE
    says "note: with /etc/systemd/system/redis-server.service.d/zz-boot-as-replica.conf Redis goes on starting as a replica of nobody"
    for program in $PROGRAMS; do absent /usr/libexec/keepalived/"$program" /usr/sbin/"$program"; done
    absent /usr/libexec/keepalived /usr/share/keepalived-redis /usr/sbin/keepalived-redis-setup
    is "" "$(find /usr/share -path /usr/share/doc -prune -o -newer "$TMP/password" -name '*redis_*' -print)" "pages that are left"
    [ -f $LOGROTATE ] || fail "the conffile is gone"
    is line "$(cat /var/log/keepalived-redis/keepalived-redis-status.log)" "the journal"
    is rdb "$(cat $ROLLBACK/one.rdb)" "the rollback file"
    [ -d /var/lib/keepalived-redis/redis-ha ] || fail "the memory is gone"

    run 0 dpkg --purge $PACKAGE
    says "kept $ROLLBACK: it may hold the only copy of writes that a failover set aside"
    absent $LOGROTATE /var/log/keepalived-redis /var/lib/keepalived-redis/redis-ha
    is rdb "$(cat $ROLLBACK/one.rdb)" "the rollback file"
    is s3cret "$(cat /etc/keepalived/redis.pass)" "what a person has written"
    [ -f /etc/keepalived/redis-ha.toml ] || fail "the configuration is gone"
    # Again, with nothing in it that anybody could miss.
    rm -r $ROLLBACK
    install_deb
    run 0 dpkg --purge $PACKAGE
    absent /var/lib/keepalived-redis
}

test_it_takes_the_place_of_an_installation_by_install_sh() {
    mkdir -p /usr/libexec/keepalived /var/log/keepalived-redis $ROLLBACK
    cp /bin/true /usr/libexec/keepalived/check_redis
    ln -s /usr/libexec/keepalived/check_redis /usr/local/sbin/check_redis
    cp "$SOURCE/share/logrotate" $LOGROTATE
    chmod 700 /var/log/keepalived-redis
    echo rdb >$ROLLBACK/one.rdb
    install_deb
    run 0 /usr/local/sbin/check_redis --version
    says check_redis
    is 700 "$(stat -c %a /var/log/keepalived-redis)" "a directory that was there"
    is rdb "$(cat $ROLLBACK/one.rdb)" "the rollback file"
    # Units in /etc would come before the package's; one that was edited is a person's.
    mkdir -p /etc/systemd/system/keepalived.service.d
    cp "$SOURCE/share/keepalived-redis.target" /etc/systemd/system
    cp "$SOURCE/share/keepalived-redis.conf" /etc/systemd/system/keepalived.service.d
    echo '# edited' >>/etc/systemd/system/keepalived.service.d/keepalived-redis.conf
    run 0 setup
    absent /etc/systemd/system/keepalived-redis.target
    says "note: /etc/systemd/system/keepalived.service.d/keepalived-redis.conf was edited and stays"
    is /usr/libexec/keepalived/check_redis "$(readlink /usr/local/sbin/check_redis)" "a link that a configuration may call"
}
