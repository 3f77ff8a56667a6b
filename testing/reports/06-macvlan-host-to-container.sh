#!/bin/sh
# report: moby/libnetwork#1915
# kind: neighbours
# cause: The container's interface is a macvlan on the host's interface. The kernel passes nothing
#   between these two, so the host never finds its container. All other machines reach it.
# right: On the host: no neighbour answers. Likely at most: another machine may reach it. "It is
#   off, or has another address" is false.
# expect: host-unreachable|neighbour-silent|no-answer certainty<=likely
# says: macvlan|isolat|(an)?other machines? (may|can|do|find)
. "$(dirname "$0")/lib.sh"
space lan other host container
switch lan
plug lan p0 host eth0
plug lan p1 other eth0
address host eth0 172.16.9.151/24
address other eth0 172.16.9.20/24
ipat host link add mv0 link eth0 type macvlan mode bridge
ipat host link set mv0 netns "$ID-container" name eth0
ipat container link set eth0 up
address container eth0 172.16.9.149/24
if ! fault; then
    ipat host link add mv1 link eth0 type macvlan mode bridge
    address host mv1 172.16.9.152/32
    ipat host link set mv1 up
    ipat host route add 172.16.9.149/32 dev mv1
fi
daemon container echo 5151
ready container 5151
sleep 0.5
tried open other 172.16.9.149 5151
tried_or unreachable host 172.16.9.149 5151
verdict host check 172.16.9.149
