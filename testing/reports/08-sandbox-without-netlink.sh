#!/bin/sh
# report: NVIDIA/OpenShell#1295
# kind: this machine's policies
# cause: A sandbox (seccomp) denies this program every netlink socket, so it cannot ask for
#   interfaces, routes and listening sockets. The network is in order: the server listens on every
#   address, and others reach it.
# right: On the server, inside the sandbox: what could not be asked is unknown, with this reason.
#   `ok`, likely at most, or cannot-tell. Nothing that is said of the server or of root's rights
#   is false.
# expect: ok certainty<=likely
# false: without root
# says: seccomp|sandbox|netlink|not permitted
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.8.1.2/24
address server eth0 10.8.1.1/24
daemon server echo 5151
ready server 5151
tried open client 10.8.1.1 5151
if fault; then
    mustnt "netlink works in the sandbox" tool server without-netlink ip link
    must "TCP does not work in the sandbox" tool server without-netlink \
        python3 "$HERE/tool.py" talk 10.8.1.1 5151 10
    BIN_REAL=$BIN BIN=$WORK/sandboxed
    printf '#!/bin/sh\nexec python3 "%s/tool.py" without-netlink "%s" "$@"\n' "$HERE" "$BIN_REAL" \
        >"$BIN"
    chmod +x "$BIN"
fi
verdict server check --listen 5151
