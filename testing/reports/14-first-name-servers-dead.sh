#!/bin/sh
# report: hickory-dns/hickory-dns#2150
# kind: names
# cause: The first two of three name servers no longer exist. Each lookup waits 5 s for each of
#   them, then the third one answers at once. The name and the server are in order.
# right: The name servers, likely at most, with a silent one named; or `ok`, if the slow lookup is
#   waited for, with the reason.
# expect: name-lookup-timed-out|name-server-silent|name-lookup-failed certainty<=likely if-named
# expect: ok certainty<=certain if-named
# says: 10\.14\.0\.[34] [^.]{0,60}(no answer|silent|not answer)
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.14.0.2/24
address server eth0 10.14.0.1/24 10.14.0.3/24 10.14.0.4/24
daemon server names 10.14.0.1 box.lab.test=10.14.0.1
daemon server echo 5151
ready server 53 udp
ready server 5151
fault && rules server <<R
table ip dead {
  chain input { type filter hook input priority 0
    ip daddr { 10.14.0.3, 10.14.0.4 } counter drop comment "dead"
  }
}
R
echo "nameserver 10.14.0.1" >"$WORK/etc/resolv.conf"
must "the third server does not know the name" at client getent ahosts box.lab.test
fault && printf 'nameserver %s\n' 10.14.0.3 10.14.0.4 10.14.0.1 \
    >"$WORK/etc/resolv.conf"
echo "hosts: files dns" >"$WORK/etc/nsswitch.conf"
start=$(date +%s)
must "the name is not found in the end" at client getent ahosts box.lab.test
if fault; then
    must "the lookup is not slow" test $(($(date +%s) - start)) -ge 8
    must "the first servers were not asked" test "$(counted server dead)" -gt 0
fi
verdict client check box.lab.test
