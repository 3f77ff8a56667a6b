#!/bin/sh
# report: tailscale/tailscale#21146
# kind: this machine's policies
# cause: Own rules mark packets to 100.64.0.0/10, and a policy rule (ip rule 5250) makes marked
#   packets unreachable before the kernel reads the table with the right route (52). A plain route
#   lookup, without the mark, finds that route.
# right: At the client: this machine is the cause. Certain only if the mark or the policy rule is
#   named.
# expect: local-firewall|no-route certainty<=likely
# expect: local-firewall|no-route certainty<=certain if-named
# says: fwmark|\bmark|ip rule|policy (rule|routing)|5250
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 100.100.0.2/32
address server eth0 100.64.0.1/32
ipat server route add 100.100.0.2/32 dev eth0
ipat client route add 100.64.0.0/10 dev eth0 table 52
ipat client rule add pref 5210 fwmark 0x80000/0xff0000 lookup main
ipat client rule add pref 5230 fwmark 0x80000/0xff0000 lookup default
fault && ipat client rule add pref 5250 fwmark 0x80000/0xff0000 unreachable
ipat client rule add pref 5270 lookup 52
rules client <<R
table ip vpn {
  chain output { type route hook output priority mangle
    ip daddr 100.64.0.0/10 counter meta mark set meta mark & 0xff00ffff | 0x00080000 comment "mark"
  }
}
R
daemon server echo 5151
ready server 5151
must "the route without a mark is not there" ip -n "$ID-client" route get 100.64.0.1
if fault; then
    mustnt "the route with the mark is there" ip -n "$ID-client" route get 100.64.0.1 mark 0x80000
    seen=$(tool client try 100.64.0.1 5151)
    [ "$seen" != open ] || fail "the server is reached"
    must "no packet was marked" test "$(counted client mark)" -gt 0
else
    tried open client 100.64.0.1 5151
fi
verdict client check 100.64.0.1
