#!/bin/sh
# report: projectcalico/calico#8854
# kind: after the handshake
# cause: On the way back packets over 1,400 bytes are lost, and no ICMP message reaches the
#   server. Requests of any size arrive and are acknowledged. Small answers arrive, large ones do
#   not.
# right: Large answers are lost on the way back (MTU), likely at most. "The program is stuck" is
#   false: it answered.
# expect: data-lost|reply-lost|answer-lost certainty<=likely
# expect: no-reply certainty<=likely if-named
# says: MTU|larger? (packets|answers|lines|ones)
. "$(dirname "$0")/lib.sh"
space client router server
cable client eth0 router c0
cable server eth0 router s0
address client eth0 10.19.1.2/24
address router c0 10.19.1.1/24
address router s0 10.19.2.1/24
address server eth0 10.19.2.2/24
router router
ipat client route add default via 10.19.1.1
ipat server route add default via 10.19.2.1
ipat server link set eth0 gso_max_segs 1
ipat client link set eth0 gso_max_segs 1
fault && rules router <<R
table ip tunnel {
  chain forward { type filter hook forward priority 0
    iifname "s0" ip length > 1400 counter drop comment "large"
    iifname "c0" ip length > 1400 counter comment "requests"
  }
}
R
daemon server echo 5151
ready server 5151
seen=$(tool client talk 10.19.2.2 5151 100)
must "small lines do not come back: $seen" test "$seen" = same
seen=$(tool client talk 10.19.2.2 5151 8000)
if fault; then
    must "large lines come back: $seen" test "$seen" = lost
    must "no large request passed" test "$(counted router requests)" -gt 0
    must "no large answer was dropped" test "$(counted router large)" -gt 0
else
    must "large lines do not come back: $seen" test "$seen" = same
fi
verdict client check 10.19.2.2
