# shellcheck shell=sh
# Sentinel mode: any number of nodes, and the sentinels that elect the master.
# shellcheck disable=SC2016 # keepalived's $VAR, not the shell's

CONF=/etc/keepalived/keepalived.conf
TOML=/etc/keepalived/redis-ha.toml
PASS=/etc/keepalived/sentinel.pass
WATCH=/run/keepalived-redis/redis-ha.watch
HINT="(see install.sh --help)"

NODES='192.168.158.11 192.168.158.12 192.168.158.14 192.168.158.15 192.168.158.16'
NAMES='redis-a redis-b redis-c redis-d redis-e'
# first N WORD...: the first N words with commas between them.
first() {
    count=$1
    shift
    printf '%s\n' "$@" | head -n "$count" | paste -s -d , -
}
# install_nodes N ARGUMENT...: Sentinel mode on N nodes, each with a sentinel.
# shellcheck disable=SC2086 # lists of words
install_nodes() {
    count=$1
    shift
    nodes=$(first "$count" $NODES)
    install --nodes "$nodes" --names "$(first "$count" $NAMES)" --vip 192.168.158.13 --interface eth0 \
        --password-file "$TMP/password" --sentinel-master mymaster --sentinels "$nodes" "$@"
}
three() { install_nodes 3 "$@"; }
# What keepalived reads: without comments, indentation and empty lines.
active() { sed 's/[#!].*//; s/^[ \t]*//; s/[ \t]*$//; /^$/d' "$1"; }
differ() { # differ FILE FILE: the active lines in one of them alone
    active "$1" >"$TMP/active-1"
    active "$2" >"$TMP/active-2"
    diff "$TMP/active-1" "$TMP/active-2" | grep '^[<>]'
}
sentinel_section() { sed '1,/^$/d; /^\[sentinel\]/,$!d' $TOML | sed 's/  *#.*//; /^$/d'; }

test_two_three_and_five_nodes_pass_for_each_name_in_both_profiles() {
    for count in 2 3 5; do
        for profile in plain fast; do
            rm -f $CONF
            run 0 install_nodes $count --profile $profile
            for name in $(printf '%s\n' "$NAMES" | cut -d ' ' -f "-$count"); do test_config "$name"; done
            is $((count * (count - 1))) "$(grep -c '^@redis-[a-e]    192' $CONF)" "peers of $count nodes"
            is $count "$(grep -c '^@redis-[a-e] \$PRIORITY=' $CONF)" "priorities of $count nodes"
            run 5 keepalived -t -i redis-f
        done
    done
    grep -qxF '@redis-e $PRIORITY=250' $CONF || fail "the fifth priority"
    grep -qxF '@redis-e    192.168.158.11' $CONF || fail "a peer of the fifth node"
    if grep -qxF '@redis-e    192.168.158.16' $CONF; then fail "its own peer"; fi
}

test_the_sentinel_variant_differs_from_failback_in_the_weights_alone() {
    for profile in plain fast; do
        rm -f $CONF
        run 0 install_pair --names redis-a,redis-b --profile $profile
        cp $CONF "$TMP/$profile"
        rm $CONF
        run 0 install_nodes 2 --profile $profile
        cp $CONF "$TMP/$profile-sentinel"
    done
    is '< weight -10
> weight -50' "$(differ "$TMP/plain" "$TMP/plain-sentinel")" "plain: pair < > sentinel"
    is '< weight 0
> weight -1
< weight -10
> weight -50' "$(differ "$TMP/fast" "$TMP/fast-sentinel")" "fast: pair < > sentinel"
}

test_it_preempts() {
    run 0 three
    if active $CONF | grep -q nopreempt; then fail "nopreempt"; fi
}

test_the_configuration_names_the_sentinels() {
    run 0 three
    is '[sentinel]
master_name = "mymaster"
nodes = ["192.168.158.11:26379", "192.168.158.12:26379", "192.168.158.14:26379"]
#quorum = 2
#when_sentinels_silent = "hold"
#username = "ha"
#password_file = "/etc/keepalived/sentinel.pass"' "$(sentinel_section)" "[sentinel]"
    absent $PASS
    says "masterauth in redis.conf, the same on all; on each sentinel: 'sentinel monitor'"

    # A machine with a sentinel alone, other ports, IPv6, all that can be said.
    rm $TOML
    run 0 three --sentinels '192.168.158.11:26380,192.168.158.12,10.0.0.9:5000,[fd00::14],fd00::15' --quorum 04 \
        --when-sentinels-silent release --sentinel-password-file "$TMP/password" --sentinel-master=m.1_a-B
    is '[sentinel]
master_name = "m.1_a-B"
nodes = ["192.168.158.11:26380", "192.168.158.12:26379", "10.0.0.9:5000", "[fd00::14]:26379", "[fd00::15]:26379"]
quorum = 4
when_sentinels_silent = "release"
#username = "ha"
password_file = "/etc/keepalived/sentinel.pass"' "$(sentinel_section)" "[sentinel]"
}

test_a_pair_has_nothing_of_sentinel() {
    run 0 install_pair
    if grep -qi sentinel $TOML; then fail "redis-ha.toml speaks of Sentinel"; fi
    if active $CONF | grep -q 'weight -50'; then fail "keepalived.conf has its weight"; fi
    absent $PASS
}

test_every_key_of_the_sentinel_section_can_be_taken_into_use() {
    run 0 three --sentinel-password-file "$TMP/password"
    sed -i 's/^#\([a-z_]* = \)/\1/' $TOML
    rm -rf /var/lib/keepalived-redis/redis-ha
    got=0
    /usr/libexec/keepalived/check_redis -v >"$TMP/out" 2>&1 || got=$?
    # 1: there is no Redis. 3 would be: the configuration can't be read.
    is 1 $got "the exit code of check_redis"
    if grep -q redis-ha.toml "$TMP/out"; then fail "a complaint about redis-ha.toml"; fi
}

test_the_password_of_the_sentinels_is_copied_and_closed() {
    (umask 077 && echo 0th3r >"$TMP/sentinels")
    run 0 three --sentinel-password-file "$TMP/sentinels"
    is "600 root:root" "$(stat -c '%a %U:%G' $PASS)" $PASS
    is 0th3r "$(cat $PASS)" $PASS
    is s3cret "$(cat /etc/keepalived/redis.pass)" "the password of Redis"
    if grep -rq 0th3r $CONF $TOML "$TMP/out"; then fail "the password is in a file or in the output"; fi
    # Another one does not replace it; one that is in place is used where it is.
    (umask 077 && echo n3w >"$TMP/sentinels")
    run 0 three --sentinel-password-file "$TMP/sentinels"
    is 0th3r "$(cat $PASS)" $PASS
    is "600 n3w" "$(stat -c %a $PASS.new) $(cat $PASS.new)" $PASS.new
    rm $PASS.new
    remember
    run 0 three --sentinel-password-file $PASS
    nothing_changed
}

test_run_again_with_and_without_the_flags_it_changes_nothing() {
    for profile in plain fast; do
        rm -f $CONF
        run 0 three --profile $profile --sentinel-password-file "$TMP/password"
        remember
        run 0 three --sentinel-password-file "$TMP/password"
        nothing_changed
        says "nothing to change"
        run 0 install
        nothing_changed
        says "nothing to change"
    done
}

test_the_profile_is_switched_and_the_variant_stays() {
    run 0 three
    cp $CONF "$TMP/plain"
    run 0 install --profile fast
    test_config redis-a $CONF.new
    mv $CONF.new $CONF
    active $CONF | grep -qx 'weight -1' || fail "the weight of the watcher's file"
    cp $CONF "$TMP/fast"
    rm $CONF
    run 0 three --profile fast
    is "" "$(differ "$TMP/fast" $CONF || :)" "the switched < > the written"
    run 0 install --profile plain
    cmp "$TMP/plain" $CONF.new || fail "it is not as it was before"
    # And a pair stays one.
    rm $CONF $CONF.new $TOML
    run 0 install_pair
    run 0 install --profile fast
    if active $CONF.new | grep -Eqx 'weight -(1|50)'; then fail "a weight of Sentinel mode"; fi
}

test_an_installed_pair_is_not_overwritten() {
    run 0 install_pair --names redis-a,redis-b
    cp $CONF "$TMP/conf"
    cp $TOML "$TMP/toml"
    run 0 three
    says "mv $CONF.new $CONF"
    says "mv $TOML.new $TOML"
    cmp "$TMP/conf" $CONF || fail "$CONF was changed"
    cmp "$TMP/toml" $TOML || fail "$TOML was changed"
    test_config redis-c $CONF.new
    grep -q '^\[sentinel\]' $TOML.new || fail "no [sentinel] in $TOML.new"
}

test_a_dry_run_changes_nothing_and_says_what_it_would_write() {
    remember
    run 0 three --dry-run --sentinel-password-file "$TMP/password" --profile fast
    nothing_changed
    for file in $CONF $TOML $PASS /etc/systemd/system/keepalived-redis-watch.service; do says "would write $file"; done
}

test_uninstall_keeps_the_configuration_and_both_passwords() {
    run 0 three --sentinel-password-file "$TMP/password"
    run 1 "$SOURCE/install.sh" --uninstall
    says "$CONF still calls them"
    rm $CONF
    run 0 "$SOURCE/install.sh" --uninstall
    for kept in $TOML /etc/keepalived/redis.pass $PASS; do
        says "kept $kept"
        [ -e "$kept" ] || fail "$kept is gone"
    done
    absent /usr/libexec/keepalived
}

test_for_another_machine_nothing_else_is_touched() {
    # keepalived looks for the programs, in the place of the other machine.
    run 0 install
    remember
    run 0 three --destdir "$TMP/dest" --profile fast --sentinel-password-file "$TMP/password"
    nothing_changed
    says "needs keepalived 2.0.20 or newer on that machine"
    is "600 s3cret" "$(stat -c %a "$TMP/dest$PASS") $(cat "$TMP/dest$PASS")" "$PASS there"
    grep -qx 'password_file = "/etc/keepalived/sentinel.pass" .*' "$TMP/dest$TOML" || fail "its name"
    for name in redis-a redis-b redis-c; do
        run 0 keepalived -t -i $name -f "$TMP/dest$CONF"
    done
}

test_redis_that_boots_as_a_replica_of_nobody_is_refused() {
    refuses 2 "--boot-as-replica does not go with --sentinel-master: Sentinel gives out the roles $HINT" three --boot-as-replica
    run 0 three
    refuses 1 "reading $TOML: this node is in Sentinel mode, and --boot-as-replica is for a pair: Sentinel gives out the roles" \
        install --boot-as-replica
    # One that a pair has left.
    dropin=/etc/systemd/system/redis-server.service.d/zz-boot-as-replica.conf
    mkdir -p "${dropin%/*}"
    cp "$SOURCE/share/redis-boot-as-replica.conf" $dropin
    refuses 1 "looking at $dropin: Redis here boots as a replica of nobody, and in Sentinel mode Sentinel gives out the roles: rm $dropin; systemctl daemon-reload" \
        three
}

test_wrong_usage_of_sentinel_mode_is_refused() {
    refuses 2 "--sticky does not go with --sentinel-master: the VIP has to follow the master that Sentinel elects $HINT" \
        three --sticky
    for flag in --sentinels=192.168.158.11 --quorum=2 --when-sentinels-silent=hold --sentinel-password-file="$TMP/password"; do
        refuses 2 "--sentinel-master is missing: the name by which the sentinels know the master $HINT" install_pair "$flag"
    done
    refuses 2 "--sentinels is missing $HINT" install_pair --sentinel-master mymaster
    refuses 2 "--nodes is missing $HINT" install --sentinel-master mymaster --sentinels 192.168.158.11
    refuses 2 "--when-sentinels-silent is hold or release, not 'keep' $HINT" three --when-sentinels-silent keep
    for flag in --sentinel-master --sentinels --quorum --when-sentinels-silent --sentinel-password-file; do
        refuses 2 "$flag needs a value $HINT" three $flag
        refuses 2 "$flag needs a value $HINT" three $flag=
    done
    refuses 2 "--uninstall goes with --destdir and --dry-run only $HINT" install --uninstall --quorum 2
}

test_wrong_sentinels_are_refused() {
    a=192.168.158.11 b=192.168.158.12
    fix="write 192.0.2.1, 192.0.2.1:26379 or [2001:db8::1]:26379 (a name would fail whenever DNS does)"
    for wrong in sentinel-c 192.168.158 '[fd00::12' 192.168.158.256; do
        refuses 1 "reading --sentinels: '$wrong': not an address: $fix" three --sentinels "$a,$b,$wrong"
    done
    refuses 1 "reading --sentinels: '': not an address: $fix" three --sentinels "$a,$b,"
    for wrong in 192.168.158.14: 192.168.158.14:0 192.168.158.14:65536 192.168.158.14:x '[fd00::12]:'; do
        refuses 1 "reading --sentinels: '$wrong': its port is not a number from 1 to 65535: write ADDRESS:26379" \
            three --sentinels "$a,$b,$wrong"
    done
    refuses 1 "reading --sentinels: '$a:26379': this address stands there twice: each sentinel once" \
        three --sentinels "$a,$b,$a:26379"
    refuses 1 "reading --sentinels: 'FD00:0::11': this address stands there twice: each sentinel once" \
        three --sentinels "$a,[fd00::11]:26379,FD00:0::11"
    refuses 1 "reading --sentinels: '192.168.158.13': it is the VIP, which moves: give the machine's own address" \
        three --sentinels "$a,$b,192.168.158.13"
    refuses 1 "reading --sentinels: '$b:6379': a Redis listens there, says --nodes: a sentinel has a port of its own, 26379 as a rule" \
        three --sentinels "$a,$b:6379,192.168.158.14"
    for wrong in 'my master' 'a"b' 'a#b' 'a/b' 'ä'; do
        refuses 1 "reading --sentinel-master: '$wrong': not a name that Sentinel takes: letters, digits, '.', '-' and '_', as behind 'sentinel monitor' in sentinel.conf" \
            three --sentinel-master "$wrong"
    done
    # Nodes as for a pair.
    refuses 1 "reading --nodes: '192.168.158.11': one node only: give all of them, as A,B" install_nodes 1
}

test_a_wrong_quorum_is_refused() {
    for wrong in 0 4 -1 x 2.5 00 1000000000000 ' '; do
        refuses 1 "reading --quorum: '$wrong': not a number from 1 to 3, the number of --sentinels: 2 is the majority" \
            three --quorum "$wrong"
    done
    run 0 three --quorum 3
    if grep -q '^note:.*quorum' "$TMP/out"; then fail "a note on a good quorum"; fi
    run 0 three --dry-run --quorum 1
    says "note: a quorum of 1 among 3 sentinels"
}

test_fewer_than_three_sentinels_are_taken_with_a_warning() {
    run 0 install_nodes 2
    says "note: fewer than three sentinels: none of them may fail"
    rm $TOML
    run 0 install_nodes 2 --sentinels 192.168.158.11,192.168.158.12,192.168.158.20
    if grep -q 'fewer than three' "$TMP/out"; then fail "a note on three sentinels"; fi
}

test_as_many_nodes_as_the_weight_allows_are_taken() {
    many=192.168.158.11 i=100
    while [ $i -lt 149 ]; do many=$many,192.168.158.$i i=$((i + 1)); done
    run 0 three --dry-run --nodes "$many" --names "$(echo "redis-a,$many" | sed 's/,192[.]168[.]158[.]11,/,/; s/192[.]168[.]158[.]/n/g')"
    refuses 1 "reading --nodes: 51 nodes: the priorities are for 50 at most: give fewer" three --nodes "$many,192.168.158.149"
}

test_a_wrong_password_file_of_the_sentinels_is_refused() {
    file=$TMP/sentinels
    refuses 1 "reading --sentinel-password-file $file: no such file: write the password of the sentinels into it, then chmod 600 $file" \
        three --sentinel-password-file "$file"
    (umask 077 && : >"$file")
    refuses 1 "reading --sentinel-password-file $file: it is empty: write the password of the sentinels into it (or leave the flag out where they have none)" \
        three --sentinel-password-file "$file"
    printf '0th3r\nmore' >"$file"
    refuses 1 "reading --sentinel-password-file $file: more than one line: write the password alone, on one line" \
        three --sentinel-password-file "$file"
    echo 0th3r >"$file"
    chmod 644 "$file"
    refuses 1 "reading the password file $file: others than its owner can read it (mode 644): chmod 600 $file" \
        three --sentinel-password-file "$file"
    chmod 600 "$file"
    run 0 three --sentinel-password-file "$file"
    chown nobody $PASS
    refuses 1 "reading the password file $PASS: root does not own it, so the programs would refuse it: chown root:root $PASS" \
        three --sentinel-password-file "$file"
}

test_the_fast_profile_is_refused_where_keepalived_is_too_old_for_it() {
    # As keepalived 2.0.19 says it; all else is the real one.
    real=$(command -v keepalived)
    cat >/usr/local/bin/keepalived <<END
#!/bin/sh
case "\$*" in --version) echo "Keepalived v2.0.19 (10/19,2019)" >&2 ;; *) exec $real "\$@" ;; esac
END
    chmod 755 /usr/local/bin/keepalived
    PATH=/usr/local/bin:$PATH
    sentence="looking at keepalived: version 2.0.19: the fast profile in Sentinel mode needs 2.0.20 or newer: upgrade it, or give --profile plain"
    refuses 1 "$sentence" three --profile fast
    run 0 three
    refuses 1 "$sentence" install --profile fast
    rm $CONF $TOML
    run 0 install_pair --profile fast
}

# watched_keepalived NUMBER: one keepalived, on what is installed, with checks that say:
# alive, and not the master. NUMBER is in the watcher's file.
watched_keepalived() {
    run 0 three --profile fast
    printf '#!/bin/sh\n[ "${1:-}" != --eligible ]\n' >/usr/libexec/keepalived/check_redis
    ip link set eth0-peer up
    mkdir -p "${WATCH%/*}"
    echo "$1" >$WATCH
    keepalived --dont-fork --log-console >"$TMP/keepalived.log" 2>&1 &
}
# logs COUNT SENTENCE: keepalived has said it so often by now.
logs() {
    i=0
    until [ "$(grep -cF -- "$2" "$TMP/keepalived.log")" -ge "$1" ]; do
        i=$((i + 1))
        if [ $i -gt 200 ]; then fail "keepalived did not say $1 times '$2': $(cat "$TMP/keepalived.log")"; fi
        sleep 0.05
    done
}
watcher_says() {
    echo "$1" >"$WATCH.next"
    mv "$WATCH.next" $WATCH
}

test_keepalived_takes_the_number_in_the_watchers_file_off_the_priority() {
    watched_keepalived 0
    logs 1 'Entering MASTER STATE'
    # 254 - 50 for the check; a living node that is not the master is not taken out.
    watcher_says 100
    logs 1 'Changing effective priority from 204 to 104'
    watcher_says 0
    logs 1 'Changing effective priority from 104 to 204'
    # 254 takes it out, and then nothing of it is left, whatever was before and comes after.
    watcher_says 254
    logs 1 'Entering FAULT STATE'
    watcher_says 100
    logs 2 'Entering MASTER STATE'
    watcher_says 254
    logs 2 'Entering FAULT STATE'
    watcher_says 0
    logs 3 'Entering MASTER STATE'
    watcher_says 100
    logs 2 'Changing effective priority from 204 to 104'
    kill "$(cat /run/keepalived.pid)"
}

test_a_node_that_starts_dead_is_taken_out_until_it_lives() {
    watched_keepalived 254
    logs 1 'entering FAULT state'
    watcher_says 100
    logs 1 'Entering MASTER STATE'
    watcher_says 0
    logs 1 'Changing effective priority from 104 to 204'
    kill "$(cat /run/keepalived.pid)"
}
