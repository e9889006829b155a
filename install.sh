#!/bin/sh
# Installs the programs that keepalived calls for a Redis pair, or for Redis nodes
# beside Sentinel, and writes keepalived.conf and redis-ha.toml for this node.
# "install.sh --help" says how. In a package it is keepalived-redis-setup, and only
# configures: the programs and all that comes with them are the package's then.
#
# Order: look at everything, build, and only then change something. Whatever is
# there already and as it should be is left alone, and a file that a person may
# have edited is never overwritten: the new text goes to FILE.new beside it.
# K13 and the like number the facts in docs/facts.md.
set -eu
umask 022

PROGRAMS='check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis'
PROGRAM_DIR=/usr/libexec/keepalived     # SELinux lets only these connect (K25)
LINK_DIR=/usr/local/sbin
SHARE=/usr/share     # manual pages, and what shells complete
ETC=/etc/keepalived
CONF=$ETC/keepalived.conf
TOML=$ETC/redis-ha.toml
PASS=$ETC/redis.pass
SENTINEL_PASS=$ETC/sentinel.pass
LOG_DIR=/var/log/keepalived-redis
STATE_DIR=/var/lib/keepalived-redis
ROLLBACK_DIR=$STATE_DIR/rollback
LOGROTATE=/etc/logrotate.d/keepalived-redis
DROPIN=/etc/systemd/system/keepalived.service.d/keepalived-redis.conf
TARGET=/etc/systemd/system/keepalived-redis.target
# The fast profile: the service that watches Redis, and the file that it writes.
WATCH_UNIT=keepalived-redis-watch.service
WATCH=/etc/systemd/system/$WATCH_UNIT
WATCH_FILE=/run/keepalived-redis/redis-ha.watch
# Where a package has this script, and what it needs.
PACKAGE_DIR=/usr/share/keepalived-redis
# The services of Redis and Valkey, where systemd has its units, and our drop-in
# for one of them: its name makes it the last.
REDIS_UNITS='redis-server redis valkey-server valkey'
UNIT_DIRS='/etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system'
BOOT_DROPIN='zz-boot-as-replica.conf'
BOOT_OPTION='--slaveof 127.0.0.1 1'
DEFAULT_PORT=6379
DEFAULT_SENTINEL_PORT=26379
KEEPALIVED_NEEDED=2.0.10
# Before it a node that was dead while it was not the master kept the priority
# that it had then, for good (the watcher's 100, 254, 0).
KEEPALIVED_FAST_SENTINEL=2.0.20

usage() {
    sed "s/install\.sh/$me/g" <<'END'
install.sh - install the Redis programs for keepalived on this node

  install.sh --nodes A[:PORT],B[:PORT] --vip V[/PREFIX] --interface IF
             --password-file FILE [--names NAME-A,NAME-B] [--sticky]
             [--profile fast] [...]
  install.sh --nodes A[:PORT],B[:PORT],... --sentinel-master NAME
             --sentinels S[:PORT],T[:PORT],... --vip ... --interface ... [...]
  install.sh [--boot-as-replica]    install or upgrade the programs alone
  install.sh --profile plain|fast   switch the profile of what is installed
  install.sh --uninstall            remove them; configuration, logs and data stay

  --nodes A,B           the addresses of the Redis servers, the preferred one
                        first; the same on every node; [ADDRESS]:PORT for IPv6
  --vip V[/PREFIX]      the address that moves
  --interface IF        the interface that it moves on
  --password-file FILE  holds the password of Redis; mode 0600 or 0400
  --no-password         Redis asks for none
  --names A,B           the nodes' host names ("uname -n" up to the first dot),
                        in the order of --nodes: one keepalived.conf for all
  --sticky              the VIP stays where it is until that node fails
                        (otherwise the preferred node takes it back)
  --profile fast        ten adverts a second, and a service that watches Redis all
                        the time: a dead Redis is noticed at once, and a hung one,
                        or a lost host, after 0.3 s
  --profile plain       an advert and a check a second. Without --profile: what
                        is installed, or else plain
  --boot-as-replica     let the Redis here always start as a replica of nobody, so
                        that one which starts empty or with old data can't wipe
                        the other; the programs promote the right one. A drop-in
                        for the service of Redis; counts from its next start, and
                        Redis is not restarted. Also without --nodes
  --sentinel-master NAME
                        Sentinel mode: Redis Sentinel elects the master, which
                        it knows by this name, and the VIP follows. Two nodes or
                        more; not with --sticky or --boot-as-replica
  --sentinels S,T,...   the addresses of all sentinels, port 26379 if none is
                        given. Three, on three machines, or more
  --quorum N            so many of them must name a master for it to be believed;
                        without it: more than half of them
  --when-sentinels-silent hold|release
                        where fewer of them answer, the VIP stays (hold, as
                        without this flag) or is given up (release)
  --sentinel-password-file FILE
                        holds the password of the sentinels, if they have one;
                        mode 0600 or 0400
  --bin-dir DIR         install the programs from DIR instead of building them,
                        and the manual pages and completions from DIR/share, or
                        DIR/../../share, where --destdir has laid them
  --destdir DIR         install below DIR, for another machine (needs --names
                        where it writes a configuration)
  --dry-run             say what would be done, change nothing
  --help                this text

Run it on every node. Run twice it changes nothing. As keepalived-redis-setup it
comes with a package, which has installed the programs: it only configures, and
--uninstall undoes what it did. Exit codes: 0 done, 1 refused or failed (one line
says what and why), 2 usage.
END
}

me=${0##*/}
say() { printf '%s\n' "$*"; }
note() { say "note: $*"; }
die() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}
bad_usage() {
    printf '%s: %s (see %s --help)\n' "$me" "$*" "$me" >&2
    exit 2
}

work=
beside=
clean_up() {
    if [ -n "$beside" ]; then rm -f -- "$beside"; fi
    if [ -n "$work" ]; then rm -rf -- "$work"; fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# try DOING FIX COMMAND...: a failure is one line, with the command's own reason.
try() {
    try_doing=$1 try_fix=$2
    shift 2
    if "$@" 2>"$work/stderr"; then return 0; fi
    die "$try_doing: $(tail -n 1 "$work/stderr"): $try_fix"
}

# ---------------------------------------------------------------- arguments

nodes='' vip='' interface='' password_file='' names='' profile='' bin_dir='' destdir=''
sentinel_master='' sentinels='' quorum='' silent='' sentinel_password_file=''
no_password=0 sticky=0 boot=0 dry_run=0 uninstall=0
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --*=*)
            set -- "${option#*=}" "$@"
            option=${option%%=*}
            case $option in
                --sticky | --boot-as-replica | --no-password | --dry-run | --uninstall | --help)
                    bad_usage "$option takes no value" ;;
            esac ;;
        --nodes | --vip | --interface | --password-file | --names | --profile | --bin-dir | --destdir | \
            --sentinel-master | --sentinels | --quorum | --when-sentinels-silent | --sentinel-password-file)
            if [ $# -eq 0 ]; then bad_usage "$option needs a value"; fi ;;
    esac
    case $option in
        --nodes) nodes=$1 ;;
        --vip) vip=$1 ;;
        --interface) interface=$1 ;;
        --password-file) password_file=$1 ;;
        --names) names=$1 ;;
        --profile) profile=$1 ;;
        --sentinel-master) sentinel_master=$1 ;;
        --sentinels) sentinels=$1 ;;
        --quorum) quorum=$1 ;;
        --when-sentinels-silent) silent=$1 ;;
        --sentinel-password-file) sentinel_password_file=$1 ;;
        --bin-dir) bin_dir=$1 ;;
        --destdir) destdir=$1 ;;
        --no-password) no_password=1 ; continue ;;
        --sticky) sticky=1 ; continue ;;
        --boot-as-replica) boot=1 ; continue ;;
        --dry-run) dry_run=1 ; continue ;;
        --uninstall) uninstall=1 ; continue ;;
        -h | --help) usage ; exit 0 ;;
        *) bad_usage "unknown option '$option'" ;;
    esac
    if [ -z "$1" ]; then bad_usage "$option needs a value"; fi
    shift
done

case $profile in
    '' | plain | fast) ;;
    *) bad_usage "--profile is plain or fast, not '$profile'" ;;
esac
case $silent in
    '' | hold | release) ;;
    *) bad_usage "--when-sentinels-silent is hold or release, not '$silent'" ;;
esac
configure=0
sentinel_flags=$sentinel_master$sentinels$quorum$silent$sentinel_password_file
if [ -n "$nodes$vip$interface$password_file$names$sentinel_flags" ] || [ $((no_password + sticky)) -gt 0 ]; then
    configure=1
fi
if [ $uninstall = 1 ]; then
    if [ $((configure + boot)) -gt 0 ] || [ -n "$bin_dir$profile" ]; then
        bad_usage "--uninstall goes with --destdir and --dry-run only"
    fi
elif [ $configure = 1 ]; then
    if [ -z "$nodes" ]; then bad_usage "--nodes is missing"; fi
    if [ -z "$vip" ]; then bad_usage "--vip is missing"; fi
    if [ -z "$interface" ]; then bad_usage "--interface is missing"; fi
    if [ -n "$password_file" ] && [ $no_password = 1 ]; then
        bad_usage "--password-file and --no-password exclude each other"
    fi
    if [ -z "$password_file" ] && [ $no_password = 0 ]; then
        bad_usage "--password-file is missing (or --no-password where Redis asks for none)"
    fi
    if [ -n "$sentinel_flags" ]; then
        if [ -z "$sentinel_master" ]; then
            bad_usage "--sentinel-master is missing: the name by which the sentinels know the master"
        fi
        if [ -z "$sentinels" ]; then bad_usage "--sentinels is missing"; fi
        if [ $sticky = 1 ]; then
            bad_usage "--sticky does not go with --sentinel-master: the VIP has to follow the master that Sentinel elects"
        fi
        if [ $boot = 1 ]; then
            bad_usage "--boot-as-replica does not go with --sentinel-master: Sentinel gives out the roles"
        fi
    fi
    if [ -n "$destdir" ] && [ -z "$names" ]; then
        bad_usage "--destdir writes for other machines, whose host names it can't know: give --names"
    fi
fi
if [ -n "$destdir" ] && [ $boot = 1 ]; then
    bad_usage "--boot-as-replica is about the Redis of this machine and does not go with --destdir"
fi

live=1      # is this the system that keepalived will run on?
if [ -n "$destdir" ]; then
    live=0
    case $destdir in
        /*) ;;
        *) destdir=$(pwd)/$destdir ;;
    esac
    destdir=${destdir%/}
fi
root=0
if [ "$(id -u)" = 0 ]; then root=1; fi
if [ $live = 1 ] && [ $dry_run = 0 ] && [ $root = 0 ]; then
    die "changing $PROGRAM_DIR and $ETC: not root: run it with sudo, or see --dry-run and --destdir"
fi

here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
packaged=0
if [ "$here" = "$PACKAGE_DIR" ]; then
    packaged=1
    if [ -n "$bin_dir$destdir" ]; then bad_usage "--bin-dir and --destdir go with the source tree: here the programs are the package's"; fi
    bin_dir=$PROGRAM_DIR LINK_DIR=/usr/sbin WATCH=/usr/lib/systemd/system/$WATCH_UNIT
elif [ -e "$destdir$PACKAGE_DIR/install.sh" ]; then
    die "looking at $destdir$PACKAGE_DIR: the programs there are a package's, and this would change its files: use keepalived-redis-setup, or remove the package keepalived-redis first"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/install-keepalived-redis.XXXXXX") ||
    die "making a directory for drafts below ${TMPDIR:-/tmp}: mktemp failed: is it full?"

# ---------------------------------------------------------------- addresses

# canonical: of each line, "ADDRESS FAMILY" with the address in its one long
# form, or "- 0" where it is no address. No {n} in patterns, no strtonum: mawk.
canonical() {
    awk '
    function v4(a,    p, n, i) {
        n = split(a, p, ".")
        if (n != 4) return ""
        for (i = 1; i <= 4; i++) if (p[i] !~ /^[0-9][0-9]?[0-9]?$/ || p[i] + 0 > 255) return ""
        return (p[1] + 0) "." (p[2] + 0) "." (p[3] + 0) "." (p[4] + 0)
    }
    function v6(a,    halves, n, left, right, l, r, i, out, g) {
        if (a ~ /:::/ || a ~ /^:[^:]/ || a ~ /[^:]:$/) return ""
        n = split(a, halves, "::")
        if (n > 2) return ""
        l = halves[1] == "" ? 0 : split(halves[1], left, ":")
        r = 0
        if (n == 2 && halves[2] != "") r = split(halves[2], right, ":")
        if (n == 2 ? l + r > 7 : l != 8) return ""
        out = ""
        for (i = 1; i <= 8; i++) {
            g = "0"
            if (i <= l) g = left[i]
            else if (i > 8 - r) g = right[i - 8 + r]
            if (g !~ /^[0-9A-Fa-f][0-9A-Fa-f]?[0-9A-Fa-f]?[0-9A-Fa-f]?$/) return ""
            g = tolower(g)
            sub(/^0+/, "", g)
            out = out (i > 1 ? ":" : "") (g == "" ? "0" : g)
        }
        return out
    }
    {
        out = index($0, ":") ? v6($0) : v4($0)
        if (out == "") print "- 0"
        else print out, (index($0, ":") ? 6 : 4)
    }'
}

# list_of TEXT: the parts between the commas, one to a line.
list_of() { printf '%s\n' "$1" | tr ',' '\n'; }

# read_endpoint FLAG TEXT PORT: of ADDRESS[:PORT] its address, endpoint, port,
# node_family, and long, the canonical address.
read_endpoint() {
    port=$3
    case $2 in
        \[*\]) address=${2#\[} address=${address%\]} ;;
        \[*\]:*) address=${2#\[} address=${address%%\]*} port=${2##*\]:} ;;
        *:*:*) address=$2 ;;
        *:*) address=${2%:*} port=${2##*:} ;;
        *) address=$2 ;;
    esac
    long=$(printf '%s\n' "$address" | canonical)
    node_family=${long##* } long=${long% *}
    if [ "$node_family" = 0 ]; then
        die "reading $1: '$2': not an address: write 192.0.2.1, 192.0.2.1:$3 or [2001:db8::1]:$3 (a name would fail whenever DNS does)"
    fi
    case $port in
        '' | *[!0-9]* | ??????*) port=0 ;;
    esac
    if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
        die "reading $1: '$2': its port is not a number from 1 to 65535: write ADDRESS:$3"
    fi
    if [ "$node_family" = 6 ]; then endpoint="[$address]:$port"; else endpoint="$address:$port"; fi
}

# The nodes, one to a line: ADDRESS ENDPOINT CANONICAL NAME.
read_nodes() {
    : >"$work/nodes"
    list_of "$nodes" >"$work/list"
    while IFS= read -r node; do
        read_endpoint --nodes "$node" $DEFAULT_PORT
        if [ "${family:=$node_family}" != "$node_family" ]; then
            die "reading --nodes: '$node': IPv4 and IPv6 are mixed: VRRP speaks one of the two, give all nodes in one"
        fi
        if cut -d ' ' -f 3 "$work/nodes" | grep -qxF -- "$long"; then
            die "reading --nodes: '$node': this address stands there twice: each node needs one of its own"
        fi
        printf '%s %s %s\n' "$address" "$endpoint" "$long" >>"$work/nodes"
    done <"$work/list"
    count=$(awk 'END { print NR }' "$work/nodes")
    if [ "$count" -lt 2 ]; then
        die "reading --nodes: '$nodes': one node only: give all of them, as A,B"
    fi
    # A node that is behind, or in Sentinel mode not the master, loses so much of
    # priority, and must come below all others.
    if [ -n "$sentinel_master" ]; then weight=50; else weight=10; fi
    if [ "$count" -gt $weight ]; then
        die "reading --nodes: $count nodes: the priorities are for $weight at most: give fewer"
    fi
}

read_vip() {
    vip_address=${vip%%/*}
    long=$(printf '%s\n' "$vip_address" | canonical)
    vip_family=${long##* } vip_long=${long% *}
    if [ "$vip_family" = 0 ]; then
        die "reading --vip: '$vip': not an address: write 192.0.2.3 or 192.0.2.3/24"
    fi
    if [ "$vip_family" != "$family" ]; then
        die "reading --vip: '$vip': the nodes are IPv$family and this is IPv$vip_family: VRRP speaks one of the two, give both in one"
    fi
    case $vip in
        */*)
            prefix=${vip#*/}
            if [ "$family" = 6 ]; then longest=128; else longest=32; fi
            case $prefix in
                '' | *[!0-9]* | ????*) prefix=999 ;;
            esac
            if [ "$prefix" -lt 1 ] || [ "$prefix" -gt $longest ]; then
                die "reading --vip: '$vip': its prefix is not a number from 1 to $longest: write $vip_address or $vip_address/24"
            fi ;;
    esac
    if cut -d ' ' -f 3 "$work/nodes" | grep -qxF -- "$vip_long"; then
        die "reading --vip: '$vip': it is also the address of a node: the VIP must be one that no machine has of its own"
    fi
}

# The sentinels, one to a line: ENDPOINT CANONICAL:PORT.
read_sentinels() {
    case $sentinel_master in
        *[!A-Za-z0-9._-]*)
            die "reading --sentinel-master: '$sentinel_master': not a name that Sentinel takes: letters, digits, '.', '-' and '_', as behind 'sentinel monitor' in sentinel.conf" ;;
    esac
    awk '{ port = $2; sub(/.*:/, "", port); print $3 ":" port }' "$work/nodes" >"$work/redis"
    : >"$work/sentinels"
    list_of "$sentinels" >"$work/list"
    while IFS= read -r sentinel; do
        read_endpoint --sentinels "$sentinel" $DEFAULT_SENTINEL_PORT
        if [ "$long" = "$vip_long" ]; then
            die "reading --sentinels: '$sentinel': it is the VIP, which moves: give the machine's own address"
        fi
        if grep -qxF -- "$long:$port" "$work/redis"; then
            die "reading --sentinels: '$sentinel': a Redis listens there, says --nodes: a sentinel has a port of its own, $DEFAULT_SENTINEL_PORT as a rule"
        fi
        if cut -d ' ' -f 2 "$work/sentinels" | grep -qxF -- "$long:$port"; then
            die "reading --sentinels: '$sentinel': this address stands there twice: each sentinel once"
        fi
        printf '%s %s\n' "$endpoint" "$long:$port" >>"$work/sentinels"
    done <"$work/list"
    sentinel_count=$(awk 'END { print NR }' "$work/sentinels")
    majority=$((sentinel_count / 2 + 1))
    quorum_given=$quorum
    case $quorum in
        '') ;;
        *[!0-9]* | ????*) quorum=0 ;;
        *) quorum=$(printf '%s\n' "$quorum" | awk '{ print $1 + 0 }') ;;
    esac
    if [ -n "$quorum" ]; then
        if [ "$quorum" -lt 1 ] || [ "$quorum" -gt "$sentinel_count" ]; then
            die "reading --quorum: '$quorum_given': not a number from 1 to $sentinel_count, the number of --sentinels: $majority is the majority"
        fi
        if [ "$quorum" -lt "$majority" ]; then
            note "a quorum of $quorum among $sentinel_count sentinels: in a partition each side may have one, and then each holds the VIP; $majority is the majority"
        fi
    fi
    if [ "$sentinel_count" -lt 3 ]; then
        note "fewer than three sentinels: none of them may fail, or there is no failover; a third machine with a sentinel alone is enough"
    fi
}

# Redis that boots as a replica of nobody would lose the role that Sentinel gave it.
refuse_boot_as_replica() {
    for unit in $REDIS_UNITS; do
        found=/etc/systemd/system/$unit.service.d/$BOOT_DROPIN
        if [ -e "$found" ]; then
            die "looking at $found: Redis here boots as a replica of nobody, and in Sentinel mode Sentinel gives out the roles: rm $found; systemctl daemon-reload"
        fi
    done
}

# A name for each node, as keepalived compares them: up to the first dot (K26).
read_names() {
    this_host=$(uname -n)
    this_host=${this_host%%.*}
    if [ -n "$names" ]; then
        list_of "$names" >"$work/names"
        if [ "$(awk 'END { print NR }' "$work/names")" != "$count" ]; then
            die "reading --names: '$names': not as many as --nodes ($count): give one for each, in the same order"
        fi
        while IFS= read -r name; do
            case $name in
                *.*) die "reading --names: '$name': keepalived compares up to the first dot only: write '${name%%.*}'" ;;
                '' | *[!A-Za-z0-9_-]* | [!A-Za-z0-9]*)
                    die "reading --names: '$name': not a host name: write what 'uname -n' says on that node, up to the first dot" ;;
            esac
        done <"$work/names"
        if [ -n "$(sort "$work/names" | uniq -d)" ]; then
            die "reading --names: '$names': a name stands there twice: give each host a name of its own (hostnamectl set-hostname NAME)"
        fi
    else
        # The others' names are not known here. Theirs are only placeholders:
        # lines for hosts of another name, which this host does not read.
        awk -v mine="$local_number" -v host="$this_host" '
            { print NR == mine ? host : "HOST-NAME-OF-NODE-" NR }' "$work/nodes" >"$work/names"
        case $this_host in
            '' | *[!A-Za-z0-9_-]*)
                die "reading this host's name: '$this_host': not usable in keepalived.conf: set one with hostnamectl set-hostname NAME" ;;
        esac
    fi
    awk 'NR == FNR { name[NR] = $0; next } { print $0, name[FNR] }' \
        "$work/names" "$work/nodes" >"$work/named"
    if [ $live = 0 ]; then return 0; fi
    local_name=$(sed -n "${local_number}p" "$work/names")
    if [ "$local_name" != "$this_host" ]; then
        die "reading --names: $local_address is this host, called '$this_host', not '$local_name': keepalived would find no line for itself (K26): correct --names or the host name"
    fi
}

# Which node is this machine? Told by its own addresses.
find_local() {
    if ! ip -o addr show >"$work/ip" 2>"$work/stderr"; then
        die "listing this machine's addresses with 'ip addr': $(tail -n 1 "$work/stderr"): install iproute2 (Debian) or iproute (RHEL)"
    fi
    awk '{ sub(/\/.*/, "", $4); print $4 }' "$work/ip" | canonical >"$work/own"
    awk 'NR == FNR { own[$1] = 1; next } $3 in own { print FNR }' \
        "$work/own" "$work/nodes" >"$work/local"
    case $(awk 'END { print NR }' "$work/local") in
        0) die "looking for this machine among --nodes: none of $nodes is an address of it: run this on the nodes, or correct --nodes" ;;
        1) ;;
        *) die "looking for this machine among --nodes: more than one of $nodes is an address of it: each node must be a machine of its own" ;;
    esac
    local_number=$(cat "$work/local")
    local_address=$(sed -n "${local_number}p" "$work/nodes" | cut -d ' ' -f 1)
}

read_interface() {
    case $interface in
        *[!A-Za-z0-9._@:-]* | ????????????????*)
            die "reading --interface: '$interface': not the name of an interface: see 'ip link'" ;;
    esac
    if [ $live = 0 ]; then return 0; fi
    if ! grep -q "^ *$(printf '%s' "$interface" | sed 's/\./\\./g'):" /proc/net/dev; then
        die "reading --interface: '$interface': no such interface here: see 'ip link'"
    fi
    if ! awk -v dev="$interface" '$2 == dev { sub(/\/.*/, "", $4); print $4 }' "$work/ip" |
        canonical | grep -qF -- "$(sed -n "${local_number}p" "$work/nodes" | cut -d ' ' -f 3) "; then
        note "$local_address is not on $interface: right only where the VIP is meant for another network than the nodes"
    fi
}

# read_password_file FLAG FILE WHOSE OTHERWISE TARGET
read_password_file() {
    if [ ! -f "$2" ]; then
        die "reading $1 $2: no such file: write the password of $3 into it, then chmod 600 $2"
    fi
    if [ ! -r "$2" ]; then
        die "reading $1 $2: permission denied: run this as root"
    fi
    if [ -z "$(head -n 1 "$2" | tr -d '\r\000')" ]; then
        die "reading $1 $2: it is empty: write the password of $3 into it (or $4)"
    fi
    if [ "$(awk 'END { print NR }' "$2")" != 1 ]; then
        die "reading $1 $2: more than one line: write the password alone, on one line"
    fi
    if [ $live = 1 ] && [ -f "$5" ] && [ "$(stat -L -c %u "$5")" != 0 ]; then
        die "reading the password file $5: root does not own it, so the programs would refuse it: chown root:root $5"
    fi
    for file in "$2" "$destdir$5"; do
        if [ ! -f "$file" ]; then continue; fi
        case $(stat -L -c %a "$file") in
            *00) ;;
            *) die "reading the password file $file: others than its owner can read it (mode $(stat -L -c %a "$file")): chmod 600 $file" ;;
        esac
    done
}

# ---------------------------------------------------------------- this machine

read_keepalived() {
    if [ $live = 0 ]; then return 0; fi
    if ! command -v keepalived >/dev/null 2>&1; then
        PATH=$PATH:/usr/sbin:/usr/local/sbin
        command -v keepalived >/dev/null 2>&1 ||
            die "looking for keepalived: not in PATH: apt-get install keepalived, or dnf install keepalived"
    fi
    version=$(keepalived --version 2>&1 | sed -n '1s/^Keepalived v\([0-9][0-9.]*\).*/\1/p')
    if [ -z "$version" ]; then
        note "keepalived did not say its version; it must be $KEEPALIVED_NEEDED or newer"
    elif older_than "$KEEPALIVED_NEEDED"; then
        die "looking at keepalived: version $version: $KEEPALIVED_NEEDED or newer is needed (its '-t' and notify_master_rx_lower_pri): upgrade it"
    fi
}

# older_than VERSION: is the keepalived here?
older_than() {
    [ -n "$version" ] &&
        [ "$(printf '%s\n%s\n' "$1" "$version" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" != "$1" ]
}

# A directory above the programs that others may write to makes keepalived
# drop the check (K24), and a dropped check counts as success (K13).
read_program_dir() {
    if [ $live = 0 ]; then return 0; fi
    dir=$PROGRAM_DIR
    while :; do
        if [ -e "$dir" ]; then
            if [ ! -d "$dir" ]; then
                die "looking at $dir: not a directory: move it away"
            fi
            if [ "$(stat -L -c %u "$dir")" != 0 ] ||
                [ -n "$(find -L "$dir" -prune -perm -002)" ] ||
                { [ "$(stat -L -c %g "$dir")" != 0 ] && [ -n "$(find -L "$dir" -prune -perm -020)" ]; }; then
                die "looking at $dir: others than root may write there, so keepalived would not run the checks (K24): chown root:root $dir; chmod 755 $dir"
            fi
        fi
        if [ "$dir" = / ]; then break; fi
        dir=$(dirname -- "$dir")
    done
    for program in $PROGRAMS; do
        old=$PROGRAM_DIR/$program
        if [ ! -e "$old" ]; then continue; fi
        if [ ! -f "$old" ]; then
            die "looking at $old: not a regular file: move it away"
        fi
        if [ "$(head -c 2 "$old")" = '#!' ]; then
            die "looking at $old: a script, not one of these programs: move it away (keepalived runs the checks that are named in its configuration; stop it first)"
        fi
    done
}

# header FILE: what the kernel looks at before it starts an ELF file - its class,
# byte order, machine and the size of a program header - and "cut off" where the
# file ends before its section headers do.
header() {
    od -A n -v -t u1 -N 64 "$1" | awk -v size="$(stat -L -c %s "$1")" '
    function number(at, length_,    i, n) {
        for (i = 0; i < length_; i++) n = n * 256 + b[little ? at + length_ - 1 - i : at + i]
        return n
    }
    { for (i = 1; i <= NF; i++) b[count++] = $i }
    END {
        if (count < 64 || b[0] != 127 || b[1] != 69 || b[2] != 76 || b[3] != 70) { print "not ELF"; exit }
        little = b[5] == 1
        wide = b[4] == 2
        sections = number(wide ? 40 : 32, wide ? 8 : 4) + number(wide ? 58 : 46, 2) * number(wide ? 60 : 48, 2)
        kind = number(16, 2)
        if (kind != 2 && kind != 3) print "no program"
        else if (sections > size) print "cut off"
        else print b[4], b[5], number(18, 2), number(wide ? 54 : 42, 2)
    }'
}

# Would the kernel start it? Asked without trying: what it does not start, a
# shell runs as a script of its own, whatever is in it.
starts_here() { [ "$(header "$1")" = "$(header /bin/sh)" ]; }

# Programs that this machine can't run would count as success for ever (K13).
read_bin_dir() {
    for program in $PROGRAMS; do
        if [ ! -f "$bin_dir/$program" ]; then
            die "looking for $bin_dir/$program: no such file: give the directory that holds all of: $PROGRAMS"
        fi
        if [ $live = 0 ]; then continue; fi
        if ! starts_here "$bin_dir/$program"; then
            die "looking at $bin_dir/$program: not a whole program for this machine ($(uname -m)): give the directory that cargo built into here"
        fi
        # The directory may be mounted noexec, or the mode be lost: try a copy.
        if "$bin_dir/$program" --version >/dev/null 2>&1 </dev/null; then continue; fi
        try "copying $bin_dir/$program to $work" "see that it can be read" \
            cp -- "$bin_dir/$program" "$work/try-it"
        chmod 755 "$work/try-it"
        if ! "$work/try-it" --version >/dev/null 2>"$work/stderr" </dev/null; then
            die "running $bin_dir/$program --version: $(tail -n 1 "$work/stderr"): build it for this machine ($(uname -m))"
        fi
    done
}

# ---------------------------------------------------------------- the service of Redis

# unit_file UNIT: where it is. An alias, and /dev/null of a masked unit, are none.
unit_file() {
    for unit_dir in $UNIT_DIRS; do
        file=$unit_dir/$1.service
        if [ ! -e "$file" ] && [ ! -L "$file" ]; then continue; fi
        if [ "$(basename -- "$(readlink -f -- "$file")")" = "$1.service" ]; then say "$file"; fi
        return 0
    done
}

# unit_command UNIT [DROPIN]: the command that the service is started with,
# without what DROPIN says of it.
unit_command() {
    unit_file "$1" >"$work/parts"
    if [ ! -s "$work/parts" ]; then return 0; fi
    # Drop-ins count in the order of their names, wherever they are.
    for unit_dir in $UNIT_DIRS; do
        if [ -d "$unit_dir/$1.service.d" ]; then find "$unit_dir/$1.service.d" -name '*.conf'; fi
    done | sed 's,.*/\([^/]*\)$,\1 &,' | sort | cut -d ' ' -f 2- | grep -v "/${2:-none}\$" >>"$work/parts" || :
    while IFS= read -r part; do cat -- "$part"; done <"$work/parts" | sed -e ':a' -e '/\\$/N; s/\\\n/ /; ta' |
        sed -n 's/^ExecStart=[ \t]*\(.*[^ \t]\)[ \t]*$/\1/p' | tail -n 1
}

# Which service is this node's Redis, and how is it started? Where that is not
# known for sure: refused, with what to do by hand.
read_redis_service() {
    if is_sentinel_toml; then
        die "reading $TOML: this node is in Sentinel mode, and --boot-as-replica is for a pair: Sentinel gives out the roles"
    fi
    by_hand="by hand: let this node's Redis be started with '$BOOT_OPTION' behind its configuration file"
    looking='looking for the service of Redis:'
    for unit in $REDIS_UNITS; do
        unit_file "$unit" | sed 's,.*/\(.*\)\.service$,\1,'
    done >"$work/units"
    : >"$work/instances"
    if [ -d /etc/systemd/system ]; then
        find /etc/systemd/system -regex '.*/\(redis\|redis-server\|valkey\|valkey-server\)@[^/]+\.service' >"$work/instances"
    fi
    if [ -s "$work/instances" ]; then
        die "$looking there are instances ($(sed 's,.*/,,' "$work/instances" | sort -u | tr '\n' ' ' | sed 's/ $//')), and which one is this node's is not known: do it $by_hand"
    fi
    case $(awk 'END { print NR }' "$work/units") in
        0) die "$looking none of $REDIS_UNITS has a unit: install Redis first, or do it $by_hand" ;;
        1) ;;
        *) die "$looking there are several ($(tr '\n' ' ' <"$work/units" | sed 's/ $//')): mask those that are not this node's, or do it $by_hand" ;;
    esac
    redis_unit=$(cat "$work/units")
    redis_command=$(unit_command "$redis_unit" "$BOOT_DROPIN")
    looking="looking at the service $redis_unit:"
    case $redis_command in
        *--slaveof* | *--replicaof*)
            die "$looking it is started with '$redis_command', which names a master already: take that out first" ;;
    esac
    redis_conf=$(printf '%s\n' "$redis_command" |
        awk '$1 ~ /\/(redis|valkey)-server$/ { for (i = 2; i <= NF; i++) if ($i ~ /^\/.*[.]conf$/) { print $i; exit } }')
    if [ -z "$redis_conf" ]; then
        die "$looking it is started with '$redis_command', which is not known here: do it $by_hand"
    fi
    if [ ! -f "$redis_conf" ]; then
        die "$looking it names $redis_conf, and there is no such file: correct that first"
    fi
    if [ $configure = 1 ]; then
        own_port=$(sed -n "${local_number}p" "$work/nodes" | cut -d ' ' -f 2)
        own_port=${own_port##*:}
        conf_port=$(awk -v port=$DEFAULT_PORT 'tolower($1) == "port" { port = $2 } END { print port }' "$redis_conf")
        if [ "$conf_port" != "$own_port" ]; then
            die "$looking the port in $redis_conf is $conf_port, and this node's in --nodes is $own_port: correct one of them, or do it $by_hand"
        fi
    fi
    boot_dropin=/etc/systemd/system/$redis_unit.service.d/$BOOT_DROPIN
}

draft_boot() {
    awk -v command="$redis_command" '
        /^ExecStart=COMMAND / { print "ExecStart=" command substr($0, length("ExecStart=COMMAND ")); next }
        { print }' "$here/share/redis-boot-as-replica.conf"
}

boot_as_replica() {
    make_dir 0755 root "$(dirname -- "$boot_dropin")"
    before=$changes
    install_text 0644 "$work/boot" "$boot_dropin"
    if [ "$changes" != "$before" ]; then reload_systemd; fi
}

end_boot_as_replica() {
    first=$(head -n 1 "$here/share/redis-boot-as-replica.conf")
    for unit in $REDIS_UNITS; do
        found=$destdir/etc/systemd/system/$unit.service.d/$BOOT_DROPIN
        remove "$found.new"
        if [ ! -f "$found" ]; then continue; fi
        if [ "$(head -n 1 "$found")" != "$first" ]; then
            note "$found is something else and stays"
            continue
        fi
        remove "$found"
        if [ $dry_run = 0 ]; then rmdir -- "$(dirname -- "$found")" 2>/dev/null || :; fi
        note "the service $unit: from its next start Redis is what its redis.conf says, a master too, with whatever data it then has"
    done
}

# ---------------------------------------------------------------- the profile

# reads_watch FILE: does this keepalived.conf read the watcher's file?
reads_watch() { grep -Eq "^[^#!]*${WATCH_FILE%/*}/" "$1" 2>/dev/null; }

# still_reads_watch: some file below $ETC does; its name is in $reader.
still_reads_watch() {
    if [ ! -d "$destdir$ETC" ]; then return 1; fi
    find -L "$destdir$ETC" -name '*.conf' -type f >"$work/list"
    while IFS= read -r reader; do
        if reads_watch "$reader"; then return 0; fi
    done <"$work/list"
    return 1
}

# Does the keepalived that runs? It has an inotify watch on the directory until it
# is reloaded, whatever its configuration says by now.
keepalived_watches() {
    if [ $live = 0 ] || [ ! -d "${WATCH_FILE%/*}" ]; then return 1; fi
    inode=$(printf '%x' "$(stat -c %i "${WATCH_FILE%/*}")")
    for process in $(pidof keepalived 2>/dev/null || :); do
        if cat "/proc/$process/fdinfo"/* 2>/dev/null | grep -q "^inotify .*ino:$inode "; then return 0; fi
    done
    return 1
}

# What is wanted: the flag, or what is there.
read_profile() {
    profile_given=$profile
    if [ -n "$profile" ]; then
        switch=$((1 - configure))
    else
        switch=0 profile=plain
        if still_reads_watch; then profile=fast; fi
    fi
    if [ $switch = 0 ]; then return 0; fi
    doing="switching the profile in $destdir$CONF:"
    if [ ! -f "$destdir$CONF" ]; then
        die "$doing no such file: give --nodes, --vip, --interface and --password-file as well"
    fi
    if [ "$(reads_watch "$destdir$CONF" && say fast || say plain)" != "$profile" ] &&
        ! grep -q '# fast only$' "$destdir$CONF"; then
        die "$doing no line in it is marked 'fast only': take the marked lines from keepalived.conf.example, or give --nodes and so on for a whole new file"
    fi
}

# mark_lines WORDS ONLY: of a keepalived.conf, the marked lines count whose words are
# all among WORDS. Those without any of the words ONLY stay as they are. A # before
# a line is in its first column, or stands before its first word.
mark_lines() {
    awk -v words="$1" -v only="$2" '
    BEGIN {
        for (i = split("pair failback sticky sentinel plain fast", list, " "); i > 0; i--) known[list[i]] = 1
        for (i = split(words, list, " "); i > 0; i--) have[list[i]] = 1
        for (i = split(only, list, " "); i > 0; i--) ours[list[i]] = 1
    }
    /# [a-z ]+ only$/ {
        mark = $0
        sub(/.*# /, "", mark)
        sub(/ only$/, "", mark)
        wanted = 1
        mine = 0
        for (i = split(mark, list, " "); i > 0; i--) {
            if (!(list[i] in known)) { print; next }
            if (!(list[i] in have)) wanted = 0
            if (list[i] in ours) mine = 1
        }
        if (mine && wanted && /^[ \t]*#/) sub(/#/, "")
        else if (mine && !wanted && !/^[ \t]*#/) $0 = "#" $0
    }
    { print }'
}

# Is this node in Sentinel mode, by its redis-ha.toml?
is_sentinel_toml() { grep -Eq '^[[:space:]]*\[[[:space:]]*sentinel[[:space:]]*\]' "$TOML" 2>/dev/null; }

# is_sentinel_conf FILE: a keepalived.conf whose lines for Sentinel count.
is_sentinel_conf() { grep -q '^[[:space:]]*[^#![:space:]].*# sentinel only$' "$1" 2>/dev/null; }

switch_profile() {
    if is_sentinel_conf "$destdir$CONF"; then variant=sentinel; else variant=pair; fi
    mark_lines "$variant $profile" "plain fast" <"$destdir$CONF"
}

# The watcher's numbers in Sentinel mode are more than an old keepalived can count.
read_keepalived_for_profile() {
    if [ "$profile" != fast ]; then return 0; fi
    if [ -z "$sentinel_master" ] && ! { [ $switch = 1 ] && is_sentinel_conf "$destdir$CONF"; }; then return 0; fi
    if [ $live = 0 ]; then
        note "the fast profile in Sentinel mode needs keepalived $KEEPALIVED_FAST_SENTINEL or newer on that machine"
    elif older_than $KEEPALIVED_FAST_SENTINEL; then
        die "looking at keepalived: version $version: the fast profile in Sentinel mode needs $KEEPALIVED_FAST_SENTINEL or newer: upgrade it, or give --profile plain"
    fi
}

systemd_runs() { [ $live = 1 ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# The watcher runs, the new one if there is a new one, before any configuration
# of keepalived reads its file: keepalived looks for the directory once (K29).
start_watcher() {
    before=$changes
    if [ $packaged = 0 ]; then
        install_text 0644 "$here/share/$WATCH_UNIT" "$WATCH"
        install_text 0644 "$here/share/keepalived-redis-watch@.service" "${WATCH%.service}@.service"
    fi
    if [ "$changes" != "$before" ]; then reload_systemd; fi
    if ! systemd_runs; then return 0; fi
    if [ "$changes" != "$programs_before" ] && systemctl --quiet is-active "$WATCH_UNIT"; then
        did restarted restart "$WATCH_UNIT"
        watcher_do "restarting" restart
    fi
    if systemctl --quiet is-enabled "$WATCH_UNIT" 2>/dev/null && systemctl --quiet is-active "$WATCH_UNIT"; then return 0; fi
    did "enabled and started" "enable and start" "$WATCH_UNIT"
    watcher_do "enabling and starting" enable --now
}

watcher_do() { # watcher_do DOING COMMAND...
    if [ $dry_run = 1 ]; then return 0; fi
    watcher_doing=$1
    shift
    try "$watcher_doing the watcher: systemctl $* $WATCH_UNIT" "see journalctl -u $WATCH_UNIT; keepalived.conf was not changed" \
        systemctl "$@" "$WATCH_UNIT"
}

# end_watcher: only when nothing reads its file.
end_watcher() {
    if [ ! -e "$destdir$WATCH" ] && [ ! -e "$destdir$WATCH.new" ]; then return 0; fi
    # The package's unit is there always; what counts is whether it is used.
    if [ $packaged = 1 ] && ! { systemd_runs && { systemctl --quiet is-enabled "$WATCH_UNIT" 2>/dev/null ||
        systemctl --quiet is-active "$WATCH_UNIT"; }; }; then return 0; fi
    if still_reads_watch; then
        note "the watcher stays, because $reader reads its file: take the new one, reload keepalived, and run this again"
        return 0
    fi
    if [ $uninstall = 0 ] && keepalived_watches; then
        note "the watcher stays, because the keepalived that runs reads its file: reload it (systemctl reload keepalived), and run this again"
        return 0
    fi
    if systemd_runs && [ -e "$WATCH" ]; then
        did "stopped and disabled" "stop and disable" "$WATCH_UNIT"
        watcher_do "stopping and disabling" disable --now
    fi
    before=$changes
    if [ $packaged = 0 ]; then
        remove_text "$here/share/$WATCH_UNIT" "$WATCH"
        remove_text "$here/share/keepalived-redis-watch@.service" "${WATCH%.service}@.service"
    fi
    if [ "$changes" != "$before" ]; then reload_systemd; fi
    if [ $live = 1 ] && [ $dry_run = 0 ]; then
        rm -f -- "$WATCH_FILE"
        rmdir -- "${WATCH_FILE%/*}" 2>/dev/null || :
    fi
}

# ---------------------------------------------------------------- building

# Who builds: the user who called sudo, where that user has cargo (nothing of
# root's is then left in the source tree); else root.
find_cargo() {
    cargo='' build_as=''
    if [ $root = 1 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        home=$(getent passwd "$SUDO_USER" | cut -d : -f 6)
        if [ -n "$home" ] && [ -x "$home/.cargo/bin/cargo" ] && command -v runuser >/dev/null 2>&1; then
            cargo=$home/.cargo/bin/cargo build_as=$SUDO_USER
            return 0
        fi
    fi
    for cargo in "$(command -v cargo || :)" "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" \
        /usr/local/cargo/bin/cargo; do
        if [ -n "$cargo" ] && [ -x "$cargo" ]; then return 0; fi
    done
    die "building the programs: no cargo found: install Rust (https://rustup.rs), or build elsewhere and give --bin-dir DIR"
}

# builder COMMAND...: run it in the source tree, as whoever builds.
builder() (
    cd -- "$here"
    PATH=$(dirname -- "$cargo"):$PATH
    export PATH
    if [ -n "$build_as" ]; then
        HOME=$(getent passwd "$build_as" | cut -d : -f 6)
        export HOME
        unset CARGO_HOME RUSTUP_HOME CARGO_TARGET_DIR
        exec runuser -u "$build_as" -- "$@"
    fi
    exec "$@"
)

build() {
    find_cargo
    host=$(builder rustc -vV 2>"$work/stderr" | sed -n 's/^host: //p')
    if [ -z "$host" ]; then
        die "building the programs: running rustc -vV: $(tail -n 1 "$work/stderr"): repair the Rust installation of ${build_as:-root}"
    fi
    # Static, so that no library and no interpreter can go missing under
    # keepalived (K13); musl starts quickest (X3).
    target=$(printf '%s' "$host" | sed 's/-gnu/-musl/')
    flags=''
    if ! have_target "$target" && [ $dry_run = 0 ]; then
        builder rustup target add "$target" >/dev/null 2>&1 || :
    fi
    if ! have_target "$target"; then
        target=$host
        flags='-C target-feature=+crt-static'
    fi
    target_dir=${CARGO_TARGET_DIR:-$here/target}
    if [ -n "$build_as" ]; then
        target_dir=$here/target
        if [ -e "$target_dir" ]; then place=$target_dir; else place=$here; fi
        if ! builder test -w "$place"; then target_dir=$home/.cache/keepalived-redis-build; fi
    fi
    case $target_dir in
        /*) ;;
        *) target_dir=$here/$target_dir ;;
    esac
    bin_dir=$target_dir/$target/release
    if [ $dry_run = 1 ]; then
        built=no
        say "would build the programs for $target with $cargo${build_as:+ as $build_as}"
        return 0
    fi
    say "building the programs for $target with $cargo${build_as:+ as $build_as}"
    builder env ${flags:+RUSTFLAGS="$flags"} "$cargo" build --release --locked \
        --package keepalived-redis --bins --target "$target" --target-dir "$target_dir" ||
        die "building the programs in $here: cargo failed: see above (or build elsewhere and give --bin-dir DIR)"
    # A program of its own writes them, so that the others need not carry them. Built apart, for the same reason.
    builder env ${flags:+RUSTFLAGS="$flags"} "$cargo" build --release --locked --quiet \
        --package pages --target "$target" --target-dir "$target_dir" ||
        die "building the manual pages in $here: cargo failed: see above (or build elsewhere and give --bin-dir DIR)"
    # A page of a word that is no more would stay for ever.
    builder rm -rf -- "$bin_dir/share"
    builder "$bin_dir/pages" "$bin_dir/share" || die "writing the manual pages into $bin_dir/share: see above"
}

have_target() {
    builder rustc --print target-libdir --target "$1" >"$work/libdir" 2>/dev/null &&
        [ -d "$(cat "$work/libdir")" ]
}

# ---------------------------------------------------------------- drafts

draft_toml() {
    list=$(awk '{ printf "%s\"%s\"", (NR > 1 ? ", " : ""), $2 }' "$work/nodes")
    off=''
    if [ $no_password = 1 ]; then off='#'; fi
    cat <<END
# The Redis programs of keepalived read this file. It is the same on every
# node: each finds itself by the addresses of its machine. "#key" shows the
# default; take the # away to change it. A change counts from the next run of
# a program, and "check_redis -v" tells whether the file can be read.
# redis-ha.toml.example says more of each key.

nodes = [$list]     # in order of preference
vip = "$vip_address"
#local = "$(sed -n 1p "$work/nodes" | cut -d ' ' -f 2)"     # only where it can't be told from the addresses

[auth]
${off}password_file = "$PASS"     # closed to all but root, or it is refused
#username = "ha"            # an ACL user, instead of the default one

[timing]
#check = "400ms"            # the whole of a check
#hang = "300ms"             # no answer to the watcher: fails over (fast profile)
#connect = "150ms"          # opening a connection to a node
#command = "500ms"          # an answer of a node
#delay = "0s"               # a fixed wait before a role is changed
#sync = "10m"               # for catching up before a handover
#alone_after = "20s"        # peer unreachable that long, without a break: alone

[policy]
#max_lag = "1MiB"           # a replica that is further behind is not in sync
#outdated = "hold"          # data known to be old is not served alone; or after a time: "10m"

[rollback]
#mode = "auto"              # a copy of data about to be dropped: auto | always | never
#dir = "$ROLLBACK_DIR"
#keep = 3
#days = 14                  # longer, if it may be the only copy and nobody has looked at it

[log]
#dir = "$LOG_DIR"

[memory]
#dir = "$STATE_DIR"
END
    if [ -n "$sentinel_master" ]; then draft_sentinel; fi
}

draft_sentinel() {
    list=$(awk '{ printf "%s\"%s\"", (NR > 1 ? ", " : ""), $1 }' "$work/sentinels")
    quorum_off='' silent_off='' password_off=''
    if [ -z "$quorum" ]; then quorum_off='#'; fi
    if [ -z "$silent" ]; then silent_off='#'; fi
    if [ -z "$sentinel_password_file" ]; then password_off='#'; fi
    cat <<END

# Present: Sentinel gives out the roles, and the VIP follows the master.
[sentinel]
master_name = "$sentinel_master"
nodes = [$list]
${quorum_off}quorum = ${quorum:-$majority}     # so many must name a master for it to be believed
${silent_off}when_sentinels_silent = "${silent:-hold}"     # fewer answer: the VIP stays (hold), or is given up (release)
#username = "ha"            # an ACL user of the sentinels
${password_off}password_file = "$SENTINEL_PASS"     # of the sentinels, if they have one
END
}

# keepalived.conf.example is the template: the lines of its two hosts are
# replaced by lines for these, and its interface and VIP by these.
draft_conf() {
    variant='pair failback'
    if [ $sticky = 1 ]; then variant='pair sticky'; fi
    if [ -n "$sentinel_master" ]; then variant=sentinel; fi
    awk -v interface="$interface" -v vip="$vip" '
    NR == FNR { n++; address[n] = $1; name[n] = $4; next }
    /^@redis-b/ { next }
    /^@redis-a[ \t]+\$SELF=/ {
        for (i = 1; i <= n; i++) print "@" name[i] " $SELF=" address[i]
        next
    }
    /^@redis-a[ \t]+\$PRIORITY=/ {
        for (i = 1; i <= n; i++) print "@" name[i] " $PRIORITY=" 255 - i
        next
    }
    /^@redis-a/ {
        for (i = 1; i <= n; i++) for (j = 1; j <= n; j++) if (i != j)
            print "@" name[i] "    " address[j]
        next
    }
    /^    interface / { print "    interface " interface; next }
    /^    virtual_ipaddress / { print; getline; $0 = "        " vip }
    { print }' "$work/named" "$here/keepalived.conf.example" |
        mark_lines "$variant $profile" "pair failback sticky sentinel plain fast"
}

# Debian gives keepalived its options in DAEMON_ARGS, the RHEL family in
# KEEPALIVED_OPTIONS; the test must see the same ones (-i, -f).
draft_dropin() {
    options=DAEMON_ARGS
    if [ -f "$destdir/etc/sysconfig/keepalived" ]; then options=KEEPALIVED_OPTIONS; fi
    daemon=/usr/sbin/keepalived
    if [ $live = 1 ]; then daemon=$(command -v keepalived || say $daemon); fi
    sed -e "s,\$DAEMON_ARGS,\$$options," -e "s,=/usr/sbin/keepalived ,=$daemon ," \
        "$here/share/keepalived-redis.conf"
}

# ---------------------------------------------------------------- changing

changes=0
did() { # did DONE WOULD WHAT
    changes=$((changes + 1))
    if [ $dry_run = 1 ]; then say "would $2 $3"; else say "$1 $3"; fi
}

label() { # SELinux: what a policy says of this path (K25)
    if [ $live = 1 ] && command -v restorecon >/dev/null 2>&1; then
        restorecon -F -- "$1" >/dev/null 2>&1 || note "restorecon $1 failed: look at it with ls -Z"
    fi
}

# make_dir MODE GROUP DIR: whatever exists stays as it is.
make_dir() {
    if [ -d "$destdir$3" ]; then
        if [ "$1" = 0700 ] && [ "$(stat -L -c %a "$destdir$3")" != 700 ]; then
            note "$destdir$3 holds copies of the data, and its mode is $(stat -L -c %a "$destdir$3"): chmod 700 $destdir$3"
        fi
        return 0
    fi
    did made make "directory $destdir$3"
    if [ $dry_run = 1 ]; then return 0; fi
    try "making the directory $destdir$3" "see that the file system is writable and not full" \
        mkdir -p -- "$destdir$3"
    chmod "$1" "$destdir$3"
    if [ $root = 1 ]; then chown "root:$2" "$destdir$3"; fi
    label "$3"
}

# put MODE FROM TO: write beside and rename, so that at every moment the whole
# old file or the whole new one is there (K13), after a power loss too.
put() {
    beside=$(dirname -- "$3")/.$(basename -- "$3").$$.new
    put_fix="see that the file system is writable and not full"
    try "writing $beside" "$put_fix" rm -f -- "$beside"
    (umask 077 && : >"$beside") 2>/dev/null || :
    try "writing $beside" "$put_fix" cp -- "$2" "$beside"
    chmod "$1" "$beside"
    if [ $root = 1 ]; then chown root:root "$beside"; fi
    sync -- "$beside" 2>/dev/null || sync
    try "renaming $beside to $3" "$put_fix" mv -f -- "$beside" "$3"
    beside=
    label "$3"
}

# same MODE FROM TO: content, mode and owner are as they should be.
same() {
    [ -f "$3" ] && [ ! -L "$3" ] && cmp -s -- "$2" "$3" && [ "$(stat -c %a "$3")" = "${1#0}" ] &&
        { [ $root = 0 ] || [ "$(stat -c %u:%g "$3")" = 0:0 ]; }
}

install_program() {
    to=$destdir$PROGRAM_DIR/$1
    if [ -f "$bin_dir/$1" ] && same 0755 "$bin_dir/$1" "$to"; then return 0; fi
    did installed install "$to"
    if [ $dry_run = 0 ]; then put 0755 "$bin_dir/$1" "$to"; fi
}

install_link() {
    link=$destdir$LINK_DIR/$1
    if [ "$(readlink -- "$link" || :)" = "$PROGRAM_DIR/$1" ]; then return 0; fi
    if [ -e "$link" ] || [ -L "$link" ]; then
        note "$link is something else and stays as it is; the program is $PROGRAM_DIR/$1"
        return 0
    fi
    did linked link "$link"
    if [ $dry_run = 1 ]; then return 0; fi
    try "linking $link" "see that the file system is writable" ln -s -- "$PROGRAM_DIR/$1" "$link"
}

# ours_in DIR: the manual pages and completions below DIR, one to a line. Pages
# of a program's words are named behind it; where zsh looks differs.
ours_in() {
    if [ ! -d "$1" ]; then return 0; fi
    (
        cd -- "$1"
        for ours in $PROGRAMS; do
            for page in "man/man8/$ours.8" "man/man8/$ours"-*.8 "bash-completion/completions/$ours" \
                "fish/vendor_completions.d/$ours.fish" "zsh/site-functions/_$ours" "zsh/vendor-completions/_$ours"; do
                if [ -f "$page" ]; then say "$page"; fi
            done
        done
    )
}

# Manual pages and completions: nobody edits them, so they are replaced.
install_pages() {
    if [ "$built" = no ]; then return 0; fi
    pages=$bin_dir/share
    if [ ! -d "$pages" ]; then pages=$bin_dir/../../share; fi
    ours_in "$pages" >"$work/from"
    if [ ! -s "$work/from" ]; then
        note "no manual pages beside the programs: neither in $bin_dir/share nor in $bin_dir/../../share"
        return 0
    fi
    zsh=site-functions
    if [ -e /etc/debian_version ] && [ ! -f "$destdir/etc/sysconfig/keepalived" ]; then zsh=vendor-completions; fi
    sed "s,^zsh/[^/]*/,zsh/$zsh/," "$work/from" >"$work/to"
    ours_in "$destdir$SHARE" | grep -vxF -f "$work/to" >"$work/old" || :
    # One look at all of them: this is run again and again.
    (cd -- "$pages" && xargs cksum) <"$work/from" 2>/dev/null | cut -d ' ' -f 1,2 >"$work/sums" || :
    (cd -- "$destdir$SHARE" 2>/dev/null && xargs cksum) <"$work/to" 2>/dev/null | cut -d ' ' -f 1,2 >"$work/sums-to" || :
    if [ ! -s "$work/old" ] && cmp -s "$work/sums" "$work/sums-to"; then return 0; fi
    did installed install "the manual pages and completions below $destdir$SHARE"
    if [ $dry_run = 1 ]; then return 0; fi
    while IFS= read -r page; do rm -f -- "$destdir$SHARE/$page"; done <"$work/old"
    for dir in man/man8 bash-completion/completions fish/vendor_completions.d "zsh/$zsh"; do
        grep "^${dir%%/*}/" "$work/from" >"$work/group" || continue
        try "writing into $destdir$SHARE/$dir" "see that the file system is writable and not full" copy_pages
    done
}

# Removed first: whoever reads a page now reads it to its end.
copy_pages() {
    mkdir -p -- "$destdir$SHARE/$dir" &&
        (cd -- "$pages" && xargs cp --remove-destination -t "$destdir$SHARE/$dir" --) <"$work/group" &&
        sed 's,.*/,,' "$work/group" | (cd -- "$destdir$SHARE/$dir" && xargs chmod 0644 --)
}

remove_pages() {
    ours_in "$destdir$SHARE" >"$work/old"
    if [ ! -s "$work/old" ]; then return 0; fi
    did removed remove "the manual pages and completions below $destdir$SHARE"
    if [ $dry_run = 1 ]; then return 0; fi
    while IFS= read -r page; do
        try "removing $destdir$SHARE/$page" "see that the file system is writable" rm -f -- "$destdir$SHARE/$page"
    done <"$work/old"
}

# install_text MODE FROM TO: never over a file that a person may have edited.
install_text() {
    to=$destdir$3
    if [ -e "$to" ] || [ -L "$to" ]; then
        if cmp -s -- "$2" "$to"; then
            if [ -e "$to.new" ]; then note "$to.new is left from an earlier run and no longer needed: rm $to.new"; fi
            return 0
        fi
        waiting="$waiting $to.new"
        if cmp -s -- "$2" "$to.new"; then
            note "$to differs and stays as it is; $to.new is already there"
            return 0
        fi
        did wrote write "$to.new: $to differs and stays as it is"
        to=$to.new
    else
        did wrote write "$to"
    fi
    if [ $dry_run = 0 ]; then put "$1" "$2" "$to"; fi
}

reload_systemd() {
    if [ $live = 1 ] && [ $dry_run = 0 ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
        try "running systemctl daemon-reload" "run it by hand" systemctl daemon-reload
    fi
}

# ---------------------------------------------------------------- uninstall

# The configuration that calls a program which is no more is a trap: the check
# counts as success, so this node would hold the VIP with a dead Redis (K13).
refuse_uninstall_in_use() {
    if [ ! -d "$destdir$ETC" ]; then return 0; fi
    find -L "$destdir$ETC" -name '*.conf' -type f >"$work/list"
    while IFS= read -r conf; do
        if grep -Eq "^[^#!]*($PROGRAM_DIR|$LINK_DIR)/(check_redis|redis_(master|backup|fault|stop))" "$conf" || reads_watch "$conf"; then
            die "removing the programs: $conf still calls them, and to keepalived a missing check is a success (K13): stop keepalived, move $conf away, then run this again"
        fi
    done <"$work/list"
}

remove() {
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
    did removed remove "$1"
    if [ $dry_run = 1 ]; then return 0; fi
    try "removing $1" "see that the file system is writable" rm -f -- "$1"
}

# remove_text FROM TO: ours only while nobody has edited it.
remove_text() {
    remove_new=$destdir$2.new
    remove "$remove_new"
    if [ ! -e "$destdir$2" ]; then return 0; fi
    if cmp -s -- "$1" "$destdir$2"; then remove "$destdir$2"; else note "$destdir$2 was edited and stays"; fi
}

uninstall() {
    refuse_uninstall_in_use
    if [ $packaged = 1 ]; then
        end_watcher
        before=$changes
        end_boot_as_replica
        if [ "$changes" != "$before" ]; then reload_systemd; fi
        say "now remove the package keepalived-redis, and with it the programs"
        return 0
    fi
    if [ $live = 1 ] && command -v pidof >/dev/null 2>&1 && pidof keepalived >/dev/null; then
        note "keepalived runs: if it still has a configuration that calls these programs, reload or stop it now"
    fi
    for program in $PROGRAMS; do
        if [ "$(readlink -- "$destdir$LINK_DIR/$program" || :)" = "$PROGRAM_DIR/$program" ]; then
            remove "$destdir$LINK_DIR/$program"
        fi
        remove "$destdir$PROGRAM_DIR/$program"
    done
    remove_pages
    draft_dropin >"$work/dropin"
    end_watcher
    remove_text "$here/share/logrotate" "$LOGROTATE"
    before=$changes
    end_boot_as_replica
    remove_text "$work/dropin" "$DROPIN"
    remove_text "$here/share/keepalived-redis.target" "$TARGET"
    if [ $dry_run = 0 ]; then
        rmdir -- "$destdir$(dirname -- "$DROPIN")" "$destdir$PROGRAM_DIR" 2>/dev/null || :
    fi
    if [ "$changes" != "$before" ]; then reload_systemd; fi
    if [ "$changes" = 0 ]; then say "nothing to remove"; fi
    for kept in "$CONF" "$CONF.new" "$TOML" "$TOML.new" "$PASS" "$PASS.new" "$SENTINEL_PASS" "$SENTINEL_PASS.new" \
        "$LOG_DIR" "$STATE_DIR"; do
        if [ -e "$destdir$kept" ]; then say "kept $destdir$kept"; fi
    done
    if [ -d "$destdir$ROLLBACK_DIR" ]; then
        say "kept $destdir$ROLLBACK_DIR: it may hold the only copy of writes that a failover set aside"
    fi
}

# The units in /etc of an installation from the source tree would come before the
# package's for ever. The links in /usr/local/sbin stay: keepalived.conf may call a
# program by one (K13).
end_source_installation() {
    before=$changes
    remove_text "$work/dropin" "$DROPIN"
    remove_text "$here/share/keepalived-redis.target" "$TARGET"
    remove_text "$here/share/$WATCH_UNIT" "/etc/systemd/system/$WATCH_UNIT"
    remove_text "$here/share/keepalived-redis-watch@.service" "/etc/systemd/system/keepalived-redis-watch@.service"
    if [ "$changes" = "$before" ] || [ $dry_run = 1 ]; then return 0; fi
    rmdir -- "$(dirname -- "$DROPIN")" 2>/dev/null || :
    enabled=/etc/systemd/system/keepalived.service.wants/$WATCH_UNIT
    if [ -L "$enabled" ] && [ ! -e "$enabled" ]; then ln -sf -- "$WATCH" "$enabled"; fi
    reload_systemd
}

if [ $uninstall = 1 ]; then
    uninstall
    exit 0
fi

# ---------------------------------------------------------------- look first

for part in keepalived.conf.example share/logrotate share/keepalived-redis.conf share/keepalived-redis.target \
    share/redis-boot-as-replica.conf "share/$WATCH_UNIT" share/keepalived-redis-watch@.service; do
    [ -r "$here/$part" ] || die "looking for $here/$part: no such file: run install.sh from the whole source tree"
done
read_keepalived
if [ $configure = 1 ]; then
    family=''
    read_nodes
    read_vip
    if [ -n "$sentinel_master" ]; then
        read_sentinels
        if [ $live = 1 ]; then refuse_boot_as_replica; fi
    fi
    local_number='' local_address=''
    if [ $live = 1 ]; then find_local; fi
    read_interface
    read_names
    if [ $no_password = 0 ]; then
        read_password_file --password-file "$password_file" Redis "give --no-password" "$PASS"
    fi
    if [ -n "$sentinel_password_file" ]; then
        read_password_file --sentinel-password-file "$sentinel_password_file" "the sentinels" \
            "leave the flag out where they have none" "$SENTINEL_PASS"
    fi
fi
read_profile
read_keepalived_for_profile
if [ $boot = 1 ]; then read_redis_service; fi
read_program_dir
built=''
if [ -n "$bin_dir" ]; then read_bin_dir; else build; if [ $dry_run = 0 ]; then read_bin_dir; fi; fi

draft_dropin >"$work/dropin"
if [ $boot = 1 ]; then draft_boot >"$work/boot"; fi
if [ $configure = 1 ]; then
    draft_toml >"$work/toml"
    draft_conf >"$work/conf"
elif [ $switch = 1 ]; then
    switch_profile >"$work/conf"
fi

# ---------------------------------------------------------------- then change

waiting=''
log_group=root
if getent group adm >/dev/null 2>&1; then log_group=adm; fi
make_dir 0755 root "$PROGRAM_DIR"
if [ $packaged = 0 ]; then make_dir 0755 root "$LINK_DIR"; fi
make_dir 0755 root "$ETC"
make_dir 0750 "$log_group" "$LOG_DIR"
make_dir 0700 root "$STATE_DIR"
make_dir 0700 root "$ROLLBACK_DIR"

if [ $packaged = 0 ]; then
    make_dir 0755 root "$(dirname -- "$LOGROTATE")"
    make_dir 0755 root "$(dirname -- "$DROPIN")"
    install_pages
else
    end_source_installation
fi
programs_before=$changes
if [ $packaged = 0 ]; then
    for program in $PROGRAMS; do install_program "$program"; done
    for program in $PROGRAMS; do install_link "$program"; done
fi

# keepalived_test FILE: 0 where keepalived accepts it; else its own words.
keepalived_test() {
    if keepalived -t -f "$1" >"$work/test" 2>&1; then return 0; else code=$?; fi
    sed 's/^/    /' "$work/test" >&2
    return $code
}

# With the programs in place, as keepalived looks for them too.
if [ $((configure + switch)) -gt 0 ] && [ $live = 1 ] && [ $dry_run = 0 ]; then
    keepalived_test "$work/conf" ||
        die "testing the new $CONF with keepalived -t: exit code $code, its words stand above: no configuration was written; correct the cause and run this again"
fi

if [ $packaged = 0 ]; then
    install_text 0644 "$here/share/logrotate" "$LOGROTATE"
    before=$changes
    install_text 0644 "$here/share/keepalived-redis.target" "$TARGET"
    install_text 0644 "$work/dropin" "$DROPIN"
    if [ "$changes" != "$before" ]; then reload_systemd; fi
fi
if [ $configure = 1 ]; then
    if [ $no_password = 0 ] && [ "$(readlink -f -- "$password_file")" != "$destdir$PASS" ]; then
        install_text 0600 "$password_file" "$PASS"
    fi
    if [ -n "$sentinel_password_file" ] && [ "$(readlink -f -- "$sentinel_password_file")" != "$destdir$SENTINEL_PASS" ]; then
        install_text 0600 "$sentinel_password_file" "$SENTINEL_PASS"
    fi
    install_text 0644 "$work/toml" "$TOML"
fi
if [ "$profile" = fast ]; then start_watcher; fi
if [ $((configure + switch)) -gt 0 ]; then install_text 0644 "$work/conf" "$CONF"; fi
# Not because no file was found that reads it: keepalived may have its configuration elsewhere.
if [ "$profile_given" = plain ]; then end_watcher; fi
if [ $boot = 1 ]; then boot_as_replica; fi

if [ $changes = 0 ]; then say "nothing to change: all is as it should be"; fi
if [ $live = 0 ] && [ "$profile" = fast ]; then note "on that machine, before keepalived starts: systemctl enable $WATCH_UNIT"; fi
if [ $live = 0 ] || [ $dry_run = 1 ]; then exit 0; fi

# ---------------------------------------------------------------- look again

if [ "$profile" = fast ] && ! systemd_runs; then
    note "systemd does not run here: let something start this, and again whenever it ends, before keepalived starts or is reloaded: $(sed -n 's/^ExecStart=//p' "$WATCH")"
elif [ "$profile" = fast ] && [ ! -f "$WATCH_FILE" ]; then
    note "the watcher runs, and yet there is no $WATCH_FILE: see systemctl status $WATCH_UNIT"
fi

if [ $boot = 1 ]; then
    case $(unit_command "$redis_unit") in
        *" $BOOT_OPTION") say "service $redis_unit: from its next start Redis is a replica of nobody, until the programs say more; it was not restarted" ;;
        *) note "the service $redis_unit is not started with '$BOOT_OPTION' yet: see $boot_dropin, and $boot_dropin.new if it is there" ;;
    esac
fi
if [ ! -f "$CONF" ]; then
    say "no $CONF yet: run $me again with --nodes, --vip, --interface and --password-file"
    exit 0
fi
if keepalived_test "$CONF"; then
    say "keepalived -t: $CONF is good"
else
    case $waiting in
        *"$CONF.new"*) note "keepalived -t does not accept $CONF as it stands (exit code $code, its words stand above); it does accept $CONF.new" ;;
        *) die "testing $CONF with keepalived -t: exit code $code, its words stand above: correct it before keepalived is started or reloaded" ;;
    esac
fi
if [ -f "$TOML" ]; then
    if "$PROGRAM_DIR/check_redis" -v </dev/null >"$work/check" 2>&1; then code=0; else code=$?; fi
    sed 's/^/    /' "$work/check"
    say "check_redis: exit code $code$([ $code = 0 ] || say ' (nothing to fear where the local Redis is not set up yet)')"
fi
for file in $waiting; do
    note "compare: diff ${file%.new} $file; then to take the new one: mv $file ${file%.new}"
done
if [ $configure = 1 ] && [ -z "$names" ]; then
    note "$CONF is for this host, $this_host, alone: the other node's lines stand under a placeholder; --names makes one file for all"
fi
say "next:"
say "  1. run the same command on every other node"
if is_sentinel_toml; then
    say "  2. on each node: masterauth in redis.conf, the same on all; on each sentinel: 'sentinel monitor' with the master's own address, not the VIP, and 'sentinel auth-pass' (README.md: Sentinel mode)"
elif [ $boot = 1 ]; then
    say "  2. on each node: masterauth in $redis_conf, the same on all, and restart Redis (nobody is master then until keepalived runs)"
else
    say "  2. on each node: masterauth in redis.conf, the same on all; and let each Redis boot as a replica, so that one which starts empty can't wipe the other ($me --boot-as-replica does that)"
fi
say "  3. systemctl enable --now keepalived (where it runs already: keepalived -t && systemctl reload keepalived), and watch: tail -F $LOG_DIR/keepalived-redis-status.log"
