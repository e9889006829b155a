#!/bin/sh
# Builds a package: contrib/package.sh deb|rpm [--bin-dir DIR] [--revision N]
#
# The programs, manual pages and completions are those that install.sh builds, or
# takes from DIR; what is packed, with which mode, stands in Cargo.toml. No root is
# needed. The package is put into target/package/, and the last line names it.
#
# cargo-deb and cargo-generate-rpm are installed into target/tools where they are
# missing. DEBFULLNAME and DEBEMAIL name the maintainer of a deb that is given to
# others.
set -eu

CARGO_DEB=3.8.0
CARGO_GENERATE_RPM=0.21.1

die() {
    printf 'package.sh: %s\n' "$*" >&2
    exit 1
}
usage() {
    echo 'package.sh: usage: contrib/package.sh deb|rpm [--bin-dir DIR] [--revision N]' >&2
    exit 2
}

kind=${1:-} revision=1 bin_dir=
case $kind in
    deb | rpm) shift ;;
    *) usage ;;
esac
while [ $# -gt 0 ]; do
    if [ $# -lt 2 ] || [ -z "$2" ]; then usage; fi
    case $1 in
        --bin-dir) bin_dir=$(CDPATH='' cd -- "$2" && pwd) || exit 1 ;;
        --revision) revision=$2 ;;
        *) usage ;;
    esac
    shift 2
done

cd -- "$(dirname -- "$0")/.." || exit 1
PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
command -v cargo >/dev/null || die "looking for cargo: not found: install Rust (https://rustup.rs)"
maintainer=${DEBEMAIL:+${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>}
packages=target/package
tree=$packages/tree
tools=$(pwd)/target/tools

# tool NAME VERSION CARGO-ARGUMENT...: quickly built; it has little to do.
tool() {
    name=$1 version=$2
    shift 2
    if [ "$("$tools/bin/$name" --version 2>/dev/null | sed 's/.* //')" = "$version" ]; then return 0; fi
    echo "installing $name $version into target/tools"
    env CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/build" \
        cargo install --quiet --locked --debug --root "$tools" "$@" "$name@$version" ||
        die "installing $name $version: cargo failed, see above"
    rm -rf -- "$tools/build"
}

rm -rf -- "$tree"
mkdir -p "$tree"
# What install.sh takes for the RHEL family: keepalived's options have another name there.
if [ "$kind" = rpm ]; then
    mkdir -p "$tree/etc/sysconfig"
    : >"$tree/etc/sysconfig/keepalived"
fi
./install.sh --destdir "$tree" ${bin_dir:+--bin-dir "$bin_dir"} >"$packages/log" ||
    { cat "$packages/log"; die "laying out the tree in $tree: install.sh failed, see above"; }
[ -d "$tree/usr/share/man" ] || die "looking for manual pages beside the programs in $bin_dir: none: build here, without --bin-dir"

case $kind in
    deb)
        # What Debian asks for beside CHANGELOG.md.
        version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
        printf 'keepalived-redis (%s-%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
            "$version" "$revision" "${maintainer:-$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)}" \
            "$(LC_ALL=C date -u -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")" >"$packages/changelog"
        tool cargo-deb $CARGO_DEB --no-default-features --features gzip
        # Built and stripped already.
        "$tools/bin/cargo-deb" --no-build --no-strip --compress-type xz --compress-system --deb-revision "$revision" --output "$packages/" \
            ${maintainer:+--maintainer "$maintainer"}
        ;;
    rpm)
        tool cargo-generate-rpm $CARGO_GENERATE_RPM
        "$tools/bin/cargo-generate-rpm" --set-metadata "release = \"$revision\"" --output "$packages/" --payload-compress gzip
        find "$packages" -name "*-$revision.*.rpm" -newer "$packages/log"
        ;;
esac
