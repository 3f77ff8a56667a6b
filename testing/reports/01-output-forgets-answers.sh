#!/bin/sh
# report: firewalld/firewalld#705
# kind: the way back
# cause: The server's own rules for outgoing packets allow a few ports and no established
#   connections, so its SYN-ACK never leaves. Its own loopback is allowed.
# right: On the server: its own output rules stop the answers. The rule is named.
# expect: local-firewall|answer-lost certainty<=certain
# says: output|goes out|outgoing
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.1.0.2/24
address server eth0 10.1.0.1/24
daemon server echo 5151
ready server 5151
fault && rules server <<R
table inet zones {
  chain output { type filter hook output priority 10
    oifname "lo" accept
    udp dport 53 accept
    tcp dport { 25, 80, 443 } accept
    counter reject with icmpx type admin-prohibited comment "rest"
  }
}
R
tried_or silent client 10.1.0.1 5151
fault && must "the rule met no answer" test "$(counted server rest)" -gt 0
verdict server check --listen 5151
