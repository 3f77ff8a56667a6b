# What the scripts share: namespaces, links, servers, self-checks. Sourced, not run.
# Everything that a script makes carries its process id and goes when it ends, however it ends.

set -u
BIN=${BIN:?set BIN to the program, an absolute path}
TWIN=${TWIN:-}
HERE=$(cd "$(dirname "$0")" && pwd)
ID=er$$
WORK=$(mktemp -d)
SPACES=
PIDS=
# A proxy of whoever runs this has no place here.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
mkdir "$WORK/etc"

clean() {
    trap - EXIT
    for pid in $PIDS; do
        kill -CONT "$pid" 2>/dev/null
        kill -KILL "$pid" 2>/dev/null
    done
    for space in $SPACES; do ip netns del "$ID-$space" 2>/dev/null; done
    rm -rf "$WORK"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

# True where the fault is to be built; the twin is the same network without it.
fault() { [ -z "$TWIN" ]; }

# Machines: space NAME...
space() {
    for name; do
        ip netns add "$ID-$name" || exit 9
        SPACES="$SPACES $name"
        ip -n "$ID-$name" link set lo up
        tune "$name" ipv4.conf.all.rp_filter=0 ipv4.conf.default.rp_filter=0 \
            ipv6.conf.all.accept_dad=0 ipv6.conf.default.accept_dad=0
    done
}

# Kernel settings of a machine, without their "net.": tune NAME KEY=VALUE...
tune() {
    name=$1
    shift
    for setting; do ip netns exec "$ID-$name" sysctl -qw "net.$setting" || exit 9; done
}

# A command on a machine; files in $WORK/etc stand in for those of /etc.
at() {
    name=$1
    shift
    # shellcheck disable=SC2016
    ip netns exec "$ID-$name" sh -c '
        for file in "$0"/*; do
            [ ! -f "$file" ] || mount --bind "$file" "/etc/${file##*/}" || exit 9
        done
        exec "$@"' "$WORK/etc" "$@"
}

# `ip` on a machine: ipat NAME ARGUMENT...
ipat() {
    name=$1
    shift
    ip -n "$ID-$name" "$@" || exit 9
}

# A cable between two machines: cable NAME DEVICE NAME DEVICE
cable() {
    ip link add "$2" netns "$ID-$1" type veth peer name "$4" netns "$ID-$3" || exit 9
    ipat "$1" link set "$2" up
    ipat "$3" link set "$4" up
}

# A switch, and a port of it with a cable to a machine: plug SWITCH PORT NAME DEVICE
switch() { ipat "$1" link add br0 type bridge && ipat "$1" link set br0 up; }
plug() {
    cable "$1" "$2" "$3" "$4"
    ipat "$1" link set "$2" master br0
}

# Addresses: address NAME DEVICE ADDRESS/LENGTH...
address() {
    name=$1 device=$2
    shift 2
    for one; do
        case $one in
        *:*) ipat "$name" addr add "$one" dev "$device" nodad ;;
        *) ipat "$name" addr add "$one" dev "$device" ;;
        esac
    done
}

# Makes a machine forward.
router() { tune "$1" ipv4.ip_forward=1 ipv6.conf.all.forwarding=1; }

# Rules for nftables from standard input: rules NAME
rules() { ip netns exec "$ID-$1" nft -f - || exit 9; }

# A program that runs until the end: start NAME COMMAND...; its process is then $LAST.
start() {
    name=$1
    shift
    ip netns exec "$ID-$name" "$@" >>"$WORK/log" 2>&1 &
    LAST=$!
    PIDS="$PIDS $LAST"
}

# tool.py, in place and in the background: tool NAME ..., daemon NAME ...
tool() {
    name=$1
    shift
    at "$name" python3 "$HERE/tool.py" "$@"
}
daemon() {
    name=$1
    shift
    start "$name" python3 "$HERE/tool.py" "$@"
}

# Waits until a command succeeds, at most ten seconds: await WHAT COMMAND...
await() {
    what=$1
    shift
    for _ in $(seq 100); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    fail "$what"
}

# Waits until a port of a machine is served: ready NAME PORT [tcp|udp]
ready() {
    kind=-t
    [ "${3:-tcp}" = tcp ] || kind=-u
    await "nothing serves port $2 on $1" sh -c \
        "ip netns exec $ID-$1 ss -Hln $kind 'sport = :$2' | grep -q ."
}

fail() {
    [ ! -s "$WORK/log" ] || tail -5 "$WORK/log"
    echo "self-check failed: $*"
    exit 9
}

# The self-checks. They use other means than the program, so that a wrong script is seen as one.
# must WHAT COMMAND...: the command succeeds. mustnt: it fails.
must() {
    what=$1
    shift
    "$@" >>"$WORK/log" 2>&1 || fail "$what"
}
mustnt() {
    what=$1
    shift
    ! "$@" >>"$WORK/log" 2>&1 || fail "$what"
}
# What tool.py says of a connection: tried OUTCOME NAME ADDRESS PORT
tried() {
    # The kernel looks for a neighbour for three seconds before it says that there is none.
    patience=2
    [ "$1" != unreachable ] || patience=6
    seen=$(tool "$2" try "$3" "$4" 0 $patience)
    [ "$seen" = "$1" ] || fail "from $2, $3 port $4 should be $1 and is $seen"
}
# With the fault $1, in the twin open: tried_or OUTCOME NAME ADDRESS PORT
tried_or() { if fault; then tried "$@"; else shift && tried open "$@"; fi; }

# How often the rule of a machine with this comment was met: counted NAME COMMENT
counted() {
    ip netns exec "$ID-$1" nft list ruleset |
        sed -n "s/.*counter packets \([0-9]*\) .*comment \"$2\".*/\1/p" | head -1
}
# A counter of the kernel: kernel NAME COUNTER
kernel() { ip netns exec "$ID-$1" nstat -asz "$2" | awk -v it="$2" '$1 == it { print $2 }'; }

# What is judged: verdict NAME ARGUMENT... runs the program there.
verdict() {
    name=$1
    shift
    echo "== said"
    start=$(date +%s%N)
    at "$name" timeout 60 "$BIN" "$@" 2>&1
    code=$?
    echo "== exit $code after $((($(date +%s%N) - start) / 1000000)) ms"
}
