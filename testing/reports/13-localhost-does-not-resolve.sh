#!/bin/sh
# report: systemd/systemd#5742
# kind: names
# cause: /etc/hosts is empty, and nothing else on the hosts line knows localhost. Programs that
#   look it up fail, while 127.0.0.1 works.
# right: name-not-found; or `ok`, likely at most, with a warning that the system does not know the
#   name.
# expect: name-not-found|name-lookup-failed certainty<=certain
# expect: ok certainty<=likely if-named
# says: /etc/hosts|does not resolve|system[^.]{0,60}(does not|cannot)|getaddrinfo
. "$(dirname "$0")/lib.sh"
space box server
cable box eth0 server eth0
address box eth0 10.13.0.2/24
address server eth0 10.13.0.1/24
daemon server names 10.13.0.1 other.test=10.13.0.1
daemon box echo 5151 127.0.0.1 ::1
ready server 53 udp
ready box 5151
echo "nameserver 10.13.0.1" >"$WORK/etc/resolv.conf"
echo "hosts: files dns" >"$WORK/etc/nsswitch.conf"
: >"$WORK/etc/hosts"
fault || printf '127.0.0.1 localhost\n::1 localhost\n' >"$WORK/etc/hosts"
if fault; then
    mustnt "the system knows localhost" at box getent ahosts localhost
else
    must "the system does not know localhost" at box getent ahosts localhost
fi
tried open box 127.0.0.1 5151
verdict box check localhost
