# shellcheck shell=bash
# The package, and a later version of it. Sourced by package.sh and systemd.sh,
# after needs.sh.

# build_packages DIR [BIN-DIR]: DIR/package.deb, and DIR/next.deb, in which a program
# and the logrotate file are others.
build_packages() {
    local dir=$1 bin_dir=${2:-} name unpacked
    find_cargo
    builder contrib/package.sh deb ${bin_dir:+--bin-dir "$bin_dir"} >"$dir/log" 2>&1 ||
        { cat "$dir/log"; die "building the package: failed"; }
    name=$(tail -n 1 "$dir/log")
    # shellcheck disable=SC2154  # needs.sh says where it is
    cp -- "$tree/target/package/${name##*/}" "$dir/package.deb" || die "looking for the package that was built: $name"
    unpacked=$dir/unpacked
    dpkg-deb --raw-extract "$dir/package.deb" "$unpacked" || die "unpacking $name: failed"
    sed -i 's/^Version: .*/Version: 99.0-1/' "$unpacked/DEBIAN/control"
    # What stands behind the end of a program is nothing to the kernel.
    printf x >>"$unpacked/usr/libexec/keepalived/check_redis"
    echo '# new' >>"$unpacked/etc/logrotate.d/keepalived-redis"
    rm -f "$unpacked/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$unpacked" "$dir/next.deb" >"$dir/log" 2>&1 ||
        { cat "$dir/log"; die "packing the next version: failed"; }
    rm -rf -- "$unpacked" "$dir/log"
    say "${name##*/}: $(stat -c %s "$dir/package.deb") bytes"
}
