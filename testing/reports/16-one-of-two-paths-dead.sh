#!/bin/sh
# report: Ysurac/openmptcprouter#4252
# kind: partial failure
# cause: A route with two next hops keeps a dead one. The ports of a connection decide its path,
#   so about half of all connections fail and the others work.
# right: Some connections work and others do not, likely at most. "A firewall drops" is false.
#   (The script repeats the check until its first request takes the dead path.)
# expect: no-answer|dropped|partly-lost certainty<=likely if-named
# expect: ok certainty<=likely if-named
# says: some (connections|requests)|another (source |local )?port
# says: one of (two|several)|second (request|try|connection)|two paths
. "$(dirname "$0")/lib.sh"
space client router good dead server
cable client eth0 router c0
cable router g0 good r0
cable router d0 dead r0
cable good s0 server eth0
cable dead s0 server eth1
address client eth0 10.16.1.2/24
address router c0 10.16.1.1/24
address router g0 10.16.2.1/24
address good r0 10.16.2.2/24
address router d0 10.16.3.1/24
address dead r0 10.16.3.2/24
address good s0 10.16.4.1/24
address server eth0 10.16.4.2/24
address dead s0 10.16.5.1/24
address server eth1 10.16.5.2/24
ipat server addr add 10.16.9.9/32 dev lo
router router
router good
router dead
# Policy 3 hashes what is in the packet. Policy 1 would take the hash that the sender's kernel
# leaves beside it, which changes with each repetition. Between real machines there is none.
tune router ipv4.fib_multipath_hash_policy=3 ipv4.fib_multipath_hash_fields=55
ipat client route add default via 10.16.1.1
ipat router route add 10.16.9.0/24 nexthop via 10.16.2.2 nexthop via 10.16.3.2
ipat good route add 10.16.9.0/24 via 10.16.4.2
ipat dead route add 10.16.9.0/24 via 10.16.5.2
ipat good route add 10.16.1.0/24 via 10.16.2.1
ipat server route add default via 10.16.4.1
drop=accept
fault && drop=drop
rules dead <<R
table ip wan {
  chain forward { type filter hook forward priority 0
    tcp dport 5151 tcp flags & (syn | ack) == syn counter $drop comment "requests"
    counter $drop
  }
}
R
daemon server echo 5151
ready server 5151
seen=$(tool client several 10.16.9.9 5151 40001 24)
must "no connection works: $seen" test "${seen% *}" -gt 0
if fault; then
    must "every connection works: $seen" test "${seen#* }" -gt 0
else
    must "some connections do not work: $seen" test "${seen#* }" -eq 0
fi
must "no connection takes the second path" test "$(counted dead requests)" -gt 0
for _ in 1 2 3 4 5 6 7 8; do
    before=$(counted dead requests)
    verdict client check 10.16.9.9 >"$WORK/said"
    [ "$(counted dead requests)" -eq "$before" ] || break
done
cat "$WORK/said"
