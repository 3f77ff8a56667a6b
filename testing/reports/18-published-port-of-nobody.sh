#!/bin/sh
# report: thelounge/thelounge-docker#194
# kind: after the handshake
# cause: The host's proxy process accepts each connection to the published port and then finds the
#   container's port closed, since the program there listens on the container's own 127.0.0.1. So
#   it closes the connection.
# right: The connection is closed at once; certain. The port is not `ok`.
# expect: closed-early|reset certainty<=certain
# says: proxy|behind|container
. "$(dirname "$0")/lib.sh"
space client host container
cable client eth0 host eth0
cable host docker0 container eth0
address client eth0 192.0.2.20/24
address host eth0 192.0.2.10/24
address host docker0 172.17.0.1/16
address container eth0 172.17.0.2/16
inside=127.0.0.1
fault || inside=172.17.0.2
daemon container web 9000 $inside
daemon host relay 9000 172.17.0.2 9000
ready container 9000
ready host 9000
tried open client 192.0.2.10 9000
if fault; then
    tried refused host 172.17.0.2 9000
    tried open container 127.0.0.1 9000
fi
verdict client check http://192.0.2.10:9000
