#!/bin/sh
# report: tomato64/tomato64#77
# kind: neighbours
# cause: The access point isolates the ports of its bridge: each client reaches the router, and no
#   client reaches another.
# right: At the client: no neighbour answers. Likely at most: the network may isolate its clients.
#   The other machine is up.
# expect: host-unreachable|neighbour-silent|no-answer certainty<=likely
# says: isolat|apart|between (clients|ports)
. "$(dirname "$0")/lib.sh"
space ap router client server
switch ap
plug ap p0 router eth0
plug ap p1 client eth0
plug ap p2 server eth0
address router eth0 10.7.0.1/24
address client eth0 10.7.0.2/24
address server eth0 10.7.0.3/24
ipat client route add default via 10.7.0.1
if fault; then
    ip netns exec "$ID-ap" bridge link set dev p1 isolated on || exit 9
    ip netns exec "$ID-ap" bridge link set dev p2 isolated on || exit 9
fi
daemon server echo 5151
ready server 5151
sleep 0.5
must "the client does not reach the router" at client ping -c 1 -W 2 10.7.0.1
tried open router 10.7.0.3 5151
tried_or unreachable client 10.7.0.3 5151
verdict client check 10.7.0.3
