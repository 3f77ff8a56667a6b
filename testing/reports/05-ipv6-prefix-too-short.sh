#!/bin/sh
# report: elitak/nixos-infect#73
# kind: neighbours (IPv6)
# cause: The address of this machine has the prefix length 32 instead of 64. So it looks for a
#   server of another network on its own link and never asks its router.
# right: At the client: no neighbour answers. Likely at most: the own prefix may be wrong. "It is
#   off" is false, the server is up.
# expect: host-unreachable|neighbour-silent|no-answer certainty<=likely
# says: prefix|netmask|subnet mask|/32
. "$(dirname "$0")/lib.sh"
space client router server
cable client eth0 router c0
cable server eth0 router s0
length=32
fault || length=64
address client eth0 2001:db8:1::10/$length
address router c0 2001:db8:1::1/64
address router s0 2001:db8:2::1/64
address server eth0 2001:db8:2::20/64
router router
ipat client -6 route add default via 2001:db8:1::1
ipat server -6 route add default via 2001:db8:2::1
sleep 0.5
daemon server echo 5151
ready server 5151
tried_or unreachable client 2001:db8:2::20 5151
tried open router 2001:db8:2::20 5151
must "the client does not reach its router" at client ping -6 -c 1 -W 2 2001:db8:1::1
verdict client check 2001:db8:2::20
