#!/bin/sh
# report: shadowsocks/shadowsocks#391
# kind: the way back
# cause: This machine's own input rules drop by default and accept the ports that it serves. They
#   do not accept answers to its own connections: the report's log shows dropped SYN-ACKs.
# right: At the client: its own input rules drop the answer. Certain, since root can read them.
# expect: local-firewall|answer-lost certainty<=certain
# says: input|comes in
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.4.0.2/24
address server eth0 10.4.0.1/24
daemon server echo 5151
ready server 5151
fault && rules client <<R
table ip filter {
  chain input { type filter hook input priority 0; policy drop
    iifname "lo" accept
    tcp dport { 22, 8388 } accept
    ip protocol icmp accept
    tcp flags syn,ack / syn,ack counter comment "answers"
  }
}
R
tried_or silent client 10.4.0.1 5151
fault && must "no answer came to the client" test "$(counted client answers)" -gt 0
must "the server is not up" at client ping -c 1 -W 2 10.4.0.1
verdict client check 10.4.0.1
