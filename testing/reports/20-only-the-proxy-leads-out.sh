#!/bin/sh
# report: moonrepo/moon#961
# kind: the environment
# cause: The network lets nothing out but its web proxy (HTTPS_PROXY). It drops direct
#   connections. Programs that honour the variable work.
# right: no-answer or dropped, likely at most, with the remark that the environment names a proxy.
# expect: no-answer|dropped certainty<=likely
# says: proxy
. "$(dirname "$0")/lib.sh"
space client gateway server
cable client eth0 gateway c0
cable server eth0 gateway s0
address client eth0 10.20.1.2/24
address gateway c0 10.20.1.1/24
address gateway s0 198.51.100.1/24
address server eth0 198.51.100.7/24
router gateway
ipat client route add default via 10.20.1.1
ipat server route add default via 198.51.100.1
daemon server echo 443
daemon gateway tunnel 3128
ready server 443
ready gateway 3128
rules gateway <<R
table ip nat {
  chain out { type nat hook postrouting priority 100
    oifname "s0" masquerade
  }
}
R
fault && rules gateway <<R
table ip office {
  chain forward { type filter hook forward priority 0
    iifname "c0" counter drop comment "direct"
  }
}
R
tried_or silent client 198.51.100.7 443
tried open client 10.20.1.1 3128
must "the proxy does not work" at client python3 -c "
import socket
c = socket.create_connection(('10.20.1.1', 3128), 3)
c.sendall(b'CONNECT 198.51.100.7:443 HTTP/1.1\r\n\r\n')
assert b' 200 ' in c.recv(999)"
export HTTPS_PROXY=http://10.20.1.1:3128 https_proxy=http://10.20.1.1:3128
verdict client check 198.51.100.7 443
