#!/bin/sh
# report: strongswan/strongswan#990
# kind: this machine's policies
# cause: IPsec was stopped, but its policy stayed: packets to 192.168.1.0/24 must be encrypted by
#   an association that no longer exists. The kernel of this machine drops them.
# right: At the client: this machine is the cause. Certain only if the IPsec policy (xfrm) is
#   named.
# expect: local-firewall|no-route|system certainty<=likely
# expect: local-firewall|no-route|system certainty<=certain if-named
# says: xfrm|IPsec
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.60.1.2/24
address server eth0 192.168.1.1/24
ipat client route add 192.168.1.0/24 dev eth0
ipat server route add 10.60.1.0/24 dev eth0
daemon server echo 5151
ready server 5151
tried open client 192.168.1.1 5151
if fault; then
    ipat client xfrm policy add src 10.60.1.0/24 dst 192.168.1.0/24 dir out priority 287712 \
        tmpl src 10.60.1.2 dst 192.168.1.1 proto esp reqid 3 mode tunnel
    tried silent client 192.168.1.1 5151
    mustnt "there is an association" sh -c \
        "ip -n $ID-client xfrm state | grep -Eq 'spi 0x0*[1-9a-f]'"
fi
verdict client check 192.168.1.1
