#!/bin/sh
# report: goxray/tun#4
# kind: the way back
# cause: A VPN client runs on the server. Its routes (0.0.0.0/1 and 128.0.0.0/1) cover all other
#   networks, so answers to clients behind the router enter the tunnel and are lost. Machines of
#   the server's own network still reach it.
# right: On the server: answers to other networks leave by the VPN (tun0). `ok` is likely at most,
#   and only where the report says so.
# expect: answer-lost|no-route certainty<=likely
# expect: ok certainty<=likely if-named
# says: answers?[^.]{0,90}(tun0|VPN)|(tun0|VPN)[^.]{0,90}answer|way back|default route
. "$(dirname "$0")/lib.sh"
space client router server
cable client eth0 router c0
cable server eth0 router s0
address client eth0 198.51.100.20/24
address router c0 198.51.100.1/24
address router s0 192.0.2.1/24
address server eth0 192.0.2.10/24
router router
ipat client route add default via 198.51.100.1
ipat server route add default via 192.0.2.1
daemon server echo 5151
ready server 5151
daemon server tun tun0
await "there is no tun0" ip -n "$ID-server" link show tun0
address server tun0 10.8.0.2/24
ipat server link set tun0 up
if fault; then
    ipat server route add 0.0.0.0/1 dev tun0
    ipat server route add 128.0.0.0/1 dev tun0
fi
tried_or silent client 192.0.2.10 5151
tried open router 192.0.2.10 5151
if fault; then
    must "the answer would not take tun0" \
        sh -c "ip -n $ID-server route get 198.51.100.20 | grep -q 'dev tun0'"
fi
verdict server check --listen 5151
