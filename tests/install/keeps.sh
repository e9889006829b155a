# shellcheck shell=sh
# Files that a person may have edited.

test_an_edited_file_is_kept_and_the_new_text_goes_beside_it() {
    run 0 install_pair
    for file in /etc/keepalived/keepalived.conf /etc/keepalived/redis-ha.toml /etc/keepalived/redis.pass \
        /etc/logrotate.d/keepalived-redis /etc/systemd/system/keepalived.service.d/keepalived-redis.conf \
        /etc/systemd/system/keepalived-redis.target; do
        cp -p $file "$TMP/written"
        echo "# edited" >>$file
        cp -p $file "$TMP/edited"
        run 0 install_pair
        says "wrote $file.new: $file differs and stays as it is"
        says "mv $file.new $file"
        cmp "$TMP/edited" $file || fail "$file was changed"
        cmp "$TMP/written" $file.new || fail "$file.new is not the new text"
        is "$(stat -c '%a %U:%G' "$TMP/written")" "$(stat -c '%a %U:%G' $file.new)" $file.new

        remember
        run 0 install_pair
        nothing_changed
        says "$file.new is already there"

        cp -p "$TMP/written" $file
        run 0 install_pair
        says "rm $file.new"
        rm $file.new
    done
}

test_the_other_variant_does_not_overwrite_the_first() {
    run 0 install_pair
    cp /etc/keepalived/keepalived.conf "$TMP/first"
    run 0 install_pair --sticky
    cmp "$TMP/first" /etc/keepalived/keepalived.conf || fail "keepalived.conf was changed"
    grep -qx '    nopreempt  *# sticky only' /etc/keepalived/keepalived.conf.new || fail "no sticky keepalived.conf.new"
}

test_a_keepalived_conf_of_another_hand_is_kept_even_when_it_is_faulty() {
    echo 'vrrp_instance x { state BAKCUP }' >/etc/keepalived/keepalived.conf
    run 0 install_pair
    is 'vrrp_instance x { state BAKCUP }' "$(cat /etc/keepalived/keepalived.conf)" keepalived.conf
    says "does not accept /etc/keepalived/keepalived.conf as it stands"
    test_config redis-a /etc/keepalived/keepalived.conf.new
}

test_a_password_file_that_is_in_place_is_used_where_it_is() {
    mv "$TMP/password" /etc/keepalived/redis.pass
    run 0 install --nodes 192.168.158.11,192.168.158.12 --vip 192.168.158.13 --interface eth0 \
        --password-file /etc/keepalived/redis.pass
    is s3cret "$(cat /etc/keepalived/redis.pass)" "the password"
    absent /etc/keepalived/redis.pass.new
}

test_a_link_name_that_is_taken_is_left_alone() {
    echo mine >/usr/local/sbin/check_redis
    run 0 install_pair
    is mine "$(cat /usr/local/sbin/check_redis)" "the file of that name"
    says "/usr/local/sbin/check_redis is something else and stays as it is"
}
