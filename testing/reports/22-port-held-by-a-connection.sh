#!/bin/sh
# report: hashicorp/nomad#3456
# kind: the environment
# cause: The server cannot listen on its port, because an outgoing connection of this machine
#   happens to use it as its local port.
# right: not-listening or address-in-use, certain. The connection that holds the port is named.
# expect: not-listening|address-in-use certainty<=certain
# says: outgoing|is held|holds|in use|local port
. "$(dirname "$0")/lib.sh"
space peer server
cable peer eth0 server eth0
address peer eth0 10.22.0.2/24
address server eth0 10.22.0.1/24
daemon peer echo 80
ready peer 80
if fault; then
    daemon server hold 10.22.0.2 80 43409
    await "there is no such connection" sh -c \
        "ip netns exec $ID-server ss -Htn 'sport = :43409' | grep -q ESTAB"
    must "the port is free" test "$(tool server bind 43409)" = EADDRINUSE
else
    daemon server echo 43409
    ready server 43409
fi
tried_or refused peer 10.22.0.1 43409
verdict server check --listen 43409
