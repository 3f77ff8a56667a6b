#!/bin/sh
# report: pivpn/pivpn#999
# kind: the environment
# cause: The VPN server serves UDP on port 51820, and its user tries TCP with telnet. Nothing is
#   broken.
# right: refused, certain on the machine itself, with the remark that UDP is served on that port.
# expect: refused certainty<=certain
# says: UDP
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.21.0.2/24
address server eth0 10.21.0.1/24
daemon server datagrams 51820
ready server 51820 udp
fault || daemon server echo 51820
fault || ready server 51820
tried_or refused client 10.21.0.1 51820
must "nothing serves UDP" sh -c "ip netns exec $ID-server ss -Hlun 'sport = :51820' | grep -q ."
verdict server check 10.21.0.1 51820 --expect connect
