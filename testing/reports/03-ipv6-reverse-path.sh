#!/bin/sh
# report: firewalld/firewalld#1508
# kind: the way back (IPv6)
# cause: The server has two interfaces in one IPv6 network. Its own rule (fib saddr . iif oif
#   missing) drops a packet that arrives on another interface than the one of its route to the
#   sender. So one of its two addresses is out of reach.
# right: On the server, for that address: the reverse path rule is named. It is certain only if
#   the program followed the rule for a client of that network. `ok` is likely at most.
# expect: local-firewall|answer-lost certainty<=likely
# expect: local-firewall|answer-lost certainty<=certain if-named
# expect: ok certainty<=likely if-named
# says: fib|reverse.path|rpfilter
. "$(dirname "$0")/lib.sh"
space lan client server
switch lan
plug lan p0 client eth0
plug lan p1 server eth0
plug lan p2 server eth1
address client eth0 fd00:3::20/64
address server eth0 fd00:3::10/64
address server eth1 fd00:3::11/64
sleep 0.5
daemon server echo 5151
ready server 5151
fault && rules server <<R
table inet firewall {
  chain prerouting { type filter hook prerouting priority -290; policy accept
    icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
    meta nfproto ipv6 fib saddr . mark . iif oif missing counter drop comment "rpfilter"
  }
}
R
tried_or silent client fd00:3::11 5151
tried open client fd00:3::10 5151
fault && must "the rule met nothing" test "$(counted server rpfilter)" -gt 0
verdict server check --listen '[fd00:3::11]:5151'
