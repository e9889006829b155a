# shellcheck shell=sh
# Wrong flags and wrong machines: one line, its exit code, and nothing changed.

# pair FLAGS...: the example's flags, of which those given replace the same.
pair() { install_pair "$@"; }
install_these() { "$SOURCE/install.sh" --bin-dir "$TMP/bin"; }

test_wrong_usage_is_refused() {
    hint="(see install.sh --help)"
    refuses 2 "unknown option '--what' $hint" install --what
    refuses 2 "unknown option 'what' $hint" install what
    refuses 2 "--nodes needs a value $hint" install --nodes
    refuses 2 "--vip needs a value $hint" install --vip=
    refuses 2 "--sticky takes no value $hint" install --sticky=1
    refuses 2 "--nodes is missing $hint" install --vip 192.168.158.13
    refuses 2 "--nodes is missing $hint" install --sticky
    refuses 2 "--vip is missing $hint" install --nodes 192.168.158.11,192.168.158.12
    refuses 2 "--interface is missing $hint" install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13
    refuses 2 "--password-file is missing (or --no-password where Redis asks for none) $hint" \
        install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13 --interface eth0
    refuses 2 "--password-file and --no-password exclude each other $hint" pair --no-password
    refuses 2 "--uninstall goes with --destdir and --dry-run only $hint" pair --uninstall
    refuses 2 "--destdir writes for other machines, whose host names it can't know: give --names $hint" \
        pair --destdir "$TMP/dest"
}

test_wrong_nodes_are_refused() {
    fix="write 192.0.2.1, 192.0.2.1:6379 or [2001:db8::1]:6379 (a name would fail whenever DNS does)"
    for wrong in redis-b 192.168.158 192.168.158.256 1.2.3.4.5 '[fd00::12' 'fd00:::12' '[fd00::1::2]:6379' \
        '1:2:3:4:5:6:7' '1:2:3:4:5:6:7:8:9' '[1:2:3:4:5:6:7:]' 'fd00::12345' '192.168.158.12/24' '-12' ' '; do
        refuses 1 "reading --nodes: '$wrong': not an address: $fix" pair --nodes "192.168.158.11,$wrong"
    done
    refuses 1 "reading --nodes: '': not an address: $fix" pair --nodes 192.168.158.11,
    for wrong in 192.168.158.12: 192.168.158.12:0 192.168.158.12:65536 192.168.158.12:x 192.168.158.12:4294967297 '[fd00::12]:'; do
        refuses 1 "reading --nodes: '$wrong': its port is not a number from 1 to 65535: write ADDRESS:6379" \
            pair --nodes "$wrong,192.168.158.11"
    done
    refuses 1 "reading --nodes: '[fd00::12]:6379': IPv4 and IPv6 are mixed: VRRP speaks one of the two, give all nodes in one" \
        pair --nodes '192.168.158.11,[fd00::12]:6379'
    refuses 1 "reading --nodes: '192.168.158.11:6380': this address stands there twice: each node needs one of its own" \
        pair --nodes 192.168.158.11,192.168.158.11:6380
    refuses 1 "reading --nodes: 'FD00:0::11': this address stands there twice: each node needs one of its own" \
        pair --nodes '[fd00::11]:6379,FD00:0::11'
    refuses 1 "reading --nodes: '192.168.158.11': one node only: give all of them, as A,B" pair --nodes 192.168.158.11
}

test_more_nodes_than_the_weight_allows_are_refused() {
    many=192.168.158.11
    for i in 101 102 103 104 105 106 107 108 109; do many=$many,192.168.158.$i; done
    run 0 pair --dry-run --nodes "$many"
    refuses 1 "reading --nodes: 11 nodes: the priorities are for 10 at most: give fewer" pair --nodes "$many,192.168.158.110"
}

test_another_machine_than_the_nodes_is_refused() {
    refuses 1 "looking for this machine among --nodes: none of 10.0.0.1,10.0.0.2 is an address of it: run this on the nodes, or correct --nodes" \
        pair --nodes 10.0.0.1,10.0.0.2
    ip addr add 192.168.158.12/24 dev eth0
    refuses 1 "looking for this machine among --nodes: more than one of 192.168.158.11,192.168.158.12 is an address of it: each node must be a machine of its own" pair
}

test_a_wrong_vip_is_refused() {
    refuses 1 "reading --vip: 'redis': not an address: write 192.0.2.3 or 192.0.2.3/24" pair --vip redis
    refuses 1 "reading --vip: '192.168.158.12/24': it is also the address of a node: the VIP must be one that no machine has of its own" \
        pair --vip 192.168.158.12/24
    refuses 1 "reading --vip: 'fd00::13': the nodes are IPv4 and this is IPv6: VRRP speaks one of the two, give both in one" \
        pair --vip fd00::13
    for wrong in 192.168.158.13/ 192.168.158.13/0 192.168.158.13/33 192.168.158.13/x 192.168.158.13/24/1; do
        refuses 1 "reading --vip: '$wrong': its prefix is not a number from 1 to 32: write 192.168.158.13 or 192.168.158.13/24" \
            pair --vip "$wrong"
    done
}

test_the_vip_may_be_held_by_this_machine() {
    ip addr add 192.168.158.13/32 dev eth0
    run 0 install_pair
}

test_a_wrong_interface_is_refused() {
    refuses 1 "reading --interface: 'eth7': no such interface here: see 'ip link'" pair --interface eth7
    refuses 1 "reading --interface: 'eth.': no such interface here: see 'ip link'" pair --interface eth.
    refuses 1 "reading --interface: 'eth0 {': not the name of an interface: see 'ip link'" pair --interface 'eth0 {'
}

test_wrong_names_are_refused() {
    refuses 1 "reading --names: 'redis-a': not as many as --nodes (2): give one for each, in the same order" pair --names redis-a
    refuses 1 "reading --names: 'redis-b.example.net': keepalived compares up to the first dot only: write 'redis-b'" \
        pair --names redis-a,redis-b.example.net
    refuses 1 "reading --names: 'redis b': not a host name: write what 'uname -n' says on that node, up to the first dot" \
        pair --names 'redis-a,redis b'
    refuses 1 "reading --names: 'redis-a,redis-a': a name stands there twice: give each host a name of its own (hostnamectl set-hostname NAME)" \
        pair --names redis-a,redis-a
    refuses 1 "reading --names: 192.168.158.11 is this host, called 'redis-a', not 'redis-b': keepalived would find no line for itself (K26): correct --names or the host name" \
        pair --names redis-b,redis-a
}

test_a_wrong_password_file_is_refused() {
    file=$TMP/other
    refuses 1 "reading --password-file $file: no such file: write the password of Redis into it, then chmod 600 $file" \
        pair --password-file "$file"
    : >"$file"
    chmod 600 "$file"
    refuses 1 "reading --password-file $file: it is empty: write the password of Redis into it (or give --no-password)" \
        pair --password-file "$file"
    printf '\n' >"$file"
    refuses 1 "reading --password-file $file: it is empty: write the password of Redis into it (or give --no-password)" \
        pair --password-file "$file"
    printf 's3cret\nother' >"$file"
    refuses 1 "reading --password-file $file: more than one line: write the password alone, on one line" \
        pair --password-file "$file"
    echo s3cret >"$file"
    for mode in 640 604 644 660; do
        chmod $mode "$file"
        refuses 1 "reading the password file $file: others than its owner can read it (mode $mode): chmod 600 $file" \
            pair --password-file "$file"
    done
    chmod 400 "$file"
    run 0 pair --password-file "$file"
    chmod 644 /etc/keepalived/redis.pass
    refuses 1 "reading the password file /etc/keepalived/redis.pass: others than its owner can read it (mode 644): chmod 600 /etc/keepalived/redis.pass" \
        pair
    chmod 600 /etc/keepalived/redis.pass
    chown nobody /etc/keepalived/redis.pass
    refuses 1 "reading the password file /etc/keepalived/redis.pass: root does not own it, so the programs would refuse it: chown root:root /etc/keepalived/redis.pass" \
        pair
}

test_programs_that_do_not_run_here_are_refused() {
    mkdir "$TMP/bin"
    refuses 1 "looking for $TMP/bin/check_redis: no such file: give the directory that holds all of: check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis" \
        install_these
    for program in check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis; do
        cp "$BIN_DIR/$program" "$TMP/bin"
    done
    sentence="looking at $TMP/bin/redis_stop: not a whole program for this machine ($(uname -m)): give the directory that cargo built into here"
    printf '#!/bin/sh\nexit 0\n' >"$TMP/bin/redis_stop"
    refuses 1 "$sentence" install_these
    : >"$TMP/bin/redis_stop"
    refuses 1 "$sentence" install_these
    # Cut off, by much and by one byte.
    for size in 512 $(($(stat -c %s "$BIN_DIR/redis_stop") - 1)); do
        head -c "$size" "$BIN_DIR/redis_stop" >"$TMP/bin/redis_stop"
        refuses 1 "$sentence" install_these
    done
    # Of another kind of machine: the number at 18 in an ELF file.
    cp "$BIN_DIR/redis_stop" "$TMP/bin/redis_stop"
    printf '\377' | dd of="$TMP/bin/redis_stop" bs=1 seek=18 conv=notrunc 2>/dev/null
    refuses 1 "$sentence" install_these
    # Starts, and fails.
    cp /bin/false "$TMP/bin/redis_stop"
    remember
    run 1 install_these
    says "install.sh: running $TMP/bin/redis_stop --version: "
    nothing_changed
    # From a file system that forbids programs they are tried in a copy.
    mkdir "$TMP/noexec"
    mount -t tmpfs -o noexec tmpfs "$TMP/noexec"
    cp "$TMP/bin"/* "$TMP/noexec"
    cp "$BIN_DIR/redis_stop" "$TMP/noexec"
    run 0 "$SOURCE/install.sh" --dry-run --bin-dir "$TMP/noexec"
}

test_a_program_directory_that_others_may_write_to_is_refused() {
    mkdir -p /usr/libexec/keepalived
    fix="others than root may write there, so keepalived would not run the checks (K24): chown root:root /usr/libexec/keepalived; chmod 755 /usr/libexec/keepalived"
    chmod 777 /usr/libexec/keepalived
    refuses 1 "looking at /usr/libexec/keepalived: $fix" pair
    chmod 775 /usr/libexec/keepalived
    chgrp nogroup /usr/libexec/keepalived 2>/dev/null || chgrp nobody /usr/libexec/keepalived
    refuses 1 "looking at /usr/libexec/keepalived: $fix" pair
    chmod 755 /usr/libexec/keepalived
    chown nobody /usr/libexec/keepalived
    refuses 1 "looking at /usr/libexec/keepalived: $fix" pair
}

test_a_script_in_the_place_of_a_program_is_refused() {
    mkdir -p /usr/libexec/keepalived
    printf '#!/bin/sh\nss -tnlp | grep 6379\n' >/usr/libexec/keepalived/check_redis
    refuses 1 "looking at /usr/libexec/keepalived/check_redis: a script, not one of these programs: move it away (keepalived runs the checks that are named in its configuration; stop it first)" \
        pair
}

test_a_machine_without_keepalived_is_refused() {
    rm "$(command -v keepalived)"
    refuses 1 "looking for keepalived: not in PATH: apt-get install keepalived, or dnf install keepalived" pair
}

test_a_user_who_is_not_root_is_refused() {
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    refuses 1 "changing /usr/libexec/keepalived and /etc/keepalived: not root: run it with sudo, or see --dry-run and --destdir" \
        setpriv --reuid 65534 --regid 65534 --clear-groups sh "$SOURCE/install.sh" --bin-dir "$BIN_DIR"
}

test_a_full_disk_is_one_line_and_leaves_no_part_of_a_file() {
    mkdir -p /usr/libexec/keepalived
    mount -t tmpfs -o mode=755,size=4k tmpfs /usr/libexec/keepalived
    run 1 install_pair
    is 1 "$(grep -c '^install.sh: ' "$TMP/out")" "lines of the failure"
    says "No space left on device: see that the file system is writable and not full"
    is "" "$(find /usr/libexec/keepalived -type f)" "what is left there"
    absent /etc/keepalived/keepalived.conf
}
