#!/bin/sh
# report: Kong/kong#12359
# kind: partial failure
# cause: Two workers share the port (SO_REUSEPORT). The ports of a connection decide which of them
#   gets it, and one worker hangs. Its queue is full, so its clients get no answer.
# right: On the server: some connections are not accepted. Likely, or certain if the report says
#   that this is one of several sockets. Neither "ok, certain" nor "takes no connections".
# expect: not-accepting|partly-lost certainty<=likely
# expect: not-accepting|partly-lost certainty<=certain if-named
# expect: ok certainty<=likely if-named
# says: one of|some (connections|clients)|shares?|SO_REUSEPORT|other (worker|socket)
. "$(dirname "$0")/lib.sh"
space client server
cable client eth0 server eth0
address client eth0 10.17.0.2/24
address server eth0 10.17.0.1/24
daemon server share 5151 yes
works=no
fault || works=yes
daemon server share 5151 $works
await "there are not two sockets" sh -c \
    "[ \$(ip netns exec $ID-server ss -Hltn 'sport = :5151' | wc -l) -eq 2 ]"
# These fill the queue of the worker that hangs.
daemon client crowd 10.17.0.1 5151 80
if fault; then
    await "no queue is full" sh -c \
        "ip netns exec $ID-server ss -Hltn 'sport = :5151' | awk '\$2 > \$3 {f = 1} END {exit !f}'"
else
    sleep 2
fi
seen=$(tool client several 10.17.0.1 5151 42001 24)
must "no connection works: $seen" test "${seen% *}" -gt 0
if fault; then
    must "every connection works: $seen" test "${seen#* }" -gt 0
else
    must "some connections do not work: $seen" test "${seen#* }" -eq 0
fi
verdict server check --listen 5151
