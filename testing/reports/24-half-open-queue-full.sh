#!/bin/sh
# report: seed-labs/seed-labs#62
# kind: the serving side
# cause: SYN flooding: half-open connections fill the request queue, and SYN cookies are off. The
#   accept queue is empty, and the kernel drops new requests.
# right: On the server: requests are dropped. Likely, or certain if the half-open connections are
#   named. Neither "ok, certain" nor a firewall.
# expect: not-accepting certainty<=likely
# expect: not-accepting certainty<=certain if-named
# expect: ok certainty<=likely if-named
# says: half.open|SYN|handshake
. "$(dirname "$0")/lib.sh"
space client flood server lan
switch lan
plug lan p0 client eth0
plug lan p1 flood eth0
plug lan p2 server eth0
address client eth0 10.24.0.2/24
address flood eth0 10.24.0.3/24
address server eth0 10.24.0.1/24
tune server ipv4.tcp_syncookies=0 ipv4.tcp_max_syn_backlog=16 ipv4.tcp_no_metrics_save=1
daemon server echo 5151
ready server 5151
rules flood <<R
table ip flood {
  chain input { type filter hook input priority 0
    tcp sport 5151 drop
  }
  chain output { type filter hook output priority 0
    tcp flags rst drop
  }
}
R
if fault; then
    daemon flood half-open 10.24.0.1 5151 100
    await "there are no half-open connections" sh -c \
        "[ \$(ip netns exec $ID-server ss -Htn state syn-recv | wc -l) -ge 8 ]"
    sleep 1
fi
tried_or silent client 10.24.0.1 5151
if fault; then
    waiting=$(ip netns exec "$ID-server" ss -Hltn 'sport = :5151' | awk '{n += $2} END {print n}')
    must "the accept queue is not empty" test "$waiting" -eq 0
fi
verdict server check --listen 5151
