# shellcheck shell=sh
# What keepalived itself says of the files: "-t" without a single word.
# shellcheck disable=SC2016 # keepalived's $VAR, not the shell's

both_hosts_take_it() {
    test_config redis-a "$@"
    test_config redis-b "$@"
}

test_the_example_passes_for_both_names() {
    run 0 install
    both_hosts_take_it "$SOURCE/keepalived.conf.example"
}

test_the_example_is_what_install_writes_for_its_addresses() {
    run 0 install_pair --names redis-a,redis-b
    diff "$SOURCE/keepalived.conf.example" /etc/keepalived/keepalived.conf || fail "they differ"
}

test_both_variants_pass_for_both_names() {
    run 0 install_pair --names redis-a,redis-b
    both_hosts_take_it
    rm /etc/keepalived/keepalived.conf
    run 0 install_pair --names redis-a,redis-b --sticky
    both_hosts_take_it
}

test_a_host_of_another_name_does_not_pass() {
    run 0 install_pair --names redis-a,redis-b
    run 5 keepalived -t -i redis-c
}

test_the_variants_differ_in_the_eligible_check_and_nopreempt_alone() {
    # What keepalived reads: without comments, indentation and empty lines.
    active() { sed 's/[#!].*//; s/^[ \t]*//; s/[ \t]*$//; /^$/d' /etc/keepalived/keepalived.conf; }
    run 0 install_pair
    active >"$TMP/failback"
    rm /etc/keepalived/keepalived.conf
    run 0 install_pair --sticky
    active >"$TMP/sticky"
    is '< vrrp_script redis_eligible {
< script "/usr/libexec/keepalived/check_redis --eligible"
< interval 1
< timeout 1
< weight -10
< fall 1
< rise 1
< init_fail
< }
> nopreempt
< redis_eligible' "$(diff "$TMP/failback" "$TMP/sticky" | grep '^[<>]')" "failback < > sticky"
}

test_without_names_the_file_passes_on_its_own_host() {
    run 0 install_pair
    says "is for this host, redis-a, alone"
    run 0 keepalived -t
    says_only ""

    rm /etc/keepalived/keepalived.conf
    hostname redis-b.example.net
    ip addr del 192.168.158.11/24 dev eth0
    ip addr add 192.168.158.12/24 dev eth0
    run 0 install_pair
    run 0 keepalived -t
    says_only ""
    grep -qxF '@redis-b $PRIORITY=253' /etc/keepalived/keepalived.conf || fail "redis-b is not the second"
}

test_three_nodes_have_each_the_two_others_for_peers() {
    run 0 install --nodes 192.168.158.11,192.168.158.12,192.168.158.14 --names redis-a,redis-b,redis-c \
        --vip 192.168.158.13 --interface eth0 --password-file "$TMP/password"
    both_hosts_take_it
    test_config redis-c
    for line in '@redis-c    192.168.158.11' '@redis-c    192.168.158.12' '@redis-a    192.168.158.14' \
        '@redis-c $PRIORITY=252'; do
        grep -qxF "$line" /etc/keepalived/keepalived.conf || fail "no line: $line"
    done
    if grep -qxF '@redis-c    192.168.158.14' /etc/keepalived/keepalived.conf; then fail "its own peer"; fi
}

test_ipv6_nodes_pass() {
    ip -6 addr show dev eth0 | grep -q fd00::11 || skip "this machine has no IPv6"
    run 0 install --nodes '[fd00::11]:6380,FD00:0:0::12' --names redis-a,redis-b --vip fd00::13/64 \
        --interface eth0 --password-file "$TMP/password"
    both_hosts_take_it
    grep -qF 'nodes = ["[fd00::11]:6380", "[FD00:0:0::12]:6379"] ' /etc/keepalived/redis-ha.toml || fail "nodes"
}

test_a_draft_that_keepalived_refuses_is_not_put_in_place() {
    # The loopback interface exists, and keepalived can't move an address on it.
    run 1 install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13 --interface lo \
        --password-file "$TMP/password"
    says "testing the new /etc/keepalived/keepalived.conf with keepalived -t: exit code"
    is "" "$(ls /etc/keepalived)" "files in /etc/keepalived"
}
